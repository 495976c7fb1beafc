"""Tokens of portal links: what a customer's address holds, and what is stored of it.

A token is HMAC-SHA256 of 256 random bits (the seed, stored beside the link) under the installation's secret key. The
database holds the seed and the token's SHA-256, never the token: whoever reads the database cannot visit anybody's
portal, and whoever knows only the key cannot either. The token can be made again from both, because the address is
written into the ERP after it was made, and again after a lost answer. The two other ways were worse: a token kept
encrypted is the same secret held in one more place, and a new token for each write would break the addresses that
customers have in their mail. A link made under a key that is not known any more still works, since visits compare
hashes; its address just cannot be shown or written again, and `recover` says so.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from django.conf import settings
from django.utils.crypto import salted_hmac

SALT = "meshline.portal.token"
SEED_BYTES = 32
LENGTH = 43  # characters: 256 bits in base64
_ADDRESS = re.compile(rf"/portal/([A-Za-z0-9_-]{{{LENGTH}}})/?$")


@dataclass(frozen=True, slots=True)
class Token:
    """A new token with what is stored of it."""

    text: str
    seed: str
    hash: str


def fresh() -> Token:
    """A token nobody had before."""
    seed = secrets.token_hex(SEED_BYTES)
    text = _derived(seed, settings.SECRET_KEY)
    return Token(text, seed, hashed(text))


def hashed(text: str) -> str:
    """What is stored and looked for: 64 hex digits, whatever was typed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_in(address: str) -> str:
    """What is stored of the token that an address ends with, for comparing; empty for any other text."""
    found = _ADDRESS.search(address)
    return hashed(found[1]) if found else ""


def recover(seed: str, wanted: str) -> str:
    """The token of a stored link; empty where it was made under a key that is not known any more."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    found = (_derived(seed, key) for key in keys)
    return next((text for text in found if hashed(text) == wanted), "")


def _derived(seed: str, key: str) -> str:
    digest = salted_hmac(SALT, seed, secret=key, algorithm="sha256").digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")

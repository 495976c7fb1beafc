"""Signing in to NetSuite: assertion checks for OAuth 2.0 and signature checks for token-based authentication."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import jwt

ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_LIMIT_S = 3600
CLOCK_SLACK_S = 300
NONCE_CHARACTERS = 6


class SignInError(Exception):
    """Not let in; `reason` is what the login audit would say."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_assertion(assertion: str, certificates: dict[str, str], client_id: str, audience: str, now: float) -> None:
    """Verify a client assertion against the certificate it names."""
    try:
        header = jwt.get_unverified_header(assertion)
        public_key = certificates[header.get("kid", "")]
        unchecked: Any = {"verify_exp": False, "verify_iat": False, "require": ["iss", "aud", "iat", "exp"]}
        claims: dict[str, Any] = jwt.decode(
            assertion, public_key, algorithms=list(ALGORITHMS), audience=audience, issuer=client_id, options=unchecked
        )
    except KeyError as error:
        raise SignInError("unknown certificate id") from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise SignInError(f"assertion refused: {error}") from error
    issued, expires = claims["iat"], claims["exp"]
    if not isinstance(issued, int) or not isinstance(expires, int) or not 0 < expires - issued < LIFETIME_LIMIT_S:
        raise SignInError("exp - iat must be less than 3600")
    if expires <= now or issued > now + CLOCK_SLACK_S:
        raise SignInError("assertion expired or issued in the future")
    scope = claims.get("scope", [])
    if "rest_webservices" not in (scope if isinstance(scope, list) else str(scope).split(",")):
        raise SignInError("scope lacks rest_webservices")


def encode(text: str) -> str:
    """Percent-encoding of RFC 3986."""
    return quote(text, safe="-._~")


def base_string(method: str, url: str, oauth: dict[str, str]) -> str:
    """What is signed: method, address without query, and all query and oauth parameters in order; never the realm."""
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True)]
    pairs += [(name, value) for name, value in oauth.items() if name not in ("realm", "oauth_signature")]
    ordered = "&".join(f"{a}={b}" for a, b in sorted((encode(name), encode(value)) for name, value in pairs))
    address = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path}"
    return "&".join((method.upper(), encode(address), encode(ordered)))


def signature(method: str, url: str, oauth: dict[str, str], consumer_secret: str, token_secret: str) -> str:
    """The HMAC-SHA256 of a request, in base64."""
    key = f"{encode(consumer_secret)}&{encode(token_secret)}".encode()
    digest = hmac.new(key, base_string(method, url, oauth).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def read_header(authorization: str) -> dict[str, str]:
    """The members of an `OAuth ...` header, decoded."""
    fields: dict[str, str] = {}
    for part in authorization[len("OAuth ") :].split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = unquote(value.strip().strip('"'))
    return fields


@dataclass
class TokenLogin:
    """The one consumer and token of the account, with the nonces seen."""

    realm: str
    consumer_key: str
    consumer_secret: str
    token_id: str
    token_secret: str
    seen: set[tuple[str, str]] = field(default_factory=set)

    def check(self, method: str, url: str, authorization: str, now: float) -> None:
        """Verify one signed request; SignInError says what the audit would."""
        oauth = read_header(authorization)
        nonce, stamp = oauth.get("oauth_nonce", ""), oauth.get("oauth_timestamp", "")
        if oauth.get("oauth_signature_method") != "HMAC-SHA256":
            raise SignInError("UnknownAlgorithm")
        if oauth.get("realm") != self.realm or oauth.get("oauth_consumer_key") != self.consumer_key:
            raise SignInError("consumer_key_unknown")
        if oauth.get("oauth_token") != self.token_id:
            raise SignInError("token_rejected")
        if not stamp.isdigit() or abs(int(stamp) - now) > CLOCK_SLACK_S:
            raise SignInError("InvalidTimestamp")
        wanted = signature(method, url, oauth, self.consumer_secret, self.token_secret)
        if not hmac.compare_digest(wanted.encode(), oauth.get("oauth_signature", "").encode()):
            raise SignInError("InvalidSignature")
        if len(nonce) < NONCE_CHARACTERS or (nonce, stamp) in self.seen:
            raise SignInError("NonceUsed")
        self.seen.add((nonce, stamp))

"""Who calls whom at Pipedrive: Basic credentials of deliveries, and OAuth 2.0 access tokens of our own calls."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sync import client
from sync.errors import AuthError, SignatureError, TransientError, UnreadableAnswer
from sync.wiretypes import FrozenRequest, Response

TOKEN_PATH = "/oauth/token"  # noqa: S105 -- a path
FORM_TYPE = ("Content-Type", "application/x-www-form-urlencoded")
RENEW_BEFORE_SECONDS = 300  # a token lives for an hour
LONGEST_SECONDS = 3600
RENEW_AT_MOST_EVERY_SECONDS = 5
MAX_CREDENTIALS = 1024


def check_basic(value: str, secrets: Sequence[str]) -> None:
    """`Basic base64(user:password)` must be one of the `user:password` entries. SignatureError.

    Both sides are hashed and every entry is compared, so neither the length nor the place of a match shows in time.
    """
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > MAX_CREDENTIALS:
        raise SignatureError("no basic credentials")
    try:
        given = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("unreadable credentials") from error
    if base64.b64encode(given).decode() != encoded:
        raise SignatureError("credentials in a form of their own")
    digest = hashlib.sha256(given).digest()
    matches = [hmac.compare_digest(hashlib.sha256(pair).digest(), digest) for pair in _pairs(secrets)]
    if not any(matches):
        raise SignatureError("no credentials fit")


def _pairs(secrets: Sequence[str]) -> list[bytes]:
    """Entries with a user and a password; half of one protects nothing and never fits."""
    split = [(entry, *entry.partition(":")[::2]) for entry in secrets]
    return [entry.encode() for entry, user, password in split if user and password]


class TokenCache:
    """One access token a process, shared by its threads; asked for again shortly before its end or when refused."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._app: tuple[str, ...] = ()
        self._token = self._refresh = ""
        self._got_at = self._ends_at = 0.0

    def token(self, config: Mapping[str, Any]) -> str:
        """A token that should be valid. AuthError or TransientError."""
        app = (str(config["oauth_url"]), str(config["client_id"]), str(config["refresh_token"]))
        with self._lock:
            if self._app != app:
                self._app, self._token, self._refresh = app, "", app[2]
            if not self._token or time.monotonic() >= self._ends_at:
                found = request_token(config, self._refresh)
                self._token, self._got_at = found["access_token"], time.monotonic()
                self._refresh = found.get("refresh_token") or self._refresh
                self._ends_at = self._got_at + _life(found.get("expires_in"))
            return self._token

    def drop(self, token: str) -> bool:
        """Forget a token that was refused; False if it was got just now, so that asking again would not help."""
        with self._lock:
            if token != self._token:
                return True  # another thread has renewed it already
            if time.monotonic() - self._got_at < RENEW_AT_MOST_EVERY_SECONDS:
                return False
            self._token = ""
            return True


def request_token(config: Mapping[str, Any], refresh_token: str) -> dict[str, str]:
    """Refresh the access token: a read, so it is allowed while writes are stopped."""
    if not refresh_token:
        raise AuthError("no refresh token is configured", provider="pipedrive", code="token", never_sent=True)
    form = urlencode({"grant_type": "refresh_token", "refresh_token": refresh_token})
    request = FrozenRequest("pipedrive", "POST", TOKEN_PATH, (FORM_TYPE,), form)
    pair = f"{config['client_id']}:{config['client_secret']}".encode()
    credentials = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    response = client.send(
        request, auth_headers=credentials, base_url=str(config["oauth_url"]), is_write=False, is_private=True
    )
    if response.status == 429 or response.status >= 500:
        raise _error(TransientError, response, "no token now")
    if response.status != 200:
        raise _error(AuthError, response, "token refused")
    try:
        document = response.json()
    except UnreadableAnswer as error:
        raise _error(TransientError, response, "no readable token") from error
    if not isinstance(document, dict) or not _usable(document.get("access_token")):
        raise _error(TransientError, response, "no readable token")
    return {
        "access_token": document["access_token"],
        "refresh_token": document["refresh_token"] if _usable(document.get("refresh_token")) else "",
        "expires_in": str(document.get("expires_in", "")),
    }


def _usable(token: object) -> bool:
    """Whether a text can go into a header and a form."""
    return isinstance(token, str) and 0 < len(token) <= 4096 and token.isascii() and token.isprintable()


def _life(expires_in: str | None) -> float:
    """Seconds for which a token is used; a minute at least, whatever the answer says."""
    seconds = int(expires_in) if expires_in and expires_in.isdecimal() and len(expires_in) < 9 else LONGEST_SECONDS
    return float(max(60, min(seconds, LONGEST_SECONDS) - RENEW_BEFORE_SECONDS))


def _error(kind: type[AuthError | TransientError], response: Response, message: str) -> AuthError | TransientError:
    return kind(message, provider="pipedrive", status=response.status, code="token", exchange=response.exchange)

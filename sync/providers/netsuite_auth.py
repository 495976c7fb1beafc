"""Signing in at NetSuite: OAuth 2.0 by a signed assertion (default), or token-based OAuth 1.0 (legacy)."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import jwt

from ledger import clock
from sync import client
from sync.errors import AuthError, PermanentError, TransientError, UnreadableAnswer
from sync.wiretypes import FrozenRequest, Response

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 -- a path
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300  # NetSuite allows just under an hour; nobody needs it for longer than one request
RENEW_AFTER_SECONDS = 50 * 60  # a token lives for an hour
RENEW_AT_MOST_EVERY_SECONDS = 5  # five failed log-ins lock the user for half an hour
FORM_TYPE = ("Content-Type", "application/x-www-form-urlencoded")


class TokenCache:
    """One access token a process, shared by its threads; asked for again at 50 minutes or when it was refused."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._account: tuple[str, ...] = ()
        self._token = ""
        self._got_at = 0.0

    def token(self, config: Mapping[str, Any]) -> str:
        """A token that should be valid. AuthError or TransientError."""
        account = (config["base_url"], config["client_id"], config["certificate_id"])
        with self._lock:
            is_old = time.monotonic() - self._got_at > RENEW_AFTER_SECONDS
            if not self._token or is_old or self._account != account:
                self._token = request_token(config)
                self._account, self._got_at = account, time.monotonic()
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


def assertion(config: Mapping[str, Any], issued_at: int) -> str:
    """The signed statement that we are the integration of this certificate."""
    claims = {
        "iss": config["client_id"],
        "scope": ["rest_webservices"],
        "aud": str(config["base_url"]).rstrip("/") + TOKEN_PATH,
        "iat": issued_at,
        "exp": issued_at + ASSERTION_SECONDS,
    }
    try:
        return jwt.encode(
            claims, config["private_key"], algorithm=config["algorithm"], headers={"kid": config["certificate_id"]}
        )
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise PermanentError("the private key cannot sign", provider="netsuite", code="bad_key") from error


def request_token(config: Mapping[str, Any]) -> str:
    """Ask for an access token: a read, so it is allowed while writes are stopped."""
    form = urlencode(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(config, int(clock.now().timestamp())),
        }
    )
    request = FrozenRequest("netsuite", "POST", TOKEN_PATH, (FORM_TYPE,), form)
    response = client.send(request, auth_headers={}, base_url=config["base_url"], is_write=False, is_private=True)
    if response.status == 429 or response.status >= 500:
        raise _error(TransientError, response, "no token now")
    if response.status != 200:
        raise _error(AuthError, response, "token refused")
    try:
        document = response.json()
    except UnreadableAnswer as error:
        raise _error(TransientError, response, "no readable token") from error
    token = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise _error(TransientError, response, "no readable token")
    return token


def _error(kind: type[AuthError | TransientError], response: Response, message: str) -> AuthError | TransientError:
    return kind(message, provider="netsuite", status=response.status, code="token", exchange=response.exchange)


def token_based_header(
    config: Mapping[str, Any], method: str, url: str, *, nonce: str = "", timestamp: str = ""
) -> str:
    """The Authorization header of one try. A nonce may be used once, so every try is signed anew."""
    oauth = {
        "oauth_consumer_key": config["consumer_key"],
        "oauth_nonce": nonce or secrets.token_hex(16),
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": timestamp or str(int(clock.now().timestamp())),
        "oauth_token": config["token_id"],
        "oauth_version": "1.0",
    }
    key = f"{_escape(config['consumer_secret'])}&{_escape(config['token_secret'])}"
    digest = hmac.digest(key.encode(), base_string(method, url, oauth).encode(), "sha256")
    signed = {**oauth, "oauth_signature": base64.b64encode(digest).decode()}
    members = ", ".join(f'{name}="{_escape(value)}"' for name, value in signed.items())
    return f'OAuth realm="{realm(config["account"])}", {members}'


def base_string(method: str, url: str, oauth: Mapping[str, str]) -> str:
    """What is signed: method, address and all parameters, sorted; the realm and a JSON body are no part of it."""
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *oauth.items()]
    encoded = sorted((_escape(name), _escape(value)) for name, value in pairs)
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    address = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return "&".join([method.upper(), _escape(address), _escape(joined)])


def realm(account: str) -> str:
    """The account id as OAuth 1.0 wants it: capitals and underscores, unlike in host names."""
    return account.upper().replace("-", "_")


def _escape(value: str) -> str:
    return quote(value, safe="-._~")

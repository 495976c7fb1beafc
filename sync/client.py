"""The one HTTP client: every request to a provider leaves here, once.

It never retries, redirects, keeps cookies or reads proxies from the environment. It says what happened on the wire;
what a status means is the adapter's to judge.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as UrllibTimeout

from ledger import clock
from sync import sockets
from sync.errors import PermanentError, ProviderError, TransientError, UnconfirmedError, UnreadableAnswer, WriteHalted
from sync.wiretypes import Exchange, FrozenRequest, Response

log = structlog.get_logger(__name__)

MAX_ANSWER_BYTES = 5 * 1024 * 1024
MAX_STORED_BYTES = 64 * 1024
MAX_STORED_PATH = 1000
READ_BYTES = 64 * 1024
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
REQUEST_ID_HEADERS = ("request-id", "x-request-id", "x-zendesk-request-id", "x-n-operationid")
WRITING_METHODS = frozenset({"PUT", "PATCH", "DELETE"})

# Only what arrives byte for byte as it was frozen: nothing here is rewritten by the libraries below.
_PATH = re.compile(
    r"/(?!/)(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*"
    r"(?:\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*)?"
)
_DOT_SEGMENT = re.compile(r"(?:/|%2F)(?:\.|%2E){1,2}(?=/|%2F|\?|$)")
# The address of a customer's billing page is a key to it, and no stored exchange holds one.
_PORTAL_KEY = re.compile(rb"(portal(?:\\?/|%2F))[A-Za-z0-9_-]{16,}", re.IGNORECASE)
_LONGEST_KEY = 256
_BASE_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9\-._~]+)*/?")
_HOST_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_WIRE_FAULTS = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)


class _TooLongError(Exception):
    """The answer is longer than anybody should read."""


@dataclass(slots=True)
class _Answer:
    """What has arrived so far; a failure in the middle still leaves what came before it."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


def send(
    request: FrozenRequest,
    *,
    auth_headers: Mapping[str, str],
    base_url: str,
    is_write: bool,
    guard: Callable[[], None] | None = None,
    is_private: bool = False,
    seconds: float | None = None,
    now: Callable[[], datetime] = clock.now,
) -> Response:
    """Carry out one exchange; `guard` is asked between connecting and the first byte of a write.

    `is_private` keeps both bodies out of the Exchange (credentials travel in them); `seconds` bounds the whole of it.
    Raises WriteHalted, TransientError (a read, or nothing was sent), UnconfirmedError (a write may have arrived),
    PermanentError (the request may not be sent at all). Each carries the Exchange if there was one.
    """
    if (guard is None) if is_write else (request.method in WRITING_METHODS):
        raise ValueError("a write needs its guard, and only a write may change something")
    allow_loopback = check_base_url(base_url, allow_loopback=bool(getattr(settings, "MESHLINE_ALLOW_LOOPBACK", False)))
    prepared = _prepare(request, auth_headers, base_url)
    seconds = sockets.EXCHANGE_SECONDS if seconds is None else seconds
    flight = sockets.Flight(guard if is_write else None, allow_loopback=allow_loopback, seconds=seconds)
    answer, began_at, started = _Answer(), now(), time.monotonic()
    fault: Exception | None = None
    try:
        with sockets.flying(flight):
            _exchange(prepared, answer, seconds)
    except WriteHalted:
        raise
    except (*_WIRE_FAULTS, _TooLongError, sockets.AddressRefusedError) as error:
        fault = error
    if flight.is_cut and fault is None:  # an answer without a length ends the same way when it is cut off
        fault = TimeoutError("exchange is over its time")
    failure = _classify(fault, flight, request.provider, is_write) if fault else None
    exchange = Exchange(
        provider=request.provider,
        method=request.method,
        path=request.path[:MAX_STORED_PATH],
        is_write=is_write,
        began_at=began_at,
        ms=round((time.monotonic() - started) * 1000),
        status=answer.status,
        error=type(failure).__name__ if failure else "",
        request_body="" if is_private else _storable(request.body.encode()),
        response_body="" if is_private else _storable(answer.body),
        request_id=_request_id(answer.headers),
        account=request.account,
    )
    _log(exchange)
    if failure:
        failure.exchange = exchange
        raise failure from fault
    return Response(answer.status or 0, answer.headers, bytes(answer.body), exchange)


def read(
    provider: str,
    path: str,
    *,
    auth_headers: Mapping[str, str],
    base_url: str,
    now: Callable[[], datetime] = clock.now,
) -> Response:
    """GET: changes nothing, allowed while writes are stopped."""
    request = FrozenRequest(provider, "GET", path, (), "")
    return send(request, auth_headers=auth_headers, base_url=base_url, is_write=False, now=now)


@lru_cache(maxsize=64)
def check_base_url(base_url: str, *, allow_loopback: bool) -> bool:
    """Whether the address is loopback; PermanentError unless it is https to a host name, or loopback by leave."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    plain = bool(_BASE_URL.fullmatch(base_url))
    if plain and allow_loopback and host in LOOPBACK_HOSTS and parts.scheme in ("http", "https"):
        return True
    if not plain or parts.scheme != "https" or not _HOST_NAME.fullmatch(host) or host.endswith(".localhost"):
        raise PermanentError("base address is not https to a host name", code="unsafe_address", never_sent=True)
    return False


def _prepare(request: FrozenRequest, auth_headers: Mapping[str, str], base_url: str) -> requests.PreparedRequest:
    """The request as it will be on the wire; ValueError if it would not arrive as it was frozen."""
    if not _PATH.fullmatch(request.path) or _DOT_SEGMENT.search(request.path.partition("?")[0]):
        raise ValueError("a path must be frozen in its encoded form")
    names = {name.lower() for name, _ in request.headers}
    if names & {"authorization", "cookie", "host", "content-length", "transfer-encoding"}:
        raise ValueError("credentials and framing are no part of a frozen request")
    body = request.body.encode()
    prepared = requests.PreparedRequest()
    prepared.method = request.method
    prepared.url = base_url.rstrip("/") + request.path
    prepared.headers = CaseInsensitiveDict(
        {"User-Agent": "meshline/1", "Accept": "application/json", "Accept-Encoding": "identity"}
    )
    prepared.headers.update(request.headers)
    prepared.headers.update(auth_headers)
    if body or request.method != "GET":
        prepared.headers["Content-Length"] = str(len(body))
    prepared.body = body or None
    return prepared


def _exchange(prepared: requests.PreparedRequest, answer: _Answer, seconds: float) -> None:
    waits = min(sockets.CONNECT_SECONDS, seconds), min(sockets.SILENCE_SECONDS, seconds)
    response = _adapter().send(prepared, stream=True, timeout=waits, verify=True, proxies={})
    answer.status = response.status_code
    answer.headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        for chunk in response.raw.stream(READ_BYTES, decode_content=False):
            if len(answer.body) + len(chunk) > MAX_ANSWER_BYTES:
                raise _TooLongError("answer is over 5 MiB")
            answer.body += chunk
    except BaseException:
        response.raw.close()  # never back into the pool with half an answer in it
        raise
    response.raw.release_conn()


def _log(exchange: Exchange) -> None:
    log.info(
        "exchange",
        provider=exchange.provider,
        method=exchange.method,
        status=exchange.status,
        ms=exchange.ms,
        is_write=exchange.is_write,
        error=exchange.error,
    )


def _classify(fault: Exception, flight: sockets.Flight, provider: str, is_write: bool) -> ProviderError:
    """What to do next follows from two facts: whether a byte may have left, and whether it was a write."""
    if isinstance(fault, sockets.AddressRefusedError):
        return PermanentError(str(fault), provider=provider, code="address_refused", never_sent=True)
    code = _fault_code(fault, flight)
    if not flight.has_sent:
        kind = TransientError if isinstance(fault, OSError | HTTPError | HTTPException) else PermanentError
        return kind(f"nothing was sent ({code})", provider=provider, code=code, never_sent=True)
    if not is_write:
        return TransientError(f"no answer to a read ({code})", provider=provider, code=code)
    if isinstance(fault, _TooLongError):
        return UnreadableAnswer(str(fault), provider=provider, code=code)
    return UnconfirmedError(f"no answer to a write ({code})", provider=provider, code=code)


def _fault_code(fault: Exception, flight: sockets.Flight) -> str:
    if flight.is_cut:
        return "deadline"
    if isinstance(fault, _TooLongError):
        return "too_long"
    if isinstance(fault, requests.Timeout | UrllibTimeout | TimeoutError):
        return "timeout"
    if isinstance(fault, requests.exceptions.SSLError):
        return "tls"
    return "connection" if isinstance(fault, OSError | HTTPError | HTTPException) else "unsendable"


class _Adapter(HTTPAdapter):
    """One thread's kept connections. Used without a Session: a Session follows, remembers and reads bodies whole."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": sockets.GuardedPool, "https": sockets.GuardedTlsPool}


_here = threading.local()


def _adapter() -> _Adapter:
    """This thread's adapter; a forked child never uses its parent's connections."""
    if getattr(_here, "pid", None) != os.getpid():
        _here.pid = os.getpid()
        _here.adapter = _Adapter(pool_connections=8, pool_maxsize=1, max_retries=0)
    adapter: _Adapter = _here.adapter
    return adapter


def _storable(body: bytes | bytearray) -> str:
    """Text a database column can hold, cut to what is worth keeping."""
    kept = hidden(bytes(body[: MAX_STORED_BYTES + _LONGEST_KEY]))[:MAX_STORED_BYTES]
    return kept.decode("utf-8", "replace").replace("\x00", "\ufffd")


def hidden(body: bytes) -> bytes:
    """The same without the keys that addresses of billing pages hold."""
    return _PORTAL_KEY.sub(rb"\1***", body)


def _request_id(headers: Mapping[str, str]) -> str:
    return next((headers[name][:120] for name in REQUEST_ID_HEADERS if name in headers), "")

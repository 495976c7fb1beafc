"""What every provider adapter does, and the judgement of answers they share.

An adapter verifies and names deliveries, reads, builds frozen writes and performs them. It never retries: it says by
the class of the error what may be done next (`sync.errors`).
"""

from __future__ import annotations

import hmac
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from django.conf import settings

from ledger import clock
from sync import client, contracts
from sync.contracts.members import DriftError
from sync.errors import (
    AuthError,
    BadBody,
    ConflictError,
    PermanentError,
    ProviderError,
    SignatureError,
    TransientError,
    UnconfirmedError,
    UnreadableAnswer,
)
from sync.wiretypes import Envelope, Exchange, FrozenRequest, Response

Headers = Mapping[str, tuple[str, ...]]  # lower-case names; every value that came, so that doubled ones are seen
Guard = Callable[[], None]
Exchanges = list[Exchange]

TOLERANCE_SECONDS = 300
MAX_RETRY_AFTER = timedelta(hours=24)
MAX_SIGNATURES = 16
MAX_MESSAGE = 300
MAX_CODE = 80
JSON_TYPE = ("Content-Type", "application/json")
# What the columns of the inbox hold.
LIMITS = {"id": 255, "account": 64, "type": 120, "object": 255, "lane": 200, "api_version": 40}

_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")


class Provider(ABC):
    """One external system. Instances keep no business state and are shared by the threads of a process."""

    name: str
    webhook_secrets_name: str
    key_lifetime: timedelta | None = None  # how long a write may be repeated with its key; None: no key, look first
    counts_refusals = False  # it stops delivering after some: what cannot be read is noted and acknowledged

    @property
    def config(self) -> Mapping[str, Any]:
        """Address and credentials, read when they are used."""
        config: Mapping[str, Any] = settings.MESHLINE_PROVIDERS[self.name]
        return config

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets deliveries may be signed with at this moment; none where the provider is not connected."""
        if self.name not in settings.MESHLINE_PROVIDERS:
            return ()
        return tuple(settings.MESHLINE_SECRETS.get(self.webhook_secrets_name) or ())

    @abstractmethod
    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """Accept a delivery only if it was signed, on these very bytes, within 300 s of now. SignatureError."""

    def challenge(self, document: Mapping[str, Any]) -> bytes | None:
        """What a verified delivery that only asks whether this address is ours is answered; None for an event."""
        return None

    @abstractmethod
    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name a verified delivery. BadBody without an id or a type; `park` where only a person may read it."""

    @abstractmethod
    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """Credentials for one try; never part of the frozen request."""

    @abstractmethod
    def explain(self, response: Response) -> tuple[str, str]:
        """The provider's own code and message in a refusal; ("", "") where it says nothing readable."""

    def perform(self, request: FrozenRequest, guard: Guard, exchanges: Exchanges | None = None) -> Response:
        """Send a frozen write once. Returns only answers that may be the confirmation; all others raise."""
        response = self._exchange(request, is_write=True, guard=guard, exchanges=exchanges)
        self._judge(response, is_write=True)
        return response

    def read(self, request: FrozenRequest, exchanges: Exchanges | None = None) -> Response:
        """Send a request that changes nothing. TransientError, PermanentError or AuthError; never unconfirmed."""
        response = self._exchange(request, is_write=False, guard=None, exchanges=exchanges)
        self._judge(response, is_write=False)
        return response

    def get(self, path: str, exchanges: Exchanges | None = None) -> dict[str, Any] | None:
        """The object at a path, or None if it is not there (404)."""
        try:
            response = self.read(FrozenRequest(self.name, "GET", path, self.read_headers(), ""), exchanges)
        except PermanentError as error:
            if error.status == 404:
                return None
            raise
        return self.document(response)

    def document(self, response: Response) -> dict[str, Any]:
        """The answer of a read as an object; what cannot be read may come right the next time."""
        try:
            document = response.json()
        except UnreadableAnswer as error:
            raise self.error(TransientError, response, str(error), code="unreadable") from error
        if not isinstance(document, dict):
            raise self.error(TransientError, response, "answer is not an object", code="unreadable")
        return document

    def drifted(self, error: DriftError) -> PermanentError:
        """A read whose answer does not fit its contract: a person must look, trying again does not help."""
        return PermanentError(f"answer does not fit its contract: {error}", provider=self.name, code="drift")

    def read_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers every read carries."""
        return ()

    def slot(self) -> AbstractContextManager[Any]:
        """A place among the calls the provider allows at a time."""
        return nullcontext()

    def renew(self, used: Mapping[str, str]) -> bool:
        """Whether new credentials were got in place of the `used` ones that were refused."""
        return False

    def check_success(self, response: Response) -> None:
        """A write's 2xx must be what this provider answers with: by default a JSON object. UnreadableAnswer."""
        if not isinstance(response.json(), dict):
            raise response.unreadable("answer is not an object")

    def classify_refusal(self, response: Response, code: str) -> type[ProviderError] | None:
        """The provider's own meaning of a refusal; None for the usual one."""
        return None

    def error(self, kind: type[ProviderError], response: Response, message: str, *, code: str = "") -> ProviderError:
        """An error of this provider about one answer."""
        return kind(
            printable(message)[:MAX_MESSAGE],
            provider=self.name,
            status=response.status,
            code=printable(code)[:MAX_CODE],
            retry_after=retry_after(response.headers.get("retry-after", ""), clock.now()),
            exchange=response.exchange,
        )

    def _exchange(
        self, request: FrozenRequest, *, is_write: bool, guard: Guard | None, exchanges: Exchanges | None
    ) -> Response:
        """One try; a 401 renews credentials once and sends the same frozen request again."""
        credentials = self._credentials(request, exchanges)
        response = self._send(request, credentials, is_write=is_write, guard=guard, exchanges=exchanges)
        if response.status == 401 and self.renew(credentials):
            credentials = self._credentials(request, exchanges)
            response = self._send(request, credentials, is_write=is_write, guard=guard, exchanges=exchanges)
        return response

    def _credentials(self, request: FrozenRequest, exchanges: Exchanges | None) -> dict[str, str]:
        try:
            return self.authorize(request)
        except ProviderError as error:
            error.never_sent = True  # the request itself has not left
            _note(error.exchange, exchanges)
            raise

    def _send(
        self,
        request: FrozenRequest,
        credentials: Mapping[str, str],
        *,
        is_write: bool,
        guard: Guard | None,
        exchanges: Exchanges | None,
    ) -> Response:
        base_url = str(self.config["base_url"])
        try:
            with self.slot():
                response = client.send(
                    request, auth_headers=credentials, base_url=base_url, is_write=is_write, guard=guard
                )
        except ProviderError as error:
            _note(error.exchange, exchanges)
            raise
        _note(response.exchange, exchanges)
        return response

    def _judge(self, response: Response, *, is_write: bool) -> None:
        status = response.status
        if 200 <= status < 300:
            if is_write:
                self.check_success(response)
            return
        code, message = self.explain(response)
        kind = self.classify_refusal(response, code) or _usual_meaning(status, is_write=is_write)
        raise self.error(kind, response, message or f"{self.name} answered {status}", code=code)


def _note(exchange: Exchange | None, exchanges: Exchanges | None) -> None:
    if exchange is not None and exchanges is not None:
        exchanges.append(exchange)


def _usual_meaning(status: int, *, is_write: bool) -> type[ProviderError]:
    """What a status outside 2xx says about the request."""
    if status in (401, 403):
        return AuthError
    if status == 409:
        return ConflictError
    if status in (425, 429):
        return TransientError
    if status >= 500 or status == 408:
        return UnconfirmedError if is_write else TransientError
    if status >= 400:
        return PermanentError
    return UnreadableAnswer if is_write else TransientError  # a redirect is not followed; something stands between us


def retry_after(value: str, now: datetime) -> timedelta | None:
    """A Retry-After header, in seconds or as an HTTP date, as a wait of 0 to 24 h; None where it says nothing."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", value):
        wait = timedelta(seconds=float(value))
    else:
        try:
            moment = parsedate_to_datetime(value)
            wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(wait, timedelta(0)), MAX_RETRY_AFTER)


def only(headers: Headers, name: str) -> str:
    """A header that must come exactly once; two of them are an attempt to be read twice. SignatureError."""
    values = headers.get(name, ())
    if len(values) != 1:
        raise SignatureError(f"{len(values)} {name} headers")
    return values[0]


def first(headers: Headers, name: str) -> str:
    """A header that decides nothing; "" if it did not come."""
    return next(iter(headers.get(name, ())), "")


def verify_timestamped(value: str, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
    """Check `t=<unix>,v1=<hex>[,v1=<hex>]`: HMAC-SHA256 over "<t>." and the raw body. SignatureError."""
    stamps, signatures = [], []
    for part in value.split(","):
        name, _, content = part.partition("=")
        if name == "t":
            stamps.append(content)
        elif name == "v1":
            signatures.append(content)
    if len(stamps) != 1 or not _UNIX_SECONDS.fullmatch(stamps[0]):
        raise SignatureError("not exactly one time")
    stamp = stamps[0]
    message = stamp.encode() + b"." + raw
    digests = [hmac.digest(secret.encode(), message, "sha256").hex() for secret in secrets if secret]
    check_signatures(digests, signatures)
    check_age(int(stamp), now)


def check_signatures(expected: Iterable[str], given: Sequence[str]) -> None:
    """Any signature may fit any secret. All pairs are compared, in constant time each. SignatureError."""
    if len(given) > MAX_SIGNATURES:
        raise SignatureError("too many signatures")
    sent = [signature.encode("utf-8", "replace") for signature in given]
    matches = [hmac.compare_digest(digest.encode(), signature) for digest in expected for signature in sent]
    if not any(matches):
        raise SignatureError("no signature fits")


def check_age(signed_at: float, now: datetime) -> None:
    """Old deliveries are replays; future ones come from a clock nobody should trust. SignatureError."""
    if abs(now.timestamp() - signed_at) > TOLERANCE_SECONDS:
        raise SignatureError("signed too long ago or too far ahead")


def plain(value: Any, limit: str) -> str:
    """A text or number fit for its column, or "": an id with a NUL in it is no id."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > LIMITS[limit] or _UNSTORABLE.search(value):
        return ""
    return value


def required(document: Mapping[str, Any], name: str, limit: str) -> str:
    """A member without which a body is no event. BadBody."""
    found = plain(document.get(name), limit)
    if not found:
        bad_body(f"no usable {name}")
    return found


def bad_body(reason: str) -> NoReturn:
    """Refuse a body that is no event."""
    raise BadBody(400, reason)


def parking(oddities: frozenset[str], *reasons: str) -> str:
    """Why only a person may read a delivery; "" if anybody may."""
    return "; ".join([*sorted(oddities), *filter(None, reasons)])[:300]


def path_id(value: str, provider: str) -> str:
    """An id as one segment of an address. PermanentError for what no provider would give out."""
    if not _ID.fullmatch(value):
        raise PermanentError("not an id", provider=provider, code="bad_id", never_sent=True)
    return value


def kind_of(provider: str, type_: str) -> str:
    """Our word for a provider's event type."""
    return contracts.contract_for(provider, type_).kind


def printable(value: str) -> str:
    """A provider's words as one line that any column and log can hold; a billing page's key in them is left out."""
    line = "".join(char if char.isprintable() else " " for char in value)
    return client.hidden(line.encode()).decode()


def compact_json(document: Mapping[str, Any]) -> str:
    """The one way a JSON body is written, so that freezing twice gives the same bytes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)

"""The receiver's core: verify, name, store, answer. Four steps, no look-up and no call to anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import Error

from sync import contracts, deadline, inbox, providers, refusals
from sync.errors import BadBody, SignatureError
from sync.inbox import Delivery
from sync.providers.base import Headers
from sync.slack.forms import begin as begin_form
from sync.wiretypes import Envelope

log = structlog.get_logger(__name__)

# What may be kept of a delivery's headers: names of things, never what proves who sent it.
KEPT_HEADERS = (
    "content-type", "user-agent", "x-zendesk-webhook-id", "x-zendesk-webhook-invocation-id", "x-zendesk-account-id",
    "x-request-id", "x-webhook-id",
)  # fmt: skip
KEPT_HEADER_CHARS = 300
STORE_SECONDS = 4.0
FAR_AHEAD = timedelta(days=1)
VERDICT_CHARS = 280
PLAIN = ("content-type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider is told."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (PLAIN,)


ACCEPTED = Answer(200, b"stored")
NOTED = Answer(200, b"noted")
# Slack shows whoever clicked an error unless the body is empty, and lets a form be opened for three seconds.
ANSWERS = {"slack": Answer(200)}
AFTER: dict[str, Callable[[Delivery, int], None]] = {"slack": begin_form}
UNVERIFIED = Answer(401, b"not verified")
UNKNOWN_SOURCE = Answer(404, b"no such source")
TOO_SLOW = Answer(408, b"body took too long", (PLAIN, ("connection", "close")))
TOO_LONG = Answer(413, b"body is too long", (PLAIN, ("connection", "close")))


def take(source: str, headers: Headers, *, raw: bytes, now: datetime, address: str) -> Answer:
    """Receive one delivery: 200 only when it is committed, or was before."""
    judged = judge(source, headers, raw=raw, now=now, address=address)
    if isinstance(judged, Delivery):
        judged = settle(store(judged), judged, address=address)
    refusals.flush_due()
    return judged


def judge(source: str, headers: Headers, *, raw: bytes, now: datetime, address: str) -> Delivery | Answer:
    """Verify and name a delivery, or refuse it. Touches no database."""
    if source not in providers.PROVIDERS:
        return refuse(UNKNOWN_SOURCE, refusals.UNKNOWN_SOURCE, headers, raw=b"", now=now, address=address, reason="")
    if len(raw) > settings.MESHLINE_MAX_BODY_BYTES:
        return refuse(TOO_LONG, source, headers, raw=raw, now=now, address=address, reason="too long")
    adapter = providers.get(source)
    secrets = adapter.webhook_secrets()
    try:
        if not secrets:
            raise SignatureError("no secret is configured")
        adapter.verify(headers, raw, now, secrets)
        parsed = contracts.parse(source, raw)
        if (word := adapter.challenge(parsed.document)) is not None:
            return Answer(200, word)
        envelope = adapter.envelope(parsed.document, headers, raw, parsed.oddities)
    except SignatureError as error:
        return refuse(UNVERIFIED, source, headers, raw=raw, now=now, address=address, reason=str(error))
    except BadBody as error:
        answer = Answer(error.status, error.reason.encode())
        refused = refuse(answer, source, headers, raw=raw, now=now, address=address, reason=error.reason)
        return NOTED if adapter.counts_refusals else refused
    return named(source, envelope, headers, raw=raw, now=now)


def named(source: str, envelope: Envelope, headers: Headers, *, raw: bytes, now: datetime) -> Delivery:
    """A delivery as it will be stored: how old it is counts, and one from far ahead is for a person."""
    late = False
    if envelope.occurred_at is not None:
        late = now - envelope.occurred_at > timedelta(seconds=settings.MESHLINE_LATE_AFTER_SECONDS)
        if envelope.occurred_at - now > FAR_AHEAD:  # judged by its own time, it would outrank all that comes after
            reason = "; ".join(filter(None, (envelope.park, "its own time is far ahead")))
            envelope = replace(envelope, park=reason[:VERDICT_CHARS])
    return Delivery(source, envelope, kept_headers(headers), raw, now, late=late)


def store(delivery: Delivery) -> inbox.Stored | Exception:
    """Store one delivery on this thread's connection, within the time a provider is made to wait."""
    try:
        with deadline.limit(STORE_SECONDS):
            return inbox.store_each([delivery])[0]
    except Error as error:  # no connection at all
        return error


def settle(outcome: inbox.Stored | Exception, delivery: Delivery, *, address: str) -> Answer:
    """The answer for what became of a delivery: what is not stored is never acknowledged."""
    if isinstance(outcome, inbox.Stored):
        if outcome.new and delivery.source in AFTER:
            AFTER[delivery.source](delivery, outcome.event_id)
        return ANSWERS.get(delivery.source, ACCEPTED)
    if isinstance(outcome, BadBody):
        refusals.note(
            delivery.source, outcome.reason, outcome.status, address=address, headers=delivery.headers,
            raw=delivery.raw, now=delivery.received_at,
        )  # fmt: skip
        return Answer(outcome.status, outcome.reason.encode())
    log.error("delivery_not_stored", source=delivery.source, error=type(outcome).__name__)
    return busy(delivery.received_at)


def busy(now: datetime) -> Answer:
    """503: come again, spread over a minute so that not all come at once."""
    return Answer(503, b"try again", (PLAIN, ("retry-after", str(5 + now.microsecond % 55))))


def refuse(
    answer: Answer, source: str, headers: Headers, *, raw: bytes, now: datetime, address: str, reason: str
) -> Answer:
    """Note a refusal and give its answer."""
    kept = kept_headers(headers)
    refusals.note(source, reason, answer.status, address=address, headers=kept, raw=raw, now=now)
    return answer


def kept_headers(headers: Headers) -> dict[str, str]:
    """The harmless ones, shortened."""
    return {name: ", ".join(headers[name])[:KEPT_HEADER_CHARS] for name in KEPT_HEADERS if name in headers}

"""Billing's events that no webhook brought: its list against our inbox, and each one fetched and stored as it is.

The provider lists events for thirty days. What is stored here is the event's own document under its own id: a webhook
that comes after all is one delivery more of the same event.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from ledger import clock, sets
from sync import attempts, health, inbox, providers, receive
from sync.catch_up import IN_THE_AIR
from sync.errors import PermanentError, ProviderError, TransientError
from sync.inbox import Delivery
from sync.providers import base, stripe_lists
from sync.providers.base import compact_json
from sync.providers.stripe import Stripe
from sync.wiretypes import Exchange

SOURCE = "stripe"
FIRST_LOOK = timedelta(days=1)
SECONDS = 60.0
KNOWN = """
select provider_event_id from ledger_event where source = %(source)b and provider_event_id = any(%(ids)b::text[])"""
_EVENT = re.compile(r"evt_[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True, slots=True)
class MissedEvent:
    """An event that is not in the inbox, with its whole document."""

    id: str
    updated_at: datetime
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MissedEvents:
    """What a sweep found: `missing` are those of kinds that something here reads, oldest first."""

    provider: str
    since: datetime
    seen: int
    missing: tuple[MissedEvent, ...]
    is_whole: bool
    unheard: int


def plan(since: datetime | None = None) -> MissedEvents:
    """Read the list of events since then (a day, by default) and find those that never came. Stores none.

    Raises ProviderError: PermanentError where billing is not connected.
    """
    begins, ends = since or clock.now() - FIRST_LOOK, time.monotonic() + SECONDS
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    found, cursor, is_whole = [], "", False
    try:
        while not is_whole and time.monotonic() < ends:
            rows, cursor = stripe_lists.page(
                _stripe(), "events", cursor, exchanges, since=begins, until=clock.now() - IN_THE_AIR, is_ordered=True
            )
            found += rows
            is_whole = not cursor
    except ProviderError as error:
        errors.append(error)
        raise
    finally:
        _noted(exchanges, errors)
    missing = tuple(reversed(_unknown(found)))
    return MissedEvents(SOURCE, begins, len(found), missing, is_whole, len(missing))


def store(missed: MissedEvents) -> int:
    """Store what is missing as if it had been delivered; how many were new. TransientError where one could not be."""
    outcomes = inbox.store_each([_delivery(one.document) for one in missed.missing]) if missed.missing else []
    broken = next((one for one in outcomes if isinstance(one, Exception)), None)
    if broken is not None:
        raise TransientError("an event could not be stored", provider=SOURCE, code="store") from broken
    return sum(1 for one in outcomes if isinstance(one, inbox.Stored) and one.new)


def fetch(event_id: str) -> bool:
    """Read one event and store it; whether it was new. Raises ProviderError: 404 where it is not there any more."""
    if not _EVENT.fullmatch(event_id):
        raise PermanentError("is no event of billing", provider=SOURCE, code="bad_id", never_sent=True)
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    try:
        document = _stripe().get(f"/v1/events/{event_id}", exchanges)
    except ProviderError as error:
        errors.append(error)
        raise
    finally:
        _noted(exchanges, errors)
    if document is None:
        raise PermanentError("the event is not listed any more", provider=SOURCE, status=404, code="gone")
    at = datetime.fromtimestamp(int(document.get("created") or 0), UTC)
    return bool(store(MissedEvents(SOURCE, at, 1, (MissedEvent(event_id, at, document),), is_whole=True, unheard=1)))


def _stripe() -> Stripe:
    if SOURCE not in settings.MESHLINE_PROVIDERS:
        raise PermanentError("is not connected", provider=SOURCE, code="not_connected", never_sent=True)
    adapter = providers.get(SOURCE)
    assert isinstance(adapter, Stripe)
    return adapter


def _unknown(rows: Sequence[dict[str, Any]]) -> list[MissedEvent]:
    """Those of a kind that something reads and that no delivery brought."""
    read = [one for one in rows if base.kind_of(SOURCE, str(one.get("type"))) not in ("unknown", "informational")]
    ids = [str(one["id"]) for one in read]
    known = {row[0] for row in sets.run(KNOWN, {"source": SOURCE, "ids": ids})}
    return [
        MissedEvent(str(one["id"]), datetime.fromtimestamp(int(one["created"]), UTC), one)
        for one in read if str(one["id"]) not in known
    ]  # fmt: skip


def _delivery(document: dict[str, Any]) -> Delivery:
    """The event in the shape in which a webhook would have brought it."""
    raw = compact_json(document).encode()
    envelope = providers.get(SOURCE).envelope(document, {}, raw, frozenset())
    return receive.named(SOURCE, envelope, {}, raw=raw, now=clock.now())


def _noted(exchanges: Sequence[Exchange], errors: Sequence[ProviderError]) -> None:
    attempts.store_reads(exchanges)
    health.note_calls(list(exchanges), list(errors))

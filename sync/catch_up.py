"""Asking for changes that nobody told us of: a webhook that was banned, lost or deleted is made good for.

The CRM loses the events of half an hour after ten failed deliveries and sends nothing again. So its lists of changed
deals are read from a little before the latest change seen; what no event tells of is stored as one, in the shape of a
webhook, under an id that follows from the deal and its time. A webhook that comes after all is then one hint more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings

from ledger import clock, sets
from sync import attempts, health, inbox, providers, receive, strictjson
from sync.connections import watch
from sync.crmtypes import DealChange
from sync.errors import PermanentError, ProviderError, TransientError
from sync.inbox import Delivery
from sync.models import PollMark
from sync.providers import pipedrive_events
from sync.providers.base import compact_json
from sync.providers.pipedrive import Pipedrive
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

SOURCES = ("pipedrive",)
OVERLAP = timedelta(minutes=5)
FIRST_LOOK = timedelta(days=1)
SECONDS = 60.0  # one poll; the next goes on where this one ended
PAGES = 40
STORED_AT_ONCE = 200
LISTS = ("", "archived", "deleted")
IN_THE_AIR = timedelta(minutes=2)  # a delivery may still come, and be tried again
ALREADY_TOLD = """
select object_id, max(occurred_at) filter (where origin_key = ''), max(occurred_at) from ledger_event
 where source = %(source)b and account = %(account)b and object_id = any(%(ids)b::text[]) and kind like 'deal.%%'
   and occurred_at is not null
 group by object_id
"""
ADVANCE = """
insert into sync_pollmark (provider, seen_until, polled_at) values (%(provider)b, %(until)b::timestamptz, %(now)b)
on conflict (provider) do update
   set seen_until = greatest(sync_pollmark.seen_until, excluded.seen_until), polled_at = excluded.polled_at
"""


@dataclass(frozen=True, slots=True)
class Missed:
    """What a poll found: `missing` are the changes that no event of others tells of, oldest first.

    `unheard` counts those that no delivery told of at all, not even the echo of a write of ours: the webhook is ill.
    """

    provider: str
    account: str
    since: datetime
    seen: int
    missing: tuple[DealChange, ...]
    until: datetime | None  # up to here everything was seen; None: nothing changed
    is_whole: bool  # whether all lists were read to their end
    unheard: int = 0


def is_connected(provider: str) -> bool:
    """Whether this installation uses a system that can be asked."""
    return provider in SOURCES and provider in settings.MESHLINE_PROVIDERS


def run() -> str:
    """Ask every connected system and store what is missing; says in words what came of it. Scheduled."""
    connected = [name for name in SOURCES if is_connected(name)]
    return "; ".join(_run(name) for name in connected) or "nothing is connected that can be asked"


def _run(provider: str) -> str:
    if health.wait_until([provider], clock.now()) is not None:
        return f"{provider} is paused"
    try:
        missed = plan(provider)
    except ProviderError as error:
        log.warning("poll_failed", provider=provider, error=type(error).__name__, code=error.code)
        return f"{provider} did not answer: {type(error).__name__}"
    return f"{provider}: {missed.seen} changed, {store(missed)} were missing"


def plan(provider: str, since: datetime | None = None) -> Missed:
    """Read what changed since then, by default since the last poll, and find what no event tells of. Stores no event.

    Raises ProviderError: PermanentError where the system is not connected.
    """
    if not is_connected(provider):
        raise PermanentError("is not connected", provider=provider, code="not_connected", never_sent=True)
    adapter = providers.get(provider)
    assert isinstance(adapter, Pipedrive)
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    try:
        missed = _read(adapter, since or _last(provider), exchanges)
        watch.note_poll(
            provider, since=missed.since, changed=missed.seen, missing=missed.unheard, is_whole=missed.is_whole
        )
        return missed
    except ProviderError as error:
        errors.append(error)
        raise
    finally:
        attempts.store_reads(exchanges)
        health.note_calls(exchanges, errors)


def store(missed: Missed) -> int:
    """Store the missing changes as events and remember how far was seen; returns how many were new.

    TransientError if one could not be stored; the mark then stays, and the next poll finds it again.
    """
    new = 0
    for first in range(0, len(missed.missing), STORED_AT_ONCE):
        chosen = missed.missing[first : first + STORED_AT_ONCE]
        outcomes = inbox.store_each([delivery(missed.provider, missed.account, change) for change in chosen])
        broken = next((one for one in outcomes if isinstance(one, Exception)), None)
        if broken is not None:
            raise TransientError("a change could not be stored", provider=missed.provider, code="store") from broken
        new += sum(1 for one in outcomes if isinstance(one, inbox.Stored) and one.new)
    if missed.until is not None:
        sets.run(ADVANCE, {"provider": missed.provider, "until": missed.until, "now": clock.now()})
    log.info("polled", provider=missed.provider, seen=missed.seen, missing=len(missed.missing), stored=new)
    return new


def delivery(provider: str, account: str, change: DealChange) -> Delivery:
    """A change in the shape in which a webhook would have brought it."""
    raw = compact_json(pipedrive_events.polled(change, account)).encode()
    envelope = providers.get(provider).envelope(strictjson.loads_object(raw).document, {}, raw, frozenset())
    return receive.named(provider, envelope, {}, raw=raw, now=clock.now())


def _last(provider: str) -> datetime:
    """A little before the latest change that a poll saw: what webhooks told of meanwhile says nothing of the rest."""
    mark = PollMark.objects.filter(provider=provider).first()
    return mark.seen_until - OVERLAP if mark else clock.now() - FIRST_LOOK


def _read(adapter: Pipedrive, since: datetime, exchanges: list[Exchange]) -> Missed:
    account = adapter.me(exchanges).company_id
    ends = time.monotonic() + SECONDS
    changes: dict[tuple[str, datetime], DealChange] = {}
    short: list[datetime] = []
    for among in LISTS:
        found, is_whole = _pages(adapter, since, among, ends, exchanges)
        changes |= {(one.id, one.updated_at): one for one in found}
        if not is_whole:
            short.append(found[-1].updated_at if found else since)
    until = min(short) if short else max((at for _, at in changes), default=None)
    ordered = sorted(changes.values(), key=lambda one: (one.updated_at, int(one.id)))
    missing, unheard = _untold(adapter.name, account, ordered)
    return Missed(adapter.name, account, since, len(changes), missing, until, not short, unheard)


def _pages(
    adapter: Pipedrive, since: datetime, among: str, ends: float, exchanges: list[Exchange]
) -> tuple[list[DealChange], bool]:
    """The pages of one list, and whether the last was reached in time."""
    found: list[DealChange] = []
    cursor = ""
    for _ in range(PAGES):
        if time.monotonic() > ends:
            return found, False
        page, cursor = adapter.deals_changed(since, among=among, cursor=cursor, exchanges=exchanges)
        found += page
        if not cursor:
            return found, True
    return found, False


def _untold(provider: str, account: str, changes: Sequence[DealChange]) -> tuple[tuple[DealChange, ...], int]:
    """Those that no event tells of, and how many of them no delivery told of that should have come by now.

    Our own echoes do not count for the first: a change of somebody else may hide behind them.
    """
    if not changes:
        return (), 0
    asked = {"source": provider, "account": account, "ids": sorted({one.id for one in changes})}
    told = {row[0]: row[1:] for row in sets.run(ALREADY_TOLD, asked)}
    missing = tuple(one for one in changes if _is_before(told.get(one.id, (None, None))[0], one.updated_at))
    young = clock.now() - IN_THE_AIR
    unheard = [
        one for one in missing
        if one.updated_at < young and _is_before(told.get(one.id, (None, None))[1], one.updated_at)
    ]  # fmt: skip
    return missing, len(unheard)


def _is_before(told_at: datetime | None, changed_at: datetime) -> bool:
    return told_at is None or told_at < changed_at

"""The inbox: deliveries are stored once for ever, many in one statement, and the doorbell rings in it."""

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from django.db import DataError, Error, InterfaceError, OperationalError, connection, transaction

from gates import items
from ledger import clock, identity, sets, wake
from sync.errors import BadBody
from sync.wiretypes import Envelope

log = structlog.get_logger(__name__)

Key = tuple[str, str, str]
LATE_ENQUEUE = timedelta(seconds=2)
RACE_TRIES = 3
RECONNECT_WITHIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified delivery, ready to be stored."""

    source: str
    envelope: Envelope
    headers: Mapping[str, str]
    raw: bytes
    received_at: datetime
    late: bool = False
    sha: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", self.envelope.digest or hashlib.sha256(self.raw).digest())

    @property
    def key(self) -> Key:
        """What makes an event one event, for ever."""
        return self.source, self.envelope.account, self.envelope.provider_event_id


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a delivery: the event it tells of, whether it was new, whether it says something else."""

    event_id: int
    new: bool
    conflicting: bool


GIVEN = {
    "source": "text", "account": "text", "provider_event_id": "text", "type": "text", "kind": "text",
    "object_id": "text", "api_version": "text", "livemode": "bool", "origin_key": "text",
    "occurred_at": "timestamptz", "received_at": "timestamptz", "lane": "text", "state": "text", "verdict": "text",
    "late": "bool", "deliveries": "int", "sha": "bytea", "headers": "text", "raw": "bytea",
}  # fmt: skip
COPIED = ", ".join(name for name in GIVEN if name not in ("sha", "headers", "raw"))
ARRAYS = ", ".join(f"%({name})b::{kind}[]" for name, kind in GIVEN.items())
SAME = "(e.source, e.account, e.provider_event_id) = (g.source, g.account, g.provider_event_id)"
# Rows are inserted and locked in the order given, which is the order of their keys: two groups that hold the same
# events wait for each other and never deadlock.
STORE = f"""
with given as materialized (
  select * from unnest({ARRAYS}) with ordinality as g({", ".join(GIVEN)}, n)),
added as (
  insert into ledger_event ({COPIED}, body_sha, enqueued_at, available_at, correlation_id, state_version, attempts,
                            crashes, last_error)
  select {COPIED}, sha, %(now)b, %(now)b, gen_random_uuid(), 0, 0, 0, '' from given order by n
  on conflict (source, account, provider_event_id) do nothing
  returning id, source, account, provider_event_id),
new as (select e.id, g.n, g.received_at, g.sha, g.headers, g.raw from added e join given g on {SAME}),
bodies as (
  insert into ledger_eventbody (event_id, received_at, sha, headers, raw)
  select id, received_at, sha, headers::jsonb, raw from new),
known as (
  select e.id, g.n, g.deliveries from given g join ledger_event e on {SAME}
  where g.n not in (select n from new) order by g.n for update of e),
counted as (
  update ledger_event e set deliveries = e.deliveries + k.deliveries from known k where e.id = k.id
  returning e.id, k.n, e.body_sha)
select n, id, null::bytea, (select pg_notify('{wake.CHANNEL}', '') from new limit 1) is null from new
union all select n, id, body_sha, null from counted
"""
KEEP_OTHER_BODY = """
insert into ledger_eventbody (event_id, received_at, sha, headers, raw)
select v.event_id, v.received_at, v.sha, v.headers::jsonb, v.raw
from unnest(%(event_id)b::bigint[], %(received_at)b::timestamptz[], %(sha)b::bytea[], %(headers)b::text[],
            %(raw)b::bytea[]) as v(event_id, received_at, sha, headers, raw)
where not exists (select from ledger_eventbody b where b.event_id = v.event_id and b.sha = v.sha)
returning event_id
"""


def store(deliveries: Sequence[Delivery]) -> list[Stored]:
    """Commit deliveries, in one statement, and say of each what became of it. Database errors come through."""
    if any(delivery.envelope.park for delivery in deliveries):
        with transaction.atomic():
            return _store(deliveries)
    return _store(deliveries)


def store_or_reconnect(deliveries: Sequence[Delivery]) -> list[Stored]:
    """As `store`, with a second try on a fresh connection: the idle one may have outlived its server.

    Storing twice is harmless: what the first try did commit is then a duplicate.
    """
    began = time.monotonic()
    try:
        return store(deliveries)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        if time.monotonic() - began > RECONNECT_WITHIN_SECONDS:
            raise
        return store(deliveries)


def store_each(deliveries: Sequence[Delivery]) -> list[Stored | Exception]:
    """Store a group; if it cannot be stored as one, one by one, so that one delivery does not spoil the others."""
    try:
        return list(store_or_reconnect(deliveries))
    except (OperationalError, InterfaceError) as error:
        return [error] * len(deliveries)
    except Error as error:
        if len(deliveries) == 1:
            return [_refusable(error)]
        return [outcome for delivery in deliveries for outcome in store_each([delivery])]


def _refusable(error: Exception) -> Exception:
    """A value that no column holds will not come right by sending it again."""
    return BadBody(400, "cannot be kept") if isinstance(error, DataError) else error


def _store(deliveries: Sequence[Delivery]) -> list[Stored]:
    groups: dict[Key, list[Delivery]] = {}
    for delivery in deliveries:
        groups.setdefault(delivery.key, []).append(delivery)
    known: dict[Key, tuple[int, bytes | None]] = {}
    for _ in range(RACE_TRIES):
        # Somebody else may insert between our snapshot and our insert: then neither branch sees the row yet.
        known |= _run({key: groups[key] for key in sorted(groups) if key not in known})
        if len(known) == len(groups):
            break
    else:
        raise OperationalError("rows that cannot be inserted cannot be seen either")
    _follow_up(groups, known)
    counted = set[Key]()
    stored = []
    for delivery in deliveries:
        event_id, sha = known[delivery.key]
        first = groups[delivery.key][0]
        is_new = sha is None and delivery.key not in counted
        counted.add(delivery.key)
        stored.append(Stored(event_id, new=is_new, conflicting=delivery.sha != (sha or first.sha)))
    return stored


def _run(groups: Mapping[Key, list[Delivery]]) -> dict[Key, tuple[int, bytes | None]]:
    """Run the one statement: for each key the event's id and, if it was known, the digest of its first body."""
    now = clock.now()
    columns: dict[str, list[Any]] = {name: [] for name in GIVEN}
    appends = [column.append for column in columns.values()]
    for same in groups.values():
        for append, value in zip(appends, _row(same[0], len(same)), strict=True):
            append(value)
    keys = list(groups)
    rows = sets.run(STORE, {**columns, "now": now})
    oldest = min(columns["received_at"])
    if now - oldest > LATE_ENQUEUE:
        log.warning("enqueued_late", events=len(keys), seconds=round((now - oldest).total_seconds(), 1))
    return {keys[n - 1]: (event_id, sha) for n, event_id, sha, _ in rows}


def _row(delivery: Delivery, deliveries: int) -> tuple[Any, ...]:
    """The values of one event, in the order of GIVEN."""
    envelope = delivery.envelope
    state, verdict = ("parked", f"parked: {envelope.park}") if envelope.park else ("received", "")
    return (
        delivery.source, envelope.account, envelope.provider_event_id, envelope.type, envelope.kind,
        envelope.object_id, envelope.api_version, envelope.livemode, envelope.origin_key, envelope.occurred_at,
        delivery.received_at, identity.lane_of(f"{delivery.source}:{envelope.account}:{envelope.lane_key}"),
        state, verdict[:300], delivery.late, deliveries, delivery.sha, _json_of(tuple(delivery.headers.items())),
        delivery.raw,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _json_of(headers: tuple[tuple[str, str], ...]) -> str:
    """A provider's harmless headers are nearly always the same."""
    return sets.to_json(dict(headers))


def _follow_up(groups: Mapping[Key, list[Delivery]], known: Mapping[Key, tuple[int, bytes | None]]) -> None:
    """What only a few deliveries need: a person for those nobody else can read, and second bodies kept."""
    parked, others = [], dict[tuple[int, bytes], Delivery]()
    for key, same in groups.items():
        event_id, sha = known[key]
        if sha is None and same[0].envelope.park:
            parked.append((event_id, same[0]))
        first_sha = sha or same[0].sha
        others |= {(event_id, other.sha): other for other in same if other.sha != first_sha}
    if parked:
        items.open_items([_unreadable_item(event_id, delivery) for event_id, delivery in parked])
    if others:
        with transaction.atomic():
            _keep_other_bodies(others)


def _keep_other_bodies(others: Mapping[tuple[int, bytes], Delivery]) -> None:
    """Keep what the same event id said the second time, and open an exception, once for each body."""
    event_ids = sorted({event_id for event_id, _ in others})
    sets.run("select from ledger_event where id = any(%(ids)b::bigint[]) order by id for update", {"ids": event_ids})
    rows = sets.run(
        KEEP_OTHER_BODY,
        {
            "event_id": [event_id for event_id, _ in others],
            "received_at": [other.received_at for other in others.values()],
            "sha": [sha for _, sha in others],
            "headers": [sets.to_json(other.headers) for other in others.values()],
            "raw": [other.raw for other in others.values()],
        },
    )
    sources = {event_id: other.source for (event_id, _), other in others.items()}
    items.open_items([_contradiction_item(event_id, sources[event_id]) for event_id in _once(rows)])
    log.warning("event_id_with_other_body", events=event_ids)


def _once(rows: Iterable[tuple[int]]) -> list[int]:
    return sorted({event_id for (event_id,) in rows})


def _unreadable_item(event_id: int, delivery: Delivery) -> dict[str, Any]:
    sentence = f"{delivery.source} sent an event that only a person may read ({delivery.envelope.park})"
    return items.for_event(event_id, "event.unreadable", sentence, "hard_to_read")


def _contradiction_item(event_id: int, source: str) -> dict[str, Any]:
    sentence = f"{source} sent event {event_id} again with another body; the first one counts"
    return items.for_event(event_id, "event.contradiction", sentence, "other_body")

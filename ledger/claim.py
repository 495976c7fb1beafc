"""Claim, renew, finish, release, sweep: the set-based SQL of the durable queues, one function a statement.

Two tables are queues: Event (the inbox) and Action (the outbox). A *lane head* is the oldest open row of its lane;
only ready heads are claimed, together with the ready rows that follow them directly. The walk visits each open lane
once by index, so its cost is the lanes visited and not the backlog.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ledger import sets

CRASHES_BEFORE_SOLO = 3
CRASHES_BEFORE_PARK = 5
ATTEMPTS_BEFORE_PARK = 12


@dataclass(frozen=True, slots=True)
class Queue:
    """How a table is a queue: which rows are open in their lane, which of those are ready, what a claim sets."""

    table: str
    open: str
    ready: str
    claimed: str
    returning: str


EVENTS = Queue(
    table="ledger_event",
    open="state in ('received', 'waiting', 'processing')",
    # Written so that no partial index can serve it: with old statistics the planner would walk the whole backlog of
    # ready rows instead of going to each lane's head by its id.
    ready="{x}.state || '' in ('received', 'waiting')",
    claimed="state = 'processing', state_version = i.state_version + 1, attempts = i.attempts + 1",
    returning="""i.id, i.source, i.account, i.provider_event_id, i.type, i.kind, i.object_id, i.api_version,
        i.origin_key, i.occurred_at, i.received_at, i.lane, i.late, i.correlation_id, i.attempts, i.crashes,
        i.customer_id, i.verdict""",
)
# A row that is being sent, looked up or judged has a lease; an expired lease is the sweep's business.
ACTIONS = Queue(
    table="ledger_action",
    open="in_lane",
    ready="{x}.lease_until is null",
    claimed="updated_at = i.updated_at",
    returning="i.id",
)


def claim(queue: Queue, *, token: int, lanes: int, run: int, lease: int, cursor: str, solo: bool = False) -> list[Any]:
    """Lease ready rows: up to `lanes` lanes from `cursor` on, at most `run` rows of each. Needs autocommit.

    Rows that were in flight in three or more crashes are left out, unless `solo` asks for just those.
    """
    ready = queue.ready + " and {x}.available_at <= now() and {x}.crashes " + (">= " if solo else "< ") + "%(solo)s"
    sql = f"""
    with recursive walk as (
      (select lane, id, 1 as n, ({ready.format(x="o")}) as ready from {queue.table} o
        where o.{queue.open} and lane >= %(cursor)s order by lane, id limit 1)
      union all
      select x.lane, x.id, w.n + 1, x.ready from walk w
      cross join lateral (select lane, id, ({ready.format(x="o")}) as ready from {queue.table} o
                           where o.{queue.open} and o.lane > w.lane order by o.lane, o.id limit 1) x
      where w.n < %(max_walk)s),
    heads as (
      select h.id, h.lane from walk w cross join lateral (
        select i.id, i.lane from {queue.table} i where i.id = w.id and {ready.format(x="i")}
        limit 1 for update of i skip locked) h
      where w.ready limit %(lanes)s),
    picked as (
      select r.id from heads h cross join lateral (
        select q.id from (
          select z.id, bool_and(z.ok) over (order by z.id) as ok
          from (select o.id, ({ready.format(x="o")}) as ok from {queue.table} o
                 where o.lane = h.lane and o.{queue.open} and o.id >= h.id order by o.id limit %(run)s) z) q
        where q.ok) r)
    update {queue.table} i set {queue.claimed}, lease_token = %(token)s,
           lease_until = now() + make_interval(secs => %(lease)s)
    where i.id = any(array(select id from picked)) and {queue.ready.format(x="i")}
    returning {queue.returning}"""
    params = {
        "cursor": cursor, "max_walk": lanes * 4, "lanes": lanes, "run": run, "token": token, "lease": float(lease),
        "solo": CRASHES_BEFORE_SOLO,
    }  # fmt: skip
    return sorted(sets.run(sql, params), key=lambda row: row[0])


def bodies(events: Sequence[tuple[int, datetime]]) -> dict[int, bytes]:
    """The first body of each of these events (id, received_at); the times keep the search out of other months."""
    if not events:
        return {}
    rows = sets.run(
        """select distinct on (event_id) event_id, raw from ledger_eventbody
           where event_id = any(%(ids)b::bigint[]) and received_at >= %(since)b::timestamptz order by event_id, id""",
        {"ids": [event for event, _ in events], "since": min(at for _, at in events) - timedelta(seconds=1)},
    )
    return dict(rows)


def flip_due(limit: int = 500) -> int:
    """Put held actions whose time has come into their lanes, to be judged; returns how many."""
    return len(
        sets.run(
            """with due as (select id from ledger_action where state = 'held' and not in_lane and available_at <= now()
                            order by available_at limit %(limit)s for update skip locked)
               update ledger_action a set in_lane = true from due where a.id = due.id returning a.id""",
            {"limit": limit},
        )
    )


def renew(token: int, lease: int) -> None:
    """Prolong every lease of this token, in both queues."""
    for queue in (EVENTS, ACTIONS):
        sets.run(
            f"update {queue.table} set lease_until = now() + make_interval(secs => %(lease)s) "
            "where lease_token = %(token)s and lease_until is not null",
            {"token": token, "lease": float(lease)},
        )


def abandon(tokens: list[int]) -> None:
    """End the leases of workers that are known to be gone. What they may have in the air waits its full time."""
    for queue, safe in ((EVENTS, "true"), (ACTIONS, "state <> 'sending'")):
        sets.run(
            f"""update {queue.table} set lease_until = now() - interval '1 ms'
                where lease_token = any(%(tokens)b::bigint[]) and lease_until is not null and {safe}""",
            {"tokens": tokens},
        )


def let_go(action_id: Any, token: int) -> None:
    """End the lease of an action that its holder cannot book: a holder that lives would renew it for ever."""
    sets.run(
        """update ledger_action set lease_until = now() - interval '1 ms'
            where id = %(id)b and lease_token = %(token)b and lease_until is not null""",
        {"id": action_id, "token": token},
    )


def finish_events(done: list[dict[str, Any]], token: int) -> set[int]:
    """Settle events inside the caller's transaction; returns those that were still ours (the fence).

    Each dict: id, state (processed, ignored, parked), verdict, customer_id, late.
    """
    rows = sets.run(
        """update ledger_event e set state = v.state, state_version = e.state_version + 1, verdict = v.verdict,
                  customer_id = coalesce(v.customer_id, e.customer_id), late = v.late, done_at = now(),
                  lease_until = null, lease_token = null
           from unnest(%(id)b::bigint[], %(state)b::text[], %(verdict)b::text[], %(customer_id)b::bigint[],
                       %(late)b::bool[]) as v(id, state, verdict, customer_id, late)
           where e.id = v.id and e.state = 'processing' and e.lease_token = %(token)b returning e.id""",
        sets.columns_of(done, dict.fromkeys(("id", "state", "verdict", "customer_id", "late"), "any"))
        | {"token": token},
    )
    return {row[0] for row in rows}


def release_events(ids: list[int], token: int, *, error: str = "", wait: float = 0.0, tried: bool = False) -> None:
    """Give events back. Untried ones and those waiting for a provider get their attempt back."""
    state = "waiting" if wait and not tried else "received"
    sets.run(
        """update ledger_event set state = %(state)b, state_version = state_version + 1, lease_until = null,
                  lease_token = null, last_error = left(%(error)b::text, 500),
                  available_at = now() + make_interval(secs => %(wait)b::float8),
                  attempts = attempts - %(back)b::int
           where id = any(%(ids)b::bigint[]) and state = 'processing' and lease_token = %(token)b""",
        {"state": state, "error": error, "wait": wait, "back": 0 if tried else 1, "ids": ids, "token": token},
    )


def release_actions(ids: list[Any], token: int, *, wait: float = 0.0, error: str = "") -> None:
    """Give claimed actions back without a transition: untried, paced, or waiting for facts."""
    sets.run(
        """update ledger_action set lease_until = null, lease_token = null,
                  last_error = case when %(error)b::text = '' then last_error else left(%(error)b::text, 500) end,
                  available_at = now() + make_interval(secs => %(wait)b::float8)
           where id = any(%(ids)b::uuid[]) and lease_token = %(token)b""",
        {"ids": ids, "token": token, "wait": wait, "error": error},
    )


def ours(ids: list[Any], token: int) -> set[Any]:
    """Which of these actions this token still holds; locks them until the transaction ends (the fence)."""
    rows = sets.run(
        """select id from ledger_action where id = any(%(ids)b::uuid[]) and lease_token = %(token)b
            order by id for update""",
        {"ids": ids, "token": token},
    )
    return {row[0] for row in rows}


def sweep_events(limit: int = 500) -> list[int]:
    """Free events whose lease ran out; those that crashed too often are parked and returned for a person."""
    rows = sets.run(
        """with x as (select id from ledger_event where state = 'processing' and lease_until < now()
                      order by lease_until limit %(limit)s for update skip locked)
           update ledger_event i set
                  state = case when crashes >= %(most)s then 'parked' else 'received' end,
                  verdict = case when crashes >= %(most)s then 'parked: its worker died six times' else verdict end,
                  state_version = state_version + 1, crashes = crashes + 1, attempts = attempts - 1,
                  lease_token = null, lease_until = null, available_at = now(), last_error = 'lease expired'
           from x where i.id = x.id returning i.id, i.state""",
        {"limit": limit, "most": CRASHES_BEFORE_PARK},
    )
    return [row[0] for row in rows if row[1] == "parked"]


def expired_actions(limit: int = 500) -> list[tuple[Any, str, int]]:
    """Actions whose lease ran out, locked, as (id, state, crashes); the caller moves them in the same transaction."""
    return sets.run(
        """select id, state, crashes from ledger_action where lease_until < now()
           order by lease_until limit %(limit)s for update skip locked""",
        {"limit": limit},
    )


def free_expired(ids: list[Any]) -> None:
    """Take the lease off actions that were claimed but not yet sending."""
    sets.run(
        """update ledger_action set lease_until = null, lease_token = null, crashes = crashes + 1, available_at = now()
           where id = any(%(ids)b::uuid[])""",
        {"ids": ids},
    )


def waiting() -> tuple[float, int, int]:
    """Age in seconds of the oldest ready event, open events, actions in their lanes; cheap, by partial indexes."""
    row = sets.run(
        """select coalesce(extract(epoch from now() - (select min(available_at) from ledger_event
                    where state in ('received', 'waiting') and available_at <= now())), 0)::float8,
                  (select count(*) from ledger_event where state in ('received', 'waiting', 'processing')),
                  (select count(*) from ledger_action where in_lane)"""
    )[0]
    return float(row[0]), int(row[1]), int(row[2])

"""What must be true after a run, asked of the database and of the providers' own books."""

from collections import Counter
from typing import Any

import psycopg

from tests.simulators import Sandbox

QUIET = """
select (select count(*) from ledger_event where state in ('received', 'waiting', 'processing')),
       (select count(*) from ledger_action where in_lane or state in ('approved', 'sending', 'unknown', 'parked')
           or (state = 'held' and available_at < now() + interval '30 s'))"""

ORDER_OF_EVENTS = """
select count(*) from (select done_at < lag(done_at) over (partition by lane order by id) as early
                        from ledger_event where state in ('processed', 'ignored')) x where early"""
ORDER_OF_ROWS = """
select count(*) from (
  select state_version <= lag(state_version) over w as stale, prior_state <> lag(post_state) over w as broken
    from ledger_ledgerrow where subject_kind in ('action', 'contract') and outcome <> 'refused'
  window w as (partition by subject_kind, subject_id order by id)) x where stale or broken"""
LAST_ROWS = """
select count(*) from ledger_action a join lateral (
  select post_state, state_version from ledger_ledgerrow r where r.subject_kind = 'action' and r.action_id = a.id
   order by r.id desc limit 1) r on true
 where r.post_state <> a.state or r.state_version <> a.state_version"""
# Alerts go to two other systems; `tests.drills.alerts` compares those books.
STATES = "select id::text, state from ledger_action where kind not in ('alert', 'alert.message')"
PAUSES = """
select coalesce(max(extract(epoch from at - before)), 0)::float8 from (
  select at, lag(at) over (order by at) as before from (
    select done_at as at from ledger_event where done_at is not null
    union select recorded_at from ledger_ledgerrow union select to_timestamp(%s)) t
   where at between to_timestamp(%s) and to_timestamp(%s)) x"""


def quiet(session: psycopg.Connection) -> tuple[int, int]:
    """Open events and actions that will still move by themselves."""
    row = session.execute(QUIET).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def one(session: psycopg.Connection, sql: str, *params: Any) -> Any:
    """The only value of the only row."""
    row = session.execute(sql, params).fetchone()
    assert row is not None
    return row[0]


def judge(session: psycopg.Connection, sandbox: Sandbox, acknowledged: set[str]) -> dict[str, int]:
    """Every count here must be 0."""
    stored = {row[0] for row in session.execute("select provider_event_id from ledger_event where source = 'stripe'")}
    unsettled = one(session, "select count(*) from ledger_event where state not in ('processed', 'ignored')")
    writes = [write for name in ("netsuite", "zendesk") for write in books(sandbox, name)]
    effects = Counter(write["action"] for write in writes)
    states = dict(session.execute(STATES).fetchall())
    applied = {key for key, state in states.items() if state in ("applied", "compensated")}
    return {
        "events lost": len(acknowledged - stored),
        "events not settled": unsettled,
        "effects doubled": sum(1 for count in effects.values() if count > 1),
        "only in the books": len(set(effects) - applied),
        "only in the ledger": len(applied - set(effects)),
        "events out of order": one(session, ORDER_OF_EVENTS),
        "ledger rows out of order": one(session, ORDER_OF_ROWS),
        "actions not as their last row": one(session, LAST_ROWS),
    }


def books(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """Every write a provider took."""
    found: list[dict[str, Any]] = sandbox.get(f"/_books/{name}?only=writes")["writes"]
    return found


def figures(session: psycopg.Connection) -> dict[str, Any]:
    """What the run consisted of."""
    actions = session.execute("select state, count(*) from ledger_action group by 1 order by 1").fetchall()
    items = session.execute(
        "select coalesce(why, ''), count(*) from gates_reviewitem where state <> 'resolved' group by 1 order by 2 desc"
    ).fetchall()
    doubts = one(
        session, "select count(*) from ledger_ledgerrow where subject_kind = 'action' and post_state = 'unknown'"
    )
    return {
        "events": one(session, "select count(*) from ledger_event"),
        "deliveries": one(session, "select sum(deliveries) from ledger_event"),
        "ledger rows": one(session, "select count(*) from ledger_ledgerrow"),
        "provider calls": one(session, "select count(*) from sync_attempt"),
        "of them failed": one(session, "select count(*) from sync_attempt where error <> '' or status >= 400"),
        "actions": ", ".join(f"{state} {count}" for state, count in actions),
        "times in doubt": doubts,
        "leases that ran out": one(
            session, "select (select sum(crashes) from ledger_event) + (select sum(crashes) from ledger_action)"
        ),
        "waiting for a person": ", ".join(f"{why} {count}" for why, count in items) or "nobody",
    }


def longest_pause(session: psycopg.Connection, began: float, ended: float) -> float:
    """The longest time in which nothing was settled while events came."""
    return float(one(session, PAUSES, ended, began, ended))


def first_after(session: psycopg.Connection, moment: float) -> float:
    """How long after a moment the next event was settled."""
    found = one(
        session,
        "select min(extract(epoch from done_at))::float8 from ledger_event where done_at > to_timestamp(%s)",
        moment,
    )
    return float("inf") if found is None else float(found) - moment

"""Every single number of Home in one statement over partial indexes; what could grow without end is counted capped."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ledger import clock

MOST = 20_000  # nobody reads a number beyond that, and counting on would only cost time
LATEST_JOBS = 200

# Waiting items are read once. A second approval is looked for only where somebody has touched the item.
SQL = """
with q as materialized (
  select due_at, created_at, paused_at, touched_at, action_id from gates_reviewitem where state <> 'resolved'
   order by due_at, id limit %(most)s + 1),
w as (
  select count(*) n, min(created_at) oldest, count(*) filter (where due_at < %(now)s and paused_at is null) late,
         count(*) filter (where due_at < %(soon)s and paused_at is null) soon from q),
s as (
  select count(*) n, min(given_at) oldest from (
    select min(p.given_at) given_at from q join gates_approval p on p.action_id = q.action_id and p.voided_at is null
      join ledger_action a on a.id = q.action_id and a.state = 'in_review'
     where q.touched_at is not null group by q.action_id) once),
f as (select count(*) n from (select from ledger_action where state = 'failed' limit %(most)s + 1) m),
u as (
  select count(*) n, min(unknown_since) since
    from (select unknown_since from ledger_action where state = 'unknown' order by unknown_since
           limit %(most)s + 1) m),
e as (
  select count(*) n, min(received_at) oldest
    from (select received_at from ledger_event where state in ('received', 'waiting', 'processing')
           limit %(most)s + 1) o),
d as (select started_at, halt_ms from gates_gameday where state = 'passed' order by started_at desc limit 1),
c as (select ended_at, problem, rows from ledger_ledgercheck where ended_at is not null order by ended_at desc limit 1),
j as (select started_at, outcome, job from sync_jobrun order by id desc limit %(jobs)s)
select w.n waiting, w.oldest waiting_oldest, w.late, w.soon, s.n agreed, s.oldest agreed_oldest,
       f.n failed, u.n unknown, u.since unknown_since, e.n events, e.oldest events_oldest,
       (select count(*) from (select 1 from ledger_event where state = 'parked' limit 1001) p) unread,
       (select min(available_at) from ledger_event where state in ('received', 'waiting') and available_at <= %(now)s)
         ready_since,
       (select received_at from ledger_event order by id limit 1) first_event,
       (select started_at from d) drilled, (select halt_ms from d) halt_ms,
       (select count(*) from gates_audit where state = 'open' and due_at < %(now)s) reviews,
       (select min(due_at) from gates_audit where state = 'open' and due_at < %(now)s) reviews_oldest,
       (select max(seen_at) from sync_drainslot) worker_seen,
       (select count(*) from sync_drainslot where seen_at > %(alive)s) workers,
       (select max(started_at) from j) job_at,
       (select count(distinct job) from j where started_at > %(day)s and outcome like 'failed%%') jobs_failed,
       (select ended_at from c) checked_at, (select problem from c) check_problem, (select rows from c) check_rows,
       (select sealed_at from ledger_ledgerseal order by id desc limit 1) sealed_at,
       (select array_agg(g.name) from auth_user_groups m join auth_group g on g.id = m.group_id
         where m.user_id = %(person)s) teams,
       (select count(*) from gates_automation) automations,
       (select count(*) from gates_automation where owner_id is null) unowned,
       (select count(*) from gates_automation where state not in ('shadow', 'paused')) trusted,
       (select count(*) from gates_automation where state = 'shadow') observing,
       exists (select from ledger_action) acted,
       exists (select from sync_mappingversion where state = 'active' and activated_by_id is not null) mapped,
       (select array_agg(provider) from sync_providerstate where last_success_at is not null) answered,
       (select array_agg(provider) from sync_connectioncheck where ok) checked
  from w, s, f, u, e"""


class Numbers(dict[str, Any]):
    """What the statement said, by name. Counts of live rows stop at `MOST` + 1."""

    def shown(self, name: str) -> str:
        """A count for people."""
        return capped(self[name])

    def age(self, name: str) -> timedelta | None:
        """How long ago a moment was; None for none."""
        at: datetime | None = self[name]
        return clock.now() - at if at is not None else None


def read(person: Any) -> Numbers:
    """All of them, for this person. One statement."""
    now, hour = clock.now(), timedelta(hours=1)
    given = {
        "now": now, "soon": now + hour, "alive": now - timedelta(minutes=1), "day": now - 24 * hour,
        "most": MOST, "jobs": LATEST_JOBS, "person": person.pk,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(SQL, given)
        names = [one[0] for one in cursor.description or ()]
        return Numbers(zip(names, cursor.fetchone() or (), strict=True))


def rows(sql: str, given: Mapping[str, Any] | Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """One statement that is counted like any other of the page."""
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def capped(number: int) -> str:
    """A count that may have stopped at its cap."""
    return f"{MOST:,}+" if number > MOST else f"{number:,}"

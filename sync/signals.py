"""The five signals of onboarding, and the report of the days they are made of. Read from rows; nothing is stored.

What it costs: ids of actions are ordered by time, so a window is one range of the primary key, and what is older is
never touched; links and first events are looked up by index for the rows of that range. Review items are walked back
from the newest. Each of the five queries is given `MOST_MS`, and a signal that is not there in time is None. With
300,000 actions and as many review items a week takes 0.4 s in all, a month 1.2 s.
"""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction

from ledger import clock

NAMES = (
    "time_between_signed_and_customer_created", "duplicate_customer_count", "reconciliation_failure_rate",
    "time_to_first_invoice", "human_queue_backlog",
)  # fmt: skip
ABOUT = {
    "time_between_signed_and_customer_created": "Seconds from a deal being signed to its customer confirmed in the ERP",
    "duplicate_customer_count": "Customers that are in the ERP more than once",
    "reconciliation_failure_rate": "Share of compared records that differ, latest run of each check",
    "time_to_first_invoice": "Seconds from a deal being signed to its first invoice confirmed in the ERP",
    "human_queue_backlog": "Review items that nobody has resolved",
}
DAYS, MOST_DAYS = 7, 92
MOST_MS = 3000
FRESH_SECONDS = 15.0

# What was planned in the window, with the moment the CRM says the deal was signed: that of the event that began it,
# of all actions of one correlation the same. A deal whose customer was made by an earlier action counts from there.
PLANNED = """
with planned as materialized (
  select a.id, a.kind, a.state, a.applied_at, a.customer_id, a.confirmation,
         coalesce(e.occurred_at, a.created_at) as signed_at
    from ledger_action a
    left join lateral (select f.event_id from ledger_action f where f.contract_id = a.contract_id
                        and f.kind = 'customer.create' and f.event_id is not null order by f.id limit 1) first on true
    left join ledger_event e on e.id = coalesce(first.event_id, a.event_id)
   where a.id >= %(first)s and a.kind in ('customer.create', 'invoice.create')),
done as (
  select *, greatest(0, extract(epoch from applied_at - signed_at))::float8 as seconds,
         (signed_at at time zone 'utc')::date as day from planned)
"""
TIMES = (
    PLANNED
    + """
select day, kind, count(*) filter (where state = 'applied'),
       count(*) filter (where state not in ('superseded', 'observed')),
       percentile_cont(array[0.5, 0.95]) within group (order by seconds) filter (where state = 'applied')
  from done group by grouping sets ((kind), (day, kind)) order by day nulls first, kind"""
)
# Two records under one client: two confirmed writes that name different records, or two linked customers.
DUPLICATES = (
    PLANNED
    + """
select count(*) from (
  select customer_id from planned where kind = 'customer.create' and state = 'applied' group by customer_id
  having count(distinct confirmation ->> 'id') > 1
  union
  select p.customer_id from (select distinct customer_id from planned) p
    join ledger_externalid x on x.customer_id = p.customer_id and x.system = 'netsuite' and x.kind = 'customer'
   group by p.customer_id having count(*) > 1) twice"""
)
RUNS = """
select distinct on (check_name) check_name, compared, differing, counts
  from sync_reconcilerun where finished_at >= %(since)s and outcome not in ('failed', 'partial')
 order by check_name, id desc"""
BACKLOG = """
select count(*), coalesce(extract(epoch from now() - min(created_at)), 0)::float8,
       count(*) filter (where due_at < now()), count(*) filter (where automation = 'onboarding')
  from gates_reviewitem where state <> 'resolved'"""
OPENED = """
select (i.created_at at time zone 'utc')::date, count(*), count(*) filter (where i.state = 'resolved')
  from gates_reviewitem i
 where i.id > coalesce((select id from gates_reviewitem where created_at < %(since)s order by id desc limit 1), 0)
   and i.automation = 'onboarding' group by 1"""


@dataclass(frozen=True, slots=True)
class Times:
    """So many confirmed of so many planned, and how long half and 95 in 100 of the confirmed ones took, in seconds."""

    done: int = 0
    planned: int = 0
    p50: float | None = None
    p95: float | None = None

    @property
    def share(self) -> float | None:
        """Confirmed ones of those planned; None where nothing was."""
        return self.done / self.planned if self.planned else None


@dataclass(slots=True)
class Day:
    """One day (UTC) by the time the deals were signed; `opened` and `resolved` are review items by their own time."""

    day: str
    customers: Times = field(default_factory=Times)
    invoices: Times = field(default_factory=Times)
    opened: int = 0
    resolved: int = 0


@dataclass(slots=True)
class Signals:
    """Everything of one window. None: could not be read in time, or nothing is there to make it of."""

    at: datetime
    since: datetime
    customers: Times | None = None
    invoices: Times | None = None
    duplicates: int | None = None
    compared: int = 0
    differing: int = 0
    open: int | None = None
    oldest_seconds: float = 0.0
    late: int = 0
    onboarding: int = 0
    days: list[Day] = field(default_factory=list)

    @property
    def failure_rate(self) -> float | None:
        """Records that differ of those compared."""
        return self.differing / self.compared if self.compared else None

    def as_json(self) -> dict[str, Any]:
        """The five by their names, and the days."""
        return {
            "at": self.at.isoformat(), "since": self.since.isoformat(),
            NAMES[0]: _times(self.customers), NAMES[1]: self.duplicates, NAMES[2]: self.failure_rate,
            NAMES[3]: _times(self.invoices),
            NAMES[4]: None if self.open is None else {
                "open": self.open, "late": self.late, "onboarding": self.onboarding,
                "oldest_seconds": round(self.oldest_seconds, 1),
            },
            "invoice_success_rate": self.invoices.share if self.invoices else None,
            "days": [
                {"day": one.day, "customer": _times(one.customers), "invoice": _times(one.invoices),
                 "queue_opened": one.opened, "queue_resolved": one.resolved}
                for one in self.days
            ],
        }  # fmt: skip

    def metrics(self) -> str:
        """The five in Prometheus' text form."""
        lines: list[str] = []
        for name, times in ((NAMES[0], self.customers), (NAMES[3], self.invoices)):
            found = times or Times()
            pairs = (("0.5", found.p50), ("0.95", found.p95))
            rows = [f'{name}{{quantile="{share}"}} {value:.3f}' for share, value in pairs if value is not None]
            lines += _metric(name, "summary", [*rows, f"{name}_count {found.done}"] if times else [])
        lines += _metric(NAMES[1], "gauge", _value(NAMES[1], self.duplicates))
        lines += _metric(NAMES[2], "gauge", _value(NAMES[2], self.failure_rate))
        lines += _metric(NAMES[4], "gauge", _value(NAMES[4], self.open))
        return "\n".join(lines) + "\n"

    def sentence(self) -> str:
        """The week in one line, for the list of job runs."""
        customers, invoices = self.customers or Times(), self.invoices or Times()
        rate = "no comparison" if self.failure_rate is None else f"{self.failure_rate:.1%} differ"
        return (
            f"{customers.done} customers, p50 {seconds(customers.p50)}, p95 {seconds(customers.p95)}; "
            f"{invoices.done} of {invoices.planned} invoices, p95 {seconds(invoices.p95)}; "
            f"{self.duplicates} duplicates; {rate}; {self.open} items wait"
        )


_kept: dict[int, tuple[float, Signals]] = {}


def read(days: int = DAYS, *, now: datetime | None = None) -> Signals:
    """The signals of the last so many days (1 to 92), read now; what cannot be read in time stays None."""
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"days must be 1 to {MOST_DAYS}")
    at = now or clock.now()
    found = Signals(at, at - timedelta(days=days))
    params = {"first": first_id(found.since), "since": found.since}
    rows = asked(TIMES, params)
    by_day = {f"{(at - timedelta(days=back)).date()}": None for back in range(days, -1, -1)}
    days_of = {name: Day(name) for name in by_day}
    if rows is not None:
        found.customers = found.invoices = Times()
    for day, kind, done, planned, cuts in rows or ():
        times = Times(done, planned, *(cuts or (None, None)))
        word = "customers" if kind == "customer.create" else "invoices"
        setattr(found if day is None else days_of.setdefault(str(day), Day(str(day))), word, times)
    for day, opened, resolved in asked(OPENED, params) or ():
        one = days_of.setdefault(str(day), Day(str(day)))
        one.opened, one.resolved = opened, resolved
    found.days = [days_of[name] for name in sorted(days_of)]
    _read_rest(found, params)
    return found


def _read_rest(found: Signals, params: Mapping[str, Any]) -> None:
    twice = asked(DUPLICATES, params)
    found.duplicates = twice[0][0] if twice else None
    for _, compared, differing, counts in asked(RUNS, params) or ():
        found.compared += compared
        found.differing += differing
        if found.duplicates is not None:
            found.duplicates = max(found.duplicates, int(_plain(counts).get("duplicate", 0)))
    waiting = asked(BACKLOG, params)
    if waiting:
        found.open, found.oldest_seconds, found.late, found.onboarding = waiting[0]


def latest(days: int = DAYS) -> Signals:
    """The same, at most a quarter of a minute old: several collectors ask at once and every few seconds."""
    kept = _kept.get(days)
    if kept is None or time.monotonic() - kept[0] > FRESH_SECONDS:
        kept = (time.monotonic(), read(days))
        _kept[days] = kept
    return kept[1]


def weekly() -> str:
    """The week in one sentence; the schedule keeps it with the job's run."""
    return read(DAYS).sentence()


def first_id(at: datetime) -> uuid.UUID:
    """The smallest id an action made at a time can have."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def seconds(value: float | None) -> str:
    """A time for people."""
    if value is None:
        return "-"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"


def asked(query: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]] | None:
    """The rows, or None where they did not come in time or the table is not there (an older database)."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"set local statement_timeout = {MOST_MS}")
            cursor.execute(query, params)
            return list(cursor.fetchall())
    except OperationalError:
        return None
    except DatabaseError as error:
        if "sync_reconcilerun" in str(error):
            return None
        raise


def _plain(value: Any) -> Mapping[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, Mapping) else {}


def _times(times: Times | None) -> dict[str, Any] | None:
    if times is None:
        return None
    return {"count": times.done, "planned": times.planned, "p50_seconds": times.p50, "p95_seconds": times.p95}


def _metric(name: str, kind: str, rows: list[str]) -> list[str]:
    return [f"# HELP {name} {ABOUT[name]}, {DAYS} days.", f"# TYPE {name} {kind}", *rows] if rows else []


def _value(name: str, value: float | None) -> list[str]:
    return [] if value is None else [f"{name} {value:g}"]

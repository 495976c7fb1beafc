"""What to look at when an automation misbehaves, in the order in which faults are found soonest."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gates.models import Automation, ReviewItem
from gates.rollout import counts, lowering
from gates.rollout.counts import Ask, Counts
from ledger import clock, sets
from ledger.models import LedgerRow

DAY, WEEK, NEWEST = timedelta(days=1), timedelta(days=7), 500
# How old each block of facts was when the newest actions were judged, in seconds.
AGES_SQL = """
with newest as (
  select facts from ledger_action where automation = %(name)b and id >= %(first)b::uuid order by id desc limit %(most)b)
select b.key, count(*), percentile_disc(0.5) within group (order by age), max(age)
  from newest n cross join lateral jsonb_each_text(n.facts -> 'synced_at') b
 cross join lateral (select extract(epoch from (n.facts ->> 'now')::timestamptz - b.value::timestamptz) as age) x
 where n.facts ? 'now' group by b.key order by b.key"""
WAITING_SQL = """
select count(*), min(waiting_since) from ledger_action
 where automation = %(name)b and state in ('held', 'approved') and waiting_since is not null"""
CONFIDENCE_SQL = """
select count(confidence), percentile_disc(0.5) within group (order by confidence), min(confidence)
  from gates_reviewitem where automation = %(name)b and created_at >= %(since)b and action_id is not null"""
SLA_SQL = """
select count(*), count(*) filter (where due_at < %(now)b), coalesce(sum(bumps), 0), min(due_at)
  from gates_reviewitem where automation = %(name)b and state <> 'resolved'"""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything of the page. Ages in seconds; (block, actions, median, worst)."""

    ages: list[tuple[str, int, float, float]]
    waiting: int
    waiting_since: datetime | None
    week: Counts
    confident: int
    confidence: float | None
    least_confidence: float | None
    open_items: int
    late: int
    bumps: int
    next_due: datetime | None
    steps: list[LedgerRow]
    exceptions: list[ReviewItem]


def of(one: Automation) -> Diagnosis:
    """A fixed number of statements."""
    now = clock.now()
    asked = {"name": one.name, "now": now, "since": now - WEEK}
    ages = sets.run(AGES_SQL, {"name": one.name, "first": counts.first_id(now - WEEK), "most": NEWEST})
    ((waiting, since),) = sets.run(WAITING_SQL, {"name": one.name})
    ((confident, median, least),) = sets.run(CONFIDENCE_SQL, {"name": one.name, "since": asked["since"]})
    ((open_items, late, bumps, due),) = sets.run(SLA_SQL, {"name": one.name, "now": now})
    (week,) = counts.of([Ask(one.name, now - WEEK)])
    steps = LedgerRow.objects.filter(subject_kind="rollout", subject_id=one.name).exclude(outcome="refused")
    found = ReviewItem.objects.filter(automation=one.name, kind__in=(lowering.FELL, lowering.QUARANTINE))
    return Diagnosis(
        [(block, count, float(median_), float(worst)) for block, count, median_, worst in ages], waiting, since, week,
        confident, median, least, open_items, late, int(bumps), due, list(steps.order_by("-id")[:8]),
        list(found.order_by("-pk")[:5]),
    )  # fmt: skip

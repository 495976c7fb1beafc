"""Baselines: ten most frequent kinds of ticket, time to correct, escalations and leakage, as they stood on a day."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates.stop import Refused
from ledger import book, clock, sets
from sync.baselines import BaselineFigure

PERMISSION = "sync.take_baseline"
TOP, DAYS, MOST_DAYS = 10, 30, 365
Measure = BaselineFigure.Measure
# Kinds are those of tickets where any is known, else what items of the queue are about.
TICKETS = """
with kinds as (
  select coalesce(nullif(a.facts ->> 'ticket_kind', ''), i.kind) as kind from gates_reviewitem i
    left join ledger_action a on a.id = i.action_id
   where i.created_at >= %(since)b::timestamptz and i.created_at < %(until)b::timestamptz)
select kind, count(*), (select count(*) from kinds)
  from kinds group by kind order by count(*) desc, kind limit %(top)b"""
CORRECT = """
select coalesce(sum(extract(epoch from resolved_at - created_at)), 0)::bigint, count(*) from gates_reviewitem
 where resolved_at >= %(since)b::timestamptz and resolved_at < %(until)b::timestamptz and cause <> ''"""
ESCALATED = """
select count(*) filter (where i.bumps > 0 or exists (select from ledger_ledgerrow l
         where l.subject_kind = 'item' and l.subject_id = i.id::text and l.decision = 'escalate')), count(*)
  from gates_reviewitem i where i.created_at >= %(since)b::timestamptz and i.created_at < %(until)b::timestamptz"""
# What fell due and is unpaid still, by the invoices last read of each contract.
LEAKAGE = """
select v ->> 'currency', coalesce(sum((v ->> 'amount_remaining')::bigint), 0)::bigint,
       coalesce(sum((v ->> 'amount_due')::bigint), 0)::bigint
  from ledger_contextrecord r, jsonb_each(r.blocks) b, jsonb_array_elements(b.value -> 'invoices') v
 where b.key like 'billing:%%' and jsonb_typeof(b.value -> 'invoices') = 'array'
   and v ->> 'status' in ('open', 'past_due', 'uncollectible', 'paid') and (v ->> 'amount_due')::bigint > 0
 group by v ->> 'currency'"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure before it is stored; see `BaselineFigure`."""

    measure: str
    key: str
    value: int
    of: int


def measure(until_day: date, days: int) -> list[Figure]:
    """How things stand: four statements. The window ends with the beginning of the day after `until_day` (UTC)."""
    now = clock.now()
    until = now.replace(
        year=until_day.year, month=until_day.month, day=until_day.day, hour=0, minute=0, second=0, microsecond=0
    )
    until += timedelta(days=1)
    about = {"since": until - timedelta(days=days), "until": until}
    found = [Figure(Measure.TICKETS, kind[:80], n, of) for kind, n, of in sets.run(TICKETS, {**about, "top": TOP})]
    ((seconds, count),) = sets.run(CORRECT, about)
    ((escalated, items),) = sets.run(ESCALATED, about)
    found += [Figure(Measure.CORRECT, "", seconds, count), Figure(Measure.ESCALATED, "", escalated, items)]
    return found + [Figure(Measure.LEAKAGE, str(key), left, due) for key, left, due in sets.run(LEAKAGE, about)]


def take(*, by: User, days: int = DAYS) -> list[BaselineFigure]:
    """Store today's snapshot over the days before it. Raises Refused: 403, 409 there is one of today, 422 days."""
    now = clock.now()
    row: dict[str, Any] = {
        "subject_kind": "baseline", "subject_id": str(now.date()), "decision": "take_baseline",
        "actor": f"user:{by.pk}", "prior_state": "taken", "post_state": "taken",
    }  # fmt: skip
    if not (by.is_active and by.has_perm(PERMISSION)):
        book.write_rows([{**row, "outcome": "refused", "error_code": "permission"}])
        raise Refused(403, "permission", f"your account may not take a baseline; it needs {PERMISSION}")
    if not 1 <= days <= MOST_DAYS:
        raise Refused(422, "days", f"days: a whole number from 1 to {MOST_DAYS}")
    figures = measure(now.date(), days)
    try:
        with transaction.atomic():
            made = BaselineFigure.objects.bulk_create(
                BaselineFigure(day=now.date(), measure=one.measure, key=one.key, value=one.value, of=one.of,
                               window_days=days, taken_at=now, taken_by=by)
                for one in figures
            )  # fmt: skip
            book.write_rows([{**row, "outcome": "taken", "inputs": {"figures": len(made), "days": days}}])
    except IntegrityError:
        raise Refused(409, "taken", f"the baseline of {now.date()} is taken already; one a day") from None
    return made


def latest(before: date | None = None) -> list[BaselineFigure]:
    """The newest snapshot, or the newest before a day."""
    rows = BaselineFigure.objects.filter(day__lt=before) if before else BaselineFigure.objects.all()
    newest = rows.order_by("-day").values_list("day", flat=True).first()
    return list(BaselineFigure.objects.filter(day=newest)) if newest else []


def first() -> list[BaselineFigure]:
    """The first snapshot there is: what later figures are compared with."""
    oldest = BaselineFigure.objects.order_by("day").values_list("day", flat=True).first()
    return list(BaselineFigure.objects.filter(day=oldest)) if oldest else []


def words(one: BaselineFigure | Figure) -> str:
    """A figure for people; shares in per cent, times in hours."""
    if not one.of:
        return "nothing in this time"
    if one.measure == Measure.CORRECT:
        return f"{one.value / one.of / 3600:.1f} h over {one.of:,} corrections"
    return f"{one.value:,} of {one.of:,} ({one.value / one.of:.1%})"

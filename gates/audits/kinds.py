"""Which reviews there are: how often, whose, and what is drawn for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

HOUR = 6  # UTC, of the day a period begins
WEEK, MONTH, QUARTER = "week", "month", "quarter"
DAYS_TO_DO = {WEEK: 5, MONTH: 10, QUARTER: 21}

# Each query gives (id, facts about it), drawn by a hash with the review's own seed: the same one draws the same rows.
ACTED = """
select a.id::text, jsonb_build_object('kind', a.kind, 'state', a.state, 'automation', a.automation)
  from ledger_action a where a.id >= %(first)b::uuid and a.applied_at >= %(since)b and a.applied_at < %(until)b
   and a.requested_by_id is null and a.automation <> '' and a.state in ('applied', 'compensated')
 order by md5(a.id::text || %(seed)b::text) limit %(size)b"""
LEFT_ALONE = """
select e.id::text, jsonb_build_object('type', e.type, 'state', e.state, 'verdict', left(e.verdict, 120))
  from ledger_event e where e.received_at >= %(since)b and e.received_at < %(until)b and e.state = 'ignored'
   and e.kind not in ('unknown', 'informational') and not exists (select from ledger_action a where a.event_id = e.id)
 order by md5(e.id::text || %(seed)b::text) limit %(size)b"""
LATE_ITEMS = """
select i.id::text, jsonb_build_object('kind', i.kind, 'resolution', i.resolution, 'automation', i.automation)
  from gates_reviewitem i where i.resolved_at >= %(since)b and i.resolved_at < %(until)b and i.resolved_at > i.due_at
 order by md5(i.id::text || %(seed)b::text) limit %(size)b"""
ITEMS = LATE_ITEMS.replace("i.resolved_at > i.due_at", "i.resolved_at <= i.due_at")
MONEY = """
select a.id::text, jsonb_build_object('kind', a.kind, 'amount_minor', a.amount_minor, 'currency', a.currency)
  from ledger_action a where a.id >= %(first)b::uuid and a.applied_at >= %(since)b and a.applied_at < %(until)b
   and (a.amount_minor is not null or a.irreversible) and a.state in ('applied', 'compensated')
 order by md5(a.id::text || %(seed)b::text) limit %(size)b"""
CORRECTED = """
select a.id::text, jsonb_build_object('kind', a.kind, 'state', a.state, 'automation', a.automation)
  from ledger_action a where a.id >= %(first)b::uuid and a.created_at >= %(since)b and a.created_at < %(until)b
   and a.automation <> '' and (a.state in ('rejected', 'compensated') or a.edited_by_id is not null)
 order by md5(a.id::text || %(seed)b::text) limit %(size)b"""
DISAGREED = """
select c.action_id::text, jsonb_build_object('kind', c.kind, 'automation', c.automation, 'seen', c.seen)
  from gates_shadowcomparison c where c.observed_at >= %(since)b and c.observed_at < %(until)b
   and c.verdict = 'disagreed'
 order by md5(c.action_id::text || %(seed)b::text) limit %(size)b"""
PEOPLE = """
select u.id::text, jsonb_build_object('groups', coalesce((select jsonb_agg(g.name order by g.name) from auth_group g
         join auth_user_groups m on m.group_id = g.id where m.user_id = u.id), '[]'::jsonb),
       'superuser', u.is_superuser, 'last_login', u.last_login)
  from auth_user u where u.is_active and u.is_staff order by u.is_superuser desc, u.id limit %(size)b"""
GATES = """
select v.id::text, jsonb_build_object('gate', v.name || ' v' || v.version, 'result', v.result)
  from gates_gateversion v where v.state = 'live' and (v.retired_at is null or v.retired_at > %(until)b)
 order by v.name limit %(size)b"""
AUTOMATIONS = """
select o.id::text, jsonb_build_object('automation', o.name, 'stage', o.state, 'version', o.version)
  from gates_automation o order by o.name limit %(size)b"""

# Figures of a period: (name, number).
HANDLED = """
select 'actions ' || a.state, count(*) from ledger_action a
 where a.id >= %(first)b::uuid and a.created_at >= %(since)b and a.created_at < %(until)b group by 1 order by 1"""
RESOLVED = """
select case when i.resolved_at > i.due_at then 'items resolved late' else 'items resolved in time' end, count(*)
  from gates_reviewitem i where i.resolved_at >= %(since)b and i.resolved_at < %(until)b group by 1 order by 1"""
SUMS = """
select a.kind || ' ' || a.currency || ', minor units', sum(a.amount_minor)::bigint from ledger_action a
 where a.id >= %(first)b::uuid and a.applied_at >= %(since)b and a.applied_at < %(until)b
   and a.amount_minor is not null and a.state = 'applied' group by 1 order by 1"""
CONTRACTS = """
select r.decision || ', contracts', count(*) from ledger_ledgerrow r
 where r.subject_kind = 'contract' and r.recorded_at >= %(since)b and r.recorded_at < %(until)b
   and r.decision in ('fall_behind', 'recover', 'suspend', 'restore', 'cancel') group by 1 order by 1"""
VERDICTS = """
select c.automation || ' ' || c.verdict, count(*) from gates_shadowcomparison c
 where c.observed_at >= %(since)b and c.observed_at < %(until)b group by 1 order by 1"""
ACCOUNTS = """
select case when is_active then 'accounts that may sign in' else 'accounts switched off' end, count(*)
  from auth_user group by 1 order by 1"""
RULES = "select 'gates ' || state, count(*) from gates_gateversion group by 1 order by 1"


@dataclass(frozen=True, slots=True)
class Draw:
    """One part of a sample: what it is called, of which kind its records are, how they are drawn, how many."""

    group: str
    subject: str
    query: str
    size: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One review. `question` says what right and wrong mean for its rows."""

    name: str
    title: str
    every: str
    owner_group: str
    question: str
    draws: tuple[Draw, ...]
    figures: tuple[str, ...]


KINDS: dict[str, Kind] = {
    one.name: one
    for one in (
        Kind(
            "weekly_errors", "Weekly false positives and negatives", WEEK, "Automation Engineer",
            "Acted: was it right to act? Left alone: was it right to do nothing?",
            (Draw("acted", "action", ACTED, 10), Draw("left alone", "event", LEFT_ALONE, 10)), (HANDLED, VERDICTS),
        ),
        Kind(
            "weekly_operations", "Weekly operations review", WEEK, "Support Manager",
            "Was the item handled well, and by the right team?",
            (Draw("late", "item", LATE_ITEMS, 8), Draw("in time", "item", ITEMS, 7)), (RESOLVED, HANDLED),
        ),
        Kind(
            "monthly_revenue", "Monthly revenue impact", MONTH, "Revenue Ops Lead",
            "Was this change of money or of a contract right?",
            (Draw("money and contracts", "action", MONEY, 20),), (SUMS, CONTRACTS),
        ),
        Kind(
            "monthly_retrospective", "Monthly playbook retrospective", MONTH, "Product Ops",
            "Was the playbook right and the person wrong, or does the playbook have to change?",
            (Draw("corrected", "action", CORRECTED, 15), Draw("people did otherwise", "action", DISAGREED, 10)),
            (VERDICTS, HANDLED),
        ),
        Kind(
            "quarterly_access", "Quarterly access review", QUARTER, "Revenue Ops Lead",
            "Does this person still need this account and these groups?",
            (Draw("accounts", "user", PEOPLE, 200),), (ACCOUNTS,),
        ),
        Kind(
            "quarterly_rules", "Quarterly review of rules", QUARTER, "Automation Engineer",
            "Does this still say what is wanted?",
            (Draw("gates", "gate", GATES, 150), Draw("automations", "automation", AUTOMATIONS, 50)), (RULES,),
        ),
    )
}  # fmt: skip


def planned_at(every: str, now: datetime) -> datetime:
    """The latest beginning of a period that is not ahead: what was missed before it is not made up for."""
    day = (now - timedelta(hours=HOUR)).astimezone(UTC).replace(hour=HOUR, minute=0, second=0, microsecond=0)
    if every == WEEK:
        return day - timedelta(days=day.weekday())
    month = day.month if every == MONTH else (day.month - 1) // 3 * 3 + 1
    return day.replace(month=month, day=1)


def since(every: str, planned: datetime) -> datetime:
    """Where the period that ended at this time had begun."""
    return planned_at(every, planned - timedelta(hours=1))


def seed(kind: str, planned: datetime) -> str:
    """What the draw of one review depends on."""
    return f"{kind}:{planned:%Y-%m-%d}"


def facts_in_words(about: Mapping[str, Any]) -> str:
    """What is known of a row besides its record, for a list."""
    shown = [f"{name.replace('_', ' ')} {value}" for name, value in about.items() if value not in (None, "", [])]
    return ", ".join(shown)

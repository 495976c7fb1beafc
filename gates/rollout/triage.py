"""The weekly list of an owner: what their automations asked, what people made of it, and what still waits."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from gates import items
from gates.models import Automation, Triage
from gates.rollout import counts, evidence, ladder
from gates.rollout.counts import Ask
from ledger import clock, sets

KIND = "automation.triage"
WEEK = timedelta(days=7)
OPEN_SQL = """
select automation, count(*), count(*) filter (where due_at < %(now)b), min(created_at) from gates_reviewitem
 where automation = any(%(names)b::text[]) and state <> 'resolved' and action_id is not null group by automation"""


def monday(at: datetime) -> date:
    """The week a time belongs to, by its Monday in UTC."""
    return (at - timedelta(days=at.weekday())).date()


def figures(automations: list[Automation]) -> dict[str, dict[str, Any]]:
    """By name, what an owner looks at: numbers of the last seven days and what waits now. A few statements."""
    now = clock.now()
    counted = counts.of([Ask(one.name, now - WEEK) for one in automations])
    open_rows = sets.run(OPEN_SQL, {"names": [one.name for one in automations], "now": now})
    waits = {row[0]: row[1:] for row in open_rows}
    known, bars = evidence.of(automations), evidence.bars()
    found = {}
    for one, week in zip(automations, counted, strict=True):
        count, late, oldest = waits.get(one.name, (0, 0, None))
        found[one.name] = {
            "decisions": week.decisions, "suggestions": week.suggestions, "overridden": week.overridden,
            "corrected": week.corrected, "judged": week.judged, "waiting": count, "late": late,
            "oldest": oldest.isoformat() if oldest else "", "stage": str(one.state), "version": one.version,
            "missing": [cond.title for cond in ladder.unmet(known[one.name], bars)],
        }  # fmt: skip
    return found


def weekly() -> str:
    """Make the list of this week for each automation and put it before its owner, once. Scheduled."""
    automations = list(Automation.objects.select_related("owner"))
    week, made = monday(clock.now()), 0
    for name, said in figures(automations).items():
        one = next(each for each in automations if each.name == name)
        with transaction.atomic():
            triage, is_new = Triage.objects.get_or_create(automation=one, week=week, defaults={"figures": said})
            if is_new:
                (triage.item_id,) = items.open_tasks([_item(one, week, said)])
                triage.save(update_fields=["item_id"])
                made += 1
    return f"{made} lists"


def _item(one: Automation, week: date, said: dict[str, Any]) -> dict[str, Any]:
    asked = f"{said['waiting']} suggestions wait, {said['late']} of them late" if said["waiting"] else "nothing waits"
    did = f"{said['decisions']} decisions" if said["decisions"] else "no event reached it"
    return {
        "kind": KIND, "why": "automation_triage", "owner_group": one.owner_group, "asked_owner": one.owner_id,
        "asked_by": "the owner of the automation", "automation": one.name,
        "sentence": f"Weekly triage of {one.title}, week of {week:%Y-%m-%d}: {did}, {asked}.",
        "reason": f"{said['overridden']} were turned down or changed, {said['corrected']} corrected",
        "evidence": {"automation": one.name, "week": week.isoformat()},
    }  # fmt: skip

"""What time does to checklists: a step that is due is late and its owner is nudged; one that stays so is escalated.

Safe at any moment and beside others: a step is taken with its row locked, and what was said once is not said again.
"""

from django.db import transaction
from django.db.models import Q

from gates.checklists import SQUAD, rows
from gates.models import ChecklistStep
from ledger import book, clock

ACTOR = "system:onboarding"
A_PASS = 200
DUE, LATE = "step_due", "step_late"


def tend(limit: int = A_PASS) -> int:
    """Nudge for what is due, escalate what nobody did in time; returns how many steps were told about."""
    return nudge_due(limit) + escalate_due(limit)


def nudge_due(limit: int = A_PASS) -> int:
    """Each step that is due by now is late: its owner gets one item, which is in the queue and in the group's chat."""
    with transaction.atomic():
        now = clock.now()
        steps = _locked(Q(late=False, due_at__lte=now), "due_at", limit)
        for step, item in zip(steps, rows.open_tasks(steps, DUE), strict=True):
            step.nudge()
            step.late, step.nudges, step.nudged_at, step.nudge_item_id = True, step.nudges + 1, now, item
            step.save()
        book.write_rows([_row(one, "nudge", "is due") for one in steps])
    return len(steps)


def escalate_due(limit: int = A_PASS) -> int:
    """Each step that was not done in time after its nudge goes to the squad, once."""
    with transaction.atomic():
        now = clock.now()
        steps = _locked(Q(escalated_at=None, escalate_at__lte=now), "escalate_at", limit)
        for step, item in zip(steps, rows.open_tasks(steps, LATE, SQUAD), strict=True):
            step.escalate()
            step.escalated_at, step.escalation_item_id = now, item
            step.save()
        book.write_rows([_row(one, "escalate", "nobody did it in time") for one in steps])
    return len(steps)


def _locked(due: Q, order: str, limit: int) -> list[ChecklistStep]:
    """Waiting steps of running lists that nobody else holds at this moment."""
    found = ChecklistStep.objects.filter(due, state="waiting", checklist__state="running")
    locked = found.select_for_update(of=("self",), skip_locked=True).select_related("checklist")
    return list(locked.order_by(order, "pk")[:limit])


def _row(step: ChecklistStep, decision: str, reason: str) -> dict[str, object]:
    return rows.of_step(step, decision, "waiting", ACTOR, reasons=[{"rule": "due", "reason": reason}])

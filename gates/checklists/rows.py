"""What checklists write: ledger rows of lists and steps, and the review items that nudges and escalations are."""

from collections.abc import Sequence
from typing import Any

from gates import items
from gates.checklists import AUTOMATION, ITEM_KIND
from gates.models import Checklist, ChecklistStep
from ledger import clock, sets

LIST, STEP = "checklist", "checklist_step"
CLOSE = """
update gates_reviewitem set state = 'resolved', state_version = state_version + 1, resolution = %(how)b,
       resolved_at = %(now)b where id = any(%(ids)b::bigint[]) and state <> 'resolved'"""


def of_list(one: Checklist, decision: str, prior: str, actor: str, **more: Any) -> dict[str, Any]:
    """A ledger row of a checklist as it stands now, after it was in `prior`."""
    return {**_about(one, LIST, one, decision, prior, actor), **more}


def of_step(step: ChecklistStep, decision: str, prior: str, actor: str, **more: Any) -> dict[str, Any]:
    """A ledger row of a step. What people typed stays with the step."""
    row = _about(step.checklist, STEP, step, decision, prior, actor)
    return {**row, "inputs": {"checklist": step.checklist_id, "step": step.key}, **more}


def _about(
    whole: Checklist, kind: str, subject: Checklist | ChecklistStep, decision: str, prior: str, actor: str
) -> dict[str, Any]:
    return {
        "subject_kind": kind, "subject_id": str(subject.pk), "customer_id": whole.customer_id,
        "event_id": whole.event_id, "correlation_id": whole.correlation_id, "decision": decision, "actor": actor,
        "prior_state": prior, "post_state": str(subject.state), "state_version": subject.state_version,
        "outcome": str(subject.state),
    }  # fmt: skip


def open_tasks(steps: Sequence[ChecklistStep], why: str, group: str = "") -> list[int]:
    """One review item for each step, for its owner or for `group`; returns their ids in the same order."""
    return items.open_tasks([_task(one, why, group) for one in steps])


def _task(step: ChecklistStep, why: str, group: str) -> dict[str, Any]:
    said = "is late and nobody has done it" if group else "is due"
    return {
        "kind": ITEM_KIND, "why": why, "sentence": f"Onboarding CL-{step.checklist_id}: {step.title} {said}.",
        "reason": f"{step.title} was due at {step.due_at:%Y-%m-%d %H:%M} UTC",
        "owner_group": group or step.owner_group, "asked_owner": None if group else step.owner_id,
        "asked_by": f"checklist CL-{step.checklist_id}", "customer_id": step.checklist.customer_id,
        "event_id": step.checklist.event_id, "correlation_id": step.checklist.correlation_id,
        "automation": AUTOMATION,
    }  # fmt: skip


def close_tasks(steps: Sequence[ChecklistStep], how: str) -> None:
    """Settle what is open about these steps: they are done, skipped, or due at another time."""
    close_items([item for one in steps for item in (one.nudge_item_id, one.escalation_item_id)], how)


def close_items(ids: Sequence[int | None], how: str) -> None:
    """Settle those of these items that are open."""
    there = [one for one in ids if one is not None]
    if there:
        sets.run(CLOSE, {"ids": there, "how": how[:40], "now": clock.now()})

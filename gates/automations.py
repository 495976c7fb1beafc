"""Stepping an automation to another stage: a person's decision, one step up at a time, any step down at once."""

from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import can_proceed

from gates.models import Automation
from gates.models.automation import STEPS
from gates.stop import Refused
from ledger import book

VERBS = {
    "shadow": "to_shadow", "suggest": "to_suggest", "canary": "to_canary", "ten": "to_ten", "half": "to_half",
    "full": "to_full", "paused": "pause",
}  # fmt: skip


def step_to(name: str, stage: str, *, by: User, reason: str) -> Automation:
    """Move an automation to a stage. Raises Refused: an unknown name or stage, a missing right, a skipped step."""
    if stage not in VERBS:
        raise Refused(422, "stage", f"stage: must be one of {', '.join(VERBS)}")
    if not reason.strip():
        raise Refused(422, "reason", "reason: say why, it goes into the ledger")
    if not (by.is_active and by.has_perm("gates.change_automation")):
        _write_refusal(name, stage, by)
        raise Refused(403, "permission", "your account may not step automations; it needs gates.change_automation")
    with transaction.atomic():
        automation = Automation.objects.select_for_update(of=("self",)).filter(name=name).first()
        if automation is None:
            raise Refused(404, "unknown", f"there is no automation named {name}")
        verb, prior = getattr(automation, VERBS[stage]), automation.state
        if not can_proceed(verb):
            raise Refused(409, "step", f"{name} is {prior}; from there it cannot step to {stage}")
        if prior == "paused" and STEPS.index(stage) > STEPS.index(automation.stage_before_pause or STEPS[0]):
            had = automation.stage_before_pause or STEPS[0]
            raise Refused(409, "step", f"{name} was paused in {had}; it resumes there or lower, not in {stage}")
        verb()
        automation.stage_before_pause = prior if stage == "paused" else ""
        automation._change_reason = reason[:100]
        automation.save()
        row = {
            "subject_kind": "rollout", "subject_id": name, "decision": VERBS[stage], "actor": f"user:{by.pk}",
            "prior_state": prior, "post_state": stage, "state_version": automation.state_version,
            "reasons": [{"rule": "reason", "reason": reason}], "outcome": stage,
        }  # fmt: skip
        book.write_rows([row])
    return automation


def fall_back(name: str, why: str) -> bool:
    """Have an automation that acts ask a person instead, because what it reads can no longer be trusted.

    In the caller's transaction. True when it fell; one that observes, asks or is paused stays as it is.
    """
    automation = Automation.objects.select_for_update(of=("self",)).filter(name=name).first()
    if automation is None or automation.state not in STEPS[2:]:
        return False
    prior = automation.state
    automation.to_suggest()
    automation._change_reason = why[:100]
    automation.save()
    row = {
        "subject_kind": "rollout", "subject_id": name, "decision": "to_suggest", "actor": "system:drift",
        "prior_state": prior, "post_state": "suggest", "state_version": automation.state_version,
        "reasons": [{"rule": "schema_drift", "reason": why}], "outcome": "suggest",
    }  # fmt: skip
    book.write_rows([row])
    return True


def _write_refusal(name: str, stage: str, by: User) -> None:
    automation = Automation.objects.filter(name=name).first()
    if automation is not None:
        row = {
            "subject_kind": "rollout", "subject_id": name, "decision": VERBS[stage], "actor": f"user:{by.pk}",
            "prior_state": str(automation.state), "post_state": str(automation.state), "outcome": "refused",
            "error_code": "permission",
        }  # fmt: skip
        book.write_rows([row])

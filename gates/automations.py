"""Stepping an automation to another stage: a person's decision, one step up at a time, any step down at once."""

from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import can_proceed

from gates.models import Automation
from gates.stop import Refused
from ledger import book

VERBS = {
    "shadow": "to_shadow", "suggest": "to_suggest", "canary": "to_canary", "ten": "to_ten", "half": "to_half",
    "full": "to_full", "paused": "pause",
}  # fmt: skip


def step_to(name: str, stage: str, *, by: User, reason: str) -> Automation:
    """Move an automation to a stage. Raises Refused for an unknown name or stage, a missing right, or a skipped step."""
    if stage not in VERBS:
        raise Refused(422, "stage", f"stage: must be one of {', '.join(VERBS)}")
    if not reason.strip():
        raise Refused(422, "reason", "reason: say why, it goes into the ledger")
    if not (by.is_active and by.has_perm("gates.change_automation")):
        raise Refused(403, "permission", "your account may not step automations; it needs gates.change_automation")
    with transaction.atomic():
        automation = Automation.objects.select_for_update(of=("self",)).filter(name=name).first()
        if automation is None:
            raise Refused(404, "unknown", f"there is no automation named {name}")
        verb, prior = getattr(automation, VERBS[stage]), automation.state
        if not can_proceed(verb):
            raise Refused(409, "step", f"{name} is {prior}; from there it cannot step to {stage}")
        verb()
        automation._change_reason = reason[:100]  # noqa: SLF001  where simple-history looks for it
        automation.save()
        row = {
            "subject_kind": "rollout", "subject_id": name, "decision": VERBS[stage], "actor": f"user:{by.pk}",
            "prior_state": prior, "post_state": stage, "state_version": automation.state_version,
            "reasons": [{"rule": "reason", "reason": reason}], "outcome": stage,
        }  # fmt: skip
        book.write_rows([row])
    return automation

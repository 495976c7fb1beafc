"""Which playbook judges which kind of event. A playbook is pure: what is known, what happened -> what to propose."""

from collections.abc import Mapping
from typing import Any

from gates.playbooks import dunning, onboarding
from gates.types import Facts, Proposal

# kind of event -> automation that answers for it
PLAYBOOKS = {
    "payment.failed": dunning,
    "payment.succeeded": dunning,
    "invoice.closed": dunning,
    "deal.changed": onboarding,
}
DEAL = "deal:"

__all__ = ["PLAYBOOKS", "after_applied", "dunning", "onboarding", "withdraw_reason"]


def withdraw_reason(facts: Facts, business_key: str, memo: Mapping[str, Any], kind: str) -> str:
    """Why a planned action is no longer wanted, on live facts; empty while it still is."""
    if business_key.startswith(DEAL):
        return onboarding.withdraw_reason(facts, kind)
    return dunning.withdraw_reason(facts, business_key, memo, kind)


def after_applied(
    kind: str, business_key: str, params: Mapping[str, Any], memo: Mapping[str, Any], said: Mapping[str, Any]
) -> tuple[Proposal, ...]:
    """What follows a confirmed change; `said` is the provider's confirmation, its object's id under `id`."""
    if business_key.startswith(DEAL):
        return onboarding.after_applied(kind, params, said)
    return dunning.after_applied(kind, business_key, params, memo)

"""Which playbook judges which kind of event. A playbook is pure: what is known, what happened -> what to propose."""

from collections.abc import Mapping
from typing import Any

from gates.playbooks import accounting, cancellations, customer_sync, disputes, dunning, onboarding, refunds, tickets
from gates.types import Facts, Proposal

# kind of event -> automation that answers for it
PLAYBOOKS = {
    "payment.failed": dunning,
    "payment.succeeded": dunning,
    "invoice.closed": dunning,
    "deal.changed": onboarding,
    "dispute.changed": disputes,
    "fraud.warned": disputes,
    "subscription.ended": cancellations,
    "charge.settled": accounting,
}
DEAL, TICKET = "deal:", "ticket:"
# What a person approved as a set, and what tells only ourselves: no later event withdraws it, nothing follows it.
BY_ITSELF = ("incident:", "alert:", "report:")

__all__ = [
    "PLAYBOOKS", "accounting", "after_applied", "after_asked", "cancellations", "customer_sync", "disputes", "dunning",
    "onboarding", "refunds", "tickets", "withdraw_reason",
]  # fmt: skip


def withdraw_reason(facts: Facts, business_key: str, memo: Mapping[str, Any], kind: str) -> str:
    """Why a planned action is no longer wanted, on live facts; empty while it still is."""
    if business_key.startswith(DEAL):
        return onboarding.withdraw_reason(facts, kind)
    if kind in accounting.KINDS:
        return accounting.withdraw_reason(facts, kind)
    if kind in refunds.FOLLOW_UPS:
        return refunds.withdraw_reason(facts, kind)
    if kind in customer_sync.KINDS or business_key.startswith(BY_ITSELF):
        return ""  # what is synced is read again when its request is made
    if kind in cancellations.KINDS:
        return cancellations.withdraw_reason(facts, kind)
    if kind in disputes.KINDS or business_key.startswith(disputes.KEY):
        return disputes.withdraw_reason(facts, business_key, kind)
    if business_key.startswith(TICKET):
        return tickets.withdraw_reason(facts, kind)
    return dunning.withdraw_reason(facts, business_key, memo, kind)


def after_applied(
    kind: str, business_key: str, params: Mapping[str, Any], memo: Mapping[str, Any], said: Mapping[str, Any]
) -> tuple[Proposal, ...]:
    """What follows a confirmed change; `said` is the provider's confirmation, its object's id under `id`."""
    if business_key.startswith(BY_ITSELF) or kind in accounting.KINDS:
        return ()
    if business_key.startswith(DEAL):
        return onboarding.after_applied(kind, params, said)
    if kind in customer_sync.KINDS:
        return customer_sync.after_applied(kind, business_key, params, said)
    if kind in (refunds.REFUND, *refunds.FOLLOW_UPS):
        return refunds.after_applied(kind, params, said)
    if kind in cancellations.KINDS:
        return cancellations.after_applied(kind, said)
    if kind in disputes.KINDS:
        told = {**said, "ticket": ""}  # the desk hears of it in the dispute's own words
        return (*disputes.after_applied(kind, params, said), *refunds.after_applied(kind, params, told))
    if business_key.startswith(TICKET):
        return ()
    return dunning.after_applied(kind, business_key, params, memo)


def after_asked(kind: str, business_key: str, facts: Facts) -> tuple[Proposal, ...]:
    """What follows when an action was judged again on live facts and a person is asked."""
    return onboarding.after_asked(kind, facts) if business_key.startswith(DEAL) else ()

"""Cancellations: the subscription at billing first, the contract in the ERP once that is over, and never the other way.

A person asks for the first; the second follows from its confirmation. An end that somebody made at billing by hand is
brought to the ERP only as a proposal.
"""

from collections.abc import Mapping
from typing import Any

from gates.rules.cancel import CONTRACT, OVER, SUBSCRIPTION
from gates.types import FOLLOWS, Facts, Proposal, Risk

AUTOMATION = "cancellations"
KEEP = "subscription.uncancel"
KINDS = (SUBSCRIPTION, KEEP, CONTRACT)
NOW, PERIOD_END = "now", "period_end"
CANCEL = Risk(irreversible=True, contract=True, customer_visible=True)
CANCEL_LATER = Risk(contract=True, customer_visible=True)
KEEP_RISK = Risk(contract=True, customer_visible=True, reverses=True)
NEEDS = ("billing", "entitlement")


def withdraw_reason(facts: Facts, kind: str) -> str:
    """Why a planned step is no longer wanted, on live facts; empty while it still is."""
    status, over = facts.subscription_status, facts.subscription_status in OVER
    if kind == SUBSCRIPTION:
        return "the subscription is over already" if over and not facts.ended_by_this else ""
    if kind == KEEP:
        return "the subscription is over; it cannot go on" if over else ""
    if status and not over and not facts.cancel_pending:
        return f"the subscription is {status.replace('_', ' ')} and does not end"
    return ""


def after_applied(kind: str, said: Mapping[str, Any]) -> tuple[Proposal, ...]:
    """The ERP's contract, once billing confirmed; `said` is billing's word with the action and the contract's key."""
    if kind != SUBSCRIPTION:
        return ()
    params = {FOLLOWS: said["action"]}
    return (end_contract(str(said["contract"]), "the subscription was cancelled at billing", params),)


def ended_elsewhere(contract: str, reason: str) -> Proposal:
    """An end that nobody here asked for: the ERP is brought into line if somebody, or the automation, agrees."""
    return end_contract(contract, reason, {})


def end_contract(contract: str, because: str, params: Mapping[str, Any]) -> Proposal:
    """The ERP's part."""
    key = f"contract:{contract}"
    return Proposal(CONTRACT, f"cancel:{key}", key, because, dict(params), CANCEL, NEEDS)

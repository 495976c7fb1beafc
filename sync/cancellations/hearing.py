"""What an event about a subscription means for its end: ours, the period's, or somebody's at the billing provider."""

from typing import Any

from gates.playbooks import cancellations
from gates.rules.cancel import SUBSCRIPTION
from sync.booking import Booking, Cause
from sync.cancellations import following
from sync.contracts.stripe import SubscriptionSeen
from sync.facts import Known
from sync.understand import Heard


def ended(one: Heard, seen: SubscriptionSeen, contract: Known, into: Booking) -> str:
    """The subscription is over: so is the contract. The ERP follows by our plan, or by a proposal of its own."""
    key = contract.refs.contract_id
    row = {"event_id": one.id, "correlation_id": one.correlation_id}
    if contract.state not in ("cancelled", "draft"):
        into.move_contract(contract, "cancel", "cancelled", "system:correlate", row)
    if seen.ended_by:
        return "done: our own cancellation coming back; the contract is cancelled"
    if following.is_planned(key):
        following.make_due([key])
        return "done: the period ended as planned; the contract is cancelled"
    following.withdraw({key: f"event {one.id}"}, "the subscription was ended at billing by somebody else", SUBSCRIPTION)
    if not contract.refs.erp_record:
        return "done: contract cancelled; what was planned is withdrawn when it comes due"
    proposal = cancellations.ended_elsewhere(
        contract.refs.contract_external_id, "the subscription was ended at billing, not by Meshline"
    )
    into.propose(proposal, contract, Cause(one.id, one.correlation_id, cancellations.AUTOMATION, one.late))
    return "done: contract cancelled; what was planned is withdrawn when it comes due, the ERP follows by a proposal"


def changed(one: Heard, seen: SubscriptionSeen, contract: Known, before: dict[str, Any]) -> str:
    """Whether somebody set or took back its end at the billing provider; empty where neither."""
    was, key = bool(before.get("cancel_at_period_end")), contract.refs.contract_id
    if seen.cancel_at_period_end and not was and not following.is_planned(key):
        end = seen.period_end.date().isoformat() if seen.period_end else "its period"
        return f"done: an end with {end} was set at billing, not by Meshline; nothing changes until then"
    if not seen.cancel_at_period_end and one.occurred_at is not None:
        gone = following.withdraw({key: f"event {one.id}"}, "the end was taken back at billing", before=one.occurred_at)
        if gone or was:
            return "done: the end that was set was taken back at billing"
    return ""

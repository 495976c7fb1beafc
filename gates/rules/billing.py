"""Rules about what a write needs at its target: a link that is known, money that is there to be given back."""

from gates.types import Facts, Payment, Policy, Proposal, RuleResult, Verdict
from ledger import money

REFUNDS = ("payment.refund", "dispute.refund")


def erp_record_linked(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A contract is changed in the ERP only where its record there is linked."""
    if proposal.risk.contract and facts.executing and not facts.erp_record_id:
        return RuleResult("erp_record_linked", Verdict.REVIEW, "the contract is not linked to a record in the ERP")
    return RuleResult("erp_record_linked", Verdict.PASS)


def ticket_linked(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A note or tag needs the ticket it goes to."""
    if proposal.kind in ("ticket.note", "ticket.tag") and facts.executing and not facts.ticket_id:
        return RuleResult("ticket_linked", Verdict.REVIEW, "no ticket is linked to this contract")
    return RuleResult("ticket_linked", Verdict.PASS)


def refund_fits(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A refund goes to who paid, in the currency paid, and all refunds of a payment together never exceed it."""
    if proposal.kind not in REFUNDS:
        return RuleResult("refund_fits", Verdict.PASS)
    if facts.payment is None:
        if not facts.executing:
            return RuleResult("refund_fits", Verdict.PASS, "the payment is read before anything is sent")
        return RuleResult("refund_fits", Verdict.BLOCK, "the payment could not be read")
    reason = _misfit(proposal, facts.payment)
    return RuleResult("refund_fits", Verdict.BLOCK if reason else Verdict.PASS, reason)


def _misfit(proposal: Proposal, payment: Payment) -> str:
    if not payment.is_customers:
        return "the payment is not this customer's"
    if payment.status != "succeeded":
        return "the payment was never collected"
    if payment.currency != proposal.currency:
        return f"the payment is in {payment.currency.upper()}, the refund in {proposal.currency.upper()}"
    if payment.is_charged_back:
        return "the bank takes this payment back; a refund would pay it twice"
    if proposal.amount_minor is None or proposal.amount_minor < 1:
        return "the refund has no amount"
    if proposal.amount_minor > payment.refundable_minor:
        left = money.display(payment.refundable_minor, payment.currency)
        return f"{left} of the payment can still be refunded"
    return ""

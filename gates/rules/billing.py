"""Rules about links: a write needs a target that is known."""

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict


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

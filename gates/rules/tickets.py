"""Rules about a ticket that is written on: it is there, and no two programs pull at it."""

from gates import tickets
from gates.types import Facts, Policy, Proposal, RuleResult, Verdict


def ticket_there(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """Nothing is written on a ticket that was deleted, merged or closed."""
    name = "ticket_there"
    if proposal.kind not in tickets.KINDS or not _is_of(proposal, facts):
        return RuleResult(name, Verdict.PASS)
    trouble, _, into = facts.ticket_trouble.partition(":")
    if trouble == "merged":
        where = f"was merged into ticket {into}" if into else "was merged into another one"
        return RuleResult(name, Verdict.BLOCK, f"the ticket {where}; nothing is written on it")
    if trouble == "deleted" or facts.ticket_status == "gone":
        return RuleResult(name, Verdict.BLOCK, "the ticket was deleted in the support desk; nothing is written on it")
    if facts.ticket_status == "closed":
        return RuleResult(name, Verdict.BLOCK, "the ticket is closed; the support desk takes nothing on it any more")
    return RuleResult(name, Verdict.PASS)


def ticket_unchanged(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """An answer is to the ticket as it stood when it was suggested; somebody may have written since."""
    name = "ticket_unchanged"
    if proposal.kind != tickets.REPLY or not facts.executing or facts.ticket_stamp == proposal.params.get("stamp"):
        return RuleResult(name, Verdict.PASS)
    return RuleResult(name, Verdict.REVIEW, "the ticket changed since this answer was suggested; read it first")


def ticket_steady(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """While something else flips a ticket back and forth, a person decides about every write on it."""
    if proposal.kind in tickets.KINDS and facts.ticket_trouble == "flips" and _is_of(proposal, facts):
        reason = "something else changes the ticket back and forth; first a person has to settle that"
        return RuleResult("ticket_steady", Verdict.REVIEW, reason)
    return RuleResult("ticket_steady", Verdict.PASS)


def _is_of(proposal: Proposal, facts: Facts) -> bool:
    """Whether what is known is of the very ticket that is written on."""
    return proposal.params.get("ticket", facts.ticket_id) == facts.ticket_id

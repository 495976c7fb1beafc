"""Rules about whose say something is."""

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict

ACTING = ("canary", "ten", "half", "full")
NAME = "owner_sensitive"


def owner_sensitive(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """What is an owner's say is asked about in every stage, unless the automation was allowed to settle such things."""
    is_acting = policy.stage in ACTING
    if is_acting and proposal.kind in policy.sensitive and not policy.may_resolve:
        return RuleResult(NAME, Verdict.REVIEW, "this is the owner's say; the automation may not settle it by itself")
    return RuleResult(NAME, Verdict.PASS)

"""Rules about what people did to an action."""

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict


def edited_by_person(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """What a person changed is another person's to decide, however far the automation behind it is trusted."""
    if facts.edited:
        return RuleResult("edited_by_person", Verdict.REVIEW, "a person changed this; another one decides")
    return RuleResult("edited_by_person", Verdict.PASS)

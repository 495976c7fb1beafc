"""Rules about words that leave: what they say was done has to be confirmed, and an assistant never decides."""

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict

ASSISTANT, UNTRUE, UNPROVEN = "assistant_asked", "claim_untrue", "claim_unproven"
DONE = "done"


def assistant_asked(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """What an assistant asks for is a person's to decide, whatever it is and however sure the assistant says it is."""
    if not facts.assistant:
        return RuleResult(ASSISTANT, Verdict.PASS)
    sure = "" if facts.confidence is None else f", {facts.confidence:.0%} sure"
    return RuleResult(ASSISTANT, Verdict.REVIEW, f"an assistant asked for this{sure}; a person decides")


def claim_untrue(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A text that says something was done leaves when it was: against the ledger it never does, whoever approves.

    What the ledger does not know at all is a person's responsibility where a person wrote it; an assistant's is not.
    """
    for _, verdict, sense, topic, *_ in facts.said:
        is_done = sense == DONE
        if verdict == "contradicted":
            return RuleResult(UNTRUE, Verdict.BLOCK, f"the text speaks of a {topic} that the ledger knows otherwise")
        if verdict == "premature" and is_done:
            return RuleResult(UNTRUE, Verdict.BLOCK, f"the text says of a {topic} that it is done; it is not confirmed")
        if verdict == "unverified" and facts.assistant:
            return RuleResult(UNTRUE, Verdict.BLOCK, f"the text speaks of a {topic} that no confirmed action proves")
    return RuleResult(UNTRUE, Verdict.PASS)


def claim_unproven(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A promise, or something done that only people can know of, is said when a specialist agrees to the words."""
    for _, verdict, sense, topic, *_ in facts.said:
        if verdict == "unverified":
            return RuleResult(UNPROVEN, Verdict.BLOCK, f"the text speaks of a {topic} that no confirmed action proves")
        if verdict == "premature" and sense != DONE:
            return RuleResult(UNPROVEN, Verdict.REVIEW, f"the text promises a {topic}; nothing of it is confirmed")
    return RuleResult(UNPROVEN, Verdict.PASS)

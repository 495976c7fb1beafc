"""Rules about time: the safety window, the age of what is known, events that came very late."""

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict


def safety_window(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A failed payment is not final while the provider still tries: the later of the window and the next try counts."""
    name = "safety_window"
    if not proposal.risk.irreversible or facts.failed_at is None:
        return RuleResult(name, Verdict.PASS)
    until = facts.failed_at + policy.limits.safety_window
    if facts.next_attempt_at:
        until = max(until, facts.next_attempt_at + policy.limits.attempt_margin)
    if facts.now < until:
        return RuleResult(name, Verdict.HOLD, "the provider may still collect the payment", until)
    return RuleResult(name, Verdict.PASS, f"window ended {until:%Y-%m-%d %H:%M:%S} UTC")


def stale_context(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """Before anything leaves, each block it needs was read recently; before the irreversible, within a minute."""
    name = "stale_context"
    if not facts.executing:
        return RuleResult(name, Verdict.PASS)
    live = proposal.risk.irreversible or proposal.risk.money
    limit = policy.limits.live_read_max_age if live else policy.limits.context_max_age
    for block in proposal.needs:
        age = facts.age(block)
        if age is None:
            return RuleResult(name, Verdict.REVIEW, f"{block} was never read")
        if age > limit:
            return RuleResult(name, Verdict.REVIEW, f"{block} is {int(age.total_seconds())} s old, limit is {limit}")
    return RuleResult(name, Verdict.PASS)


def late_event(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """An event over its age limit starts nothing irreversible by itself."""
    if facts.late_event and proposal.risk.irreversible:
        return RuleResult("late_event", Verdict.REVIEW, "the event behind this came more than a week late")
    return RuleResult("late_event", Verdict.PASS)


def cooling_period(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """An automation does the same for the same customer only so often; until then it waits, however sure it is."""
    if facts.cooled_at is not None and facts.now < facts.cooled_at:
        reason = "the automation did this for the customer a short time ago"
        return RuleResult("cooling_period", Verdict.HOLD, reason, facts.cooled_at)
    return RuleResult("cooling_period", Verdict.PASS)

"""Rules about ending what a customer has: time to think again, what may not be ended, the order of systems."""

from datetime import timedelta

from gates.types import Facts, Policy, Proposal, RuleResult, Verdict

SUBSCRIPTION, CONTRACT = "subscription.cancel", "contract.cancel"
OVER = ("canceled", "incomplete_expired")
WINDOW, BLOCKED, LAST = "cancel_window", "cancellation_blocked", "subscription_over"


def cancel_window(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """An end at once cannot be taken back, so it waits: for the window from when it was asked, and for planned tries.

    A person may ask to leave the window out; then two people decide. An end with the period can be taken back until
    then, and waits for nothing.
    """
    if proposal.kind != SUBSCRIPTION or proposal.params.get("when") != "now":
        return RuleResult(WINDOW, Verdict.PASS)
    if proposal.params.get("window") == "skip":
        return RuleResult(WINDOW, Verdict.REVIEW_TWO, "somebody asks to leave the safety window out; two people decide")
    tries = [one.next_attempt_at for one in facts.invoices if one.status == "open" and one.next_attempt_at]
    margin = policy.limits.attempt_margin
    until = max([(facts.asked_at or facts.now) + policy.limits.safety_window, *(one + margin for one in tries)])
    if facts.now < until:
        words = "an end at once cannot be taken back; there is time to think again"
        return RuleResult(WINDOW, Verdict.HOLD, words, until)
    return RuleResult(WINDOW, Verdict.PASS, f"window ended {until:%Y-%m-%d %H:%M:%S} UTC")


def cancellation_blocked(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """What people put on the list of what may not be cancelled stays, whoever approves, until they take it off."""
    if proposal.kind == SUBSCRIPTION and facts.cancel_blocked:
        words = f"it is on the list of what may not be cancelled: {facts.cancel_blocked}"
        return RuleResult(BLOCKED, Verdict.BLOCK, words)
    return RuleResult(BLOCKED, Verdict.PASS)


def subscription_over(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """The ERP's contract is cancelled last: not before billing says that the subscription behind it is over."""
    if proposal.kind != CONTRACT or not facts.executing or facts.subscription_status in OVER:
        return RuleResult(LAST, Verdict.PASS)
    if not facts.subscription_status:
        return RuleResult(LAST, Verdict.BLOCK, "billing does not say that the subscription is over")
    if not facts.cancel_pending:
        return RuleResult(LAST, Verdict.BLOCK, f"the subscription is {facts.subscription_status} and does not end")
    again = facts.now + min(policy.limits.context_max_age, timedelta(minutes=15))
    until = facts.period_end if facts.period_end and facts.period_end > facts.now else again
    return RuleResult(LAST, Verdict.HOLD, "the subscription runs until the end of what is paid for", until)

"""decide: proposal + facts + policy -> decision. Pure: the same inputs give the same answer, now and in a year."""

from dataclasses import replace
from typing import Any

from gates import rollout, rules
from gates.types import ASKED, FOLLOWS, SEVERITY, Decision, Facts, Policy, Proposal, RuleResult, Verdict


def decide(
    proposal: Proposal, facts: Facts, policy: Policy, *, approved_rules: frozenset[str] = frozenset()
) -> Decision:
    """Judge one proposal. All rules run, all answers are kept, the strictest wins.

    `approved_rules` are rules that people saw failing and approved: these no longer ask. A rule that fails newly does.
    A hold is time, not doubt: nobody can approve it away here (escalation is a decision of its own).
    """
    if not policy.is_owned:
        facts = replace(facts, has_owner=False)
    stage = rollout.stage_for(policy.stage, policy.segments, facts.tier, facts.ticket_kind)
    if stage != policy.stage:
        policy = replace(policy, stage=stage)
    answers = tuple(rule(proposal, facts, policy) for rule in rules.RULES) + tuple(
        rules.typed.evaluate(gate, proposal, facts) for gate in policy.gates
    )
    by: dict[str, Any] = {"rule_version": policy.version, "basis": policy.basis | {"approved": sorted(approved_rules)}}
    if proposal.withdrawn:
        return Decision("supersede", "superseded", answers, **by)
    if policy.stage in ("shadow", "paused"):
        return Decision("observe", "observed", answers, mode="shadow", **by)
    answers += _by_stage(proposal, facts, policy)
    standing = [answer for answer in answers if not _excused(answer, approved_rules)]
    worst = max((SEVERITY[answer.verdict] for answer in standing), default=0)
    if worst >= SEVERITY[Verdict.REVIEW]:
        return Decision("ask", "in_review", answers, **by)
    if worst == SEVERITY[Verdict.HOLD]:
        ends = [answer.until for answer in standing if answer.verdict is Verdict.HOLD and answer.until]
        look_again = facts.now + policy.limits.context_max_age  # a gate that people wrote holds without an end
        return Decision("hold", "held", answers, until=max(ends, default=look_again), **by)
    return Decision("approve", "approved", answers, **by)


def _excused(answer: RuleResult, approved: frozenset[str]) -> bool:
    if answer.rule in rules.FINAL:
        return False
    return answer.rule in approved and answer.verdict in (Verdict.REVIEW, Verdict.REVIEW_TWO, Verdict.BLOCK)


def _by_stage(proposal: Proposal, facts: Facts, policy: Policy) -> tuple[RuleResult, ...]:
    """What the stage adds: outside its share an automation asks; what one person asked for, another one decides."""
    if policy.stage == ASKED:
        message = "a person asked for this; another one decides"
        agreed = bool(proposal.params.get(FOLLOWS))  # people agreed to both as one
        asks = (proposal.risk.contract or proposal.risk.money) and not agreed
        return (RuleResult("asked_by_person", Verdict.REVIEW, message),) if asks else ()
    if rollout.acts_for(facts.external_id, policy.stage):
        return ()
    message = (
        "the automation suggests; a person decides" if policy.stage == "suggest" else "outside the rollout's share"
    )
    return (RuleResult("rollout_stage", Verdict.REVIEW, message, version=policy.automation_version),)

"""Rules about what is done because of a dispute: what only a person may agree to, whatever the automation's stage."""

from gates.playbooks.disputes import CHARGEBACK, KEY, REFUND, WARNING
from gates.types import Facts, Policy, Proposal, RuleResult, Verdict

NAME = "dispute_asks"


def dispute_asks(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """Fraud, a second dispute, a contract that does not simply run: a person looks first."""
    reason = ""
    if proposal.kind == REFUND:
        reason = _refund(proposal, facts)
    elif proposal.risk.contract and proposal.business_key.startswith(KEY):
        reason = "a dispute is behind this; a person decides what becomes of the contract"
    return RuleResult(NAME, Verdict.REVIEW if reason else Verdict.PASS, reason)


def _refund(proposal: Proposal, facts: Facts) -> str:
    about = proposal.params.get("about")
    if about == WARNING or facts.fraud_flag:
        return "the bank warns of fraud; a person looks before the money goes back"
    if about == CHARGEBACK:
        return "the bank took the money already"
    if facts.open_disputes > 1:
        return f"{facts.open_disputes} disputes of this customer are open"
    if facts.contract_state != "active":
        return f"the contract is {facts.contract_state.replace('_', ' ') or 'not known'}, not active"
    return ""

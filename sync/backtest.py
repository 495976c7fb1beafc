"""What a gate would have said to decisions that were made: judged again on what the ledger stored with them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from gates import recompute
from gates.decide import decide
from gates.models import GateVersion
from gates.rules import typed
from gates.types import Decision, Facts, Gate, Policy, Proposal, Verdict
from ledger import clock, sets
from sync import actions

MOST = 5000
WINDOW = 200_000  # rows looked through for them
SAMPLE = 12

SQL = """
select l.id, l.action_id, l.customer_id, l.inputs, a.kind, a.target, a.business_key, a.because, a.params,
       a.amount_minor, a.currency
  from ledger_ledgerrow l join ledger_action a on a.id = l.action_id
 where l.id > (select coalesce(max(id), 0) from ledger_ledgerrow) - %(window)b::bigint
   and l.subject_kind = 'action' and l.decision in ('hold', 'ask', 'approve', 'observe')
   and l.recorded_at >= %(since)b and l.inputs ? 'policy'
   and (%(kinds)b::text[] = '{}' or a.kind = any(%(kinds)b::text[]))
 order by l.id desc limit %(most)b"""


@dataclass(frozen=True, slots=True)
class Changed:
    """One decision that would come out differently."""

    row: int
    action: UUID
    kind: str
    before: str
    after: str


@dataclass(slots=True)
class Rehearsal:
    """What was judged again. `steps` counts (state then, state now); `freer` those that only this gate keeps back."""

    seen: int = 0
    fired: int = 0
    freer: int = 0
    unreadable: int = 0
    days: int = 30
    cut: bool = False
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    sample: list[Changed] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many would come out differently."""
        return sum(self.steps.values())


def rehearse(gate: Gate, *, days: int = 30, most: int = MOST) -> Rehearsal:
    """Judge the newest stored decisions of its kinds again, with this gate in the place of the one of its name.

    Reads only. A decision whose gates, kind or facts are not known any more is counted as unreadable.
    """
    since = clock.now() - timedelta(days=days)
    given = {"window": WINDOW, "since": since, "kinds": sorted(gate.applies_to), "most": most}
    rows = sets.run(SQL, given)
    known = all_gates()
    done = Rehearsal(days=days, cut=len(rows) == most)
    for row in rows:
        try:
            _one(row, gate, known, done)
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ):  # stored in a shape, or by a gate or a kind, that is gone
            done.unreadable += 1
    return done


def all_gates() -> dict[tuple[str, int], Gate]:
    """Every version of every gate, by name and version."""
    return {(one.name, one.version): gate_of(one) for one in GateVersion.objects.all()}


def gate_of(one: GateVersion) -> Gate:
    """A stored version as judgement sees it."""
    return Gate(one.name, one.version, tuple(one.rows), Verdict(one.result), one.message, frozenset(one.applies_to))


def _one(row: Sequence[Any], gate: Gate, known: Mapping[tuple[str, int], Gate], done: Rehearsal) -> None:
    number, action, _, inputs, *about = row
    proposal, facts = _proposal(about), recompute.facts_of(inputs)
    policy = recompute.policy_of(inputs["policy"], lambda name, version: known[name, version])
    approved = frozenset(inputs["policy"]["approved"])
    fires = typed.evaluate(gate, proposal, facts).verdict is not Verdict.PASS
    had = any(one.name == gate.name for one in policy.gates)
    done.seen += 1
    done.fired += fires
    if not (fires or had):
        return  # neither this gate nor one of its name has a say

    def state(gates: tuple[Gate, ...]) -> str:
        return _decision(proposal, facts, replace(policy, gates=gates), approved).state

    others = tuple(one for one in policy.gates if one.name != gate.name)
    before, after = state(policy.gates), state((*others, gate))
    if fires and after != state(others):
        done.freer += 1
    if before != after:
        done.steps[before, after] += 1
        if len(done.sample) < SAMPLE:
            done.sample.append(Changed(number, action, proposal.kind, before, after))


def _decision(proposal: Proposal, facts: Facts, policy: Policy, approved: frozenset[str]) -> Decision:
    return decide(proposal, facts, policy, approved_rules=approved)


def _proposal(about: Sequence[Any]) -> Proposal:
    """The proposal an action came from. Raises KeyError for a kind that is not registered any more."""
    name, target, business_key, because, params, amount, currency = about
    kind = actions.get(name)
    return Proposal(name, target, business_key, because, params, kind.risk, kind.needs, amount, currency)

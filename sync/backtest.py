"""What a gate or an automation would have said to decisions that were made: judged again on what the ledger stored."""

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from gates.decide import decide
from gates.rules import typed
from gates.types import Facts, Gate, Policy, Proposal, Verdict
from ledger import clock
from sync.backtest_rows import FIRST, UNREADABLE, Gates, Range, Stored, gate_of, span, walk

__all__ = ["Changed", "Rehearsal", "Trial", "gate_of", "judge", "rehearse"]

MOST = 5000
WINDOW = 200_000  # rows looked through for them
SAMPLE = 12
RESTING = ("shadow", "paused")
LIVE = "full"  # what is judged in shadow is compared as it would be were the automation trusted with everybody


@dataclass(frozen=True, slots=True)
class Changed:
    """One decision that would come out differently."""

    row: int
    action: UUID
    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: one gate in the place of the one of its name, or gates and limits as they are now, in a stage."""

    gate: Gate | None = None
    now: Policy | None = None
    stage: str = ""


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
    now, last = clock.now(), span()[1]
    later = now + timedelta(days=1)
    wanted = Range(last - WINDOW, last, now - timedelta(days=days), later, tuple(sorted(gate.applies_to)), verbs=FIRST)
    rows = deque(walk(wanted), most + 1)
    done = Rehearsal(days=days, cut=len(rows) > most)
    known, trial = Gates(), Trial(gate)
    for one in list(rows)[-most:]:
        try:
            changed = judge(one, trial, known, done)
        except UNREADABLE:  # stored in a shape, or by a gate or a kind, that is gone
            done.unreadable += 1
            continue
        if changed is not None and len(done.sample) < SAMPLE:
            done.sample.append(changed)
    return done


def judge(one: Stored, trial: Trial, known: Gates, done: Rehearsal) -> Changed | None:
    """Judge one decision both ways and count it. Raises one of UNREADABLE, with nothing counted."""
    proposal, facts, policy = one.proposal(), one.facts(), one.policy(known)
    approved = frozenset(one.inputs["policy"]["approved"])
    before, after = (_by_gate if trial.gate else _by_now)(one, trial, proposal, facts, policy, approved, done)
    if before == after:
        return None
    done.steps[before, after] += 1
    return Changed(one.row, one.action, one.kind, before, after)


def would(proposal: Proposal, facts: Facts, policy: Policy, approved: frozenset[str]) -> str:
    """The state it takes; of what only observes, the one it would take were it trusted with everybody."""
    if policy.stage in RESTING:
        policy = replace(policy, stage=LIVE, segments={})
    return decide(proposal, facts, policy, approved_rules=approved).state


def _by_gate(
    one: Stored, trial: Trial, proposal: Proposal, facts: Facts, policy: Policy, approved: frozenset[str],
    done: Rehearsal,
) -> tuple[str, str]:  # fmt: skip
    gate = trial.gate
    assert gate is not None
    fires = typed.evaluate(gate, proposal, facts).verdict is not Verdict.PASS
    had = any(each.name == gate.name for each in policy.gates)
    done.seen += 1
    done.fired += fires
    if not (fires or had):
        return "", ""  # neither this gate nor one of its name has a say
    others = tuple(each for each in policy.gates if each.name != gate.name)
    before = would(proposal, facts, policy, approved)
    after = would(proposal, facts, replace(policy, gates=(*others, gate)), approved)
    # Where no gate of its name judged then, what was decided is what is decided without it.
    without = would(proposal, facts, replace(policy, gates=others), approved) if fires and had else before
    if fires and after != without:
        done.freer += 1
    return before, after


def _by_now(
    one: Stored, trial: Trial, proposal: Proposal, facts: Facts, policy: Policy, approved: frozenset[str],
    done: Rehearsal,
) -> tuple[str, str]:  # fmt: skip
    assert trial.now is not None
    rests = policy.stage in RESTING
    before = would(proposal, facts, policy, approved) if rests and not trial.stage else one.state
    tried = replace(policy, gates=trial.now.gates, limits=trial.now.limits, stage=trial.stage or policy.stage)
    if trial.stage in RESTING:
        after = decide(proposal, facts, tried, approved_rules=approved).state
    else:
        after = would(proposal, facts, tried, approved)
    done.seen += 1
    return before, after

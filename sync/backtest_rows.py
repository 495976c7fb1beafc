"""Stored decisions read back in batches, in the order they were made: what recomputing and back-tests stand on.

Keyset pages over the ledger's primary key: no cursor is held at the server, which a transaction pooler would not keep,
and memory stays that of one page whatever the range.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gates import policy, recompute
from gates.models import GateVersion
from gates.types import Decision, Facts, Gate, Policy, Proposal, Verdict
from ledger import sets
from sync import actions

PAGE = 1000
JUDGED = ("hold", "ask", "approve", "observe", "supersede", "send", "park")
FIRST = ("hold", "ask", "approve", "observe")  # how a proposal was decided, before anything else happened to it
# What the same judgement is called where an action takes its next step.
VERB = {"send": "approve", "park": "approve"}
UNREADABLE = (AttributeError, KeyError, LookupError, TypeError, ValueError)
SQL = """
select l.id, l.action_id, l.customer_id, l.decision, l.post_state, l.reasons, l.rule_version, l.recorded_at, l.inputs,
       a.kind, a.target, a.business_key, a.because, a.params, coalesce(l.amount_minor, a.amount_minor),
       case when l.currency <> '' then l.currency else a.currency end, a.automation
  from ledger_ledgerrow l join ledger_action a on a.id = l.action_id
 where l.id > %(after)b::bigint and l.id <= %(last)b::bigint
   and l.subject_kind = 'action' and l.decision = any(%(verbs)b::text[]) and l.inputs ? 'policy'
   and l.recorded_at >= %(since)b::timestamptz and l.recorded_at < %(until)b::timestamptz
   and (%(kinds)b::text[] = '{}' or a.kind = any(%(kinds)b::text[]))
   and (%(automation)b::text = '' or a.automation = %(automation)b::text)
 order by l.id limit %(page)b"""
# Ledger rows have no index by time; ids grow with it, so the first row of a time is found by halving.
SPAN = "select coalesce(min(id), 0), coalesce(max(id), 0) from ledger_ledgerrow"
AT = "select id, recorded_at from ledger_ledgerrow where id >= %(id)b::bigint order by id limit 1"
SLACK = 2000  # rows that were committed later than their ids say


@dataclass(frozen=True, slots=True)
class Stored:
    """One decision as the ledger keeps it, with the action it is about."""

    row: int
    action: UUID
    customer: int | None
    decision: str
    state: str
    reasons: Sequence[Mapping[str, Any]]
    rule_version: str
    at: datetime
    inputs: Mapping[str, Any]
    kind: str
    target: str
    business_key: str
    because: str
    params: Mapping[str, Any]
    amount_minor: int | None
    currency: str
    automation: str

    @property
    def withdrawn(self) -> str:
        """Why it was withdrawn, where it was."""
        if self.decision != "supersede":
            return ""
        return next((str(one["reason"]) for one in self.reasons if one.get("rule") == "withdrawn"), "withdrawn")

    def proposal(self) -> Proposal:
        """The proposal it came from. Raises KeyError for a kind that is not registered any more."""
        kind = actions.get(self.kind)
        return Proposal(
            self.kind, self.target, self.business_key, self.because, self.params, kind.risk, kind.needs,
            self.amount_minor, self.currency, withdrawn=self.withdrawn,
        )  # fmt: skip

    def facts(self) -> Facts:
        """The facts it was judged on. Raises one of UNREADABLE."""
        return recompute.facts_of(self.inputs)

    def policy(self, known: "Gates") -> Policy:
        """The policy it was judged by. Raises one of UNREADABLE."""
        return recompute.policy_of(self.inputs["policy"], known)

    def again(self, known: "Gates") -> Decision:
        """The decision, made anew on the row alone. Raises one of UNREADABLE."""
        return recompute.again(self.proposal(), self.inputs, known)


@dataclass(frozen=True, slots=True)
class Range:
    """Which decisions: ledger rows after `after` up to `last`, recorded from `since` to before `until`."""

    after: int
    last: int
    since: datetime
    until: datetime
    kinds: tuple[str, ...] = ()
    automation: str = ""
    verbs: tuple[str, ...] = JUDGED


class Gates:
    """Every version of every gate, by name and version; reads again when it meets one that is newer."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, int], Gate] = {}

    def __call__(self, name: str, version: int) -> Gate:
        """This version. Raises KeyError for one that never was."""
        if (name, version) not in self.known:
            self.known = {(one.name, one.version): gate_of(one) for one in GateVersion.objects.all()}
        return self.known[name, version]


def gate_of(one: GateVersion) -> Gate:
    """A stored version as judgement sees it."""
    return Gate(one.name, one.version, tuple(one.rows), Verdict(one.result), one.message, frozenset(one.applies_to))


def in_force() -> Policy:
    """Gates and limits as they are now, for judging by them what was decided before."""
    now = policy.read()
    return Policy(now.gates, now.limits)


def page(wanted: Range, after: int, size: int = PAGE) -> list[Stored]:
    """The next page of decisions after a row."""
    given: dict[str, Any] = {
        "after": max(after, wanted.after), "last": wanted.last, "since": wanted.since, "until": wanted.until,
        "kinds": list(wanted.kinds), "automation": wanted.automation, "verbs": list(wanted.verbs), "page": size,
    }  # fmt: skip
    return [Stored(*row) for row in sets.run(SQL, given)]


def walk(wanted: Range, size: int = PAGE) -> Iterator[Stored]:
    """All of them, one page in memory at a time."""
    after = wanted.after
    while rows := page(wanted, after, size):
        yield from rows
        after = rows[-1].row


def span() -> tuple[int, int]:
    """The first and the last id of the ledger; 0 and 0 for an empty one."""
    low, high = sets.run(SPAN)[0]
    return int(low), int(high)


def first_at(since: datetime, look: Callable[[int], tuple[int, datetime] | None] | None = None) -> int:
    """An id no decision since this time lies before, found in a few looks at the primary key."""
    look = look or _at
    low, high = span()
    while low < high:
        middle = (low + high) // 2
        found = look(middle)
        if found is None or found[1] >= since:
            high = middle
        else:
            low = found[0] + 1
    return max(0, low - SLACK - 1)


def _at(key: int) -> tuple[int, datetime] | None:
    rows = sets.run(AT, {"id": key})
    return (int(rows[0][0]), rows[0][1]) if rows else None

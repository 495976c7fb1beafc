"""Stored decisions judged again from their own rows: how many there are, and which come out differently."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gates.types import Decision
from ledger import clock, sets
from sync.backtest_rows import JUDGED, UNREADABLE, VERB, Gates, Range, Stored, first_at, span, walk

SAMPLE = 50
LAST = """
select coalesce(min(id), 0) from (
  select id from ledger_ledgerrow where subject_kind = 'action' and decision = any(%(verbs)b::text[])
     and inputs ? 'policy' order by id desc limit %(last)b) newest"""
NOT_JUDGED = ("withdrawn", "emergency_stop", "changed_meanwhile")  # said beside the answers, or in their place


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision that comes out differently: what is stored, and what its row gives now."""

    row: int
    action: str
    member: str
    stored: str
    again: str


@dataclass(slots=True)
class Recomputed:
    """What became of a range. `unreadable` counts by reason what no decision could be made of."""

    seen: int = 0
    same: int = 0
    differ: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    sample: list[Difference] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether every decision there was came out the same, and there was one."""
        return self.seen > 0 and self.same == self.seen

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        sample = [{name: getattr(one, name) for name in Difference.__slots__} for one in self.sample]
        return {"recomputed": self.seen, "same": self.same, "differ": self.differ, "unreadable": self.unreadable,
                "sample": sample}  # fmt: skip


def run(rows: Iterable[Stored]) -> Recomputed:
    """Judge these again. Reads only."""
    done, gates = Recomputed(), Gates()
    for one in rows:
        done.seen += 1
        try:
            found = compare(one, one.again(gates))
        except UNREADABLE as error:
            why = f"{type(error).__name__}: {error}"[:120]
            done.unreadable[why] = done.unreadable.get(why, 0) + 1
            continue
        if found is None:
            done.same += 1
            continue
        done.differ += 1
        if len(done.sample) < SAMPLE:
            done.sample.append(found)
    return done


def compare(one: Stored, again: Decision) -> Difference | None:
    """What differs between a row and its decision made anew; None where nothing does."""
    said = VERB.get(one.decision, one.decision)
    verb = "ask" if said == "ask" and again.verb == "observe" and one.state == "in_review" else again.verb
    if said != verb:
        return _difference(one, "decision", said, verb)
    if one.rule_version and one.rule_version != again.rule_version:
        return _difference(one, "rule version", one.rule_version, again.rule_version)
    if one.decision == "park":  # says the stop, not the answers
        return None
    kept = [_answer(each) for each in one.reasons if each.get("rule") not in NOT_JUDGED]
    fresh = [(each.rule, str(each.verdict), each.reason, each.version) for each in again.failing]
    return None if kept == fresh else _difference(one, "answers", str(kept), str(fresh))


def _answer(each: Any) -> tuple[str, str, str, int]:
    return str(each["rule"]), str(each.get("verdict", "")), str(each.get("reason", "")), int(each.get("version", 1))


def _difference(one: Stored, member: str, stored: str, again: str) -> Difference:
    return Difference(one.row, str(one.action), member, stored[:300], again[:300])


def between(since: datetime, until: datetime) -> Range:
    """The decisions recorded from `since` to before `until`."""
    return Range(first_at(since), span()[1], since, until)


def newest(last: int) -> Range:
    """The newest so many decisions."""
    first = int(sets.run(LAST, {"last": last, "verbs": list(JUDGED)})[0][0])
    return Range(first - 1, span()[1], datetime(1970, 1, 1, tzinfo=UTC), clock.now() + timedelta(days=366))


def over(wanted: Range) -> Recomputed:
    """Judge a range again, one page in memory at a time."""
    return run(walk(wanted))

"""What the SLA promises: the policy of an item, and from a start the instants at which something is due."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from gates import hours
from gates.hours import Hours
from gates.models import BusinessHours, SlaPolicy

FRESH_SECONDS = 0.5
UNANSWERED = timedelta(hours=24)  # whatever a policy says: after this an item has gone to somebody higher


@dataclass(frozen=True, slots=True)
class Promise:
    """A policy as it is judged by. `steps` are (percent of the time to decide, group); no group tells the owner."""

    kind: str
    tier: str
    touch_minutes: int
    decide_minutes: int
    hours: Hours | None = None
    steps: tuple[tuple[int, str], ...] = ()

    @property
    def title(self) -> str:
        """What it is for: `payment.refund enterprise`, or `everything`."""
        return " ".join(filter(None, (self.kind, self.tier))) or "everything"


@dataclass(frozen=True, slots=True)
class Step:
    """One bump: when, to which group (none: the owner is told), and after how much of the promised time."""

    at: datetime
    group: str
    percent: int  # 0 for the step that comes a day after the start whatever was promised

    @property
    def words(self) -> str:
        """Why it is bumped, as a clause."""
        if not self.percent:
            return f"{UNANSWERED // timedelta(hours=1)} h without a decision"
        return f"{self.percent} % of the promised time is over"


@dataclass(frozen=True)
class Plan:
    """The instants of one promise from one start on."""

    promise: Promise
    start: datetime

    @cached_property
    def touch_at(self) -> datetime:
        """By when somebody has it."""
        return hours.add(self.start, self.promise.touch_minutes, self.promise.hours)

    @cached_property
    def due_at(self) -> datetime:
        """By when it is decided."""
        return hours.add(self.start, self.promise.decide_minutes, self.promise.hours)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every bump in the order they come. The one after a day is among them, or one to a group at that moment."""
        total = self.promise.decide_minutes
        found = [
            Step(hours.add(self.start, total * percent / 100, self.promise.hours), group, percent)
            for percent, group in self.promise.steps
        ]
        day = Step(self.start + UNANSWERED, "", 0)
        if not any(one.group and one.at == day.at for one in found):
            found.append(day)
        return tuple(sorted(found, key=lambda one: one.at))

    def next_at(self, done: int) -> datetime | None:
        """When the next bump is due, after so many were done."""
        return self.steps[done].at if done < len(self.steps) else None


# In force when nobody has stored anything yet, so that no item is ever without a due time.
SHIPPED = Promise("", "", 240, 1440, None, ((50, ""), (100, "Support Manager")))


@dataclass
class Promises:
    """All policies at one moment."""

    of_both: Mapping[tuple[str, str], Promise]
    read_at: float = field(default_factory=time.monotonic)
    _plans: dict[tuple[Promise, datetime], Plan] = field(default_factory=dict)

    def of(self, kind: str, tier: str) -> Promise:
        """The policy that names kind and tier, else the kind, else the tier, else the one for everything."""
        places = ((kind, tier), (kind, ""), ("", tier), ("", ""))
        return next((self.of_both[place] for place in places if place in self.of_both), SHIPPED)

    def plan(self, kind: str, tier: str, start: datetime) -> Plan:
        """The instants of an item; what many items of a batch share is computed once."""
        promise = self.of(kind, tier)
        return self._plans.setdefault((promise, start), Plan(promise, start))


_held: list[Promises] = []


def current() -> Promises:
    """The policies in force, at most half a second old."""
    if not _held or time.monotonic() - _held[0].read_at >= FRESH_SECONDS:
        _held[:] = [read()]
    return _held[0]


def forget() -> None:
    """What was read is old: somebody changed a policy in this process."""
    _held.clear()


def read() -> Promises:
    """Read all policies with their calendars: one statement."""
    return Promises({(one.kind, one.tier): promise_of(one) for one in SlaPolicy.objects.select_related("hours")})


def promise_of(policy: SlaPolicy) -> Promise:
    """A stored policy as it is judged by."""
    calendar = hours_of(policy.hours) if policy.hours else None
    return Promise(
        policy.kind, policy.tier, policy.touch_minutes, policy.decide_minutes, calendar, steps_of(policy.steps)
    )


def hours_of(stored: BusinessHours) -> Hours:
    """A stored calendar as time is counted by."""
    return hours.read({"zone": stored.zone, "week": stored.week, "holidays": stored.holidays})


def steps_of(stored: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, str], ...]:
    """Stored bumps as (percent, group)."""
    return tuple((int(one["at_percent"]), str(one.get("group", ""))) for one in stored)

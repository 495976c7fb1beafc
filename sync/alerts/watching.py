"""The look at the rules: measured when due, by one process at a time, raised once an episode, cleared when fine.

Whoever looks (the watch of each `serve`, and the schedule's tick) asks for a lock first; who does not get it goes on.
A number that cannot be had is written down as that, and neither raises nor clears anything but `not-measured`.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction

from gates.models import AlertEpisode, AlertReading
from ledger import clock, sets
from sync.alerts.measures import MEASURES
from sync.alerts.reading import Ask, Found, Unmeasured
from sync.alerts.table import RETIRED, RULES, Rule, named, rule_of
from sync.incidents import paging

log = structlog.get_logger(__name__)

LOCK = 7_340_003  # of PostgreSQL's advisory locks: who measures
TAKE = "select pg_try_advisory_xact_lock(%(lock)b::bigint)"
LOOK_SECONDS = 5.0  # measuring; what is left then is due at the next look
GAP, GAP_LEAST = 3, timedelta(minutes=1)  # so many periods without a number, and it is not known to have held
KEEP, SAMPLE_EVERY = 32, 20.0
FAULTS = (DatabaseError, ArithmeticError, LookupError, TypeError, ValueError, Unmeasured)


@dataclass(slots=True)
class Looked:
    """What came of a look: rules measured and failed, alerts raised and cleared, by name."""

    measured: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    on: int = 0

    def __str__(self) -> str:
        said = f"{len(self.measured)} measured, {self.on} on"
        for word, names in (("raised", self.raised), ("cleared", self.cleared), ("not measured", self.failed)):
            said += f", {word} {', '.join(names)}" if names else ""
        return said


def run() -> str:
    """One look, for the schedule."""
    return str(look() or "somebody else looks")


def look(*, now: datetime | None = None, only: Sequence[str] = ()) -> Looked | None:
    """Measure what is due (or these rules, due or not) and act on it; None where somebody else is at it."""
    with transaction.atomic():
        if not sets.run(TAKE, {"lock": LOCK})[0][0]:
            return None
        return _look(now or clock.now(), only)


def _look(now: datetime, only: Sequence[str]) -> Looked:
    readings: dict[str, dict[str, AlertReading]] = defaultdict(dict)
    for row in AlertReading.objects.all():
        readings[row.rule][row.name] = row
    on = {one.name: one for one in paging.raised()}
    done, ends = Looked(), time.monotonic() + LOOK_SECONDS
    for name in RETIRED:
        if name in on and paging.resolve_alert(name):
            done.cleared.append(name)
    for rule in _due(readings, now, only):
        if time.monotonic() > ends:
            break
        _measure(rule, readings[rule.name], on, now, done)
    sets.run("set local statement_timeout to default")
    done.on = len(paging.raised())
    return done


def _due(readings: Mapping[str, Mapping[str, AlertReading]], now: datetime, only: Sequence[str]) -> list[Rule]:
    """Measured rules that are switched on and whose period is over, the shortest periods first."""
    measured = [one for one in RULES.values() if one.is_measured and one.limit is not None]
    if only:
        return [one for one in measured if one.name in only]
    tried = {name: max((row.tried_at for row in rows.values() if row.tried_at), default=None)
             for name, rows in readings.items()}  # fmt: skip
    due = [one for one in measured if (at := tried.get(one.name)) is None or not at <= now < at + one.every]
    return sorted(due, key=lambda one: one.every)


def _measure(
    rule: Rule, rows: dict[str, AlertReading], on: dict[str, AlertEpisode], now: datetime, done: Looked
) -> None:
    limit, began = rule.limit, time.monotonic()
    assert limit is not None
    own = rows.setdefault(rule.name, AlertReading(name=rule.name, rule=rule.name))
    try:
        with transaction.atomic():
            found = MEASURES[rule.name](Ask(now, limit, tuple((at, value) for at, value in own.samples)))
    except FAULTS as error:
        _failed(rule, rows, error, now)
        done.failed.append(rule.name)
        return
    sets.run("set local statement_timeout to default")
    done.measured.append(rule.name)
    took = int((time.monotonic() - began) * 1000)
    numbers = {named(rule.name, one.subject): one for one in found}
    for name in {rule.name, *rows, *(one for one in on if rule_of(one) is rule)} | set(numbers):
        row = rows.setdefault(name, AlertReading(name=name, rule=rule.name))
        _note(row, rule, numbers.get(name, Found(0.0, _nothing(rule, name))), now, took)
        _act(row, rule, on, now, done)


def _nothing(rule: Rule, name: str) -> str:
    """What is said of a rule none of whose subjects has anything, and of a subject that has nothing any more."""
    return "all is well" if name == rule.name else "it is over"


def _failed(rule: Rule, rows: Mapping[str, AlertReading], error: Exception, now: datetime) -> None:
    """Nobody knows the number: said so, and what was fine so far is not known to have stayed so."""
    log.warning("alert_not_measured", rule=rule.name, error=type(error).__name__)
    words = str(error).strip().partition("\n")[0]
    for row in rows.values():
        row.tried_at, row.fine_since = now, None
        row.failed_since = row.failed_since or now
        row.error = f"{type(error).__name__}: {words}"[:200] if not isinstance(error, Unmeasured) else words[:200]
        row.save()


def _note(row: AlertReading, rule: Rule, found: Found, now: datetime, took: int) -> None:
    """The number, and since when it has been over or fine without a break."""
    limit = rule.limit
    assert limit is not None
    gap = max(GAP_LEAST, GAP * rule.every)
    is_new = row.measured_at is None or not timedelta() <= now - row.measured_at <= gap
    is_over = found.value > limit if found.over is None else found.over
    if is_new:
        row.over_since = row.fine_since = None
    row.over_since = (row.over_since or now) if is_over else None
    row.fine_since = None if is_over else row.fine_since or now
    row.value, row.threshold, row.said = found.value, limit, found.said[:300]
    row.measured_at = row.tried_at = now
    row.failed_since, row.error, row.ms = None, "", took
    at = now.timestamp()
    if found.keep is not None and (not row.samples or at - row.samples[-1][0] >= SAMPLE_EVERY):
        row.samples = [*row.samples, [at, found.keep]][-KEEP:]
    row.save()


def _act(row: AlertReading, rule: Rule, on: dict[str, AlertEpisode], now: datetime, done: Looked) -> None:
    one = on.get(row.name)
    if one is not None:
        if row.over_since is not None:
            paging.seen(one, row.value, now)
        elif row.fine_since is not None and now - row.fine_since >= rule.clear and paging.resolve_alert(row.name):
            done.cleared.append(row.name)
            del on[row.name]
    elif row.over_since is not None and now - row.over_since >= rule.after and not _is_hushed(rule, on):
        on[row.name] = paging.raise_alert(row.name, _summary(rule, row), value=row.value, threshold=row.threshold)
        done.raised.append(row.name)


def _summary(rule: Rule, row: AlertReading) -> str:
    return f"{rule.title}: {row.said}"[:300]


def _is_hushed(rule: Rule, on: Mapping[str, AlertEpisode]) -> bool:
    """Whether an alert with the same cause is on."""
    return any(name.partition(":")[0] in rule.hushed_by for name in on)

"""Working time: when so many working minutes have passed, and how many lie between two instants. Pure.

A day's hours are local wall-clock time. On the nights the clocks change, hours run from the first moment at which the
clock has reached `from` to the last moment before it passes `to`: an hour that is skipped is not worked, one that
comes twice is worked twice.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_MINUTES = 1440
LEAST_WEEK_MINUTES = 300
MOST_DAYS = 12_000  # four times two months of work, at the least hours a week, end before that
MOST_HOLIDAYS = 400
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """A calendar: seven days, Monday first, of (from, to) in minutes after local midnight; holidays as local dates."""

    zone: str
    week: tuple[Spans, ...]
    holidays: frozenset[dt.date] = frozenset()


class Unusable(ValueError):
    """A calendar that cannot be worked by; `field` is zone, week or holidays."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def read(stored: Mapping[str, Any]) -> Hours:
    """The calendar of stored columns `zone`, `week` and `holidays`. Raises Unusable naming the column and the rule."""
    return Hours(_zone(stored["zone"]), _week(stored["week"]), _holidays(stored["holidays"]))


def add(start: dt.datetime, minutes: float, hours: Hours | None) -> dt.datetime:
    """The instant (UTC) at which that many working minutes have passed since `start`; without hours every one counts.

    Zero minutes are over at once, also outside of working hours.
    """
    start = start.astimezone(dt.UTC)
    left = dt.timedelta(minutes=minutes)
    if hours is None or not left:
        return start + left
    for begin, end in _from(start, hours):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise Unusable("week", f"{minutes:g} working minutes are not reached within {MOST_DAYS} days")


def back(end: dt.datetime, worked: dt.timedelta, hours: Hours | None) -> dt.datetime:
    """The latest instant (UTC) from which exactly `worked` of working time lead to `end`."""
    end = end.astimezone(dt.UTC)
    if hours is None or not worked:
        return end - worked
    day, left = end.astimezone(ZoneInfo(hours.zone)).date() + dt.timedelta(days=1), worked
    for _ in range(MOST_DAYS):
        for begin, stop in reversed(_spans(hours, day)):
            usable = min(stop, end) - begin
            if usable >= left:
                return min(stop, end) - left
            left -= max(usable, dt.timedelta())
        day -= dt.timedelta(days=1)
    raise Unusable("week", f"{worked} of working time do not lie within {MOST_DAYS} days")


def between(start: dt.datetime, end: dt.datetime, hours: Hours | None) -> dt.timedelta:
    """The working time from `start` to `end`; nothing when `end` comes first."""
    start, end = start.astimezone(dt.UTC), end.astimezone(dt.UTC)
    if end <= start:
        return dt.timedelta()
    if hours is None:
        return end - start
    worked = dt.timedelta()
    for begin, stop in _from(start, hours):
        if begin >= end:
            break
        worked += min(stop, end) - begin
    return worked


def _from(start: dt.datetime, hours: Hours) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """The spans worked from an instant on, in order, in UTC; the first one is cut."""
    day = start.astimezone(ZoneInfo(hours.zone)).date() - dt.timedelta(days=1)
    for _ in range(MOST_DAYS):
        for begin, end in _spans(hours, day):
            if end > start:
                yield max(begin, start), end
        day += dt.timedelta(days=1)


@lru_cache(maxsize=4096)
def _spans(hours: Hours, day: dt.date) -> tuple[tuple[dt.datetime, dt.datetime], ...]:
    """The spans of one local day in UTC."""
    if day in hours.holidays:
        return ()
    zone, found = ZoneInfo(hours.zone), []
    for start, end in hours.week[day.weekday()]:
        # Midnight at the end of a day is the next day's first one, or two days would share an hour.
        span = _instant(day, start, zone, last=False), _instant(day, end, zone, last=end < DAY_MINUTES)
        if span[0] < span[1]:
            found.append(span)
    return tuple(found)


def _instant(day: dt.date, minute: int, zone: ZoneInfo, *, last: bool) -> dt.datetime:
    """When the local wall clock shows this minute: for the first or last time, or when it jumps over it."""
    local = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minute)
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    if first <= second:
        return second if last else first
    return _jump(second, first, zone)


@lru_cache(maxsize=256)
def _jump(before: dt.datetime, after: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The second between two instants at which the zone's offset changes."""
    old = before.astimezone(zone).utcoffset()
    while after - before > dt.timedelta(seconds=1):
        middle = before + dt.timedelta(seconds=int((after - before).total_seconds()) // 2)
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == old else (before, middle)
    return after


def _zone(name: Any) -> str:
    try:
        return ZoneInfo(str(name)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        words = f"there is no time zone {str(name)[:64]!r}; write it like Europe/Berlin or UTC"
        raise Unusable("zone", words) from None


def _week(stored: Any) -> tuple[Spans, ...]:
    if not isinstance(stored, Sequence) or len(stored) != len(DAYS):
        raise Unusable("week", "seven days are needed, Monday first")
    week = tuple(_day(name, one) for name, one in zip(DAYS, stored, strict=True))
    if sum(end - start for day in week for start, end in day) < LEAST_WEEK_MINUTES:
        raise Unusable("week", "at least five hours a week have to be worked, or nothing would ever be due")
    return week


def _day(name: str, stored: Any) -> Spans:
    spans: list[tuple[int, int]] = []
    for one in stored:
        if len(one) != 2 or not all(isinstance(minute, int) for minute in one):
            raise Unusable("week", f"{name}: hours are pairs of minutes after midnight")
        spans.append((one[0], one[1]))
    if any(not 0 <= start < end <= DAY_MINUTES for start, end in spans):
        raise Unusable("week", f"{name}: hours lie between 00:00 and 24:00 and end after they begin")
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        raise Unusable("week", f"{name}: hours come in order and do not overlap")
    return tuple(spans)


def _holidays(stored: Any) -> frozenset[dt.date]:
    if len(stored) > MOST_HOLIDAYS:
        raise Unusable("holidays", f"at most {MOST_HOLIDAYS} dates, these are {len(stored)}")
    found = set()
    for one in stored:
        try:
            found.add(dt.date.fromisoformat(str(one)))
        except ValueError:
            raise Unusable("holidays", f"{str(one)[:20]!r} is no date; write it like 2026-12-25") from None
    return frozenset(found)

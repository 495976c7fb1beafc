"""Computing figures: one statement a figure for up to seven days, bounded in time, written as one row a day and scope.

A day is a UTC day of 24 hours, whatever clocks do elsewhere. What failed to compute leaves a row with its sentence and
no number. Days that are over are computed again for a week, since what went wrong on them is put right later.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Max

from ledger import clock, journal
from ledger.models import Event
from meshline import baseline
from meshline.kpis.catalogue import KPIS, Kpi
from meshline.kpis.models import KpiDay
from sync import signals

log = structlog.get_logger(__name__)

MOST_MS = 5000
AT_ONCE = 7  # days in one statement
SETTLES, BACK = 7, 35  # days that are computed again each day, and days that are made up for
RETRY = timedelta(hours=1)
OFTEN, YOUNG = timedelta(minutes=5), timedelta(days=2)
BASELINE = "baseline."
LOCK = "select pg_advisory_xact_lock(hashtextextended('meshline-kpi:' || %s, 0))"
DAY = timedelta(days=1)
FIGURES = """
with counted as materialized ({rows})
select r.day, s.scope, coalesce(sum(r.num), 0)::bigint, coalesce(sum(r.den), 0)::bigint, count(*),
       percentile_cont(0.5) within group (order by r.num)
  from counted r cross join lateral (values {scopes}) s(scope) where s.scope not like '%%:' group by 1, 2"""
SCOPES = {
    "": "('')", "automation": "('automation:' || r.automation)", "team": "('team:' || r.team)",
    "currency": "('currency:' || r.currency)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a day and scope before it is stored; see `KpiDay`."""

    day: date
    scope: str
    value: float | None
    numerator: int
    denominator: int


def begins(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time(), UTC)


def today() -> date:
    """The UTC day it is now."""
    return clock.now().astimezone(UTC).date()


def bounds(first: date, last: date) -> dict[str, Any]:
    """What statements are given for the days from `first` to `last`, both included."""
    since, until, now = begins(first), begins(last) + DAY, clock.now()
    return {
        "since": since, "until": until, "now": now, "first": signals.first_id(since), "last": _id_after(until),
        "row_first": journal.first_since(since - journal.SLACK), "row_last": journal.first_since(until + journal.SLACK),
    }  # fmt: skip


def _id_after(at: datetime) -> uuid.UUID:
    """Actions that were made a moment before the row was stored have ids a little older or newer than its time."""
    return signals.first_id(at + DAY)


def measure(kpi: Kpi, first: date, last: date) -> list[Figure]:
    """The figures of these days, without storing anything. Raises DatabaseError, also when it takes too long."""
    scopes = ("currency",) if kpi.is_revenue else ("", *kpi.by)
    sql = FIGURES.format(rows=kpi.rows, scopes=", ".join(SCOPES[name] for name in scopes))
    found = [_figure(kpi, *row) for row in fetch(sql, bounds(first, last))]
    whole = {one.day for one in found if not one.scope}
    missing = [first + DAY * n for n in range((last - first).days + 1) if first + DAY * n not in whole]
    return [*found, *(_figure(kpi, day, "", 0, 0, 0, None) for day in missing)]


def fetch(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement that is given so much time and no more."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"set local statement_timeout = {MOST_MS}")
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _figure(kpi: Kpi, day: date, scope: str, num: int, den: int, rows: int, median: float | None) -> Figure:
    if kpi.how == "share":
        return Figure(day, scope, num / den if den else None, num, den)
    if kpi.how in ("mean", "median"):
        value = None if not rows else median / 1000 if kpi.how == "median" and median is not None else num / rows
        return Figure(day, scope, value, num, rows)
    # The whole of a figure of money has no number: amounts of several currencies are never one.
    return Figure(day, scope, None if kpi.is_revenue and not scope else float(num), num, rows)


def compute(days: Iterable[date], names: Sequence[str] = ()) -> dict[str, str]:
    """Compute and store these days; returns figure -> what went wrong, for those that could not be computed."""
    wanted, failed = sorted(set(days)), {}
    for name in names or KPIS:
        for first, last in _stretches(wanted):
            if error := _store(KPIS[name], first, last):
                failed[name] = error
    return failed


def _stretches(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Days that follow each other, at most so many together."""
    start = 0
    for at in range(1, len(days) + 1):
        if at == len(days) or days[at] - days[at - 1] != DAY or at - start == AT_ONCE:
            yield days[start], days[at - 1]
            start = at


def _store(kpi: Kpi, first: date, last: date) -> str:
    """Write one figure of these days, over what was there. Returns what went wrong, empty for nothing."""
    began, error = clock.now(), ""
    try:
        figures = measure(kpi, first, last)
    except DatabaseError as caught:
        log.warning("kpi_not_computed", kpi=kpi.name, first=first.isoformat(), error=type(caught).__name__)
        is_late = isinstance(caught, OperationalError)
        error = f"it took longer than {MOST_MS / 1000:g} s" if is_late else f"it failed ({type(caught).__name__})"
        figures = [Figure(first + DAY * n, "", None, 0, 0) for n in range((last - first).days + 1)]
    _write(kpi.name, figures, (first, last), began, error)
    return error


def _write(name: str, figures: Sequence[Figure], days: tuple[date, date], at: datetime, error: str) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [name])
        there = KpiDay.objects.filter(kpi=name, day__range=days)
        newer = set(there.filter(computed_at__gt=at).values_list("day", flat=True))
        there.exclude(day__in=newer).delete()
        KpiDay.objects.bulk_create(
            KpiDay(
                kpi=name, day=one.day, scope=one.scope[:120], value=one.value, numerator=one.numerator,
                denominator=one.denominator, error=error, is_final=at >= begins(one.day) + DAY, computed_at=at,
            )
            for one in figures
            if one.day not in newer
        )  # fmt: skip


def due(name: str, known: dict[date, tuple[datetime, str]], first: date) -> list[date]:
    """The days that this figure has to be computed for now."""
    now, this = clock.now(), today()
    wanted = []
    for n in range(min(BACK, (this - first).days), -1, -1):
        day = this - DAY * n
        at, error = known.get(day, (None, ""))
        is_stale = at is not None and at < begins(this) and n <= SETTLES
        if at is None or n == 0 or is_stale or (error and at < now - RETRY):
            wanted.append(day)
    return wanted


def job() -> str:
    """The scheduled look, each minute: in the first days of an installation always, later every few minutes."""
    now, this = clock.now(), today()
    newest = KpiDay.objects.filter(day=this, scope="").aggregate(at=Max("computed_at"))["at"]
    if newest is not None and newest > now - OFTEN:
        oldest = Event.objects.order_by("id").values_list("received_at", flat=True).first()
        if oldest is not None and oldest < now - YOUNG:
            return "fresh"
    return run()


def run() -> str:
    """Compute today so far, what is due of the days before, and the baseline's figures once a day."""
    oldest = Event.objects.order_by("id").values_list("received_at", flat=True).first()
    if oldest is None:
        return "nothing has arrived yet"
    this = today()
    kept = KpiDay.objects.filter(scope="", day__gte=this - DAY * BACK).order_by()
    known: dict[str, dict[date, tuple[datetime, str]]] = {}
    for name, day, at, error in kept.values_list("kpi", "day", "computed_at", "error"):
        known.setdefault(name, {})[day] = (at, error)
    failed: dict[str, str] = {}
    days = 0
    for name in KPIS:
        wanted = due(name, known.get(name, {}), min(oldest.astimezone(UTC).date(), this))
        days += len(wanted)
        failed |= compute(wanted, [name])
    _baseline(this)
    return f"{days} figures computed, {len(failed)} failed"


def _baseline(day: date) -> None:
    """How the baseline's figures stand, once a day, for the page that compares."""
    if KpiDay.objects.filter(kpi__startswith=BASELINE, day=day).exists():
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"set local statement_timeout = {MOST_MS}")
            found = baseline.measure(day, baseline.DAYS)
    except DatabaseError as error:
        log.warning("kpi_not_computed", kpi="baseline", error=type(error).__name__)
        return
    by_measure: dict[str, list[Figure]] = {}
    for one in found:
        value = one.value / one.of if one.of else None
        by_measure.setdefault(str(one.measure), []).append(Figure(day, one.key[:120], value, one.value, one.of))
    for name, figures in by_measure.items():
        _write(f"{BASELINE}{name}", figures, (day, day), clock.now(), "")

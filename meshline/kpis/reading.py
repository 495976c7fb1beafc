"""Reading figures: series of days, what a period comes to, and whether that may be shown as new."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Q

from meshline.kpis import computing
from meshline.kpis.catalogue import KPIS, Kpi
from meshline.kpis.computing import BASELINE, DAY
from meshline.kpis.models import KpiDay, KpiTarget

PERIODS = (7, 28, 90)
SHOWN = 90  # days of a small line
NEEDS = 7
CURRENCY = "currency:"


@dataclass(frozen=True, slots=True)
class Point:
    """One stored figure."""

    value: float | None
    numerator: int
    denominator: int
    error: str
    computed_at: datetime


Series = Mapping[date, Point]


@dataclass(slots=True)
class Told:
    """A figure over a period, as it may be shown. `value` None: nothing happened, or `stale` says since when not.

    `before` is the period before it. `scope` names the currency of an amount.
    """

    kpi: Kpi
    scope: str
    value: float | None
    before: float | None
    points: list[tuple[str, float | None]]
    so_far: bool = False
    stale: str = ""
    known: int = 0
    target: float | None = None
    computed_at: datetime | None = None
    also: list["Told"] = field(default_factory=list)

    @property
    def unit(self) -> str:
        """The unit with the currency of an amount: `money:eur`."""
        return f"money:{self.scope.removeprefix(CURRENCY)}" if self.kpi.is_revenue else self.kpi.unit

    @property
    def is_good(self) -> bool | None:
        """Whether the target is met; None where there is none to tell."""
        if self.target is None or self.value is None or self.stale:
            return None
        return self.value <= self.target if self.kpi.better == "lower" else self.value >= self.target


Found = dict[tuple[str, str], dict[date, Point]]


def load(names: Iterable[str], scope: str, days: int) -> Found:
    """(figure, scope) -> day -> point for so many days up to today, in one query.

    Of the whole, of currencies and of `scope` every day; of other parts and of the baseline yesterday's and today's.
    """
    this = computing.today()
    parts = Q(scope="") | Q(scope__startswith=CURRENCY) | Q(scope=scope) | Q(day__gte=this - DAY)
    wanted = (Q(kpi__in=list(names)) & parts) | Q(kpi__startswith=BASELINE, day__gte=this - DAY)
    found: Found = {}
    columns = ("kpi", "scope", "day", "value", "numerator", "denominator", "error", "computed_at")
    rows = KpiDay.objects.filter(wanted, day__gt=this - DAY * days).order_by()
    for name, which, day, *rest in rows.values_list(*columns):
        found.setdefault((name, which), {})[day] = Point(*rest)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days, of which scope, against which targets."""

    period: int
    scope: str
    last: date
    targets: Mapping[str, float]


def told(
    names: Iterable[str], period: int, scope: str = "", last: date | None = None, found: Found | None = None
) -> list[Told]:
    """The figures of a period of so many days that ends today, or with the day `last`. Two queries, less if loaded."""
    wanted, this = list(names), computing.today()
    if found is None:
        found = load(wanted, scope, span(period) + (this - (last or this)).days)
    asked = Asked(period, scope, last or this, dict(KpiTarget.objects.values_list("kpi", "value")))
    return [_told(KPIS[name], found, asked) for name in wanted]


def span(period: int) -> int:
    """How many days are needed for a period, the one before it, and the small lines."""
    return max(SHOWN, 2 * period)


def _told(kpi: Kpi, found: Mapping[tuple[str, str], Series], asked: Asked) -> Told:
    whole = found.get((kpi.name, ""), {})
    scopes = [asked.scope]
    if kpi.is_revenue:
        scopes = sorted(which for name, which in found if name == kpi.name and which.startswith(CURRENCY)) or [""]
    made = [_one(kpi, which, whole, found.get((kpi.name, which), {}), asked) for which in scopes]
    made[0].also = made[1:]
    return made[0]


def _one(kpi: Kpi, scope: str, whole: Series, series: Series, asked: Asked) -> Told:
    filled = {day: _filled(scope, whole[day], series.get(day), kpi) for day in whole}
    good = [day for day in whole if not whole[day].error]
    newest = max(good, default=None)
    now = [asked.last - DAY * n for n in range(asked.period)]
    before = [asked.last - DAY * n for n in range(asked.period, 2 * asked.period)]
    days = (asked.last - DAY * n for n in range(SHOWN - 1, -1, -1))
    points = [(day.isoformat(), _value(filled.get(day))) for day in days]
    first = next((at for at, (_, value) in enumerate(points) if value is not None), len(points))
    stale = _stale(whole, newest)
    return Told(
        kpi, scope, None if stale else over(kpi, filled, now), over(kpi, filled, before), points[first:],
        so_far=asked.last == computing.today() and asked.last in good, stale=stale, known=len(points) - first,
        target=asked.targets.get(kpi.name, kpi.target), computed_at=whole[newest].computed_at if newest else None,
    )  # fmt: skip


def _stale(whole: Series, last: date | None) -> str:
    """Why the newest number may not be shown as new; empty when it may."""
    this = computing.today()
    if last is None:
        error = next((one.error for one in whole.values()), "")
        return f"Not computed yet{': ' + error if error else ''}." if error else ""
    newest = whole[max(whole)]
    if newest.error:
        return f"Not computed since {last}: {newest.error}."
    return f"Not computed since {last}." if (this - last).days > 1 else ""


def _filled(scope: str, whole: Point, there: Point | None, kpi: Kpi) -> Point:
    """A scope without a row on a day that was computed had nothing: zero of what is counted, no share of anything."""
    if there is not None or whole.error:
        return there or whole
    if not scope:
        return whole
    value = 0.0 if kpi.how in ("sum", "stock") else None
    return Point(value, 0, 0, "", whole.computed_at)


def _value(one: Point | None) -> float | None:
    return None if one is None or one.error else one.value


def over(kpi: Kpi, series: Series, days: Sequence[date]) -> float | None:
    """What some days come to; None where none of them has a number."""
    rows = [series[day] for day in sorted(days) if day in series and not series[day].error]
    valued = [one for one in rows if one.value is not None]
    if not valued:
        return None
    if kpi.how == "stock":
        return valued[-1].value
    if kpi.how == "sum":
        return float(sum(one.numerator for one in valued))
    weight = sum(one.denominator for one in valued)
    if not weight:
        return None
    if kpi.how == "median":
        return sum((one.value or 0.0) * one.denominator for one in valued) / weight
    return sum(one.numerator for one in valued) / weight


def visible(user: Any) -> list[str]:
    """The figures that a person may see."""
    return [name for name, kpi in KPIS.items() if not kpi.is_revenue or user.has_perm("meshline.view_revenue")]


def scopes(found: Found) -> list[str]:
    """The automations and teams that there are figures of, today or yesterday."""
    return sorted({scope for _, scope in found if scope.startswith(("automation:", "team:"))})


def baseline_now(found: Found) -> tuple[dict[tuple[str, str], tuple[int, int]], datetime | None]:
    """How the baseline's figures stood when they were last computed: (measure, key) -> (value, of)."""
    known = {key: points for key, points in found.items() if key[0].startswith(BASELINE)}
    newest = max((day for points in known.values() for day in points), default=None)
    now = {
        (name.removeprefix(BASELINE), key): points[newest] for (name, key), points in known.items() if newest in points
    }
    at = max((one.computed_at for one in now.values()), default=None)
    return {key: (one.numerator, one.denominator) for key, one in now.items()}, at


def monday(day: date | None = None) -> date:
    """The Monday of a day's week (UTC)."""
    at = day or computing.today()
    return at - DAY * at.weekday()


def months(found: Found) -> list[tuple[str, str, str, int]]:
    """What came in and went out by calendar month (UTC), of the days that are loaded, the newest first:

    (month, figure, currency, minor units).
    """
    sums: dict[tuple[str, str, str], int] = {}
    for (name, scope), points in found.items():
        kpi = KPIS.get(name)
        if kpi is None or not kpi.is_revenue or kpi.how != "sum" or not scope:
            continue
        for day, one in points.items():
            key = (f"{day:%Y-%m}", name, scope.removeprefix(CURRENCY))
            sums[key] = sums.get(key, 0) + (0 if one.error else one.numerator)
    return [(*key, sums[key]) for key in sorted(sums, key=lambda one: (one[0], one[1], one[2]), reverse=True)]

"""Key figures on Home, out of the rows a job makes each day; what was not computed is never shown as new."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from ledger import money
from meshline.console import charts
from meshline.console.home_numbers import rows
from meshline.kpis import computing, desk, reading
from meshline.kpis.catalogue import KPIS
from meshline.kpis.reading import CURRENCY, Point

VIEW, REVENUE = desk.VIEW, desk.REVENUE
DAYS = 7
PER_AUTOMATION = "false_positive_rate"  # what people put right of an automation's decisions; the rest they agree with
STRIP = (
    "reconciliation_backlog", "reconciliation_failure_rate", "time_to_correct", "auto_resolved_share", "sla_met",
    "time_between_signed_and_customer_created",
)  # fmt: skip
SQL = """
select d.kpi, d.scope, d.day, d.value, d.numerator, d.denominator, d.error, d.computed_at, t.value
  from meshline_kpiday d left join meshline_kpitarget t on t.kpi = d.kpi
 where d.day > %(since)s and d.kpi = any(%(names)s)
   and (d.scope = '' or d.scope like 'currency:%%' or (d.kpi = %(split)s and d.scope like 'automation:%%'))"""


@dataclass(slots=True)
class Figures:
    """Days of figures by (figure, scope), and targets that people set. Empty for who may not see key figures."""

    series: dict[tuple[str, str], dict[date, Point]] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)

    def last(self, name: str) -> date | None:
        """The newest day that was computed, if that is today or yesterday."""
        whole = self.series.get((name, ""), {})
        newest = max(whole, default=None)
        good = newest is not None and not whole[newest].error and (computing.today() - newest).days <= 1
        return newest if good else None

    def day_words(self, name: str) -> str:
        """What the number is of, or since when there is none."""
        known = [day for day, one in self.series.get((name, ""), {}).items() if not one.error]
        if self.last(name):
            return "today so far" if self.last(name) == computing.today() else "yesterday"
        return f"not computed since {max(known)}" if known else "not computed yet"

    def computed_at(self, name: str) -> datetime | None:
        """When the newest number was made."""
        last = self.last(name)
        return self.series[name, ""][last].computed_at if last else None

    def amounts(self, name: str) -> list[tuple[str, str]]:
        """A stock of money in each currency with its code, the largest number first; without rows that day it is zero.

        In whole units, and in millions where that is enough to read.
        """
        last = self.last(name)
        if last is None:
            return []
        found = [
            (days[last].value or 0, scope.removeprefix(CURRENCY))
            for (which, scope), days in self.series.items()
            if which == name and scope.startswith(CURRENCY) and last in days
        ]
        return [(whole(value, code), code.upper()) for value, code in sorted(found, reverse=True)] or [("0", "")]

    def share(self, name: str, *, scope: str = "", days: int = DAYS) -> float | None:
        """A share over some days up to today; None where nothing was counted or the figure is old."""
        return self.over(name, scope, days) if self.last(name) else None

    def judged(self, name: str, *, scope: str = "", days: int = DAYS) -> int:
        """How many it was a share of."""
        since = computing.today() - computing.DAY * days
        return sum(one.denominator for day, one in self.series.get((name, scope), {}).items() if day > since)

    def over(self, name: str, scope: str = "", days: int = DAYS) -> float | None:
        """What some days come to."""
        wanted = [computing.today() - computing.DAY * n for n in range(days)]
        return reading.over(KPIS[name], self.series.get((name, scope), {}), wanted)


def whole(minor: float, currency: str) -> str:
    """An amount in whole units: `12,400`, `3.41 M`; in minor ones where nobody knows the currency."""
    units = minor / 10 ** (money.exponent(currency) or 0)
    return f"{units / 1e6:,.2f} M" if abs(units) >= 1e6 else f"{units:,.0f}"


def load(request: HttpRequest) -> Figures:
    """The figures this person may see on Home. One statement, none without the permission."""
    may = request.user.has_perm
    if not may(VIEW) and not may("gates.view_automation"):
        return Figures()
    names = [*STRIP, PER_AUTOMATION, *(["revenue_at_risk"] if may(REVENUE) else [])]
    since = computing.today() - computing.DAY * (DAYS + 1)
    figures = Figures()
    for name, scope, day, *rest, target in rows(SQL, {"since": since, "names": names, "split": PER_AUTOMATION}):
        figures.series.setdefault((name, scope), {})[day] = Point(*rest)
        if target is not None:
            figures.targets[name] = target
    return figures


def strip(figures: Figures) -> list[dict[str, Any]]:
    """One line a figure: what seven days come to, against its target, with the way to its rows."""
    return [_line(name, figures) for name in STRIP]


def _line(name: str, figures: Figures) -> dict[str, Any]:
    kpi, is_known = KPIS[name], figures.last(name) is not None
    value = figures.over(name) if is_known else None
    goal = figures.targets.get(name, kpi.target)
    good = None if value is None or goal is None else value <= goal if kpi.better == "lower" else value >= goal
    return {
        "title": kpi.title, "url": address(name), "formula": formula(name), "value": charts.worded(value, kpi.unit),
        "said": "" if is_known else figures.day_words(name), "tone": "" if good is not False else "amber",
        "target": charts.worded(goal, kpi.unit) if goal is not None else "", "missed": good is False,
        "lower": kpi.better == "lower",
    }  # fmt: skip


def address(name: str) -> str:
    """The page with a figure's formula and the rows behind it."""
    return reverse("admin:kpi", args=[name])


def formula(name: str) -> str:
    """How it is made, for people."""
    return KPIS[name].formula


def target(name: str, figures: Figures | None = None) -> float | None:
    """What it should be."""
    set_by_people: Mapping[str, float] = figures.targets if figures else {}
    return set_by_people.get(name, KPIS[name].target)

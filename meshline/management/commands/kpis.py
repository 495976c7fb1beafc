"""`kpis`: show the key figures, compute days anew, or print them as JSON or CSV."""

import csv
import json
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates.shell import FOUND_TROUBLE, WRONG_USE
from meshline.console.ledger_export import safe
from meshline.kpis import computing, reading, weekly
from meshline.kpis.catalogue import KPIS
from meshline.kpis.models import KpiDay
from meshline.kpis.reading import Told

HEAD = ("figure", "scope", "value", "before", "target", "met", "so_far", "stale", "computed_at")


class Command(BaseCommand):
    """Without an option nothing is stored."""

    help = "Show the key figures of 7, 28 or 90 days, compute what is due or one day anew, or show the weekly report."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and how to print it."""
        parser.add_argument("do", nargs="?", choices=("show", "compute", "report"), default="show")
        parser.add_argument("--day", help="with compute: this UTC day only, as 2026-11-21, at most 365 days back")
        parser.add_argument("--days", type=int, default=28, help="with show: 7, 28 or 90 days up to today")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--csv", action="store_true", help="print a row a figure and currency")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit 2 where the request is wrong, 1 where a figure could not be computed."""
        if options["json"] and options["csv"]:
            raise CommandError("one of --json and --csv", returncode=WRONG_USE)
        if options["day"] and options["do"] != "compute":
            raise CommandError("--day goes with compute", returncode=WRONG_USE)
        {"show": self._show, "compute": self._compute, "report": self._report}[options["do"]](options)

    def _compute(self, options: dict[str, Any]) -> None:
        if not options["day"]:
            told = computing.run()
            failed = dict(KpiDay.objects.filter(day=computing.today()).exclude(error="").values_list("kpi", "error"))
        else:
            told = f"{len(KPIS)} figures of {options['day']} computed"
            failed = computing.compute([_day(options["day"])])
        self.stdout.write(json.dumps({"said": told, "failed": failed}) if options["json"] else told)
        if failed:
            words = "; ".join(f"{name}: {why}" for name, why in failed.items())
            raise CommandError(f"not computed: {words}", returncode=FOUND_TROUBLE)

    def _show(self, options: dict[str, Any]) -> None:
        if options["days"] not in reading.PERIODS:
            known = ", ".join(map(str, reading.PERIODS))
            raise CommandError(f"--days: {known} are known, not {options['days']}", returncode=WRONG_USE)
        found = [one for each in reading.told(KPIS, options["days"]) for one in (each, *each.also)]
        if options["json"]:
            told = [dict(zip(HEAD, _values(one), strict=True)) for one in found]
            self.stdout.write(json.dumps({"days": options["days"], "figures": told}))
        elif options["csv"]:
            writer = csv.writer(self.stdout, lineterminator="\n")
            writer.writerow(HEAD)
            writer.writerows([safe(one) if isinstance(one, str) else one for one in _values(one)] for one in found)
        else:
            for one in found:
                self.stdout.write(weekly.line(one).replace("the week before", f"the {options['days']} days before"))
        stale = [one.kpi.name for one in found if one.stale]
        if stale:
            raise CommandError(f"not computed: {', '.join(stale)}", returncode=FOUND_TROUBLE)

    def _report(self, options: dict[str, Any]) -> None:
        week = reading.monday()
        lines = [*weekly.lines(week), *weekly.revenue_lines(week)]
        self.stdout.write(
            json.dumps({"before": week.isoformat(), "lines": lines}) if options["json"] else "\n".join(lines)
        )


def _values(one: Told) -> tuple[Any, ...]:
    at = one.computed_at.isoformat() if one.computed_at else None
    scope = one.scope.removeprefix(reading.CURRENCY)
    return one.kpi.name, scope, one.value, one.before, one.target, one.is_good, one.so_far, one.stale, at


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--day: a day as 2026-11-21, not {text[:20]!r}", returncode=WRONG_USE) from None
    this = computing.today()
    if not this - timedelta(days=365) <= day <= this:
        raise CommandError("--day: from 365 days ago to today (UTC)", returncode=WRONG_USE)
    return day

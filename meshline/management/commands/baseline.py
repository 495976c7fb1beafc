"""`baseline`: store how things stand today, or show it beside the first snapshot."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import shell
from ledger import clock
from meshline import baseline
from sync.baselines import BaselineFigure


class Command(BaseCommand):
    """Without `--take` nothing is stored."""

    help = "Take today's baseline (top kinds of tickets, time to correct, escalations, leakage), or show how it stands."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to store it, over how many days, and by whom."""
        parser.add_argument("--take", action="store_true", help="store today's snapshot; one a day")
        parser.add_argument("--days", type=int, default=baseline.DAYS, help="window, 1 to 365 days before now")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        shell.add_person(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit 2 where the request is wrong, 1 where today's is taken already."""
        if options["take"]:
            with shell.door():
                baseline.take(by=shell.person(options["username"]), days=options["days"])
        days = min(max(options["days"], 1), baseline.MOST_DAYS)
        now = baseline.measure(clock.now().date(), days)
        then = {(one.measure, one.key): one for one in baseline.first()}
        if options["json"]:
            self.stdout.write(json.dumps(self._told(now, then)))
            return
        day = next(iter(then.values())).day if then else None
        self.stdout.write(f"first baseline: {day or 'none yet; take one with --take --as USER'}")
        for one in now:
            before = then.get((one.measure, one.key))
            title = f"{BaselineFigure.Measure(one.measure).label} {one.key}".strip()
            self.stdout.write(f"{title}: {baseline.words(one)}; then {baseline.words(before) if before else '-'}")

    def _told(self, now: Any, then: Any) -> dict[str, Any]:
        day = next(iter(then.values())).day if then else None
        figures = [
            {
                "measure": str(one.measure), "key": one.key, "value": one.value, "of": one.of,
                "then": [found.value, found.of] if (found := then.get((one.measure, one.key))) else None,
            }
            for one in now
        ]  # fmt: skip
        return {"first": day.isoformat() if day else None, "figures": figures}

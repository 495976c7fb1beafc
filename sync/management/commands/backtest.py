"""`backtest`: what an automation, or a gate's draft, would have decided on the decisions of the last days."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import backtests, shell
from gates.models import BackTest, GateVersion
from sync import backtest_job

BOX_SECONDS = 1.0


class Command(BaseCommand):
    """The same back-test as on its page; this process does the work."""

    help = (
        "Judge stored decisions again: by the rules, gates and limits of now, or with a gate's draft. Reads only. Exit"
        " 0 when it finished, 1 when something could not be tried, 2 when refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What is tried, and on how many days."""
        parser.add_argument("automation", nargs="?", default="", help="name of an automation")
        parser.add_argument("--gate", default="", help="instead: the open draft of this gate, or its newest version")
        parser.add_argument("--days", type=int, default=30)
        parser.add_argument("--stage", default="", help="judge as if the automation were in this stage")
        parser.add_argument("--json", action="store_true", dest="as_json")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Plan it, do it, print it."""
        by = shell.person(options["username"])
        gate = self._gate(options["gate"]) if options["gate"] else None
        with shell.door():
            one = backtests.ask(
                by=by, gate=gate, automation=options["automation"], stage=options["stage"], days=options["days"]
            )
        while backtest_job.run(one.pk, box=BOX_SECONDS):
            self._progress(one.pk)
        one = BackTest.objects.get(pk=one.pk)
        if options["as_json"]:
            self.stdout.write(json.dumps(report(one)))
        else:
            self._print(one)
        if one.state != BackTest.State.DONE:
            raise CommandError(
                f"{one} is {one.get_state_display().lower()}; somebody else works on it or ended it", returncode=1
            )
        if one.missing:
            raise CommandError("not everything could be tried", returncode=shell.FOUND_TROUBLE)

    def _gate(self, name: str) -> GateVersion:
        found = GateVersion.objects.filter(name=name).order_by("-version").first()
        if found is None:
            raise CommandError(f"--gate: there is no gate {name!r}", returncode=shell.WRONG_USE)
        return found

    def _progress(self, key: int) -> None:
        one = BackTest.objects.get(pk=key)
        if self.stderr.isatty() or sys.stderr.isatty():
            self.stderr.write(f"{backtest_job.progress(one):.0%}, {one.counts.get('seen', 0)} judged")

    def _print(self, one: BackTest) -> None:
        counts = one.counts
        self.stdout.write(
            f"{one}: {counts.get('seen', 0)} decisions of {one.days} days, {counts.get('changed', 0)} would change, "
            f"{counts.get('corrected', 0)} of those were corrected later"
        )
        for before, after, count in one.steps:
            self.stdout.write(f"{count:>8}  {before} -> {after}")
        for sentence in one.missing:
            self.stdout.write(sentence)


def report(one: BackTest) -> dict[str, Any]:
    """A back-test as it is printed."""
    return {
        "backtest": one.pk, "state": str(one.state), "automation": one.automation, "days": one.days,
        "gate": str(one.gate) if one.gate else "", **one.counts, "steps": one.steps, "missing": one.missing,
    }  # fmt: skip

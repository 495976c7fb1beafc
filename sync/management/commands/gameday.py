"""`gameday`: drill the emergency stop."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell, stop
from gates.models import GameDay
from sync import gameday
from sync.gameday import running


class Command(BaseCommand):
    """The same drill as on its page, with the same rules; the workers have to run."""

    help = (
        "Halt a scope for real, measure when the last write began, and list what would have to be undone. Afterwards a "
        "second person resumes. Exit 0 when it passed, 1 when it failed, 2 when refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What is halted, why and by whom."""
        parser.add_argument(
            "--scope", default="", help="all, provider:<name>, automation:<name> or customer:<external id>; default the"
            " customer of MESHLINE_DRILL_CUSTOMER, else all",
        )  # fmt: skip
        parser.add_argument("--reason", default="monthly drill", help="goes into the ledger, so no personal data")
        parser.add_argument("--json", action="store_true", dest="as_json")
        parser.add_argument("--status", action="store_true", help="only say when the next drill is due")
        shell.add_person(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        """Drill, print, exit."""
        if options["status"]:
            self._status(as_json=options["as_json"])
            return
        by = shell.person(options["username"])
        with shell.door():
            one = gameday.begin(by=by, scope=options["scope"], reason=options["reason"])
        running.run(one.pk)
        one = GameDay.objects.get(pk=one.pk)
        if options["as_json"]:
            self.stdout.write(json.dumps(report(one)))
        else:
            for name, value in report(one).items():
                self.stdout.write(f"{name.replace('_', ' '):<24}{value}")
            if one.stopped_at is not None:
                self.stdout.write(f"{by.get_username()} asked to resume {one.scope}; another person has to confirm it.")
        if one.state != GameDay.State.PASSED:
            raise CommandError(f"the drill failed: {one.said}", returncode=shell.FOUND_TROUBLE)

    def _status(self, *, as_json: bool) -> None:
        found = gameday.standing()
        if as_json:
            due = found.due_at.isoformat() if found.due_at else None
            self.stdout.write(json.dumps({"overdue": found.is_overdue, "due_at": due, "said": found.sentence}))
        else:
            self.stdout.write(found.sentence)
        if found.is_overdue:
            raise CommandError("the drill is overdue", returncode=shell.FOUND_TROUBLE)


def report(one: GameDay) -> dict[str, Any]:
    """The numbers of a drill, as they are printed."""
    return {
        "drill": str(one), "scope": one.scope, "on_simulators": one.is_simulated, "result": str(one.state),
        "writes_begun_before": one.begun_before, "in_flight_at_halt": one.in_flight, "time_to_halt_ms": one.halt_ms,
        "writes_begun_after": one.begun_after, "held": one.held, "probes": one.probes,
        "projected_compensations": one.projected_total, "said": one.said, "stopped": one.scope == stop.ALL,
    }  # fmt: skip

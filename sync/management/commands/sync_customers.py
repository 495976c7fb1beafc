"""`sync_customers`: start a run of the customer sync from a shell and read it to its end."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from gates.stop import Refused
from sync.customer_sync import collecting, engine, profiles, runs
from sync.customer_sync.models import SyncOutcome, SyncRun

BOX_SECONDS = 5.0


class Command(BaseCommand):
    """Every customer is read and decided here; what has to be written is written by the workers."""

    help = "Sync customers of the ERP to the billing system. With --dry-run nothing is written anywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which profile, whom, and how it is printed."""
        parser.add_argument("--profile", default=profiles.DEFAULT, help="the name of a profile")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument("--ids", metavar="N,N", default="", help="internal ids of the ERP, comma separated")
        parser.add_argument("--as", dest="user", metavar="USER", help="the account it is started by")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit 1 where a row needs somebody or the run stopped, 2 on wrong use."""
        ids = [one.strip() for one in options["ids"].split(",") if one.strip()]
        mode = SyncRun.Mode.DRY if options["dry_run"] else SyncRun.Mode.SINGLE if ids else SyncRun.Mode.MASS
        by = shell.person(options["user"]) if options["user"] else None
        try:
            run = runs.start(options["profile"], mode, by=by, ids=ids, ring=False)
        except Refused as refusal:
            code = shell.WRONG_USE if refusal.status in (404, 422) else shell.FOUND_TROUBLE
            raise CommandError(f"Nothing was started: {refusal.message}.", returncode=code) from None
        while run.state in (SyncRun.State.PLANNED, SyncRun.State.RUNNING) and run.read_at is None:
            if not engine.work(run.pk, box=BOX_SECONDS):
                run.refresh_from_db()
                break
            run.refresh_from_db()
        self.say(run, as_json=options["json"])

    def say(self, run: SyncRun, *, as_json: bool) -> None:
        """Print what it came to so far."""
        counts = collecting.count(run.pk)
        bad = counts.get("review", 0) + counts.get("error", 0)
        if as_json:
            said = {"run": run.pk, "state": run.state, "rows": run.rows, "counts": counts, "why": run.why}
            self.stdout.write(json.dumps(said))
        else:
            self.stdout.write("\n".join(sentences(run, counts)))
        if bad or run.state in (SyncRun.State.FAILED, SyncRun.State.PAUSED):
            raise SystemExit(shell.FOUND_TROUBLE)


def sentences(run: SyncRun, counts: dict[str, int]) -> list[str]:
    """The run for people."""
    labels = dict(SyncOutcome.Outcome.choices)
    dry = " (dry run: nothing was written)" if run.mode == SyncRun.Mode.DRY else ""
    lines = [f"Sync run {run.pk} is {run.get_state_display().lower()}, {run.rows:,} customers were read{dry}"]
    lines += [f"  {labels[name].lower():14} {counts[name]:,}" for name in labels if counts.get(name)]
    if run.why:
        lines.append(run.why)
    if counts.get("pending"):
        lines.append("The workers write what is under way; the run's page shows it.")
    return lines

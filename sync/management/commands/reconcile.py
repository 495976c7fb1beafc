"""`reconcile CHECK`: compare two systems now, to the end: exit 0 they agree, 1 they differ or could not be read."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import shell
from ledger import cells
from sync.reconcile import checks, runs, words
from sync.reconcile.models import ReconcileRun


class Command(BaseCommand):
    """Reads only; what differs is opened as a difference for somebody to see to, what is gone is closed."""

    help = "Compare two systems record by record. Exit 0: they agree. 1: they differ, or one could not be read whole."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which comparison, and how to print."""
        parser.add_argument("check", help=f"one of {', '.join(checks.CHECKS)}")
        parser.add_argument("--dry-run", action="store_true", help="open and close nothing, and keep no run")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Begin, work to the end, say what came of it."""
        with shell.door():
            if options["dry_run"]:
                run = runs.dry(options["check"])
            else:
                run = runs.to_the_end(runs.begin(options["check"], runs.SHELL, in_background=False))
        self.stdout.write(json.dumps(as_json(run)) if options["json"] else "\n".join(sentences(run)))
        if run.outcome != ReconcileRun.Outcome.AGREE:
            sys.exit(shell.FOUND_TROUBLE)


def as_json(run: ReconcileRun) -> dict[str, Any]:
    """The run for programs."""
    check = checks.get(run.check_name)
    return {
        "run": run.pk, "check": run.check_name, "outcome": run.outcome, "error": run.error,
        "rows": {check.left: run.left_rows, check.right: run.right_rows}, "compared": run.compared,
        "differing": run.differing, "classes": run.counts, "opened": run.opened, "closed": run.closed,
        "mismatch_permille": run.mismatch_permille, "flagged": run.flagged,
        "gaps": run.gaps, **({"totals": words.totals_by_name(run.totals)} if run.totals else {}),
    }  # fmt: skip


def sentences(run: ReconcileRun) -> list[str]:
    """The run for people."""
    check = checks.get(run.check_name)
    if run.outcome == ReconcileRun.Outcome.FAILED:
        return [f"Run {run.pk} failed: {run.error}. Nothing was compared; open differences stay as they were."]
    left, right = cells.system(check.left), cells.system(check.right)
    lines = [f"Run {run.pk}: {left} {run.left_rows}, {right} {run.right_rows}, compared {run.compared} records."]
    counts = sorted(run.counts.items())
    agree = ["They agree."] if run.outcome == ReconcileRun.Outcome.AGREE else []
    lines += [f"{count:>6}  {words.class_words(kind, check.name, count)}" for kind, count in counts] or agree
    lines += words.totals_lines(run.totals, left, right)
    is_partial = run.outcome == ReconcileRun.Outcome.PARTIAL
    lines += ["Partial: nothing was closed, and this was not compared:"] if is_partial else []
    lines += [f"  {name}: {why}" for name, why in run.gaps]
    lines.append(f"Opened {run.opened}, closed {run.closed}, {run.mismatch_permille / 10:.1f} % of the records differ.")
    return [*lines, "Flagged: more than 2 % differ."] if run.flagged else lines

"""`verify_ledger`: is the append-only journal whole, and does it say where everything stands."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from ledger import clock, offline_check, verify
from meshline import ledger_watch
from meshline.subjects import SUBJECTS, UNCHAINED

ACTOR = "system:shell"


class Command(BaseCommand):
    """May run beside everything else; changes nothing but the record of what it found."""

    help = (
        "Check the ledger's protection, its seals, every step and every chain of rows, and that each record stands "
        "where its last row says. Exit 1 names the first broken row. A range checks its rows and their seals only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The range and how to print."""
        add_range(parser)
        parser.add_argument(
            "--against", default="", metavar="FILE", help="seals exported earlier: this must be their ledger still"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print `intact, N rows` or what is broken."""
        first, last = given_range(options)
        began = clock.now()
        try:
            exported = offline_check.read_seals(options["against"]) if options["against"] else []
        except offline_check.Unreadable as error:
            raise CommandError(f"--against: {error}", returncode=shell.WRONG_USE) from error
        upto = None if last == verify.END else last
        report = verify.verify(SUBJECTS, UNCHAINED, first=first, last=upto, exported=exported)
        if first == 1 and upto is None:
            ledger_watch.keep(report, began, ACTOR)
        if options["json"]:
            self.stdout.write(json.dumps({"intact": report.is_intact, **asdict(report)}))
        else:
            for line in lines(report):
                self.stdout.write(line)
        if not report.is_intact:
            raise CommandError("the ledger is not intact", returncode=shell.FOUND_TROUBLE)


def add_range(parser: CommandParser) -> None:
    """The options for a range of rows."""
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="ID", help="first row")
    parser.add_argument("--to", dest="last", type=int, default=verify.END, metavar="ID", help="last row")


def given_range(options: dict[str, Any]) -> tuple[int, int]:
    """The range asked for. Raises CommandError (exit 2) for one that is none."""
    first, last = options["first"], options["last"]
    if first < 1 or last < first or last > verify.END:
        raise CommandError("--from starts at 1 and is not above --to", returncode=shell.WRONG_USE)
    return first, last


def lines(report: verify.Report) -> list[str]:
    """The report for people."""
    found = [f"guard: {fault}" for fault in report.guard]
    if report.broken is not None:
        where = f"row {report.broken.row}: " if report.broken.row is not None else ""
        found.append(f"first broken: {where}{report.broken.problem}")
    if found:
        return [*found, f"{report.rows} rows looked at"]
    sealed = f", {report.sealed} of them sealed" if report.seals else ""
    return [f"intact, {report.rows} rows{sealed}"]

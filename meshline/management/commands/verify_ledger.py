"""`verify_ledger`: is the append-only journal whole, and does it say where everything stands."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from ledger import verify
from meshline.subjects import SUBJECTS, UNCHAINED


class Command(BaseCommand):
    """Reads only; may run beside everything else."""

    help = (
        "Check the ledger's protection, every step and every chain of rows, and that each record stands where its last "
        "row says. Exit 1 names the first broken row. A range checks its rows only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The range and how to print."""
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="ID", help="first row")
        parser.add_argument("--to", dest="last", type=int, metavar="ID", help="last row")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print `intact, N rows` or what is broken."""
        first, last = options["first"], options["last"]
        if first < 1 or (last is not None and last < first):
            raise CommandError("--from starts at 1 and is not above --to", returncode=shell.WRONG_USE)
        report = verify.verify(SUBJECTS, UNCHAINED, first=first, last=last)
        if options["json"]:
            self.stdout.write(json.dumps({"intact": report.is_intact, **asdict(report)}))
        else:
            for line in lines(report):
                self.stdout.write(line)
        if not report.is_intact:
            raise CommandError("the ledger is not intact", returncode=shell.FOUND_TROUBLE)


def lines(report: verify.Report) -> list[str]:
    """The report for people."""
    found = [f"guard: {fault}" for fault in report.guard]
    if report.broken is not None:
        where = f"row {report.broken.row}: " if report.broken.row is not None else ""
        found.append(f"first broken: {where}{report.broken.problem}")
    return [*found, f"{report.rows} rows looked at"] if found else [f"intact, {report.rows} rows"]

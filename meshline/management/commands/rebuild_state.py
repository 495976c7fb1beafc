"""`rebuild_state --check`: replay the ledger and list every record that does not stand where its rows put it."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from meshline.subjects import BEGUN_ANYWHERE, NOT_REPLAYED, SUBJECTS
from sync import rebuild
from sync.rebuild import Rebuilt


class Command(BaseCommand):
    """Reads only; may run beside everything else."""

    help = (
        "Replay the ledger's rows into the present state of every action, contract, customer, switch and other subject "
        "and compare it with their tables. Exit 0: nothing differs. 1: what differs is listed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """That it only compares, and how to print."""
        parser.add_argument("--check", action="store_true", help="compare; there is nothing else it does")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, compare, print."""
        if not options["check"]:
            raise CommandError(
                "nothing is rebuilt automatically: run rebuild_state --check, then a person decides what is right",
                returncode=shell.WRONG_USE,
            )
        found = list(rebuild.replay(SUBJECTS, BEGUN_ANYWHERE))
        self.stdout.write(json.dumps(as_json(found)) if options["json"] else "\n".join(lines(found)))
        if any(one.differing for one in found):
            sys.exit(shell.FOUND_TROUBLE)


def as_json(found: list[Rebuilt]) -> dict[str, Any]:
    """The comparison for programs."""
    return {
        "rebuilt": sum(one.subjects for one in found), "rows": sum(one.rows for one in found),
        "differing": sum(one.differing for one in found),
        "kinds": {one.kind: {"rebuilt": one.subjects, "differing": one.differing} for one in found},
        "differences": [asdict(told) for one in found for told in one.differences],
        "not_replayed": list(NOT_REPLAYED),
    }  # fmt: skip


def lines(found: list[Rebuilt]) -> list[str]:
    """The comparison for people."""
    told = []
    for one in found:
        for each in one.differences:
            last = f" (row {each.row})" if each.row is not None else ""
            told.append(
                f"{each.kind} {each.id}: by the ledger {each.by_ledger or 'never heard of'}{last}, "
                f"by its table {each.by_table or 'not there'}"
            )
        if one.differing > len(one.differences):
            told.append(f"{one.kind}: {one.differing - len(one.differences)} more are not listed")
    rebuilt, rows, differing = (sum(getattr(one, name) for one in found) for name in ("subjects", "rows", "differing"))
    return [*told, f"{rebuilt} subjects rebuilt from {rows} rows, {differing} differ"]

"""`export_ledger --from --to FILE`: sealed rows as CSV in the very form that was sealed, for `offline_check.py`."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from ledger import book
from ledger.seals import exporting
from meshline.management.commands.verify_ledger import ACTOR, add_range, given_range


class Command(BaseCommand):
    """What is exported, and that it came to its end, are ledger rows, as with the export of the page."""

    help = (
        "Write sealed rows to a new CSV file, whole seals: the range is widened to their ends. No name and no address "
        "is in it. Check it anywhere: python offline_check.py SEALS FILE."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, and which."""
        parser.add_argument("file", help="a name that is not taken")
        add_range(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write and say what is in it."""
        first, last = given_range(options)
        number = str(uuid.uuid4())
        try:
            bounds = exporting.Bounds(first, last)
            with exporting.new_file(options["file"]) as file:
                _note(number, "export", {"from_row": bounds.first, "up_to_row": bounds.last, "sealed_form": True})
                count = exporting.rows(bounds, file)
        except exporting.NotExported as error:
            raise CommandError(str(error), returncode=shell.WRONG_USE) from error
        _note(number, "exported", {"rows": count, "up_to_row": bounds.last})
        self.stdout.write(f"rows: {count}, from {bounds.first} to {bounds.last}")


def _note(number: str, decision: str, inputs: dict[str, Any]) -> None:
    row = {"subject_kind": "export", "subject_id": number, "prior_state": "export", "post_state": "export"}
    book.write_rows([row | {"decision": decision, "actor": ACTOR, "inputs": inputs, "outcome": decision}])

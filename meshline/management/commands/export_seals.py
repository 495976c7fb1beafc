"""`export_seals FILE`: the seals as a file, for keeping where nobody who works on this database can reach it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from ledger.seals import exporting
from meshline.management.commands.verify_ledger import add_range, given_range


class Command(BaseCommand):
    """Reads only; a file that is there is never written over."""

    help = (
        "Write seals to a new file. verify_ledger --against FILE then also finds seals made anew or cut off; "
        "offline_check.py checks an exported ledger with it. A seal holds digests only, nothing of a row can be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to, and which."""
        parser.add_argument("file", help="a name that is not taken")
        add_range(parser)
        parser.add_argument(
            "--heads", action="store_true", help="without the digest of each row: small, and names a range, not the row"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write and say what is in it."""
        first, last = given_range(options)
        try:
            bounds = exporting.Bounds(first, last)
            with exporting.new_file(options["file"]) as file:
                count = exporting.seals(bounds, file, whole=not options["heads"])
        except exporting.NotExported as error:
            raise CommandError(str(error), returncode=shell.WRONG_USE) from error
        self.stdout.write(f"seals: {count}, over rows {bounds.first} to {bounds.last}")

"""`check_context`: are the facts that are stored of customers what their systems say now?"""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from gates.stop import Refused
from sync import accuracy


class Command(BaseCommand):
    """`check_context [--sample N] [--json]`. Reads only."""

    help = "Reads some customers live and says, field by field, how often the stored facts were the same."

    def add_arguments(self, parser: CommandParser) -> None:
        """How many."""
        parser.add_argument("--sample", type=int, default=accuracy.SAMPLE, metavar="N", help="contracts, 1 to 500")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare and print; exit 1 where nothing could be compared."""
        try:
            one = accuracy.run(options["sample"], by="operator:check_context")
        except Refused as refusal:
            raise CommandError(refusal.message, returncode=shell.WRONG_USE) from None
        if options["json"]:
            said = {"sampled": one.sampled, "unread": one.unread, "fields": one.fields}
            self.stdout.write(json.dumps({**said, "alike": accuracy.share(one.fields)}))
        else:
            for name, (compared, equal) in one.fields.items():
                self.stdout.write(f"{equal:>6,} of {compared:>6,}  {name}")
            self.stdout.write(f"{one.unread:>6,} blocks could not be read")
            self.stdout.write(accuracy.words(one))
        if not one.fields:
            raise SystemExit(shell.FOUND_TROUBLE)

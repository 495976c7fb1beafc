"""`seal_ledger`: seal the ledger rows that are not sealed yet, now."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ledger.seals import sealing


class Command(BaseCommand):
    """Safe at any moment, beside running workers and beside itself; the schedule does the same every five minutes."""

    help = "Seal what is not sealed yet: a digest of each row, chained to the seal before. Prints how many rows."

    def add_arguments(self, parser: CommandParser) -> None:
        """How to print."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal and say."""
        done = sealing.seal()
        self.stdout.write(json.dumps(asdict(done)) if options["json"] else str(done))

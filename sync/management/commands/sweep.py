"""`sweep`: bring back what died and wake what is due, once."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sync import sweep

WORDS = {
    "tripped": "limits passed, for which everything was stopped",
    "parked_events": "events parked because their handling kept dying",
    "heard_again": "events about customers who were met meanwhile",
    "freed_actions": "actions whose worker had died",
    "due": "held actions whose time has come",
    "released": "actions released after a stop",
    "woken": "review items whose wait is over",
    "bumped": "steps of the SLA, to the next owner",
    "messages": "messages about review items to write",
}


class Command(BaseCommand):
    """Safe at any moment and beside running workers; a minute's tick does the same."""

    help = "Sweep once: free expired leases, wake what is due, release a few of what the stop held. Prints counts."

    def add_arguments(self, parser: CommandParser) -> None:
        """How to print."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found."""
        counts = sweep.sweep()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for name, count in counts.items():
            self.stdout.write(f"{count:>6}  {WORDS.get(name, name)}")

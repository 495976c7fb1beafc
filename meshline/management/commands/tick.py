"""`tick`: what the scheduler does each minute, once, by hand."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from meshline import schedules


class Command(BaseCommand):
    """Sweep and run what is planned; safe beside a running scheduler."""

    help = "Sweep and run the planned jobs that are due, once. Exit 1 when one of them failed."

    def add_arguments(self, parser: CommandParser) -> None:
        """How to print."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what each job came to."""
        outcomes = schedules.tick()
        if options["json"]:
            self.stdout.write(json.dumps(outcomes))
        else:
            for name, outcome in outcomes.items():
                self.stdout.write(f"{name}: {outcome}")
        failed = [name for name, outcome in outcomes.items() if outcome.startswith("failed")]
        if failed:
            raise CommandError(f"failed: {', '.join(failed)}", returncode=1)

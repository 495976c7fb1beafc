"""`manage.py sandbox`: the provider simulators alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sync.sandbox.server import DEFAULT_PORT, PortTaken, run


class Command(BaseCommand):
    """Serve every provider simulator on one loopback port until stopped."""

    help = "Run the provider simulators. Books: GET /_books/<provider>; faults: POST /_faults."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Port, seed and faults."""
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1; 0 picks a free one")
        parser.add_argument("--seed", type=int, default=1, help="same seed, same ids and same faults")
        parser.add_argument("--faults", default="", metavar="FILE", help="JSON file with rules of the fault dial")
        parser.add_argument("--watch-parent", action="store_true", help="stop when the starting process is gone")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT."""
        try:
            run(options["port"], options["seed"], options["faults"], watch_parent=options["watch_parent"])
        except (PortTaken, ValueError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error

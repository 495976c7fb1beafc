"""`stop`: halt every write of a scope, from the shell."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import shell, stop


class Command(BaseCommand):
    """The same switch as in the console, with the same rules."""

    help = "Halt every write of a scope within a second. Needs no second person. Exit 2 when refused."

    def add_arguments(self, parser: CommandParser) -> None:
        """Why, what and who."""
        parser.add_argument("reason", help="why; it goes into the ledger, so no personal data")
        parser.add_argument("--scope", default=stop.ALL, help="all, provider:<name> or automation:<name>")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Engage, and say what still happens."""
        by = shell.person(options["username"])
        with shell.door():
            switch = stop.engage(options["scope"], by=by, reason=options["reason"])
        who = switch.stopped_by.get_username() if switch.stopped_by else "somebody"
        self.stdout.write(f"stopped: {switch.scope}, by {who} since {switch.stopped_at:%Y-%m-%d %H:%M:%S} UTC")
        self.stdout.write("Deliveries are still taken and decided; what would be sent is held and nothing expires.")

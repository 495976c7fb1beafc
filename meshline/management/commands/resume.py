"""`resume`: ask to let writes pass again; a second person confirms signed in."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import shell, stop


class Command(BaseCommand):
    """The first half of a resume. The shell cannot do the second: nobody proves here who they are."""

    help = "Ask to resume a stopped scope; everything stays halted until a second person confirms in the console."

    def add_arguments(self, parser: CommandParser) -> None:
        """Why, what and who."""
        parser.add_argument("reason", help="why it is safe again; it goes into the ledger, so no personal data")
        parser.add_argument("--scope", default=stop.ALL, help="all, provider:<name> or automation:<name>")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, and say what is missing."""
        by = shell.person(options["username"])
        with shell.door():
            switch = stop.request_resume(options["scope"], by=by, reason=options["reason"])
        self.stdout.write(f"resume asked for: {switch.scope}, by {by.get_username()}; writes are still stopped")
        self.stdout.write(f"A second person has to confirm it, signed in. Held actions: {stop.held_count()}.")

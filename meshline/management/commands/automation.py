"""`automation`: step an automation to another stage, from the shell."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import automations, shell


class Command(BaseCommand):
    """One step up at a time, any step down at once; paused acts no more."""

    help = "Step an automation: one stage up, any stage down, or paused. Exit 1 when it cannot step there from here."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, where to, who and why."""
        parser.add_argument("name", help="name of the automation, for example dunning")
        parser.add_argument("--stage", required=True, choices=list(automations.VERBS))
        parser.add_argument("--reason", required=True, help="why; it goes into the ledger, so no personal data")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Step, and say where it stands."""
        by = shell.person(options["username"])
        with shell.door():
            stepped = automations.step_to(options["name"], options["stage"], by=by, reason=options["reason"])
        self.stdout.write(f"{stepped.name}: {stepped.get_state_display()}")

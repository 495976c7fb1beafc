"""`erase_person`: have a customer forgotten; without --yes it only says what that would change."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import shell
from sync.erasure import erasing


class Command(BaseCommand):
    """`erase_person CUSTOMER --as USER [--also WORD ...] [--reason TEXT] [--yes] [--json]`."""

    help = "Takes a person's data out of every table; the ledger, which has none of it, stays whole."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, and what else they are known by."""
        parser.add_argument("customer", help="our id of the customer, as its page shows it: mesh-cus-...")
        parser.add_argument(
            "--also", action="append", default=[], metavar="WORD", help="a further name, address or number; repeatable"
        )
        parser.add_argument("--reason", default="", help="such as the number of the request; kept with the erasure")
        parser.add_argument("--yes", action="store_true", help="do it; it cannot be taken back")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what would change, or do it and say what did."""
        by = shell.person(options["username"])
        with shell.door():
            if options["yes"]:
                _, report = erasing.ask(options["customer"], by=by, reason=options["reason"], also=options["also"])
            else:
                report = erasing.plan(options["customer"], by=by, also=options["also"])
        state = "waits" if report.waits_for else "erased" if options["yes"] else "planned"
        if options["json"]:
            said = {"state": state, "rows": report.counts, "dropped": report.dropped, "left": report.left}
            self.stdout.write(json.dumps({**said, "waits_for": report.waits_for}))
        else:
            self._tell(state, report)
        if report.left:
            raise SystemExit(shell.FOUND_TROUBLE)

    def _tell(self, state: str, report: erasing.Report) -> None:
        if state == "waits":
            self.stdout.write(f"{report.waits_for} actions are in the air: it is done by itself when they have ended")
            return
        for table, count in report.counts.items():
            self.stdout.write(f"{count:>8,} {table}")
        did = "would be" if state == "planned" else "were"
        self.stdout.write(f"{report.dropped:>8,} planned actions {did} dropped")
        for table, count in report.left.items():
            self.stdout.write(f"{count:>8,} rows of {table} still have it: look at them")
        if state == "planned":
            self.stdout.write("Nothing was changed. With --yes it is done, and cannot be taken back.")

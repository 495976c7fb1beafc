"""`accounting`: read billing's balance now, book what is new, and say what became of everything so far."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count

from gates import shell
from ledger.words import why_words
from sync.accounting import collecting
from sync.accounting.models import BalanceEntry

MOST = 20


class Command(BaseCommand):
    """Safe at any moment and beside running workers; what it proposes is judged by the gates like anything else."""

    help = (
        "Sweep billing's balance once and print what became of its lines. Exit 0: nothing waits. 1: something does, or "
        "an account could not be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """How to print."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep, then count."""
        if not settings.MESHLINE_ACCOUNTING["on"]:
            told = "accounting is off: set MESHLINE_ACCOUNTING=1 with its first day and accounts (see .env.example)"
            raise CommandError(told, returncode=shell.WRONG_USE)
        swept, due = collecting.sweep(), collecting.run()
        counts = dict(BalanceEntry.objects.order_by().values_list("outcome").annotate(Count("pk")))
        waits = BalanceEntry.objects.filter(outcome__in=("waiting", "heard")).exclude(code="").order_by("id")
        waiting = [{"line": one.provider_id, "code": one.code, "why": one.why} for one in waits[:MOST]]
        if options["json"]:
            self.stdout.write(json.dumps({"swept": swept, "due": due, "outcomes": counts, "waiting": waiting}))
        else:
            self.stdout.write(f"Swept: {swept}. Due: {due}.")
            labels = dict(BalanceEntry.Outcome.choices)
            for outcome, count in sorted(counts.items()):
                self.stdout.write(f"{count:>8}  {str(labels[outcome]).lower()}")
            for one in waiting:
                self.stdout.write(f"  {one['line']}: {one['why'] or why_words(one['code'])}")
        if counts.get("waiting") or collecting.UNREAD in f"{swept} {due}":
            sys.exit(shell.FOUND_TROUBLE)

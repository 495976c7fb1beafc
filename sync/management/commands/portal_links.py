"""`portal_links`: make links for existing customers, or try the whole path that customers take."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from sync.portal import backfill, checking

WORDS = {
    "make": "links made", "has_link": "have one that works", "no_id": "are not known at the billing provider",
    "several_ids": "are known there by several ids: make theirs by hand", "archived": "are archived",
}  # fmt: skip


class Command(BaseCommand):
    """`portal_links --backfill [--dry-run] --as USER` or `portal_links --check`; `--json` for programs."""

    help = "Makes portal links for customers without one, or checks that customers can open their portal."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and who asks."""
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--backfill", action="store_true", help="make a link for each customer that has none")
        chosen.add_argument("--check", action="store_true", help="make a session for the check customer; exit 1 if not")
        parser.add_argument("--dry-run", action="store_true", help="with --backfill: only count")
        parser.add_argument("--reason", default="links for existing customers", help="goes into the ledger")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        shell.add_person(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and say what came of it."""
        if options["check"]:
            self._check(as_json=options["json"])
            return
        if options["dry_run"]:
            report = asdict(backfill.plan())
        else:
            if not options["username"]:
                raise CommandError("--backfill makes links: say who asks with --as USER", returncode=2)
            by = shell.person(options["username"])
            with shell.door():
                report = dict(backfill.now(by=by, reason=options["reason"]).report)
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": options["dry_run"], **report}))
            return
        for name, count in report.items():
            words = "would get a link" if name == "make" and options["dry_run"] else WORDS[name]
            self.stdout.write(f"{count:>8,} {words}")

    def _check(self, *, as_json: bool) -> None:
        report = checking.run(actor="operator:portal_links").report
        if as_json:
            self.stdout.write(json.dumps(report))
        else:
            for one in report["steps"]:
                self.stdout.write(f"{'ok   ' if one['ok'] else 'wrong'}  {one['name']}: {one['words']}")
        if not report["ok"]:
            sys.exit(shell.FOUND_TROUBLE)

"""`import_links FILE`: which links a CSV file would make, and with `--yes` make them."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from gates.stop import Refused
from sync.imports import links, reading
from sync.imports.models import LinkImport, LinkImportRow

MOST_SHOWN = 200


class Command(BaseCommand):
    """The same reading, verifying and confirming as on the page. Exit 1 where a row is refused or not verified."""

    help = "Reads columns internal_id, stripe_id and email (optional); verifies each row; writes nothing without --yes."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which file, and who asks."""
        parser.add_argument("file", help="CSV in UTF-8, at most 5 MB and 50,000 rows")
        parser.add_argument("--yes", action="store_true", help="link the good rows after checking")
        parser.add_argument("--reason", default="links from a file", help="goes into the ledger")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")
        shell.add_person(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, check, show, and link where that was asked for."""
        by = shell.person(options["username"])
        raw = self._read(Path(options["file"]))
        with shell.door():
            batch = self._checked(raw, by, Path(options["file"]).name)
            is_applied = options["yes"] and batch.state == LinkImport.State.READY and bool(batch.counts.get("link"))
            if is_applied:
                batch = links.confirm(batch.pk, by=by, digest_seen=batch.digest, reason=options["reason"])
        self._show(batch, as_json=options["json"])
        if batch.state == LinkImport.State.READY and not options["yes"]:
            links.discard(batch.pk, by=by, reason="a dry run")
        if batch.state == LinkImport.State.CHECKING or batch.counts.get("bad"):
            sys.exit(shell.FOUND_TROUBLE)

    def _read(self, path: Path) -> bytes:
        """The file, unless it is too large to be looked at."""
        try:
            reading.check_size(path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path.name}: {error.strerror or error}", returncode=2) from None
        except Refused as refusal:
            raise CommandError(refusal.message, returncode=2) from None

    def _checked(self, raw: bytes, by: Any, name: str) -> LinkImport:
        """Checked as far as the provider lets us; each round takes a slice of time."""
        batch = links.begin(raw, by=by, name=name, queue=False)
        left = -1
        while batch.state == LinkImport.State.CHECKING and left != links.waiting(batch.pk):
            left = links.waiting(batch.pk)
            batch = links.check(batch.pk)
        return batch

    def _show(self, batch: LinkImport, *, as_json: bool) -> None:
        rows = LinkImportRow.objects.filter(batch=batch).order_by("number")
        if as_json:
            listed = [
                {
                    "row": one.number, "internal_id": reading.neutral(one.internal_id),
                    "stripe_id": reading.neutral(one.billing_customer), "now": one.now_linked,
                    "verdict": one.verdict or "waiting", "reason": reading.neutral(one.reason),
                }
                for one in rows.iterator()
            ]  # fmt: skip
            told = {"import": batch.pk, "state": batch.state, "counts": links.counts(batch), "rows": listed}
            self.stdout.write(json.dumps(told))
            return
        for one in rows[:MOST_SHOWN]:
            change = f"{one.now_linked or '(blank)'} -> {reading.neutral(one.billing_customer)}"
            said = reading.neutral(one.reason) if one.reason else one.get_verdict_display().lower()
            self.stdout.write(f"row {one.number}: {reading.neutral(one.internal_id)}: {change}: {said}")
        counted = ", ".join(f"{count:,} {name}" for name, count in links.counts(batch).items())
        self.stdout.write(f"{counted}; {batch.get_state_display().lower()}")
        if batch.state == LinkImport.State.READY:
            self.stdout.write("Nothing was written. Run it again with --yes to link the good rows.")

"""`fetch_missing`: find changes that no webhook told of; the plan first, `--yes` to store them."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from sync import catch_up
from sync.errors import ProviderError
from sync.management.commands.replay import moment

SHOWN = 20


class Command(BaseCommand):
    """Harmless to repeat: what is known is not stored again, and each event only makes its record be read again."""

    help = "Ask a system what changed and store what no webhook told of. Without --yes only the plan is printed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which system, and from when on."""
        parser.add_argument("provider", choices=catch_up.SOURCES)
        parser.add_argument(
            "--since", metavar="TIME", help="ISO 8601, UTC by default; else a little before the last poll"
        )
        parser.add_argument("--yes", action="store_true", help="store them")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the plan, or store and say how many were new."""
        provider = options["provider"]
        if not catch_up.is_connected(provider):
            raise CommandError(f"{provider} is not connected: set its credentials", returncode=shell.WRONG_USE)
        since = moment("--since", options["since"]) if options["since"] else None
        try:
            missed = catch_up.plan(provider, since)
            stored = catch_up.store(missed) if options["yes"] else None
        except ProviderError as error:
            raise CommandError(f"{provider}: {error.message}", returncode=shell.FOUND_TROUBLE) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_json(missed, stored)))
            return
        self.stdout.write("\n".join(sentences(missed, stored)))


def as_json(missed: catch_up.Missed, stored: int | None) -> dict[str, Any]:
    """The plan for programs."""
    return {
        "provider": missed.provider, "since": missed.since.isoformat(), "changed": missed.seen,
        "missing": len(missed.missing), "unheard": missed.unheard, "deals": [one.id for one in missed.missing],
        "whole": missed.is_whole, **({} if stored is None else {"stored": stored}),
    }  # fmt: skip


def sentences(missed: catch_up.Missed, stored: int | None) -> list[str]:
    """The plan for people."""
    lines = [
        f"{missed.seen} deals changed since {missed.since:%Y-%m-%d %H:%M} UTC, no event tells of {len(missed.missing)}"
    ]
    lines += [f"  deal {one.id}, {one.updated_at:%Y-%m-%d %H:%M:%S} UTC" for one in missed.missing[:SHOWN]]
    if len(missed.missing) > SHOWN:
        lines.append(f"  and {len(missed.missing) - SHOWN} more")
    if missed.missing:
        lines.append(
            f"{missed.unheard} of them came by no delivery at all; the others changed less than two minutes ago, or "
            "Meshline itself changed them last, and somebody else's change could hide behind that"
        )
    if not missed.is_whole:
        lines.append("There is more than one run reads; run it again.")
    done = "Nothing was stored; add --yes to do it." if stored is None else f"{stored} stored"
    return [*lines, done]

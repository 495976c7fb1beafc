"""`fetch_missing`: find changes that no webhook told of; the plan first, `--yes` to store them."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from sync import catch_up, catch_up_events
from sync.errors import ProviderError
from sync.management.commands.replay import moment

SHOWN = 20
Missed = catch_up.Missed | catch_up_events.MissedEvents


class Command(BaseCommand):
    """Harmless to repeat: what is known is not stored again, and each event only makes its record be read again."""

    help = "Ask a system what changed and store what no webhook told of. Without --yes only the plan is printed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which system, and from when on."""
        parser.add_argument("provider", choices=(*catch_up.SOURCES, catch_up_events.SOURCE))
        parser.add_argument(
            "--since", metavar="TIME", help="ISO 8601, UTC by default; else a little before the last poll"
        )
        parser.add_argument("--yes", action="store_true", help="store them")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the plan, or store and say how many were new."""
        provider = options["provider"]
        if provider not in settings.MESHLINE_PROVIDERS:
            raise CommandError(f"{provider} is not connected: set its credentials", returncode=shell.WRONG_USE)
        since = moment("--since", options["since"]) if options["since"] else None
        try:
            missed, stored = found(provider, since, is_stored=options["yes"])
        except ProviderError as error:
            raise CommandError(f"{provider}: {error.message}", returncode=shell.FOUND_TROUBLE) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_json(missed, stored)))
            return
        self.stdout.write("\n".join(sentences(missed, stored)))


def found(provider: str, since: datetime | None, *, is_stored: bool) -> tuple[Missed, int | None]:
    """What is missing, and how many of it were new where it was to be stored. Raises ProviderError."""
    if provider == catch_up_events.SOURCE:
        events = catch_up_events.plan(since)
        return events, catch_up_events.store(events) if is_stored else None
    deals = catch_up.plan(provider, since)
    return deals, catch_up.store(deals) if is_stored else None


def as_json(missed: Missed, stored: int | None) -> dict[str, Any]:
    """The plan for programs."""
    listed = {f"{word(missed)}s": [one.id for one in missed.missing]}
    return {
        "provider": missed.provider, "since": missed.since.isoformat(), "changed": missed.seen,
        "missing": len(missed.missing), "unheard": missed.unheard, **listed, "whole": missed.is_whole,
        **({} if stored is None else {"stored": stored}),
    }  # fmt: skip


def word(missed: Missed) -> str:
    """What is listed."""
    return "event" if isinstance(missed, catch_up_events.MissedEvents) else "deal"


def sentences(missed: Missed, stored: int | None) -> list[str]:
    """The plan for people."""
    is_event = word(missed) == "event"
    since = f"since {missed.since:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{missed.seen} events {since}, {len(missed.missing)} of them never came" if is_event
        else f"{missed.seen} deals changed {since}, no event tells of {len(missed.missing)}"
    ]  # fmt: skip
    lines += [f"  {word(missed)} {one.id}, {one.updated_at:%Y-%m-%d %H:%M:%S} UTC" for one in missed.missing[:SHOWN]]
    if len(missed.missing) > SHOWN:
        lines.append(f"  and {len(missed.missing) - SHOWN} more")
    if missed.missing and not is_event:
        lines.append(
            f"{missed.unheard} of them came by no delivery at all; the others changed less than two minutes ago, or "
            "Meshline itself changed them last, and somebody else's change could hide behind that"
        )
    if not missed.is_whole:
        lines.append("There is more than one run reads; run it again.")
    done = "Nothing was stored; add --yes to do it." if stored is None else f"{stored} stored"
    return [*lines, done]

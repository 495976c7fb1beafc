"""`replay`: judge stored events again; the plan first, `--yes` to do it."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, QuerySet
from django.utils.dateparse import parse_datetime

from gates import review, shell, stop
from ledger.models import Event

PAGE = 500
ENDED = ("processed", "ignored", "parked")


class Command(BaseCommand):
    """The same keys hold as the first time, so what was done is not done twice."""

    help = "Judge stored events again. Without --yes only the plan is printed. Exit 1 when some could not be replayed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which events, who and why."""
        parser.add_argument("--event", type=int, help="one event, by its number")
        parser.add_argument("--since", metavar="TIME", help="received at or after; ISO 8601, UTC by default")
        parser.add_argument("--until", metavar="TIME", help="received before")
        parser.add_argument("--source", help="only this source, for example stripe")
        parser.add_argument("--reason", default="", help="why; it goes into the ledger, so no personal data")
        parser.add_argument("--yes", action="store_true", help="do it; needs --as and --reason")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        shell.add_person(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the plan, or do it and print what came of it."""
        events = chosen(options)
        plan = planned(events)
        if not options["yes"]:
            self.say(options, {"plan": plan}, sentences(plan))
            return
        if not options["username"] or not options["reason"].strip():
            raise CommandError("--yes needs --as USER and --reason WHY", returncode=shell.WRONG_USE)
        by = shell.person(options["username"])
        counts = Counter(replayed(events, by, options["reason"]))
        left = sum(counts.values()) - counts["replayed"]
        self.say(options, {"plan": plan, "done": dict(counts)}, [f"{counts['replayed']} replayed, {left} left alone"])
        if left:
            words = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()) if word != "replayed")
            raise CommandError(f"not replayed: {words}", returncode=shell.FOUND_TROUBLE)

    def say(self, options: dict[str, Any], result: dict[str, Any], lines: list[str]) -> None:
        """As JSON or in words."""
        self.stdout.write(json.dumps(result) if options["json"] else "\n".join(lines))


def chosen(options: dict[str, Any]) -> QuerySet[Event]:
    """The events that were asked for. Raises CommandError when the question makes no sense."""
    one, since, until = options["event"], options["since"], options["until"]
    if (one is None) == (since is None and until is None):
        raise CommandError("choose --event ID, or --since TIME --until TIME", returncode=shell.WRONG_USE)
    if one is not None:
        found = Event.objects.filter(pk=one)
        if not found.exists():
            raise CommandError(f"--event: there is no event {one}", returncode=shell.WRONG_USE)
        return found
    if since is None or until is None:
        raise CommandError("--since and --until belong together", returncode=shell.WRONG_USE)
    begin, end = moment("--since", since), moment("--until", until)
    if begin >= end:
        raise CommandError("--since must be before --until", returncode=shell.WRONG_USE)
    events = Event.objects.filter(received_at__gte=begin, received_at__lt=end)
    return events.filter(source=options["source"]) if options["source"] else events


def moment(option: str, text: str) -> datetime:
    """A time as a person types it."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{option}: {text!r} is no time such as 2026-11-21T08:00", returncode=shell.WRONG_USE)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def planned(events: QuerySet[Event]) -> dict[str, Any]:
    """How many there are, by kind and state; only ended ones are replayed."""
    rows = list(events.order_by().values_list("kind", "state").annotate(Count("pk")))
    return {
        "replay": sum(count for _, state, count in rows if state in ENDED),
        "still_open": sum(count for _, state, count in rows if state not in ENDED),
        "kinds": dict(sorted(totals(rows).items())),
        "stopped": stop.is_stopped(),
    }


def totals(rows: list[tuple[str, str, int]]) -> Counter[str]:
    """Ended events by kind."""
    counts: Counter[str] = Counter()
    for kind, state, count in rows:
        if state in ENDED:
            counts[kind] += count
    return counts


def sentences(plan: dict[str, Any]) -> list[str]:
    """The plan for people."""
    lines = [f"{plan['replay']} events would be judged again, {plan['still_open']} are still open and left alone"]
    lines += [f"{count:>8}  {kind}" for kind, count in plan["kinds"].items()]
    if plan["stopped"]:
        lines.append("Writes are stopped: resume before you replay.")
    return [*lines, "Nothing was done; add --yes --as USER --reason WHY to do it."]


def replayed(events: QuerySet[Event], by: User, reason: str) -> Iterator[str]:
    """Replay them one by one, oldest first, in pages; each says what came of it."""
    after = 0
    while ids := list(events.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:PAGE]):
        for one in ids:
            with shell.door():
                outcome = replay(one, by, reason)
            yield outcome
        after = ids[-1]


def replay(event_id: int, by: User, reason: str) -> str:
    """One event; what is open by now is left alone, any other refusal ends the command."""
    try:
        review.replay(event_id, by=by, reason=reason)
    except review.Refused as refusal:
        if refusal.code != "open":
            raise
        return "open"
    return "replayed"

"""`connections`: how each system is doing. Exit 0 when all is well, 1 when something is wrong, 2 on wrong use."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gates import shell
from ledger import cells, clock
from sync.connections import door, known, state


class Command(BaseCommand):
    """`connections [--check] [--json]`."""

    help = "Says how the connection to each system is doing; with --check each is asked first, by one cheap read."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--check", action="store_true", help="ask each configured system now")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask if wanted, and say."""
        if options["check"]:
            for name in known.VARIABLES:
                if " " not in name and known.of(name).can_call:
                    door.check(name)
        cards = state.cards()
        if options["json"]:
            self.stdout.write(json.dumps({"connections": [state.as_json(card) for card in cards]}))
        else:
            self.stdout.write("\n".join(line for card in cards for line in sentences(card)))
        if any(card.problems for card in cards):
            sys.exit(shell.FOUND_TROUBLE)


def sentences(card: state.Card) -> list[str]:
    """A card for people."""
    one = card.known
    if not one.is_used:
        return [f"{one.provider}: not used; to use it set {', '.join(one.missing)}"]
    told = "wrong" if card.problems else "ok"
    last = card.check.checked_at if card.check else None
    asked = f"checked {cells.length(clock.now() - last)} ago" if last else "never checked"
    head = f"{one.provider}: {told}, {one.mode}, {one.host or 'no address'}, {asked}, errors {card.hour.words} in 1 h"
    return [head, *(f"  {problem}" for problem in card.problems)]

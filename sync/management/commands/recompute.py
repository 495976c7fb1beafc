"""`recompute`: judge stored decisions again, each from its own row."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime

from gates.shell import FOUND_TROUBLE, WRONG_USE
from ledger import clock
from sync import backtest_recompute

MOST = 10_000_000


class Command(BaseCommand):
    """The same inputs and versions have to give the same answer; what does not is named."""

    help = (
        "Judge stored decisions again, each from what the ledger stored with it. Exit 0 when all come out the same, "
        "1 when one differs or cannot be judged, or there is none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which decisions."""
        parser.add_argument("--from", dest="since", default="", help="day or time, UTC unless it names a zone")
        parser.add_argument("--to", dest="until", default="", help="day or time, not included; default now")
        parser.add_argument("--last", type=int, default=None, metavar="N", help="the newest N instead; default 1000")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, **options: Any) -> None:
        """Judge, print, exit."""
        done = backtest_recompute.over(self._range(options))
        if options["as_json"]:
            self.stdout.write(json.dumps(done.as_json()))
        else:
            broken = sum(done.unreadable.values())
            self.stdout.write(f"{done.seen} decisions recomputed, {done.differ} differ, {broken} cannot be judged")
            for one in done.sample:
                self.stdout.write(f"row {one.row}, action {one.action}: {one.member} was {one.stored}, is {one.again}")
            for why, count in done.unreadable.items():
                self.stdout.write(f"{count} cannot be judged: {why}")
        if not done.seen:
            raise CommandError("no stored decision lies in this range; nothing was proved", returncode=FOUND_TROUBLE)
        if not done.is_well:
            raise CommandError("not every decision came out the same", returncode=FOUND_TROUBLE)

    def _range(self, options: dict[str, Any]) -> Any:
        last, since, until = options["last"], options["since"], options["until"]
        if last is not None and (since or until):
            raise CommandError("--last does not go with --from and --to", returncode=WRONG_USE)
        if since or until:
            begin = moment("--from", since) if since else datetime(1970, 1, 1, tzinfo=UTC)
            end = moment("--to", until) if until else clock.now() + timedelta(seconds=1)
            if begin >= end:
                raise CommandError("--from must lie before --to", returncode=WRONG_USE)
            return backtest_recompute.between(begin, end)
        chosen = 1000 if last is None else last
        if not 1 <= chosen <= MOST:
            raise CommandError(f"--last: a whole number from 1 to {MOST}, not {chosen}", returncode=WRONG_USE)
        return backtest_recompute.newest(chosen)


def moment(name: str, text: str) -> datetime:
    """A day or a time, UTC unless it names a zone. Raises CommandError for anything else."""
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(
            f"{name}: needs a day or a time such as 2026-11-21T08:00, not {text!r}", returncode=WRONG_USE
        )
    return found if found.tzinfo else found.replace(tzinfo=UTC)

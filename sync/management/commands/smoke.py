"""`smoke`: a synthetic signed deal and a synthetic failed payment, timed; or the report of the last days."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from sync import signals
from sync.signals import Day, Signals
from sync.smoke import run
from sync.smoke.calls import NotReady


class Command(BaseCommand):
    """Safe against real accounts: records carry the run's name, and live systems need --yes-live."""

    help = (
        "Try a signed deal and a failed payment end to end against the configured systems and time each step. Exit 0 "
        "all in time, 1 late or failed, 2 wrong use or not configured."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What to try, and how to print."""
        parser.add_argument("--only", choices=tuple(run.NEEDS), default="", help="just this one")
        parser.add_argument("--fixtures", action="store_true", help="twenty deals that differ in what goes wrong")
        parser.add_argument("--yes-live", action="store_true", help="agree that records stay in live systems")
        parser.add_argument(
            "--patience", type=float, default=run.PATIENCE, metavar="SECONDS", help="to wait for a step"
        )
        parser.add_argument("--report", action="store_true", help="nothing is tried: report the last days")
        parser.add_argument("--days", type=int, default=signals.DAYS, help=f"of the report, 1 to {signals.MOST_DAYS}")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Report, or play and print."""
        if options["report"]:
            self._report(options)
            return
        if not 1 <= options["patience"] <= 3600:
            raise CommandError("--patience: must be 1 to 3600 seconds", returncode=shell.WRONG_USE)
        if run.worker_missing():
            raise CommandError("no worker is running, so nothing would be handled; start serve first",
                               returncode=shell.WRONG_USE)  # fmt: skip
        asked = run.Asked(options["only"], options["fixtures"], options["yes_live"], options["patience"])
        try:
            result = run.play(asked)
        except NotReady as error:
            raise CommandError(str(error), returncode=shell.WRONG_USE) from error
        self.stdout.write(json.dumps(result.as_json()) if options["json"] else "\n".join(result.lines()))
        if result.exit_code:
            raise SystemExit(result.exit_code)

    def _report(self, options: dict[str, Any]) -> None:
        if not 1 <= options["days"] <= signals.MOST_DAYS:
            raise CommandError(f"--days: must be 1 to {signals.MOST_DAYS}", returncode=shell.WRONG_USE)
        found = signals.read(options["days"])
        self.stdout.write(json.dumps(found.as_json()) if options["json"] else "\n".join(lines(found)))


def lines(found: Signals) -> list[str]:
    """The report for people."""
    shown = found.as_json()
    queue = shown["human_queue_backlog"] or {}
    rate = found.failure_rate
    said = [f"Since {found.since:%Y-%m-%d %H:%M} UTC"]
    for name, times in ((signals.NAMES[0], found.customers), (signals.NAMES[3], found.invoices)):
        value = "not read in time" if times is None else (
            f"p50 {signals.seconds(times.p50)}, p95 {signals.seconds(times.p95)}, {times.done} of {times.planned}"
        )  # fmt: skip
        said.append(f"  {name:<42} {value}")
    said += [
        f"  {'duplicate_customer_count':<42} {found.duplicates}",
        f"  {'reconciliation_failure_rate':<42} {'nothing was compared' if rate is None else f'{rate:.2%}'}",
        f"  {'human_queue_backlog':<42} {queue.get('open')} open, {queue.get('late')} late",
        "", f"  {'day (UTC)':<12}{'customers':>10}{'p50':>9}{'p95':>9}{'invoices':>10}{'success':>9}{'queue':>7}",
    ]  # fmt: skip
    return said + [_day(one) for one in found.days]


def _day(one: Day) -> str:
    share = one.invoices.share
    return (
        f"  {one.day:<12}{one.customers.done:>10}{signals.seconds(one.customers.p50):>9}"
        f"{signals.seconds(one.customers.p95):>9}{one.invoices.done:>10}"
        f"{'-' if share is None else f'{share:.0%}':>9}{one.opened:>7}"
    )

"""`python -m tests.drills.alerts`: every alert provoked, held for an hour, cleared, on a database of its own.

First the fast rules in a whole running set (web, workers, watch), timed from the cause to the alert and to the page in
PagerDuty's and Slack's own books. Then every rule with the clock moved by hand and no worker but the watch's own
courier. Then every rule once more while both are away and workers are killed. Exit 0 when each alert is in the books
exactly once, nothing else is, all are cleared, and nothing is lost; 1 otherwise.
"""

import argparse
import os
import sys
from collections import Counter
from importlib import import_module
from typing import Any

import django
import psycopg

from meshline import supervise
from tests.drills.stage import Stage as PlainStage

CHANNEL = "C0BILLING"
RAISED = "select name from gates_alertepisode where state = 'raised'"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Stage(PlainStage):
    """The whole set with its watch."""

    def __init__(self, seed: int) -> None:
        super().__init__("drill_alerts", seed=seed, concurrency=4, workers=2)
        self.supervisor = self.cast(everybody=True)
        with psycopg.connect(self.owner_url, autocommit=True) as session:
            # one that acts falls over the changed format, and its own alert stays until its owner signs it again
            session.execute("update gates_automation set state = 'suggest'")

    def environment(self, window: int) -> dict[str, str]:
        """Alerts go to one channel."""
        return super().environment(window) | {"MESHLINE_SLACK_ALERT_CHANNEL": CHANNEL}

    def cast(self, *, everybody: bool) -> supervise.Supervisor:
        """Web, workers and watch, or workers alone."""
        workers = [supervise.worker("drain", stop_seconds=10)]
        if everybody:
            workers += [
                supervise.worker("default", stop_seconds=10), supervise.watch(),
                supervise.web("127.0.0.1", self.port, workers=1, threads=2),
            ]  # fmt: skip
        return supervise.Supervisor(workers)

    def pages(self) -> Counter[str]:
        """Alert -> how often somebody was paged for it."""
        found = self.sandbox.books("pagerduty")["objects"]["pages"]
        return Counter(one["key"].removeprefix("meshline-alert:") for one in found)

    def open_pages(self) -> int:
        """Pages that nobody has ended."""
        return len(self.sandbox.books("pagerduty")["objects"]["open_alerts"])

    def messages(self) -> list[dict[str, Any]]:
        """What stands in the channel."""
        found: list[dict[str, Any]] = self.sandbox.books("slack")["objects"]["messages"][CHANNEL]
        return [one for one in found if "alert" in str(one.get("blocks"))]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.alerts", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-fast", action="store_true", help="leave out the part in a running set")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
    stage = Stage(options.seed)
    try:
        django.setup()
        return 0 if import_module("tests.drills.alert_parts").Drill(stage, options).run() else 1
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.chaos`: a flood of events while processes are killed and calls go wrong: nothing lost or doubled."""

import argparse
import sys
import threading
import time
from typing import Any

import psycopg

from tests.chaos import verdict
from tests.chaos.stage import Stage, Tally
from tests.chaos.traffic import EVENTS_A_CUSTOMER, Postman, Town

OUTAGE_SECONDS = 10.0
GOES_ON_WITHIN_SECONDS = 60.0
POLL_SECONDS = 0.2


class Run:
    """One run, from the first process to the last."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.tally = options, Tally()
        self.seconds = options.minutes * 60.0
        self.stage = Stage(seed=options.seed, window=options.window)
        self.next_kill = 0.0
        self.over = threading.Event()

    def play(self) -> bool:
        """Send, kill, wait for quiet, judge, print; whether all is well."""
        town = Town(
            self.stage.sandbox, customers=max(1, self.options.events // EVENTS_A_CUSTOMER), seed=self.options.seed,
            window=self.options.window,
        )  # fmt: skip
        postman = Postman(self.stage.port, self.options.seed)
        self.stage.sandbox.post("/_webhooks", {"stripe": {"url": postman.url, "concurrency": 1}, **self.others()})
        self.stage.turn_faults_on()
        self.stage.supervisor.start()
        began = time.time()
        life = threading.Thread(target=town.live, args=(self.seconds, self.over), daemon=True)
        life.start()
        self.until(lambda: not life.is_alive() and not postman.waiting(), limit=self.seconds * 4 + 120, kill=True)
        ended = time.time()
        postman.stop()
        was_quiet = self.until(self.is_quiet, limit=self.options.patience / 2, kill=False)
        if not was_quiet:  # every judgement reads five times, so with these faults half of them wait for another try
            self.stage.sandbox.faults({"provider": "*", "rules": []})
            was_quiet = self.until(self.is_quiet, limit=self.options.patience / 2, kill=False)
        return self.report(postman, began, ended, was_quiet=was_quiet)

    def others(self) -> dict[str, Any]:
        """The other providers' webhooks go straight to the product."""
        base = f"http://127.0.0.1:{self.stage.port}/webhooks"
        return {name: {"url": f"{base}/{name}/"} for name in ("netsuite", "zendesk")}

    def until(self, is_done: Any, *, limit: float, kill: bool) -> bool:
        """Look after the children, and kill now and then, until something is true; False when it never was."""
        ends, looked, began = time.monotonic() + limit, 0.0, time.monotonic()
        while time.monotonic() < ends:
            self.stage.supervisor.poll()
            now = time.monotonic()
            if kill and now >= self.next_kill:
                if self.next_kill:
                    self.tally.killed(self.stage.kill_one())
                self.next_kill = now + self.stage.rng.uniform(0.6, 1.4) * self.options.kill_every
            if kill and self.options.stop_postgres and not self.tally.outages and now - began > self.seconds / 2:
                self.outage()
            if now - looked > 1.0:
                looked = now
                if is_done():
                    return True
            time.sleep(POLL_SECONDS)
        return False

    def outage(self) -> None:
        """PostgreSQL goes away as in a crash and comes back."""
        gone = time.time()
        self.stage.break_database()
        ends = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < ends:
            self.stage.supervisor.poll()
            time.sleep(POLL_SECONDS)
        self.stage.mend_database()
        self.tally.outages.append((gone, time.time()))

    def is_quiet(self) -> bool:
        """Whether nothing will move any more by itself."""
        try:
            with self.stage.session() as session:
                return verdict.quiet(session) == (0, 0)
        except psycopg.Error:
            return False

    def report(self, postman: Postman, began: float, ended: float, *, was_quiet: bool) -> bool:
        """Judge, stop everything, and print it as a table."""
        with self.stage.session() as session:
            bad = verdict.judge(session, self.stage.sandbox, postman.acknowledged)
            bad["work left"] = 0 if was_quiet else sum(verdict.quiet(session))
            shown = verdict.figures(session)
            pause = verdict.longest_pause(session, began, ended)
            back = [verdict.first_after(session, mended) for _, mended in self.tally.outages]
        bad["not as the ledger rebuilds it"] = self.stage.differing()
        bad["processes left"] = len(self.stage.close())
        bad["pauses over 60 s"] = int(pause > GOES_ON_WITHIN_SECONDS) + sum(
            wait > GOES_ON_WITHIN_SECONDS for wait in back
        )
        table = {
            "acknowledged": len(postman.acknowledged), "deliveries without an answer": postman.unanswered,
            "refused and sent again": postman.refused or 0, **shown,
            "kills": ", ".join(f"{what} {count}" for what, count in sorted(self.tally.kills.items())) or 0,
            "seconds": round(ended - began, 1), "longest pause (s)": round(pause, 1),
        }  # fmt: skip
        if back:
            table["work after the database's return (s)"] = round(max(back), 1)
        for name, value in (*table.items(), *bad.items()):
            print(f"{name:<38} {value}")  # noqa: T201 - the command's result
        return not any(bad.values())


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="about so many Stripe events")
    parser.add_argument("--minutes", type=float, default=4.0, help="over which they are sent")
    parser.add_argument("--stop-postgres", action="store_true", help="and stop PostgreSQL for ten seconds in between")
    parser.add_argument("--kill-every", type=float, default=5.0, help="seconds between two kills, on average")
    parser.add_argument("--window", type=int, default=10, help="seconds of the safety window")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds to wait for quiet at the end")
    parser.add_argument("--seed", type=int, default=1)
    run = Run(parser.parse_args())
    try:
        return 0 if run.play() else 1
    finally:
        run.over.set()
        run.stage.close()


if __name__ == "__main__":
    sys.exit(main())

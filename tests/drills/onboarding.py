"""`python -m tests.drills.onboarding`: signed deals by the hundred, or workers killed between commit and confirm.

Web server, workers, database and simulators are processes of their own that talk HTTP. Exit 0 when every count that
must be 0 is 0 and the times hold, 1 otherwise.
"""

import argparse
import contextlib
import os
import random
import sys
import time
from typing import Any

from tests.chaos import verdict as chaos
from tests.drills import verdict
from tests.drills.stage import Stage
from tests.drills.town import Town

MOST_SECONDS_TO_CUSTOMER = 60.0
DOUBLED, REORDERED, ERRORS, LOST, JOBS = 0.20, 0.10, 0.01, 0.01, 0.02
RECORD = "/services/rest/record/v1/"
HELD_MS = 8000
SENDING = "select count(*) from ledger_action where state = 'sending' and request ->> 'method' = 'PUT'"


def faults() -> list[dict[str, Any]]:
    """What goes wrong with webhooks and with NetSuite."""
    netsuite: dict[str, Any] = {"provider": "netsuite", "path": "/services/rest/"}
    return [
        {"provider": "pipedrive", "kind": "hook_duplicate", "probability": DOUBLED},
        {"provider": "pipedrive", "kind": "hook_reorder", "probability": REORDERED, "window_ms": 2000},
        {**netsuite, "kind": "error_before", "status": 503, "probability": ERRORS / 2},
        {**netsuite, "kind": "error_after", "status": 500, "probability": ERRORS / 2},
        {**netsuite, "kind": "lost_answer", "probability": LOST},
        {**netsuite, "kind": "latency", "ms": 40, "jitter_ms": 80},
    ]


class Drill:
    """One run, from the first process to the last."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stage = Stage("drill", seed=options.seed, concurrency=options.concurrency, workers=options.workers)
        self.town = Town(self.stage.sandbox, random.Random(options.seed))
        self.loads: list[float] = []

    def deals(self) -> bool:
        """Sign deals at the rate asked for while things go wrong; whether all is well."""
        self.stage.sandbox.post("/_play/netsuite/set_options",
                                {"concurrency": self.options.concurrency, "job_share": JOBS})  # fmt: skip
        self.town.settle_in(self.options.deals)
        self.stage.open_doors()
        self.stage.sandbox.faults({"provider": "*", "rules": faults()})
        began = time.monotonic()
        for place, one in enumerate(self.town.signings):
            at = began + (place / self.options.rate if self.options.rate else 0.0)
            self.stage.until(lambda at=at: time.monotonic() >= at, self.options.patience)  # type: ignore[misc]
            self.town.sign(one)
            self.loads.append(os.getloadavg()[0])
        signed_in = time.monotonic() - began
        is_quiet = self.stage.until(self.is_quiet, self.options.patience)
        return self.report({"signed within (s)": round(signed_in, 1)}, is_quiet=is_quiet)

    def kills(self) -> bool:
        """Hold NetSuite's answer to a write that it has committed, kill the workers, and go on with the next."""
        self.stage.sandbox.post("/_play/netsuite/set_options", {"concurrency": 20})
        self.town.settle_in(self.options.kills, with_invalid=False)
        self.stage.open_doors()
        tally = {"kills between commit and confirm": 0, "kills at another moment": 0, "processes killed": 0}
        for place, one in enumerate(self.town.signings):
            self.kill_once(place, one, tally)
            self.loads.append(os.getloadavg()[0])
        self.stage.sandbox.faults({"provider": "*", "rules": []})
        is_quiet = self.stage.until(self.is_quiet, self.options.patience)
        hit = tally["kills between commit and confirm"] == self.options.kills
        return self.report(tally, is_quiet=is_quiet) and hit

    def kill_once(self, place: int, one: Any, tally: dict[str, int]) -> None:
        """One round: customers and invoices by turns, one process and the whole cluster by turns."""
        record = "customer" if place % 2 == 0 else "invoice"
        seen = len(self.stage.books("netsuite", "writes"))
        held = {"provider": "netsuite", "kind": "hang", "method": "PUT", "path": f"{RECORD}{record}/", "effect": True,
                "ms": HELD_MS, "count": 1}  # fmt: skip
        self.stage.sandbox.faults({"provider": "*", "rules": [held]})
        self.stage.until(lambda: bool(self.stage.residents()), self.options.patience)
        self.town.sign(one)
        is_committed = self.stage.until(lambda: self.has_committed(record, seen), self.options.patience)
        with self.stage.session() as session:
            is_between = is_committed and chaos.one(session, SENDING) > 0
        killed = self.stage.kill_residents() if place % 4 < 2 else self.stage.kill_cluster()
        tally["processes killed"] += killed
        tally["kills between commit and confirm" if is_between and killed else "kills at another moment"] += 1
        print(f"  {place + 1}: {record} committed, {killed} killed", flush=True)  # noqa: T201 - a long run

    def has_committed(self, record: str, seen: int) -> bool:
        """Whether NetSuite made the record whose answer is held."""
        fired = self.stage.sandbox.get("/_faults")["rules"][0]["fired"]
        made = self.stage.books("netsuite", "writes", seen)
        return bool(fired) and any(
            one["object"].startswith(f"{record}/") and one["summary"].startswith("created") for one in made
        )

    def is_quiet(self) -> bool:
        """Whether nothing will move any more by itself, and no webhook is on its way."""
        with self.stage.session() as session:
            return chaos.quiet(session) == (0, 0) and bool(
                self.stage.sandbox.post("/_webhooks/flush", {"timeout_s": 5})["empty"]
            )

    def report(self, shown: dict[str, Any], *, is_quiet: bool) -> bool:
        """Judge, stop everything, and print it as a table."""
        books = verdict.Books.read(self.stage)
        bad = verdict.judge(self.stage, self.town, books)
        waits, invoiced = verdict.waits(self.town, books), verdict.invoice_waits(self.town, books)
        p95 = verdict.percentile(waits, 0.95)
        table = {
            "deals signed": len(self.town.signings), "of them invalid": len(list(self.town.invalid())), **shown,
            "customers in NetSuite": len(books.customers), "invoices in NetSuite": len(books.invoices),
            "signed to customer p50 (s)": round(verdict.percentile(waits, 0.5), 1),
            "signed to customer p95 (s)": round(p95, 1), "longest (s)": round(verdict.percentile(waits, 1.0), 1),
            "signed to invoice p95 (s)": round(verdict.percentile(invoiced, 0.95), 1),
            **verdict.figures(self.stage),
            "load average while signing": f"{min(self.loads):.1f} to {max(self.loads):.1f}, {os.cpu_count()} cores",
        }  # fmt: skip
        bad["work left"] = int(not is_quiet)
        if not self.options.kills:
            bad["p95 over 60 s"] = int(p95 > MOST_SECONDS_TO_CUSTOMER)
        bad["processes left"] = len(self.stage.close())
        for name, value in (*table.items(), *bad.items()):
            print(f"{name:<38} {value}")  # noqa: T201 - the command's result
        return not any(bad.values())


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.onboarding", description=__doc__)
    parser.add_argument("--deals", type=int, default=500, help="deals to sign, every twelfth of them invalid")
    parser.add_argument("--rate", type=float, default=2.0, help="deals signed a second; 0 for all at once")
    parser.add_argument("--kills", type=int, default=0, help="instead: so many kills between commit and confirm")
    parser.add_argument("--concurrency", type=int, default=5, help="calls that NetSuite takes at once")
    parser.add_argument("--workers", type=int, default=1, help="worker processes, which share that number")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds to wait for quiet at the end")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    drill = Drill(options)
    try:
        return 0 if (drill.kills() if options.kills else drill.deals()) else 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            drill.stage.close()


if __name__ == "__main__":
    sys.exit(main())

"""The customer sync in numbers: `python -m tests.drills.customer_sync [--customers 10000] [--parts table,faults,...]`.

`table`: every row of the decision table, then a second run over the same customers. `faults`: workers killed, answers
lost, limits met. `race`: the button and the schedule on one customer at once. `bench`: what the ERP's limit of calls
allows, with every provider answering after 50 ms. Prints a line for each figure; exit 1 where a bar is missed.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.utils.module_loading import import_string

from tests.drills.payers import ID_FIELD, Town
from tests.drills.stage import Stage

CALL_MS, CONCURRENCY = 50, 5
CALLS_OF_ONE = 3  # the ERP's: read the record, write the id, read it back
WAIT_SECONDS = 3600.0
PROVIDERS = ("stripe", "netsuite")
FAULTS: list[dict[str, Any]] = [
    {"kind": "lost_answer"}, {"kind": "error_after", "status": 502}, {"kind": "error_before", "status": 500},
    {"kind": "rate_limit"}, {"kind": "drop_before"}, {"kind": "cut_json"},
]  # fmt: skip


class Drill:
    """One installation with its simulators, and the figures so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.missed = 0
        self.rng = random.Random(options.seed)
        os.environ.update(MESHLINE_DRAIN_THREADS="16", MESHLINE_SYNC_THREADS="16", MESHLINE_RETRY_FIRST_WAIT_MS="200")
        self.stage = Stage("sync_drill", seed=options.seed, concurrency=CONCURRENCY, workers=1)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
        django.setup()
        began = time.monotonic()
        self.stage.supervisor.start()
        self.stage.until(lambda: bool(self.stage.residents()), 120.0)
        self.start_seconds = time.monotonic() - began
        with self.stage.session() as session:
            session.execute("update sync_syncprofile set stop_after = 0")

    def say(self, words: str, *, good: bool | None = None) -> None:
        """Print a figure, with its bar where it has one."""
        self.missed += good is False
        mark = {None: "      ", True: "ok    ", False: "MISSED"}[good]
        sys.stdout.write(f"{mark} {words}\n")
        sys.stdout.flush()

    def start(self, mode: str = "mass", ids: Any = ()) -> int:
        """Plan a run as pages and schedule do; its number."""
        begin = import_string("sync.customer_sync.runs.start")  # Django is set up once the database is there
        return int(begin("all-customers", mode, by=None, ids=ids).pk)

    def wait(self, run: int, meanwhile: Callable[[], None] = lambda: None) -> tuple[str, float]:
        """Until a run is over: its state, and its seconds from begun to ended."""
        row: list[Any] = []

        def over() -> bool:
            meanwhile()
            with self.stage.session() as session:
                sql = "select state, extract(epoch from ended_at - began_at)::float8 from sync_syncrun where id = %s"
                row[:] = session.execute(sql, [run]).fetchone() or ()
            return bool(row) and row[0] not in ("planned", "running")

        self.stage.until(over, WAIT_SECONDS)
        return (str(row[0]), float(row[1] or 0)) if row else ("never seen", 0.0)

    def outcomes(self, run: int) -> dict[int, tuple[str, str]]:
        """Internal id -> outcome and code."""
        with self.stage.session() as session:
            sql = "select internal_id, outcome, code from sync_syncoutcome where run_id = %s"
            return {key: (outcome, code) for key, outcome, code in session.execute(sql, [run])}

    def writes(self, provider: str, since: int = 0) -> list[Any]:
        """The effects of our calls in a provider's books."""
        return list(self.stage.books(provider, "writes", since))

    def duplicates(self, ids: set[int]) -> tuple[int, int]:
        """Billing customers that two were made of for one of these, and customers whose two sides do not agree."""
        billing = self.stage.books("stripe", "objects")["customers"]
        made = Counter(
            int(one["metadata"].get("netsuite_customer_id", 0)) for one in billing.values() if "metadata" in one
        )
        erp = self.stage.books("netsuite", "objects")["customer"]
        half = 0
        for key in ids:
            there = billing.get(erp[str(key)].get(ID_FIELD, ""), {})
            half += there.get("metadata", {}).get("netsuite_customer_id") != str(key)
        return sum(made[key] - 1 for key in ids if made[key] > 1), half

    # --- parts

    def table(self) -> None:
        """Every row of the table, and the second run."""
        town, count = Town(), self.options.customers
        town.plant(self.stage.sandbox, count, prefix="t")
        state, first = self.wait(run := self.start())
        found = self.outcomes(run)
        right = sum(found.get(key) == wanted for key, wanted in town.expected.items())
        self.say(f"table: {right:,} of {count:,} as the table says; {state} after {first:.0f} s", good=right == count)
        for key, wanted in [one for one in town.expected.items() if found.get(one[0]) != one[1]][:5]:
            self.say(f"  {key}: {found.get(key)} instead of {wanted}")
        self.say(f"  {dict(sorted(Counter(outcome for outcome, _ in found.values()).items()))}")
        before = len(self.writes("stripe")), len(self.writes("netsuite"))
        _, second = self.wait(again := self.start())
        after = len(self.writes("stripe")), len(self.writes("netsuite"))
        self.say(f"second run: {after[0] - before[0]} writes to billing, {after[1] - before[1]} to the ERP",
                 good=before == after)  # fmt: skip
        self.say(f"second run: {second:.1f} s, {first / max(second, 0.01):.1f} times faster", good=second * 10 <= first)
        agreed = {key for key, (outcome, _) in self.outcomes(again).items() if outcome == "unchanged"}
        twice, half = self.duplicates(agreed)
        self.say(f"table: {twice} made twice, {half} of {len(agreed):,} half done", good=not (twice or half))

    def faults(self) -> None:
        """Kills, lost answers and limits while customers are made."""
        ids = set(Town().plant(self.stage.sandbox, self.options.faulty, prefix="f", only="none"))
        both = [{**rule, "provider": provider, "probability": 0.01} for rule in FAULTS for provider in PROVIDERS]
        self.stage.sandbox.faults({"rules": both})
        killed, next_at = Counter[str](), [time.monotonic() + 4.0]

        def kill() -> None:
            if time.monotonic() >= next_at[0]:
                killed[self.stage.kill_one()] += 1
                # Sooner than a cluster needs to start only clusters that start would be killed, on a busy machine.
                next_at[0] = time.monotonic() + max(self.rng.uniform(3.0, 8.0), 1.5 * self.start_seconds)

        state, seconds = self.wait(run := self.start(), kill)
        self.stage.sandbox.faults({"rules": []})
        tries = 1
        while self._open(ids) and tries < 4:  # what was refused or waits for a person is synced again
            self.wait(self.start())
            tries += 1
        twice, half = self.duplicates(ids)
        self.say(f"faults: {len(ids):,} customers, {state} after {seconds:.0f} s, killed {dict(killed)}, runs {tries}")
        self.say(f"faults: {twice} made twice, {half} half done", good=not (twice or half))
        self.say(f"  first run: {dict(Counter(one[0] for one in self.outcomes(run).values()))}")

    def _open(self, ids: set[int]) -> bool:
        erp = self.stage.books("netsuite", "objects")["customer"]
        return any(not erp[str(key)].get(ID_FIELD) for key in ids)

    def race(self) -> None:
        """The button and the schedule on one customer at once."""
        made = twice = 0
        for number in range(self.options.rounds):
            (key,) = Town().plant(self.stage.sandbox, 1, prefix=f"r{number}x", only="none")
            since = len(self.writes("stripe"))
            with ThreadPoolExecutor(2) as both:
                started = list(both.map(self.start, ("single", "mass"), ([key], [key])))
            for run in started:
                self.wait(run)
            creates = sum(one["path"] == "/v1/customers" for one in self.writes("stripe", since))
            made, twice = made + (creates == 1), twice + (creates > 1)
        self.say(
            f"race: {made} of {self.options.rounds} rounds made exactly one, {twice} more",
            good=made == self.options.rounds,
        )

    def bench(self) -> None:
        """New customers with every provider answering after 50 ms."""
        self.stage.sandbox.post("/_play/netsuite/set_options", {"concurrency": CONCURRENCY})
        self.stage.sandbox.faults({"rules": [{"kind": "latency", "ms": CALL_MS, "provider": "*"}]})
        ids = set(Town().plant(self.stage.sandbox, self.options.bench, prefix="b", only="none"))
        _, seconds = self.wait(self.start())
        self.stage.sandbox.faults({"rules": []})
        allowed = CONCURRENCY / (CALL_MS / 1000)
        rate = len(ids) * CALLS_OF_ONE / max(seconds, 0.01)
        share = rate / allowed
        self.say(f"bench: {len(ids):,} customers in {seconds:.1f} s, {len(ids) / seconds:.1f} a second")
        self.say(f"bench: {rate:.0f} of {allowed:.0f} calls a second to the ERP, {share:.0%}", good=share >= 0.8)


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--faulty", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--bench", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--parts", default="table,faults,race,bench")
    options = parser.parse_args()
    drill = Drill(options)
    try:
        for part in options.parts.split(","):
            {"table": drill.table, "faults": drill.faults, "race": drill.race, "bench": drill.bench}[part]()
    finally:
        left = drill.stage.close()
    drill.say(f"{len(left)} processes left behind", good=not left)
    return 1 if drill.missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What `tests.bench.seals` measures, in a process of the product."""

import json
import statistics
import time

from ledger import sets, verify
from ledger.seals import checking, sealing
from sync import rebuild

BARE = "select sum(('x' || substr(md5(r::text), 1, 15))::bit(60)::bigint) from ledger_ledgerrow r"
SIZES = """
select pg_total_relation_size('ledger_ledgerrow')::bigint, pg_total_relation_size('ledger_ledgerseal')::bigint"""


def main(rounds: int) -> None:
    print(json.dumps(measure(rounds)))


def measure(rounds: int) -> dict[str, float]:
    """Rows a second of each, the best of some rounds where it can be done again."""
    rows = sets.run("select count(*) from ledger_ledgerrow")[0][0]
    sealed, sealing_took = timed(sealing.seal)
    if sealed.rows != rows:
        raise RuntimeError(f"{sealed.rows} of {rows} rows were sealed")
    looks, bare, whole, rebuilt = [], [], [], []
    for _ in range(rounds):
        bare.append(timed(lambda: sets.run(BARE))[1])
        looks.append(timed(look)[1])
        report, took = timed(lambda: verify.verify(subjects(), {}))
        whole.append(took)
        if report.broken is not None or report.sealed != rows:
            raise RuntimeError(f"not intact: {report.broken}")
        found, took = timed(lambda: list(rebuild.replay(subjects(), {})))
        rebuilt.append(took)
        if any(one.differing for one in found):
            raise RuntimeError("the ledger rebuilds another state")
    of_rows, of_seals = sets.run(SIZES)[0]
    return {
        "rows": rows, "seals": sealed.seals, "bare": rows / min(bare), "seal": rows / sealing_took,
        "look": rows / min(looks), "verify": rows / min(whole), "rebuild": rows / min(rebuilt),
        "bare_median": rows / statistics.median(bare), "ledger_mb": of_rows / 1e6, "seals_mb": of_seals / 1e6,
    }  # fmt: skip


def subjects():
    return {"action": verify.RECORDS["action"]}


def look() -> None:
    """The seals alone: chain, digests, rows."""
    for page in checking.pages(1, verify.END):
        if page.fault is not None:
            raise RuntimeError(page.fault.problem)


def timed(work):
    """What it gives, and how long it takes in seconds."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began

"""What `tests.bench.reconcile` measures, in a process of the product."""

import json
import resource
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import connection, transaction

from ledger import sets
from sync.reconcile import judging, matching, staging
from sync.reconcile.finding import Page
from sync.reconcile.matching import AMOUNT, Field, Leg
from sync.reconcile.pairing import Pairing
from sync.reconcile.staging import BETWEEN, Row

PAGE, ONE_IN = 5000, 100
LEG = Leg(
    "billing", "books", ("stripe", "invoice"), ("netsuite", "invoice"),
    (Field("status", owner="stripe"), Field("total", AMOUNT, owner="stripe")), group="Billing Resolver",
)  # fmt: skip
PAIRING = Pairing("bench", "Benchmark", "stripe", "netsuite", {}, {}, (LEG,))
FILL = """
create unlogged table if not exists bench_{side} (
  key text collate "C", record text, status text, total bigint, currency text);
truncate bench_{side};
insert into bench_{side} select 'in_' || lpad(n::text, 12, '0'), '{side}' || n, {status}, 1000 + n % 90000, 'eur'
  from generate_series(1, {rows}) n where {there}; analyze bench_{side}"""
JOIN = """
select coalesce(l.key, r.key), l.record, r.record, l.status, r.status, l.total, r.total from bench_l l
  full outer join bench_r r on l.key = r.key
 where l.key is null or r.key is null
    or (l.status, l.total, l.currency) is distinct from (r.status, r.total, r.currency)"""
WINDOW = [datetime(2026, 11, 1, tzinfo=UTC).timestamp()] * 3


def main(rows: int, rounds: int) -> None:
    print(json.dumps(measure(rows, rounds)))


def measure(rows: int, rounds: int) -> dict[str, float]:
    """Medians, in seconds."""
    changed = f"case when n % {2 * ONE_IN} = 0 then 'open' else 'paid' end"
    for side, status, there in (("l", "'paid'", f"n % {4 * ONE_IN} <> 1"), ("r", changed, f"n % {4 * ONE_IN} <> 2")):
        with connection.cursor() as cursor:
            cursor.execute(FILL.format(side=side, status=status, there=there, rows=rows))
    wanted = rows // (2 * ONE_IN) + 2 * (rows // (4 * ONE_IN))
    before, times, right = peak_mb(), [], True
    for number in range(rounds):
        joined = timed(lambda: join(wanted))
        times.append((joined, *once(number + 1, rows, wanted)))
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    names = ("join", "seconds", "copy", "compare", "forget", "making")
    return dict(zip(names, medians, strict=True)) | {
        "rows": rows, "page": PAGE, "differences": wanted, "right": right, "mb": peak_mb(), "mb_before": before,
    }  # fmt: skip


def join(wanted: int) -> None:
    with transaction.atomic():
        sets.run(matching.WORK_MEM)
        if len(sets.run(JOIN)) != wanted:
            raise RuntimeError("the plain join finds another number")


def once(run: int, rows: int, wanted: int) -> tuple[float, float, float, float, float]:
    """One reconciliation: all of it, its three parts, and what making the pages took beside it."""
    began = time.perf_counter()
    counts, making = [0, 0], 0.0
    for pages in (side(rows, is_left=True), side(rows, is_left=False)):
        while True:
            before = time.perf_counter()
            page = next(pages, None)
            making += time.perf_counter() - before
            if page is None:
                break
            with transaction.atomic():
                counts = [sum(both) for both in zip(counts, PAIRING.store(run, "", Page(page), {}), strict=True)]
    copied = time.perf_counter()
    began += making  # what a provider's pages cost is not the comparison's
    with transaction.atomic():
        found = [one for part in PAIRING.compare(run, {"window": WINDOW, "rows": counts}) for one in part.findings]
    compared = time.perf_counter()
    staging.forget(run)
    ended = time.perf_counter()
    kinds = {one.kind for one in found}
    if len(found) != wanted or not kinds <= {matching.LEFT, matching.RIGHT, matching.DIFFERS, judging.ECHO}:
        raise RuntimeError(f"{len(found)} found, {wanted} are there")
    return ended - began, copied - began, compared - copied, ended - compared, making


def side(rows: int, *, is_left: bool) -> Iterator[list[tuple[str, Row]]]:
    """A side as a provider's pages would bring it."""
    name, gap = ("billing", 1) if is_left else ("books", 2)
    for first in range(1, rows + 1, PAGE):
        yield [
            (
                name,
                Row(
                    f"in_{n:012d}", f"{name}{n}",
                    f"{'paid' if is_left or n % (2 * ONE_IN) else 'open'}{BETWEEN}{1000 + n % 90000} eur",
                ),
            )
            for n in range(first, min(first + PAGE, rows + 1)) if n % (4 * ONE_IN) != gap
        ]  # fmt: skip


def peak_mb() -> float:
    """The most memory this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

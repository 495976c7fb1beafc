"""The pipeline: an event in the table -> decided -> booked; alone, and with two provider calls of 20 ms each.

Run by `uv run python -m tests.bench.pipeline`. Rates vary with the machine; the ratios are of one run: against one
no-op task of the queue library for each event (ORM broker, same workers, all tasks enqueued before the clock starts),
and against what the configured threads allow when each event makes two calls.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg

from tests.bench import books
from tests.bench.rig import ROOT, Rig, tree_cpu
from tests.simulators import Sandbox

WORKERS, CALL_SECONDS = 2, 0.020
STAGE = "update gates_automation set state = %s where name = 'dunning'"
LEFT = "select count(*) from ledger_event where state in ('received', 'waiting', 'processing')"
UNSENT = (
    "select (select count(*) from ledger_event where state in ('received', 'waiting', 'processing')) "
    "+ (select count(*) from ledger_action where kind = 'ticket.open' and state in ('approved', 'sending', 'unknown'))"
)
TASKS = "select count(*) from django_q_ormq"


@contextlib.contextmanager
def cluster(rig: Rig, name: str, threads: int = 8, **more: str) -> Iterator[int]:
    """A worker cluster as an installation runs it; gives its process id."""
    command = [sys.executable, str(ROOT / "manage.py"), "runjobs", "--cluster", name]
    environment = rig.environment(
        MESHLINE_DRAIN_WORKERS=str(WORKERS),
        MESHLINE_DRAIN_THREADS=str(threads),
        MESHLINE_NETSUITE_CONCURRENCY="64",
        **more,
    )
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def clocked(rig: Rig, pid: int, left: str, count: int) -> tuple[float, float]:
    """Events a second and CPU milliseconds an event, from the first settled row to the last."""
    with rig.owner() as session:
        started = _first_move(session, left)
        cpu = tree_cpu(pid) + rig.cpu()
        began_left = session.execute(left).fetchone()[0]  # type: ignore[index]
        while session.execute(left).fetchone()[0]:  # type: ignore[index]
            time.sleep(0.02)
        seconds = time.monotonic() - started
        spent = tree_cpu(pid) + rig.cpu() - cpu
    done = max(1, began_left)
    return done / seconds, spent / done * 1000


def _first_move(session: psycopg.Connection, left: str) -> float:
    """When the workers have begun: their start is not part of the rate."""
    before = session.execute(left).fetchone()[0]  # type: ignore[index]
    while session.execute(left).fetchone()[0] == before:  # type: ignore[index]
        time.sleep(0.005)
    return time.monotonic()


def reference(rig: Rig, count: int, number: int) -> tuple[float, float]:
    """One no-op task for each event."""
    code = f"from django_q.tasks import async_task\nfor n in range({count}): async_task('math.floor', n)"
    rig.manage("shell", "--no-imports", "-c", code)
    with cluster(rig, "default") as pid:
        return clocked(rig, pid, TASKS, count)


def booked(rig: Rig, count: int, number: int) -> tuple[float, float]:
    """Events decided and booked: two actions, three ledger rows, a contract moved. In shadow: nothing is sent."""
    with rig.owner() as session:
        session.execute(STAGE, ["shadow"])
        books.fill(session, f"b{number}x", count, reads=False)
    with cluster(rig, "drain") as pid:
        return clocked(rig, pid, LEFT, count)


def main() -> int:
    """Print the table; exit 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=4, help="a worker, for the events that make calls")
    options = parser.parse_args()
    os.environ.setdefault("MESHLINE_DEV", "1")
    os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
    rig = Rig("bench_pipeline")
    try:
        rig.manage("migrate", "--verbosity", "0")
        return report(rig, options.events, options.rounds, options.threads)
    finally:
        rig.close()


def report(rig: Rig, events: int, rounds: int, threads: int) -> int:
    """Interleaved rounds, medians, ratios."""
    tasks: list[tuple[float, float]] = []
    plain: list[tuple[float, float]] = []
    calls: list[tuple[float, float]] = []
    for number in range(rounds):
        tasks.append(reference(rig, max(300, events // 4), number))
        plain.append(booked(rig, events, number))
        calls.append(with_calls(rig, max(300, events // 4), number, threads))
        print(
            f"round {number + 1}: tasks {tasks[-1][0]:.0f}/s, booked {plain[-1][0]:.0f}/s, calls {calls[-1][0]:.0f}/s",
            flush=True,
        )
    medians = (tuple(statistics.median(part) for part in zip(*one, strict=True)) for one in (tasks, plain, calls))
    return judge(*medians, ceiling=WORKERS * threads / (2 * CALL_SECONDS))


def judge(tasks: tuple[float, ...], plain: tuple[float, ...], calls: tuple[float, ...], *, ceiling: float) -> int:
    """The table and the bars."""
    bars: list[tuple[str, float, float, Callable[[float, float], bool]]] = [
        ("booked events / no-op tasks", plain[0] / tasks[0], 5.0, lambda a, b: a >= b),
        ("CPU ms an event, workers and database", plain[1], 1.5, lambda a, b: a <= b),
        ("events with two calls / what the threads allow", calls[0] / ceiling, 0.70, lambda a, b: a >= b),
    ]
    print(f"\nno-op tasks of the queue library   {tasks[0]:8.0f}/s   {tasks[1]:6.2f} ms CPU each")
    print(f"events decided and booked          {plain[0]:8.0f}/s   {plain[1]:6.2f} ms CPU each")
    print(
        f"events with two calls of 20 ms     {calls[0]:8.0f}/s   {calls[1]:6.2f} ms CPU each"
        f" (threads allow {ceiling:.0f}/s)"
    )
    missed = 0
    for name, value, bar, holds in bars:
        good = holds(value, bar)
        missed += not good
        print(f"{'ok    ' if good else 'MISSED'} {name}: {value:.2f} (bar {bar})")
    return 1 if missed else 0


def with_calls(rig: Rig, count: int, number: int, threads: int) -> tuple[float, float]:
    """Each event makes one read and one write, each answered after 20 ms."""
    simulators = Sandbox.start(seed=number + 1)
    try:
        slow = [{"kind": "latency", "ms": CALL_SECONDS * 1000}]
        simulators.faults({"provider": "*", "rules": slow})
        # The account's own limit of calls at a time is not what is measured here.
        simulators.post("/_play/netsuite/set_options", {"concurrency": 200})
        with rig.owner() as session:
            session.execute("truncate ledger_action cascade")
            session.execute(STAGE, ["full"])
            books.fill(session, f"c{number}x", count, reads=True)
        with cluster(rig, "drain", threads, MESHLINE_SANDBOX_URL=simulators.url) as pid:
            return clocked(rig, pid, UNSENT, count)
    finally:
        simulators.stop()


if __name__ == "__main__":
    sys.exit(main())

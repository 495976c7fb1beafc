"""How fast the pages are that people wait for, on a full desk: 300,000 items (3 % open), a million events and rows.

    uv run python -m tests.bench.pages [--items 300000] [--rows 1000000] [--events 1000000] [--requests 60] [--keep]

Server time in one process: middleware, view, database and template of a signed-in Support Manager; Home is also asked
for by somebody in every group, who sees all of it. The network is left out. Statements count everything but saving the
session. `slowest` is the longest statement of a request, the middle one of all requests. The reference is the smallest
page of the same stack, asked for in turn with each page: `times` is the median against it, so that a busy machine
spoils both. `--keep` measures on what an earlier run filled.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Any

import django
import psycopg
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from tests.bench import desk
from tests.bench.rig import ROOT, Rig

BUDGETS = {
    "queue": 200,
    "item": 150,
    "ledger": 150,
    "events": 150,
    "home": 200,
    "news": 30,
    "find": 50,
    "key": 200,
    "reference": 50,
}
MOST_STATEMENTS = {"queue": 10, "item": 14, "home": 15}
PERSON, EVERYBODY = "bench", "everybody"
REFERENCE = "/admin/keys/"
WARM_UP = 6


def pages(session: psycopg.Connection) -> dict[str, list[str]]:
    """The addresses of each kind of page; several where the record matters."""
    queue, ledger = "/admin/gates/reviewitem/", "/admin/ledger/ledgerrow/"
    last = session.execute("select id from ledger_ledgerrow order by id offset 60 limit 1").fetchone()
    first = session.execute("select min(id) from ledger_event").fetchone()
    found = session.execute("select id from gates_reviewitem where state = 'open' order by due_at limit 40").fetchall()
    return {
        "queue": [queue],
        "queue, unclaimed": [f"{queue}?tab=unclaimed"],
        "queue, needs me": [f"{queue}?tab=mine"],
        "queue, failed in groups": [f"{queue}?tab=failed"],
        "queue, four chips": [f"{queue}?tab=unclaimed&kind=contract.suspend&amount=middle&tier=growth&system=netsuite"],
        "queue, twentieth page": [f"{queue}?p=20"],
        "queue, ended": [f"{queue}?state=ended"],
        "item": [f"{queue}{key}/change/" for (key,) in found],
        "ledger, first page": [ledger],
        "ledger, last page": [f"{ledger}?before={last[0] if last else 1}"],
        "events, first page": ["/admin/ledger/event/"],
        "events, last page": [f"/admin/ledger/event/?before={first[0] + 60 if first else 1}"],
        "find an id": [f"/admin/find/?q=evt_{n}" for n in range(500, 540)],
        "home": ["/admin/"],
        "home, everything on it": ["/admin/"],
        "key figures, 90 days": ["/admin/kpis/?days=90"],
        "news of home": ["/admin/home/live/"],
        "news": ["/admin/queue/live/?since=299900", "/admin/queue/live/?view=tab%3Dmine&since=299990"],
    }


@dataclass(slots=True)
class Asked:
    """What one kind of page took: milliseconds of each request, those of the reference beside it, and statements."""

    times: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    statements: int = 0
    size: int = 0

    def figures(self) -> dict[str, Any]:
        """As they are printed."""
        longest, text = sorted(self.slowest)[len(self.slowest) // 2]
        half = statistics.median(self.times)
        return {
            "p50": half, "p95": sorted(self.times)[int(0.95 * len(self.times))], "bytes": self.size,
            "times": half / statistics.median(self.beside), "statements": self.statements, "slowest": longest,
            "text": " ".join(text.split())[:70],
        }  # fmt: skip


def measure(requests: int) -> dict[str, dict[str, Any]]:
    """Ask for each page that often, and for the reference as often in turn."""
    people = {name: signed_in(name) for name in (PERSON, EVERYBODY)}
    with psycopg.connect(os.environ["MESHLINE_OWNER_DATABASE_URL"]) as session:
        addresses = {"reference": [REFERENCE], **pages(session)}
    result: dict[str, dict[str, Any]] = {"computed": computed()}
    for name, urls in addresses.items():
        client, asked = people[EVERYBODY if name.endswith("everything on it") else PERSON], Asked()
        for number in range(-WARM_UP, requests):
            beside, _ = ask(client, REFERENCE)
            spent, (answer, seen) = ask(client, urls[number % len(urls)])
            asked.size, asked.statements = max(asked.size, len(answer.content)), max(asked.statements, len(seen))
            if number >= 0:
                asked.times.append(spent)
                asked.beside.append(beside)
                asked.slowest.append(max(seen))
        result[name] = asked.figures()
    return result


def computed() -> dict[str, float]:
    """Seconds for all key figures of today, and for those of seven days at once."""
    kpis = import_module("meshline.kpis.computing")  # its tables can be imported only once Django is set up
    today, told = kpis.today(), {}
    for name, days in (("today", 1), ("seven days", 7)):
        begun = time.perf_counter()
        failed = kpis.compute([today - timedelta(days=back) for back in range(days)])
        told[name] = time.perf_counter() - begun
        if failed:
            raise RuntimeError(f"not computed: {failed}")
    return told


def ask(client: Client, address: str) -> tuple[float, tuple[Any, list[tuple[float, str]]]]:
    """One request: its milliseconds, the answer, and each statement with its milliseconds."""
    seen: list[tuple[float, str]] = []

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, *rest)
        finally:
            if not sql.startswith(('UPDATE "django_session"', "SAVEPOINT", "RELEASE")):
                seen.append((1000 * (time.perf_counter() - begun), sql))

    with connection.execute_wrapper(count):
        begun = time.perf_counter()
        answer = client.get(address, follow=False)
        spent = 1000 * (time.perf_counter() - begun)
    if answer.status_code not in (200, 302):
        raise RuntimeError(f"{address} answered {answer.status_code}")
    return spent, (answer, seen)


def signed_in(name: str) -> Client:
    """A browser of a person. Django is set up only here, on the bench's database."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "meshline.settings"
    django.setup()
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.get(username=name))
    return client


def prepare(rig: Rig, items: int, rows: int, events: int) -> None:
    """A migrated database with a person, then the rows."""
    rig.manage("migrate")
    make = (
        "from django.contrib.auth.models import Group, User; from gates import assistants; "
        f"person = User.objects.create(username='{PERSON}', is_staff=True); "
        "person.groups.add(Group.objects.get(name='Support Manager')); "
        f"other = User.objects.create(username='{EVERYBODY}', is_staff=True); "
        "other.groups.set(Group.objects.exclude(name=assistants.GROUP))"
    )
    rig.manage("shell", "-c", make)
    with rig.owner() as session:
        person = session.execute("select id from auth_user where username = %s", [PERSON]).fetchone()
        assert person is not None
        print(f"filled in {desk.fill(session, person[0], items=items, rows=rows, events=events):.0f} s")


def main() -> None:
    """Fill, measure in a process of its own, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=300_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--keep", action="store_true", help="measure on the rows of an earlier run")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        json.dump(measure(chosen.requests), sys.stdout)
        return
    rig = Rig("bench_pages", keep=chosen.keep)
    try:
        if not chosen.keep:
            prepare(rig, chosen.items, chosen.rows, chosen.events)
        show(run(rig, chosen.requests))
    finally:
        rig.close()


def run(rig: Rig, requests: int) -> dict[str, dict[str, Any]]:
    """The figures, taken in a process that knows nothing of ours."""
    command = [sys.executable, "-m", "tests.bench.pages", "--measure", "--requests", str(requests)]
    done = subprocess.run(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def show(result: dict[str, dict[str, Any]]) -> None:
    """One line a page, with the budget of its kind."""
    told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.pop("computed").items())
    print(f"all key figures computed: {told}")
    head = f"{'page':26} {'p50 ms':>7} {'p95 ms':>7} {'budget':>7} {'times':>6} {'statements':>11} {'KB':>6}  slowest"
    print(head)
    for name, one in result.items():
        kind = re.split(r"[, ]", name)[0]
        over = one["p95"] >= BUDGETS[kind] or one["statements"] > MOST_STATEMENTS.get(kind, 99)
        print(
            f"{name:26} {one['p50']:7.0f} {one['p95']:7.0f} {BUDGETS[kind]:7} {one['times']:6.1f} "
            f"{one['statements']:11} {one['bytes'] / 1000:6.1f}  {one['slowest']:.1f} ms {one['text']}"
            f"{'  OVER' if over else ''}"
        )


if __name__ == "__main__":
    main()

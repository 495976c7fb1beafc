"""How fast the pages are that people wait for, on a full desk: 300,000 items (3 % open), 1,000,000 ledger rows.

    uv run python -m tests.bench.pages [--items 300000] [--rows 1000000] [--requests 60] [--keep]

Server time in one process: middleware, view, database and template of a signed-in Support Manager; the network is left
out. Statements count everything but saving the session. `--keep` measures on what an earlier run filled.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import django
import psycopg
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from tests.bench import desk
from tests.bench.rig import ROOT, Rig

BUDGETS = {"queue": 200, "item": 150, "ledger": 150, "home": 200, "news": 30}
PERSON = "bench"
WARM_UP = 6


def pages(session: psycopg.Connection) -> dict[str, list[str]]:
    """The addresses of each kind of page; several where the record matters."""
    queue, ledger = "/admin/gates/reviewitem/", "/admin/ledger/ledgerrow/"
    last = session.execute("select id from ledger_ledgerrow order by id offset 60 limit 1").fetchone()
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
        "home": ["/admin/"],
        "news": ["/admin/queue/live/?since=299900", "/admin/queue/live/?view=tab%3Dmine&since=299990"],
    }


def measure(requests: int) -> dict[str, dict[str, float]]:
    """Ask for each page that often; milliseconds, statements and bytes."""
    client = signed_in()
    with psycopg.connect(os.environ["MESHLINE_OWNER_DATABASE_URL"]) as session:
        addresses = pages(session)
    result = {}
    for name, urls in addresses.items():
        times, counts, size = [], [0], 0

        def count(execute: Callable[..., Any], sql: str, *rest: Any, counts: list[int] = counts) -> Any:
            counts[0] += not sql.startswith(('UPDATE "django_session"', "SAVEPOINT", "RELEASE"))
            return execute(sql, *rest)

        for number in range(-WARM_UP, requests):
            counts[0] = 0
            with connection.execute_wrapper(count):
                begun = time.perf_counter()
                answer = client.get(urls[number % len(urls)])
                spent = time.perf_counter() - begun
            if answer.status_code != 200:
                raise RuntimeError(f"{urls[number % len(urls)]} answered {answer.status_code}")
            size = max(size, len(answer.content))
            if number >= 0:
                times.append(1000 * spent)
        result[name] = {"p50": statistics.median(times), "p95": sorted(times)[int(0.95 * len(times))],
                        "statements": counts[0], "bytes": size}  # fmt: skip
    return result


def signed_in() -> Client:
    """A browser of the person. Django is set up only here, on the bench's database."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "meshline.settings"
    django.setup()
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.get(username=PERSON))
    return client


def prepare(rig: Rig, items: int, rows: int) -> None:
    """A migrated database with a person, then the rows."""
    rig.manage("migrate")
    make = (
        "from django.contrib.auth.models import Group, User; "
        f"person = User.objects.create(username='{PERSON}', is_staff=True); "
        "person.groups.add(Group.objects.get(name='Support Manager'))"
    )
    rig.manage("shell", "-c", make)
    with rig.owner() as session:
        person = session.execute("select id from auth_user where username = %s", [PERSON]).fetchone()
        assert person is not None
        print(f"filled in {desk.fill(session, person[0], items=items, rows=rows):.0f} s")


def main() -> None:
    """Fill, measure in a process of its own, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=300_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
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
            prepare(rig, chosen.items, chosen.rows)
        show(run(rig, chosen.requests))
    finally:
        rig.close()


def run(rig: Rig, requests: int) -> dict[str, dict[str, float]]:
    """The figures, taken in a process that knows nothing of ours."""
    command = [sys.executable, "-m", "tests.bench.pages", "--measure", "--requests", str(requests)]
    done = subprocess.run(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def show(result: dict[str, dict[str, float]]) -> None:
    """One line a page, with the budget of its kind."""
    print(f"{'page':26} {'p50 ms':>7} {'p95 ms':>7} {'budget':>7} {'statements':>11} {'KB':>6}")
    for name, one in result.items():
        budget = BUDGETS[name.partition(",")[0]]
        figures = f"{one['p50']:7.0f} {one['p95']:7.0f} {budget:7} {one['statements']:11.0f} {one['bytes'] / 1000:6.1f}"
        print(f"{name:26} {figures}{'' if one['p95'] < budget else '  over'}")


if __name__ == "__main__":
    main()

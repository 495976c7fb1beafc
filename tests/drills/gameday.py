"""`python -m tests.drills.gameday`: the emergency stop pressed while workers write, on a database of its own.

Events are handled by real workers that open a ticket for each at the simulators; in the middle `manage.py gameday`
halts everything. Exit 0 when it passed and the simulators' own books show no write later than a second after it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from tests.bench import books
from tests.bench.pipeline import cluster
from tests.bench.rig import ROOT, Rig
from tests.simulators import Sandbox

APPLIED = "select count(*) from ledger_action where state = 'applied'"
LEAD = """
from django.contrib.auth.models import Group, User
lead = User.objects.create_user("lead", "lead@drill.example", "x", is_staff=True)
lead.groups.add(Group.objects.get(name="Revenue Ops Lead"))
"""


def say(name: str, value: Any) -> None:
    """One line of the table."""
    sys.stdout.write(f"{name:<46}{value}\n")
    sys.stdout.flush()


def run(rig: Rig, simulators: Sandbox, options: argparse.Namespace) -> int:
    """Load, drill, judge."""
    rig.manage("migrate", "--verbosity", "0")
    rig.manage("shell", "--no-imports", "-c", LEAD)
    simulators.post("/_play/netsuite/set_options", {"concurrency": 200})
    with rig.owner() as session:
        session.execute("update gates_automation set state = 'full'")
        books.fill(session, "load", options.events, reads=False)
    words = ["gameday", "--scope", "all", "--as", "lead", "--reason", "drill", "--json"]
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    with cluster(rig, "drain", 8, MESHLINE_SANDBOX_URL=simulators.url), rig.owner() as session:
        ends = time.monotonic() + 120
        while time.monotonic() < ends and session.execute(APPLIED).fetchone()[0] < 20:  # type: ignore[index]
            time.sleep(0.1)
        done = subprocess.run(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE, text=True, check=False)
        left = session.execute("select count(*) from ledger_action where state = 'parked'").fetchone()[0]  # type: ignore[index]
        books_now = len(simulators.get("/_books/zendesk?only=writes")["writes"])
        time.sleep(options.watch)
        books_later = len(simulators.get("/_books/zendesk?only=writes")["writes"])
    found = json.loads(done.stdout or "{}")
    for name in ("result", "writes_begun_before", "in_flight_at_halt", "time_to_halt_ms", "writes_begun_after"):
        say(name.replace("_", " "), found.get(name))
    say("projected compensations", found.get("projected_compensations"))
    say("held by the stop", left)
    say(f"writes in the books {options.watch:.0f} s later", books_later - books_now)
    good = done.returncode == 0 and found.get("writes_begun_after") == 0 and books_later == books_now
    return 0 if good and found.get("writes_begun_before", 0) > 0 else 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.gameday", description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--watch", type=float, default=5.0, help="seconds to look on afterwards")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("MESHLINE_DEV", "1")
    os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
    rig, simulators = Rig("drill_gameday"), Sandbox.start(seed=options.seed)
    try:
        return run(rig, simulators, options)
    finally:
        simulators.stop()
        rig.close()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.drills.incident`: an incident that touches thousands of customers, on a database of its own.

Measures the queue (made, ordered, a page of it, a page from its middle), asks, approves with two people, then carries
everything out with real workers of which all are killed twice. Exit 0 when the queue is there within its time, nothing
was sent before the approval and nobody got two messages; 1 otherwise.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.drills.stage import Stage

ROOT = Path(__file__).resolve().parent.parent.parent
QUEUE_SECONDS = 5.0
CUSTOMERS = """
insert into ledger_customer (external_id, state, state_version, name, email, tier, mrr_minor, currency, owner,
                             created_at, updated_at)
select 'mesh-cus-drill-' || n, 'pending', 0, 'Customer ' || n, 'ap' || n || '@drill.example',
       (array['enterprise', 'growth', 'starter'])[1 + n %% 3], (n * 7919) %% 500000,
       (array['usd', 'eur', 'jpy'])[1 + n %% 3], '', now(), now() from generate_series(1, %s) n"""
LEFT = "select count(*) from ledger_action where state not in ('applied', 'rejected', 'superseded')"
MESSAGES = "select state, count(*) from gates_outreach group by state order by state"
DISORDERED = """
select count(*) from (select place, row_number() over (
         order by mrr_minor / case currency when 'jpy' then 1 else 100 end desc nulls last,
                  case tier when 'enterprise' then 0 when 'growth' then 1 else 2 end, customer_id) as due
         from gates_outreach) q where place <> due"""
# Runs with the drill's settings: the same service functions that the pages call.
PREPARE = """
import time
import django
django.setup()
from django.contrib.auth.models import Group, User
from gates.incidents import desk, queue, rounds
from meshline.console import incident_queue
from sync.incidents import sending
def someone(name):
    user = User.objects.create_user(name, f"{name}@drill.example", "x", is_staff=True)
    user.groups.add(Group.objects.get(name="Product Ops"))
    return User.objects.get(pk=user.pk)
ops, lead = someone("ops"), someone("lead")
tiers = [{"field": "tier", "op": "is", "values": ["enterprise", "growth", "starter"]}]
one = desk.declare("Checkout is down", "critical", tiers, by=ops)
began = time.perf_counter()
update = rounds.begin(one.pk, by=ops, version=one.state_version, template="incident-update", channel="ticket",
                      text="We are on it.")
made = time.perf_counter()
first = incident_queue.page(update, incident_queue.Asked())
shown = time.perf_counter()
middle = incident_queue.page(update, incident_queue.Asked(after=one.affected // 2))
deep = time.perf_counter()
asked = rounds.ask(update.pk, by=ops, version=update.state_version)
fixed = time.perf_counter()
digest = queue.digest(asked)
again = sending.approve(asked.pk, by=ops, version=asked.state_version, digest=digest)
before = time.perf_counter()
done = sending.approve(asked.pk, by=lead, version=again.state_version, digest=digest)
after = time.perf_counter()
assert done.state == "approved", done.state
print(one.affected, len(first.rows), len(middle.rows), *(f"{took:.3f}" for took in (
    made - began, shown - made, deep - shown, fixed - deep, after - before)))
"""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Drill:
    """One run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stage = Stage("drill_incident", seed=options.seed, concurrency=8, workers=2)
        self.failed: list[str] = []

    def must(self, name: str, holds: bool, words: str) -> None:
        """Print a line, and remember what does not hold."""
        say(f"{'ok   ' if holds else 'WRONG'}  {name}: {words}")
        if not holds:
            self.failed.append(name)

    def run(self) -> bool:
        """From the first customer to the last message."""
        with self.stage.session() as session:
            session.execute(CUSTOMERS, [self.options.customers])
        quiet = {"MESHLINE_QUIET_HOURS": "none", "DJANGO_SETTINGS_MODULE": "meshline.settings"}
        os.environ.update(quiet)
        command = [sys.executable, "-c", PREPARE]
        asked = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
        if asked.returncode:
            say(asked.stderr[-2000:])
            return False
        count, first, middle, *times = asked.stdout.split()[-8:]
        made, shown, deep, fixed, approved = map(float, times)
        queue = made + shown
        self.must("queue", queue <= QUEUE_SECONDS and int(count) == self.options.customers,
                  f"{count} customers planned in {made:.2f} s, first page of {first} in {shown * 1000:.0f} ms, "
                  f"a page of {middle} from the middle in {deep * 1000:.0f} ms")  # fmt: skip
        say(f"       asked for in {fixed:.2f} s, approved by the second person in {approved:.2f} s")
        with self.stage.session() as session:
            wrong = int(session.execute(DISORDERED).fetchone()[0])  # type: ignore[index]
        self.must("order", wrong == 0, f"{wrong} messages are not where revenue and tier put them")
        self.must("before the drain", self.tickets() == [], "nothing was sent while nobody carried it out")
        self.carry_out()
        return not self.failed

    def carry_out(self) -> None:
        """Workers send; all of them are killed twice on the way."""
        began = time.monotonic()
        self.stage.open_doors()
        for share in (4, 2):
            enough = self.options.customers // share
            self.stage.until(lambda enough=enough: len(self.tickets()) >= enough, self.options.patience)  # type: ignore[misc]
            say(f"       killed {self.stage.kill_residents()} workers after {len(self.tickets())} messages")
        self.stage.until(lambda: self.left() == 0, self.options.patience)
        took = time.monotonic() - began
        tickets = self.tickets()
        twice = len(tickets) - len({one["external_id"] for one in tickets})
        readers = len({one["requester_id"] for one in tickets})
        self.must("sent", len(tickets) == readers == self.options.customers and twice == 0,
                  f"{len(tickets)} messages to {readers} customers in {took:.0f} s, {twice} doubled")  # fmt: skip
        self.stage.until(lambda: self.states() == {"sent": self.options.customers}, 60.0)
        self.must("books", self.states() == {"sent": self.options.customers}, f"our own: {self.states()}")

    def tickets(self) -> list[Any]:
        """What the support desk has."""
        return list(self.stage.sandbox.books("zendesk")["objects"]["tickets"].values())

    def left(self) -> int:
        """Actions that are not at their end."""
        with self.stage.session() as session:
            return int(session.execute(LEFT).fetchone()[0])  # type: ignore[index]

    def states(self) -> dict[str, int]:
        """Messages by state."""
        with self.stage.session() as session:
            return dict(session.execute(MESSAGES).fetchall())


def main() -> int:
    """Parse, run, clean up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=600.0, help="seconds until it is given up")
    drill = Drill(parser.parse_args())
    try:
        return 0 if drill.run() else 1
    finally:
        drill.stage.close()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.drills.backtest`: a gate's draft on 100,000 decisions of 30 days, on a database of its own.

Runs the commands as an operator does, watches the memory of the process and the progress it stores, and judges 1,000
decisions again from their own rows. Exit 0 when it took under 60 s with flat memory and nothing differs; 1 otherwise.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

import psutil

from tests.bench.rig import ROOT, Rig

MOST_SECONDS, MOST_GROWTH_MB = 60.0, 24.0
PROGRESS = """
select case when last_row > first_row then (cursor - first_row)::float8 / (last_row - first_row) else 0 end
  from gates_backtest order by id desc limit 1"""
FILL = """
import sys
from datetime import timedelta
from django.contrib.auth.models import Group, User
from gates import decide, policy
from gates.models import GateVersion
from gates.types import Facts, Proposal
from ledger import book, clock, sets
from ledger.identity import new_action_id
from ledger.models import Customer
from sync import actions, booking, facts
count, now = COUNT, clock.now()
engineer = User.objects.create_user("engineer", "engineer@drill.example", "x", is_staff=True)
engineer.groups.add(Group.objects.get(name="Automation Engineer"))
GateVersion.objects.create(name="long-tenure", version=1, title="Long tenure", state="draft", result="review",
    message="a long customer", rows=[{"field": "tenure_months", "op": "at_least", "value": 24}],
    applies_to=["contract.suspend"])
customer = Customer.objects.create(external_id="mesh-cus-drill", name="Drill")
judged_by, kind = policy.read().of("dunning"), actions.get("contract.suspend")
from dataclasses import replace
judged_by = replace(judged_by, stage="full", segments={})
answers = []
for tenure in range(60):  # as many different decisions; what makes a row its own is its action and its time
    known = Facts(now=now, external_id="mesh-cus-drill", tier="growth", contract_state="past_due",
        tenure_months=tenure, failed_at=now, synced_at={"billing": now, "entitlement": now})
    proposal = Proposal(kind.name, "contract:in", "invoice:in", "drill", {}, kind.risk, kind.needs)
    decision = decide.decide(proposal, known, judged_by)
    answers.append((decision, booking.judged(proposal, known, decision), booking.reasons_of(decision)))
for start in range(0, count, 2000):
    made, rows = [], []
    for n in range(start, min(count, start + 2000)):
        at = now - timedelta(days=29.9) * (1 - n / count)
        decision, judged, reasons = answers[n % 60]
        action = {**book.ACTION_DEFAULTS, "id": new_action_id(), "state": "superseded", "state_version": 1,
            "kind": kind.name, "provider": kind.provider, "automation": "dunning", "customer_id": customer.pk,
            "target": f"contract:in_{n}", "business_key": f"invoice:in_{n}", "params": {"invoice": f"in_{n}"},
            "because": "drill", "correlation_id": new_action_id(), "key": f"meshline-{n}", "lane": f"l:{n}",
            "in_lane": False, "available_at": at, "created_at": at, "updated_at": at, **judged}
        made.append(action)
        rows.append({**book._row_of_new({**action, "state": decision.state, "decision": decision.verb,
            "reasons": reasons}), "recorded_at": at})
    sets.insert("ledger_action", book.ACTION_TYPES, made)
    book.write_rows(rows)
"""


def say(name: str, value: Any) -> None:
    """One line of the table."""
    sys.stdout.write(f"{name:<40}{value}\n")
    sys.stdout.flush()


def watched(rig: Rig, *words: str) -> tuple[dict[str, Any], float, list[float], list[float]]:
    """A command's result, its seconds, and its memory (MB) and the stored progress as they were on the way."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE, text=True)
    memory, progress = [], []
    with rig.owner() as session:
        while process.poll() is None:
            time.sleep(0.25)
            row = session.execute(PROGRESS).fetchone()
            progress.append(float(row[0]) if row else 0.0)
            if row and 0.1 < progress[-1] < 1:
                memory.append(_memory(process.pid))
    assert process.stdout is not None
    return json.loads(process.stdout.read() or "{}"), time.monotonic() - began, [one for one in memory if one], progress


def _memory(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def main() -> int:
    """Fill, run, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.backtest", description=__doc__)
    parser.add_argument("--decisions", type=int, default=100_000)
    options = parser.parse_args()
    os.environ.setdefault("MESHLINE_DEV", "1")
    os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
    rig = Rig("drill_backtest")
    try:
        rig.manage("migrate", "--verbosity", "0")
        rig.manage("shell", "--no-imports", "-c", FILL.replace("COUNT", str(options.decisions)))
        with rig.owner() as session:
            session.execute("analyze")
        words = ("backtest", "--gate", "long-tenure", "--days", "30", "--as", "engineer", "--json")
        found, seconds, memory, progress = watched(rig, *words)
        again, again_seconds, _, _ = watched(rig, "recompute", "--last", "1000", "--json")
    finally:
        rig.close()
    steps = len({round(one, 2) for one in progress if 0 < one < 1})
    growth = max(memory) - memory[0] if memory else 0.0
    say("decisions of 30 days judged", found.get("seen", 0))
    say("would change", found.get("changed", 0))
    say("seconds, start of the command included", f"{seconds:.1f}")
    say("load average, cores", f"{os.getloadavg()[0]:.1f}, {os.cpu_count()}")
    say("memory (MB) from first to most", f"{memory[0]:.0f} to {max(memory):.0f}" if memory else "not seen")
    say("steps of progress seen meanwhile", steps)
    say("decisions recomputed, that differ", f"{again.get('recomputed', 0)}, {again.get('differ', 'none')}")
    say("seconds for these", f"{again_seconds:.1f}")
    good = found.get("seen") == options.decisions and seconds < MOST_SECONDS and growth < MOST_GROWTH_MB and steps > 1
    return 0 if good and again.get("same") == 1000 else 1


if __name__ == "__main__":
    sys.exit(main())

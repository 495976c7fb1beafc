"""`python -m tests.drills.shadow`: the same events through shadow and through full, and the simulators' books compared.

Two databases with the same customers and events, real workers, simulators of their own for each. Exit 0 when shadow
wrote nothing at any provider, and every decision it would have made is the one that full made; 1 otherwise.
"""

import argparse
import os
import subprocess
import sys
import time
from typing import Any

from tests.bench import books
from tests.bench.pipeline import LEFT, cluster
from tests.bench.rig import ROOT, Rig
from tests.simulators import Sandbox

PROVIDERS = ("stripe", "netsuite", "zendesk", "pipedrive", "slack", "pagerduty", "mail")
UNDER_WAY = "select count(*) from ledger_action where state in ('approved', 'sending', 'unknown')"
COLLECT = "from sync import shadow; print(shadow.collect())"
WOULD = """
select e.provider_event_id, a.kind, c.would, c.because from gates_shadowcomparison c
  join ledger_action a on a.id = c.action_id join ledger_event e on e.id = a.event_id"""
DID = """
select e.provider_event_id, a.kind, r.post_state,
       coalesce((select x.value ->> 'rule' from jsonb_array_elements(r.reasons) with ordinality x(value, n)
                  order by array_position(array['block', 'review_two', 'review', 'hold'], x.value ->> 'verdict'), x.n
                  limit 1), '')
  from ledger_ledgerrow r join ledger_action a on a.id = r.action_id join ledger_event e on e.id = a.event_id
 where r.prior_state = 'proposed' and r.decision in ('hold', 'ask', 'approve')"""


def say(name: str, value: Any) -> None:
    """One line of the table."""
    sys.stdout.write(f"{name:<46}{value}\n")
    sys.stdout.flush()


def through(stage: str, options: argparse.Namespace) -> tuple[dict[tuple[str, str], tuple[str, str]], int, float]:
    """All events through one stage: decisions by event and kind, writes in the books, seconds."""
    rig, simulators = Rig(f"drill_shadow_{stage}"), Sandbox.start(seed=options.seed)
    try:
        rig.manage("migrate", "--verbosity", "0")
        simulators.post("/_play/netsuite/set_options", {"concurrency": 200})
        with rig.owner() as session:
            session.execute("update gates_automation set state = %s", [stage])
            books.fill(session, "same", options.events, reads=False)
        began = time.monotonic()
        with cluster(rig, "drain", 8, MESHLINE_SANDBOX_URL=simulators.url), rig.owner() as session:
            ends = time.monotonic() + options.patience
            while time.monotonic() < ends:
                waiting = session.execute(LEFT).fetchone()[0] + session.execute(UNDER_WAY).fetchone()[0]  # type: ignore[index]
                if not waiting:
                    break
                time.sleep(0.2)
        seconds = time.monotonic() - began
        if stage == "shadow":
            command = [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", COLLECT]
            subprocess.run(command, env=rig.environment(), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with rig.owner() as session:
            rows = session.execute(WOULD if stage == "shadow" else DID).fetchall()
        writes = sum(len(simulators.get(f"/_books/{name}?only=writes").get("writes", [])) for name in PROVIDERS)
        return {(event, kind): (state, rule) for event, kind, state, rule in rows}, writes, seconds
    finally:
        simulators.stop()
        rig.close()


def main() -> int:
    """Both stages, one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.shadow", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds that each of the two may take")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("MESHLINE_DEV", "1")
    os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
    shadow, silent, shadow_seconds = through("shadow", options)
    full, written, full_seconds = through("full", options)
    differing = sorted(key for key in shadow.keys() | full.keys() if shadow.get(key) != full.get(key))
    say("events through each", options.events)
    say("decisions in shadow, in full", f"{len(shadow)}, {len(full)}")
    say("seconds in shadow, in full", f"{shadow_seconds:.0f}, {full_seconds:.0f}")
    say("writes in the books after full", written)
    say("writes in the books after shadow", silent)
    say("decisions that differ", len(differing))
    for key in differing[:10]:
        say(f"  {key[0]} {key[1]}", f"shadow {shadow.get(key)}, full {full.get(key)}")
    return 0 if not silent and not differing and written and len(shadow) >= options.events else 1


if __name__ == "__main__":
    sys.exit(main())

"""How fast the ledger is sealed and verified, against a bare `sum` of md5 over the same rows in the same run.

    uv run python -m tests.bench.seals [--rows 300000] [--rounds 3]

Sealing and verifying are the product's own calls in one process; the bare statement digests each row as PostgreSQL
writes it and adds the digests up, which is the least that looking at every row can cost. Also: what the seals weigh.
"""

import argparse
import json
import subprocess
import sys

import psycopg

from tests.bench.rig import ROOT, Rig

ACTIONS = """
insert into ledger_action (id, state_version, state, kind, provider, automation, mode, target, business_key, params,
  because, preview, preview_hash, answers, facts, rule_version, irreversible, currency, correlation_id, key, job_ref,
  tries, looks, lane, in_lane, available_at, crashes, last_error, error_code, created_at, updated_at)
select ('0192f000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 4, 'applied', 'contract.suspend', 'netsuite',
       'dunning', 'live', 'contract:in_' || n, 'invoice:in_' || n, '{}', '', '[]', '', '[]', '{}', 'a1:4c0ffee1', false,
       'usd', gen_random_uuid(), '', '', 1, 0, '', false, now(), 0, '', '', now(), now()
  from generate_series(1, %(rows)s / 4) n"""
ROWS = """
insert into ledger_ledgerrow (subject_kind, subject_id, action_id, customer_id, decision, actor, prior_state,
  post_state, state_version, correlation_id, recorded_at, reasons, inputs, rule_version, mode, key, confirmation_id,
  outcome, latency_ms, error_code, currency)
select 'action', a.id::text, a.id, 1, s.decision, 'system', s.prior, s.post, s.step, a.correlation_id,
       now() + s.step * interval '40 seconds',
       case when s.step = 1 then
       '[{"rule": "safety_window", "verdict": "hold", "reason": "the provider may still collect", "version": 3},
         {"rule": "open-dispute", "verdict": "pass", "reason": "", "version": 1}]' else '[]' end::jsonb,
       case when s.step = 1 then
       '{"tier": "growth", "open_disputes": 0, "fraud_flag": false, "invoice": {"amount_due": 4900, "currency": "usd",
         "status": "open", "attempts": 3, "next_attempt": "2026-11-24T08:00:00+00:00"}, "subscription": "past_due",
         "contract": {"state": "past_due", "plan": "growth", "since": "2025-03-01T00:00:00+00:00"}}'
       else '{}' end::jsonb,
       'a1:4c0ffee1', 'live', a.id::text, '', s.post, 120, '', 'usd'
  from ledger_action a
 cross join (values (1, 'hold', 'proposed', 'held'), (2, 'approve', 'held', 'approved'),
                    (3, 'send', 'approved', 'sending'), (4, 'confirm', 'sending', 'applied'))
       s(step, decision, prior, post) order by s.step, a.id"""


def fill(session: psycopg.Connection, rows: int) -> None:
    """Actions with four rows each, in the order in which such rows are written."""
    with session.transaction():
        session.execute(ACTIONS, {"rows": rows})
        session.execute(ROWS)
    session.execute("vacuum analyze ledger_ledgerrow, ledger_action")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rig = Rig("seals")
    try:
        rig.manage("migrate")
        with rig.owner() as session:
            fill(session, asked.rows)
        inside = f"from tests.bench import seals_inside; seals_inside.main({asked.rounds})"
        command = [sys.executable, str(ROOT / "manage.py"), "shell", "-c", inside]
        done = subprocess.run(command, cwd=ROOT, env=rig.environment(), stdout=subprocess.PIPE, text=True, check=True)
    finally:
        rig.close()
    show(json.loads(done.stdout.splitlines()[-1]))


def show(found: dict[str, float]) -> None:
    print(f"{found['rows']:,} rows, {found['seals']:,} seals; ledger {found['ledger_mb']:.0f} MB with its indexes, "
          f"seals {found['seals_mb']:.1f} MB")  # fmt: skip
    words = {
        "bare": "bare sum of md5", "seal": "sealing", "look": "looking at the seals", "verify": "verify, whole",
        "rebuild": "rebuild_state --check",
    }  # fmt: skip
    for name, what in words.items():
        print(f"{what:<24} {found[name]:>10,.0f} rows/s   {found['bare'] / found[name]:.1f} times the bare one's time")


if __name__ == "__main__":
    main()

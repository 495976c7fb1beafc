"""`python -m tests.drills.reconcile`: planted differences among whole books, and a reader that fails in the middle.

Two pairs of 10,000 records: subscriptions at billing with contracts in the ERP, and refunds of ours with those at
billing; 200 planted differences of twelve classes. Each check runs three times: a page fails for good (the run must
say that it is partial, open nothing that is not planted, close nothing), a page fails twice and is tried again (all is
found), and once more (nothing new). Exit 0 when all 200 are found, none else, and no provider was written to.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.bench.rig import ROOT, Rig
from tests.simulators import Sandbox

LINK = """
with one as (
  insert into ledger_customer (state_version, external_id, state, name, email, tier, currency, owner, created_at,
                               updated_at)
  values (0, %(external)s, 'synced', '', '', 'growth', 'usd', '', now(), now()) returning id)
insert into ledger_externalid (system, kind, value, url, linked_at, linked_by, customer_id)
select 'netsuite', 'contract', %(contract)s, '', now(), 'system', id from one returning customer_id"""
ACTIONS = """
insert into ledger_action (id, state_version, state, kind, provider, automation, mode, customer_id, target,
  business_key, params, because, preview, preview_hash, answers, facts, rule_version, irreversible, amount_minor,
  currency, correlation_id, key, job_ref, confirmation, tries, looks, lane, in_lane, available_at, crashes, last_error,
  error_code, created_at, updated_at, applied_at, unknown_since)
select v.id, 4, v.state, v.kind, 'stripe', '', 'live', v.customer, 'drill:' || v.id, 'drill:' || v.id, '{}', '', '[]',
       '', '[]', '{}', '', false, v.minor, 'usd', gen_random_uuid(), '', '', v.confirmation::jsonb, 1, 0, '', false,
       now(), 0, '', '', now() - interval '2 hours', now() - interval '1 hour',
       case when v.state = 'applied' then now() - v.ago end, case when v.state = 'unknown' then now() - v.ago end
  from unnest(%(id)s::uuid[], %(state)s::text[], %(kind)s::text[], %(customer)s::bigint[], %(minor)s::bigint[],
              %(confirmation)s::text[], %(ago)s::interval[])
       as v(id, state, kind, customer, minor, confirmation, ago)"""
FOUND = "select kind, key, field from sync_delta where check_name = %s and state <> 'resolved'"
Place = tuple[str, str, str]


@dataclass
class Drill:
    """The books and what was planted in them."""

    rig: Rig
    sandbox: Sandbox
    count: int
    planted: dict[str, set[Place]] = field(default_factory=lambda: {"subscriptions": set(), "refunds": set()})
    classes: dict[str, int] = field(default_factory=dict)

    def plant(self, check: str, what: str, *place: str) -> None:
        """Remember one planted difference."""
        self.planted[check].add((place[0], place[1], place[2]))
        self.classes[what] = self.classes.get(what, 0) + 1

    def play(self, provider: str, verb: str, **params: Any) -> Any:
        return self.sandbox.post(f"/_play/{provider}/{verb}", params)

    def in_parts(self, provider: str, verb: str, rows: list[Any], gives: str, **more: Any) -> list[str]:
        """Plant many in several calls; their ids in order."""
        made: list[str] = []
        for first in range(0, len(rows), 1000):
            made += self.play(provider, verb, rows=rows[first : first + 1000], **more)[gives]
        return made

    def subscriptions(self, each: int) -> None:
        """Eight classes of `each`, the last one half an hour short of being a difference."""
        subs = self.play("stripe", "plant_subscriptions", count=self.count)["subscriptions"]
        erp = self.play("netsuite", "create_customer", name="Drill")["id"]
        rows, echoes = [], []
        for n, sub in enumerate(subs):
            row = {
                "custrecord_mesh_customer": {"id": erp}, "custrecord_mesh_status": "active", "custrecord_mesh_mrr": 49,
                "custrecord_mesh_currency": "USD", "custrecord_stripe_subscription_id": sub,
            }  # fmt: skip
            wrong = n % (self.count // each) if n < each * (self.count // each) else -1
            if wrong == 0:
                self.plant("subscriptions", "missing in the ERP", "missing_right", sub, "")
                continue
            if wrong == 1:
                self.plant("subscriptions", "changed by hand: standing", "field_differs", sub, "standing")
                row["custrecord_mesh_status"] = "suspended"
            elif wrong == 2:
                self.plant("subscriptions", "ended on one side", "field_differs", sub, "ended")
                row["custrecord_mesh_status"] = "cancelled"
            elif wrong == 3:
                self.plant("subscriptions", "another amount", "field_differs", sub, "monthly amount")
                row["custrecord_mesh_mrr"] = 49.01
            elif wrong == 4:
                self.plant("subscriptions", "another currency", "field_differs", sub, "currency")
                row["custrecord_mesh_currency"] = "JPY"
            elif wrong == 5:
                self.plant("subscriptions", "duplicate in the ERP", "duplicate", sub, "netsuite")
                rows.append(dict(row))
            elif wrong == 6:
                self.plant("subscriptions", "missing at billing", "missing_left", f"sub_gone_{n}", "")
                rows.append({**row, "custrecord_stripe_subscription_id": f"sub_gone_{n}"})
            elif wrong == 7:
                self.plant("subscriptions", "echo of a write of ours", "echo", sub, "standing")
                row["custrecord_mesh_status"] = "suspended"
                echoes.append(len(rows))
            rows.append(row)
        made = self.in_parts("netsuite", "plant_contracts", rows, "ids")
        self._echoes([made[place] for place in echoes])

    def _echoes(self, contracts: list[str]) -> None:
        """Customers whose contract we suspended a minute ago."""
        with self.rig.owner() as session:
            customers = [
                session.execute(LINK, {"external": f"mesh-{uuid.uuid4()}", "contract": one}).fetchone()
                for one in contracts
            ]
        self._actions([
            (str(uuid.uuid4()), "applied", "contract.suspend", row[0] if row else None, None, None, "1 minute")
            for row in customers
        ])  # fmt: skip

    def refunds(self, each: int) -> None:
        """Four classes of `each`."""
        owner = self.play("stripe", "create_customer", name="Payer", email="payer@drill.example")["customer"]
        sub = self.play("stripe", "create_subscription", customer=owner, mrr=900 * self.count)["subscription"]
        erp = self.play("netsuite", "create_customer", name="Payer")["id"]
        self.play(
            "netsuite", "create_contract", customer=erp, subscription=sub, mrr=9 * self.count, currency="USD",
        )  # fmt: skip
        charge = self.play("stripe", "pay_invoice", subscription=sub)["charge"]
        ids = [str(uuid.uuid4()) for _ in range(self.count)]
        at_billing = [(n, one) for n, one in enumerate(ids) if self._wrong(n, each) != 0]
        rows = [{"amount": 100 + n % 700, "mark": mark} for n, mark in at_billing]
        made = self.in_parts("stripe", "plant_refunds", rows, "refunds", charge=charge)
        refund = dict(zip((mark for _, mark in at_billing), made, strict=True))
        actions = []
        for n, one in enumerate(ids):
            wrong, minor, state = self._wrong(n, each), 100 + n % 700, "applied"
            said = {"id": refund.get(one, f"re_gone_{n}"), "amount_minor": minor, "currency": "usd"}
            if wrong == 0:
                self.plant("refunds", "applied, but not at billing", "missing_right", one, "")
            elif wrong == 1:
                self.plant("refunds", "at billing, but no action", "missing_left", one, "")
                continue
            elif wrong == 2:
                self.plant("refunds", "another amount refunded", "field_differs", one, "amount")
                said["amount_minor"] = minor + 1
            elif wrong == 3:
                self.plant("refunds", "unknown outcome", "unknown_outcome", one, "")
                state = "unknown"
            confirmed = json.dumps(said) if state == "applied" else None
            actions.append((one, state, "payment.refund", None, minor, confirmed, "1 hour"))
        self._actions(actions)

    def _wrong(self, n: int, each: int) -> int:
        return n % (self.count // each) if n < each * (self.count // each) else -1

    def _actions(self, rows: list[tuple[Any, ...]]) -> None:
        names = ("id", "state", "kind", "customer", "minor", "confirmation", "ago")
        with self.rig.owner() as session:
            session.execute(ACTIONS, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))

    def run(self, check: str) -> dict[str, Any]:
        """The product's command, as an operator runs it."""
        command = [sys.executable, str(ROOT / "manage.py"), "reconcile", check, "--json"]
        environment = self.rig.environment(MESHLINE_SANDBOX_URL=self.sandbox.url)
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"reconcile ended with {done.returncode}: {done.stdout}{done.stderr}")
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def found(self, check: str) -> set[Place]:
        with self.rig.owner() as session:
            return {(row[0], row[1], row[2]) for row in session.execute(FOUND, [check])}

    def writes(self) -> int:
        return sum(len(self.sandbox.get(f"/_books/{name}?only=writes")["writes"]) for name in ("stripe", "netsuite"))

    def fail(self, path: str, **more: Any) -> None:
        rule = {"kind": "error_before", "path": path, **more}
        self.sandbox.faults({"provider": "stripe", "rules": [rule]})


def judge(drill: Drill, check: str, path: str, page: int) -> dict[str, int]:
    """Three runs of one check; every count but the first two must be 0."""
    planted = drill.planted[check]
    drill.fail(path, status=400, after=page)
    partial = drill.run(check)
    early = drill.found(check)
    drill.fail(path, status=503, after=page, count=2)
    began = time.monotonic()
    whole = drill.run(check)
    seconds = time.monotonic() - began
    found = drill.found(check)
    drill.sandbox.faults({"provider": "*", "rules": []})
    again = drill.run(check)
    say(f"{check}: first run, page {page} fails for good", f"{partial['outcome']}, found {len(early)}")
    say(f"{check}: second run, the page fails twice", f"{whole['outcome']}, {whole['compared']:,} in {seconds:.0f} s")
    return {
        "planted": len(planted), "found": len(found & planted), "not found": len(planted - found),
        "false": len(found - planted), "false in the partial run": len(early - planted),
        "partial not marked": int(partial["outcome"] != "partial" or not partial["gaps"]),
        "closed by the partial run": partial["closed"], "opened or closed by one more run": again["opened"]
        + again["closed"],
    }  # fmt: skip


def say(name: str, value: Any) -> None:
    """One line of the table."""
    sys.stdout.write(f"{name:<58}{value}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--page", type=int, default=40, help="the page that fails")
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args()
    os.environ.setdefault("MESHLINE_DEV", "1")
    rig, sandbox = Rig("drill_reconcile"), Sandbox.start(seed=options.seed)
    try:
        rig.manage("migrate", "--verbosity", "0")
        drill = Drill(rig, sandbox, options.records)
        drill.subscriptions(each=13)
        drill.refunds(each=24)
        for what, count in drill.classes.items():
            say(f"planted: {what}", count)
        totals: dict[str, int] = {}
        for check, path in (("subscriptions", "/v1/subscriptions"), ("refunds", "/v1/refunds")):
            for name, count in judge(drill, check, path, options.page).items():
                totals[name] = totals.get(name, 0) + count
        totals["writes"] = drill.writes()
    finally:
        sandbox.stop()
        rig.close()
    for name, count in totals.items():
        say(name, count)
    sys.exit(any(count for name, count in totals.items() if name not in ("planted", "found")))


if __name__ == "__main__":
    main()

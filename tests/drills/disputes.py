"""`python -m tests.drills.disputes`: a dispute is opened between approval and send, again and again; nothing may go.

Refunds and suspensions by turns, with the webhook of the dispute delivered or held back, so that only the read right
before sending can know; inquiries that become chargebacks while their own refund waits; and races in which the bank
takes the money at the very moment the refund becomes due. Web server, workers, database and simulators are processes
of their own. Exit 0 when nothing was sent beside a dispute and every case is in a person's queue; 1 otherwise.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from sync.sandbox import keys
from tests.chaos import verdict as chaos
from tests.drills.stage import Stage
from tests.simulators import ROOT

UNDO_SECONDS = 6
OPENS_WITHIN = 3.0  # after the approval, well before anything may be sent
STATE = "select state, available_at from ledger_action where id = %s"
OF_DISPUTE = "select id from ledger_action where kind = 'dispute.refund' and params ->> 'dispute' = %s"
SENT = """
select count(*) from sync_attempt t join ledger_action a on a.id = t.action_id
 where t.is_write and a.id = any(%s::uuid[])"""
UNOWNED = """
select count(*) from ledger_action a where a.id = any(%s::uuid[]) and a.state = 'in_review'
   and not exists (select from gates_reviewitem i where i.action_id = a.id and i.state <> 'resolved')"""
TASKS = "select count(*) from gates_reviewitem where kind = 'dispute.respond' and state <> 'resolved'"


@dataclass
class Case:
    """One customer with one payment."""

    customer: str
    contract: str
    charge: str
    action: str = ""
    kind: str = ""
    dispute: str = ""


class Desk:
    """The people, in a process with the drill's settings."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.drills.disputes_desk"]
        os.environ["DJANGO_SETTINGS_MODULE"] = "meshline.settings"
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, **asked: Any) -> dict[str, Any]:
        """One request, one answer; RuntimeError when nobody answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the desk ended at {asked['do']}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """They go home."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


class Drill:
    """One run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stage = Stage("drill_disputes", seed=options.seed, concurrency=8, workers=2)
        os.environ["MESHLINE_UNDO_SECONDS"] = str(UNDO_SECONDS)
        self.rng = random.Random(options.seed)
        self.failed: list[str] = []
        self.desk = Desk()

    def must(self, name: str, holds: bool, words: str) -> None:
        """Print a line, and remember what does not hold."""
        sys.stdout.write(f"{'ok   ' if holds else 'WRONG'}  {name}: {words}\n")
        sys.stdout.flush()
        if not holds:
            self.failed.append(name)

    def run(self) -> bool:
        """Everything, then the verdict."""
        base = f"http://127.0.0.1:{self.stage.port}/webhooks"
        with psycopg.connect(self.stage.owner_url, autocommit=True) as session:
            session.execute("update gates_automation set state = 'suggest' where name = 'dispute_recovery'")
        self.stage.open_doors()
        hook = {"url": f"{base}/stripe/", "secrets": [keys.STRIPE_WEBHOOK_SECRET]}
        self.stage.sandbox.post("/_webhooks", {"stripe": hook})
        self.between()
        self.escalated()
        self.races()
        bad = len(self.stage.close())
        self.must("processes", bad == 0, f"{bad} left behind")
        return not self.failed

    def between(self) -> None:
        """The dispute comes after the approval and before the send."""
        cases = self.cases(self.options.cases)
        opened = 0
        for place, one in enumerate(cases):
            one.kind = "payment.refund" if place % 2 == 0 else "contract.suspend"
            self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": place % 4 >= 2}})
            approved_at = self.approved(one)
            opens_at = approved_at + self.rng.uniform(0, OPENS_WITHIN)
            self.stage.until(lambda at=opens_at: time.monotonic() >= at, 60.0)  # type: ignore[misc]
            status = "warning_needs_response" if place % 6 == 1 else "needs_response"
            one.dispute = self.play("open_dispute", charge=one.charge, status=status)["dispute"]
            opened += int(self.state(one) == "approved")
            if place % 10 == 9:
                self.stage.kill_residents()
        is_quiet = self.quiet()
        self.stage.sandbox.post("/_webhooks/release", {"provider": "stripe", "order": "reversed"})
        self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": False}})
        is_quiet = self.quiet() and is_quiet
        self.verdict("between approval and send", cases, opened, is_quiet=is_quiet)

    def verdict(self, name: str, cases: list[Case], opened: int, *, is_quiet: bool) -> None:
        """What the provider's books and our own say of these."""
        ids = [one.action for one in cases]
        with self.stage.session() as session:
            sent, unowned = chaos.one(session, SENT, ids), chaos.one(session, UNOWNED, ids)
            states = sorted({f"{one.kind} {self.state(one)}" for one in cases})
        in_books = self.effects(set(ids))
        self.must(name, in_books == sent == 0, f"{len(cases)} disputes, {in_books} in the books, {sent} requests left")
        self.must(f"{name}, in time", opened == len(cases), f"{opened} of {len(cases)} opened while approved")
        self.must(f"{name}, queue", unowned == 0 and is_quiet, f"{', '.join(states)}; {unowned} without an item")

    def escalated(self) -> None:
        """An inquiry becomes a chargeback while the refund that answers it waits."""
        cases, opened = self.cases(self.options.inquiries), 0
        for place, one in enumerate(cases):
            one.kind = "dispute.refund"
            self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": False}})
            one.dispute = self.play("open_dispute", charge=one.charge, status="warning_needs_response")["dispute"]
            self.stage.until(lambda one=one: self.proposed(one), self.options.patience)  # type: ignore[misc]
            self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": place % 2 == 1}})
            self.desk.ask(do="approve", action=one.action)
            opened += int(self.state(one) == "approved")
            self.play("move_dispute", dispute=one.dispute, status="needs_response")
        is_quiet = self.quiet()
        self.stage.sandbox.post("/_webhooks/release", {"provider": "stripe"})
        self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": False}})
        is_quiet = self.quiet() and is_quiet
        self.verdict("inquiry became a chargeback", cases, opened, is_quiet=is_quiet)
        with self.stage.session() as session:
            tasks = chaos.one(session, TASKS)
        self.must("told to answer the bank", tasks > 0, f"{tasks} items say: do not refund")

    def races(self) -> None:
        """The bank takes the money in the moment in which the refund becomes due: one of the two happened first."""
        cases = self.cases(self.options.races)
        for one in cases:
            one.kind = "payment.refund"
            self.approved(one)
        for one in cases:
            due = self.due(one)
            lead = self.rng.uniform(-0.15, 0.15)
            self.stage.until(lambda due=due, lead=lead: time.time() >= due + lead, 60.0)  # type: ignore[misc]
            one.dispute = self.play("open_dispute", charge=one.charge, status="needs_response")["dispute"]
        self.quiet()
        books = self.stage.sandbox.books("stripe")
        refunds = [one for one in books["writes"] if one["path"] == "/v1/refunds" and one["action"]]
        mine = {one.action: one for one in cases}
        opened = {one["params"]["charge"]: float(one["at"]) for one in books["played"] if one["verb"] == "open_dispute"}
        given = [one for one in refunds if one["action"] in mine]
        beside = sum(1 for one in given if float(one["at"]) > opened[mine[one["action"]].charge])
        ended = {self.state(one) for one in cases}
        self.must("races", beside == 0 and ended <= {"applied", "in_review", "failed", "superseded"},
                  f"{len(cases)} races: {len(given)} given back before the dispute, {beside} after it, "
                  f"ends {', '.join(sorted(ended))}")  # fmt: skip

    def cases(self, count: int) -> list[Case]:
        """So many, known here before their first webhook arrives."""
        self.stage.sandbox.post("/_webhooks", {name: {"hold": True} for name in ("stripe", "netsuite")})
        made = [self.case() for _ in range(count)]
        for name in ("stripe", "netsuite"):
            self.stage.sandbox.post("/_webhooks/release", {"provider": name, "order": "kept"})
            self.stage.sandbox.post("/_webhooks", {name: {"hold": False}})
        self.quiet()
        return made

    def case(self) -> Case:
        """A customer with a collected payment, in every system."""
        customer = self.play("create_customer", name="Drill Oy", email="ap@drill.example")["customer"]
        sub = self.play("create_subscription", customer=customer, mrr=4900)["subscription"]
        charge = self.play("pay_invoice", subscription=sub)["charge"]
        erp = self.stage.sandbox.post(
            "/_play/netsuite/create_customer", {"name": f"Drill {customer}", "stripe_customer": customer}
        )["id"]
        record = self.stage.sandbox.post(
            "/_play/netsuite/create_contract",
            {"customer": erp, "subscription": sub, "plan": "growth", "started": "2022-09-01"},
        )["id"]
        known = self.desk.ask(do="know", customer=customer, subscription=sub, erp=str(record))
        return Case(customer, known["contract"], charge)

    def approved(self, one: Case) -> float:
        """Ask for it and have it approved; when that was, by the monotonic clock."""
        params: dict[str, Any] = {}
        if one.kind == "payment.refund":
            params = {"payment": one.charge, "amount_minor": 1200, "currency": "usd",
                      "reason": "requested_by_customer"}  # fmt: skip
        one.action = self.desk.ask(do="ask", kind=one.kind, contract=one.contract, params=params)["action"]
        self.desk.ask(do="approve", action=one.action)
        return time.monotonic()

    def proposed(self, one: Case) -> bool:
        """Whether the automation has suggested the refund of a dispute."""
        with self.stage.session() as session:
            row = session.execute(OF_DISPUTE, [one.dispute]).fetchone()
        one.action = str(row[0]) if row else ""
        return bool(one.action)

    def state(self, one: Case) -> str:
        """Of its action."""
        with self.stage.session() as session:
            row = session.execute(STATE, [one.action]).fetchone()
        assert row is not None
        return str(row[0])

    def due(self, one: Case) -> float:
        """When it may be sent, as Unix time."""
        with self.stage.session() as session:
            row = session.execute(STATE, [one.action]).fetchone()
        assert row is not None
        return float(row[1].timestamp())

    def effects(self, ids: set[str]) -> int:
        """Effects of these actions at the providers, by their own books."""
        return sum(
            1 for name in ("stripe", "netsuite") for one in self.stage.books(name, "writes") if one["action"] in ids
        )

    def quiet(self) -> bool:
        """Until nothing moves by itself any more."""

        def is_quiet() -> bool:
            flushed = self.stage.sandbox.post("/_webhooks/flush", {"timeout_s": 5})["empty"]
            with self.stage.session() as session:
                waiting = chaos.one(
                    session, "select count(*) from ledger_action where state in ('approved', 'sending', 'unknown')"
                )
                return chaos.quiet(session)[0] == 0 and waiting == 0 and bool(flushed)

        return self.stage.until(is_quiet, self.options.patience)

    def play(self, verb: str, **params: Any) -> Any:
        """Make something happen at the billing provider."""
        return self.stage.sandbox.post(f"/_play/stripe/{verb}", params)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.disputes", description=__doc__)
    parser.add_argument("--cases", type=int, default=50, help="refunds and suspensions by turns")
    parser.add_argument("--inquiries", type=int, default=10, help="inquiries that become chargebacks")
    parser.add_argument("--races", type=int, default=20, help="disputes at the moment of the send")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds to wait for quiet")
    parser.add_argument("--seed", type=int, default=1)
    drill = Drill(parser.parse_args())
    try:
        return 0 if drill.run() else 1
    finally:
        drill.desk.close()
        drill.stage.close()


if __name__ == "__main__":
    sys.exit(main())

"""Refunds in numbers: `python -m tests.drills.refunds [--requests 300] [--disputes 50] [--seed 1]`.

Requests in USD, EUR, JPY and KWD: parts of payments, doubles, races over the charge and over a person's limit, while
answers get lost, calls are refused for pace, and workers are killed with -9. Then a dispute is opened between approval
and send, and refunds that had succeeded come back. Prints a line for each figure; exit 1 where a bar is missed.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from importlib import import_module
from typing import Any

import django
import psycopg

from sync.sandbox import keys
from tests.chaos import verdict as chaos
from tests.drills.stage import Stage

LIMITS = {"usd": 50_000, "eur": 50_000, "jpy": 7_500_000}  # what one person may give in 30 days; kwd has none
PLACES = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
UNDO_SECONDS = 2
# Nothing but people decides here, and hundreds of refunds an hour would halt everything.
SETTINGS = {
    "MESHLINE_UNDO_SECONDS": str(UNDO_SECONDS), "MESHLINE_TRIP_REFUND_COUNT": "0", "MESHLINE_TRIP_REFUND_SUM": "none",
    "MESHLINE_TRIP_UNKNOWN_PERCENT": "0", "MESHLINE_RETRY_FIRST_WAIT_MS": "200", "MESHLINE_DRAIN_THREADS": "16",
}  # fmt: skip
STATES = "select state, count(*) from ledger_action where kind = %s group by 1 order by 1"
APPLIED = """
select a.id::text, a.amount_minor, a.currency, a.customer_id, a.confirmation ->> 'id', a.confirmation ->> 'charge',
       coalesce((select array_agg(distinct p.by_id) from gates_approval p
                  where p.action_id = a.id and p.voided_at is null), '{}'),
       r.amount_minor, r.currency
  from ledger_action a join ledger_ledgerrow r
       on r.action_id = a.id and r.subject_kind = 'action' and r.post_state = 'applied'
 where a.kind = 'payment.refund' and a.state = 'applied' order by a.applied_at, a.id"""
MEMOS = """
select m.params ->> 'refund', (m.confirmation ->> 'amount_minor')::bigint, m.confirmation ->> 'currency'
  from ledger_action m where m.kind = 'credit_memo.create' and m.state = 'applied'"""
RECORDED = "select provider_id, amount_minor, currency, state from sync_refund"
MANAGERS = """
select u.id from auth_user u join auth_user_groups g on g.user_id = u.id join auth_group n on n.id = g.group_id
 where n.name = 'Support Manager'"""
BOUNCED = "select count(*) from gates_reviewitem where why = 'refund_bounced'"
UNENDED = """select count(*) from ledger_action where state in ('sending', 'unknown')
               or (state = 'in_review' and kind <> 'payment.refund')"""


def faults() -> list[dict[str, Any]]:
    """What goes wrong with writes and reads of both systems."""
    writes = [{"provider": "stripe", "method": "POST"}, {"provider": "netsuite", "method": "PUT"}]
    kinds: list[dict[str, Any]] = [
        {"kind": "lost_answer", "probability": 0.06}, {"kind": "error_after", "status": 502, "probability": 0.04},
        {"kind": "error_before", "status": 503, "probability": 0.04}, {"kind": "cut_json", "probability": 0.02},
        {"kind": "rate_limit", "retry_after": 1, "probability": 0.03},
    ]  # fmt: skip
    reads = [
        {"provider": name, "method": "GET", "kind": "error_before", "status": 500, "probability": 0.01}
        for name in ("stripe", "netsuite")
    ]
    return [{**where, **kind} for where in writes for kind in kinds] + reads


class Drill:
    """One installation with its simulators, and the figures so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.missed = options, 0
        self.rng = random.Random(options.seed)
        self.killed, self.kill_at, self.met = 0, float("inf"), ""
        os.environ.update(SETTINGS)
        self.stage = Stage("refund_drill", seed=options.seed, concurrency=8, workers=1)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
        django.setup()
        self.desk: Any = import_module("tests.drills.refund_desk").Desk(self.stage.sandbox, self.rng)
        self.at_once: Any = import_module("tests.drills.refund_desk").at_once

    def run(self) -> bool:
        """All of it; whether all is well."""
        payers = [self.desk.payer(number, payments=2) for number in range(max(8, self.options.requests // 2))]
        # In dollars, where one person is enough; made before anybody listens, so that nobody else adopts them.
        disputed = [self.desk.payer(10_000 + 4 * number, payments=1) for number in range(self.options.disputes)]
        self.stage.open_doors()
        hook = {"url": f"http://127.0.0.1:{self.stage.port}/webhooks/stripe/", "secrets": [keys.STRIPE_WEBHOOK_SECRET]}
        self.stage.sandbox.post("/_webhooks", {"stripe": hook})
        self.stage.sandbox.faults({"provider": "*", "rules": faults()})
        began = time.monotonic()
        self.kill_at = began + self.options.kill_every
        requests = self.requests(payers)
        asked_in = time.monotonic() - began
        self.say(f"{requests} requests asked; waiting until nothing is under way")
        quiet = self.settle(with_faults=True)
        self.kill_at = float("inf")
        self.say(
            f"{requests} requests in {asked_in:.0f} s; {self.killed} workers killed with -9 in {self.took(began)} s"
        )
        self.say(", ".join(f"{what} {count}" for what, count in sorted(self.desk.told.items())))
        self.say(f"faults: {self.met or self.fired()}")
        self.must("quiet", quiet, "nothing is under way any more")
        self.figures()
        self.disputes(disputed)
        self.bounces()
        self.must("processes", not self.stage.close(), "no process is left behind")
        return self.missed == 0

    def requests(self, payers: list[Any]) -> int:
        """So many requests: plain ones, doubles, races over a charge and races over a person's limit."""
        asked, place = 0, 0
        while asked < self.options.requests:
            payer = payers[place % len(payers)]
            charge, other = payer.charges
            whole = self.desk_amount(payer)
            self.kill()
            turn, desk, place = place % 5, self.desk, place + 1
            part = self.step(payer, self.rng.randrange(1, whole // 3))
            if turn == 0:  # the same twice at the same moment
                self.at_once(*[lambda: desk.one(payer, charge, part, with_manager=False)] * 2)  # noqa: B023
                asked += 2
            elif turn == 1:  # three that together are more than the payment
                big = self.step(payer, whole * 2 // 5)
                self.at_once(*[lambda: desk.one(payer, charge, big, with_manager=True)] * 3)  # noqa: B023
                desk.one(payer, charge, whole, with_manager=True)
                asked += 4
            elif turn == 2:  # two payments, each within the limit, together over it
                most = self.step(payer, whole * 3 // 5)
                self.at_once(lambda: desk.one(payer, charge, most, with_manager=False),  # noqa: B023
                             lambda: desk.one(payer, other, most, with_manager=False))  # fmt: skip # noqa: B023
                asked += 2
            else:
                desk.one(payer, charge, part, with_manager=turn == 3)
                asked += 1
        return asked

    def desk_amount(self, payer: Any) -> int:
        """What each payment of this payer came to, minor units."""
        amounts: dict[str, int] = import_module("tests.drills.refund_desk").AMOUNTS
        return amounts[payer.currency]

    def step(self, payer: Any, minor: int) -> int:
        """An amount that the wire takes: of three decimals the last is 0."""
        return max(10, minor // 10 * 10) if payer.currency == "kwd" else max(1, minor)

    def kill(self) -> None:
        """Look after the children, and kill the workers that drain every few seconds."""
        self.stage.supervisor.poll()
        is_due = time.monotonic() >= self.kill_at and self.killed < self.options.kills
        if not is_due or not self.stage.residents():
            return
        hit = self.stage.kill_residents()
        self.killed += hit
        self.kill_at = time.monotonic() + self.options.kill_every if hit else self.kill_at

    def took(self, began: float) -> int:
        """Seconds since then."""
        return round(time.monotonic() - began)

    def fired(self) -> str:
        """How often each fault was met."""
        rules = self.stage.sandbox.get("/_faults")["rules"]
        met: Counter[str] = Counter()
        for one in rules:
            met[str(one["kind"])] += int(one["fired"])
        return ", ".join(f"{kind} {count}" for kind, count in sorted(met.items())) or "off"

    def settle(self, *, with_faults: bool) -> bool:
        """Work until nothing moves by itself; the faults go off half way, as by then all of them were met."""
        if with_faults and self.stage.until(self.is_quiet, self.options.patience / 2):
            return True
        self.kill_at, self.met = float("inf"), self.met or self.fired()
        self.stage.sandbox.faults({"provider": "*", "rules": []})
        return self.stage.until(self.is_quiet, self.options.patience / 2)

    def is_quiet(self) -> bool:
        """Whether nothing will move any more, and no webhook is on its way."""
        self.kill()
        with self.stage.session() as session:
            empty = self.stage.sandbox.post("/_webhooks/flush", {"timeout_s": 5})["empty"]
            return chaos.quiet(session) == (0, 0) and bool(empty)

    def figures(self) -> None:
        """The provider's books, the ERP's and ours, side by side."""
        stripe = self.stage.sandbox.books("stripe")["objects"]
        memos = list(self.stage.sandbox.books("netsuite")["objects"]["creditMemo"].values())
        with self.stage.session() as session:
            rows, known = session.execute(APPLIED).fetchall(), session.execute(MEMOS).fetchall()
            recorded = session.execute(RECORDED).fetchall()
            managers = {row[0] for row in session.execute(MANAGERS)}
            states: dict[str, int] = dict(session.execute(STATES, ["payment.refund"]).fetchall())
            unended = chaos.one(session, UNENDED)
        self.say(f"refunds: {', '.join(f'{state} {count}' for state, count in states.items())}")
        given = [one for one in stripe["refunds"].values() if one["status"] == "succeeded"]
        theirs, ours = _sums((one["currency"], one["amount"]) for one in given), _sums((row[8], row[7]) for row in rows)
        self.must("books", theirs == ours and bool(given), f"provider {_shown(theirs)}; ledger {_shown(ours)}")
        by_action = Counter(one["metadata"].get("meshline_action", "") for one in given)
        odd = [row for row in rows if by_action[row[0]] != 1 or (row[1], row[2]) != (row[7], row[8])]
        self.must("once", not odd and len(given) == len(rows), f"{len(rows)} applied, {len(given)} refunds, 0 doubled")
        over = [one for one in stripe["charges"].values() if one["amount_refunded"] > one["amount_captured"]]
        self.must("charges", not over, f"{len(over)} payments refunded beyond what was collected")
        bad = _over_limit(rows, managers)
        self.must("limits", not bad, f"{len(bad)} refunds over a person's limit without a manager")
        kept = {(row[0], int(row[1]), row[2]) for row in recorded if row[3] == "succeeded"}
        self.must("record", kept == {(one["id"], one["amount"], one["currency"]) for one in given},
                  f"{len(kept)} refunds on record as they are at the provider")  # fmt: skip
        self.memos(memos, known, given)
        self.must("ended", unended == 0, f"{unended} actions without an end or a person")

    def memos(self, memos: list[dict[str, Any]], known: list[Any], given: list[dict[str, Any]]) -> None:
        """The ERP's credit memos against the refunds, one for one."""
        inside = {
            (str(one["externalId"]).removeprefix("mesh-cm-"), _minor(one), str(one["currency"]["refName"]).lower())
            for one in memos
        }
        wanted = {(one["id"], one["amount"], one["currency"]) for one in given}
        confirmed = {(row[0], int(row[1]), row[2]) for row in known}
        is_same = inside == wanted == confirmed and len(memos) == len(wanted)
        self.must("memos", is_same, f"{len(memos)} credit memos, {_shown(_sums((one[2], one[1]) for one in inside))}; "
                                    f"{len(wanted ^ inside)} differ")  # fmt: skip

    def disputes(self, payers: list[Any]) -> None:
        """A dispute between approval and send, half of them with the webhook held back."""
        self.stage.sandbox.faults({"provider": "*", "rules": []})
        before = len(self.stage.sandbox.books("stripe")["objects"]["refunds"])
        opened = 0
        for number, payer in enumerate(payers):
            self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": number % 2 == 0}})
            made = self.desk.ask(payer, payer.charges[0], 300)
            if made is not None and self.desk.approve(made, self.desk.resolvers[0]):
                self.desk.play("stripe", "open_dispute", charge=payer.charges[0])
                opened += 1
        self.stage.sandbox.post("/_webhooks", {"stripe": {"hold": False}})
        self.stage.sandbox.post("/_webhooks/release", {"provider": "stripe", "order": "kept"})
        self.settle(with_faults=False)
        sent = len(self.stage.sandbox.books("stripe")["objects"]["refunds"]) - before
        self.must("disputes", sent == 0 and opened == self.options.disputes,
                  f"{opened} disputes between approval and send, {sent} refunds sent")  # fmt: skip

    def bounces(self) -> None:
        """Refunds that had succeeded come back: each is one person's work, told by several messages."""
        given = [one for one in self.stage.sandbox.books("stripe")["objects"]["refunds"].values()
                 if one["status"] == "succeeded"][: self.options.bounces]  # fmt: skip
        for one in given:
            self.desk.play("stripe", "fail_refund", refund=one["id"])
        self.settle(with_faults=False)
        with self.stage.session() as session:
            items = chaos.one(session, BOUNCED)
        self.must("bounced", items == len(given), f"{len(given)} refunds came back, {items} items")

    def say(self, words: str) -> None:
        """Print a line."""
        sys.stdout.write(f"       {words}\n")
        sys.stdout.flush()

    def must(self, what: str, good: bool, words: str) -> None:
        """Print a figure with its bar."""
        self.missed += not good
        sys.stdout.write(f"{'ok    ' if good else 'MISSED'} {what}: {words}\n")
        sys.stdout.flush()


def _minor(memo: dict[str, Any]) -> int:
    places = PLACES[str(memo["currency"]["refName"]).lower()]
    return round(float(memo["total"]) * 10**places)


def _sums(pairs: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for currency, minor in pairs:
        total[currency] += int(minor)
    return dict(sorted(total.items()))


def _shown(sums: dict[str, int]) -> str:
    return ", ".join(f"{minor:,} {currency}" for currency, minor in sums.items()) or "nothing"


def _over_limit(rows: list[Any], managers: set[int]) -> list[Any]:
    """Refunds by which a customer got more than one person may give, agreed to by fewer than two or by no manager."""
    given: Counter[tuple[int, str]] = Counter()
    bad = []
    for row in rows:
        given[row[3], row[2]] += int(row[1])
        people = set(row[6])
        is_over = given[row[3], row[2]] > LIMITS.get(row[2], -1)
        if is_over and (len(people) < 2 or not people & managers):
            bad.append(row)
    return bad


def main() -> int:
    """Parse, run, clean up."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.refunds", description=__doc__)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--disputes", type=int, default=50, help="disputes opened between approval and send")
    parser.add_argument("--bounces", type=int, default=10, help="refunds that come back after they had succeeded")
    parser.add_argument("--kill-every", type=float, default=6.0, help="seconds between two kills")
    parser.add_argument("--kills", type=int, default=8, help="workers to be killed with -9")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds until it is given up")
    parser.add_argument("--seed", type=int, default=1)
    drill = Drill(parser.parse_args())
    try:
        return 0 if drill.run() else 1
    except psycopg.Error as error:
        sys.stdout.write(f"MISSED the database went away: {error}\n")
        return 1
    finally:
        drill.stage.close()


if __name__ == "__main__":
    sys.exit(main())

"""A decision can be made again from what the ledger stored with it, and comes out the same."""

import json

import pytest

from gates import recompute
from gates.decide import decide
from gates.types import ASKED, Deal, Limits, Payment, Risk
from ledger import sets
from sync.facts import for_ledger
from tests.gates.shapes import (
    HOUR,
    NOW,
    Invoice,
    Verdict,
    always,
    make_facts,
    make_gate,
    make_policy,
    make_proposal,
    row,
)

INVOICE = Invoice("in_1", "open", "M-1", 4900, 4900, "usd", 2, NOW + HOUR)
GATES = {
    ("open-dispute", 1): make_gate(row("open_disputes", "over", 0), name="open-dispute", result=Verdict.BLOCK),
    ("a", 7): make_gate(row("tenure_months", "at_least", 24), name="a", version=7),
    ("two", 1): always(Verdict.REVIEW_TWO, "two"),
    ("refund-limit", 3): make_gate(
        row("amount_30d", "over", {"usd": 500}), name="refund-limit", version=3, result=Verdict.REVIEW_TWO,
        applies_to=["payment.refund"],
    ),
}  # fmt: skip
REFUND = {"kind": "payment.refund", "business_key": "payment:ch_1", "amount_minor": 300, "currency": "usd",
          "risk": Risk(irreversible=True, money=True)}  # fmt: skip
CREATE = {"kind": "customer.create", "business_key": "deal:4711:customer", "risk": Risk(irreversible=True)}
DEAL = Deal(
    "4711", organization_id="130", lacks=(("e-mail", "is missing"),), amount_minor=490_000, currency="eur", mapping=1
)
PAYMENT = Payment("ch_1", "succeeded", 4900, 1000, "usd", is_customers=True)


def stored(decision, facts):
    """As it comes back from the ledger: through JSON, its members in the database's order."""
    inputs = json.loads(sets.to_json({**for_ledger(facts), "policy": decision.basis}))
    return json.loads(json.dumps(inputs, sort_keys=True))


@pytest.mark.parametrize(
    ("case", "proposal", "facts", "policy", "approved"),
    [
        ("approved", {"risk": Risk()}, {}, {}, ()),
        ("held", {}, {"failed_hours_ago": 3, "next_attempt_in_hours": 90, "invoice": INVOICE}, {}, ()),
        ("window over", {}, {"failed_hours_ago": 99, "executing": True, "read_seconds_ago": 9,
                             "erp_record_id": "501"}, {}, ()),
        ("stale", {}, {"failed_hours_ago": 99, "executing": True, "read_seconds_ago": 61}, {}, ()),
        ("blocked", {}, {"open_disputes": 1}, {}, ()),
        ("agreed", {}, {"open_disputes": 1, "tenure_months": 30}, {}, ("open-dispute", "a", "two")),
        ("late", {}, {"late_event": True}, {}, ()),
        ("suggested", {}, {}, {"stage": "suggest", "automation_version": 4}, ()),
        ("outside the canary", {}, {}, {"stage": "canary"}, ()),
        ("shadow", {}, {"failed_hours_ago": 1}, {"stage": "shadow"}, ()),
        ("asked for", {}, {}, {"stage": ASKED}, ()),
        ("not ready", CREATE, {"deal": DEAL, "customer_state": "conflict", "erp_customer_id": "1847"}, {}, ()),
        ("no owner", {}, {}, {"is_owned": False}, ()),
        ("short window", {}, {"failed_hours_ago": 3}, {"limits": Limits(safety_window=2 * HOUR)}, ()),
        ("withdrawn", {"withdrawn": "paid"}, {}, {}, ()),
        ("refund", REFUND, {"payment": PAYMENT, "amount_30d_minor": 300}, {"stage": ASKED}, ("two", "asked_by_person")),
        ("refund above the limit", REFUND, {"payment": PAYMENT, "amount_30d_minor": 600}, {"stage": ASKED}, ()),
        ("refund of too much", {**REFUND, "amount_minor": 4000}, {"payment": PAYMENT, "amount_30d_minor": 9}, {},
         ("two", "refund_fits")),
        ("edited", {"risk": Risk()}, {"edited": True}, {}, ("two",)),
    ],
)  # fmt: skip
def test_recomputed_is_what_was_decided(case, proposal, facts, policy, approved):
    asked, judged_on, by = make_proposal(**proposal), make_facts(**facts), make_policy(*GATES.values(), **policy)
    decision = decide(asked, judged_on, by, approved_rules=frozenset(approved))

    again = recompute.again(asked, stored(decision, judged_on), lambda name, version: GATES[name, version])

    assert again == decision


def test_rows_from_before_refunds_are_judged_as_they_were():
    facts = make_facts(open_disputes=1)
    decision = decide(make_proposal(), facts, make_policy(GATES["open-dispute", 1]))
    inputs = stored(decision, facts)
    for name in ("payment", "amount_30d_minor", "edited", "deal", "customer_state", "erp_customer_id"):
        del inputs[name]

    assert recompute.again(make_proposal(), inputs, lambda name, version: GATES[name, version]) == decision


def test_the_ledger_keeps_no_names():
    facts = make_facts(failed_hours_ago=1, invoice=INVOICE)

    assert set(for_ledger(facts)) == {
        "now", "external_id", "tier", "contract_state", "contract_version", "plan", "erp_status", "subscription_status",
        "failed_at", "next_attempt_at", "open_disputes", "fraud_flag", "tenure_months", "erp_record_id", "ticket_id",
        "ticket_status", "late_event", "executing", "synced_at", "invoice", "payment", "amount_30d_minor", "edited",
        "deal", "customer_state", "erp_customer_id", "mapping",
    }  # fmt: skip

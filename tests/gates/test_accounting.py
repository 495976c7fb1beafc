"""What billing moved and what the books must have of it: pure."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gates import playbooks
from gates.playbooks import accounting, refunds
from gates.playbooks.accounting import Fact, Line, Place
from gates.types import Facts

AT = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
CHARGE = Fact("txn_1", "charge", 4900, 172, "usd", AT, "ch_1", 4900, "usd", "succeeded", "cus_1", "ch_1")
REFUND = replace(CHARGE, id="txn_2", category="refund", amount=-300, fee=0, source="re_1", source_minor=300)
DISPUTE = replace(CHARGE, id="txn_3", category="dispute", amount=-4900, fee=1500, source="dp_1")
HERE = Place(is_known=True, erp_customer="1847", account="eu", has_memo=True)


def said(fact: Fact, place: Place = HERE) -> list[tuple[str, str, int]]:
    return [(one.kind, one.business_key, one.params["amount_minor"]) for one in accounting.plan(fact, place).proposals]


def test_each_fact_is_its_records_and_never_more() -> None:
    assert said(CHARGE) == [("payment.record", "charge:ch_1:record", 4900), ("fee.record", "balance:txn_1:fee", 172)]
    assert said(REFUND) == [("refund.record", "refund:re_1:record", 300)]
    assert said(DISPUTE)[0] == ("dispute.record", "balance:txn_3:dispute", 4900)
    assert said(DISPUTE)[1:] == [("fee.record", "balance:txn_3:fee", 1500)]
    back = replace(DISPUTE, category="dispute_reversal", amount=4900, fee=-1500)
    assert [key for _, key, _ in said(back)] == ["balance:txn_3:dispute_back", "balance:txn_3:fee_back"]
    own = replace(CHARGE, category="fee", amount=-25, fee=0, source="", customer="")
    assert said(own, Place()) == [("fee.record", "balance:txn_1:fee", 25)]
    yen = replace(CHARGE, amount=980_000, source_minor=980_000, currency="jpy", source_currency="jpy", fee=0)
    assert said(yen) == [("payment.record", "charge:ch_1:record", 980_000)]
    payment, fee = accounting.plan(CHARGE, HERE).proposals
    assert (payment.amount_minor, payment.risk.irreversible, payment.needs) == (None, True, ())
    assert (payment.params["day"], payment.params["billing_account"]) == ("2026-11-21", "eu")
    assert Line("fee_back", "txn_1", 1, "usd").external_id == "mesh-feeback-txn_1"
    assert len({one.target for one in (payment, fee)}) == 2


def test_a_refund_settles_its_memo_and_one_made_at_billing_gets_one_first() -> None:
    assert [kind for kind, _, _ in said(REFUND, replace(HERE, has_memo=False))] == [refunds.MEMO, "refund.record"]
    labelled = replace(REFUND, mark="a-1")  # anybody may copy a label: what there is of a memo is asked elsewhere
    assert [kind for kind, _, _ in said(labelled, replace(HERE, has_memo=False))] == [refunds.MEMO, "refund.record"]
    by_hand = accounting.plan(REFUND, replace(HERE, books_refunds=False))
    assert (by_hand.proposals, by_hand.skipped) == ((), "finance books refunds by other means")
    assert accounting.plan(replace(REFUND, status="pending"), HERE).is_early
    assert accounting.plan(replace(REFUND, status="failed"), HERE).skipped == "the refund did not last"
    bounced = replace(REFUND, category="refund_failure", amount=300, status="failed")
    assert accounting.plan(bounced, HERE).skipped == "the refund that came back was never recorded"
    assert accounting.plan(bounced, replace(HERE, was_recorded=True)).code == "refund_came_back"
    facts = Facts(now=AT, refund_status="failed")
    assert playbooks.withdraw_reason(facts, "refund:re_1:record", {}, "refund.record") == refunds.LOST["failed"]
    assert playbooks.withdraw_reason(facts, "balance:txn_1:fee", {}, "fee.record") == ""
    assert playbooks.after_applied("payment.record", "charge:ch_1:record", {}, {}, {"id": "1"}) == ()


def test_a_payment_counts_when_it_is_collected_and_one_that_failed_is_taken_back() -> None:
    pending, failed = replace(CHARGE, status="pending"), replace(CHARGE, status="failed")
    assert accounting.plan(pending, HERE).is_early
    assert accounting.lines(pending, books_refunds=True) == ()
    assert said(failed) == [("fee.record", "balance:txn_1:fee", 172)]  # billing kept it all the same
    assert accounting.plan(replace(failed, fee=0), HERE).skipped == "the payment failed after all"
    back = replace(failed, id="txn_9", category="charge_failure", amount=-4900, fee=0)
    assert accounting.plan(back, HERE).skipped == "the payment that came back was never recorded"
    assert accounting.plan(back, replace(HERE, was_recorded=True)).code == "payment_came_back"
    returned = replace(back, fee=-172)
    assert said(returned) == [("fee.record", "balance:txn_9:fee_back", 172)]
    unread = replace(CHARGE, flaw="currency: unknown currency")
    assert accounting.plan(unread, HERE).code == "unreadable"
    assert accounting.lines(unread, books_refunds=True) == ()


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"currency": "eur"}, HERE, "other_currency"),
        ({"source_minor": 4899}, HERE, "unclear_amount"),
        ({"amount": -4900}, HERE, "unclear_amount"),
        ({"category": "climate_order_purchase"}, HERE, "unknown_category"),
        ({"currency": "xxx", "source_currency": "xxx"}, HERE, "no_currency"),
        ({}, Place(), "customer_unknown"),
        ({}, Place(is_known=True), "no_erp_customer"),
    ],
)
def test_what_no_rule_covers_is_a_persons_turn(change: dict[str, object], place: Place, code: str) -> None:
    plan = accounting.plan(replace(CHARGE, **change), place)  # type: ignore[arg-type]
    assert (plan.code, plan.proposals, plan.skipped) == (code, (), "")
    assert plan.sentence.endswith(".")
    payout = accounting.plan(replace(CHARGE, category="payout", amount=-100, fee=0), place)
    assert "between accounts of our own" in payout.skipped

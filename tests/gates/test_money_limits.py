"""Limits over money: each currency by itself, to the unit; a refund never exceeds what is left of its payment."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates import presets, rules
from gates.decide import decide
from gates.rules import typed
from gates.types import ASKED, Payment, Risk
from ledger import money
from ledger.money import BadAmount, Money, display, parse
from tests.gates.shapes import Verdict, answer_of, make_facts, make_gate, make_policy, make_proposal, row

MINOR = st.integers(0, 2**63 - 1)
CURRENCIES = sorted(money.TWO_DECIMAL | money.ZERO_DECIMAL | money.THREE_DECIMAL)
REFUND = Risk(irreversible=True, money=True, customer_visible=True)


def refund(minor=300, currency="usd", **more):
    return make_proposal(
        "payment.refund", business_key="payment:ch_1", params={}, risk=REFUND, needs=(), amount_minor=minor,
        currency=currency, **more,
    )  # fmt: skip


def paid(amount=4900, refunded=0, **more):
    given = {"id": "ch_1", "status": "succeeded", "currency": "usd", "is_customers": True, **more}
    return Payment(amount_minor=amount, refunded_minor=refunded, **given)


def shipped(name):
    gate = next(one for one in presets.GATES if one["name"] == name)
    return make_gate(*gate["rows"], name=name, result=Verdict(gate["result"]), applies_to=gate["applies_to"])


# --- amounts as people read and write them


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(CURRENCIES))
def test_what_is_shown_is_read_back_to_the_unit(minor, currency):
    assert parse(display(minor, currency)) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        ("1,204.50 USD", 120450, "usd"), ("1204.50 usd", 120450, "usd"), ("980 JPY", 980, "jpy"),
        ("1.500 KWD", 1500, "kwd"), ("-0.05 EUR", -5, "eur"), (" 0.00 GBP ", 0, "gbp"),
    ],
)  # fmt: skip
def test_amounts_are_read(text, minor, currency):
    assert parse(text) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "written like"), ("12.34", "written like"), ("USD 12.34", "written like"), ("1,20.50 USD", "written like"),
        ("1.204,50 EUR", "written like"), ("12.3e4 USD", "written like"), ("١٢.٣٤ USD", "written like"),
        ("1,204 USD", "2 decimals, this has 0"), ("12.5 USD", "2 decimals, this has 1"),
        ("980.00 JPY", "0 decimals, this has 2"), ("1.50 KWD", "3 decimals, this has 2"),
        ("12.34 XYZ", "XYZ is not a currency we know"),
    ],
)  # fmt: skip
def test_what_may_be_read_in_two_ways_is_not_read(text, said):
    with pytest.raises(BadAmount, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("minor", "currency", "payable"),
    [
        (1, "usd", True), (0, "usd", False), (-5, "usd", False), (1, "jpy", True), (1, "xyz", False), (1, "", False),
        (1230, "kwd", True), (1234, "kwd", False), (10, "bhd", True), (5, "jod", False), (15, "omr", False),
        (20, "tnd", True), (100, "isk", True), (150, "isk", False), (500, "ugx", True), (501, "UGX", False),
    ],
)  # fmt: skip
def test_what_the_billing_wire_takes(minor, currency, payable):
    assert money.is_payable(minor, currency) is payable


# --- gates over amounts


@settings(max_examples=100, deadline=None)
@given(MINOR, MINOR, st.sampled_from(["amount", "amount_30d"]))
def test_over_is_to_the_unit(minor, limit, field):
    gate = make_gate(row(field, "over", {"usd": limit, "jpy": 0}))

    found = typed.evaluate(gate, refund(minor), make_facts(amount_30d_minor=minor))

    assert (found.verdict is Verdict.REVIEW) is (minor > limit)


@settings(max_examples=50, deadline=None)
@given(MINOR, st.sampled_from(CURRENCIES))
def test_amounts_of_different_currencies_are_never_compared(minor, currency):
    gate = make_gate(row("amount_30d", "over", {"usd": 50_000}))

    found = typed.evaluate(gate, refund(minor, currency), make_facts(amount_30d_minor=minor))

    assert (found.verdict is Verdict.REVIEW) is (currency != "usd" or minor > 50_000), "not listed counts as over"


@pytest.mark.parametrize(
    ("case", "sum_minor", "currency", "verdict"),
    [
        ("at the limit", 50_000, "usd", "pass"), ("above", 50_001, "usd", "review_two"),
        ("another currency above", 50_001, "eur", "review_two"),
        ("yen at the limit", 7_500_000, "jpy", "pass"), ("yen above", 7_500_001, "jpy", "review_two"),
        ("not listed", 1, "kwd", "review_two"), ("sum not known", None, "usd", "review_two"),
    ],
)  # fmt: skip
def test_the_shipped_limit_asks_two_people(case, sum_minor, currency, verdict):
    found = typed.evaluate(shipped("refund-limit"), refund(1, currency), make_facts(amount_30d_minor=sum_minor))

    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("name", "facts"), [("open-dispute", {"open_disputes": 1}), ("fraud-flag", {"fraud_flag": True})]
)
def test_disputes_and_fraud_block_refunds_as_they_block_suspensions(name, facts):
    gate = shipped(name)

    for kind in ("payment.refund", "contract.suspend", "contract.downgrade"):
        assert typed.evaluate(gate, make_proposal(kind), make_facts(**facts)).verdict is Verdict.BLOCK
        assert typed.evaluate(gate, make_proposal(kind), make_facts()).verdict is Verdict.PASS


# --- a refund against its payment


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_all_refunds_together_never_exceed_the_payment(minor, amount, refunded):
    facts = make_facts(payment=paid(amount, refunded), executing=True)

    fits = rules.refund_fits(refund(minor), facts, make_policy()).verdict is Verdict.PASS

    assert fits is (minor + refunded <= amount)


@pytest.mark.parametrize(
    ("case", "payment", "proposal", "said"),
    [
        ("fits", paid(), {}, ""),
        ("all of it", paid(), {"minor": 4900}, ""),
        ("one too much", paid(), {"minor": 4901}, "49.00 USD of the payment can still be refunded"),
        ("rest", paid(refunded=4700), {}, "2.00 USD of the payment can still be refunded"),
        ("nothing left", paid(refunded=4900), {}, "0.00 USD of the payment can still be refunded"),
        ("another's", paid(is_customers=False), {}, "not this customer's"),
        ("currency", paid(currency="eur"), {}, "the payment is in EUR, the refund in USD"),
        ("charged back", paid(is_charged_back=True), {}, "a refund would pay it twice"),
        ("never collected", paid(status="failed"), {}, "never collected"),
        ("no amount", paid(), {"minor": None}, "the refund has no amount"),
        ("zero", paid(), {"minor": 0}, "the refund has no amount"),
        ("negative", paid(), {"minor": -300}, "the refund has no amount"),
    ],
)
def test_refund_fits(case, payment, proposal, said):
    found = rules.refund_fits(refund(**proposal), make_facts(payment=payment), make_policy())

    assert found.verdict is (Verdict.BLOCK if said else Verdict.PASS)
    assert said in found.reason


@pytest.mark.parametrize(("executing", "verdict"), [(True, Verdict.BLOCK), (False, Verdict.PASS)])
def test_a_payment_that_was_not_read_stops_the_sending(executing, verdict):
    facts = make_facts(executing=executing)

    assert rules.refund_fits(refund(), facts, make_policy()).verdict is verdict
    assert rules.refund_fits(make_proposal(), facts, make_policy()).verdict is Verdict.PASS


def test_nobody_can_approve_more_than_is_left():
    facts = make_facts(payment=paid(refunded=4800), amount_30d_minor=300, executing=True)
    policy = make_policy(shipped("refund-limit"), stage=ASKED)
    everything = frozenset({"refund_fits", "refund-limit", "asked_by_person"})

    decision = decide(refund(), facts, policy, approved_rules=everything)

    assert (decision.verb, decision.worst.rule) == ("ask", "refund_fits")


def test_two_approvals_let_a_sum_above_the_limit_pass():
    facts = make_facts(payment=paid(90_000), amount_30d_minor=60_000, executing=True)
    policy = make_policy(shipped("refund-limit"), stage=ASKED)

    asked = decide(refund(60_000), facts, policy)
    agreed = decide(refund(60_000), facts, policy, approved_rules=frozenset({"refund-limit", "asked_by_person"}))

    assert (asked.verb, answer_of(asked, "refund-limit").verdict) == ("ask", Verdict.REVIEW_TWO)
    assert agreed.verb == "approve"


def test_what_a_person_edited_asks_however_far_the_automation_is_trusted():
    harmless = make_proposal("ticket.note", risk=Risk(), needs=())

    edited = decide(harmless, make_facts(edited=True), make_policy())
    agreed = decide(harmless, make_facts(edited=True), make_policy(), approved_rules=frozenset({"edited_by_person"}))

    assert decide(harmless, make_facts(), make_policy()).verb == "approve"
    assert (edited.verb, edited.worst.rule) == ("ask", "edited_by_person")
    assert agreed.verb == "approve"

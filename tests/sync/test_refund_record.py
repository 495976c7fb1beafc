"""The record of refunds: any order of messages ends in the same state, and the ledger's steps are its graph's."""

from datetime import timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest

from gates import limits
from ledger import clock
from ledger.models import LedgerRow
from sync import contracts
from sync.contracts import Drift
from sync.contracts.refunds import ChargeRefundedSeen, RefundSeen
from sync.models import Refund
from sync.refunds import reading, recording
from sync.refunds.reading import Wish
from tests.factories import CustomerFactory

STAGES = ("pending", "requires_action", "pending", "succeeded", "failed")
REFUND = {"id": "re_1", "object": "refund", "charge": "ch_1", "status": "pending", "amount": 300, "currency": "usd",
          "customer": "cus_1", "metadata": {"meshline_action": "a"}}  # fmt: skip
CHARGE = {"id": "ch_1", "object": "charge", "amount_refunded": 300, "currency": "usd", "customer": "cus_1"}
VERSIONS = ("2024-06-20", "2025-03-31.basil", "2026-10-28.endive")


def seen(refund: str, status: str) -> RefundSeen:
    return RefundSeen(refund, "ch_1", "cus_1", status, 300, "usd", "", "")


def test_any_order_with_repeats_ends_the_same(db: None) -> None:
    customer, began = CustomerFactory().pk, clock.now()
    told = [(status, began + timedelta(seconds=n)) for n, status in enumerate(STAGES)]
    for end, want in ((3, "pending"), (4, "succeeded"), (5, "failed")):
        orders = sorted(set(permutations(range(end))))[:: 1 if end < 5 else 7]
        for order in orders:
            name = f"re_{end}_{''.join(map(str, order))}"
            for n in (*order, order[0]):
                recording.note(seen(name, told[n][0]), customer, None, told[n][1])
            assert Refund.objects.get(provider_id=name).state == want, order
    rows = LedgerRow.objects.filter(subject_kind="refund", subject_id=str(Refund.objects.order_by("id")[0].pk))
    steps = list(rows.order_by("id").values_list("prior_state", "post_state"))
    assert steps[0] == ("pending", "pending")
    assert all(before[1] == after[0] for before, after in pairwise(steps))


def test_what_was_made_by_hand_counts_until_it_comes_back(db: None) -> None:
    customer, now = CustomerFactory().pk, clock.now()
    recording.note(seen("re_1", "succeeded"), customer, None, now)
    recording.note(seen("re_2", "pending"), customer, None, now)
    assert limits.spent_minor(customer, "usd") == 600
    assert limits.spent_minor(customer, "eur") == limits.spent_minor(CustomerFactory().pk, "usd") == 0

    recording.note(seen("re_1", "failed"), customer, None, now + timedelta(days=1))

    assert limits.spent_minor(customer, "usd") == 300


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("type_", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
def test_each_generation_of_refund_events_is_read(version: str, type_: str) -> None:
    older = {name: value for name, value in REFUND.items() if name != "customer"}
    document: dict[str, Any] = {"created": 1_795_250_000, "data": {"object": older}}

    found = contracts.read("stripe", type_, version, document)

    assert isinstance(found, RefundSeen)
    assert (found.id, found.charge_id, found.customer_id, found.action, found.amount) == ("re_1", "ch_1", "", "a", 300)
    document["data"]["object"] = {**REFUND, "status": "half_done"}
    assert isinstance(contracts.read("stripe", type_, version, document), Drift)
    document["data"]["object"] = {**REFUND, "amount": 3.5}
    assert isinstance(contracts.read("stripe", type_, version, document), Drift)


def test_a_charge_says_how_much_was_given_back_of_it() -> None:
    document = {"created": 1_795_250_000, "data": {"object": CHARGE}}

    found = contracts.read("stripe", "charge.refunded", VERSIONS[-1], document)

    assert isinstance(found, ChargeRefundedSeen)
    assert (found.charge_id, found.customer_id, found.refunded) == ("ch_1", "cus_1", 300)


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "said"),
    [
        ("12.30", "", 1230, ""), ("12", "", 1200, ""), ("", "", 4000, ""), ("0.01", "usd", 1, ""),
        ("0", "", 0, "more than 0"), ("-1", "", 0, "more than 0"), ("1.234", "", 0, "is no amount of USD"),
        ("1,5", "", 0, "is no amount of USD"), ("٣", "", 0, "is no amount"), ("1e3", "", 0, "is no amount"),
        ("1.", "", 0, "is no amount"), (".5", "", 0, "is no amount"), ("5", "qqq", 0, "is not a currency we know"),
        ("1.230", "kwd", 1230, ""), ("980", "jpy", 980, ""), ("9.8", "jpy", 0, "is no amount of JPY"),
    ],
)  # fmt: skip
def test_amounts_of_tickets(amount: str, currency: str, minor: int, said: str) -> None:
    payment = {"currency": "usd", "amount_minor": 4900, "refunded_minor": 900}

    found, _, sentence = reading.amount_of(Wish(amount=amount, currency=currency), payment)

    assert said in sentence
    assert bool(sentence) is bool(said)
    assert said or found == minor

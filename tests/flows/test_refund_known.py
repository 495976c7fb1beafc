"""A refund is held against what is known when it is sent, and followed until the bank is done."""

import pytest

from gates import review
from gates.models import Approval, ReviewItem
from ledger.models import Action, Event, LedgerRow
from sync import settle
from tests.flows.shop import Buyer, approve, approved, ask, buyer_of, item_of, refunds
from tests.flows.world import World, steps
from tests.people.cast import person


@pytest.mark.parametrize("is_told", [True, False], ids=["webhook", "only the live read"])
def test_a_dispute_between_approval_and_send_stops_it(buyer: Buyer, is_told: bool) -> None:
    approved(buyer)
    if not is_told:
        buyer.world.hold("stripe")
    buyer.world.play("stripe", "open_dispute", charge=buyer.charge)

    asked = buyer.world.until("payment.refund", "in_review")

    failing = {one["rule"] for one in asked.answers if one["verdict"] != "pass"}
    assert {"open-dispute", "refund_fits"} <= failing
    assert refunds(buyer.world) == []
    assert Approval.objects.get().voided_at is not None
    approve(asked)
    buyer.world.settle(0.1)
    assert Action.objects.get().state == "in_review", "a chargeback is not refunded, whoever approves"
    assert refunds(buyer.world) == []


def test_an_inquiry_is_a_specialists_to_decide(buyer: Buyer) -> None:
    buyer.world.play("stripe", "open_dispute", charge=buyer.charge, status="warning_needs_response")
    action = ask(buyer)
    assert {one["rule"] for one in action.answers if one["verdict"] == "block"} == {"open-dispute"}

    approve(action)
    buyer.world.until("payment.refund", "applied")

    assert buyer.paid()["amount_refunded"] == 300


def test_a_fraud_warning_between_approval_and_send_stops_it(buyer: Buyer) -> None:
    approved(buyer)
    buyer.world.hold("stripe")
    buyer.world.play("stripe", "warn_fraud", charge=buyer.charge)

    asked = buyer.world.until("payment.refund", "in_review")

    assert "fraud-flag" in {one["rule"] for one in asked.answers if one["verdict"] != "pass"}
    assert refunds(buyer.world) == []


@pytest.mark.parametrize(("elsewhere", "failing"), [(4800, {"refund_fits"}), (4900, {"refund_fits"}), (100, set())])
def test_refunded_elsewhere_meanwhile_is_asked_again(buyer: Buyer, elsewhere: int, failing: set[str]) -> None:
    approved(buyer)
    buyer.world.hold("stripe")
    buyer.world.play("stripe", "refund_charge", charge=buyer.charge, amount=elsewhere)

    asked = buyer.world.until("payment.refund", "in_review")

    assert {one["rule"] for one in asked.answers if one["verdict"] == "block"} == failing
    assert asked.preview[0]["now"] == f"{elsewhere / 100:.2f} USD", "what was agreed to is not what would happen"
    assert refunds(buyer.world) == []


def test_the_sum_of_thirty_days_takes_a_second_person(buyer: Buyer) -> None:
    world = buyer.world
    big = buyer_of(world, amount=90_000)
    approved(big, 30_000)
    world.until("payment.refund", "applied")
    big.charge = big.pays()

    second = ask(big, 30_000)
    limit = next(one for one in second.answers if one["rule"] == "refund-limit")
    assert (limit["verdict"], second.facts["amount_30d_minor"]) == ("review_two", 60_000)
    approve(second)
    world.settle(0.1)
    assert Action.objects.get(pk=second.pk).state == "in_review"
    approve(second)
    world.settle(0.1)

    assert Action.objects.get(pk=second.pk).state == "applied"
    assert len(refunds(world)) == 2


def test_who_agreed_first_is_not_asked_again_for_what_came_after(shop: World) -> None:
    big = buyer_of(shop, amount=90_000)
    first = ask(big, 30_000)
    big.charge = big.pays()
    second = ask(big, 30_000)
    approve(first)
    approve(second)
    approve(second)

    shop.settle(0.2)

    assert list(Action.objects.order_by("id").values_list("state", flat=True)) == ["applied", "applied"]
    assert "in_review" not in steps(first)[1:]


def test_a_pending_refund_is_sending_until_the_bank_is_done(buyer: Buyer) -> None:
    world = buyer.world
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="pending")
    action = approved(buyer)
    world.until("payment.refund", "sending")
    waiting = Action.objects.get()
    assert (waiting.job_ref[:3], waiting.confirmation, steps(action)[-1]) == ("re_", None, "sending")
    assert LedgerRow.objects.filter(post_state="applied").count() == 0

    world.play("stripe", "finish_refund", refund=waiting.job_ref, status="succeeded")
    done = world.until("payment.refund", "applied")

    assert (done.confirmation["id"], len(refunds(world))) == (waiting.job_ref, 1)


@pytest.mark.parametrize("ends", ["failed", "canceled"])
def test_a_pending_refund_that_does_not_come_through_has_failed(buyer: Buyer, ends: str) -> None:
    world = buyer.world
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="pending")
    approved(buyer)
    waiting = world.until("payment.refund", "sending")

    world.play("stripe", "finish_refund", refund=waiting.job_ref, status=ends)
    failed = world.until("payment.refund", "failed")

    assert failed.error_code == f"refund_{ends}"
    assert f"the refund was {ends}" in failed.last_error
    assert (item_of(failed).why, buyer.paid()["amount_refunded"]) == (f"refund_{ends}", 0)
    item = item_of(failed)
    review.retry(item.pk, by=person("Billing Resolver"), reason="again", version=failed.state_version)
    world.until("payment.refund", "failed")
    assert len(refunds(world)) == 1, "the same refund has failed; only a new one can come through"


def test_a_refund_that_fails_at_once_says_why(buyer: Buyer) -> None:
    buyer.world.play("stripe", "set_refunds", customer=buyer.stripe, status="failed")
    approved(buyer)

    failed = buyer.world.until("payment.refund", "failed")

    assert "expired or canceled card" in failed.last_error
    assert steps(failed) == ["in_review", "approved", "sending", "failed"]


def test_a_refund_that_needs_the_customer_is_told_to_a_person(buyer: Buyer) -> None:
    world = buyer.world
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="requires_action")
    approved(buyer)
    waiting = world.until("payment.refund", "sending")
    item = item_of(waiting)
    assert (item.why, "the customer has to do something" in item.reason) == ("waits_at_provider", True)

    world.play("stripe", "finish_refund", refund=waiting.job_ref, status="succeeded")
    world.until("payment.refund", "applied")

    assert ReviewItem.objects.get(pk=item.pk).resolution == "confirmed"


def test_a_refund_that_is_late_is_in_doubt_and_asked_on(buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    world = buyer.world
    monkeypatch.setattr(settle, "JOB_FOR", settle.timedelta())
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="pending")
    approved(buyer)
    late = world.until("payment.refund", "unknown")
    assert item_of(late).why == "waits_at_provider"

    world.play("stripe", "finish_refund", refund=late.job_ref, status="succeeded")
    world.until("payment.refund", "applied")

    assert len(refunds(world)) == 1


def test_a_refund_of_one_payment_does_not_wait_for_that_of_another(buyer: Buyer) -> None:
    world = buyer.world
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="pending")
    approved(buyer)
    world.until("payment.refund", "sending")
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="succeeded")
    buyer.charge = buyer.pays()
    second = approved(buyer, 500)

    world.settle(0.1)

    assert Action.objects.get(pk=second.pk).state == "applied"


def test_a_refund_that_fails_days_later_breaks_nothing(buyer: Buyer) -> None:
    world = buyer.world
    approved(buyer)
    done = world.until("payment.refund", "applied")

    world.play("stripe", "fail_refund", refund=done.confirmation["id"])
    world.settle(0.1)

    events = Event.objects.filter(type__in=("refund.failed", "refund.updated"))
    assert set(events.values_list("state", flat=True)) <= {"processed", "ignored"}
    assert events.count() == 2
    assert Action.objects.get().state == "applied", "following a refund to its end is not this step's"

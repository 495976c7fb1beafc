"""Nothing of billing's balance is lost on the way to the books: strange lines, other days, other stages, mistakes."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User

from gates import automations, policy, review, stop
from gates.models import Automation, ReviewItem, Segment, StopSwitch
from ledger import clock
from ledger.models import Action, ExternalId
from sync.accounting import asking, collecting
from sync.contracts import balance
from sync.models import BalanceEntry, PollMark
from tests.flows.shop import approved, buyer_of, kept
from tests.flows.test_accounting import ON, booked, books, compare, due, work
from tests.flows.test_refund_followed import known_to_erp, memos
from tests.flows.world import World, acting
from tests.people.cast import person

__all__ = ["books"]  # the fixture


def waits() -> list[str]:
    rows = ReviewItem.objects.filter(kind="accounting.entry").exclude(state="resolved")
    return sorted(rows.values_list("why", flat=True))


def payments(world: World) -> list[str]:
    return [name for name, _ in booked(world)["customerPayment"]]


def test_a_line_that_cannot_be_read_holds_up_no_other_and_is_somebodys_work(books: World) -> None:
    buyer = buyer_of(books)
    known_to_erp(buyer)
    strange = {"type": "stripe_fee", "category": "fee", "amount": -1, "currency": "qqq"}
    books.play("stripe", "plant_balance", rows=[strange])
    work(books)
    assert payments(books) == [f"mesh-pay-{buyer.charge}"]
    assert waits() == ["unreadable"]
    # nothing is said to agree without it
    run = compare()
    assert (run.outcome, run.totals) == ("failed", [])
    assert "cannot be read (currency: unknown currency)" in run.error

    # money that leaves is below 0 at its own object, too: nothing strange
    row = {**kept(books, BalanceEntry.objects.get(code="unreadable").provider_id), "currency": "usd"}
    payout = {"id": "po_1", "object": "payout", "amount": -500, "currency": "usd", "status": "paid"}
    read = balance.fact({**row, "reporting_category": "payout", "source": payout})
    assert (read.flaw, read.source_minor) == ("", -500)

    # a payment that a bank gave back after it was recorded; and one that billing cannot be asked about for a moment
    back = {"type": "payment_failure_refund", "category": "charge_failure", "amount": -4900, "source": buyer.charge}
    books.play("stripe", "plant_balance", rows=[back])
    work(books)
    assert waits() == ["payment_came_back", "unreadable"]
    item = ReviewItem.objects.get(why="payment_came_back")
    ReviewItem.objects.filter(pk=item.pk).update(state="resolved")
    for rule in ({"kind": "error_before", "status": 503, "count": 1}, {}):
        books.fault(*([{**rule, "provider": "stripe", "method": "GET"}] if rule else []))
        BalanceEntry.objects.exclude(code="payment_came_back").update(due_at=clock.now() + timedelta(hours=1))
        BalanceEntry.objects.filter(category="charge_failure").update(due_at=clock.now() - timedelta(seconds=1))
        told = collecting.run()
    assert "skipped" in told
    assert waits() == ["unreadable"]  # a person settled it, and is not asked again


def test_another_first_day_and_a_clock_that_ran_ahead_leave_no_gap(books: World, settings: Any) -> None:
    day = timedelta(days=1)
    (early,) = books.play(
        "stripe", "plant_balance", rows=[{"type": "stripe_fee", "category": "fee", "amount": -25, "ago": 3 * 86_400}]
    )["transactions"]
    work(books)
    BalanceEntry.objects.create(provider_id=early)  # an event named it
    assert collecting.run() == "nothing new"
    settings.MESHLINE_ACCOUNTING = {**ON, "since": clock.now() - 5 * day}
    work(books)
    assert [name for name, _ in booked(books)["journalEntry"]] == [f"mesh-fee-{early}"]

    PollMark.objects.update(seen_until=clock.now() + 300 * day)
    (late,) = books.play("stripe", "plant_balance", rows=[{"type": "stripe_fee", "category": "fee", "amount": -26}])[
        "transactions"
    ]
    work(books)
    assert f"mesh-fee-{late}" in [name for name, _ in booked(books)["journalEntry"]]

    # a key that may not read is said where somebody looks
    books.fault({"provider": "stripe", "method": "GET", "kind": "error_before", "status": 403, "count": 1})
    assert collecting.sweep().startswith("1 not read in default (")


def test_what_was_observed_is_recorded_once_its_segment_or_its_customer_allows_it(books: World) -> None:
    buyer = buyer_of(books)
    record = known_to_erp(buyer)
    tier = buyer.contract.customer.tier
    automation = Automation.objects.get(name="accounting")
    part = Segment.objects.create(automation=automation, key=f"tier:{tier}", state="shadow")
    policy.forget()
    work(books)
    work(books)
    assert (payments(books), set(Action.objects.values_list("state", flat=True))) == ([], {"observed"})
    assert Action.objects.count() == 2
    # no link to the ERP for a while, so that what was observed waits for a person before it may be recorded
    ExternalId.objects.filter(system="netsuite", value=record).update(value="0", kind="gone")
    Segment.objects.filter(pk=part.pk).update(state="full")
    policy.forget()
    work(books)
    assert waits() == ["no_erp_customer"]
    ExternalId.objects.filter(system="netsuite", value="0").update(value=record, kind="customer")
    work(books)
    assert payments(books) == [f"mesh-pay-{buyer.charge}"]
    assert waits() == []


def test_what_a_step_down_withdrew_is_booked_when_it_may_be_again(books: World, monkeypatch: Any) -> None:
    stop.engage("all", by=person("Support Manager"), reason="a test")
    buyer = buyer_of(books)
    known_to_erp(buyer)
    collecting.sweep()
    books.settle()
    assert set(Action.objects.values_list("state", flat=True)) == {"parked"}
    lead = User.objects.get(username="lead-accounting")
    automations.step_to("accounting", "shadow", by=lead, reason="too much at once")
    assert set(Action.objects.values_list("state", flat=True)) == {"superseded"}
    StopSwitch.objects.update(state="running")
    policy.forget()
    work(books)
    assert set(BalanceEntry.objects.values_list("outcome", flat=True)) == {"observed"}
    automations.place("accounting", "full", why="test")
    work(books)
    work(books)
    assert payments(books) == [f"mesh-pay-{buyer.charge}"]
    assert Action.objects.filter(state="applied").count() == 2

    # however much waits for a person, what is heard of is read first
    customer = buyer_of(books)
    collecting.sweep()
    assert waits() == ["no_erp_customer"]
    (fee,) = books.play("stripe", "plant_balance", rows=[{"type": "stripe_fee", "category": "fee", "amount": -25}])[
        "transactions"
    ]
    BalanceEntry.objects.create(provider_id=fee)
    BalanceEntry.objects.filter(source=customer.charge).update(due_at=clock.now() - timedelta(hours=1))
    monkeypatch.setattr(collecting, "AT_ONCE", 1)
    assert collecting.run() == "1 planned"


def test_a_refund_of_ours_without_a_memo_gets_one_and_a_corrected_setting_is_sent_anew(
    books: World, settings: Any
) -> None:
    acting("refunds")
    buyer = buyer_of(books)
    refund = approved(buyer, 300)  # confirmed while the ERP did not know the customer: no memo followed
    books.until("payment.refund", "applied")
    work(books)
    assert (waits(), memos(books)) == (["no_erp_customer", "no_erp_customer"], [])
    assert refund.kind == "payment.refund"
    known_to_erp(buyer)
    settings.MESHLINE_ACCOUNTING = {**settings.MESHLINE_ACCOUNTING, "fee": {"*": "999"}}
    work(books)
    assert [amount for _, amount in booked(books)["customerRefund"]] == [3.0]
    assert [one["amountRemaining"] for one in memos(books)] == [0]

    # an account that the ERP does not have was refused; what is corrected is sent anew, not the same bytes again
    refused = Action.objects.get(kind="fee.record")
    assert (refused.state, booked(books)["journalEntry"]) == ("failed", [])
    settings.MESHLINE_ACCOUNTING = {**settings.MESHLINE_ACCOUNTING, "fee": {"*": "219"}}
    item = ReviewItem.objects.get(action=refused)
    review.retry(item.pk, by=person("Billing Resolver"), reason="mended", version=refused.state_version)
    work(books)
    assert [amount for _, amount in booked(books)["journalEntry"]] == [1.72]
    due()

    # an assistant that may ask decides nothing
    further = buyer.pays()
    asked = asking.ask(f"payment {further}", by=person("Assistant"), reason="it is missing")
    assert asked.state == "in_review"

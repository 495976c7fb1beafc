"""A failed payment from the signed webhook to the providers' books."""

from typing import Any

from gates.models import ReviewItem
from ledger.models import Action, Customer, Event, LedgerRow
from sync import correlate
from tests.flows.world import World


def states() -> dict[str, str]:
    return {one.kind: str(one.state) for one in Action.objects.order_by("id")}


def test_failed_payment_opens_a_ticket_and_holds_the_suspension(world: World, settings: Any) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    customer = world.customer()
    world.fail(customer, next_attempt_in=86_400)

    world.settle()

    assert states() == {"ticket.open": "applied", "contract.suspend": "held"}
    assert world.contract().state == "past_due"
    assert world.effects("netsuite") == []
    assert [one["action"] for one in world.effects("zendesk")] == [str(Action.objects.get(kind="ticket.open").pk)]


def test_a_customer_whom_a_contract_shows_has_the_name_that_the_erp_told_before(world: World) -> None:
    customer = world.customer(linked=False)
    erp = world.play("netsuite", "create_customer", name="Granite Energy", stripe_customer=customer.stripe)["id"]
    world.settle()
    assert Event.objects.get(object_id=erp).verdict == correlate.STRANGER

    world.play("netsuite", "create_contract", customer=erp, subscription=customer.subscription, plan="growth")
    world.settle()

    assert Customer.objects.get().name == "Granite Energy"
    assert Event.objects.get(object_id=erp).state == "processed"


def test_unpaid_at_the_end_of_the_window_suspends_in_the_erp_and_tags_the_ticket(world: World) -> None:
    customer = world.customer()
    world.fail(customer, next_attempt_in=None)

    suspended = world.until("contract.suspend", "applied")
    world.until("ticket.tag", "applied")

    assert world.contract().state == "suspended"
    assert [one["action"] for one in world.effects("netsuite")] == [str(suspended.pk)]
    row = LedgerRow.objects.get(action_id=suspended.pk, post_state="applied")
    assert row.confirmation_id == customer.erp_contract
    assert row.applied_at is not None
    steps = LedgerRow.objects.filter(action_id=suspended.pk, subject_kind="action").order_by("id")
    shown = list(steps.values_list("prior_state", "post_state"))
    assert shown == [("proposed", "held"), ("held", "approved"), ("approved", "sending"), ("sending", "applied")]


def test_paid_within_the_window_withdraws_the_suspension(world: World, settings: Any) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    customer = world.customer()
    world.fail(customer, next_attempt_in=86_400)
    world.settle()

    world.pay(customer)
    world.settle()

    assert states() == {"ticket.open": "applied", "contract.suspend": "superseded", "ticket.note": "applied"}
    assert world.contract().state == "active"
    assert Event.objects.filter(verdict__startswith="contradicting").count() == 1
    assert world.effects("netsuite") == []


def test_payment_whose_webhook_never_came_is_found_by_the_live_read(world: World) -> None:
    customer = world.customer()
    world.fail(customer, next_attempt_in=None)
    world.settle()
    world.hold("stripe")

    world.pay(customer)
    world.until("contract.suspend", "superseded")

    assert world.effects("netsuite") == []


def test_paid_after_the_suspension_proposes_to_restore_and_a_person_decides(world: World) -> None:
    customer = world.customer()
    world.fail(customer, next_attempt_in=None)
    suspended = world.until("contract.suspend", "applied")

    world.pay(customer)
    restore = world.until("contract.restore", "in_review")

    item = ReviewItem.objects.get(action=restore)
    assert restore.reverses_id == suspended.pk
    assert item.state == "open"
    assert item.owner_group == "Billing Resolver"
    assert world.contract().state == "suspended"


def test_everything_delivered_twice_has_one_effect(world: World) -> None:
    customer = world.customer()
    world.sandbox.faults({"provider": "stripe", "rules": [{"kind": "hook_duplicate", "times": 2}]})
    world.fail(customer, next_attempt_in=None)

    world.until("contract.suspend", "applied")
    world.settle(0.3)

    assert len(world.effects("netsuite")) == 1
    assert Action.objects.filter(kind="contract.suspend").count() == 1
    assert Event.objects.get(type="invoice.payment_failed").deliveries == 3

"""What comes at the wrong time: payments in the air, disputes, cancellations, late and shuffled events, and people."""

from typing import Any

from django.contrib.auth.models import User

from gates import review
from gates.models import ReviewItem
from ledger.models import Action, Contract, LedgerRow
from sync import drain
from tests.flows.test_crash import beside
from tests.flows.world import Customer, World, steps

DAY = 86_400


def moment(world: World) -> int:
    return int(world.sandbox.get("/_health")["now"])


def fail_long_ago(world: World, customer: Customer) -> None:
    """The payment failed a minute ago, and the window is over."""
    world.fail(customer, next_attempt_in=None, at=moment(world) - 60)


def erp_status(world: World, customer: Customer) -> str:
    """What the ERP itself says."""
    rows: dict[str, Any] = world.sandbox.books("netsuite")["objects"]["customrecord_mesh_contract"]
    return str(rows[customer.erp_contract]["custrecord_mesh_status"])


def approve(action: Action) -> None:
    """Another person says yes to what the page shows."""
    person = User.objects.create_superuser("mara", "mara@meshline.example", "x")
    item = ReviewItem.objects.get(action=action)
    review.approve(
        item.pk, by=person, reason="the money came", version=action.state_version, preview_hash=action.preview_hash
    )


def test_paid_while_the_suspension_is_in_the_air_is_given_back_by_a_person(world: World) -> None:
    customer = world.customer()
    world.fault({"kind": "latency", "ms": 1500, "provider": "netsuite", "method": "PATCH", "count": 1})
    fail_long_ago(world, customer)
    world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
    with beside(drain.once):
        for _ in range(200):
            if Action.objects.filter(kind="contract.suspend", state="sending").exists():
                break
        world.pay(customer)
        world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
        drain.once()
        assert Action.objects.get(kind="contract.suspend").state == "sending"

    restore = world.until("contract.restore", "in_review")
    suspend = Action.objects.get(kind="contract.suspend")
    assert (str(suspend.state), restore.reverses_id) == ("applied", suspend.pk)
    assert (world.contract().state, erp_status(world, customer)) == ("suspended", "suspended")

    approve(restore)
    world.until("contract.restore", "applied")

    assert (world.contract().state, erp_status(world, customer)) == ("active", "active")
    assert Action.objects.get(pk=suspend.pk).state == "compensated"
    assert [one["action"] for one in world.effects("netsuite")] == [str(suspend.pk), str(restore.pk)]
    assert not ReviewItem.objects.exclude(state="resolved").exists()


def test_paid_after_the_suspension_is_given_back_once(world: World) -> None:
    customer = world.customer()
    fail_long_ago(world, customer)
    suspend = world.until("contract.suspend", "applied")
    world.fault({"kind": "lost_answer", "provider": "netsuite", "method": "PATCH", "count": 1})
    paid = world.pay(customer)
    restore = world.until("contract.restore", "in_review")
    approve(restore)
    world.until("contract.restore", "applied")

    for event in paid["events"]:
        world.play("stripe", "redeliver", event=event, times=2)
    world.settle(0.2)

    assert "unknown" in steps(Action.objects.get(pk=restore.pk))
    assert Action.objects.get(pk=suspend.pk).state == "compensated"
    assert (world.contract().state, erp_status(world, customer)) == ("active", "active")
    assert Action.objects.filter(kind="contract.restore").count() == 1
    assert len(world.effects("netsuite")) == 2


def test_an_open_dispute_leaves_the_end_to_a_person(world: World) -> None:
    customer = world.customer()
    world.play("stripe", "open_dispute", customer=customer.stripe)
    fail_long_ago(world, customer)

    held = world.until("contract.suspend", "in_review")

    item = ReviewItem.objects.get(action=held)
    assert item.why == "open-dispute"
    assert world.effects("netsuite") == []


def test_a_cancelled_subscription_ends_what_was_planned(world: World, settings: Any) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 2
    customer = world.customer()
    world.fail(customer, next_attempt_in=None)
    world.settle()
    world.play("stripe", "end_subscription", subscription=customer.subscription)

    ended = world.until("contract.suspend", "superseded")

    row = LedgerRow.objects.get(action_id=ended.pk, post_state="superseded")
    assert row.reasons[0]["reason"] == "the contract is cancelled"
    assert world.contract().state == "cancelled"
    assert world.effects("netsuite") == []


def test_an_event_of_last_week_starts_nothing_irreversible(world: World) -> None:
    customer = world.customer()
    world.fail(customer, next_attempt_in=None, at=moment(world) - 8 * DAY)

    asked = world.until("contract.suspend", "in_review")
    world.settle(0.3)

    assert "late_event" in {one["rule"] for one in asked.answers if one["verdict"] != "pass"}
    assert world.effects("netsuite") == []


def test_repeated_and_shuffled_deliveries_change_nothing(world: World, settings: Any) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    customer = world.customer()
    world.fault({"kind": "hook_duplicate", "times": 3, "provider": "stripe"})
    world.hold("stripe")
    world.fail(customer, next_attempt_in=DAY, noise=True)
    world.fail(customer, next_attempt_in=DAY)
    world.pay(customer)
    world.release("stripe", "shuffle")
    world.settle(0.3)

    states = dict(Action.objects.values_list("kind", "state"))
    assert states["contract.suspend"] == "superseded"
    assert Action.objects.filter(kind="contract.suspend").count() == 1
    assert Contract.objects.get().state == "active"
    assert world.effects("netsuite") == []
    assert len(world.effects("zendesk")) <= 2

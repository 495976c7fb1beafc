"""A provider changes its schema: the event is parked, the member named, the automation asks; all else goes on."""

from gates import policy
from gates.models import Automation, ReviewItem
from ledger.models import Action, Event, LedgerRow
from tests.flows.world import World


def test_a_renamed_member_parks_the_event_and_makes_the_automation_ask(world: World) -> None:
    other = world.customer()
    customer = world.customer()
    world.settle()
    broken = {"id": "in_drift1", "object": "invoice", "customer": customer.stripe, "state_of_things": "open"}
    world.play("stripe", "send_event", type="invoice.payment_failed", object=broken)

    world.settle()

    event = Event.objects.get(object_id="in_drift1")
    assert event.state == "parked"
    item = ReviewItem.objects.get(event=event)
    assert item.why == "schema_drift"
    assert "schema drift:" in item.reason
    assert Automation.objects.get(name="dunning").state == "suggest"
    row = LedgerRow.objects.filter(subject_kind="rollout", actor="system:drift").get()
    assert (row.prior_state, row.post_state) == ("full", "suggest")

    policy._held.clear()
    world.fail(other, next_attempt_in=86_400)
    world.settle()
    assert set(Action.objects.values_list("state", flat=True)) == {"in_review"}

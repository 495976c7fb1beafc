"""An item knows where it comes from: what it takes over from its action, its customer and the first signal."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates import items, ownership, policy, sla_plan
from gates.models import ReviewItem
from ledger import clock
from tests.factories import ActionFactory, ContractFactory, CustomerFactory, EventFactory
from tests.people.cast import person

pytestmark = pytest.mark.django_db


def about(action, **more):
    said = {
        "action_id": action.pk, "customer_id": action.customer_id, "kind": action.kind, "sentence": "Do it.",
        "why": "open-dispute", "owner_group": "Billing Resolver", "correlation_id": action.correlation_id,
    }  # fmt: skip
    return said | more


def suspension(**more):
    customer = CustomerFactory(tier="growth", mrr_minor=4900)
    said = [
        {"rule": "open-dispute", "verdict": "block", "reason": "a payment is disputed", "version": 1},
        {"rule": "late_event", "verdict": "pass", "reason": "", "version": 1},
    ]
    return ActionFactory(
        state="failed", automation="dunning", error_code="500", customer=customer, answers=said,
        contract=ContractFactory(customer=customer, state="past_due"), event=EventFactory(type="invoice.x"),
        facts={"synced_at": {"billing": "2026-11-21T00:00:00+00:00"}, "now": "2026-11-21T00:00:01+00:00"}, **more,
    )  # fmt: skip


def test_what_it_takes_over():
    action = suspension()

    assert items.open_items([about(action)]) == 1

    item = ReviewItem.objects.get()
    assert (item.provider, item.automation, item.tier, item.error_code) == ("netsuite", "dunning", "growth", "500")
    assert item.evidence["signal"]["event"] == action.event_id
    assert item.evidence["signal"]["type"] == "invoice.x"
    assert item.evidence["trusted"] == {"billing": "2026-11-21T00:00:00+00:00"}
    assert item.evidence["remains"] == ["a payment is disputed"]


def test_it_always_has_an_owner_a_fallback_and_a_due_time():
    person("Billing Resolver")

    items.open_items([about(suspension()), items.for_event(EventFactory().pk, "event", "Read it.", "crashed")])

    for item in ReviewItem.objects.all():
        assert item.owner_group
        assert item.fallback_group
        assert item.routed_by
        assert clock.now() < item.touch_due_at <= item.due_at
        assert item.bump_at is not None


def test_what_the_caller_knows_stays():
    items.open_items([about(suspension(), confidence=0.7, error_code="gone", tier="enterprise")])

    item = ReviewItem.objects.get()
    assert (item.confidence, item.error_code, item.tier) == (0.7, "gone", "enterprise")


def test_an_item_about_an_event_has_its_signal():
    event = EventFactory(type="invoice.paid")

    items.open_items([items.for_event(event.pk, "event", "Read it.", "crashed")])

    assert ReviewItem.objects.get().provider == event.source
    assert ReviewItem.objects.get().evidence["signal"]["type"] == "invoice.paid"


def test_an_action_has_one_open_item_at_most():
    action = suspension()

    assert items.open_items([about(action)]) == 1
    assert items.open_items([about(action)]) == 0


def test_a_batch_costs_two_statements_once_routing_and_promises_are_known(monkeypatch):
    for read in (ownership, policy, sla_plan):
        monkeypatch.setattr(read, "FRESH_SECONDS", 600)
    items.open_items([about(suspension())])
    batch = [about(suspension()) for _ in range(20)]

    with CaptureQueriesContext(connection) as django_made, Counting() as ours:
        assert items.open_items(batch) == 20

    assert (len(ours), len(django_made)) == (2, 0)


class Counting:
    """Statements that sets run."""

    def __enter__(self):
        self.ran, self.kept = [], items.sets.run
        items.sets.run = lambda sql, params=None: (self.ran.append(sql), self.kept(sql, params))[1]
        return self.ran

    def __exit__(self, *failure):
        items.sets.run = self.kept

"""What may exist only once is held by the database, not by good behaviour."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from ledger import clock
from ledger.identity import lane_of, mint_external_id, new_action_id
from tests import factories as make

OPEN = ["proposed", "held", "in_review", "approved", "parked", "sending", "unknown", "failed"]
ENDED = ["observed", "applied", "rejected", "superseded", "compensated"]


def same_event(n):
    return make.EventFactory(source="stripe", account="acct_1", provider_event_id="evt_1")


def same_link(n):
    return make.ExternalIdFactory(value="cus_1")


def same_gate(n):
    return make.GateVersionFactory(name="open-dispute", version=9)


def same_slot(n):
    return make.DrainSlotFactory._meta.model.objects.create(slot=77)


def same_run(n):
    return make.JobRunFactory(job="sweep", planned_at=datetime(2026, 11, 21, tzinfo=UTC))


def same_customer(n):
    return make.CustomerFactory(external_id="mesh-cus-1")


def same_contract(n):
    return make.ContractFactory(external_id="mesh-con-1")


def same_scope(n):
    return make.StopSwitchFactory._meta.model.objects.create(scope="provider:x")


def same_automation(n):
    return make.AutomationFactory._meta.model.objects.create(name="twice")


ONCE = [
    same_event,
    same_link,
    same_gate,
    same_slot,
    same_run,
    same_customer,
    same_contract,
    same_scope,
    same_automation,
]


@pytest.mark.django_db
@pytest.mark.parametrize("one", ONCE, ids=lambda one: one.__name__)
def test_only_once(one):
    one(1)

    with pytest.raises(IntegrityError), transaction.atomic():
        one(2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [{"source": "netsuite"}, {"account": "acct_2"}, {"provider_event_id": "evt_2"}],
    ids=lambda one: next(iter(one)),
)
def test_events_of_another_source_account_or_id_are_others(other):
    named = {"source": "stripe", "account": "acct_1", "provider_event_id": "evt_1"}
    make.EventFactory(**named)

    make.EventFactory(**named | other)


@pytest.mark.django_db
def test_one_event_leads_to_an_action_once_for_ever():
    event = make.EventFactory()
    make.ActionFactory(event=event, target="contract:in_1", state="superseded")

    with pytest.raises(IntegrityError), transaction.atomic():
        make.ActionFactory(event=event, target="contract:in_1")


@pytest.mark.django_db
@pytest.mark.parametrize("state", OPEN)
def test_one_business_key_is_open_once(state):
    customer = make.CustomerFactory()
    make.ActionFactory(customer=customer, business_key="invoice:in_1", state=state)

    with pytest.raises(IntegrityError), transaction.atomic():
        make.ActionFactory(customer=customer, business_key="invoice:in_1", state="held")


@pytest.mark.django_db
@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_does_not_stand_in_the_way(state):
    customer = make.CustomerFactory()
    make.ActionFactory(customer=customer, business_key="invoice:in_1", state=state)

    make.ActionFactory(customer=customer, business_key="invoice:in_1", state="held")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "fits"), [("held", False), ("applied", False), ("rejected", True), ("superseded", True)]
)
def test_an_action_is_undone_once(state, fits):
    original = make.ActionFactory(state="applied")
    make.ActionFactory(kind="contract.restore", reverses=original, state=state)

    if fits:
        make.ActionFactory(kind="contract.restore", reverses=original)
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            make.ActionFactory(kind="contract.restore", reverses=original)


@pytest.mark.django_db
def test_one_open_item_and_one_standing_approval_of_a_person():
    item = make.ReviewItemFactory()
    given = make.ApprovalFactory(action=item.action)

    with pytest.raises(IntegrityError), transaction.atomic():
        make.ReviewItemFactory(action=item.action)
    with pytest.raises(IntegrityError), transaction.atomic():
        make.ApprovalFactory(action=item.action, by=given.by)
    make.ApprovalFactory(action=item.action, by=given.by, voided_at=clock.now())
    make.ReviewItemFactory(action=item.action, state="resolved")


def test_action_ids_are_ordered_and_unique():
    ids = [new_action_id() for _ in range(20_000)]

    assert ids == sorted(set(ids))
    assert {one.version for one in ids[:10]} == {7}


def test_external_ids_suit_every_system():
    one = mint_external_id("cus")

    assert one.startswith("mesh-cus-")
    assert one.replace("-", "").isalnum()
    assert len(one) <= 64


def test_lanes_are_spread_and_stable():
    lanes = {lane_of(f"customer:{n}")[:4] for n in range(1000)}

    assert len(lanes) > 950
    assert lane_of("customer:1") == lane_of("customer:1")
    assert len(lane_of("x" * 500)) == 200

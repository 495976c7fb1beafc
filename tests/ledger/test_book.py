"""The only mover of actions and contracts: a step and its row, or neither."""

import uuid

import pytest
from django.db import transaction

from ledger import book
from ledger.book import BadEdge, Move
from ledger.identity import new_action_id
from ledger.models import Action, Contract, LedgerRow
from ledger.states import StaleState
from tests.factories import ActionFactory, ContractFactory, CustomerFactory, EventFactory

pytestmark = pytest.mark.django_db


def rows_of(subject):
    return list(
        LedgerRow.objects.filter(subject_id=str(subject.pk))
        .order_by("id")
        .values_list("decision", "prior_state", "post_state", "state_version")
    )


def proposed(customer, event=None, **more):
    """A new action as judgement hands it over."""
    return {
        "id": new_action_id(), "state": "held", "decision": "hold", "kind": "contract.suspend",
        "target": "contract:in_1", "customer_id": customer.pk, "contract_id": None,
        "event_id": event.pk if event else None,
        "business_key": "invoice:in_1", "correlation_id": uuid.uuid4(), "lane": "0000:x", "judged_version": None,
        "amount_minor": None, "reverses_id": None, "requested_by_id": None, **more,
    }  # fmt: skip


def test_a_step_and_its_row():
    action = ActionFactory(state="approved")
    row = {"reasons": [{"rule": "r"}], "event_id": 7, "outcome": "sent"}

    moved = book.move([book.step(action, "send", "sending", "system:x", changes={"tries": 1}, row=row)])

    action.refresh_from_db()
    assert moved == {action.pk}
    assert (action.state, action.state_version, action.tries, action.in_lane) == ("sending", 1, 1, True)
    written = LedgerRow.objects.get()
    assert (written.actor, written.event_id, written.outcome) == ("system:x", 7, "sent")
    assert written.reasons == [{"rule": "r"}]
    assert (written.subject_kind, written.action_id, written.correlation_id) == (
        "action", action.pk, action.correlation_id,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prior", "verb", "post"),
    [("held", "confirm", "applied"), ("approved", "send", "applied"), ("applied", "approve", "approved")],
)
def test_a_step_outside_the_graph_is_refused_before_anything_is_written(prior, verb, post):
    action = ActionFactory(state=prior)

    with pytest.raises(BadEdge):
        book.move([book.step(action, verb, post, "system")])

    assert (Action.objects.get().state, LedgerRow.objects.count()) == (prior, 0)


def test_strict_writes_nothing_when_one_was_moved_meanwhile():
    kept, stale = ActionFactory(state="approved"), ActionFactory(state="approved")
    moves = [book.step(one, "park", "parked", "system") for one in (kept, stale)]
    Action.objects.get(pk=stale.pk)
    book.move([book.step(stale, "send", "sending", "system")])

    with pytest.raises(StaleState, match="1 of 2"), transaction.atomic():
        book.move(moves)

    kept.refresh_from_db()
    assert (kept.state, rows_of(kept)) == ("approved", [])


def test_without_strict_the_stale_one_is_left_out_with_its_rows():
    kept, stale = ActionFactory(state="approved"), ActionFactory(state="approved")
    moves = [book.step(one, "park", "parked", "system") for one in (kept, stale)]
    book.move([book.step(stale, "send", "sending", "system")])

    assert book.move(moves, strict=False) == {kept.pk}

    assert rows_of(kept) == [("park", "approved", "parked", 1)]
    assert rows_of(stale) == [("send", "approved", "sending", 1)]


def test_a_stale_version_of_the_same_state_is_stale():
    contract = ContractFactory(state="active")
    there = Move("contract", contract.pk, "fall_behind", "active", "past_due", 0)
    back = Move("contract", contract.pk, "recover", "past_due", "active", 1)
    book.move([there, back])

    assert book.move([there], strict=False) == set()


def test_two_steps_of_one_subject_are_written_at_once_with_two_rows():
    action = ActionFactory(state="held")
    first = book.step(action, "approve", "approved", "system", changes={"last_error": "x", "tries": 1})
    second = Move("action", action.pk, "send", "approved", "sending", 1, changes={"tries": 2})

    assert book.move([first, second]) == {action.pk}

    action.refresh_from_db()
    assert (action.state, action.state_version, action.tries, action.last_error) == ("sending", 2, 2, "x")
    assert rows_of(action) == [("approve", "held", "approved", 1), ("send", "approved", "sending", 2)]


def test_a_remark_raises_the_version_and_stays():
    action = ActionFactory(state="unknown", in_lane=True)

    book.move([book.step(action, "check", "unknown", "user:1")])

    action.refresh_from_db()
    assert (action.state, action.state_version, action.in_lane) == ("unknown", 1, True)


@pytest.mark.parametrize(("state", "post", "in_lane"), [("approved", "parked", False), ("parked", "approved", True)])
def test_only_what_may_be_sent_takes_part_in_the_lane(state, post, in_lane):
    action = ActionFactory(state=state, in_lane=not in_lane)

    book.move([book.step(action, "park" if post == "parked" else "approve", post, "system")])

    action.refresh_from_db()
    assert action.in_lane is in_lane


def test_records_of_two_tables_may_have_the_same_number():
    contract = ContractFactory(state="active")
    customer = CustomerFactory(id=contract.pk + 1000)
    twin = ContractFactory(id=customer.pk, customer=customer, state="active")
    stale = Move("customer", customer.pk, "qualify", "pending", "ready", 5)
    fine = Move("contract", twin.pk, "fall_behind", "active", "past_due", 0)

    with pytest.raises(StaleState), transaction.atomic():
        book.move([fine, stale])
    assert book.move([fine, stale], strict=False) == {twin.pk}

    assert list(LedgerRow.objects.values_list("subject_kind", flat=True)) == ["contract"]


def test_the_row_follows_the_contract_as_well():
    contract = ContractFactory(state="past_due")

    book.move([Move("contract", contract.pk, "suspend", "past_due", "suspended", 0, row={"customer_id": 3})])

    assert Contract.objects.get().state == "suspended"
    assert LedgerRow.objects.get().customer_id == 3


def test_new_actions_are_stored_with_their_row():
    event, customer = EventFactory(), CustomerFactory()
    one = proposed(customer, event, facts={"now": "x"}, rule_version="a1:0", actor="automation:dunning")

    assert book.propose([one]) == [one["id"]]

    action, row = Action.objects.get(), LedgerRow.objects.get()
    assert (action.state, action.state_version, action.in_lane) == ("held", 1, False)
    assert (row.prior_state, row.post_state, row.state_version) == ("proposed", "held", 1)
    assert (row.inputs, row.rule_version, row.actor, row.event_id) == (
        {"now": "x"}, "a1:0", "automation:dunning", event.pk,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("case", "same"),
    [("same event, kind and target", {"business_key": "other"}), ("same business key, open", {"target": "other"})],
)
def test_what_exists_already_is_left_out_without_a_row(case, same):
    event, customer = EventFactory(), CustomerFactory()
    book.propose([proposed(customer, event)])

    assert book.propose([proposed(customer, event, **same)]) == []

    assert (Action.objects.count(), LedgerRow.objects.count()) == (1, 1)


def test_the_same_again_is_new_once_the_first_has_ended():
    customer = CustomerFactory()
    book.propose([proposed(customer, EventFactory(), state="observed", decision="observe")])

    assert len(book.propose([proposed(customer, EventFactory())])) == 1


def test_nothing_begins_in_a_state_no_judgement_gives():
    with pytest.raises(BadEdge):
        book.propose([proposed(CustomerFactory(), state="sending", decision="send")])

    assert not Action.objects.exists()

"""E2, E3: somebody edits while somebody else approves. What is sent is what was agreed to, or nothing is."""

from functools import partial

import pytest

from gates import review
from gates.models import Approval, ReviewItem
from ledger.models import Action, Contract, Customer, ExternalId, LedgerRow
from sync import proposals
from tests.factories import ContractFactory, CustomerFactory, ExternalIdFactory
from tests.people.cast import given, person
from tests.people.crew import Crew, losers
from tests.people.test_races import told

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 200


def downgrades(count):
    """Items about downgrades that somebody asked for, each of a contract of its own."""
    customers = Customer.objects.bulk_create(CustomerFactory.build_batch(count))
    contracts = Contract.objects.bulk_create(
        ContractFactory.build(customer=one, state="past_due", plan="growth") for one in customers
    )
    ExternalId.objects.bulk_create(
        ExternalIdFactory.build(system="netsuite", kind="contract", value=str(n), customer=one.customer, contract=one)
        for n, one in enumerate(contracts)
    )
    asks = person("Support")
    for one in contracts:
        proposals.propose("contract.downgrade", one.pk, {"plan": "free"}, by=asks, reason="they asked")
    return list(ReviewItem.objects.select_related("action").order_by("pk"))


def test_approve_and_edit_have_one_outcome():
    items, approver, editor = downgrades(ROUNDS), person(), person()

    with Crew(2) as crew:
        for item in items:
            edit = partial(
                proposals.edit,
                item.pk,
                {"plan": "starter"},
                by=editor,
                reason="cheaper",
                version=item.action.state_version,
            )
            came_to = crew.at_once(partial(review.approve, item.pk, by=approver, **given(item)), edit)
            (late,) = losers(came_to)
            assert told(late, [(approver, editor)[1 - came_to.index(late)]])

    plans = {
        state: set(Action.objects.filter(state=state).values_list("params__plan", flat=True))
        for state in set(Action.objects.values_list("state", flat=True))
    }
    assert all(found == {"approved": {"free"}, "in_review": {"starter"}}[state] for state, found in plans.items())
    assert Approval.objects.filter(voided_at=None).count() == Action.objects.filter(state="approved").count()
    moved = LedgerRow.objects.filter(outcome__in=("approved", "edited"))
    assert moved.count() == moved.values("action_id").distinct().count() == ROUNDS


def test_who_edited_does_not_approve():
    (item,), editor = downgrades(1), person()

    action = proposals.edit(
        item.pk, {"plan": "starter"}, by=editor, reason="cheaper", version=item.action.state_version
    )

    with pytest.raises(review.Refused, match="you edited this last"):
        review.approve(
            item.pk, by=editor, reason="mine", version=action.state_version, preview_hash=action.preview_hash
        )
    assert Action.objects.get(pk=action.pk).state == "in_review"

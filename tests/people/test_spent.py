"""What counts against a refund right before it is sent: what was there, or agreed to, before people agreed to this."""

from datetime import timedelta

import pytest

from gates import limits, spent
from ledger import clock
from ledger.identity import new_action_id
from tests.factories import ActionFactory, ApprovalFactory, CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ids():
    """Ids of five actions, oldest first; the third is the one that is about to be sent."""
    return [new_action_id() for _ in range(5)]


def money(customer, pk, state, minor, **more):
    given = {"kind": "payment.refund", "amount_minor": minor, "currency": "usd", **more}
    return ActionFactory(pk=pk, customer=customer, state=state, **given)


def agreed(action, minutes_ago):
    ApprovalFactory(action=action, given_at=clock.now() - timedelta(minutes=minutes_ago))
    return action


@pytest.fixture
def mine(ids):
    return agreed(money(CustomerFactory(), ids[2], "approved", 300), 10)


@pytest.mark.parametrize(
    ("case", "place", "state", "more", "counts"),
    [
        ("older and pending", 0, "in_review", {}, True), ("older and failed", 0, "failed", {}, True),
        ("older and approved", 0, "approved", {}, True), ("older and applied", 0, "applied", {}, True),
        ("newer and pending", 4, "in_review", {}, False), ("rejected", 0, "rejected", {}, False),
        ("superseded", 0, "superseded", {}, False), ("shadow", 0, "applied", {"mode": "shadow"}, False),
        ("another currency", 0, "applied", {"currency": "eur"}, False),
        ("moves no money", 0, "applied", {"amount_minor": None}, False),
        ("a month ago", 0, "applied", {"applied_at": "long ago"}, False),
    ],
)  # fmt: skip
def test_what_counts_beside_an_action(mine, ids, case, place, state, more, counts):
    if more.get("applied_at"):
        more = {"applied_at": clock.now() - limits.WINDOW - timedelta(hours=1)}
    money(mine.customer, ids[place], state, more.pop("amount_minor", 500), **more)

    assert spent.by_action([mine.pk]) == {mine.pk: 500 if counts else 0}


@pytest.mark.parametrize(("state", "minutes_ago", "counts"), [
    ("approved", 20, True), ("approved", 5, False), ("applied", 20, True), ("applied", 5, False),
])  # fmt: skip
def test_of_two_that_were_agreed_to_the_later_one_saw_the_earlier(mine, ids, state, minutes_ago, counts):
    agreed(money(mine.customer, ids[4], state, 500), minutes_ago)

    assert spent.by_action([mine.pk]) == {mine.pk: 500 if counts else 0}


def test_another_customer_does_not_count(mine, ids):
    money(CustomerFactory(), ids[0], "applied", 500)

    assert spent.by_action([mine.pk]) == {mine.pk: 0}


def test_right_before_sending_never_more_counts_than_at_approval(mine, ids):
    for place, state in ((0, "in_review"), (1, "applied"), (3, "in_review"), (4, "approved")):
        money(mine.customer, ids[place], state, 10 ** (place + 1))

    at_approval = limits.spent_minor(mine.customer_id, "usd", but=mine.pk)

    assert spent.by_action([mine.pk])[mine.pk] <= at_approval


def test_several_at_once_and_none(mine, ids):
    other = money(mine.customer, ids[3], "approved", 7)
    agreed(other, 1)

    assert spent.by_action([mine.pk, other.pk]) == {mine.pk: 0, other.pk: 300}
    assert spent.by_action([]) == {}

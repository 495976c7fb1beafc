"""E3: two people at the same instant. Exactly one wins, and the other is told."""

import threading
from functools import partial

import pytest
from django.db import connection

from gates import review
from gates.models import Approval, ReviewItem
from gates.stop import Refused
from ledger.models import Action, LedgerRow
from tests.people.cast import given, item_in, person

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 4


def at_once(*calls):
    """Run these at the same instant; what each came to: None, or the code of its refusal."""
    gate, came_to = threading.Barrier(len(calls)), [""] * len(calls)

    def run(n, call):
        try:
            gate.wait(5)
            call()
            came_to[n] = None
        except Refused as refusal:
            came_to[n] = refusal.code
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(calls)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    return came_to


def approving(item, by):
    sent = given(item)
    return lambda: review.approve(item.pk, by=by, **sent)


def rejecting(item, by):
    return lambda: review.reject(item.pk, by=by, reason="no", version=0)


def test_two_approvals_are_one():
    people = person(), person()
    for _ in range(ROUNDS):
        item = item_in()

        came_to = at_once(*(approving(item, by) for by in people))

        assert sorted(came_to, key=str) == [None, "resolved"] or sorted(came_to, key=str) == ["resolved", None]
        assert Approval.objects.filter(action=item.action).count() == 1
        assert LedgerRow.objects.filter(action_id=item.action_id, outcome="approved").count() == 1


def test_approve_and_reject_have_one_outcome():
    people = person(), person()
    for _ in range(ROUNDS):
        item = item_in()

        came_to = at_once(approving(item, people[0]), rejecting(item, people[1]))

        action, row = Action.objects.get(pk=item.action_id), LedgerRow.objects.get(action_id=item.action_id)
        assert came_to.count(None) == 1
        assert action.state == row.post_state == ("approved" if came_to[0] is None else "rejected")
        assert ReviewItem.objects.get(pk=item.pk).resolved_by == people[came_to.index(None)]


def test_two_first_approvals_of_two_are_one_each():
    for _ in range(ROUNDS):
        item = item_in("in_review", "review_two")

        came_to = at_once(approving(item, person()), approving(item, person()))

        assert came_to.count(None) == 1
        assert "stale" in came_to
        assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_two_claims_have_one_owner():
    people = person("Support"), person("Support")
    for _ in range(ROUNDS):
        item = item_in()

        came_to = at_once(*(partial(review.claim, item.pk, by=by) for by in people))

        assert sorted(came_to, key=str) == [None, "claimed"] or sorted(came_to, key=str) == ["claimed", None]
        assert ReviewItem.objects.get(pk=item.pk).owner == people[came_to.index(None)]

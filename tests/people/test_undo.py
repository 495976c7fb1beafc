"""An approved action waits a moment before it is sent: the approval can be taken back meanwhile."""

from datetime import timedelta

import pytest

from gates import review
from gates.models import Approval, ReviewItem
from ledger import book, clock
from ledger.models import Action
from tests.people.cast import given, item_in, last_row, person, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved():
    """An item that was approved a moment ago."""
    item = item_in()
    review.approve(item.pk, by=person(), **given(item))
    return item


def test_what_was_approved_is_not_due_at_once(approved, settings):
    wait = Action.objects.get().available_at - clock.now()

    assert timedelta(seconds=settings.MESHLINE_UNDO_SECONDS - 2) < wait <= timedelta(seconds=10)


def test_it_asks_again_in_a_new_item_and_the_approval_is_void(approved):
    by = person()

    again = review.undo(approved.pk, by=by)

    action = Action.objects.get()
    assert (action.state, action.in_lane, Approval.objects.get().voided_at is None) == ("in_review", False, False)
    assert (again.pk != approved.pk, again.action, again.state, again.owner) == (True, action, "claimed", by)
    assert (again.due_at, again.created_at, again.sentence) == (approved.due_at, approved.created_at, approved.sentence)
    assert ReviewItem.objects.get(pk=approved.pk).resolution == "approved"
    review.approve(again.pk, by=by, **given(again, version=2))
    assert Action.objects.get().state == "approved"


def test_the_step_is_in_the_ledger(approved):
    by = person()
    review.undo(approved.pk, by=by)

    rows = list(approved.action.review_items.values_list("pk", flat=True))
    assert last_row().subject_id == str(max(rows))
    action = Action.objects.get()
    assert action.state_version == 2


@pytest.mark.parametrize("after", ["park", "send"])
def test_what_went_on_meanwhile_stays(approved, after):
    post = {"park": "parked", "send": "sending"}[after]
    book.move([book.step(Action.objects.get(), after, post, "system:executor")])

    assert refused(review.undo, approved.pk, by=person()) == (409, "undo")
    assert Action.objects.get().state == post


def test_only_for_so_long(approved):
    ReviewItem.objects.update(resolved_at=clock.now() - timedelta(seconds=11))

    assert refused(review.undo, approved.pk, by=person()) == (409, "undo")


def test_switched_off_it_is_sent_at_once(settings):
    settings.MESHLINE_UNDO_SECONDS = 0
    item = item_in()

    review.approve(item.pk, by=person(), **given(item))

    assert Action.objects.get().available_at <= clock.now()
    assert refused(review.undo, item.pk, by=person()) == (409, "undo")


@pytest.mark.parametrize("state", ["in_review", "failed", "unknown"])
def test_nothing_to_take_back(state):
    item = item_in(state)

    assert refused(review.undo, item.pk, by=person()) == (409, "undo")


def test_a_rejection_is_not_taken_back():
    item = item_in()
    review.reject(item.pk, by=person(), reason="no", version=0)

    assert refused(review.undo, item.pk, by=person()) == (409, "undo")


def test_who_may_not_approve_takes_nothing_back(approved):
    assert refused(review.undo, approved.pk, by=person("Support")) == (403, "permission")
    assert Action.objects.get().state == "approved"

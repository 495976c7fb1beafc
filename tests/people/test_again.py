"""Mark reviewed - retry at the door: what it fits, what it changes, and that it agrees to nothing."""

import pytest

from gates import items, review
from gates.models import Approval, Comment, ReviewItem
from ledger import book
from ledger.models import Action, LedgerRow
from tests.people.cast import given, item_in, person, refused

pytestmark = pytest.mark.django_db


def asking(why="ready_for_billing", *verdicts):
    item = item_in("in_review", *verdicts)
    ReviewItem.objects.filter(pk=item.pk).update(why=why, reason="tax registration is missing")
    return ReviewItem.objects.select_related("action").get(pk=item.pk)


@pytest.mark.parametrize("why", review.ABOUT_FACTS)
def test_it_goes_to_be_judged_anew_and_the_item_keeps_its_clock(why):
    item, by = asking(why), person("Automation Engineer")

    review.retry(item.pk, by=by, reason="mended it", version=0)

    after = ReviewItem.objects.select_related("action").get(pk=item.pk)
    assert (after.state, after.due_at, after.state_version) == ("open", item.due_at, item.state_version + 1)
    assert (after.action.state, after.action.tries) == ("approved", 0)
    assert after.touched_at is not None
    assert (Comment.objects.get().text, Comment.objects.get().author) == ("mended it", by)
    assert review.marked(after).startswith(f" by {by.username} at ")
    rows = LedgerRow.objects.filter(decision="retry").order_by("id").values_list("subject_kind", "prior_state")
    assert list(rows) == [("action", "in_review"), ("item", "open")]
    assert refused(review.retry, item.pk, by=by, reason="again", version=1) == (409, "state")


def test_it_agrees_to_nothing():
    item = asking("ready_for_billing", "review_two")
    review.approve(item.pk, by=person(), **given(item))
    assert Approval.objects.filter(voided_at=None).count() == 1

    review.retry(item.pk, by=person(), reason="mended it", version=Action.objects.get().state_version)

    assert not Approval.objects.filter(voided_at=None).exists()


def test_whom_and_what_it_does_not_fit():
    doubt, ready = asking("open-dispute"), asking()

    assert refused(review.retry, doubt.pk, by=person(), reason="x", version=0) == (409, "state")
    assert refused(review.retry, ready.pk, by=person("Support"), reason="x", version=0) == (403, "permission")
    assert refused(review.retry, ready.pk, by=person(), reason=" ", version=0) == (422, "reason")
    assert refused(review.retry, ready.pk, by=person(), reason="x", version=7) == (409, "stale")
    assert review.why_not(ready, person(), "retry") == ""
    assert review.why_not(doubt, person(), "retry") == "the action is in review"
    assert not Comment.objects.exists()


def test_only_fresh_readings_leave_what_somebody_saw_as_it_was():
    item = asking()
    action = Action.objects.get()
    book.move([book.step(action, review.REREAD, "in_review", "system:test")])
    action = Action.objects.get()
    assert (review.unchanged(action, 0), review.unchanged(action, 1), review.unchanged(action, 2)) == (
        True,
        True,
        False,
    )

    book.move([book.step(action, "edit", "in_review", "system:test")])

    assert refused(review.retry, item.pk, by=person(), reason="x", version=0) == (409, "stale")
    assert refused(review.retry, item.pk, by=person(), reason="x", version=1) == (409, "stale")
    review.retry(item.pk, by=person(), reason="x", version=2)


def test_an_item_that_is_open_already_says_what_is_asked_now():
    item = asking()
    asked = {"action_id": item.action_id, "kind": item.kind, "sentence": item.sentence, "why": "ready_for_billing"}

    assert items.open_items([{**asked, "reason": "billing owner is missing"}]) == 0
    assert items.open_items([{**asked, "reason": "billing owner is missing"}]) == 0

    after = ReviewItem.objects.get()
    assert (after.reason, after.state_version) == ("billing owner is missing", item.state_version + 1)
    assert (after.owner_group, after.due_at) == (item.owner_group, item.due_at)

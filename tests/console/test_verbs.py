"""What people do: by POST only, through the service door, refused in words with nothing done."""

import pytest
from django.test import Client
from django.urls import reverse

from gates.models import ReviewItem
from ledger.models import Action, Event, LedgerRow
from tests import factories as f


def verb(item, name):
    return reverse("admin:review_verb", args=[item.pk, name])


def drawn(item, **more):
    """What the page of an item sends back with a verb."""
    return {"version": item.action.state_version, "preview_hash": item.action.preview_hash, "reason": "checked", **more}


def test_approve_moves_the_action_and_says_that_it_is_not_done_yet(resolver):
    item = f.ReviewItemFactory()

    answer = resolver.post(verb(item, "approve"), drawn(item), follow=True)

    assert Action.objects.get(pk=item.action_id).state == "approved"
    assert answer.redirect_chain == [(reverse("admin:gates_reviewitem_change", args=[item.pk]), 302)]
    assert "not done until the provider confirms" in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "state", "after"),
    [("reject", "in_review", "rejected"), ("retry", "failed", "approved"), ("check", "unknown", "unknown")],
)
def test_other_verbs_go_through_the_same_door(resolver, name, state, after):
    item = f.ReviewItemFactory(action=f.ActionFactory(state=state))

    answer = resolver.post(verb(item, name), drawn(item))

    assert answer.status_code == 302
    assert Action.objects.get(pk=item.action_id).state == after
    assert LedgerRow.objects.filter(action_id=item.action_id).count() == 1


@pytest.mark.parametrize("name", ["approve", "reject", "retry", "check", "claim", "release", "comment"])
def test_a_link_decides_nothing(resolver, name):
    item = f.ReviewItemFactory()

    answer = resolver.get(verb(item, name))

    assert answer.status_code == 302
    assert ReviewItem.objects.get(pk=item.pk).state == "open"
    assert not LedgerRow.objects.exists()


def test_a_post_without_the_token_of_the_page_is_refused(resolver):
    item, stranger = f.ReviewItemFactory(), Client(enforce_csrf_checks=True)
    stranger.force_login(resolver.user)

    assert stranger.post(verb(item, "approve"), drawn(item)).status_code == 403
    assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_support_sees_approve_off_with_its_reason_and_a_forced_post_leaves_a_row(support):
    item = f.ReviewItemFactory()
    page = support.get(reverse("admin:gates_reviewitem_change", args=[item.pk]))
    buttons = {one["verb"].name: one["verb"] for one in page.context["page"].more["buttons"]}

    answer = support.post(verb(item, "approve"), drawn(item))

    assert not buttons["approve"].allowed
    assert "permission" in buttons["approve"].why_not
    assert answer.status_code == 403
    assert Action.objects.get(pk=item.action_id).state == "in_review"
    assert LedgerRow.objects.get().outcome == "refused"


def test_a_page_drawn_before_a_change_decides_nothing_and_keeps_what_was_typed(resolver):
    item = f.ReviewItemFactory()

    answer = resolver.post(
        verb(item, "approve"), drawn(item, version=item.action.state_version + 1, reason="my long thought")
    )

    assert answer.status_code == 409
    assert "nothing was done" in answer.content.decode()
    assert "my long thought" in answer.content.decode()
    assert Action.objects.get(pk=item.action_id).state == "in_review"


@pytest.mark.parametrize(
    "sent", [{"version": "x"}, {"version": ""}, {"version": "²"}, {"reason": ""}, {"reason": "\x00"}]
)
def test_nonsense_is_answered_in_words(resolver, sent):
    item = f.ReviewItemFactory()

    answer = resolver.post(verb(item, "approve"), drawn(item, **sent))

    assert answer.status_code == 422
    assert "Not done" in answer.content.decode()


def test_unknown_verbs_and_items_are_missing_pages(resolver):
    item = f.ReviewItemFactory()

    assert resolver.post(verb(item, "delete")).status_code == 404
    assert resolver.post(reverse("admin:review_verb", args=[item.pk + 1, "claim"])).status_code == 404


def test_claim_comment_and_release(support):
    item = f.ReviewItemFactory()

    support.post(verb(item, "claim"))
    assert ReviewItem.objects.get(pk=item.pk).owner == support.user
    support.post(verb(item, "comment"), {"text": "Called them."})
    assert "Called them." in support.get(reverse("admin:gates_reviewitem_change", args=[item.pk])).content.decode()
    support.post(verb(item, "release"))
    assert ReviewItem.objects.get(pk=item.pk).owner is None


def test_the_requester_cannot_approve(resolver):
    item = f.ReviewItemFactory(action=f.ActionFactory(state="in_review", requested_by=resolver.user))

    assert resolver.post(verb(item, "approve"), drawn(item)).status_code == 403
    assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_replay_needs_a_right_a_reason_and_a_finished_event(resolver, support):
    event, waiting = f.EventFactory(state="processed"), f.EventFactory(state="received")
    address = reverse("admin:event_replay", args=[event.pk])

    assert support.post(address, {"reason": "again"}).status_code == 403
    assert resolver.post(address, {"reason": ""}).status_code == 422
    assert resolver.post(reverse("admin:event_replay", args=[waiting.pk]), {"reason": "again"}).status_code == 409
    assert resolver.get(address).status_code == 302
    assert Event.objects.get(pk=event.pk).state == "processed"
    assert resolver.post(address, {"reason": "again"}).status_code == 302
    assert Event.objects.get(pk=event.pk).state == "received"

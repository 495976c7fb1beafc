"""What people do: by POST only, through the service door, refused in words with nothing done."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from gates.models import ReviewItem
from ledger import clock
from ledger.models import Action, Event, LedgerRow
from tests import factories as f
from tests.console import items


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
    buttons = {one.verb.name: one.verb for one in page.context["page"].more["buttons"]}

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


# --- what asks for more than a reason


@pytest.mark.parametrize("name", ["snooze", "assign", "edit", "rollback"])
def test_a_verb_that_asks_for_more_opens_its_form_and_does_nothing(manager, name):
    item = items.item()
    before = LedgerRow.objects.count()

    opened = manager.post(items.verb(item, name), {"form": "1", "reason": "my thought", "version": "2"})
    linked = manager.get(items.verb(item, name))

    assert (opened.status_code, linked.status_code) == (200, 200)
    assert opened.context["verb_form"]["verb"] == name
    if name != "rollback":
        assert "my thought" in opened.content.decode()
    assert ReviewItem.objects.get(pk=item.pk).state == "open"
    assert LedgerRow.objects.count() == before


@pytest.mark.parametrize(
    ("chosen", "hours"), [({"until": "1h"}, (0.9, 1.1)), ({"until": "3d"}, (71, 73)), ({"until": "tomorrow"}, (0, 48))]
)
def test_snooze_until_a_time_and_why(support, chosen, hours):
    item = items.item()

    answer = support.post(items.verb(item, "snooze"), {"why": "customer", "reason": "asked them", **chosen})

    snoozed = ReviewItem.objects.get(pk=item.pk)
    assert answer.status_code == 302
    assert (snoozed.state, snoozed.snooze_why) == ("snoozed", "customer")
    assert hours[0] <= (snoozed.snoozed_until - clock.now()).total_seconds() / 3600 <= hours[1]


@pytest.mark.parametrize(
    "sent",
    [
        {"until": "never", "why": "time", "reason": "x"},
        {"until_exact": "2026-99-99T09:00", "why": "time", "reason": "x"},
        {"until_exact": "soon", "why": "time", "reason": "x"},
        {"until_exact": "2099-01-01T09:00", "why": "time", "reason": "x"},
        {"until": "1h", "why": "because", "reason": "x"},
        {"until": "1h", "why": "time", "reason": ""},
        {"why": "time", "reason": "x"},
    ],
)
def test_a_snooze_that_makes_no_sense_keeps_the_form_and_names_the_field(support, sent):
    item = items.item()

    answer = support.post(items.verb(item, "snooze"), sent)

    assert answer.status_code == 422
    assert answer.context["verb_form"]["verb"] == "snooze"
    assert "Not done" in answer.content.decode()
    assert ReviewItem.objects.get(pk=item.pk).state == "open"


def test_assign_to_a_person_or_a_group_by_who_may(manager, support):
    item, other = items.item(), f.UserFactory(groups=["Billing Resolver"])

    refused = support.post(items.verb(item, "assign"), {"to": f"user:{other.pk}", "reason": "busy"})
    person = manager.post(items.verb(item, "assign"), {"to": f"user:{other.pk}", "reason": "busy"})
    assert ReviewItem.objects.get(pk=item.pk).owner == other
    group = manager.post(items.verb(item, "assign"), {"to": "group:Support Manager", "reason": "busy"})

    assert [answer.status_code for answer in (refused, person, group)] == [403, 302, 302]
    assert ReviewItem.objects.get(pk=item.pk).owner_group == "Support Manager"


@pytest.mark.parametrize("to", ["", "user:", "user:abc", "user:999999999", "user:²", "group:Nobody", "x" * 5000])
def test_nobody_is_not_an_owner(manager, to):
    item = items.item()

    assert manager.post(items.verb(item, "assign"), {"to": to, "reason": "busy"}).status_code == 422
    assert ReviewItem.objects.get(pk=item.pk).owner is None


def test_escalate_goes_to_the_next_owner(support):
    item = items.item()

    assert support.post(items.verb(item, "escalate"), {"reason": "too hard"}).status_code == 302
    assert ReviewItem.objects.get(pk=item.pk).owner_group != item.owner_group


def test_a_failure_is_closed_with_cause_correction_and_prevention_only(resolver):
    item = items.item("failed", last_error="400: tax id missing")
    record = {"cause": "wrong_data", "corrective_action": "asked for the tax id", "prevention": "checked at signing"}

    form = resolver.post(items.verb(item, "reject"), {"form": "1", "reason": "wrong"})
    without = resolver.post(items.verb(item, "reject"), items.drawn(item))
    odd = resolver.post(items.verb(item, "reject"), items.drawn(item, **{**record, "cause": "the moon"}))
    done = resolver.post(items.verb(item, "reject"), items.drawn(item, **record))

    assert "tax id missing" in form.content.decode()
    assert (without.status_code, odd.status_code, done.status_code) == (422, 422, 302)
    assert without.context["verb_form"]["verb"] == "reject"
    closed = ReviewItem.objects.get(pk=item.pk)
    assert (closed.state, closed.cause, closed.prevention) == ("resolved", "wrong_data", "checked at signing")
    assert "checked at signing" in resolver.get(items.page_of(item)).content.decode()


def test_an_approval_can_be_taken_back_for_a_moment(resolver):
    item = items.item()

    approved = resolver.post(items.verb(item, "approve"), items.drawn(item), follow=True)
    undone = resolver.post(items.verb(item, "undo"), follow=True)

    assert approved.context["page"].more["undo"]["item"] == item.pk
    assert reverse("admin:review_verb", args=[item.pk, "undo"]) in approved.content.decode()
    again = ReviewItem.objects.exclude(state="resolved").get()
    assert undone.redirect_chain[-1][0] == items.page_of(again)
    assert Action.objects.get(pk=item.action_id).state == "in_review"
    assert "taken back; nothing was sent" in undone.content.decode()


def test_after_the_moment_nothing_is_offered_any_more(resolver, settings):
    item = items.item()
    resolver.post(items.verb(item, "approve"), items.drawn(item))

    with time_machine.travel(clock.now() + timedelta(seconds=settings.MESHLINE_UNDO_SECONDS + 1)):
        page = resolver.get(items.page_of(item)).context["page"]
        late = resolver.post(items.verb(item, "undo"))

    assert page.more["undo"] is None
    assert "undo" not in [one.verb.name for one in page.more["buttons"]]
    assert late.status_code == 409


def test_a_stale_page_is_answered_with_what_it_showed_and_what_is_there_now(resolver, manager):
    item = items.item()
    seen = resolver.get(items.page_of(item)).context["page"].more["seen"]
    Action.objects.filter(pk=item.action_id).update(
        preview=[{"system": "ERP", "field": "contract status", "now": "active", "after": "closed"}], state_version=3
    )
    f.LedgerRowFactory(
        action_id=item.action_id, subject_id=str(item.action_id), decision="edit", actor=f"user:{manager.user.pk}",
        prior_state="in_review", post_state="in_review", state_version=3,
    )  # fmt: skip

    answer = resolver.post(items.verb(item, "approve"), items.drawn(item, seen=seen))

    stale = answer.context["page"].more["stale"]
    assert answer.status_code == 409
    assert ("ERP: contract status", "active → suspended", "active → closed") in stale["rows"]
    assert ("Version", "2", "3") in stale["rows"]
    assert stale["since"][-1][1:] == (manager.user.get_username(), "Edited")
    assert Action.objects.get(pk=item.action_id).state == "in_review"


@pytest.mark.parametrize("seen", ["", "nonsense", "x" * 50_000, "eyJhIjoxfQ:1tabc:xyz"])
def test_an_edited_hidden_field_changes_nothing_but_the_answer(resolver, seen):
    item = items.item()

    answer = resolver.post(items.verb(item, "approve"), items.drawn(item, version=1, seen=seen))

    assert answer.status_code == 409
    assert answer.context["page"].more["stale"] is None
    assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_next_mode_takes_one_item_after_the_other_through_the_view(resolver):
    first, second = items.item(), items.item(target="t2")
    walking = {"view": "", "next": "1"}

    answer = resolver.post(items.verb(first, "approve"), items.drawn(first, **walking))

    assert answer.status_code == 302
    assert answer["Location"].startswith(items.page_of(second))
    assert "next=1" in answer["Location"]
    assert ReviewItem.objects.get(pk=second.pk).owner == resolver.user
    page = resolver.get(answer["Location"]).context["page"]
    assert page.more["undo"]["item"] == first.pk
    last = resolver.post(items.verb(second, "reject"), items.drawn(second, **walking))
    assert last["Location"] == reverse("admin:gates_reviewitem_changelist")


def test_a_verb_that_decides_nothing_stays_on_the_item(resolver):
    first, _ = items.item(), items.item(target="t2")

    answer = resolver.post(items.verb(first, "claim"), {"view": "", "next": "1"})

    assert answer["Location"].startswith(items.page_of(first))
    assert "next=1" in answer["Location"]


def test_above_the_limit_the_password_is_asked_for_before_the_door(manager):
    item = items.item(people=2)

    with time_machine.travel(clock.now() + timedelta(minutes=11)):  # signed in longer ago than a proof holds
        answer = manager.post(items.verb(item, "approve"), items.drawn(item, reason="kept thought"))

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:stepup"))
    assert not item.action.approvals.exists()
    assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_off_buttons_say_why_and_folded_ones_too(support):
    item = items.item()

    more = support.get(items.page_of(item)).context["page"].more

    folded = {one.verb.name: one.verb for one in more["folded"]}
    assert {"edit", "assign", "escalate", "rollback"} <= set(folded)
    assert "permission" in folded["assign"].why_not
    assert {one.name for one in more["off"]} >= {"approve", "reject"}
    assert all(one.why_not for one in more["off"])


def test_an_action_that_is_done_offers_to_be_undone_with_a_preview(manager, support):
    contract = items.customer()
    f.Contract.objects.filter(pk=contract.pk).update(state="suspended")
    action = f.ActionFactory(state="applied", contract=contract, customer=contract.customer, kind="contract.suspend")
    address = reverse("admin:action_rollback", args=[action.pk])

    page = manager.get(reverse("admin:ledger_action_change", args=[action.pk]))
    form = manager.post(address, {"form": "1"})
    refused = support.post(address, {"reason": "wrong", "version": action.state_version})

    assert page.context["page"].more["verb"]["allowed"]
    assert form.status_code == 200
    assert "Restore contract" in form.content.decode()
    assert refused.status_code == 403
    assert Action.objects.count() == 1


def test_rolling_back_asks_for_the_inverse_once(manager):
    contract = items.customer()
    f.Contract.objects.filter(pk=contract.pk).update(state="suspended")
    action = f.ActionFactory(state="applied", contract=contract, customer=contract.customer, kind="contract.suspend")
    address, sent = (
        reverse("admin:action_rollback", args=[action.pk]),
        {"reason": "wrong", "version": action.state_version},
    )

    first, second = manager.post(address, sent), manager.post(address, sent)

    made = Action.objects.get(reverses=action)
    assert first["Location"] == reverse("admin:ledger_action_change", args=[made.pk])
    assert (made.kind, made.state, made.requested_by) == ("contract.restore", "in_review", manager.user)
    assert second.status_code == 409


def test_what_cannot_be_undone_says_so_and_names_the_runbook(manager):
    action = f.ActionFactory(state="applied", kind="payment.refund")

    page = manager.get(reverse("admin:ledger_action_change", args=[action.pk]))
    answer = manager.post(
        reverse("admin:action_rollback", args=[action.pk]), {"reason": "wrong", "version": action.state_version}
    )

    assert not page.context["page"].more["verb"]["allowed"]
    assert "refund-issued-wrongly" in page.content.decode()
    assert answer.status_code == 409

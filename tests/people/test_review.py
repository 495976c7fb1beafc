"""The door: what people may do to an item, and what happens to the action, the item and the ledger."""

import pytest

from gates import review, stop
from gates.models import Approval
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, Event, LedgerRow
from sync import guard
from sync.errors import WriteHalted
from tests.factories import EventFactory, ReviewItemFactory
from tests.people.cast import RECORD, given, item_in, last_row, person, refusals, refused

pytestmark = pytest.mark.django_db


def untouched(item):
    """Nothing was moved and nobody's yes was taken down."""
    before = (item.state, item.state_version, item.action.state, item.action.state_version)
    item.refresh_from_db()
    action = Action.objects.get(pk=item.action_id)
    return (
        item.state,
        item.state_version,
        action.state,
        action.state_version,
    ) == before and not Approval.objects.exists()


def test_approving_sends_the_action_on_its_way():
    item, by = item_in("in_review", "pass", "block"), person()

    review.approve(item.pk, by=by, **given(item))

    action, approval = Action.objects.get(), Approval.objects.get()
    item.refresh_from_db()
    assert (action.state, action.state_version, action.in_lane) == ("approved", 1, True)
    assert (item.state, item.resolution, item.resolved_by) == ("resolved", "approved", by)
    assert (approval.by, approval.rules, approval.preview_hash) == (by, ["rule-1"], action.preview_hash)
    row = last_row()
    assert (row.decision, row.actor, row.prior_state, row.post_state) == (
        "approve", f"user:{by.pk}", "in_review", "approved",
    )  # fmt: skip


def test_the_requester_does_not_approve():
    by = person()
    item = item_in(requested_by=by)

    assert refused(review.approve, item.pk, by=by, **given(item)) == (403, "four_eyes")
    assert untouched(item)
    assert refusals() == [("approve", "four_eyes", f"user:{by.pk}")]


def test_nor_does_the_same_person_with_another_account():
    asked = person(email="Ana@Meshline.example")
    item = item_in(requested_by=asked)

    assert refused(review.approve, item.pk, by=person(email="ana@meshline.example"), **given(item)) == (
        403,
        "four_eyes",
    )


def test_accounts_without_an_e_mail_are_different_people():
    item = item_in(requested_by=person(email=""))

    review.approve(item.pk, by=person(email=""), **given(item))

    assert Action.objects.get().state == "approved"


def test_not_even_a_superuser_approves_what_they_asked_for():
    by = person(is_superuser=True)
    item = item_in(requested_by=by)

    assert refused(review.approve, item.pk, by=by, **given(item)) == (403, "four_eyes")


@pytest.mark.parametrize(
    ("case", "other", "code"),
    [
        ("an older version", {"version": 5}, "stale"),
        ("another preview", {"preview_hash": "0" * 64}, "preview"),
        ("no preview", {"preview_hash": ""}, "preview"),
    ],
)
def test_what_changed_since_the_page_was_drawn_is_not_approved(case, other, code):
    item = item_in()

    assert refused(review.approve, item.pk, by=person(), **given(item, **other)) == (409, code)
    assert untouched(item)
    assert refusals() == []


def test_a_version_that_does_not_exist_yet_is_not_approved():
    item = item_in(state_version=3)

    with pytest.raises(Refused, match="the page names version 9, but the newest is version 3; nothing was done") as no:
        review.approve(item.pk, by=person(), **given(item, version=9))

    assert (no.value.status, untouched(item)) == (409, True)


def test_who_comes_late_is_told_who_was_there_and_when():
    item, first = item_in("unknown"), person()
    review.check(item.pk, by=first, version=0)

    with pytest.raises(Refused, match=rf"check asked for by {first.username} at \d\d:\d\d:\d\d UTC") as no:
        review.check(item.pk, by=person(), version=0)

    assert (no.value.status, no.value.code) == (409, "stale")


@pytest.mark.parametrize("version", [-1, "1", None, 1.0, True])
def test_a_version_is_a_whole_number(version):
    assert refused(review.check, item_in("unknown").pk, by=person(), version=version) == (422, "version")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, None, "a\x00", "\ud800"])
def test_a_decision_has_a_reason(reason):
    item = item_in()

    assert refused(review.approve, item.pk, by=person(), **given(item, reason=reason)) == (422, "reason")
    assert refused(review.reject, item.pk, by=person(), reason=reason, version=0) == (422, "reason")
    assert untouched(item)


@pytest.mark.parametrize("state", [one for one in Action.State.values if one != "in_review"])
def test_only_what_waits_for_a_person_is_approved(state):
    item = item_in(state)

    assert refused(review.approve, item.pk, by=person(), **given(item)) == (409, "state")
    assert untouched(item)


VERB_STATES = {"reject": ("in_review", "failed"), "retry": ("failed",), "check": ("unknown",)}


@pytest.mark.parametrize("verb", VERB_STATES)
@pytest.mark.parametrize("state", Action.State.values)
def test_each_verb_from_each_state(verb, state):
    item = item_in(state)
    words = {} if verb == "check" else {"reason": "because"}
    if verb == "reject":
        words |= RECORD

    if state in VERB_STATES[verb]:
        getattr(review, verb)(item.pk, by=person(), version=0, **words)
        assert Action.objects.get().state_version == 1
    else:
        assert refused(getattr(review, verb), item.pk, by=person(), version=0, **words) == (409, "state")
        assert untouched(item)


def test_rejecting_ends_the_action_and_the_item():
    item = item_in()

    review.reject(item.pk, by=person(), reason="not wanted", version=0)

    item.refresh_from_db()
    assert (Action.objects.get().state, item.state, item.resolution) == ("rejected", "resolved", "rejected")
    assert item.reason == "not wanted"


class TestExceptionRecord:
    def close(self, item, **other):
        return review.reject(item.pk, **{"by": person(), "reason": "no use", "version": 0, **RECORD, **other})

    def test_a_failure_is_closed_with_cause_correction_and_prevention(self):
        item = item_in("failed")

        self.close(item)

        item.refresh_from_db()
        kept = {"cause": item.cause, "corrective_action": item.corrective_action, "prevention": item.prevention}
        assert (Action.objects.get().state, item.state, kept) == ("rejected", "resolved", RECORD)

    @pytest.mark.parametrize("field", RECORD)
    @pytest.mark.parametrize("wrong", ["", "  ", "x" * 301, "a\x00b", None])
    def test_each_of_the_three_is_needed(self, field, wrong):
        item = item_in("failed")

        assert refused(self.close, item, **{field: wrong}) == (422, field)
        assert untouched(item)

    def test_the_cause_is_one_of_those_offered(self):
        assert refused(self.close, item_in("failed"), cause="bad luck") == (422, "cause")

    def test_what_never_failed_is_rejected_without(self):
        review.reject(item_in().pk, by=person(), reason="no", version=0)

        assert Action.objects.get().state == "rejected"


def test_retrying_keeps_key_and_bytes_and_begins_to_count_anew():
    frozen = {"method": "PATCH", "body": "{}"}
    item = item_in("failed", key="meshline-1", request=frozen, tries=6, looks=3, error_code="500")

    review.retry(item.pk, by=person(), reason="it was maintenance", version=0)

    action = Action.objects.get()
    assert (action.state, action.key, action.request) == ("approved", "meshline-1", frozen)
    assert (action.tries, action.looks, action.error_code) == (0, 0, "")


def test_checking_looks_now_and_leaves_the_item_open():
    item = item_in("unknown", available_at=clock.now().replace(year=2040))

    review.check(item.pk, by=person(), version=0)

    item.refresh_from_db()
    action = Action.objects.get()
    assert (action.state, item.state) == ("unknown", "open")
    assert action.available_at <= clock.now()
    assert last_row().decision == "check"


def test_a_settled_item_says_who_won():
    item, first = item_in(), person()
    review.approve(item.pk, by=first, **given(item))

    with pytest.raises(Refused, match=rf"settled already .approved. by {first.username} at \d\d:\d\d:\d\d UTC") as no:
        review.reject(item.pk, by=person(), reason="late", version=0)

    assert (no.value.status, Action.objects.get().state) == (409, "approved")


def test_an_unknown_item_is_not_there():
    assert refused(review.claim, 404404, by=person()) == (404, "unknown")
    assert not LedgerRow.objects.exists()


class TestTwoPeople:
    def item(self):
        return item_in("in_review", "review", "review_two")

    def test_the_first_yes_is_kept_and_moves_nothing(self):
        item, first = self.item(), person()

        review.approve(item.pk, by=first, **given(item))

        action = Action.objects.get()
        item.refresh_from_db()
        assert (action.state, action.state_version, item.state) == ("in_review", 1, "open")
        assert (last_row().decision, last_row().outcome) == ("approval", "approved 1 of 2")

    def test_the_second_yes_sends_it(self):
        item = self.item()
        review.approve(item.pk, by=person("Billing Resolver"), **given(item))

        review.approve(item.pk, by=person(), **given(item, version=1))

        assert Action.objects.get().state == "approved"
        assert Approval.objects.count() == 2

    def test_one_person_is_not_two(self):
        item, first = self.item(), person(email="ana@meshline.example")
        review.approve(item.pk, by=first, **given(item))

        again = given(item, version=1)
        assert refused(review.approve, item.pk, by=first, **again) == (409, "approved")
        assert refused(review.approve, item.pk, by=person(email="ANA@meshline.example"), **again) == (409, "approved")

    def test_one_of_the_two_may_approve_above_the_limit(self):
        item = self.item()
        review.approve(item.pk, by=person("Billing Resolver"), **given(item))

        second = given(item, version=1)
        assert refused(review.approve, item.pk, by=person("Billing Resolver"), **second) == (403, "above_limit")
        assert Action.objects.get().state == "in_review"

    def test_the_second_sees_the_first_ones_version(self):
        item = self.item()
        review.approve(item.pk, by=person(), **given(item))

        assert refused(review.approve, item.pk, by=person(), **given(item, version=0)) == (409, "stale")

    def test_a_yes_to_another_preview_does_not_count(self):
        item, first = self.item(), person()
        review.approve(item.pk, by=first, **given(item))
        Action.objects.update(preview_hash="f" * 64)

        review.approve(item.pk, by=first, **given(item, version=1, preview_hash="f" * 64))

        assert Action.objects.get().state == "in_review"
        assert Approval.objects.filter(voided_at=None).count() == 1


class TestEvents:
    def test_an_item_about_an_event_is_closed_as_read(self):
        item = ReviewItemFactory(action=None, event=EventFactory(state="parked"), customer=None)

        review.reject(item.pk, by=person(), reason="read it", version=0)

        item.refresh_from_db()
        assert (item.state, item.resolution) == ("resolved", "read")
        row = last_row()
        assert (row.subject_kind, row.subject_id, row.prior_state, row.post_state, row.outcome) == (
            "item", str(item.pk), "open", "resolved", "read",
        )  # fmt: skip
        assert refused(review.approve, item.pk, by=person(), reason="x", version=0, preview_hash="") == (
            409,
            "resolved",
        )

    def test_an_ended_event_is_judged_again(self):
        event = EventFactory(state="ignored", attempts=3, crashes=2)

        review.replay(event.pk, by=person(), reason="the contract is linked now")

        event = Event.objects.get()
        assert (event.state, event.attempts, event.crashes, event.state_version) == ("received", 0, 0, 1)
        assert (last_row().decision, last_row().prior_state, last_row().post_state) == ("replay", "ignored", "received")

    @pytest.mark.parametrize("state", ["received", "waiting", "processing"])
    def test_an_open_one_is_not(self, state):
        assert refused(review.replay, EventFactory(state=state).pk, by=person(), reason="x") == (409, "open")

    def test_nothing_is_replayed_while_stopped(self):
        stop.engage("all", by=person(), reason="drill")

        assert refused(review.replay, EventFactory(state="ignored").pk, by=person(), reason="x") == (409, "stopped")

    def test_unknown_or_without_reason(self):
        assert refused(review.replay, 404404, by=person(), reason="x") == (404, "unknown")
        assert refused(review.replay, EventFactory(state="ignored").pk, by=person(), reason=" ") == (422, "reason")


def test_buttons_are_drawn_by_the_same_checks():
    asked = person()
    item = item_in(requested_by=asked)

    drawn = {one.name: (one.allowed, one.why_not) for one in review.verbs(item, asked)}

    assert drawn["approve"] == (False, "you asked for this; another person has to approve it")
    assert drawn["reject"] == (True, "")
    assert drawn["retry"] == (False, "the action is in review")
    assert {one.allowed for one in review.verbs(item, person("Auditor"))} == {False}
    assert refusals() == []


@pytest.mark.django_db(transaction=True)
def test_while_stopped_approving_works_and_nothing_leaves():
    stop.engage("all", by=person(), reason="drill")
    item = item_in()

    review.approve(item.pk, by=person(), **given(item))

    assert Action.objects.get().state == "approved"
    with pytest.raises(WriteHalted) as halted:
        guard.for_write(str(item.action_id), 1, "netsuite", "dunning")()
    guard._drop()
    assert halted.value.code == "stopped"

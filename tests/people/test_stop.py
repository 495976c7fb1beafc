"""The stop: one person halts, two people resume, everything is in the ledger."""

import pytest
from django.conf import settings

from gates import stop
from gates.models import StopSwitch
from gates.stop import Refused
from ledger.models import LedgerRow
from tests.factories import ActionFactory
from tests.people.cast import person, refusals

pytestmark = pytest.mark.django_db


def refused(call, *args, **kwargs):
    with pytest.raises(Refused) as no:
        call(*args, **kwargs)
    return no.value.status, no.value.code


def rows():
    return list(LedgerRow.objects.order_by("id").values_list("subject_id", "decision", "prior_state", "post_state"))


def test_one_person_stops_with_a_reason():
    by = person("Auditor")

    switch = stop.engage("all", by=by, reason="doubled actions")

    assert (switch.state, switch.stopped_by, switch.reason) == ("stopped", by, "doubled actions")
    assert stop.is_stopped()
    assert rows() == [("all", "engage", "running", "stopped")]


def test_two_people_resume():
    first, second = person(), person("Revenue Ops Lead")
    stop.engage("all", by=first, reason="x")

    stop.request_resume("all", by=first, reason="mended")
    assert stop.is_stopped(), "asking is not resuming"
    stop.confirm_resume("all", by=second)

    assert not stop.is_stopped()
    assert rows() == [
        ("all", "engage", "running", "stopped"), ("all", "request_resume", "stopped", "resuming"),
        ("all", "confirm_resume", "resuming", "running"),
    ]  # fmt: skip


@pytest.mark.parametrize("other", [False, True], ids=["same account", "same e-mail"])
def test_one_person_does_not_resume_alone(other):
    first = person(email="ana@meshline.example", is_superuser=True)
    stop.engage("all", by=first, reason="x")
    stop.request_resume("all", by=first, reason="mended")

    second = person(email="Ana@meshline.example") if other else first
    assert refused(stop.confirm_resume, "all", by=second) == (403, "four_eyes")
    assert StopSwitch.objects.get(scope="all").state == "resuming"
    assert refusals() == [("confirm_resume", "four_eyes", f"user:{second.pk}")]


def test_stopping_again_while_a_resume_is_asked_for_takes_it_back():
    stop.engage("all", by=person(), reason="x")
    stop.request_resume("all", by=person(), reason="mended")

    stop.engage("all", by=person("Support"), reason="not yet")

    assert refused(stop.confirm_resume, "all", by=person()) == (409, "not_asked")


def test_stopping_what_is_stopped_changes_nothing():
    first = person()
    stop.engage("all", by=first, reason="x")

    switch = stop.engage("all", by=person(), reason="y")

    assert (switch.stopped_by, switch.reason, LedgerRow.objects.count()) == (first, "x", 1)


@pytest.mark.parametrize(
    ("call", "given", "status", "code"),
    [
        (stop.engage, {"scope": "all", "reason": " "}, 422, "reason"),
        (stop.engage, {"scope": "all", "reason": "x" * 501}, 422, "reason"),
        (stop.engage, {"scope": "everything", "reason": "x"}, 422, "scope"),
        (stop.engage, {"scope": "provider:", "reason": "x"}, 422, "scope"),
        (stop.engage, {"scope": "provider:strpie", "reason": "x"}, 422, "scope"),
        (stop.engage, {"scope": "automation:ghost", "reason": "x"}, 422, "scope"),
        (stop.engage, {"scope": "provider:" + "x" * 200, "reason": "x"}, 422, "scope"),
        (stop.request_resume, {"scope": "nowhere", "reason": "x"}, 422, "scope"),
        (stop.request_resume, {"scope": "all", "reason": "x"}, 409, "not_stopped"),
        (stop.confirm_resume, {"scope": "all"}, 409, "not_asked"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(call, given, status, code):
    assert refused(call, by=person(), **given) == (status, code)
    assert list(StopSwitch.objects.values_list("scope", "state")) == [("all", "running")]
    assert not LedgerRow.objects.exists()


def test_a_refusal_names_the_scopes_there_are():
    with pytest.raises(Refused, match=f"there are {', '.join(sorted(settings.MESHLINE_PROVIDERS))}"):
        stop.engage("provider:strpie", by=person(), reason="x")


BLOCKED = [
    ("all", "stripe", "dunning", True),
    ("provider:netsuite", "netsuite", "", True),
    ("provider:netsuite", "stripe", "dunning", False),
    ("automation:dunning", "stripe", "dunning", True),
    ("automation:dunning", "stripe", "", False),
]


@pytest.mark.parametrize(("scope", "provider", "automation", "blocked"), BLOCKED)
def test_a_scope_halts_what_is_in_it(scope, provider, automation, blocked):
    assert not stop.blocks(provider, automation)

    stop.engage(scope, by=person(), reason="x")

    assert stop.blocks(provider, automation) is blocked


def test_asking_to_resume_still_blocks():
    stop.engage("all", by=person(), reason="x")
    stop.request_resume("all", by=person(), reason="y")

    assert stop.blocks("stripe", "dunning")


def test_without_the_row_of_all_everything_is_stopped():
    StopSwitch.objects.all().delete()

    assert stop.blocks("stripe", "dunning")
    assert stop.is_stopped()


def test_held_actions_are_counted():
    ActionFactory.create_batch(2, state="parked")
    ActionFactory(state="approved")

    assert stop.held_count() == 2


def test_every_scope_is_listed_with_all_first():
    stop.engage("provider:stripe", by=person(), reason="x")
    stop.engage("automation:dunning", by=person(), reason="x")

    assert [one.scope for one in stop.switches()] == ["all", "automation:dunning", "provider:stripe"]


def test_history_keeps_who_changed_it_and_why():
    stop.engage("all", by=person(), reason="doubled actions")

    assert StopSwitch.objects.get(scope="all").history.first().history_change_reason == "doubled actions"


def resumed(**more):
    """A stop that two people ended."""
    by = more.pop("by", None) or person("Revenue Ops Lead")
    stop.engage("all", by=person(), reason="x")
    stop.request_resume("all", by=person(), reason="mended")
    return stop.confirm_resume("all", by=by, **more)


def test_the_second_person_chooses_where_held_actions_go_and_how_fast():
    ActionFactory.create_batch(3, state="parked")

    switch = resumed(release_to="queue", a_minute=25, found={"valid": 2, "void": 1})

    assert (switch.release_to, switch.release_a_minute) == ("queue", 25)
    row = LedgerRow.objects.get(decision="confirm_resume")
    assert row.inputs == {"held": 3, "release_to": "queue", "a_minute": 25, "valid": 2, "void": 1}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"release_to": "bin"}, "release_to"), ({"release_to": ""}, "release_to"), ({"a_minute": 0}, "a_minute"),
        ({"a_minute": 601}, "a_minute"), ({"a_minute": True}, "a_minute"), ({"a_minute": "10"}, "a_minute"),
    ],
)  # fmt: skip
def test_a_release_that_makes_no_sense_is_refused(more, code):
    stop.engage("all", by=person(), reason="x")
    stop.request_resume("all", by=person(), reason="mended")

    assert refused(stop.confirm_resume, "all", by=person(), **more) == (422, code)
    assert StopSwitch.objects.get(scope="all").state == "resuming"


def test_who_is_too_late_is_told_who_was_faster():
    first = person("Revenue Ops Lead", username="rita")
    resumed(by=first)

    with pytest.raises(Refused, match=r"rita resumed this at \d\d:\d\d:\d\d UTC") as no:
        stop.confirm_resume("all", by=person())

    assert (no.value.status, no.value.code) == (409, "resumed")


def test_a_stop_notes_what_was_being_sent_in_its_scope():
    ActionFactory.create_batch(2, state="sending", provider="netsuite")
    ActionFactory(state="sending", provider="zendesk")

    stop.engage("provider:netsuite", by=person(), reason="x")

    assert LedgerRow.objects.get(decision="engage").inputs == {"sending": 2}


def test_only_a_release_that_stopped_itself_is_continued():
    switch = resumed()
    assert refused(stop.continue_release, "all", by=person()) == (409, "not_halted")

    stop.halt_release(switch, error_code="tax_id_missing", failed=3)
    assert refused(stop.continue_release, "all", by=person("Support")) == (403, "permission")
    switch = stop.continue_release("all", by=person())

    assert switch.release_halted_at is None
    decisions = LedgerRow.objects.filter(decision__endswith="_release").exclude(outcome="refused").order_by("id")
    assert [(one.decision, one.actor.partition(":")[0], one.post_state) for one in decisions] == [
        ("halt_release", "system", "running"), ("continue_release", "user", "running"),
    ]  # fmt: skip


@pytest.mark.parametrize(("scope", "held"), [("all", 3), ("provider:netsuite", 2), ("automation:dunning", 1)])
def test_held_actions_are_counted_by_scope(scope, held):
    ActionFactory(state="parked", provider="netsuite", automation="dunning")
    ActionFactory(state="parked", provider="netsuite")
    ActionFactory(state="parked", provider="zendesk")

    assert stop.held_count(scope) == held

"""Gates are written by one person and put in force by another; what judges is never edited."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction

from gates import authoring, policy
from gates.models import GateVersion
from gates.models.gate_version import Frozen
from gates.rules.typed import BadRow
from gates.stop import Refused
from ledger import clock, verify
from ledger.models import LedgerRow
from meshline.subjects import SUBJECTS, UNCHAINED
from tests.factories import GateVersionFactory
from tests.people.cast import person, refusals
from tests.people.governance import back_tested

pytestmark = pytest.mark.django_db
TENURE = [{"field": "tenure_months", "op": "at_least", "value": 24}]


@pytest.fixture
def writer():
    return person("Automation Engineer")


@pytest.fixture
def lead():
    return person("Revenue Ops Lead")


def begin(by, name="long-tenure", **more):
    given = {"rows": TENURE, "result": "review", "message": "a long customer", "applies_to": [], "why": "asked for"}
    given |= more
    return authoring.draft(
        name, given.pop("rows"), given.pop("result"), given.pop("message"), given.pop("applies_to"), by=by, **given
    )


def submitted(one, by):
    """Handed to a second person, after its back-test."""
    back_tested(one)
    return authoring.submit(one.pk, by=by, version=one.state_version)


def in_force(writer, lead, **more):
    one = submitted(begin(writer, **more), writer)
    return authoring.approve(one.pk, by=lead, version=one.state_version)


def no(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.status, refused.value.code


def judging(name="long-tenure"):
    return [one.version for one in policy.active_gates() if one.name == name]


def story(one):
    rows = LedgerRow.objects.filter(subject_kind="gate", subject_id=one.subject).order_by("id")
    return list(rows.values_list("decision", "prior_state", "post_state", "state_version"))


def test_a_draft_judges_nothing_until_another_person_puts_it_in_force(writer, lead):
    one = begin(writer)
    assert (one.version, one.title, judging()) == (1, "Long tenure", [])
    one = submitted(one, writer)
    assert judging() == []

    one = authoring.approve(one.pk, by=lead, version=one.state_version)

    assert (one.state, one.approved_by, judging()) == ("live", lead, [1])
    assert story(one) == [
        ("draft", "draft", "draft", 1), ("submit", "draft", "submitted", 2), ("approve", "submitted", "live", 3),
    ]  # fmt: skip
    row = LedgerRow.objects.latest("id")
    assert (row.actor, row.inputs["rows"], row.rule_version) == (f"user:{lead.pk}", TENURE, "long-tenure:1")
    assert row.reasons == [{"rule": "reason", "reason": "asked for"}]
    assert verify.verify(SUBJECTS, UNCHAINED).is_intact


def test_a_change_is_a_new_version_and_the_old_one_ends_when_it_begins(writer, lead):
    first = in_force(writer, lead)
    second = in_force(writer, lead, rows=[{"field": "tenure_months", "op": "at_least", "value": 36}])

    first.refresh_from_db()
    assert (second.version, first.retired_at, judging()) == (2, second.valid_from, [2])
    assert (first.rows, first.state, first.state_version) == (TENURE, "live", 4)
    assert story(first)[-1] == ("replace", "live", "live", 4)


def test_a_scheduled_version_waits_for_its_time(writer, lead):
    in_force(writer, lead)
    at = clock.now() + timedelta(days=2)
    later = in_force(writer, lead, result="block", valid_from=at)

    assert (later.valid_from, judging()) == (at, [1])
    with time_machine.travel(at + timedelta(seconds=1)):
        assert judging() == [2]


def test_a_time_that_passed_while_waiting_is_never_backdated(writer, lead):
    one = begin(writer, valid_from=clock.now() + timedelta(hours=1))
    one = submitted(one, writer)

    with time_machine.travel(clock.now() + timedelta(hours=5)):
        now = clock.now()
        one = authoring.approve(one.pk, by=lead, version=one.state_version)

    assert one.valid_from >= now


def test_nobody_approves_what_they_had_a_hand_in(writer, lead):
    both = person(is_superuser=True)
    twin = person("Revenue Ops Lead", email=writer.email.upper())
    one = begin(both)
    one = authoring.change_draft(
        one.pk, TENURE, "block", "by another", [], by=writer, version=one.state_version, why="stricter"
    )
    one = submitted(one, both)

    for somebody in (both, twin):
        assert no(authoring.approve, one.pk, by=somebody, version=one.state_version) == (403, "four_eyes")
    one.refresh_from_db()
    assert (one.state, judging()) == ("submitted", [])
    assert refusals() == [("approve", "four_eyes", f"user:{by.pk}") for by in (both, twin)]
    assert authoring.approve(one.pk, by=lead, version=one.state_version).state == "live"


def test_the_first_writer_stays_a_hand_after_another_rewrote_it():
    first, second = person(is_superuser=True), person(is_superuser=True)
    one = begin(first)
    one = authoring.change_draft(one.pk, TENURE, "hold", "mine", [], by=second, version=one.state_version, why="mine")
    one = submitted(one, second)

    assert no(authoring.approve, one.pk, by=first, version=one.state_version) == (403, "four_eyes")


@pytest.mark.parametrize("group", ["Support", "Billing Resolver", "Product Ops", "Auditor", "Support Manager", None])
def test_who_may_not_write_leaves_a_refusal_and_nothing_else(group):
    by = person(group)

    assert no(begin, by) == (403, "permission")

    assert not GateVersion.objects.filter(name="long-tenure").exists()
    assert refusals() == [("draft", "permission", f"user:{by.pk}")]


@pytest.mark.parametrize("verb", ["submit", "approve", "withdraw", "take_back", "change_draft"])
def test_each_verb_needs_its_permission(writer, verb):
    one = begin(writer)
    if verb in ("approve", "take_back"):
        one = submitted(one, writer)
    by = person("Support")
    more = {"reason": "so"} if verb in ("withdraw", "take_back") else {}
    args = (one.pk, TENURE, "hold", "words", []) if verb == "change_draft" else (one.pk,)
    more |= {"why": "so"} if verb == "change_draft" else {}

    assert no(getattr(authoring, verb), *args, by=by, version=one.state_version, **more) == (403, "permission")
    assert refusals() == [(verb.removesuffix("_draft"), "permission", f"user:{by.pk}")]


def test_an_engineer_may_not_approve_and_a_manager_may(writer):
    one = begin(writer)
    one = submitted(one, writer)

    assert no(authoring.approve, one.pk, by=person("Automation Engineer"), version=2) == (403, "permission")
    assert authoring.approve(one.pk, by=person("Support Manager"), version=2).state == "live"


def test_only_exactly_what_was_back_tested_is_submitted(writer):
    one = begin(writer)
    assert no(authoring.submit, one.pk, by=writer, version=1) == (409, "backtest")
    back_tested(one)
    more = [{**TENURE[0], "value": 36}]

    changed = authoring.change_draft(one.pk, more, "review", "a long customer", [], by=writer, version=1, why="more")

    assert no(authoring.submit, one.pk, by=writer, version=changed.state_version) == (409, "backtest")
    worded = authoring.change_draft(one.pk, TENURE, "review", "other words", [], by=writer, version=2, why="as before")
    assert authoring.submit(one.pk, by=writer, version=worded.state_version).state == "submitted"


def test_an_old_page_is_refused_and_told_who_was_quicker(writer):
    one = begin(writer)
    authoring.change_draft(one.pk, TENURE, "hold", "words", [], by=writer, version=1, why="so")

    with pytest.raises(Refused) as stale:
        authoring.submit(one.pk, by=writer, version=1)

    assert (stale.value.status, stale.value.code) == (409, "stale")
    assert writer.username in stale.value.message


@pytest.mark.parametrize("verb", ["submit", "approve", "take_back", "withdraw"])
@pytest.mark.parametrize("state", ["draft", "submitted", "live", "withdrawn"])
def test_only_the_steps_of_the_graph_exist(verb, state):
    allowed = {("submit", "draft"), ("approve", "submitted"), ("take_back", "submitted"),
               ("withdraw", "draft"), ("withdraw", "submitted")}  # fmt: skip
    one = GateVersionFactory(state=state, name="long-tenure")
    back_tested(one)
    more = {"reason": "so"} if verb in ("take_back", "withdraw") else {}
    by = person(is_superuser=True)

    if (verb, state) in allowed:
        getattr(authoring, verb)(one.pk, by=by, version=0, **more)
    else:
        assert no(getattr(authoring, verb), one.pk, by=by, version=0, **more) == (409, "state")
        one.refresh_from_db()
        assert (one.state, one.state_version) == (state, 0)


@pytest.mark.parametrize(
    ("case", "more", "said"),
    [
        ("unknown field", {"rows": [{"field": "shoe", "op": "is", "value": 1}]}, "row 1, field: 'shoe' is not known"),
        ("second row", {"rows": [*TENURE, {"field": "tier", "op": "over", "value": "x"}]}, "row 2, op: 'over' does"),
        ("wrong type", {"rows": [{"field": "tenure_months", "op": "over", "value": "24"}]}, "row 1, value: tenure_mon"),
        ("more members", {"rows": [{**TENURE[0], "x": 1}]}, "row 1: needs field, op and value"),
        ("too many rows", {"rows": TENURE * 21}, "rows: at most 20"),
        ("stops everything", {"rows": []}, "rows: a gate without a condition needs kinds"),
        ("result", {"result": "pass"}, "result: must be one of hold, review, review_two, block"),
        ("kind", {"applies_to": ["contract.suspend", "world.end"]}, "applies_to: there is no action kind 'world.end'"),
        ("no message", {"message": " "}, "message: must not be empty"),
        ("long message", {"message": "x" * 301}, "message: at most 300 characters, this has 301"),
        ("no reason", {"why": ""}, "why: must not be empty"),
        ("name", {"name": "Long Tenure"}, "name: lower-case letters"),
        ("long name", {"name": "x" * 51}, "name: lower-case letters"),
        ("far away", {"valid_from": clock.now() + timedelta(days=400)}, "valid_from: at most 365 days"),
    ],
)  # fmt: skip
def test_bad_content_is_refused_with_row_field_and_rule(writer, case, more, said):
    with pytest.raises(Refused) as bad:
        begin(writer, **more)

    assert bad.value.status == 422
    assert bad.value.message.startswith(said)
    assert not GateVersion.objects.filter(written_by=writer).exists()
    assert not LedgerRow.objects.exists()


def test_a_version_that_changes_nothing_is_refused(writer, lead):
    in_force(writer, lead)

    assert no(begin, writer) == (422, "rows")


def test_one_version_is_written_at_a_time(writer):
    begin(writer)

    assert no(begin, person("Automation Engineer"), result="block") == (409, "open")


@pytest.mark.django_db(transaction=True)
def test_two_people_begin_the_same_gate_at_once(writer):
    other, told, start = person("Automation Engineer"), [], threading.Barrier(2)

    def one(by):
        start.wait()
        try:
            begin(by)
            told.append("made")
        except Refused as refused:
            told.append(refused.code)
        finally:
            connection.close()

    for _ in range(5):
        GateVersion.objects.filter(name="long-tenure").delete()
        threads = [threading.Thread(target=one, args=(by,)) for by in (writer, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(told) == ["made"] * 5 + ["open"] * 5


def test_what_left_its_draft_cannot_be_edited_not_even_in_the_database(writer, lead):
    one = in_force(writer, lead)
    fresh = GateVersion.objects.get(pk=one.pk)
    fresh.rows = [{"field": "tenure_months", "op": "at_least", "value": 1}]

    with pytest.raises(Frozen):
        fresh.save()
    fresh = GateVersion.objects.get(pk=one.pk)
    fresh.rows[0]["value"] = 1  # inside the list
    with pytest.raises(Frozen):
        fresh.save()
    with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
        GateVersion.objects.filter(pk=one.pk).update(result="hold")
    assert GateVersion.objects.get(pk=one.pk).rows == TENURE


def test_a_row_that_cannot_be_judged_cannot_be_stored():
    with pytest.raises(BadRow):
        GateVersionFactory(rows=[{"field": "shoe", "op": "is", "value": 1}])


def test_retiring_takes_two_people_and_a_reason(writer, lead):
    one = in_force(writer, lead)

    assert no(authoring.retire, "long-tenure", by=lead) == (409, "not_asked")
    assert no(authoring.ask_retire, "long-tenure", by=writer, reason=" ") == (422, "reason")
    authoring.ask_retire("long-tenure", by=writer, reason="too many false alarms")
    assert judging() == [1]
    assert no(authoring.ask_retire, "long-tenure", by=writer, reason="again") == (409, "asked")
    assert no(authoring.retire, "long-tenure", by=writer) == (403, "permission")
    both = person(is_superuser=True, email=writer.email)
    assert no(authoring.retire, "long-tenure", by=both) == (403, "four_eyes")

    gone = authoring.retire("long-tenure", by=lead)

    assert (gone.state, judging()) == ("withdrawn", [])
    assert gone.retired_at is not None
    assert story(one)[-1] == ("retire", "live", "withdrawn", 5)
    assert refusals() == [
        ("retire", "permission", f"user:{writer.pk}"), ("retire", "four_eyes", f"user:{both.pk}"),
    ]  # fmt: skip
    assert LedgerRow.objects.latest("id").reasons == [{"rule": "reason", "reason": "too many false alarms"}]


def test_a_retirement_that_was_asked_for_can_be_dropped(writer, lead):
    in_force(writer, lead)
    authoring.ask_retire("long-tenure", by=writer, reason="so")

    kept = authoring.keep("long-tenure", by=writer, reason="still needed")

    assert (kept.retire_asked_by, kept.retire_why) == (None, "")
    assert no(authoring.retire, "long-tenure", by=lead) == (409, "not_asked")


def test_a_scheduled_version_taken_back_gives_its_place_to_the_one_before(writer, lead):
    first = in_force(writer, lead)
    in_force(writer, lead, result="block", valid_from=clock.now() + timedelta(days=2))
    authoring.ask_retire("long-tenure", by=writer, reason="not now")

    authoring.retire("long-tenure", by=lead)

    first.refresh_from_db()
    assert first.retired_at is None
    with time_machine.travel(clock.now() + timedelta(days=3)):
        assert judging() == [1]


def test_unknown_ones_are_404(lead):
    assert no(authoring.approve, 99999, by=lead, version=0) == (404, "unknown")
    assert no(authoring.ask_retire, "nothing", by=lead, reason="so") == (404, "unknown")


@pytest.mark.parametrize(
    ("verb", "who", "said"),
    [
        ("approve", "Automation Engineer", "Your account needs the permission gates.approve_gate."),
        ("approve", "Revenue Ops Lead", ""),
        ("submit", "Revenue Ops Lead", "Your account needs the permission gates.edit_gate."),
        ("submit", "Automation Engineer", "Run the back-test of this draft first; it has to be finished."),
    ],
)
def test_the_page_is_told_why_a_verb_is_off(writer, verb, who, said):
    assert authoring.why_not(begin(writer), verb, person(who)) == said

"""Checklists behind their door: who may, in which state, over which version; what starts once and what time does."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from gates import presets_checklists
from gates.checklists import running, templates, timely, verbs
from gates.checklists.running import Proof, Start
from gates.models import Checklist, ChecklistStep, ChecklistTemplate, ReviewItem
from ledger import clock
from ledger.models import LedgerRow
from tests.people.cast import person, refusals, refused
from tests.people.onboardings import begun, step

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
CALLS = {
    "tick": {}, "skip": {"reason": "not needed"}, "nudge": {}, "escalate": {}, "reassign": {"group": "Support"},
    "redate": {"due_at": None, "reason": "holidays"},
}  # fmt: skip


def call(verb, one, by, key="welcome_call", **more):
    given = {**CALLS[verb], "version": step(one, key).state_version, **more}
    if verb == "redate" and given["due_at"] is None:
        given["due_at"] = clock.now() + timedelta(days=3)
    return getattr(verbs, verb)(one.pk, key, by=by, **given)


def test_it_starts_once_for_a_customer_and_deal():
    one = begun()
    start = Start(one.customer_id, one.contract_id, one.deal, clock.now())

    assert running.begin([start, start]) == 0
    assert (Checklist.objects.count(), one.steps.count()) == (1, len(presets_checklists.STEPS))
    row = LedgerRow.objects.get(subject_kind="checklist")
    assert (row.decision, row.state_version, one.state_version, one.stage) == ("start", 1, 1, "fields_valid")
    by_key = {found.key: found for found in one.steps.all()}
    assert by_key["first_value"].due_at.isoformat() == "2027-03-01T17:00:00+00:00"
    assert by_key["fields_valid"].due_at > one.signed_at
    assert all(found.escalate_at > found.due_at for found in by_key.values())


def test_evidence_ticks_once_and_the_list_ends_with_its_last_step():
    one, boss = begun(), person("Support Manager")
    proofs = [Proof(one.contract_id, name, "action", f"id-{name}") for name in ("fields.valid", "invoice.applied")]

    assert [running.prove(proofs), running.prove(proofs)] == [2, 0]
    one.refresh_from_db()
    assert (one.stage, one.invoiced_at is not None, one.customer_at) == ("erp_customer", True, None)
    call("skip", one, boss, "erp_customer", reason="linked by hand")
    for key in ("welcome_call", "access", "training", "first_value"):
        call("tick", one, boss, key)

    one.refresh_from_db()
    assert (one.state, one.stage) == ("completed", "")
    assert refused(call, "nudge", one, boss) == (409, "state")
    assert running.prove([Proof(one.contract_id, "customer.applied", "action", "x")]) == 0
    call_command("verify_ledger")


@pytest.mark.parametrize("verb", CALLS)
def test_every_verb_asks_for_permission_state_and_version(verb):
    one, boss, clerk = begun(), person("CSM"), person("Support")

    assert refused(call, verb, one, clerk) == (403, "permission")
    assert (verb, "permission", f"user:{clerk.pk}") in refusals()
    assert refused(call, verb, one, boss, version=77) == (409, "stale")
    assert refused(getattr(verbs, verb), 0, "x", by=boss, **{"version": 0, **CALLS[verb]})[0] == 404
    assert refused(call, verb, one, boss, version=True and 9**9)[0] == 409
    before = step(one).state_version
    call(verb, one, boss)
    done = step(one)
    assert done.state_version == before + 1
    row = LedgerRow.objects.filter(subject_kind="checklist_step", subject_id=str(done.pk)).latest("id")
    assert (row.actor, row.state_version, row.customer_id) == (f"user:{boss.pk}", done.state_version, one.customer_id)
    if verb in ("tick", "skip"):
        assert refused(call, verb, one, boss) == (409, "state")


def test_what_a_verb_refuses():
    one, boss = begun(), person("Onboarding Squad")
    away = person("Support", is_active=False)

    assert refused(call, "tick", one, boss, "erp_customer") == (409, "evidence")
    assert refused(call, "skip", one, boss, "access") == (409, "blocking")
    for reason in ("", " ", "x" * 501, "a\x00b"):
        assert refused(call, "skip", one, boss, reason=reason) == (422, "reason")
        assert refused(verbs.cancel, one.pk, by=boss, version=1, reason=reason) == (422, "reason")
    assert refused(call, "reassign", one, boss, group="Nobody") == (422, "group")
    assert refused(call, "reassign", one, boss, to=away) == (422, "to")
    assert refused(call, "reassign", one, boss, group="CSM") == (409, "same")
    for due in (clock.now() - HOUR, clock.now() + timedelta(days=400)):
        assert refused(call, "redate", one, boss, due_at=due) == (422, "due")
    assert call("nudge", one, boss).nudges == 1
    assert refused(call, "nudge", one, boss) == (409, "nudged")
    assert call("escalate", one, boss).escalated_at is not None
    assert refused(call, "escalate", one, boss) == (409, "escalated")
    assert refused(verbs.tick, one.pk, "nothing", by=boss, version=0) == (404, "step")
    secret = "the customer's cousin is ill"
    call("skip", one, boss, "training", reason=secret)
    assert not LedgerRow.objects.filter(reasons__icontains="cousin").exists()
    assert step(one, "training").reason == secret


def test_due_is_told_once_then_escalated_once_and_a_new_date_begins_anew(monkeypatch):
    one, boss, helper = begun(), person("Support Manager"), person("CSM")
    person("Onboarding Squad")
    call("reassign", one, boss, to=helper, group="CSM")
    due, late = step(one).due_at, step(one).escalate_at
    ChecklistStep.objects.exclude(key="welcome_call").update(due_at=late + 99 * HOUR, escalate_at=late + 100 * HOUR)

    def at(moment):
        monkeypatch.setattr(clock, "now", lambda: moment)
        return timely.tend()

    assert [at(due - HOUR), at(due), at(due + HOUR), at(late), at(late + HOUR)] == [0, 1, 0, 1, 0]
    told = step(one)
    assert (told.late, told.nudges, told.nudge_item.owner, told.nudge_item.owner_group) == (True, 1, helper, "CSM")
    assert (told.escalation_item.owner_group, told.escalation_item.why) == ("Onboarding Squad", "step_late")
    assert ReviewItem.objects.exclude(state="resolved").count() == 2

    call("redate", one, boss, due_at=late + 5 * HOUR)
    moved = step(one)
    assert (moved.late, moved.escalated_at, moved.escalate_at - moved.due_at) == (False, None, late - due)
    assert not ReviewItem.objects.exclude(state="resolved").exists()
    assert [at(late + 4 * HOUR), at(late + 5 * HOUR)] == [0, 1]
    assert step(one).nudges == 2
    one.refresh_from_db()
    verbs.cancel(one.pk, by=boss, version=one.state_version, reason="the customer went away")
    assert at(late + 90 * HOUR) == 0
    assert not ReviewItem.objects.exclude(state="resolved").exists()
    assert refused(verbs.cancel, one.pk, by=boss, version=9, reason="again") == (409, "state")
    running.reopen([one.contract_id])
    assert Checklist.objects.get().state == "running"
    call_command("verify_ledger")


def test_a_template_is_a_version_and_running_lists_keep_theirs():
    one, ops = begun(), person("Product Ops")
    steps = [dict(made) for made in presets_checklists.STEPS[:2]]
    given = {"by": ops, "version": 1, "title": "Shorter", "reason": "less to do"}

    assert refused(templates.save_version, steps, **given | {"by": person("CSM")}) == (403, "permission")
    assert refused(templates.save_version, steps, **given | {"version": 3}) == (409, "stale")
    assert refused(templates.save_version, steps, **given | {"reason": " "}) == (422, "reason")
    assert refused(templates.save_version, steps, **given | {"title": "x" * 121}) == (422, "title")
    wrong = [
        [], [steps[0]] * 2, [{**steps[0], "key": "A b"}], [{**steps[0], "title": "a\nb"}],
        [{**steps[0], "group": "Nobody"}], [{**steps[0], "hours": 0}], [{**steps[0], "hours": True}],
        [{**steps[0], "escalate_hours": 2001}], [{**steps[0], "evidence": "moon.full"}], steps * 11,
    ]  # fmt: skip
    for bad in wrong:
        assert refused(templates.save_version, bad, **given) == (422, "steps")
    saved = templates.save_version(steps, **given)

    assert (saved.version, ChecklistTemplate.objects.count(), one.steps.count()) == (2, 2, 7)
    assert begun("502").steps.count() == 2
    presets_checklists.install()
    assert templates.current() == saved

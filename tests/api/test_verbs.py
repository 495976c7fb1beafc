"""Each verb goes through the same door as the page: same refusals, same ledger rows, and what is said when too late."""

from datetime import timedelta

import pytest

from gates import policy, review
from gates.models import Approval, Comment, ReviewItem, StopSwitch
from ledger import clock
from ledger.models import Action, Event, LedgerRow
from tests.api.client import Caller, by_session, by_token, error
from tests.factories import ContractFactory, CustomerFactory, EventFactory, ExternalIdFactory, UserFactory
from tests.people.cast import item_in, last_row, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(db):
    StopSwitch.objects.get_or_create(scope="all")
    policy._held.clear()
    yield
    policy._held.clear()


@pytest.fixture
def contract():
    """A past due contract, linked to the ERP and to a ticket."""
    customer = CustomerFactory()
    owed = {"in_1": {"first_failed": 1, "newest": [1, 1, 0]}}
    made = ContractFactory(state="past_due", customer=customer, plan="growth", dunning=owed)
    for system, kind, value in (("netsuite", "contract", "501"), ("zendesk", "ticket", "77")):
        ExternalIdFactory(system=system, kind=kind, value=value, customer=customer, contract=made)
    return made


def yes(item, **other):
    action = Action.objects.get(pk=item.action_id)
    return {
        "reason": "looked at it", "state_version": action.state_version, "preview_hash": action.preview_hash, **other
    }  # fmt: skip


def no(item, **other):
    return {"reason": "not now", "state_version": item.action.state_version, **other}


RECORD = {"cause": "wrong_data", "corrective_action": "entered it", "prevention": "asked at intake"}


@pytest.mark.parametrize("base", ["review-items/{item}/", "actions/{action}/"])
def test_an_approval_is_bound_to_what_was_seen(base):
    item, caller = item_in(), by_session("Billing Resolver")
    path = base.format(item=item.pk, action=item.action_id) + "approve/"

    stale = caller.post(path, yes(item, state_version=9))
    other = caller.post(path, yes(item, preview_hash="0" * 64))
    done = caller.post(path, yes(item))
    again = by_session("Billing Resolver").post(path, yes(item))

    assert error(stale)[:2] == (409, "stale")
    assert error(other)[:2] == (409, "preview")
    assert done.status_code == 200
    assert error(again)[:2] == (409, "resolved")
    assert caller.user.get_username() in again.json()["error"]["message"]
    assert Action.objects.get().state == "approved"
    assert last_row().actor == f"user:{caller.user.pk}"


def test_nobody_approves_what_they_asked_for():
    item = item_in(requested_by=person())

    for caller in (Caller(item.action.requested_by), by_session(None, is_superuser=True, email="twin@x.example")):
        type(item.action.requested_by).objects.update(email="twin@x.example")
        answer = caller.post(f"review-items/{item.pk}/approve/", yes(item))
        assert error(answer)[:2] == (403, "four_eyes")
    assert not Approval.objects.exists()


def test_the_first_of_two_leaves_it_waiting():
    item = item_in("in_review", "review_two")

    first = by_session().post(f"review-items/{item.pk}/approve/", yes(item))

    assert first.status_code == 200
    assert Action.objects.get().state == "in_review"
    assert by_session("Billing Resolver").post(f"review-items/{item.pk}/approve/", yes(item)).status_code == 200
    assert Action.objects.get().state == "approved"


def test_a_failed_item_is_closed_with_its_record():
    item, caller = item_in("failed"), by_session("Billing Resolver")

    without = caller.post(f"review-items/{item.pk}/reject/", no(item))
    done = caller.post(f"review-items/{item.pk}/reject/", no(item, **RECORD))

    assert error(without)[0::2] == (422, "cause")
    assert done.status_code == 200
    assert done.json()["item"]["prevention"] == "asked at intake"
    assert Action.objects.get().state == "rejected"


def test_retry_and_check():
    failed, unknown = item_in("failed"), item_in("unknown")
    caller = by_token("Billing Resolver")

    retried = caller.post(f"actions/{failed.action_id}/retry/", no(failed))
    checked = caller.post(f"actions/{unknown.action_id}/check/", {"state_version": 0})

    assert (retried.json()["state"], checked.json()["state"]) == ("approved", "unknown")
    assert error(caller.post(f"actions/{failed.action_id}/retry/", no(failed)))[0] == 409


def test_care_for_an_item():
    item, caller, other = item_in(), by_token(), UserFactory(groups=["Billing Resolver"])
    at = f"review-items/{item.pk}/"
    until = clock.now() + timedelta(hours=3)

    steps = [
        caller.post(at + "claim/"),
        caller.post(at + "comment/", {"text": "Called them."}),
        caller.post(at + "release/"),
        caller.post(at + "assign/", {"to": other.username, "group": "Billing Resolver", "reason": "knows them"}),
        caller.post(at + "snooze/", {"until": until.isoformat(), "why": "customer", "reason": "they answer tomorrow"}),
        caller.post(at + "wake/"),
        caller.post(at + "escalate/", {"reason": "nobody decides"}),
    ]

    assert [one.status_code for one in steps] == [200] * 7, [one.content for one in steps]
    assert steps[0].json()["item"]["owner"] == caller.user.username
    assert steps[1].json()["comments"][0]["text"] == "Called them."
    assert steps[3].json()["item"]["owner"] == other.username
    assert steps[4].json()["item"]["snoozed_until"]
    assert steps[5].json()["item"]["state"] == "open"
    assert Comment.objects.filter(author=caller.user, text="Called them.").count() == 1


def test_a_claimed_item_says_by_whom_until_when():
    item = item_in()
    by_session("Support").post(f"review-items/{item.pk}/claim/")

    assert error(by_session("Support").post(f"review-items/{item.pk}/claim/"))[:2] == (409, "claimed")


@pytest.mark.parametrize(
    ("change", "field"),
    [({"until": "tomorrow"}, "until"), ({"until": "2026-11-21T10:00:00"}, "until"), ({"why": "boredom"}, "why")],
)
def test_a_snooze_says_until_when_and_for_what(change, field):
    item = item_in()
    body = {"until": (clock.now() + timedelta(hours=1)).isoformat(), "why": "time", "reason": "x", **change}

    assert error(by_session().post(f"review-items/{item.pk}/snooze/", body))[0::2] == (422, field)


def test_assigning_to_nobody_known():
    answer = by_session().post(f"review-items/{item_in().pk}/assign/", {"to": "nobody-here", "reason": "x"})

    assert error(answer) == (422, "field", "to")


def test_next_gives_each_their_own():
    items = [item_in() for _ in range(3)]
    callers = [by_session("Billing Resolver") for _ in range(4)]

    answers = [one.post("review-items/next/") for one in callers]

    assert {one.json()["item"]["id"] for one in answers[:3]} == {one.pk for one in items}
    assert error(answers[3])[:2] == (409, "empty")


def test_next_of_a_part_of_the_queue():
    item_in()
    failed = item_in("failed")

    answer = by_session("Billing Resolver").post("review-items/next/", {"state": "failed"})

    assert answer.json()["item"]["id"] == failed.pk


def test_asking_for_an_action_is_judged_and_never_decided_by_who_asked(contract):
    caller = by_session("Support Manager")
    body = {"kind": "contract.suspend", "contract": contract.external_id, "params": {}, "reason": "they asked"}

    made = caller.post("actions/", body)
    item = ReviewItem.objects.get()

    assert made.status_code == 201
    assert (made.json()["state"], made.json()["requested_by"]) == ("in_review", caller.user.username)
    assert "asked_by_person" in {one["rule"] for one in made.json()["answers"] if one["verdict"] != "pass"}
    assert error(caller.post("actions/", body))[:2] == (409, "duplicate")
    assert error(caller.post(f"review-items/{item.pk}/approve/", yes(item)))[:2] == (403, "four_eyes")
    assert by_session().post(f"review-items/{item.pk}/approve/", yes(item)).status_code == 200


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"kind": "nonsense"}, 422, "kind"),
        ({"params": {"shoe": 1}}, 422, "params.shoe"),
        ({"params": {"invoice": "in 1"}}, 422, "params.invoice"),
        ({"params": []}, 422, "params"),
        ({"reason": "x" * 401}, 422, "reason"),
        ({"contract": "mesh-con-x"}, 404, ""),
    ],
)
def test_what_cannot_be_asked_for_is_named(contract, change, code, field):
    body = {"kind": "contract.suspend", "contract": contract.external_id, "params": {}, "reason": "x", **change}

    answer = by_session("Support").post("actions/", body)

    assert error(answer)[0::2] == (code, field)
    assert not Action.objects.exists()


def test_a_preview_stores_nothing(contract):
    body = {"kind": "contract.suspend", "contract": contract.external_id, "params": {}}

    answer = by_session("Support").post("actions/preview/", body)

    assert answer.status_code == 200, answer.content
    assert answer.json()["preview"][0]["after"] == "suspended"
    assert answer.json()["state"] == "in_review"
    assert [model.objects.count() for model in (Action, Event, LedgerRow)] == [0, 0, 0]


def test_an_edit_makes_a_new_preview(contract):
    asker = by_session("Support")
    asked = {"kind": "contract.downgrade", "contract": contract.external_id, "params": {"plan": "free"}, "reason": "x"}
    made = asker.post("actions/", asked).json()
    editor = by_session("Support Manager")
    body = {"params": {"plan": "starter"}, "reason": "smaller step", "state_version": made["state_version"]}

    edited = editor.post(f"actions/{made['id']}/edit/", body)

    assert edited.status_code == 200, edited.content
    assert (edited.json()["params"], edited.json()["edited_by"]) == ({"plan": "starter"}, editor.user.username)
    assert edited.json()["preview_hash"] != made["preview_hash"]
    item = ReviewItem.objects.get()
    assert error(editor.post(f"review-items/{item.pk}/approve/", yes(item)))[:2] == (403, "four_eyes")


def test_a_rollback_is_a_new_action_once(contract):
    done = item_in("applied", kind="contract.suspend", contract=contract, customer=contract.customer).action
    type(contract).objects.filter(pk=contract.pk).update(state="suspended")
    caller = by_session("Support Manager")
    body = {"reason": "was a mistake", "state_version": done.state_version}

    made = caller.post(f"actions/{done.pk}/rollback/", body)
    again = caller.post(f"actions/{done.pk}/rollback/", body)

    assert made.status_code == 201, made.content
    assert (made.json()["kind"], made.json()["reverses_id"]) == ("contract.restore", str(done.pk))
    assert error(again)[0] == 409


def test_an_action_nobody_was_asked_about():
    held = item_in("held").action
    ReviewItem.objects.all().delete()

    answer = by_session().post(f"actions/{held.pk}/approve/", {"reason": "x", "state_version": 0, "preview_hash": ""})

    assert error(answer)[:2] == (409, "no_item")


def test_undo_within_seconds(settings):
    settings.MESHLINE_UNDO_SECONDS = 10
    item, caller = item_in(), by_session("Billing Resolver")
    caller.post(f"review-items/{item.pk}/approve/", yes(item))

    answer = caller.post(f"actions/{item.action_id}/undo/")

    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "in_review"
    assert not Approval.objects.filter(voided_at=None).exists()


def test_replay():
    event, caller = EventFactory(state="ignored"), by_token("Automation Engineer")

    answer = caller.post(f"events/{event.pk}/replay/", {"reason": "mapping mended"})

    assert answer.json()["state"] == "received"
    assert error(caller.post(f"events/{event.pk}/replay/", {"reason": "again"}))[:2] == (409, "open")
    assert by_session("Support").post(f"events/{event.pk}/replay/", {"reason": "x"}).status_code == 403


def test_anybody_stops_and_two_resume():
    support, first, second = by_token("Support"), by_session("Support Manager"), by_session("Revenue Ops Lead")

    stopped = support.post("stop/", {"reason": "looks wrong"})
    refused = error(support.post("stop/resume/", {"step": "ask", "reason": "fine"}))[:2]
    asked = first.post("stop/resume/", {"step": "ask", "reason": "checked"})
    alone = first.post("stop/resume/", {"step": "confirm"})
    resumed = second.post("stop/resume/", {"step": "confirm", "release_to": "queue", "a_minute": 5})

    assert (stopped.status_code, stopped.json()["stopped"]) == (200, True)
    assert refused == (403, "permission")
    assert (asked.status_code, asked.json()["switches"][0]["state"]) == (200, "resuming")
    assert error(alone)[:2] == (403, "four_eyes")
    assert (resumed.status_code, resumed.json()["stopped"]) == (200, False)
    assert resumed.json()["switches"][0]["release_a_minute"] == 5


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("stop/", {"reason": "x", "scope": "provider:nobody"}, "scope"),
        ("stop/", {"reason": "x", "scope": "everything"}, "scope"),
        ("stop/resume/", {"step": "maybe"}, "step"),
        ("stop/resume/", {"step": "ask", "reason": " "}, "reason"),
        ("stop/resume/", {"step": "confirm", "a_minute": 0}, "a_minute"),
        ("stop/resume/", {"step": "confirm", "release_to": "moon"}, "release_to"),
    ],
)
def test_the_stop_names_what_is_wrong(path, body, field):
    assert error(by_session().post(path, body))[0::2] == (422, field)
    assert StopSwitch.objects.get().state == "running"


def test_the_door_is_all_there_is(monkeypatch):
    item = item_in()

    def shut(*args, **kwargs):
        raise review.Refused(409, "shut", "the door is shut")

    monkeypatch.setattr(review, "claim", shut)

    assert error(by_session().post(f"review-items/{item.pk}/claim/"))[:2] == (409, "shut")

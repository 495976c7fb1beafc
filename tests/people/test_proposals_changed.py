"""Looking first, changing what waits, taking back what was done: nothing stored by a look, nothing agreed to twice."""

import pytest
from django.contrib.auth.models import Permission, User

from gates import policy, review
from gates.models import Approval, Automation, Comment, ReviewItem
from gates.stop import Refused
from ledger.models import Action, Event, EventBody, LedgerRow
from sync import proposals
from sync.models import Attempt
from tests.factories import ActionFactory, ContractFactory, CustomerFactory, ExternalIdFactory, GateVersionFactory
from tests.people.cast import given, last_row, person, refusals

pytestmark = pytest.mark.django_db
STORED = (Action, Event, EventBody, ReviewItem, LedgerRow, Attempt, Approval, Comment)


@pytest.fixture(autouse=True)
def fresh_policies(settings):
    settings.MESHLINE_UNDO_SECONDS = 0
    policy._held.clear()
    yield
    policy._held.clear()


@pytest.fixture
def contract():
    """A past due contract, linked to the ERP and to a ticket."""
    customer = CustomerFactory()
    made = ContractFactory(state="past_due", customer=customer, plan="growth")
    for system, kind, value in (("netsuite", "contract", "501"), ("zendesk", "ticket", "77")):
        ExternalIdFactory(system=system, kind=kind, value=value, customer=customer, contract=made)
    return made


def editor(group="Support Manager"):
    """Somebody who may edit, whatever the groups hold."""
    made = person(group)
    made.user_permissions.add(*Permission.objects.filter(codename__in=("edit_action", "rollback_action")))
    return User.objects.get(pk=made.pk)


def ask(contract, kind="contract.downgrade", params=None, *, by=None):
    params = {"plan": "free"} if params is None else params
    return proposals.propose(kind, contract.external_id, params, by=by or person("Support"), reason="they asked")


def item_of(action):
    return ReviewItem.objects.exclude(state="resolved").get(action=action)


def edit(action, params, *, by=None, version=None, reason="smaller step"):
    version = action.state_version if version is None else version
    return proposals.edit(item_of(action).pk, params, by=by or editor(), reason=reason, version=version)


def counts():
    return [model.objects.count() for model in STORED]


# --- a look


def test_a_preview_says_what_proposing_comes_to_and_stores_nothing(contract):
    before = counts()

    seen = proposals.preview("contract.downgrade", contract.external_id, {"plan": "free"}, by=person("Support"))

    assert counts() == before
    action = ask(contract)
    assert (seen["state"], seen["needed"], seen["duplicate_of"]) == ("in_review", 1, None)
    assert (seen["preview"], seen["preview_hash"]) == (action.preview, action.preview_hash)
    assert seen["answers"] == action.answers
    assert [one["rule"] for one in seen["failing"]] == ["asked_by_person"]
    assert (seen["irreversible"], seen["inverse"]) == (False, "contract.restore")
    assert (seen["amount_minor"], seen["amount_30d_minor"], seen["contract"]) == (None, None, contract.external_id)
    again = proposals.preview("contract.downgrade", contract.pk, {"plan": "x"}, by=person("Support"))
    assert again["duplicate_of"] == str(action.pk)


@pytest.mark.parametrize(
    ("kind", "params", "status"),
    [("shoe", {}, 422), ("contract.downgrade", {}, 422), ("contract.downgrade", {"plan": "growth"}, 409)],
)
def test_a_preview_refuses_what_proposing_refuses(contract, kind, params, status):
    before = counts()

    with pytest.raises(Refused) as no:
        proposals.preview(kind, contract.external_id, params, by=person("Support"))

    assert (no.value.status, counts()) == (status, before)


def test_a_preview_without_permission_leaves_its_row(contract):
    with pytest.raises(Refused) as no:
        proposals.preview("ticket.note", contract.external_id, {"text": "x"}, by=person("Auditor"))

    assert no.value.status == 403
    assert [row[:2] for row in refusals()] == [("preview", "permission")]


# --- a change


def test_an_edit_is_judged_again_and_voids_what_people_agreed_to(contract):
    GateVersionFactory(name="two", rows=[{"field": "contract", "op": "is", "value": True}], result="review_two")
    action = ask(contract)
    review.approve(item_of(action).pk, by=person("Support Manager"), **given(item_of(action)))
    action.refresh_from_db()
    by = editor()

    edited = edit(action, {"plan": "starter"}, by=by)

    assert (edited.pk, edited.state, edited.state_version) == (action.pk, "in_review", 3)
    assert (edited.params, edited.edited_by, edited.requested_by) == ({"plan": "starter"}, by, action.requested_by)
    assert edited.preview_hash != action.preview_hash
    assert edited.preview[0]["after"] == "starter"
    assert Approval.objects.get().voided_at is not None
    assert {one["rule"] for one in edited.answers if one["verdict"] != "pass"} == {
        "two", "asked_by_person", "edited_by_person",
    }  # fmt: skip
    row = last_row()
    assert (row.decision, row.prior_state, row.post_state, row.outcome) == ("edit", "in_review", "in_review", "edited")
    assert (row.actor, row.state_version, row.inputs["edited"]) == (f"user:{by.pk}", 3, True)
    assert Comment.objects.get().text == "Edited: smaller step"
    assert "smaller step" not in str(row.__dict__), "a person's words may name people; the ledger is for ever"


def test_neither_who_asked_nor_who_edited_approves(contract):
    asker, by = person("Support Manager"), editor()
    edited = edit(ask(contract, by=asker), {"plan": "starter"}, by=by)
    item = item_of(edited)

    for one, said in ((asker, "you asked for this"), (by, "you edited this last")):
        with pytest.raises(Refused, match=said) as no:
            review.approve(item.pk, by=one, **given(item))
        assert no.value.status == 403
    review.approve(item.pk, by=person("Support Manager"), **given(item))

    assert Action.objects.get().state == "approved"


def test_a_page_from_before_the_edit_approves_nothing(contract):
    action = ask(contract)
    stale = given(item_of(action))
    edit(action, {"plan": "starter"})

    with pytest.raises(Refused) as no:
        review.approve(item_of(action).pk, by=person("Support Manager"), **stale)

    assert (no.value.status, Action.objects.get().state) == (409, "in_review")


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({"plan": "free"}, 422, "params: nothing is changed by this"),
        ({}, 422, "params: nothing is changed by this"),
        ({"plan": "growth"}, 409, "the contract has this plan already"),
        ({"plan": 5}, 422, "params.plan: must be a text"),
        ({"shoe": 1}, 422, "params.shoe: is not known here; known are plan, invoice"),
        (None, 422, "params: must be an object"),
    ],
)
def test_a_wrong_edit_changes_nothing(contract, params, status, said):
    action, before = ask(contract), counts()

    with pytest.raises(Refused, match=said) as no:
        edit(action, params)

    assert (no.value.status, counts()) == (status, before)
    assert Action.objects.get().state_version == 1


def test_an_edit_names_the_version_it_saw(contract):
    action = ask(contract)

    with pytest.raises(Refused, match="changed since the page was drawn"):
        edit(action, {"plan": "starter"}, version=0)
    with pytest.raises(Refused, match="the newest is version 1"):
        edit(action, {"plan": "starter"}, version=7)
    with pytest.raises(Refused) as no:
        edit(action, {"plan": "starter"}, reason=" ")

    assert (no.value.status, Action.objects.get().params) == (422, {"plan": "free"})


def test_an_edit_without_permission_leaves_its_row(contract):
    with pytest.raises(Refused) as no:
        edit(ask(contract), {"plan": "starter"}, by=person("Auditor"))

    assert no.value.status == 403
    assert [row[:2] for row in refusals()] == [("edit", "permission")]


def test_an_edit_may_not_become_what_is_under_way(contract):
    owed = {"first_failed": 1, "newest": [1, 1, 0]}
    type(contract).objects.update(dunning={"in_1": owed, "in_2": owed})
    asked = ask(contract, params={"plan": "free", "invoice": "in_2"})
    ActionFactory(customer=contract.customer, kind="contract.downgrade", business_key="invoice:in_1", state="held")

    with pytest.raises(Refused, match="the same is under way already; nothing was edited") as no:
        edit(asked, {"invoice": "in_1"})

    kept = Action.objects.get(pk=asked.pk)
    assert (no.value.status, kept.edited_by, kept.business_key) == (409, None, "invoice:in_2")


@pytest.fixture
def suggested(contract):
    """What an automation suggests."""
    Automation.objects.filter(name="dunning").update(state="suggest")
    policy._held.clear()
    action = ActionFactory(
        state="in_review", kind="ticket.note", provider="zendesk", automation="dunning", customer=contract.customer,
        contract=contract, business_key="invoice:in_1:paid", because="paid",
        params={"invoice": "in_1", "text": "Paid."},
    )  # fmt: skip
    review_item = ReviewItem(
        action=action, customer=contract.customer, kind=action.kind, sentence="x", why="rollout_stage",
        owner_group="Support", due_at=action.created_at, correlation_id=action.correlation_id,
    )  # fmt: skip
    review_item.save()
    return action


def test_what_an_automation_asked_keeps_its_key(suggested):
    edited = edit(suggested, {"text": "It was paid on Monday."})

    assert (edited.business_key, edited.params["invoice"]) == ("invoice:in_1:paid", "in_1")
    assert (edited.params["text"], edited.automation) == ("It was paid on Monday.", "dunning")
    assert edited.preview[0]["after"] == "It was paid on Monday."


def test_what_a_person_edited_is_not_let_go_by_the_automations_stage(suggested):
    Automation.objects.filter(name="dunning").update(state="full")
    policy._held.clear()

    edited = edit(suggested, {"text": "It was paid on Monday."})

    assert (edited.state, item_of(edited).why) == ("in_review", "edited_by_person")


def test_what_a_paused_automation_asked_is_not_edited(suggested):
    Automation.objects.filter(name="dunning").update(state="paused")
    policy._held.clear()

    with pytest.raises(Refused, match="paused or only observes; nothing was edited"):
        edit(suggested, {"text": "It was paid on Monday."})

    assert Action.objects.get().params["text"] == "Paid."


def test_what_was_frozen_is_never_changed_a_new_action_takes_its_place(contract):
    old = ask(contract)
    frozen = {"provider": "netsuite", "method": "PATCH", "path": "/x", "headers": [], "body": "{}"}
    Action.objects.update(request=frozen, tries=1)
    by = editor()

    new = edit(old, {"plan": "starter"}, by=by)

    old.refresh_from_db()
    assert (old.state, old.request, old.params) == ("superseded", frozen, {"plan": "free"})
    assert (new.state, new.request, new.params, new.edited_by) == ("in_review", None, {"plan": "starter"}, by)
    assert (new.requested_by, new.correlation_id) == (old.requested_by, old.correlation_id)
    assert new.key != old.key
    assert list(ReviewItem.objects.order_by("id").values_list("action", "state", "resolution")) == [
        (old.pk, "resolved", "edited"), (new.pk, "open", ""),
    ]  # fmt: skip


def test_what_may_have_been_done_is_no_draft(contract):
    action = ask(contract)
    Action.objects.update(unknown_since=action.created_at, tries=1)

    with pytest.raises(Refused, match="nobody knows yet whether this was done") as no:
        edit(action, {"plan": "starter"})

    assert no.value.status == 409


# --- taking back


def applied(contract, kind="contract.downgrade", **more):
    type(contract).objects.filter(pk=contract.pk).update(plan="free", plan_before="growth")
    return ActionFactory(
        state="applied", kind=kind, customer=contract.customer, contract=contract, state_version=4, **more
    )


def test_a_downgrade_is_rolled_back_by_its_restore(contract):
    done, by = applied(contract), editor()

    action = proposals.roll_back(done.pk, by=by, reason="wrong customer", version=4)

    assert (action.kind, action.params, action.reverses) == (
        "contract.restore", {"undoes": "contract.downgrade"}, done,
    )  # fmt: skip
    assert (action.state, action.requested_by, action.correlation_id) == ("in_review", by, done.correlation_id)
    row = last_row()
    assert (row.decision, row.prior_state, row.post_state, row.state_version) == ("rollback", "applied", "applied", 5)


def test_a_restored_downgrade_is_rolled_back_to_the_plan_it_was_on(contract):
    done = applied(contract, "contract.restore", params={"undoes": "contract.downgrade"}, facts={"plan": "free"})
    type(contract).objects.filter(pk=contract.pk).update(plan="growth", plan_before="")

    action = proposals.roll_back(str(done.pk), by=editor(), reason="it was right", version=4)

    assert (action.kind, action.params) == ("contract.downgrade", {"plan": "free"})


@pytest.mark.parametrize("state", ["in_review", "failed", "sending", "compensated", "rejected"])
def test_only_what_is_applied_is_rolled_back(contract, state):
    done = applied(contract)
    Action.objects.filter(pk=done.pk).update(state=state)

    with pytest.raises(Refused, match="only what is confirmed is rolled back") as no:
        proposals.roll_back(done.pk, by=editor(), reason="x", version=4)

    assert (no.value.status, Action.objects.count()) == (409, 1)


def test_a_rollback_without_permission_leaves_its_row(contract):
    with pytest.raises(Refused) as no:
        proposals.roll_back(applied(contract).pk, by=person("Auditor"), reason="x", version=4)

    assert no.value.status == 403
    assert [row[:2] for row in refusals()] == [("rollback", "permission")]

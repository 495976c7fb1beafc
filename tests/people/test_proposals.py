"""What a person asks for goes through the same gates, and another person decides where a contract moves."""

from datetime import timedelta

import pytest

from gates import policy, review
from gates.models import ReviewItem
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, Event, EventBody, LedgerRow
from sync import actions, drain, proposals
from sync.actions.params import Text, Texts, Whole, problem
from tests.factories import ActionFactory, ContextFactory, ContractFactory, CustomerFactory, ExternalIdFactory
from tests.people.cast import given, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_policies():
    policy._held.clear()
    yield
    policy._held.clear()


@pytest.fixture
def contract():
    """A past due contract, linked to the ERP and to a ticket, with an invoice that is owed."""
    customer = CustomerFactory()
    owed = {"in_1": {"first_failed": 1, "newest": [1, 1, 0]}}
    made = ContractFactory(state="past_due", customer=customer, plan="growth", dunning=owed)
    for system, kind, value in (("netsuite", "contract", "501"), ("zendesk", "ticket", "77")):
        ExternalIdFactory(system=system, kind=kind, value=value, customer=customer, contract=made)
    return made


def ask(contract, kind="contract.suspend", params=None, *, by=None, reason="they asked for it"):
    return proposals.propose(kind, contract.external_id, params or {}, by=by or person("Support"), reason=reason)


def refused(*args, **kwargs):
    """What the door says, and that nothing was left behind."""
    before = Action.objects.count(), Event.objects.count(), ReviewItem.objects.count()
    with pytest.raises(Refused) as no:
        ask(*args, **kwargs)
    assert (Action.objects.count(), Event.objects.count(), ReviewItem.objects.count()) == before
    return no.value.status, no.value.message


def test_a_change_of_a_contract_waits_for_another_person(contract):
    by = person("Support Manager")

    action = ask(contract, by=by)

    item = ReviewItem.objects.get()
    assert (action.state, action.requested_by, action.automation, action.mode) == ("in_review", by, "", "live")
    assert (item.action, item.why, item.owner_group) == (action, "asked_by_person", "Support Manager")
    with pytest.raises(Refused, match="you asked for this"):
        review.approve(item.pk, by=by, **given(item))
    review.approve(item.pk, by=person("Support Manager"), **given(item, version=1))
    assert Action.objects.get().state == "approved"


def test_every_action_has_an_event_and_a_row(contract):
    action = ask(contract)

    event, row = Event.objects.get(), LedgerRow.objects.get()
    assert (event.source, event.state, event.customer) == ("meshline", "processed", contract.customer)
    assert action.event == event
    assert (row.event_id, row.actor, row.post_state) == (event.pk, f"user:{action.requested_by_id}", "in_review")
    assert row.correlation_id == event.correlation_id == action.correlation_id
    assert b"they asked for it" in bytes(EventBody.objects.get().raw)
    assert "they asked for it" not in str(row.__dict__), "a person's words may name people; the ledger is for ever"


def test_a_note_needs_nobody_else(contract):
    action = ask(contract, "ticket.note", {"text": "Called them."})

    assert (action.state, action.in_lane) == ("approved", True)
    assert not ReviewItem.objects.exists()


def test_a_gate_that_blocks_is_named(contract):
    ContextFactory(
        customer=contract.customer,
        blocks={f"billing:{contract.pk}": {"synced_at": "2026-11-21T00:00:00+00:00", "open_disputes": 1}},
    )

    action = ask(contract)

    failing = {one["rule"] for one in action.answers if one["verdict"] != "pass"}
    assert failing == {"open-dispute", "asked_by_person"}


def test_a_contract_may_be_named_by_number(contract):
    action = proposals.propose("contract.suspend", contract.pk, {}, by=person("Support"), reason="x")

    assert action.contract == contract


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("refund", {}, "kind: must be one of contract.downgrade, contract.restore"),
        ("contract.downgrade", {}, "params.plan: is required, a text of 1 to 64 characters"),
        ("contract.downgrade", {"plan": 5}, "params.plan: must be a text of 1 to 64 characters"),
        ("contract.downgrade", {"plan": "x" * 65}, "params.plan: must be a text of 1 to 64 characters"),
        ("contract.suspend", {"invoice": "in 1"}, "params.invoice: must be a text of 1 to 64 characters matching"),
        ("contract.suspend", {"shoe": 1}, "params.shoe: is not known here; known are invoice"),
        ("contract.restore", {"undoes": "x"}, "params.undoes: must be one of contract.suspend, contract.downgrade"),
        ("ticket.note", {"text": " "}, "params.text: must be a text of 1 to 4000 characters"),
        ("ticket.note", {"text": "a\x00b"}, "params.text: must be a text"),
        ("ticket.tag", {"tags": []}, "params.tags: must be a list of 1 to 10 different entries"),
        ("ticket.tag", {"tags": ["a", "a"]}, "params.tags: must be a list of 1 to 10 different entries"),
        ("ticket.tag", {"tags": ["Loud"]}, "params.tags: must be a list"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(contract, kind, params, said):
    status, message = refused(contract, kind, params)

    assert status == 422
    assert message.startswith(said)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 401, "a\x00"])
def test_a_reason_is_needed(contract, reason):
    assert refused(contract, reason=reason)[0] == 422


def test_an_unknown_contract():
    with pytest.raises(Refused, match="there is no contract 'mesh-con-x'") as no:
        proposals.propose("contract.suspend", "mesh-con-x", {}, by=person("Support"), reason="x")
    assert no.value.status == 404


def test_without_permission_a_row_is_left(contract):
    by = person("Auditor")

    assert refused(contract, by=by)[0] == 403

    row = LedgerRow.objects.get()
    assert (row.subject_kind, row.decision, row.outcome, row.actor) == (
        "contract",
        "propose",
        "refused",
        f"user:{by.pk}",
    )


@pytest.mark.parametrize(
    ("kind", "params"),
    [("contract.suspend", {}), ("contract.suspend", {"invoice": "in_1"}), ("ticket.note", {"text": "Called."})],
)
def test_the_same_again_is_a_duplicate_while_it_is_open(contract, kind, params):
    ask(contract, kind, params)

    status, message = refused(contract, kind, params)

    assert (status, message.endswith("the same is under way already; nothing was asked for")) == (409, True)


def test_what_the_automation_has_under_way_is_a_duplicate_too(contract):
    ActionFactory(customer=contract.customer, contract=contract, business_key="invoice:in_1", state="held")

    assert refused(contract, params={"invoice": "in_1"})[0] == 409


@pytest.mark.parametrize(
    ("state", "kind", "params", "why"),
    [
        ("suspended", "contract.suspend", {}, "the contract is suspended"),
        ("cancelled", "contract.downgrade", {"plan": "free"}, "the contract is cancelled"),
        ("past_due", "contract.downgrade", {"plan": "growth"}, "the contract has this plan already"),
        ("past_due", "contract.suspend", {"invoice": "in_9"}, "the invoice is settled"),
        ("active", "contract.restore", {"undoes": "contract.suspend"}, "no confirmed contract.suspend"),
    ],
)
def test_what_makes_no_sense_now_is_said_now(contract, state, kind, params, why):
    type(contract).objects.filter(pk=contract.pk).update(state=state)

    status, message = refused(contract, kind, params)

    assert status == 409
    assert why in message


def test_a_note_needs_a_ticket_and_a_change_a_record():
    contract = ContractFactory(state="active")

    assert "no ticket is linked" in refused(contract, "ticket.note", {"text": "x"})[1]
    assert "not linked to a record in the ERP" in refused(contract)[1]


def test_a_restore_undoes_the_newest_confirmed_change_once(contract):
    type(contract).objects.filter(pk=contract.pk).update(state="suspended")
    done = ActionFactory(customer=contract.customer, contract=contract, state="applied")

    action = ask(contract, "contract.restore", {"undoes": "contract.suspend"})

    assert (action.reverses, action.state) == (done, "in_review")
    assert refused(contract, "contract.restore", {"undoes": "contract.suspend"})[0] == 409


def test_replaying_the_event_of_a_proposal_does_nothing_twice(contract):
    action = ask(contract)

    review.replay(action.event_id, by=person(), reason="curious")
    Event.objects.update(available_at=clock.now() - timedelta(minutes=1))  # a test's transaction stands still
    drain.once()

    event = Event.objects.get()
    assert (event.state, Action.objects.count()) == ("ignored", 1)


FIELDS = {"a": Text(5), "b": Texts(Text(3), most=2, is_required=False), "n": Whole(1, 9, is_required=False)}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"a": "x"}, ""), ({"a": "x", "b": ["y"]}, ""), ([], "params: must be an object"),
        (None, "params: must be an object"), ({}, "params.a: is required"), ({"a": True}, "params.a: must be"),
        ({"a": "x", "b": ["yyyy"]}, "params.b: must be"),
        ({"a": "x", "b": "y"}, "params.b: must be"), ({"a": "x", "b": ["1", "2", "3"]}, "params.b: must be"),
        ({"a": "x", "b": [1]}, "params.b: must be"), ({"a": "x", "n": 9}, ""),
        ({"a": "x", "n": 0}, "params.n: must be a whole number from 1 to 9"),
        ({"a": "x", "n": 10}, "params.n: must be"),
        ({"a": "x", "n": True}, "params.n: must be"), ({"a": "x", "n": 1.0}, "params.n: must be"),
        ({"a": "x", "n": "1"}, "params.n: must be"),
    ],
)  # fmt: skip
def test_params_are_checked_field_by_field(params, said):
    found = problem(FIELDS, params)

    assert found.startswith(said)
    assert bool(found) is bool(said)


NOBODY_FILLS_IN = {
    "customer.create", "invoice.create", "deal.annotate", "deal.note", "billing_customer.create",
    "billing_customer.link", "billing_customer.update", "contract.cancel",
    "credit_memo.create", "refund.explanation", "refund.note",
    "payment.record", "refund.record", "fee.record", "dispute.record",
}  # fmt: skip


@pytest.mark.parametrize("kind", actions.ACTIONS)
def test_every_kind_says_what_may_be_filled_in(kind):
    assert all(isinstance(rule, Text | Texts | Whole) and rule.rule() for rule in actions.get(kind).asks_for.values())
    assert bool(actions.get(kind).asks_for) is (kind not in NOBODY_FILLS_IN)

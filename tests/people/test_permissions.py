"""H1: the seven groups and what each may do, written down; every cell is tried."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from gates import assistants, automations, presets, review, stop
from gates.stop import Refused
from ledger import clock
from ledger.models import LedgerRow
from sync import proposals
from tests.factories import ActionFactory, ContractFactory, EventFactory, ExternalIdFactory
from tests.people.cast import GROUPS, RECORD, given, item_in, person
from tests.people.rollouts import earned

pytestmark = pytest.mark.django_db

VERBS = (
    "claim", "comment", "snooze", "wake", "escalate", "assign", "approve", "undo", "reject", "retry", "check", "bulk",
    "replay", "propose", "edit", "roll back", "stop", "resume", "step",
)  # fmt: skip
WORK = {"claim", "comment", "snooze", "wake", "escalate", "stop"}
DECIDE = {"approve", "undo", "reject", "retry", "check", "replay", "edit", "roll back"}
MAY = {
    "Support": WORK | {"propose"},
    "Billing Resolver": WORK | DECIDE | {"propose"},
    "Support Manager": WORK | DECIDE | {"propose", "assign", "bulk", "resume"},
    "Automation Engineer": WORK | {"retry", "check", "replay"},
    "Revenue Ops Lead": WORK | {"approve", "undo", "retry", "check", "replay", "resume", "step"},
    "Product Ops": WORK,
    "Auditor": {"stop"},
    "Onboarding Squad": WORK | {"propose"},
    "CSM": WORK | {"propose"},
    "Assistant": set(),
}
# An assistant proposes, and has to say how sure it is: tests/api/test_assistants.py tries that.
OWN_WAY = ("Assistant", "propose")
CELLS = [(group, verb, verb in may) for group, may in MAY.items() for verb in VERBS if (group, verb) != OWN_WAY]


def approve(by):
    item = item_in()
    review.approve(item.pk, by=by, **given(item))


def contract():
    made = ContractFactory(state="past_due", plan="growth")
    ExternalIdFactory(system="netsuite", kind="contract", customer=made.customer, contract=made)
    return made


def propose(by):
    proposals.propose("contract.suspend", contract().external_id, {}, by=by, reason="because")


def edit(by):
    asked = proposals.propose("contract.downgrade", contract().pk, {"plan": "free"}, by=person(), reason="because")
    item = asked.review_items.get()
    proposals.edit(item.pk, {"plan": "starter"}, by=by, reason="because", version=asked.state_version)


def roll_back(by):
    about = ContractFactory(state="suspended")
    ExternalIdFactory(system="netsuite", kind="contract", customer=about.customer, contract=about)
    done = ActionFactory(state="applied", contract=about, customer=about.customer)
    proposals.roll_back(done.pk, by=by, reason="because", version=0)


def snoozed():
    item = item_in()
    tomorrow = clock.now() + timedelta(days=1)
    return review.snooze(item.pk, by=person(), until=tomorrow, why="time", reason="because")


def approved():
    item = item_in()
    return review.approve(item.pk, by=person(), **given(item))


def bulk(by):
    item = item_in()
    (result,) = review.bulk("reject", [(item.pk, 0, "")], by=by, reason="because")
    assert result.done


def resume(by):
    stop.engage("all", by=person(is_superuser=True), reason="because")
    stop.request_resume("all", by=by, reason="because")


# Each where nothing but permission could stand in the way.
def step(by):
    earned("shadow")
    automations.step_to("dunning", "suggest", by=by, reason="because")


TRY = {
    "claim": lambda by: review.claim(item_in().pk, by=by),
    "comment": lambda by: review.comment(item_in().pk, by=by, text="words"),
    "snooze": lambda by: review.snooze(item_in().pk, by=by, until=None, why="event", reason="because"),
    "wake": lambda by: review.wake(snoozed().pk, by=by),
    "escalate": lambda by: review.escalate(item_in().pk, by=by, reason="because"),
    "assign": lambda by: review.assign(item_in().pk, by=by, to=person(), reason="because"),
    "approve": approve,
    "undo": lambda by: review.undo(approved().pk, by=by),
    "bulk": bulk,
    "edit": edit,
    "roll back": roll_back,
    "reject": lambda by: review.reject(item_in("failed").pk, by=by, reason="because", version=0, **RECORD),
    "retry": lambda by: review.retry(item_in("failed").pk, by=by, reason="because", version=0),
    "check": lambda by: review.check(item_in("unknown").pk, by=by, version=0),
    "replay": lambda by: review.replay(EventFactory(state="ignored").pk, by=by, reason="because"),
    "propose": propose,
    "stop": lambda by: stop.engage("all", by=by, reason="because"),
    "resume": resume,
    "step": step,
}


@pytest.mark.parametrize(("group", "verb", "may"), CELLS)
def test_cell(group, verb, may):
    by = person(group)

    if may:
        TRY[verb](by)
        assert not LedgerRow.objects.filter(outcome="refused").exists()
    else:
        with pytest.raises(Refused) as no:
            TRY[verb](by)
        assert (no.value.status, no.value.code) == (403, "permission")
        row = LedgerRow.objects.get(outcome="refused")
        assert (row.actor, row.error_code) == (f"user:{by.pk}", "permission")
        assert row.prior_state == row.post_state


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", ["nobody's group", "switched off"])
def test_without_a_group_or_switched_off_nothing_goes(verb, who):
    by = person(None) if who == "nobody's group" else person(is_superuser=True, is_active=False)

    with pytest.raises(Refused) as no:
        TRY[verb](by)

    assert no.value.status == 403


def test_the_table_has_every_group():
    assert set(MAY) == set(GROUPS) == set(Group.objects.values_list("name", flat=True))


def test_whoever_may_see_may_stop():
    for group, permissions in presets.GROUPS.items():
        assert ("gates.engage_stop" in permissions) is (group != assistants.GROUP), group


def test_nobody_may_change_records_in_the_admin():
    for permissions in presets.GROUPS.values():
        changing = {one for one in permissions if one.split(".")[1].startswith(("add_", "delete_"))}
        assert changing == set()
        assert not any(one.startswith(("ledger.change_", "sync.change_")) for one in permissions)


def test_a_group_that_people_changed_is_left_alone():
    support = Group.objects.get(name="Support")
    kept = support.permissions.first()
    support.permissions.set([kept])

    presets.install_groups()

    assert list(support.permissions.all()) == [kept]

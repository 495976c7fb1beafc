"""H1: the seven groups and what each may do, written down; every cell is tried."""

import pytest
from django.contrib.auth.models import Group

from gates import automations, presets, review, stop
from gates.stop import Refused
from ledger.models import LedgerRow
from sync import proposals
from tests.factories import ContractFactory, EventFactory, ExternalIdFactory
from tests.people.cast import GROUPS, given, item_in, person

pytestmark = pytest.mark.django_db

#                       claim comment approve reject retry check replay propose stop resume step
MATRIX = {
    "Support":              "y     y       -      -     -     -     -      y      y     -     -",
    "Billing Resolver":     "y     y       y      y     y     y     y      y      y     -     -",
    "Support Manager":      "y     y       y      y     y     y     y      y      y     y     -",
    "Automation Engineer":  "y     y       -      -     y     y     y      -      y     -     -",
    "Revenue Ops Lead":     "y     y       y      -     -     -     -      -      y     y     y",
    "Product Ops":          "y     y       -      -     -     -     -      -      y     -     -",
    "Auditor":              "-     -       -      -     -     -     -      -      y     -     -",
}  # fmt: skip
VERBS = ("claim", "comment", "approve", "reject", "retry", "check", "replay", "propose", "stop", "resume", "step")
CELLS = [
    (group, verb, mark == "y")
    for group, marks in MATRIX.items()
    for verb, mark in zip(VERBS, marks.split(), strict=True)
]


def approve(by):
    item = item_in()
    review.approve(item.pk, by=by, **given(item))


def propose(by):
    contract = ContractFactory(state="past_due")
    ExternalIdFactory(system="netsuite", kind="contract", customer=contract.customer, contract=contract)
    proposals.propose("contract.suspend", contract.external_id, {}, by=by, reason="because")


def resume(by):
    stop.engage("all", by=person(is_superuser=True), reason="because")
    stop.request_resume("all", by=by, reason="because")


# Each where nothing but permission could stand in the way.
TRY = {
    "claim": lambda by: review.claim(item_in().pk, by=by),
    "comment": lambda by: review.comment(item_in().pk, by=by, text="words"),
    "approve": approve,
    "reject": lambda by: review.reject(item_in("failed").pk, by=by, reason="because", version=0),
    "retry": lambda by: review.retry(item_in("failed").pk, by=by, reason="because", version=0),
    "check": lambda by: review.check(item_in("unknown").pk, by=by, version=0),
    "replay": lambda by: review.replay(EventFactory(state="ignored").pk, by=by, reason="because"),
    "propose": propose,
    "stop": lambda by: stop.engage("all", by=by, reason="because"),
    "resume": resume,
    "step": lambda by: automations.step_to("dunning", "suggest", by=by, reason="because"),
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
    assert set(MATRIX) == set(GROUPS) == set(Group.objects.values_list("name", flat=True))


def test_whoever_may_see_may_stop():
    for group, permissions in presets.GROUPS.items():
        assert "gates.engage_stop" in permissions, group


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

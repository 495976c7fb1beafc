"""Taking back what was done: the inverse through the same gates, once, and the original is compensated by its end."""

from typing import Any

import pytest
from django.core.management import call_command

from gates import policy, review
from gates.models import ReviewItem
from gates.stop import Refused
from ledger.models import Action, LedgerRow
from sync import proposals
from tests.factories import UserFactory
from tests.flows.test_crash import fail_long_ago
from tests.flows.world import World, steps
from tests.people.cast import given, last_row, person


@pytest.fixture
def suspended(world: World, settings: Any) -> Action:
    """A contract that was suspended because an invoice stayed unpaid."""
    settings.MESHLINE_UNDO_SECONDS = 0
    policy._held.clear()
    fail_long_ago(world)
    done = world.until("contract.suspend", "applied")
    world.until("ticket.tag", "applied")
    return done


def roll_back(action: Action, *, by: Any = None, **more: Any) -> Action:
    given_version = more.pop("version", Action.objects.get(pk=action.pk).state_version)
    return proposals.roll_back(
        action.pk, by=by or person("Support Manager"), reason="wrong customer", version=given_version, **more
    )


def approve(action: Action) -> None:
    item = ReviewItem.objects.exclude(state="resolved").get(action=action)
    review.approve(item.pk, by=person("Support Manager"), **given(item))


def test_suspend_rolled_back_restores_and_compensates(world: World, suspended: Action) -> None:
    by = person("Support Manager")
    restore = roll_back(suspended, by=by)

    assert (restore.kind, restore.params) == ("contract.restore", {"undoes": "contract.suspend"})
    assert (restore.state, restore.reverses_id, restore.requested_by) == ("in_review", suspended.pk, by)
    assert restore.correlation_id == suspended.correlation_id
    assert (last_row().decision, last_row().outcome, last_row().subject_id) == ("rollback", "asked", str(suspended.pk))
    failing = {one["rule"] for one in restore.answers if one["verdict"] != "pass"}
    assert {"restore-asks", "asked_by_person"} <= failing
    item = ReviewItem.objects.exclude(state="resolved").get(action=restore)
    with pytest.raises(Refused, match="you asked for this"):
        review.approve(item.pk, by=by, **given(item))
    assert world.contract().state == "suspended"

    approve(restore)
    world.until("contract.restore", "applied")

    assert world.contract().state == "active"
    assert Action.objects.get(pk=suspended.pk).state == "compensated"
    assert steps(suspended)[-2:] == ["applied", "compensated"]
    assert [one["action"] for one in world.effects("netsuite")] == [str(suspended.pk), str(restore.pk)]
    with pytest.raises(Refused, match=r"undone once, by contract\.restore") as no:
        roll_back(suspended)
    assert (no.value.status, Action.objects.filter(kind="contract.restore").count()) == (409, 1)
    call_command("verify_ledger")  # it would not come back from a chain that does not add up


def test_while_one_is_under_way_there_is_no_second(world: World, suspended: Action) -> None:
    first = roll_back(suspended)

    with pytest.raises(Refused, match=f"undone once, by contract.restore {first.short}, which is in review") as no:
        roll_back(suspended)

    assert (no.value.status, no.value.code) == (409, "undone")
    assert Action.objects.filter(reverses=suspended).count() == 1


def test_after_a_no_it_may_be_asked_for_again(world: World, suspended: Action) -> None:
    first = roll_back(suspended)
    item = ReviewItem.objects.exclude(state="resolved").get(action=first)
    review.reject(item.pk, by=person("Support Manager"), reason="they do owe", version=first.state_version)

    again = roll_back(suspended)

    assert (again.state, again.reverses_id) == ("in_review", suspended.pk)
    assert Action.objects.get(pk=suspended.pk).state == "applied"


def test_refusals_say_why_and_leave_nothing(world: World, suspended: Action) -> None:
    rows, ticket = LedgerRow.objects.count(), Action.objects.get(kind="ticket.open")

    with pytest.raises(Refused, match="changed since the page was drawn") as stale:
        roll_back(suspended, version=suspended.state_version - 1)
    with pytest.raises(Refused, match=r"a ticket that was opened is closed by .*ticket-changed-wrongly") as final:
        roll_back(ticket)
    with pytest.raises(Refused, match="there is no such action") as unknown:
        proposals.roll_back("01a1fec4-338d-7000-91a6-000000000000", by=person(), reason="x", version=1)
    with pytest.raises(Refused, match="there is no such action"):
        proposals.roll_back("no id", by=person(), reason="x", version=1)

    assert [no.value.status for no in (stale, final, unknown)] == [409, 409, 404]
    assert LedgerRow.objects.count() == rows
    assert not Action.objects.filter(kind="contract.restore").exists()


def test_without_permission_a_row_is_left(world: World, suspended: Action) -> None:
    by = UserFactory(groups=["Auditor"])

    with pytest.raises(Refused) as no:
        roll_back(suspended, by=by)

    row = last_row()
    assert no.value.status == 403
    assert (row.decision, row.outcome, row.error_code, row.actor, row.subject_id) == (
        "rollback", "refused", "permission", f"user:{by.pk}", str(suspended.pk),
    )  # fmt: skip

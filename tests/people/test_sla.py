"""What is promised for an item, its rests, its bumps after downtime and by several sweeps at once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from gates import items, ownership, review, sla, sla_plan
from gates.models import Absence, ReviewItem, SlaPolicy
from ledger.models import LedgerRow
from tests.factories import ActionFactory, CustomerFactory
from tests.people.cast import person

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


def opened(at=MONDAY, kind="contract.suspend", **more):
    """An item opened by the product itself at this moment."""
    with time_machine.travel(at, tick=False):
        sla_plan.forget()
        ownership.forget()
        action = ActionFactory(state="in_review", kind=kind, customer=CustomerFactory(**more))
        items.open_items([{"action_id": action.pk, "kind": kind, "sentence": "x", "why": "open-dispute"}])
    return ReviewItem.objects.get(action=action)


def policy(kind="", tier="", **changes):
    SlaPolicy.objects.update_or_create(kind=kind, tier=tier, defaults={"touch_minutes": 60, **changes})
    sla_plan.forget()


def sweep_at(at, limit=500):
    with time_machine.travel(at, tick=False):
        sla_plan.forget()
        ownership.forget()
        return sla.bump_due(limit)


def bumps(item):
    rows = LedgerRow.objects.filter(subject_kind="item", subject_id=str(item.pk), decision="bump").order_by("id")
    return [(row.inputs["from_group"], row.inputs["to_group"]) for row in rows]


def test_an_item_is_promised_by_the_policy_that_names_most():
    policy("contract.suspend", "", decide_minutes=300)
    policy("contract.suspend", "enterprise", decide_minutes=100)

    plain, big = opened(), opened(tier="enterprise")

    assert (plain.due_at, plain.target_seconds) == (MONDAY + 5 * HOUR, 5 * 3600)
    assert (big.due_at, big.touch_due_at, big.tier) == (
        MONDAY + timedelta(minutes=100), MONDAY + HOUR, "enterprise",
    )  # fmt: skip
    assert opened(kind="ticket.tag").due_at == MONDAY + 24 * HOUR, "the policy for everything"


def test_a_refund_is_promised_in_office_hours():
    friday = datetime(2026, 3, 6, 15, tzinfo=UTC)

    item = opened(friday, kind="payment.refund")

    assert item.due_at == datetime(2026, 3, 9, 15, tzinfo=UTC)
    assert item.bump_at == datetime(2026, 3, 7, 15, tzinfo=UTC), "a day without a decision comes before half the time"


def test_a_batch_of_items_costs_few_statements(django_assert_max_num_queries):
    actions = [ActionFactory(state="in_review") for _ in range(20)]
    sla_plan.current()

    with django_assert_max_num_queries(8):
        items.open_items(
            [{"action_id": one.pk, "kind": one.kind, "sentence": "x", "why": "open-dispute"} for one in actions]
        )

    assert not ReviewItem.objects.filter(bump_at=None).exists()


def test_bumps_come_when_they_are_due_and_leave_a_row_each():
    resolver, manager, lead = person("Billing Resolver"), person(), person("Revenue Ops Lead")
    policy(decide_minutes=600, steps=[{"at_percent": 50, "group": ""}, {"at_percent": 100, "group": "Support Manager"}])
    item = opened()
    assert item.owner_group == "Billing Resolver"

    assert [sweep_at(MONDAY + hours * HOUR) for hours in (4, 5, 6, 10, 11)] == [0, 1, 0, 1, 0]

    item.refresh_from_db()
    assert (item.owner_group, item.fallback_group, item.state, item.bumps) == (
        "Support Manager", "Revenue Ops Lead", "open", 2,
    )  # fmt: skip
    assert bumps(item) == [("Billing Resolver", "Billing Resolver"), ("Billing Resolver", "Support Manager")]
    row = LedgerRow.objects.filter(decision="bump").latest("id")
    assert (row.actor, row.action_id, row.outcome) == ("system:sla", item.action_id, "bumped")
    assert "100 % of the promised time" in row.reasons[0]["reason"]
    assert {resolver.pk, manager.pk, lead.pk}, "everybody was there"


def test_after_a_day_without_a_decision_it_is_with_somebody_higher_and_stays():
    person("Revenue Ops Lead")
    policy(decide_minutes=10_000, steps=[])
    item = opened()

    assert sweep_at(MONDAY + 30 * HOUR) == 1
    assert sweep_at(MONDAY + 90 * 24 * HOUR) == 0

    item.refresh_from_db()
    assert (item.state, item.owner_group, item.bump_at) == ("open", "Revenue Ops Lead", None), (
        "nobody in between is there"
    )
    assert item.action.state == "in_review", "never approved, never dropped"


def test_what_was_missed_while_nothing_ran_is_made_up_for_in_order():
    for group in ("Billing Resolver", "Support Manager", "Revenue Ops Lead"):
        person(group)
    policy(decide_minutes=600, steps=[{"at_percent": 50, "group": ""}, {"at_percent": 100, "group": "Support Manager"}])
    item = opened()

    assert sweep_at(MONDAY + 30 * 24 * HOUR) == 3

    rows = list(LedgerRow.objects.filter(decision="bump").order_by("id"))
    assert [row.inputs["step"] for row in rows] == [1, 2, 3]
    assert [row.inputs["planned_at"] for row in rows] == sorted(row.inputs["planned_at"] for row in rows)
    assert [row.state_version for row in rows] == [1, 2, 3]
    item.refresh_from_db()
    assert (item.owner_group, item.state_version, item.bump_at) == ("Revenue Ops Lead", 3, None)


def test_nobody_there_is_skipped_to_who_is():
    inactive, away = person(is_active=False), person()
    Absence.objects.create(user=away, starts_at=MONDAY - HOUR, ends_at=MONDAY + 999 * HOUR)
    person("Revenue Ops Lead")
    item = opened()

    sweep_at(MONDAY + 24 * HOUR)

    item.refresh_from_db()
    assert item.owner_group == "Revenue Ops Lead", "the step named the Support Manager"
    assert bumps(item)[-1][1] == "Revenue Ops Lead"
    assert inactive.groups.get().name == "Support Manager"


@pytest.mark.parametrize("gone", ["absent", "inactive"])
def test_an_item_of_somebody_who_is_gone_is_nobodys_at_its_next_bump(gone):
    owner = person("Billing Resolver")
    person("Billing Resolver")
    item = opened()
    with time_machine.travel(MONDAY, tick=False):
        review.claim(item.pk, by=owner)
    if gone == "inactive":
        owner.is_active = False
        owner.save()
    else:
        Absence.objects.create(user=owner, starts_at=MONDAY, ends_at=MONDAY + 999 * HOUR)

    sweep_at(MONDAY + 12 * HOUR)

    item.refresh_from_db()
    assert (item.owner, item.state, item.owner_group) == (None, "open", "Billing Resolver")
    assert "not there" in LedgerRow.objects.filter(decision="bump").get().reasons[0]["reason"]


def test_who_is_at_work_on_an_item_keeps_it():
    owner = person("Billing Resolver")
    person()
    item = opened()
    with time_machine.travel(MONDAY + 24 * HOUR - timedelta(minutes=2), tick=False):
        review.claim(item.pk, by=owner)

    sweep_at(MONDAY + 24 * HOUR)

    item.refresh_from_db()
    assert (item.owner, item.state, item.owner_group) == (owner, "claimed", "Support Manager")


def test_a_bump_never_hands_down():
    for group in ("Billing Resolver", "Support Manager", "Revenue Ops Lead"):
        person(group)
    policy(decide_minutes=60, steps=[{"at_percent": 100, "group": "Support Manager"}])
    item = opened()
    ReviewItem.objects.filter(pk=item.pk).update(owner_group="Revenue Ops Lead", fallback_group="Support Manager")

    sweep_at(MONDAY + 2 * HOUR)

    item.refresh_from_db()
    assert item.owner_group == "Revenue Ops Lead"


def test_the_clock_rests_while_the_customer_has_to_answer():
    owner = person("Billing Resolver")
    item = opened()
    with time_machine.travel(MONDAY + 6 * HOUR, tick=False):
        review.snooze(item.pk, by=owner, until=MONDAY + 100 * HOUR, why="customer", reason="asked for the card")
    assert sweep_at(MONDAY + 99 * HOUR) == 0, "nothing is bumped meanwhile"

    with time_machine.travel(MONDAY + 100 * HOUR, tick=False):
        assert sla.wake_due() == 1
        assert sla.wake_due() == 0

    item.refresh_from_db()
    assert (item.state, item.paused_at, item.snoozed_until) == ("open", None, None)
    assert item.due_at == MONDAY + 118 * HOUR, "18 of 24 hours were left"
    assert sweep_at(MONDAY + 106 * HOUR) == 1, "half of the promised time, without the rest"


def test_rest_in_office_hours_leaves_the_working_time_there_was():
    owner = person("Billing Resolver")
    item = opened(kind="payment.refund")
    with time_machine.travel(MONDAY + 2 * HOUR, tick=False):
        review.snooze(item.pk, by=owner, until=None, why="customer", reason="asked")
    tuesday_ten = MONDAY + 24 * HOUR
    with time_machine.travel(tuesday_ten, tick=False):
        review.wake(item.pk, by=owner)

    item.refresh_from_db()
    assert item.due_at == tuesday_ten + 6 * HOUR, "two of eight working hours were used"


def test_waiting_for_anything_else_does_not_stop_the_clock_and_a_bump_brings_it_back():
    owner = person("Billing Resolver")
    person()
    item = opened()
    with time_machine.travel(MONDAY + HOUR, tick=False):
        review.snooze(item.pk, by=owner, until=MONDAY + 100 * HOUR, why="time", reason="payday")

    sweep_at(MONDAY + 24 * HOUR)

    item.refresh_from_db()
    assert (item.state, item.owner_group, item.owner) == ("open", "Support Manager", None)


def test_a_wait_without_an_end_ends_after_a_week():
    item = opened()
    ReviewItem.objects.filter(pk=item.pk).update(state="snoozed", paused_at=MONDAY, bump_at=None, snooze_why="customer")

    with time_machine.travel(MONDAY + 8 * 24 * HOUR, tick=False):
        assert sla.wake_due() == 1

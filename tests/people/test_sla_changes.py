"""Policies that change, refusals, and what happens at the same moment."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from gates import items, review, sla, sla_edit
from gates.models import BusinessHours, ReviewItem, SlaPolicy
from gates.sla_edit import HoursFields, PolicyFields
from gates.stop import Refused
from ledger.models import LedgerRow
from sync import sweep
from tests.factories import EventFactory, ReviewItemFactory, UserFactory
from tests.people.cast import person, refusals
from tests.people.test_sla import opened, sweep_at

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


def test_a_new_policy_moves_what_is_open_and_says_how_much():
    manager = person()
    older, other = opened(), opened(kind="ticket.tag")
    with time_machine.travel(MONDAY + HOUR, tick=False):
        _, moved = sla_edit.save_policy(
            None, PolicyFields("contract.suspend", "", 30, 120, None, [(100, "")], reason="faster"), by=manager
        )

    assert moved == 1
    older.refresh_from_db()
    other.refresh_from_db()
    assert (older.due_at, older.bump_at) == (MONDAY + 2 * HOUR, MONDAY + 2 * HOUR)
    assert other.due_at == MONDAY + 24 * HOUR
    assert LedgerRow.objects.get(decision="promise").subject_id == str(older.pk)
    assert LedgerRow.objects.get(decision="add_sla").actor == f"user:{manager.pk}"


def test_other_hours_move_what_is_promised_by_them():
    item = opened(kind="payment.refund")
    office = BusinessHours.objects.get()
    said = HoursFields("Office hours", "UTC", [[(540, 720)]] * 5 + [[], []], ["2026-03-03"], reason="mornings")

    _, moved = sla_edit.save_hours(office.pk, said, by=person(), version=sla_edit_version(office))

    item.refresh_from_db()
    assert (moved, item.due_at) == (1, datetime(2026, 3, 5, 12, tzinfo=UTC))


def sla_edit_version(record):
    return record.history.latest("history_id").history_id


def test_removing_a_policy_leaves_the_next_wider_one():
    friday = datetime(2026, 3, 6, 15, tzinfo=UTC)
    item = opened(friday, kind="payment.refund")
    one = SlaPolicy.objects.get(kind="payment.refund")

    assert sla_edit.remove_policy(one.pk, by=person(), reason="no longer special") == 1

    item.refresh_from_db()
    assert item.due_at == friday + 24 * HOUR
    with pytest.raises(Refused) as no:
        sla_edit.remove_policy(SlaPolicy.objects.get(kind="", tier="").pk, by=person(), reason="x")
    assert (no.value.status, no.value.code) == (409, "last")


GOOD = {"kind": "", "tier": "", "touch_minutes": 10, "decide_minutes": 20, "hours": None, "steps": (), "reason": "x"}


@pytest.mark.parametrize(
    ("wrong", "status", "field"),
    [
        ({"kind": "payment.nothing"}, 422, "kind"), ({"tier": "gold"}, 422, "tier"),
        ({"touch_minutes": 0}, 422, "touch_minutes"), ({"touch_minutes": 21}, 422, "touch_minutes"),
        ({"decide_minutes": 10**9}, 422, "decide_minutes"), ({"hours": 4711}, 422, "hours"),
        ({"steps": [(0, "")]}, 422, "steps"), ({"steps": [(50, "Nobody")]}, 422, "steps"),
        ({"steps": [(50, ""), (50, "")]}, 422, "steps"), ({"steps": [(n, "") for n in range(1, 9)]}, 422, "steps"),
        ({"reason": " "}, 422, "reason"), ({"kind": "event"}, 409, "kind"),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused_by_field(wrong, status, field):
    before = SlaPolicy.objects.count()
    with pytest.raises(Refused) as no:
        sla_edit.save_policy(None, PolicyFields(**{**GOOD, "kind": "ticket.tag", **wrong}), by=person())

    assert (no.value.status, no.value.code) == (status, field)
    assert no.value.message.replace("_", " ").startswith(field.replace("_minutes", " within").replace("steps", "bumps"))
    assert SlaPolicy.objects.count() == before


def test_a_form_that_was_overtaken_is_refused():
    one, manager = SlaPolicy.objects.get(kind="", tier=""), person()
    seen = sla_edit_version(one)
    sla_edit.save_policy(one.pk, PolicyFields(**GOOD), by=manager, version=seen)

    with pytest.raises(Refused) as no:
        sla_edit.save_policy(one.pk, PolicyFields(**{**GOOD, "decide_minutes": 99}), by=manager, version=seen)

    assert (no.value.status, no.value.code) == (409, "stale")


def test_without_the_permission_nothing_changes_and_the_try_is_written_down():
    by = person("Billing Resolver")
    for call in (
        lambda: sla_edit.save_policy(None, PolicyFields(**GOOD), by=by),
        lambda: sla_edit.remove_policy(1, by=by, reason="x"),
        lambda: sla_edit.save_hours(None, HoursFields("x", "UTC", [[(0, 1440)]] * 7, reason="x"), by=by),
    ):
        with pytest.raises(Refused) as no:
            call()
        assert (no.value.status, no.value.code) == (403, "permission")

    assert [one[0] for one in refusals()] == ["add_sla", "remove_sla", "add_hours"]


def test_an_event_nobody_can_read_is_bumped_like_anything_else():
    person("Revenue Ops Lead")
    event = EventFactory()
    with time_machine.travel(MONDAY, tick=False):
        items.open_items([items.for_event(event.pk, "event", "x", "unreadable")])

    assert sweep_at(MONDAY + 25 * HOUR) == 1
    assert ReviewItem.objects.get(event=event).owner_group == "Revenue Ops Lead"


def test_the_sweep_wakes_and_bumps():
    opened(MONDAY)
    ReviewItemFactory(state="snoozed", snoozed_until=MONDAY, snooze_why="time")

    with time_machine.travel(MONDAY + 13 * HOUR, tick=False):
        counts = sweep.sweep()

    assert (counts["woken"], counts["bumped"]) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_at_once_make_each_bump_once():
    for group in ("Billing Resolver", "Support Manager", "Revenue Ops Lead"):
        UserFactory(groups=[group])
    found = [opened(tier="enterprise") for _ in range(40)]
    start, done = threading.Barrier(4), []

    def run():
        try:
            start.wait()
            done.append(sla.bump_due(7))
        finally:
            connection.close()

    with time_machine.travel(MONDAY + 48 * HOUR, tick=False):
        threads = [threading.Thread(target=run) for _ in range(4)]
        [one.start() for one in threads]
        [one.join() for one in threads]
        done.append(sla.bump_due())

    assert sum(done) == 3 * len(found)
    assert LedgerRow.objects.filter(decision="bump").count() == 3 * len(found)
    assert set(ReviewItem.objects.values_list("bumps", "bump_at", "owner_group")) == {(3, None, "Revenue Ops Lead")}


@pytest.mark.django_db(transaction=True)
def test_a_bump_and_a_decision_at_once_both_hold():
    manager = UserFactory(groups=["Support Manager"])
    found = [opened(tier="enterprise") for _ in range(20)]
    start = threading.Barrier(2)

    def decide():
        try:
            start.wait()
            for one in found:
                review.claim(one.pk, by=manager)
        finally:
            connection.close()

    with time_machine.travel(MONDAY + 48 * HOUR, tick=False):
        thread = threading.Thread(target=decide)
        thread.start()
        start.wait()
        sla.bump_due(3)
        thread.join()
        sla.bump_due()

    for one in ReviewItem.objects.all():
        rows = list(LedgerRow.objects.filter(subject_kind="item", subject_id=str(one.pk)).order_by("id"))
        assert (one.owner, one.state, one.bumps) == (manager, "claimed", 3)
        assert [row.decision for row in rows].count("bump") == 3
        assert one.state_version >= max(row.state_version for row in rows)

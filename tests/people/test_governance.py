"""The stop that trips itself, drills that are due, and reviews that come round once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from gates import audits, stop, trips
from gates.audits import kinds
from gates.models import Audit, AuditRow, GameDay, ReviewItem, StopSwitch
from gates.stop import Refused
from gates.trips import Measured
from ledger import clock, verify
from ledger.models import LedgerRow
from meshline.subjects import SUBJECTS, UNCHAINED
from sync import gameday, tripping
from tests import factories as f
from tests.people.cast import person, refused

pytestmark = pytest.mark.django_db
LIMITS = {
    "refund_count": 3, "refund_sum": {"usd": 1000}, "contradiction_percent": 50, "contradiction_least": 4,
    "unknown_percent": 20, "unknown_least": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "rules"),
    [
        (Measured(refunds=3, sums={"usd": 1000}), []),
        (Measured(refunds=4), ["refund_count"]),
        (Measured(sums={"usd": 1001, "eur": 10**9}), ["refund_sum"]),  # a currency without a limit counts only as one
        (Measured(events=4, contradicting=2), []),
        (Measured(events=4, contradicting=3), ["contradiction_share"]),
        (Measured(events=3, contradicting=3), []),
        (Measured(writes=5, unknown=2), ["unknown_share"]),
        (Measured(writes=4, unknown=4), []),
    ],
)
def test_a_limit_trips_from_the_number_above_it_on(found, rules):
    assert [one.rule for one in trips.exceeded(found, LIMITS)] == rules
    off = {"refund_count": 0, "refund_sum": {}, "contradiction_percent": 0, "contradiction_least": 1,
           "unknown_percent": 0, "unknown_least": 1}  # fmt: skip
    assert trips.exceeded(found, off) == []


def refunded(count, minor=500):
    for _ in range(count):
        action = f.ActionFactory(kind="payment.refund", state="applied", amount_minor=minor, currency="usd")
        f.AttemptFactory(action=action, is_write=True, method="POST")


def test_it_stops_everything_once_and_what_was_before_the_resume_counts_no_more(settings):
    settings.MESHLINE_TRIPS = LIMITS
    f.StopSwitchFactory(scope="all", state="running")
    refunded(4)

    assert tripping.check() == 2  # their count and their sum
    assert tripping.check() == 0

    switch = StopSwitch.objects.get(scope="all")
    assert (switch.state, switch.stopped_by) == ("stopped", None)
    row = LedgerRow.objects.get(subject_kind="stop", decision="trip")
    assert (row.actor, row.inputs["refund_count"]) == ("system:trip", {"value": 4, "limit": 3})
    assert ReviewItem.objects.get(kind="stop.tripped").owner_group
    stop.request_resume("all", by=person("Support Manager"), reason="looked at")
    stop.confirm_resume("all", by=person("Revenue Ops Lead"))
    assert tripping.check() == 0
    refunded(4, minor=1)
    assert tripping.check() == 1


def test_a_resume_that_lies_ahead_of_a_clock_that_was_set_back_blinds_nothing():
    f.StopSwitchFactory(scope="all", state="running", resumed_at=clock.now() + timedelta(days=2))

    assert trips.window() <= clock.now() - timedelta(minutes=59)


def drilled(days_ago, state="passed"):
    at = clock.now() - timedelta(days=days_ago)
    return GameDay.objects.create(scope="all", reason="x", started_by=person(), started_at=at, state=state)


def test_a_drill_is_due_thirty_days_after_the_last_that_passed():
    assert not gameday.standing().is_overdue  # nothing ever came in
    f.EventFactory(received_at=clock.now() - timedelta(days=31))
    assert gameday.standing().sentence.startswith("never drilled in")
    drilled(31)
    drilled(1, state="failed")
    assert gameday.standing().is_overdue
    gameday.watch()
    assert gameday.paging.raised()[0].name == gameday.OVERDUE
    drilled(29)
    gameday.watch()
    assert not gameday.paging.raised()
    drilled(-2)
    assert "the clock was set back" in gameday.standing().sentence


def test_who_may_drill_and_when():
    f.StopSwitchFactory(scope="all", state="running")
    lead = person("Revenue Ops Lead")
    assert refused(gameday.begin, by=person("Support Manager")) == (403, "permission")
    assert refused(gameday.begin, by=lead, scope="customer:nobody") == (422, "scope")
    assert refused(gameday.begin, by=lead, reason=" ") == (422, "reason")
    stop.engage("provider:stripe", by=lead, reason="x")
    assert refused(gameday.begin, by=lead) == (409, "stopped")


MONDAY = datetime(2026, 11, 2, 7, tzinfo=UTC)


def test_reviews_come_once_for_each_planned_time_and_are_caught_up_once():
    with time_machine.travel(MONDAY - timedelta(days=200), tick=False):
        f.EventFactory(received_at=clock.now())
    with time_machine.travel(MONDAY - timedelta(days=2), tick=False):
        for _ in range(12):
            f.ActionFactory(state="applied", automation="dunning", applied_at=clock.now())
        f.EventFactory(state="ignored", received_at=clock.now(), verdict="ignored: x")
    with time_machine.travel(MONDAY, tick=False):
        assert audits.plan() == "6 planned, 0 overdue"  # what is caught up late is not late at once
        assert audits.plan() == "0 planned, 0 overdue"
    with time_machine.travel(MONDAY - timedelta(hours=3), tick=False):
        audits.plan()  # the clock was set back over the planned time: the week before, once
        audits.plan()
    assert Audit.objects.filter(kind="weekly_errors").count() == 2
    with time_machine.travel(MONDAY + timedelta(days=29), tick=False):
        assert audits.plan().startswith("4 planned")  # of four weeks the last, and the month that has begun
    one = Audit.objects.get(kind="weekly_errors", planned_at=MONDAY.replace(hour=6))
    assert list(one.rows.values_list("group", flat=True)) == ["acted"] * 10 + ["left alone"]
    assert one.due_at == one.planned_at + timedelta(days=5)
    assert "Nothing to look at: late, in time." in set(Audit.objects.values_list("missing", flat=True))
    assert kinds.planned_at(kinds.QUARTER, MONDAY) == datetime(2026, 10, 1, 6, tzinfo=UTC)


def test_a_review_is_judged_row_by_row_and_closed_with_what_follows():
    by = person("Support Manager")
    now = clock.now()
    one = Audit.objects.create(
        kind="weekly_errors", planned_at=now, since=now, due_at=now - timedelta(hours=1), owner_group="x",
        state_version=1,
    )  # fmt: skip
    audits.write(one, "plan_audit", "system:audits", "open", {})
    for place in (1, 2):
        AuditRow.objects.create(audit=one, place=place, group="acted", subject_kind="action", subject_id="x")
    assert audits.overdue().count() == 1
    assert refused(audits.judge, one.pk, 1, "right", by=person("Support")) == (403, "permission")
    assert refused(audits.judge, one.pk, 1, "wrong", by=by) == (422, "note")
    assert refused(audits.judge, one.pk, 9, "right", by=by) == (404, "unknown")
    audits.judge(one.pk, 1, "wrong", by=by, note="suspended a payer")
    assert refused(audits.close, one.pk, by=by, result="the gate is to be tightened") == (409, "rows")
    audits.judge(one.pk, 2, "right", by=by)
    with pytest.raises(Refused):
        audits.assign(one.pk, by=by, to=person("Support"))
    audits.assign(one.pk, by=by, to=by)
    closed = audits.close(one.pk, by=by, result="the gate is to be tightened")

    assert (closed.state, closed.found) == ("done", {"right": 1, "wrong": 1})
    assert refused(audits.judge, one.pk, 1, "right", by=by) == (409, "state")
    assert audits.overdue().count() == 0
    assert "payer" not in str(list(LedgerRow.objects.values_list("inputs", "reasons")))
    assert verify.verify(SUBJECTS, UNCHAINED).is_intact

"""Planned jobs run once per planned time, whoever ticks."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django_q.models import Schedule

from meshline import checks, housekeeping, schedules
from sync.models import JobRun

RUNS = []


def count():
    """A job that can be counted, in a list without any unique key."""
    RUNS.append(1)


def broken():
    """A job that fails."""
    raise ValueError("secret detail")


@pytest.fixture(autouse=True)
def _no_runs():
    RUNS.clear()


HOURLY = schedules.Job("hourly", timedelta(hours=1), "tests.house.test_schedules.count", after=timedelta(minutes=10))
BROKEN = schedules.Job("broken", timedelta(hours=1), "tests.house.test_schedules.broken")


@pytest.mark.parametrize(
    ("case", "now", "planned"),
    [
        ("on the dot", (12, 10, 0), (12, 10)),
        ("a second before", (12, 9, 59), (11, 10)),
        ("in the middle", (12, 55, 30), (12, 10)),
    ],
)
def test_planned_time_is_the_latest_one(case, now, planned):
    assert HOURLY.planned_at(datetime(2026, 3, 1, *now, tzinfo=UTC)) == datetime(2026, 3, 1, *planned, tzinfo=UTC)


@pytest.mark.django_db
def test_second_scheduler_finds_it_taken():
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

    outcomes = [schedules.run_planned(HOURLY, now), schedules.run_planned(HOURLY, now + timedelta(minutes=5))]

    assert (outcomes, len(RUNS)) == (["done", None], 1)


@pytest.mark.django_db
def test_an_outage_is_caught_up_once():
    start = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    schedules.run_planned(HOURLY, start)

    schedules.run_planned(HOURLY, start + timedelta(hours=9))

    assert list(JobRun.objects.order_by("planned_at").values_list("planned_at__hour", flat=True)) == [12, 21]
    assert len(RUNS) == 2


@pytest.mark.django_db
def test_failure_is_written_down_without_its_text():
    outcome = schedules.run_planned(BROKEN, datetime(2026, 3, 1, 12, 30, tzinfo=UTC))

    row = JobRun.objects.get()
    assert (outcome, row.outcome) == ("failed: ValueError", "failed: ValueError")
    assert row.finished_at is not None


@pytest.mark.django_db(transaction=True)
def test_eight_schedulers_at_once_run_it_once():
    now = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    gate = threading.Barrier(8)

    def tick():
        gate.wait()
        schedules.run_planned(HOURLY, now)
        connection.close()

    threads = [threading.Thread(target=tick) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(RUNS) == 1


@pytest.mark.django_db(transaction=True)
def test_exactly_one_schedule_and_it_is_ours():
    Schedule.objects.create(func="os.system", args="('true',)", name="planted")
    Schedule.objects.create(func=schedules.TICK, name="tick")

    schedules.install_tick()
    schedules.install_tick()

    assert list(Schedule.objects.values_list("func", "minutes", "repeats", "args", "kwargs")) == [
        (schedules.TICK, 1, -1, None, None)
    ]


def test_every_name_in_a_registry_resolves():
    assert checks.names_resolve() == []


def test_typo_in_a_registry_is_found(monkeypatch):
    typo = schedules.Job("typo", timedelta(days=1), "meshline.housekeeping.prune_que")
    monkeypatch.setattr(schedules, "SCHEDULES", (typo,))

    assert [found.id for found in checks.names_resolve() if "SCHEDULES[typo]" in found.msg] == ["meshline.E001"]


def test_lease_below_an_exchange_is_refused(settings):
    settings.MESHLINE_DEV, settings.MESHLINE_LEASE_SECONDS = False, 20

    assert [found.id for found in checks.leases()] == ["meshline.E003"]


@pytest.mark.django_db
def test_partitions_of_coming_months_are_made_by_the_app_role():
    assert housekeeping.make_partitions() == "0 months made ready"  # migrate has just made them

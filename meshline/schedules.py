"""Every periodic job, one list; the queue library only ticks, once a minute."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string
from django_q.models import Schedule

from ledger import clock
from sync import residents
from sync.models import JobRun

log = structlog.get_logger(__name__)

TICK = "meshline.schedules.tick"
# Cheap, safe to run at any moment by anybody, and the last resort of everything else: each tick, no planned time.
EACH_TICK = "sync.sweep.sweep"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OUTCOME_LENGTH = 300
TAKE = """
    insert into sync_jobrun (job, planned_at, started_at, outcome) values (%s, %s, %s, '')
    on conflict (job, planned_at) do nothing returning id
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job: how often, how long after the start of its period (UTC), and what."""

    name: str
    every: timedelta
    run: str
    after: timedelta = timedelta()

    def planned_at(self, now: datetime) -> datetime:
        """The latest planned time that is not in the future: after an outage the missed ones before it are skipped."""
        return EPOCH + self.after + (now - EPOCH - self.after) // self.every * self.every


SCHEDULES: tuple[Job, ...] = (
    Job("prune_queue", timedelta(days=1), "meshline.housekeeping.prune_queue", after=timedelta(hours=3)),
    Job("catch_up", timedelta(minutes=15), "sync.catch_up.run", after=timedelta(minutes=4)),
    Job("portal_upkeep", timedelta(minutes=5), "sync.imports.upkeep.run", after=timedelta(minutes=2)),
    Job("forget_tries", timedelta(hours=1), "meshline.throttle.forget"),
    Job("reconcile", timedelta(days=1), "sync.reconcile.runs.nightly", after=timedelta(hours=2)),
    Job("reconcile_go_on", timedelta(minutes=5), "sync.reconcile.runs.go_on"),
    Job("kpis", timedelta(minutes=1), "meshline.kpis.computing.job"),
    Job("week", timedelta(minutes=15), "meshline.kpis.weekly.run", after=timedelta(minutes=2)),
    Job("customer_sync", timedelta(minutes=15), "sync.customer_sync.jobs.begin", after=timedelta(minutes=9)),
    Job("sync_errors", timedelta(days=1), "sync.customer_sync.errors.archive", after=timedelta(hours=4)),
    Job("customer_sync_tend", timedelta(minutes=1), "sync.customer_sync.jobs.tend"),
    Job("accounting", timedelta(minutes=1), "sync.accounting.collecting.run"),
    Job("accounting_sweep", timedelta(minutes=15), "sync.accounting.collecting.sweep", after=timedelta(minutes=11)),
    Job("weekly_signals", timedelta(days=7), "sync.signals.weekly", after=timedelta(days=4, hours=6)),
    Job("seal_ledger", timedelta(minutes=5), "ledger.seals.sealing.job", after=timedelta(minutes=3)),
    Job("verify_ledger", timedelta(minutes=5), "meshline.ledger_watch.run", after=timedelta(minutes=4)),
    Job("backtest_tend", timedelta(minutes=1), "sync.backtest_job.tend"),
    Job("gameday_watch", timedelta(minutes=5), "sync.gameday.watch", after=timedelta(minutes=1)),
    Job("shadow_compare", timedelta(minutes=10), "sync.shadow.job", after=timedelta(minutes=6)),
    Job("shadow_week", timedelta(days=7), "sync.shadow.weekly", after=timedelta(days=4, hours=6)),
    Job("plan_audits", timedelta(hours=1), "gates.audits.plan", after=timedelta(minutes=7)),
    Job("alerts", timedelta(minutes=1), "sync.alerts.watching.run"),
    Job("rollout", timedelta(minutes=1), "sync.rollout.watch"),
    Job("weekly_triage", timedelta(days=7), "gates.rollout.triage.weekly", after=timedelta(days=4, hours=7)),
    Job("check_context", timedelta(days=7), "sync.accuracy.weekly", after=timedelta(days=2, hours=5)),
    Job("erase_again", timedelta(hours=1), "sync.erasure.erasing.run", after=timedelta(minutes=20)),
    Job("retention", timedelta(days=1), "sync.erasure.retention.run", after=timedelta(hours=3, minutes=30)),
    Job("make_partitions", timedelta(days=1), "meshline.housekeeping.make_partitions", after=timedelta(hours=3)),
)


def tick() -> dict[str, str]:
    """Sweep, ring for missing drains, and run what is planned; called each minute, by any number of schedulers."""
    now = clock.now()
    outcomes = {"sweep": attempt(import_string(EACH_TICK)), "drains": attempt(ensure_drains)}
    for job in SCHEDULES:
        outcome = run_planned(job, now)
        if outcome is not None:
            outcomes[job.name] = outcome
    return outcomes


def ensure_drains() -> str:
    """Ring for drains that nobody holds a slot for."""
    return f"rang for {residents.ensure(settings.MESHLINE_DRAIN_WORKERS)}"


def run_planned(job: Job, now: datetime) -> str | None:
    """Run a job unless somebody already took its latest planned time; None when there was nothing to do."""
    planned_at = job.planned_at(now)
    if not take(job, planned_at):
        return None
    outcome = attempt(import_string(job.run))
    JobRun.objects.filter(job=job.name, planned_at=planned_at).update(
        finished_at=clock.now(), outcome=outcome[:OUTCOME_LENGTH]
    )
    return outcome


def take(job: Job, planned_at: datetime) -> bool:
    """Book a planned time; who inserts the row is the one to run it."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [job.name, planned_at, clock.now()])
        return cursor.fetchone() is not None


def attempt(work: Callable[[], Any]) -> str:
    """Run one job; its failure is written down and does not keep the others from running."""
    try:
        result = work()
    except Exception as error:
        log.exception("job_failed", job=getattr(work, "__name__", "job"))
        return f"failed: {type(error).__name__}"
    return "done" if result is None else f"done: {result}"


def install_tick(**_signal: Any) -> None:
    """After each migrate: exactly one schedule in the library's table, ours, whatever was there before."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass('django_q_schedule')")
            if cursor.fetchone()[0] is None:  # only some apps were migrated so far
                return
            cursor.execute("lock table django_q_schedule in share row exclusive mode")
        kept = Schedule.objects.filter(func=TICK).order_by("id").first()
        Schedule.objects.exclude(pk=kept.pk if kept else None).delete()
        values = {"func": TICK, "name": "tick", "schedule_type": Schedule.MINUTES, "minutes": 1, "repeats": -1}
        if kept is None:
            Schedule.objects.create(**values)
        else:
            Schedule.objects.filter(pk=kept.pk).update(**values, args=None, kwargs=None, hook=None, cluster=None)

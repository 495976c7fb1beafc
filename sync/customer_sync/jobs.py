"""What the queue library and the schedule call: a worker on a run, the runs that nobody works on, and new runs."""

from datetime import timedelta

import structlog
from django.db import DatabaseError
from django_q.tasks import async_task

from gates.models import Automation
from gates.playbooks import customer_sync as playbook
from gates.stop import Refused
from ledger import clock, sets
from sync import stopflag
from sync.customer_sync import collecting, due, engine, orphans, runs
from sync.customer_sync.models import SyncProfile, SyncRun

log = structlog.get_logger(__name__)

BOX_SECONDS = 20.0
NIGHT_HOUR = 2  # UTC
RESTING = ("shadow", "paused")


def work(run_id: int) -> str:
    """One box of work on a run; its successor is rung for while there is more."""
    more = engine.work(run_id, box=BOX_SECONDS)
    if more and not stopflag.is_set():
        try:
            async_task(runs.TASK, run_id)
        except DatabaseError:
            return "more to do; the schedule rings again"
    return "more to do" if more else "done"


def tend() -> str:
    """Each minute: ring for runs whose worker is gone, and settle rows whose actions ended after their run."""
    orphans.free()
    ringing = orphans.due()
    for run_id in ringing:
        async_task(runs.TASK, run_id)
    late = sets.run(
        """select distinct o.run_id from sync_syncoutcome o join sync_syncrun r on r.id = o.run_id
            where o.outcome = 'pending' and r.state not in ('planned', 'running') order by o.run_id limit 100"""
    )
    for (run_id,) in late:
        collecting.collect(run_id)
    due.write()
    return f"rang for {len(ringing)}"


def begin() -> str:
    """Each quarter of an hour: changed customers of every profile that says so, and all of them once a night.

    Nothing while the automation observes or is paused: a person may still start a run.
    """
    stage = Automation.objects.filter(name=playbook.AUTOMATION).values_list("state", flat=True).first()
    if stage is None or stage in RESTING:
        return f"the automation is {stage or 'not installed'}"
    started = 0
    for profile in SyncProfile.objects.exclude(schedule=SyncProfile.Schedule.OFF):
        started += _begin(profile)
    return f"started {started}"


def _begin(profile: SyncProfile) -> int:
    since = engine.window_start(profile.mark)
    mode = SyncRun.Mode.MASS if not since or _is_night(profile) else SyncRun.Mode.DELTA
    try:
        runs.start(profile.name, mode, by=None, since="" if mode == SyncRun.Mode.MASS else since)
    except Refused as refusal:
        log.info("sync_not_started", profile=profile.name, code=refusal.code)
        return 0
    return 1


def _is_night(profile: SyncProfile) -> bool:
    """Whether all of them are due: in the first hour from two on, once."""
    now = clock.now()
    if profile.schedule != SyncProfile.Schedule.MASS or now.hour != NIGHT_HOUR:
        return False
    recent = SyncRun.objects.filter(
        version__profile=profile, mode=SyncRun.Mode.MASS, created_at__gt=now - timedelta(hours=3)
    )
    return not recent.exists()

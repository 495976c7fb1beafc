"""Taking away what no longer serves anybody, and making room for what comes."""

from datetime import timedelta

from django_q.models import OrmQ, Task

from ledger import clock, sets
from sync.models import JobRun

KEEP_FAILURES = timedelta(days=14)
KEEP_RUNS = timedelta(days=90)
KEEP_RINGS = timedelta(days=1)
MONTHS_AHEAD = 3


def prune_queue() -> str:
    """The library keeps failures for ever, and rings to a cluster that no longer exists stay in its queue."""
    now = clock.now()
    failures, _ = Task.objects.filter(stopped__lt=now - KEEP_FAILURES).delete()
    rings, _ = OrmQ.objects.filter(lock__lt=now - KEEP_RINGS).delete()
    runs, _ = JobRun.objects.filter(planned_at__lt=now - KEEP_RUNS).delete()
    return f"{failures} failures, {rings} rings, {runs} runs"


def make_partitions() -> str:
    """Bodies lie in a table for each month; made too late, its rows would already be in the one for all the rest."""
    made = sets.run("select meshline_make_partitions(%(months)b::int)", {"months": MONTHS_AHEAD})[0][0]
    return f"{made} months made ready"

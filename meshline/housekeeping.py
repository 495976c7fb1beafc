"""Taking away what no longer serves anybody."""

from datetime import timedelta

from django_q.models import OrmQ, Task

from ledger import clock
from sync.models import JobRun

KEEP_FAILURES = timedelta(days=14)
KEEP_RUNS = timedelta(days=90)
KEEP_RINGS = timedelta(days=1)


def prune_queue() -> str:
    """The library keeps failures for ever, and rings to a cluster that no longer exists stay in its queue."""
    now = clock.now()
    failures, _ = Task.objects.filter(stopped__lt=now - KEEP_FAILURES).delete()
    rings, _ = OrmQ.objects.filter(lock__lt=now - KEEP_RINGS).delete()
    runs, _ = JobRun.objects.filter(planned_at__lt=now - KEEP_RUNS).delete()
    return f"{failures} failures, {rings} rings, {runs} runs"

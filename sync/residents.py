"""How many drains live, and ringing for those that are missing. An extra task is harmless: it finds no free slot."""

import socket

from django.db import connection
from django_q.tasks import async_task

CLUSTER = "drain"
TASK = "sync.tasks.drain"
# A resident that was not seen for this long is dead, and its slot may be taken.
SLOT_STALE_SECONDS = 45

LIVE = """
    select count(*) from sync_drainslot
     where slot > 0 and token is not null and seen_at > now() - make_interval(secs => %s) and (%s = '' or host = %s)
"""
RINGING = "select count(*) from django_q_ormq where key = %s"


def host() -> str:
    """This machine's name as it stands in the slots it holds."""
    return socket.gethostname()


def live(on_host: str = "") -> int:
    """Residents that were seen lately, of one host or of all."""
    with connection.cursor() as cursor:
        cursor.execute(LIVE, [SLOT_STALE_SECONDS, on_host, on_host])
        return int(cursor.fetchone()[0])


def ringing() -> int:
    """Drain tasks that wait in the queue or are being run."""
    with connection.cursor() as cursor:
        cursor.execute(RINGING, [CLUSTER])
        return int(cursor.fetchone()[0])


def enqueue(count: int) -> None:
    """Ring for a number of drains."""
    for _ in range(count):
        async_task(TASK, cluster=CLUSTER)


def ensure(wanted: int, on_host: str = "") -> int:
    """Ring for the drains that are missing, but never pile up rings that nobody answers."""
    missing = min(wanted - live(on_host), 2 * wanted - ringing())
    enqueue(max(missing, 0))
    return max(missing, 0)

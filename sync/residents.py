"""How many drains live, and ringing for those that are missing. An extra task is harmless: it finds no free slot."""

import os
import socket

import psutil
from django.db import connection
from django_q.tasks import async_task

CLUSTER = "drain"
TASK = "sync.tasks.drain"
# A resident that was not seen for this long is dead, and its slot may be taken.
SLOT_STALE_SECONDS = 45

LIVE = """
    select count(*) from sync_drainslot
     where slot > 0 and token is not null and seen_at > now() - make_interval(secs => %s)
       and (%s = '' or split_part(host, '#', 1) = %s)
"""
RINGING = "select count(*) from django_q_ormq where key = %s and lock <= now()"


def host() -> str:
    """This machine's name as it stands in the slots it holds."""
    return socket.gethostname()


def place() -> str:
    """This very process as it stands in the slot it holds: machine, process namespace, number."""
    return f"{places()}{os.getpid()}"


def places() -> str:
    """What the places of all processes that can be seen from here begin with."""
    space = os.stat("/proc/self/ns/pid").st_ino if os.path.exists("/proc/self/ns/pid") else 0
    return f"{host()[:80]}#{space}."


def is_alive(its_place: str) -> bool:
    """Whether the process of a place that can be seen from here still lives; one not yet reaped does not."""
    try:
        return bool(psutil.Process(int(its_place.rpartition(".")[2])).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def live(on_host: str = "") -> int:
    """Residents that were seen lately, of one host or of all."""
    with connection.cursor() as cursor:
        cursor.execute(LIVE, [SLOT_STALE_SECONDS, on_host, on_host])
        return int(cursor.fetchone()[0])


def ringing() -> int:
    """Drain tasks that wait in the queue. One that was taken is a resident by now, or its worker is dead."""
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

"""Runs whose worker is gone: told by the process that is no more on this machine, by the lease on every other.

A worker may be killed at any moment, and its whole cluster ends with it. Whoever starts next goes on at once, instead
of when a lease has run out and the schedule comes round again.
"""

import threading
import time

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django_q.tasks import async_task

from ledger import sets
from sync import residents

log = structlog.get_logger(__name__)

TASK = "sync.customer_sync.jobs.work"
LOOK_SECONDS = 2.0
RING_AGAIN_SECONDS = 15.0
DUE = """
select id from sync_syncrun where state in ('planned', 'running') and (lease_until is null or lease_until < now())
   and created_at < now() - interval '5 seconds' order by id"""


def free() -> int:
    """End the leases that processes of this machine held which are gone; returns how many."""
    rows = sets.run(
        """select id, lease_token, lease_place from sync_syncrun where state in ('planned', 'running')
              and lease_until > now() and starts_with(lease_place, %(here)b::text)""",
        {"here": residents.places()},
    )
    dead = [(run, token) for run, token, place in rows if not residents.is_alive(place)]
    if dead:
        sets.run(
            """update sync_syncrun r set lease_until = now() - interval '1 ms'
                 from unnest(%(run)b::bigint[], %(token)b::bigint[]) as v(run, token)
                where r.id = v.run and r.lease_token = v.token""",
            {"run": [run for run, _ in dead], "token": [token for _, token in dead]},
        )
    return len(dead)


def due() -> list[int]:
    """Runs that have work and nobody who does it."""
    return [row[0] for row in sets.run(DUE)]


def watch(asked: threading.Event) -> None:
    """Ring for such runs as long as a cluster lives, at its start first. A thread of its own, with its connection."""
    rung: dict[int, float] = {}
    while not asked.is_set():
        try:
            close_old_connections()
            free()
            now = time.monotonic()
            for run in due():
                if now - rung.get(run, -RING_AGAIN_SECONDS) >= RING_AGAIN_SECONDS:
                    rung[run] = now
                    async_task(TASK, run)
        except DatabaseError as error:
            log.warning("sync_runs_not_rung", error=type(error).__name__)
            connections.close_all()
        asked.wait(LOOK_SECONDS)

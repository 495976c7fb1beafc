"""A django-q2 cluster that is either well or gone: a supervisor starts a clean one, leases do the rest.

Stock django-q2 goes on with a frozen queue when an idle worker is killed, leaves orphans that take tasks when its
parent is killed, and then exits with 0. Here any death but a planned recycle ends the whole cluster with 70.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import structlog
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django_q.cluster import Cluster, Sentinel
from django_q.conf import Conf

from sync import lifeline, residents, slots, stopflag
from sync.customer_sync import orphans

log = structlog.get_logger(__name__)

CRASHED = 70
RECYCLED = -2
LOOK_SECONDS = 0.2
RING_EVERY_SECONDS = 20.0


def run(*, workers: int, grace_seconds: float) -> NoReturn:
    """Run the cluster chosen by Q_CLUSTER_NAME until it is asked to stop or breaks."""
    lifeline.tie_children()
    end_on_any_death()
    connections.close_all()  # a socket shared with a forked child would serve neither
    cluster = Cluster()
    cluster.start()
    asked = take_signals()
    if Conf.CLUSTER_NAME == residents.CLUSTER:
        threading.Thread(target=keep_ringing, args=(workers, asked), daemon=True).start()
    else:
        threading.Thread(target=orphans.watch, args=(asked,), daemon=True).start()
    log.info("cluster_started", cluster=Conf.CLUSTER_NAME, workers=Conf.WORKERS)
    in_time = watch(cluster, asked, grace_seconds)
    code = 0 if in_time and asked.is_set() and cluster.sentinel.exitcode in (0, -signal.SIGTERM) else CRASHED
    log.info("cluster_ended", cluster=Conf.CLUSTER_NAME, code=code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_on_any_death() -> None:
    """Only a planned recycle is replaced in place: a worker that died may hold the lock of the shared queue."""
    replace: Callable[[Sentinel, Any], None] = Sentinel.reincarnate

    def reincarnate(sentinel: Sentinel, process: Any) -> None:
        timer = getattr(process, "timer", None)
        if timer is not None and int(timer.value) == RECYCLED:
            replace(sentinel, process)
            return
        log.error("cluster_member_died", cluster=Conf.CLUSTER_NAME, member=process.pid, code=process.exitcode)
        os._exit(CRASHED)

    Sentinel.reincarnate = reincarnate


def take_signals() -> threading.Event:
    """SIGTERM and SIGINT only set a flag; django-q2's own handlers wait inside the handler, without bound."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stopflag.demand()
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return asked


def watch(cluster: Cluster, asked: threading.Event, grace_seconds: float) -> bool:
    """Wait for the sentinel's end; False when it had to be killed at the end of the grace."""
    deadline: float | None = None
    while cluster.sentinel.is_alive():
        if asked.is_set() and deadline is None:
            deadline = time.monotonic() + grace_seconds
            # Blocks for ever when the sentinel has died meanwhile, so not in this thread.
            threading.Thread(target=cluster.stop_event.set, daemon=True).start()
        if deadline is not None and time.monotonic() > deadline:
            log.error("cluster_grace_over", cluster=Conf.CLUSTER_NAME, grace_seconds=grace_seconds)
            cluster.sentinel.kill()
            cluster.sentinel.join()
            return False
        cluster.sentinel.join(LOOK_SECONDS)
    return True


def keep_ringing(workers: int, asked: threading.Event) -> None:
    """Ring for the drains of this host at the start, and again while one of its slots is free.

    A thread of its own, with a connection of its own: a database that hangs must not keep us from stopping.
    """
    while not asked.is_set():
        try:
            close_old_connections()
            slots.forget_dead()
            residents.ensure(workers, residents.host())
        except DatabaseError as error:
            log.warning("drains_not_rung", error=type(error).__name__)
            connections.close_all()
        asked.wait(RING_EVERY_SECONDS)

"""The life of a watch: a look every few seconds, and the courier of last resort when every worker is dead.

It runs beside the web as well as beside the workers, so that the silence of all workers is seen, and told: then the
watch itself carries out the messages about alerts, and nothing else. Where the whole machine is gone, so is the watch:
that is for whoever asks `/readyz` from outside.
"""

import threading

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections

from ledger import claim, sets
from sync import drain, residents, sweep
from sync.actions.alert import KIND as PAGE
from sync.actions.alert_message import KIND as MESSAGE
from sync.alerts import watching

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
THREADS = 2
# Their lanes hold nothing else, so the heads of these lanes are heads of all.
MESSAGES = claim.Queue(
    table="ledger_action", open=f"in_lane and kind in ('{PAGE}', '{MESSAGE}')", ready=claim.ACTIONS.ready,
    claimed=claim.ACTIONS.claimed, returning=claim.ACTIONS.returning,
)  # fmt: skip
DUE = f"select exists (select from ledger_action where in_lane and kind in ('{PAGE}', '{MESSAGE}'))"


class Courier(drain.Drain):
    """A drain that carries messages about alerts and nothing else, and sweeps nothing."""

    queue = MESSAGES

    def turn(self, *, block: bool) -> int:
        """Only actions, only these."""
        claim.renew(self.token, self.lease)
        return self.actions() + self.collect(drain.FLUSH_SECONDS if self.in_flight else 0.0)


def watch(asked: threading.Event) -> None:
    """Look until asked to end. A database that is away is waited for."""
    log.info("watch_begun")
    while not asked.is_set():
        try:
            close_old_connections()
            found = watching.look()
            if found is not None and (found.raised or found.cleared or found.failed):
                log.info("watched", raised=found.raised, cleared=found.cleared, failed=found.failed)
            carry()
        except DatabaseError as error:
            log.warning("watch_lost_database", error=type(error).__name__)
            connections.close_all()
        asked.wait(LOOK_SECONDS)
    log.info("watch_ended")


def carry() -> int:
    """Tell of alerts where no worker lives to do it; how many messages were carried."""
    if residents.live() or not sets.run(DUE)[0][0]:
        return 0
    sweep.free_actions()  # what a worker that was killed had in the air
    return Courier(threads=THREADS, box=0, lease=settings.MESHLINE_LEASE_SECONDS).run_once()

"""What an installation has besides its tables: graphs, groups, presets, places for drains, the one schedule."""

from typing import Any

from django.db import connection

from gates import presets
from ledger import graphs
from meshline import schedules, subjects
from sync.customer_sync import profiles
from sync.mappings import active

MOST_RESIDENTS = 32
# Subjects of the wire; ledger and gates publish their own.
OF_SYNC = ("portal_link", "link_import", "delta", "sync_run", "sync_error", "dispute", "refund", "erasure")


def install(**_signal: Any) -> None:
    """Make what is missing; called as owner after each migrate, and when a test has emptied the tables."""
    graphs.publish_records()
    presets.install()
    active.install()
    profiles.install()
    for subject in OF_SYNC:
        graphs.publish(subject, subjects.SUBJECTS[subject].model)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sync_drainslot (slot, host) select n, '' from generate_series(0, %s) n on conflict do nothing",
            [MOST_RESIDENTS],
        )
    schedules.install_tick()

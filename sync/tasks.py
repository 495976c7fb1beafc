"""What the queue library may call. Tasks carry nothing: the rows are the work."""

from django.db import DatabaseError

from sync import drain as drains
from sync import refresh as refreshing
from sync import residents, stopflag
from sync.connections import door as connections
from sync.reconcile import runs


def drain() -> int:
    """One life of a resident; its successor is rung for before it ends, unless the cluster is going down."""
    settled = drains.resident()
    if not stopflag.is_set():
        try:
            residents.enqueue(1)
        except DatabaseError:
            return settled  # the cluster rings for missing drains by itself
    return settled


def refresh(customer_id: int) -> str:
    """Read a customer again because a person asked."""
    return refreshing.run(customer_id)


def check_connection(provider: str) -> str:
    """Ask a system whether it answers, because a person asked."""
    return connections.check(provider).said


def send_test_delivery(provider: str) -> str:
    """Send a signed test delivery to our own address, because a person asked."""
    return str(connections.send_test(provider)["said"])


def reconcile(run_id: int) -> str:
    """One slice of a reconciliation; the next one is rung for where more is left."""
    return runs.work(run_id)

"""A ticket that we opened ourselves is known from its confirmation on, whenever the desk tells of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from gates.models import Ticket
from gates.tickets import states
from ledger import clock


def known(number: str, status: str, stamp: str, thread: str, **about: Any) -> None:
    """Store it unless its own events were faster; in the transaction that books the confirmation."""
    if Ticket.objects.filter(number=number).exists():
        return
    at = datetime.fromisoformat(stamp)
    told = states.Told(status, at, min(at, clock.now()))
    states.meet(number, told, correlation_id=UUID(thread), event_id=None, **about)

"""Stepping a ticket as the support desk tells it: by its own stamp, along the published graph, with a ledger row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gates.models import Ticket
from ledger import book
from ledger.states import edges_of

SUBJECT = "ticket"
DESK = "system:desk"
State = Ticket.State


@dataclass(frozen=True, slots=True)
class Told:
    """One state as the desk tells it: `stamp` is the time of the ticket's last change there, `seen_at` when it told."""

    state: str
    stamp: datetime
    seen_at: datetime
    into: str = ""

    @property
    def order(self) -> tuple[datetime, datetime]:
        """By the ticket's own time first, which has whole seconds, then by when it was told."""
        return self.stamp, self.seen_at


def meet(number: str, told: Told, *, correlation_id: UUID, event_id: int | None, **more: Any) -> Ticket:
    """Store a ticket that nobody here had met, as new, and take it to what was told; in the caller's transaction."""
    one = Ticket(
        number=number, stamp=told.stamp, seen_at=told.seen_at, correlation_id=correlation_id, state_version=1, **more
    )
    one.save()
    book.write_rows([row(one, "meet_ticket", str(State.NEW), DESK, event_id=event_id)])
    if told.state != State.NEW:
        step(one, told, event_id=event_id)
    return one


def is_news(one: Ticket, told: Told) -> bool:
    """Whether this is later than what is known."""
    return told.order > (one.stamp, one.seen_at)


def verb_to(prior: str, post: str) -> str:
    """The step of the graph that leads there; "" where none does."""
    return next((verb for source, verb, target in sorted(edges_of(Ticket)) if (source, target) == (prior, post)), "")


def step(one: Ticket, told: Told, *, actor: str = DESK, event_id: int | None = None, why: str = "") -> str:
    """Take the ticket to what was told, with its row; returns the verb, "" where it stays as it is.

    The caller holds the row and has asked `is_news`. Raises book.BadEdge where the graph has no such step.
    """
    prior = str(one.state)
    one.stamp, one.seen_at = told.stamp, told.seen_at
    if told.state == prior:
        one.save()  # times only: nothing that a row would tell of
        return ""
    verb = verb_to(prior, told.state)
    if not verb:
        raise book.BadEdge(f"ticket has no step from {prior} to {told.state}")
    getattr(one, verb)()
    one.into = told.into or one.into
    one.save()
    reasons = [{"rule": "desk", "reason": why}] if why else []
    book.write_rows([row(one, verb, prior, actor, event_id=event_id, reasons=reasons)])
    return verb


def remark(one: Ticket, decision: str, actor: str, **more: Any) -> None:
    """Something of the ticket changed that is not its state: saved, and written down."""
    one.touch()
    one.save()
    book.write_rows([row(one, decision, str(one.state), actor, **more)])


def row(one: Ticket, decision: str, prior: str, actor: str, **more: Any) -> dict[str, Any]:
    """A ledger row of a ticket as it stands now: its number, times and states, nothing that is written on it."""
    said: Mapping[str, Any] = more.pop("inputs", {})
    inputs = {"ticket": one.number, "stamp": one.stamp, **({"into": one.into} if one.into else {}), **said}
    return {
        "subject_kind": SUBJECT, "subject_id": str(one.pk), "customer_id": one.customer_id,
        "correlation_id": one.correlation_id, "decision": decision, "actor": actor, "prior_state": prior,
        "post_state": str(one.state), "state_version": one.state_version, "outcome": str(one.state),
        "inputs": inputs, **more,
    }  # fmt: skip

"""What one event about a ticket means: by the desk's own stamp its state, and then what follows for us, if anything.

Nothing that we wrote ourselves starts work: an echo moves the ticket's state like any other event, and ends there.
"""

from datetime import datetime
from typing import Any

from gates.models import Ticket
from gates.playbooks import tickets as playbook
from gates.tickets import kinds, states
from gates.tickets.states import Told
from ledger import clock
from sync import facts
from sync.booking import Booking
from sync.contracts import members
from sync.contracts.zendesk import TicketSeen
from sync.correlate import Found
from sync.facts import Known
from sync.providers.zendesk import STATUSES
from sync.tickets import echo, guarding, leaving, starting
from sync.tickets.reading import TicketRead, is_ours
from sync.understand import Heard

LINK = ("zendesk", "customer_ticket")  # a ticket of the customer's own; `ticket` is the one we opened for a contract
ECHO = "ignored: our own write coming back"
OLD = "superseded: older than what is known"


def hear(one: Heard, place: Found | None, contract: Known | None, into: Booking) -> str:
    """Book one event about a ticket, in the caller's transaction; returns its verdict."""
    seen: TicketSeen = one.seen
    read = one.read if isinstance(one.read, TicketRead) else None
    ticket = Ticket.objects.select_for_update(of=("self",)).filter(number=seen.id).first()
    ours = is_ours(seen)
    kind = None if ours or read is None or read.ticket is None else _kind(read)
    if ticket is None and place is None and kind is None:
        return ECHO if ours else "ignored: not a ticket of ours"
    told = _told(one, seen, read)
    if told is None:
        return "ignored: says neither status nor time"
    is_met, verb, prior = ticket is None, "", ""
    if ticket is None:
        ticket = _meet(one, told, place, into)
    elif _is_impossible(ticket, told):
        return _impossible(one, ticket, told)
    mine = ours or echo.recognised(one, ticket, seen)
    is_news = is_met or states.is_news(ticket, told)
    if is_news and not is_met:
        prior = str(ticket.state)
        verb = states.step(ticket, told, actor=echo.ACTOR if mine else states.DESK, event_id=one.id)
    _learn(ticket, place)
    if contract is not None and contract.refs.ticket == ticket.number:
        _note(one, seen, read, contract, into)
    if mine:
        return ECHO
    said = [
        guarding.watch(one, ticket, seen, into),
        *_followed(one, ticket, verb, prior, contract, into),
        starting.begin(one, ticket, kind, read, into) if kind and read else "",
    ]
    told_of = "; ".join(part for part in said if part)
    if told_of:
        return f"done: {told_of}"
    return f"done: ticket noted, {ticket.get_state_display().lower()}" if is_news else OLD


def _followed(
    one: Heard, ticket: Ticket, verb: str, prior: str, contract: Known | None, into: Booking
) -> tuple[str, ...]:
    """What follows from a step that somebody else made the ticket take."""
    if ticket.state in ("deleted", "merged") and (verb or not prior):
        return (leaving.gone(one, ticket, contract, into),)
    if verb in ("solve", "close"):
        return (leaving.solved(one, ticket, into),)
    return (guarding.came_back(one, ticket),) if verb == "reopen" else ()


def _kind(read: TicketRead) -> playbook.Kind | None:
    assert read.ticket is not None
    return playbook.kind_of(kinds.in_force(), read.ticket.tags, read.ticket.form_id)


def _told(one: Heard, seen: TicketSeen, read: TicketRead | None) -> Told | None:
    """The state that is told, with its times; None where nothing is told that could be believed."""
    if read is not None and read.ticket is not None:
        stamp = members.parse_iso(read.ticket.updated_at)
        return Told(read.ticket.status, stamp, read.ticket.read_at) if stamp else None
    at: datetime | None = one.occurred_at or seen.updated_at
    if read is not None:
        return Told("deleted", at or clock.now(), clock.now())
    if at is None:
        return None
    stamp = seen.updated_at or at
    if one.kind == "ticket.gone":
        state = "merged" if seen.happened == "merged" else "deleted"
        return Told(state, stamp, at, seen.changed.into)
    return Told(seen.status, stamp, at) if seen.status in STATUSES else None


def _meet(one: Heard, told: Told, place: Found | None, into: Booking) -> Ticket:
    about = {"customer_id": place.customer_id, "contract_id": place.contract_id} if place else {}
    if place is not None and not place.contract_id:
        into.links.append((place.customer_id, (*LINK, one.seen.id), None))
    return states.meet(one.seen.id, told, correlation_id=one.correlation_id, event_id=one.id, **about)


def _learn(ticket: Ticket, place: Found | None) -> None:
    """Whose it is may come to be known later than the ticket."""
    if place is not None and ticket.customer_id is None:
        Ticket.objects.filter(pk=ticket.pk).update(customer_id=place.customer_id, contract_id=place.contract_id)
        ticket.customer_id, ticket.contract_id = place.customer_id, place.contract_id


def _is_impossible(ticket: Ticket, told: Told) -> bool:
    """Whether something newer says what the desk's own rules do not allow."""
    prior = str(ticket.state)
    return told.state != prior and states.is_news(ticket, told) and not states.verb_to(prior, told.state)


def _impossible(one: Heard, ticket: Ticket, told: Told) -> str:
    if told.state == "new" or (ticket.state == "merged" and told.state in ("closed", "deleted")):
        return OLD  # two events of one second in the wrong order; and whatever is merged away is closed there as well
    guarding.ask(one, ticket, guarding.IMPOSSIBLE, f"{ticket} is {ticket.state} here and {told.state} there.",
                 "the support desk does not allow this step; look at the ticket's own history")  # fmt: skip
    return f"contradicting: {ticket.state} here, {told.state} there; a person was asked"


def _note(one: Heard, seen: TicketSeen, read: TicketRead | None, contract: Known, into: Booking) -> None:
    """What pages show of the ticket that we opened for a contract."""
    block: dict[str, Any] = contract.blocks.get("support", {})
    if read is not None and read.ticket is not None:
        into.note_block(contract, "support", {**facts.support_block(read.ticket), "live": True})
    elif facts.newer(block, one.occurred_at):
        at = one.occurred_at.isoformat() if one.occurred_at else ""
        status = "gone" if one.kind == "ticket.gone" else seen.status or block.get("status", "")
        into.note_block(contract, "support", {**block, "synced_at": at, "ticket": seen.id, "status": status})

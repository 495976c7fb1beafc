"""What a person has to settle: a ticket changed back and forth, one that came back, one that cannot be as it says."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from gates import items, ownership
from gates.models import ReviewItem, Ticket
from gates.playbooks import tickets as playbook
from gates.tickets import FLIPS, IMPOSSIBLE, ITEM_KIND, OWNER, REOPENED, kinds, states
from ledger import clock
from sync.booking import Booking
from sync.contracts.zendesk import TicketSeen
from sync.understand import Heard

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

__all__ = ["IMPOSSIBLE", "ask", "came_back", "watch"]


def watch(one: Heard, ticket: Ticket, seen: TicketSeen, into: Booking) -> str:
    """Remember a change that neither we nor the customer made; at the limit open one exception, whatever follows."""
    changed, at = seen.changed, one.occurred_at or seen.updated_at
    if at is None or changed.by_customer:
        return ""
    new = playbook.changes(changed.before, changed.after, changed.added, changed.removed, at)
    settled = _settled(ticket)
    if not new or settled is None or at <= settled:
        return ""  # what goes on until a person has settled it, and what went on before, is the one exception
    within = timedelta(minutes=settings.MESHLINE_TICKET_FLIP_MINUTES)
    ticket.recent, every = playbook.fold(ticket.recent, new, within, max(at, into.now))
    last = playbook.flips(every, settings.MESHLINE_TICKET_FLIPS, within)
    if last is None:
        Ticket.objects.filter(pk=ticket.pk).update(recent=ticket.recent)
        return ""
    what = "its status" if last.what == "status" else f"the tag {last.what.removeprefix('tag:')[:60]}"
    times, minutes = settings.MESHLINE_TICKET_FLIPS, settings.MESHLINE_TICKET_FLIP_MINUTES
    sentence = f"Something else changed {what} of {ticket} back and forth, {times} times within {minutes} minutes."
    reason = "until this is settled no automation of ours writes on it; find the rule or program that does it"
    ticket.guard_item = ask(one, ticket, FLIPS, sentence, reason)
    ticket.recent = []
    inputs = {"what": last.what.partition(":")[0], "times": times, "minutes": minutes, "item": ticket.guard_item}
    states.remark(ticket, "flip_ticket", states.DESK, event_id=one.id, inputs=inputs)
    return f"changed back and forth {times} times; a person was asked, and our automations leave it alone"


def _settled(ticket: Ticket) -> datetime | None:
    """When a person settled the last exception of a ticket: long ago where there was none, None while it is open."""
    if ticket.guard_item is None:
        return LONG_AGO
    item = ReviewItem.objects.filter(pk=ticket.guard_item).only("state", "resolved_at").first()
    return item.resolved_at if item is not None and item.state == ReviewItem.State.RESOLVED else None


def came_back(one: Heard, ticket: Ticket) -> str:
    """A solved ticket is open again: counted, and a person's where an answer of ours had solved it."""
    ticket.reopened += 1
    ticket.reopened_at = clock.now()
    who = "the customer" if one.seen.changed.by_customer else "somebody"
    states.remark(ticket, "reopened_ticket", states.DESK, event_id=one.id, inputs={"times": ticket.reopened})
    if not ticket.resolved_how:
        return "it is open again"
    sentence = f"{str(ticket).capitalize()} was solved by an answer of ours, and {who} opened it again."
    ask(one, ticket, REOPENED, sentence, "no second answer is written by itself; read what the customer says")
    return "it is open again after an answer of ours; a person was asked"


def ask(one: Heard, ticket: Ticket, why: str, sentence: str, reason: str, **more: Any) -> int:
    """Open an item about a ticket; returns its number."""
    known = next((kind for kind in kinds.in_force() if kind.name == ticket.kind), None)
    item: dict[str, Any] = {
        "event_id": one.id, "customer_id": ticket.customer_id, "kind": ITEM_KIND, "sentence": sentence, "why": why,
        "reason": reason, "correlation_id": one.correlation_id, "provider": "zendesk",
        "automation": playbook.AUTOMATION, "owner_group": OWNER, "evidence": evidence(one, ticket), **more,
    }  # fmt: skip
    [made] = items.open_tasks([routed(item, known.owner_group if known else "")])
    return made


def routed(item: dict[str, Any], group: str) -> dict[str, Any]:
    """The item with the kind's own group, unless a rule of ownership says more than "everything else"."""
    routing = ownership.current()
    last = routing.rules[-1].id if routing.rules else None
    if not group or routing.owner_of(item).rule not in (None, last):
        return item
    return {**item, "owner_group": group, "asked_by": f"ticket kind, {group}"}


def evidence(one: Heard, ticket: Ticket) -> dict[str, Any]:
    """What an item about a ticket rests on: no words of the ticket."""
    at = one.occurred_at.isoformat() if one.occurred_at else None
    return {
        "signal": {"event": one.id, "type": one.type, "at": at}, "trusted": {"support": ticket.stamp.isoformat()},
        "ticket": ticket.number, "remains": [],
    }  # fmt: skip

"""What waits for a ticket that is no more to be written on: solved by somebody, deleted, or merged away."""

from collections.abc import Sequence

from gates import tickets
from gates.models import Ticket
from ledger import book, sets
from sync import booking, planned
from sync.booking import Booking
from sync.facts import Known
from sync.planned import Row
from sync.understand import Heard

# What is about this very ticket, and what goes to the ticket of its contract.
WAITING = """
select a.id, a.kind, a.business_key, a.state, a.state_version, a.params, a.target, a.because, a.automation,
       a.correlation_id, a.event_id, a.customer_id
  from ledger_action a
 where a.customer_id = %(customer)b and a.kind = any(%(kinds)b::text[]) and a.state = any(%(states)b::text[])
   and (a.params ->> 'ticket' = %(number)b or split_part(a.business_key, ':', 2) = %(number)b
        or (a.contract_id = %(contract)b::bigint and a.params ->> 'ticket' is null))
 order by a.id for update"""


def gone(one: Heard, ticket: Ticket, contract: Known | None, into: Booking) -> str:
    """Everything that waits for it goes to a person, with the sentence that says why nothing was sent."""
    if ticket.state == "merged":
        where = f"ticket {ticket.into}" if ticket.into else "another ticket"
        reason = f"{ticket} was merged into {where}; nothing is written on it. Say it there, or reject this"
    else:
        reason = f"{ticket} was deleted in the support desk; nothing is written on it. Reject this, or open a new one"
    own = contract.refs.contract_id if contract is not None and contract.refs.ticket == ticket.number else None
    rows = _waiting(ticket, own, ("held", "in_review", "approved", "parked"))
    for row in rows:
        if row.state != "in_review":
            told = [{"rule": "ticket_there", "verdict": "block", "reason": reason}]
            planned.step(row, "ask", "in_review", one, into, book.lease_free(), told)
            into.void.append(row.id)
        into.items.append(_item(row, reason, into))
    word = "merged away" if ticket.state == "merged" else "deleted"
    return f"the ticket was {word}; {len(rows)} waiting for it went to a person" if rows else f"the ticket was {word}"


def solved(one: Heard, ticket: Ticket, into: Booking) -> str:
    """Somebody solved it: an answer of ours that waits is withdrawn. Notes and tags stay wanted."""
    rows = _waiting(ticket, None, ("held", "in_review", "approved", "parked"))
    answers = [row for row in rows if row.kind == tickets.REPLY]
    for row in answers:
        told = [{"rule": "withdrawn", "reason": f"the ticket is {ticket.state} already"}]
        planned.step(row, "supersede", "superseded", one, into, book.lease_free(), told)
        into.close(row.id, "superseded")
    return f"somebody else made it {ticket.state}; our answer was withdrawn" if answers else ""


def _waiting(ticket: Ticket, contract: int | None, states: Sequence[str]) -> list[Row]:
    asked = {
        "customer": ticket.customer_id, "kinds": list(tickets.KINDS), "states": list(states),
        "number": ticket.number, "contract": contract,
    }  # fmt: skip
    return [Row(*row) for row in sets.run(WAITING, asked)] if ticket.customer_id else []


def _item(row: Row, reason: str, into: Booking) -> dict[str, object]:
    return {
        "action_id": row.id, "customer_id": row.customer_id, "kind": row.kind, "why": tickets.GONE, "reason": reason,
        "sentence": booking.sentence(row.kind, row.because), "correlation_id": row.correlation_id,
        "owner_group": into.policies.owner_of(row.automation), "provider": "zendesk", "automation": row.automation,
    }  # fmt: skip

"""What goes on one named ticket: an answer that the customer reads, and the note with which a person takes over."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gates.playbooks import tickets as playbook
from gates.tickets import HANDOFF, REPLY, kinds, resolving
from gates.types import Facts
from sync.actions.base import Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Text
from sync.actions.ticket import Note, TicketUpdate, desk, number_of, ticket_in
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.zendesk import ticket_from
from sync.wiretypes import FrozenRequest

NAMELESS = "there"
ELSEWHERE = "an answer is suggested for tickets of a kind, and decided on the page of its item"
LONGEST_NAME = 120


class Reply(TicketUpdate):
    """A public answer and, where the kind says so, the ticket solved: one safe update.

    Found again by the action's id in the change's own data: the customer's text carries no marker.
    """

    name, verb = REPLY, "Answer ticket"
    risk = playbook.RISK
    needs = ("support",)
    irreversible_because = "what the customer has read stays read; a further answer can correct it"
    runbook = "ticket-answered-wrongly"
    is_offered = False
    about_customer = True
    asks_for = {
        "text": Text(kinds.LONGEST_REPLY), "solve": Text(3, choices=("yes", "no")),
        "ticket": Text(20, pattern=r"[0-9]+"), "kind": Text(60),
        "stamp": Text(40), "seal": Text(16, pattern=r"[0-9a-f]{16}"),
    }  # fmt: skip

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Nobody asks for one: it is suggested for a ticket of a kind."""
        return ELSEWHERE if known.refs.contract_id else super().unfit(known, params)

    def wrong(self, known: Known, params: Mapping[str, Any]) -> str:
        """A person may change the words and whether it solves, not on which ticket."""
        if params.get("seal") == sealed(known.refs.external_id, params):
            return ""
        return "params.ticket: ticket, kind and stamp stay as they were suggested; only text and solve can be changed"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The words, the status, and the ticket's own time: an approval is of this conversation as it stands."""
        system = "Support desk"
        rows = [{"system": system, "field": "public answer", "now": "-", "after": str(params.get("text", ""))[:2000]}]
        if params.get("solve") == "yes":
            rows.append({"system": system, "field": "status", "now": facts.ticket_status or "-", "after": "solved"})
        stamp = facts.ticket_stamp or "-"
        return [
            *rows,
            {"system": system, "field": "ticket changed last", "now": stamp, "after": "then, or it is asked again"},
        ]

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """One answer of ours for each ticket."""
        return f"ticket:{ticket_in(known, params)}:reply"

    def freeze(self, work: Work) -> FrozenRequest:
        """The words with the customer's name as it is stored now. PermanentError where the ticket is gone or closed."""
        text = kinds.fill(str(work.params["text"]), {kinds.LATE: _plain(work.known.name) or NAMELESS})
        solve = work.params.get("solve") == "yes"
        return desk().add_reply(number_of(work), text, self.stamp(work), action_id=work.id, solve=solve)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must be the ticket, solved where that was asked for."""
        response = self.put(request, work, guard)
        if isinstance(response, Confirmation):
            return response
        ticket = ticket_from(response)
        if ticket.id != number_of(work):
            raise response.unreadable("the answer is another ticket")
        if work.params.get("solve") == "yes" and ticket.status not in ("solved", "closed"):
            raise response.unreadable("the ticket is not solved")
        return Confirmation(ticket.id, {"status": ticket.status, "updated_at": ticket.updated_at})

    def look_up(self, work: Work) -> Found:
        """Among the ticket's changes, by the action's id."""
        change = desk().actions_on(number_of(work), work.exchanges).get(work.id)
        if change is None:
            return NotDone()
        ticket = desk().ticket(number_of(work), work.exchanges)
        said = {"change": change, **({"status": ticket.status, "updated_at": ticket.updated_at} if ticket else {})}
        return Confirmation(number_of(work), said)

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """Its fingerprint, and that it solved the ticket."""
        super().keep(done)
        for work, _ in done:
            resolving.answered(number_of(work), work.id, solved=work.params.get("solve") == "yes")


def sealed(customer: str, params: Mapping[str, Any]) -> str:
    """What ties a reply to the ticket, the kind and the moment that it was suggested for."""
    about = "\n".join([customer, *(str(params.get(name, "")) for name in ("ticket", "kind", "stamp"))])
    return hashlib.sha256(about.encode()).hexdigest()[:16]


class Handoff(Note):
    """An internal note with what a person needs who takes over; one for each item, and never public."""

    name, verb = HANDOFF, "Write handoff note on ticket"
    is_offered = False
    about_customer = True
    asks_for = {"ticket": Text(20, pattern=r"[0-9]+"), "text": Text(6000), "item": Text(20, pattern=r"[0-9]+")}

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Nobody asks for one: it is made from its item."""
        return "a handoff note is written from the page of its item"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """One for each item."""
        return f"ticket:{ticket_in(known, params)}:handoff:{params['item']}"


def _plain(name: str) -> str:
    """A name as text that is nothing else."""
    return " ".join("".join(char if char.isprintable() else " " for char in name).split())[:LONGEST_NAME]

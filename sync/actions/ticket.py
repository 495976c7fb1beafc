"""What the support desk is told: a ticket with the facts, notes, tags. Internal; the customer sees none of it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gates.types import Facts, Invoice
from ledger import money
from sync import providers
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Text, Texts
from sync.errors import ConflictError, PermanentError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.zendesk import Zendesk, marker, tags_from, ticket_from
from sync.wiretypes import FrozenRequest, Response, TicketFacts

RUNBOOK = "ticket-changed-wrongly"


def desk() -> Zendesk:
    """The adapter, narrowed."""
    adapter = providers.get("zendesk")
    assert isinstance(adapter, Zendesk)
    return adapter


def external_id(action_id: str) -> str:
    """What our tickets are found by."""
    return f"meshline:{action_id}"


class Open(ActionKind):
    """Open a ticket that carries the entitlement snapshot, so that who takes it needs no other system."""

    name, provider, verb = "ticket.open", "zendesk", "Open support ticket"
    needs = ("billing", "entitlement")
    irreversible_because = "a ticket that was opened is closed by the people who work on it"
    runbook = RUNBOOK
    asks_for = {"invoice": Text(64, pattern=r"[A-Za-z0-9_-]+")}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """A new ticket."""
        return [{"system": "Support desk", "field": "ticket", "now": "-", "after": "new, internal note with the facts"}]

    def freeze(self, work: Work) -> FrozenRequest:
        """A ticket whose first comment is internal and ends with the action's marker."""
        number = (work.facts.invoice.number if work.facts.invoice else "") or str(work.params["invoice"])
        return desk().create_ticket(
            f"Payment failed: invoice {number}",
            handoff_note(work.facts, work),
            external_id(work.id),
            tags=["meshline", "dunning"],
            key=work.key,
            action_id=work.id,
        )

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Create it; the answer must be a ticket with our external id."""
        response = desk().perform(request, guard, work.exchanges)
        ticket = ticket_from(response)
        if ticket.external_id != external_id(work.id):
            raise response.unreadable("the answer is another ticket than the one asked for")
        return self._confirmed(ticket)

    def look_up(self, work: Work) -> Found:
        """By our external id, which the database list answers, not the search index."""
        found = desk().tickets_by_external_id(external_id(work.id), work.exchanges)
        return self._confirmed(found[0]) if found else NotDone()

    def _confirmed(self, ticket: TicketFacts) -> Confirmation:
        said = {"status": ticket.status, "updated_at": ticket.updated_at}
        return Confirmation(ticket.id, said, (("zendesk", "ticket", ticket.id),))


class TicketUpdate(ActionKind):
    """A change of a ticket that exists. It carries the stamp that was read: a blind repeat is refused, not doubled."""

    provider = "zendesk"
    needs = ()
    remake_on_conflict = True
    runbook = RUNBOOK

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """There is a ticket."""
        return "" if known.refs.ticket else "no ticket is linked to this contract"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The same words on the same ticket are a duplicate."""
        said = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
        return f"ticket:{known.refs.ticket}:{said}"

    def stamp(self, work: Work) -> str:
        """The ticket's time of change as it is now. Raises PermanentError where the ticket is gone."""
        ticket = desk().ticket(work.known.refs.ticket, work.exchanges)
        if ticket is None:
            raise PermanentError("the ticket is gone", provider=self.provider, status=404, code="gone")
        return ticket.updated_at

    def put(self, request: FrozenRequest, work: Work, guard: Guard) -> Response | Confirmation:
        """Send; a ticket that changed meanwhile may have been changed by an earlier try of this very action."""
        try:
            return desk().perform(request, guard, work.exchanges)
        except ConflictError:
            found = self.look_up(work) if work.tries else None
            if isinstance(found, Confirmation):
                return found
            raise


class Note(TicketUpdate):
    """Add an internal note; found again by the marker at its end."""

    name, verb = "ticket.note", "Add note to ticket"
    irreversible_because = "a note stays on its ticket; a further note can correct it"
    asks_for = {"text": Text(4000)}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One internal comment."""
        return [
            {"system": "Support desk", "field": "internal note", "now": "-", "after": str(params.get("text", ""))[:200]}
        ]

    def freeze(self, work: Work) -> FrozenRequest:
        """The words of the proposal and the correlation id."""
        body = f"{work.params['text']}\n\nCorrelation {work.correlation_id}"
        return desk().add_note(work.known.refs.ticket, body, self.stamp(work), marker(work.id))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must be the ticket."""
        response = self.put(request, work, guard)
        if isinstance(response, Confirmation):
            return response
        ticket = ticket_from(response)
        if ticket.id != work.known.refs.ticket:
            raise response.unreadable("the answer is another ticket")
        return Confirmation(ticket.id, {"updated_at": ticket.updated_at})

    def look_up(self, work: Work) -> Found:
        """Look for the marker among the comments."""
        for comment in desk().comments(work.known.refs.ticket, work.exchanges):
            if marker(work.id) in comment.body:
                return Confirmation(work.known.refs.ticket, {"comment": comment.id})
        return NotDone()


class Tag(TicketUpdate):
    """Add tags; those that are there stay."""

    name, verb = "ticket.tag", "Tag ticket"
    irreversible_because = "tags may have started rules of the support desk already; people there take them off"
    asks_for = {"tags": Texts(Text(60, pattern=r"[a-z0-9_-]+"))}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The tags that come."""
        return [{"system": "Support desk", "field": "tags", "now": "-", "after": ", ".join(params.get("tags", []))}]

    def freeze(self, work: Work) -> FrozenRequest:
        """An addition."""
        tags, stamp = list(work.params["tags"]), self.stamp(work)
        return desk().add_tags(work.known.refs.ticket, tags, stamp, action_id=work.id)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must list our tags."""
        response = self.put(request, work, guard)
        if isinstance(response, Confirmation):
            return response
        if not set(work.params["tags"]) <= set(tags_from(response)):
            raise response.unreadable("the answer does not list the tags")
        return Confirmation(work.known.refs.ticket, {"tags": list(work.params["tags"])})

    def look_up(self, work: Work) -> Found:
        """Read the ticket's tags."""
        ticket = desk().ticket(work.known.refs.ticket, work.exchanges)
        if ticket is not None and set(work.params["tags"]) <= set(ticket.tags):
            return Confirmation(ticket.id, {"tags": list(work.params["tags"])})
        return NotDone()


def handoff_note(facts: Facts, work: Work) -> str:
    """The facts as an agent reads them: ids, amounts, states and times; no card data, no names, no addresses."""
    invoice = facts.invoice
    due = money.display(invoice.amount_remaining, invoice.currency) if invoice else "unknown"
    lines = [
        f"Payment failed for invoice {(invoice.number or invoice.id) if invoice else work.params['invoice']}.",
        f"Open amount: {due}. Failed tries so far: {invoice.attempt_count if invoice else 'unknown'}.",
        f"Next try by the payment provider: {_time(facts.next_attempt_at)}.",
        "Nothing is taken from the customer before the safety window has ended and the invoice was read again.",
        "",
        "Entitlement",
        f"  Customer {facts.external_id}, tier {facts.tier}",
        f"  Contract {work.known.refs.contract_external_id}: {facts.contract_state}, plan {facts.plan or 'unknown'}",
        f"  Status in the ERP: {facts.erp_status or 'none'}; tenure: {_tenure(facts.tenure_months)}",
        f"  Subscription: {facts.subscription_status or 'unknown'}",
        "",
        "Invoices, newest first",
        *(_invoice_line(one) for one in facts.invoices[:5]),
        "",
        f"Open disputes: {facts.open_disputes}. Fraud warning: {'yes' if facts.fraud_flag else 'no'}.",
        f"Read: {', '.join(f'{name} {_time(at)}' for name, at in sorted(facts.synced_at.items())) or 'nothing'}.",
        f"Correlation {work.correlation_id}",
    ]
    return "\n".join(lines)


def _invoice_line(one: Invoice) -> str:
    amount = money.display(one.amount_due, one.currency)
    return f"  {one.number or one.id}: {one.status}, {amount}, {one.attempt_count} tries"


def _tenure(months: int | None) -> str:
    return "unknown" if months is None else f"{months // 12} y {months % 12} m"


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "none planned"

"""What the support desk is told: a ticket with the facts, notes, tags. Internal; the customer sees none of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gates.tickets import opening, own
from gates.types import Facts, Invoice
from ledger import money
from sync import providers
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Text, Texts
from sync.contracts.zendesk import fingerprint
from sync.errors import ConflictError, PermanentError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.zendesk import Zendesk, marker, tags_from, ticket_from
from sync.wiretypes import FrozenRequest, Response, TicketFacts

RUNBOOK = "ticket-changed-wrongly"
NUMBER = Text(20, is_required=False, pattern=r"[0-9]+")


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

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """The ticket is known from here on, with its state and the desk's own stamp."""
        for work, answer in done:
            refs, said = work.known.refs, answer.said
            opening.known(
                answer.id, str(said["status"]), str(said["updated_at"]), work.correlation_id,
                customer_id=refs.customer_id, contract_id=refs.contract_id or None,
            )  # fmt: skip

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
    needs: tuple[str, ...] = ()
    remake_on_conflict = True
    runbook = RUNBOOK

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """There is a ticket, it is there still, and it is this customer's."""
        number = ticket_in(known, params)
        if not number:
            return "no ticket is linked to this contract"
        if params.get("ticket") and number not in known.tickets:
            return f"ticket {number} is not known as one of this customer's"
        trouble = known.tickets.get(number, "").partition(":")
        return f"the ticket was {trouble[0]} in the support desk" if trouble[0] in ("merged", "deleted") else ""

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The same words on the same ticket are a duplicate."""
        said = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
        return f"ticket:{ticket_in(known, params)}:{said}"

    def stamp(self, work: Work) -> str:
        """The ticket's time of change as it is now. Raises PermanentError where the ticket is gone."""
        ticket = desk().ticket(number_of(work), work.exchanges)
        if ticket is None:
            said = "the ticket was deleted or merged away in the support desk; nothing was written"
            raise PermanentError(said, provider=self.provider, status=404, code="gone", never_sent=True)
        if ticket.status == "closed":
            said = "the ticket is closed; the support desk takes nothing on it any more"
            raise PermanentError(said, provider=self.provider, status=422, code="closed", never_sent=True)
        return ticket.updated_at

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """What was written is remembered by its fingerprint, so that it is recognised when the desk tells of it."""
        own.remember([(number_of(work), prints(work, answer), work.id) for work, answer in done])

    def put(self, request: FrozenRequest, work: Work, guard: Guard) -> Response | Confirmation:
        """Send; a ticket that changed meanwhile may have been changed by an earlier try of this very action.

        A repeat is looked for first: the stamp that it carries has whole seconds, and the first try may be as young.
        """
        if work.is_repeat and work.tries > 1:
            before = self.look_up(work)
            if isinstance(before, Confirmation):
                return before
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
    asks_for = {"text": Text(4000), "ticket": NUMBER}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One internal comment."""
        return [
            {"system": "Support desk", "field": "internal note", "now": "-", "after": str(params.get("text", ""))[:200]}
        ]

    def freeze(self, work: Work) -> FrozenRequest:
        """The words of the proposal and the correlation id."""
        body = f"{work.params['text']}\n\nCorrelation {work.correlation_id}"
        return desk().add_note(number_of(work), body, self.stamp(work), marker(work.id))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must be the ticket."""
        response = self.put(request, work, guard)
        if isinstance(response, Confirmation):
            return response
        ticket = ticket_from(response)
        if ticket.id != number_of(work):
            raise response.unreadable("the answer is another ticket")
        return Confirmation(ticket.id, {"updated_at": ticket.updated_at})

    def look_up(self, work: Work) -> Found:
        """Look for the marker among the comments."""
        for comment in desk().comments(number_of(work), work.exchanges):
            if marker(work.id) in comment.body:
                return Confirmation(number_of(work), {"comment": comment.id})
        return NotDone()


class Tag(TicketUpdate):
    """Add tags; those that are there stay."""

    name, verb = "ticket.tag", "Tag ticket"
    irreversible_because = "tags may have started rules of the support desk already; people there take them off"
    asks_for = {"tags": Texts(Text(60, pattern=r"[a-z0-9_-]+")), "ticket": NUMBER}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The tags that come."""
        return [{"system": "Support desk", "field": "tags", "now": "-", "after": ", ".join(params.get("tags", []))}]

    def freeze(self, work: Work) -> FrozenRequest:
        """An addition."""
        tags, stamp = list(work.params["tags"]), self.stamp(work)
        return desk().add_tags(number_of(work), tags, stamp, action_id=work.id)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must list our tags."""
        response = self.put(request, work, guard)
        if isinstance(response, Confirmation):
            return response
        if not set(work.params["tags"]) <= set(tags_from(response)):
            raise response.unreadable("the answer does not list the tags")
        return Confirmation(number_of(work), {"tags": list(work.params["tags"])})

    def look_up(self, work: Work) -> Found:
        """Read the ticket's tags."""
        ticket = desk().ticket(number_of(work), work.exchanges)
        if ticket is not None and set(work.params["tags"]) <= set(ticket.tags):
            return Confirmation(ticket.id, {"tags": list(work.params["tags"])})
        return NotDone()


def ticket_in(known: Known, params: Mapping[str, Any]) -> str:
    """The ticket that is named, or the one that is linked to the contract."""
    return str(params.get("ticket") or known.refs.ticket)


def number_of(work: Work) -> str:
    """The ticket that an action writes on."""
    return ticket_in(work.known, work.params)


def prints(work: Work, answer: Confirmation) -> list[str]:
    """Fingerprints of what a confirmed write put on its ticket, as the desk's events will show it."""
    found = [f"tag:{tag}" for tag in answer.said.get("tags", ())]
    document = json.loads(work.request.body) if work.request else {}
    written = document.get("ticket", {})
    if written.get("comment"):
        found.append(fingerprint(written["comment"]["body"]))
    if written.get("status"):
        found.append(f"status:{written['status']}")
    return found


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
        *facts_lines(facts, work.known),
        f"Correlation {work.correlation_id}",
    ]
    return "\n".join(lines)


def facts_lines(facts: Facts, known: Known) -> list[str]:
    """Entitlement and money of a customer as an agent reads them, with when each source was read."""
    plan = facts.plan or "unknown"
    return [
        "Entitlement",
        f"  Customer {facts.external_id}, tier {facts.tier}",
        f"  Contract {known.refs.contract_external_id or '-'}: {facts.contract_state or 'unknown'}, plan {plan}",
        f"  Status in the ERP: {facts.erp_status or 'none'}; tenure: {_tenure(facts.tenure_months)}",
        f"  Subscription: {facts.subscription_status or 'unknown'}",
        "",
        "Invoices, newest first",
        *([_invoice_line(one) for one in facts.invoices[:5]] or ["  none was read"]),
        "",
        f"Open disputes: {facts.open_disputes}. Fraud warning: {'yes' if facts.fraud_flag else 'no'}.",
        f"Read: {', '.join(f'{name} {_time(at)}' for name, at in sorted(facts.synced_at.items())) or 'nothing'}.",
    ]


def _invoice_line(one: Invoice) -> str:
    amount = money.display(one.amount_due, one.currency)
    return f"  {one.number or one.id}: {one.status}, {amount}, {one.attempt_count} tries"


def _tenure(months: int | None) -> str:
    return "unknown" if months is None else f"{months // 12} y {months % 12} m"


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "none planned"

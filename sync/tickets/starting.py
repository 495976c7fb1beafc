"""A ticket of a kind: recognised once, routed, and answered as far as the kind and its automation are trusted."""

from dataclasses import replace
from uuid import UUID

from gates.models import Ticket
from gates.playbooks import tickets as playbook
from gates.tickets import OF_KIND, kinds, states
from ledger import sets
from sync import correlate, facts
from sync.actions.ticket_reply import sealed
from sync.booking import Booking, Cause
from sync.facts import Known
from sync.tickets import guarding
from sync.tickets.reading import TicketRead
from sync.understand import Heard

LIVE = ("new", "open", "pending", "hold")
CONTRACT = """
select external_id, plan from ledger_contract
 where customer_id = %(customer)b and state not in ('draft', 'cancelled') order by id limit 2"""


def begin(one: Heard, ticket: Ticket, kind: playbook.Kind, read: TicketRead, into: Booking) -> str:
    """Say which kind it is, and start what the kind says; nothing where that happened before. Returns words."""
    if ticket.kind or ticket.state not in LIVE:
        return ""
    ticket.kind, ticket.kind_version = kind.name, kind.version
    known, values = _customer(ticket, read)
    lacks = kinds.lacking(kind.reply, values)
    said = f"it is of the kind {kind.name}"
    trusted = into.policies.of(playbook.AUTOMATION).stage
    is_asked = kind.stage != "off" and trusted not in ("shadow", "paused")
    if kind.stage == "pilot" and known is not None and not lacks:
        ticket.action_id = _reply(one, ticket, kind, values, known, read, into)
        said += "; an answer was proposed"
    elif is_asked:
        _suggest(one, ticket, kind, lacks)
        said += "; a person got it"
    inputs = {"kind": kind.name, "version": kind.version, "stage": kind.stage}
    states.remark(ticket, "kind_ticket", states.DESK, event_id=one.id, inputs=inputs)
    return said


def values_of(ticket: Ticket) -> dict[str, str]:
    """What a reply on this ticket can say, the customer's own name left aside."""
    rows = sets.run(CONTRACT, {"customer": ticket.customer_id}) if ticket.customer_id else []
    contract, plan = rows[0] if len(rows) == 1 else ("", "")
    customer = ticket.customer.external_id if ticket.customer_id and ticket.customer else ""
    return {"ticket": ticket.number, "customer": customer, "contract": contract, "plan": plan}


def _customer(ticket: Ticket, read: TicketRead) -> tuple[Known | None, dict[str, str]]:
    """The customer by themselves with the ticket as it was just read, and what a reply can say."""
    if ticket.customer_id is None or read.ticket is None:
        return None, {"ticket": ticket.number}
    known = correlate.load_customers([ticket.customer_id]).get(ticket.customer_id)
    if known is not None:
        known.blocks["support"] = {**facts.support_block(read.ticket), "live": True}
    return known, values_of(ticket)


def _reply(
    one: Heard, ticket: Ticket, kind: playbook.Kind, values: dict[str, str], known: Known, read: TicketRead,
    into: Booking,
) -> UUID:  # fmt: skip
    assert read.ticket is not None
    proposal = playbook.reply(ticket.number, kind, kinds.fill(kind.reply, values), read.ticket.updated_at)
    params = {**proposal.params, "seal": sealed(known.refs.external_id, proposal.params)}
    before = len(into.items)
    cause = Cause(one.id, one.correlation_id, playbook.AUTOMATION, one.late)
    made = into.propose(replace(proposal, params=params), known, cause)
    for n in range(before, len(into.items)):
        into.items[n] = guarding.routed(into.items[n], kind.owner_group)
    return made


def _suggest(one: Heard, ticket: Ticket, kind: playbook.Kind, lacks: list[str]) -> None:
    who = "a customer of ours" if ticket.customer_id else "nobody whom we know"
    sentence = f"{str(ticket).capitalize()} is of the kind {kind.name}, from {who}."
    reason = "answer it in the support desk; a suggested answer is below"
    if not kind.reply:
        reason = "answer it in the support desk"
    elif lacks:
        reason = f"nothing is known for {', '.join(lacks)}; fill that in before you answer in the support desk"
    remains = [f"answer ticket {ticket.number}"]
    about = {**guarding.evidence(one, ticket), "ticket_kind": kind.name, "version": kind.version, "remains": remains}
    guarding.ask(one, ticket, OF_KIND, sentence, reason, evidence=about)

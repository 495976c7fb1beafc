"""Tickets that ask for a refund: a wish becomes a proposal, or a sentence that says why it cannot be. Nothing else.

The ticket was read by a thread (`sync.refunds.reading`); here it is booked. One ticket asks once for the same thing;
what it asks for otherwise later replaces what waits, and after a refund went out a person asks for the next one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from gates import items
from gates.models import ReviewItem
from gates.playbooks import refunds
from gates.types import Proposal
from ledger import clock, money
from ledger.models import Action, Contract
from sync import actions, correlate
from sync.actions.refund import REASONS
from sync.booking import Booking, Cause
from sync.contracts.zendesk import TicketSeen
from sync.correlate import Found, Link
from sync.facts import Known
from sync.refunds import following, reading
from sync.refunds.models import RefundRequest
from sync.refunds.reading import TicketAsk, TicketWish
from sync.tickets import reading as tickets
from sync.understand import Heard

ITEM_KIND, WHY, OWNER = "refund.request", "refund_not_possible", "Support"
AGAIN = "again:"
GONE_KIND = "ticket.gone"
OVER = ("rejected", "superseded", "observed", "applied", "compensated")
SILENT = ("shadow", "paused")  # stages in which nobody is told of what would have been


def wanted(heard: Sequence[Heard], links: Mapping[Link, Found]) -> dict[int, TicketAsk]:
    """Which of these events are about a ticket that may ask for a refund: event id -> what is to be read."""
    chosen = settings.MESHLINE_REFUND_TICKETS
    about = [one for one in heard if isinstance(one.seen, TicketSeen)] if chosen["on"] else []
    if not about:
        return {}
    asked = RefundRequest.objects.filter(ticket__in=[one.seen.id for one in about])
    before = dict(asked.values_list("ticket", "customer_id"))
    about = [one for one in about if _may_ask(one, chosen, before)]
    whose = {one.id: _whose_ticket(one, links) or before.get(one.seen.id) for one in about}
    known = correlate.load_customers(customer for customer in whose.values() if customer)
    found = {}
    for one in about:
        payer = known.get(whose[one.id] or 0)
        found[one.id] = TicketAsk(
            one.seen.id, chosen, payer.refs.billing_customer if payer else "", payer.billing_account if payer else ""
        )
    return found


def _whose_ticket(one: Heard, links: Mapping[Link, Found]) -> int | None:
    return next((links[link].customer_id for link in one.contract_links if link in links), None)


def _may_ask(one: Heard, chosen: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """By its tag or form; a trigger's body carries neither, and one that asked before may have changed its mind."""
    if one.kind == GONE_KIND or tickets.is_ours(one.seen):
        return False
    unsaid = not one.seen.tags and not one.seen.form_id
    return unsaid or one.seen.id in before or reading.asks(one.seen.tags, one.seen.form_id, chosen)


def unwrap(one: Heard) -> None:
    """What was read for a wish goes to its own place; the ticket in it is for whoever else hears of tickets."""
    if isinstance(one.read, TicketWish):
        one.wish, one.read = one.read, one.read.told


def places(heard: Sequence[Heard]) -> dict[int, Link]:
    """The billing customer whose payment a ticket is about: event id -> link."""
    return {
        one.id: ("stripe", "customer", one.wish.billing_customer)
        for one in heard
        if isinstance(one.wish, TicketWish) and one.wish.billing_customer
    }


def hear(one: Heard, place: Found | None, contract: Known | None, into: Booking) -> str:
    """What an event of a ticket means for refunds; "" where it means nothing, so that others hear of it."""
    if one.kind == GONE_KIND:
        gone(one, into)
        return ""
    if not isinstance(one.wish, TicketWish):
        return ""
    link = next(iter(places([one]).values()), None)
    payer = correlate.look_up([link]).get(link) if link else None
    told = handle(one, place, payer, contract, into)
    return "" if told.startswith("ignored") else told


def gone(one: Heard, into: Booking) -> str:
    """A ticket was merged or deleted: what it asked for and nobody did yet is not done. "" where it asked nothing."""
    held = RefundRequest.objects.select_for_update().filter(ticket=one.seen.id).first()
    return _withdrawn(held, f"ticket {one.seen.id} was merged into another one or deleted", one, into) if held else ""


def handle(one: Heard, place: Found | None, payer: Found | None, contract: Known | None, into: Booking) -> str:
    """Book what a ticket wishes; returns the verdict. A verdict that begins with AGAIN wants the event read once more.

    `place` is whose ticket it is, `contract` the one it is linked to, `payer` whose payment it is about.
    """
    read: TicketWish = one.wish
    held = RefundRequest.objects.select_for_update().filter(ticket=read.ticket).first()
    if not read.is_asking:
        why = "was merged into another one or deleted" if read.is_gone else "does not ask for a refund any more"
        told = _withdrawn(held, f"ticket {read.ticket} {why}", one, into) if held else ""
        return told or "ignored: this ticket asks for no refund"
    if held is not None and held.wish == read.wish.digest and held.outcome in ("proposed", "refused"):
        return f"superseded: the ticket's wish is known; it was {held.outcome}"
    before = _action_of(held) if held else None
    if before is not None and before.state not in (*following.WAITING, "superseded", "rejected", "observed"):
        return _refuse(
            one, held, contract, into, "this ticket had its answer already; a further one is asked for by hand"
        )
    if place is not None and not read.payment and not read.wish.payment and _is_new(held, place):
        _remember(one, held, "reading", customer=place.customer_id)
        return f"{AGAIN} whose ticket it is was found, and the newest payment is looked for"
    known, sentence = _whose(read, place, payer, contract)
    if not sentence and known is not None:
        params, sentence = _params(read, known)
        sentence = sentence or _duplicate(known, params, before)
        if not sentence:
            if before is not None and before.state in following.WAITING:
                following.withdraw([before], f"ticket {read.ticket} asks for something else now", one, into)
            return _propose(one, held, known, params, into)
    return _refuse(one, held, known, into, sentence)


def _is_new(held: RefundRequest | None, place: Found) -> bool:
    """Whether the newest payment of this customer was not looked for yet."""
    return held is None or held.customer_id != place.customer_id


def _whose(
    read: TicketWish, place: Found | None, payer: Found | None, contract: Known | None
) -> tuple[Known | None, str]:
    """The contract that is asked about, or what is wrong with the payment the ticket names."""
    wish = read.wish
    if contract is None and place is not None:
        contract = _contract_of(place.customer_id)
    if not read.payment:
        if wish.payment:
            return contract, f"there is no payment {wish.payment}"
        return contract, "the ticket names no payment, and no payment of its customer is known; fill in the payment"
    named = payer.customer_id if payer else None
    if named is None:
        return contract, f"nobody here knows whose payment {read.payment['payment']} is"
    if (contract is not None and contract.refs.customer_id != named) or not _is_named(wish.customer, named, read):
        return contract, f"payment {read.payment['payment']} is of another customer"
    return contract or _contract_of(named), ""


def _is_named(customer: str, found: int, read: TicketWish) -> bool:
    """Whether the customer that the ticket names, if it does, is the one who paid: by our id or the provider's."""
    if not customer or customer == read.billing_customer:
        return True
    return Contract.objects.filter(customer_id=found, customer__external_id=customer).exists()


def _contract_of(customer: int) -> Known | None:
    """The customer's contract that runs, else the newest."""
    rows = list(Contract.objects.filter(customer_id=customer).order_by("-id").values_list("pk", "state"))
    running = next((pk for pk, state in rows if state in ("active", "past_due", "suspended")), None)
    chosen = running or (rows[0][0] if rows else None)
    return correlate.load([chosen])[chosen] if chosen else None


def _params(read: TicketWish, known: Known) -> tuple[dict[str, Any], str]:
    """What is asked, held against the payment as it was read."""
    kind, payment = actions.get(refunds.REFUND), read.payment
    known.blocks["payment"] = dict(payment)
    if not payment["charge"]:
        return {}, f"nothing was ever collected by payment {payment['payment']}"
    minor, currency, sentence = reading.amount_of(read.wish, payment)
    reason = read.wish.reason or reading.REASON
    if reason not in REASONS:
        sentence = sentence or f"“{reason}” is no reason that the payment provider keeps: {', '.join(REASONS)}"
    params = {
        "payment": str(payment["payment"]), "amount_minor": minor, "currency": currency, "reason": reason,
        "ticket": read.ticket,
    }  # fmt: skip
    if payment["refunded_minor"] >= payment["amount_minor"]:  # a ticket is told nothing that sounds like one of ours
        return params, f"nothing of the {money.display(payment['amount_minor'], payment['currency'])} is left to refund"
    told = kind.unfit(known, params) or (sentence or kind.wrong(known, params)).rpartition("params.")[2]
    return params, told.partition(": ")[2] if told.startswith(tuple(kind.asks_for)) else told


def _duplicate(known: Known, params: Mapping[str, Any], before: Action | None) -> str:
    key = actions.get(refunds.REFUND).business_key(known, params)
    same = Action.objects.filter(customer=known.refs.customer_id, kind=refunds.REFUND, business_key=key)
    same = same.exclude(state__in=OVER)
    same = same.exclude(pk=before.pk) if before else same
    return "a refund of this payment is under way already" if same.exists() else ""


def _propose(one: Heard, held: RefundRequest | None, known: Known, params: dict[str, Any], into: Booking) -> str:
    kind = actions.get(refunds.REFUND)
    minor, currency = kind.amount(params)
    key = kind.business_key(known, params)
    because = f"ticket {params['ticket']} asks for it"
    proposal = Proposal(
        kind.name, f"ticket:{params['ticket']}", key, because, params, kind.risk, kind.needs, minor, currency
    )
    cause = Cause(one.id, one.correlation_id, refunds.AUTOMATION, one.late)
    made = into.propose(proposal, known, cause)
    _remember(one, held, "proposed", action_id=made)
    return f"done: ticket {params['ticket']} asks for a refund; {into.actions[-1]['state'].replace('_', ' ')}"


def _refuse(one: Heard, held: RefundRequest | None, known: Known | None, into: Booking, sentence: str) -> str:
    """Say why not: to a person, and inside the ticket where the customer is known. Nothing goes to the provider."""
    ticket = one.wish.ticket
    if into.policies.of(refunds.AUTOMATION).stage in SILENT:
        _remember(one, held, "refused", said=sentence)
        return f"done: it would not be refunded, {sentence}"[:290]
    told = f"Ticket {ticket} asks for a refund that cannot be: {sentence}."
    into.items.append(
        items.for_event(
            one.id, ITEM_KIND, told, WHY, owner_group=OWNER, correlation_id=one.correlation_id,
            reason="correct the ticket's fields, then it is looked at again; nothing was asked for and nothing sent",
            customer_id=known.refs.customer_id if known else None, automation=refunds.AUTOMATION, error_code=WHY,
        )
    )  # fmt: skip
    if known is not None:
        into.propose(refunds.explanation(ticket, str(one.id), f"Not refunded: {sentence}."), known,
                     Cause(one.id, one.correlation_id, ""))  # fmt: skip
    _remember(one, held, "refused", said=sentence)
    return f"done: not possible, {sentence}"[:290]


def _action_of(held: RefundRequest) -> Action | None:
    """The refund that the ticket's wish became, held against whoever else moves it."""
    if held.action_id is None:
        return None
    return Action.objects.select_for_update(of=("self",)).filter(pk=held.action_id).first()


def _withdrawn(held: RefundRequest, reason: str, one: Heard, into: Booking) -> str:
    if held.outcome == "withdrawn":
        return ""
    action = _action_of(held)
    if action is not None and action.state in following.WAITING:
        following.withdraw([action], reason, one, into)
    _settle_item(held)
    held.outcome, held.said = "withdrawn", reason
    held.save()
    return f"contradicting: {reason}; what waits is withdrawn"


def _remember(
    one: Heard, held: RefundRequest | None, outcome: str, *, said: str = "", action_id: Any = None, customer: int = 0
) -> None:
    if held is not None:
        _settle_item(held)
    made = held or RefundRequest(ticket=one.wish.ticket)
    made.wish, made.outcome, made.said, made.event_id = one.wish.wish.digest, outcome, said[:500], one.id
    made.action_id = action_id or made.action_id
    made.customer_id = customer or made.customer_id
    made.asked_at = clock.now()
    made.save()


def _settle_item(held: RefundRequest) -> None:
    """What was said of an earlier wish of the ticket is overtaken."""
    for item in ReviewItem.objects.filter(event_id=held.event_id, kind=ITEM_KIND).exclude(state="resolved"):
        item.resolve()
        item.resolution, item.resolved_at = "superseded", clock.now()
        item.save(update_fields=["state", "state_version", "resolution", "resolved_at"])

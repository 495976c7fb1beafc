"""What a refund's event or a ticket's wish has to be read for. Runs in threads: plain data in and out, no ORM."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger import clock, money
from sync import facts
from sync.actions.refund import GONE, MERGED_TAG, biller, ticket_is_gone
from sync.contracts.refunds import RefundSeen
from sync.providers import stripe_accounts, stripe_refunds
from sync.tickets import reading as tickets
from sync.wiretypes import Exchange, TicketFacts

REASON = "requested_by_customer"


@dataclass(frozen=True, slots=True)
class ChargeAsk:
    """All refunds of this charge are wanted; `account` is which of several it is in."""

    charge: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class ChargeRead:
    """Whose charge it is, and its refunds."""

    customer: str
    refunds: tuple[RefundSeen, ...]


@dataclass(frozen=True, slots=True)
class TicketAsk:
    """What this ticket wishes is wanted. `billing_customer` is whom it is known to be of, "" if that is not known."""

    ticket: str
    chosen: Mapping[str, Any]
    billing_customer: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a ticket says, as text; empty where it says nothing."""

    payment: str = ""
    amount: str = ""
    currency: str = ""
    reason: str = ""
    customer: str = ""

    @property
    def digest(self) -> str:
        """The same wish has the same one."""
        words = "\x1f".join((self.payment, self.amount, self.currency, self.reason, self.customer))
        return hashlib.sha256(words.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TicketWish:
    """What a ticket asks for. `payment` is the block of the payment it is about, `told` the ticket for all others."""

    ticket: str
    told: tickets.TicketRead
    is_gone: bool = False
    is_asking: bool = False
    wish: Wish = Wish()
    payment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def billing_customer(self) -> str:
        """Whose payment it is."""
        return str(self.payment.get("customer", ""))


def charge(asked: ChargeAsk, exchanges: list[Exchange]) -> ChargeRead | None:
    """The refunds of a charge; None where there is no such charge. Raises ProviderError."""
    with stripe_accounts.acting_for(asked.account):
        found = biller().payment(asked.charge, exchanges)
    if found is None:
        return None
    seen = tuple(
        RefundSeen(one.id, one.charge_id, found.customer_id, one.status, one.amount, one.currency, one.action, one.why,
                   found.read_at)
        for one in found.refunds
    )  # fmt: skip
    return ChargeRead(found.customer_id, seen)


def ticket(asked: TicketAsk, exchanges: list[Exchange]) -> TicketWish:
    """The ticket, its wish and the payment it names, or else the newest one of its customer. Raises ProviderError."""
    told = tickets.about(asked.ticket, exchanges)
    if told.ticket is None or is_merged(told.ticket):
        return TicketWish(asked.ticket, told, is_gone=True)
    wish = wish_of(told.ticket, asked.chosen["fields"])
    if not asks(told.ticket.tags, told.ticket.form_id, asked.chosen):
        return TicketWish(asked.ticket, told, wish=wish)
    with stripe_accounts.acting_for(asked.account):
        payment = wish.payment or _newest(asked.billing_customer or wish.customer, exchanges)
        block = _payment(payment, exchanges)
    return TicketWish(asked.ticket, told, is_asking=True, wish=wish, payment=block)


def _newest(customer: str, exchanges: list[Exchange]) -> str:
    """The newest collected payment of a customer of the provider; "" where there is none, or no such id."""
    if not customer.startswith("cus_") or not customer.replace("_", "").isalnum():
        return ""
    recent = stripe_refunds.recent(biller(), customer, exchanges)
    return recent[0].charge_id if recent else ""


def asks(tags: tuple[str, ...], form: str, chosen: Mapping[str, Any]) -> bool:
    """Whether a ticket with these tags and this form asks for a refund."""
    return bool(chosen["on"]) and (chosen["tag"] in tags or bool(form and form == chosen["form"]))


def is_merged(found: TicketFacts) -> bool:
    """A ticket that went into another one stays readable, closed and with the desk's own tag."""
    return found.status == "closed" and MERGED_TAG in found.tags


def wish_of(found: TicketFacts, fields: Mapping[str, str]) -> Wish:
    """The wish in the fields that are configured."""
    told = {name: found.fields.get(number, "").strip()[:100] for name, number in fields.items()}
    return Wish(**{**told, "currency": told.get("currency", "").lower()})


def amount_of(wish: Wish, payment: Mapping[str, Any]) -> tuple[int, str, str]:
    """Amount in minor units, currency and "", or the sentence that says what is wrong with what the ticket says.

    Without an amount all that is left is meant; without a currency the payment's own.
    """
    currency = wish.currency or str(payment["currency"])
    places = money.exponent(currency)
    if places is None:
        return 0, currency, f"“{wish.currency}” is not a currency we know"
    if not wish.amount:
        return int(payment["amount_minor"]) - int(payment["refunded_minor"]), currency, ""
    whole, point, part = wish.amount.partition(".")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    is_number = whole.isascii() and whole.isdigit() and len(whole) < 16 and (not point or part.isascii())
    if not is_number or (point and not (part.isdigit() and len(part) <= places)):
        example = money.display(12 * 10**places, currency)
        return 0, currency, f"“{wish.amount}” is no amount of {currency.upper()}, which is written like {example}"
    minor = int(sign + whole + part.ljust(places, "0"))
    if minor < 1:
        return 0, currency, f"the amount must be more than 0, this is {money.display(minor, currency)}"
    return minor, currency, ""


def _payment(payment: str, exchanges: list[Exchange]) -> Mapping[str, Any]:
    if not payment.startswith(("pi_", "ch_", "py_")) or not payment.replace("_", "").isalnum():
        return {}
    found = biller().payment(payment, exchanges)
    return facts.payment_block(found) if found else {}


def asking_block(ticket_id: str, exchanges: list[Exchange]) -> dict[str, Any]:
    """Whether a ticket that a refund is asked from is still there, as a block. Raises ProviderError."""
    status = GONE if ticket_is_gone(ticket_id, exchanges) else "there"
    return {"synced_at": clock.now().isoformat(), "ticket": ticket_id, "status": status}


def refund_block(refund_id: str, exchanges: list[Exchange]) -> dict[str, Any]:
    """A refund as it is now, as a block. Raises ProviderError."""
    found = biller().refund(refund_id, exchanges)
    status = found.status if found else "gone"
    return {"synced_at": clock.now().isoformat(), "refund": refund_id, "status": status}


# What is asked of a provider for an event, by what is asked.
ASKED: Mapping[type, Callable[[Any, list[Exchange]], Any]] = {ChargeAsk: charge, TicketAsk: ticket}

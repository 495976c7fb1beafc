"""Reading a dispute when an event tells of it: as it is now, with its payment. Runs in threads: no ORM."""

from dataclasses import dataclass
from datetime import datetime

from gates.playbooks import disputes
from ledger import clock
from sync.actions.refund import biller
from sync.contracts.stripe import DisputeSeen, FraudSeen
from sync.providers import stripe_accounts, stripe_disputes
from sync.providers.stripe_disputes import PaidFor
from sync.understand import Heard
from sync.wiretypes import Exchange, PaymentFacts

KINDS = ("dispute.changed", "fraud.warned")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which dispute or warning, of which payment."""

    id: str
    charge: str
    is_warning: bool
    account: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What the provider has now: the dispute or warning (None: it has none), its payment, and what that paid for."""

    seen: DisputeSeen | FraudSeen | None
    payment: PaymentFacts | None
    paid_for: PaidFor
    subscription: str
    read_at: datetime


def asked_of(one: Heard) -> Asked | None:
    """What has to be read before this event can be booked; None for other events."""
    if not isinstance(one.seen, DisputeSeen | FraudSeen):
        return None
    account = one.account if one.account in stripe_accounts.further() else ""
    return Asked(one.seen.id, one.seen.charge_id, isinstance(one.seen, FraudSeen), account)


def about(asked: Asked, exchanges: list[Exchange]) -> Read:
    """Everything that is judged on. Raises ProviderError."""
    with stripe_accounts.acting_for(asked.account):
        return _read(asked, exchanges)


def _read(asked: Asked, exchanges: list[Exchange]) -> Read:
    stripe, read_at = biller(), clock.now()
    seen: DisputeSeen | FraudSeen | None
    if asked.is_warning:
        seen = stripe_disputes.warning(stripe, asked.id, exchanges)
    else:
        seen = stripe_disputes.dispute(stripe, asked.id, exchanges)
    payment = stripe.payment(seen.charge_id if seen else asked.charge, exchanges)
    if seen is None or payment is None or not _is_open(seen):
        return Read(seen, payment, PaidFor(), "", read_at)
    paid_for = stripe_disputes.paid_for(stripe, seen.intent_id, exchanges)
    found = stripe.subscription(paid_for.subscription_id, exchanges) if paid_for.subscription_id else None
    return Read(seen, payment, paid_for, found.status if found else "", read_at)


def _is_open(seen: DisputeSeen | FraudSeen) -> bool:
    if isinstance(seen, FraudSeen):
        return seen.is_actionable
    return disputes.standing_of(seen.status)[1] not in disputes.OVER


def name_payer(one: Heard) -> None:
    """A dispute names its payment, not who paid: that is known once the payment was read."""
    if isinstance(one.read, Read) and one.read.payment is not None and one.read.payment.customer_id:
        link = (one.source, "customer", one.read.payment.customer_id)
        one.customer_links = tuple(dict.fromkeys((*one.customer_links, link)))

"""What a provider told of a dispute, from its event and from what it has now, as plain values."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from gates.playbooks import disputes
from gates.playbooks.disputes import Case, Paid, Terms
from ledger import clock
from sync.contracts.stripe import DisputeSeen, FraudSeen
from sync.disputes.reading import Read
from sync.understand import Heard
from sync.wiretypes import PaymentFacts

ACTIONABLE, NOT_ACTIONABLE = "actionable", "not_actionable"


@dataclass(frozen=True, slots=True)
class Told:
    """One dispute as it is known after this event. `at` is the time of that knowledge, aware UTC.

    `is_live`: the provider was asked and had it; else it is only what the event said then.
    """

    case: Case
    at: datetime
    is_live: bool
    payment: PaymentFacts | None = None
    paid: Paid | None = None
    subscription_id: str = ""
    subscription: str = ""


def of(one: Heard) -> Told:
    """What the provider has now wins over what the event said."""
    read = one.read if isinstance(one.read, Read) else None
    seen = read.seen if read and read.seen is not None else one.seen
    is_live = bool(read and read.seen is not None)
    at = read.read_at if read and is_live else one.occurred_at or clock.now()
    payment = read.payment if read else None
    if read is None or payment is None:
        return Told(_case(seen, None), at, is_live)
    paid = Paid(
        payment.amount, payment.refunded, payment.currency, payment.is_charged_back, read.paid_for.starts_at,
        read.paid_for.ends_at,
    )  # fmt: skip
    return Told(_case(seen, paid), at, is_live, payment, paid, read.paid_for.subscription_id, read.subscription)


def _case(seen: DisputeSeen | FraudSeen, paid: Paid | None) -> Case:
    if isinstance(seen, FraudSeen):
        status = ACTIONABLE if seen.is_actionable else NOT_ACTIONABLE
        amount, currency = (paid.amount_minor, paid.currency) if paid else (0, "")
        reason, due = "fraudulent", None
    else:
        status, amount, currency, reason, due = seen.status, seen.amount, seen.currency, seen.reason, seen.due_at
    kind, standing = disputes.standing_of(status)
    return Case(
        seen.id, kind, standing, status, seen.charge_id, amount, currency, reason, seen.opened_at or seen.occurred_at,
        due,
    )  # fmt: skip


def terms() -> Terms:
    """As the operator set them."""
    chosen = settings.MESHLINE_DISPUTES
    return Terms(chosen["basis"], chosen["fees"], timedelta(seconds=chosen["margin"]))

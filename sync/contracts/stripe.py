"""Event contracts of Stripe, across API generations.

An event carries the shape of its endpoint's API version for ever, so several shapes arrive at once. The presence of a
key decides which shape it is; neither the old key nor the new one, or a generation nobody has looked at, is drift.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sync.contracts import charges, members, refunds, subscriptions
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift, DriftError

SOURCE = "stripe"
GENERATIONS = ("acacia", "basil", "clover", "dahlia", "endive")
FIRST_NAMED = "2024-09-30"  # older versions carry a date only
INVOICE_STATUSES = frozenset({"draft", "open", "paid", "uncollectible", "void"})
CLOSED_DISPUTES = frozenset({"won", "lost", "warning_closed", "prevented", "charge_refunded"})
EXTERNAL_ID_KEY = "meshline_external_id"
CUSTOMER_FIELDS = ("name", "email", "phone", "address", "shipping")

_INVOICE = ("id", "customer", "status", "attempt_count", "amount_due", "amount_remaining", "currency")
_SUBSCRIPTION = ("id", "customer", "status", "cancel_at_period_end", "items")
_DISPUTE = ("id", "charge", "status", "amount", "currency")
_FINAL, _TRANSIENT = Semantics.FINAL, Semantics.TRANSIENT

CONTRACTS = {
    "invoice.payment_failed": EventContract("payment.failed", _TRANSIENT, _INVOICE),
    "invoice.paid": EventContract("payment.succeeded", Semantics.CONTRADICTING, _INVOICE),
    "invoice.payment_succeeded": EventContract("payment.succeeded", Semantics.CONTRADICTING, _INVOICE),
    "invoice.voided": EventContract("invoice.closed", _FINAL, _INVOICE),
    "invoice.marked_uncollectible": EventContract("invoice.closed", _TRANSIENT, _INVOICE),
    "customer.subscription.created": EventContract("subscription.changed", _TRANSIENT, _SUBSCRIPTION),
    "customer.subscription.updated": EventContract("subscription.changed", _TRANSIENT, _SUBSCRIPTION),
    "customer.subscription.paused": EventContract("subscription.changed", _TRANSIENT, _SUBSCRIPTION),
    "customer.subscription.resumed": EventContract("subscription.changed", _TRANSIENT, _SUBSCRIPTION),
    "customer.subscription.deleted": EventContract("subscription.ended", _FINAL, _SUBSCRIPTION),
    "charge.dispute.created": EventContract("dispute.changed", _TRANSIENT, _DISPUTE),
    "charge.dispute.updated": EventContract("dispute.changed", _TRANSIENT, _DISPUTE),
    "charge.dispute.closed": EventContract("dispute.changed", _FINAL, _DISPUTE),
    "charge.dispute.funds_withdrawn": EventContract("dispute.changed", _TRANSIENT, _DISPUTE),
    "charge.dispute.funds_reinstated": EventContract("dispute.changed", _TRANSIENT, _DISPUTE),
    "radar.early_fraud_warning.created": EventContract("fraud.warned", _TRANSIENT, ("id", "charge", "actionable")),
    "radar.early_fraud_warning.updated": EventContract("fraud.warned", _TRANSIENT, ("id", "charge", "actionable")),
    **refunds.CONTRACTS,
    **charges.CONTRACTS,
    "customer.created": EventContract("customer.changed", _TRANSIENT, ("id",)),
    "customer.updated": EventContract("customer.changed", _TRANSIENT, ("id",)),
    "customer.deleted": EventContract("customer.gone", _FINAL, ("id",)),
}
INFORMATIONAL = EventContract("informational", Semantics.INFORMATIONAL)
_INFORMATIONAL_FAMILIES = ("charge.", "payment_intent.", "refund.", "invoice_payment.", "radar.early_fraud_warning.")
_INFORMATIONAL_TYPES = frozenset(
    {
        "customer.subscription.trial_will_end",
        "customer.subscription.pending_update_applied",
        "customer.subscription.pending_update_expired",
        *(
            f"invoice.{happened}"
            for happened in [
                "created",
                "deleted",
                "finalized",
                "finalization_failed",
                "overdue",
                "overpaid",
                "payment_action_required",
                "payment_attempt_required",
                "sent",
                "upcoming",
                "updated",
                "will_be_due",
            ]
        ),
    }
)


@dataclass(frozen=True, slots=True)
class InvoiceSeen:
    """An invoice as an event, or a read, shows it."""

    invoice_id: str
    number: str
    customer_id: str
    subscription_id: str
    status: str
    is_paid: bool
    attempt_count: int
    next_attempt_at: datetime | None
    amount_due: int
    amount_remaining: int
    currency: str
    occurred_at: datetime | None
    created_at: datetime | None = None
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionSeen:
    """A subscription as an event, or a read, shows it."""

    id: str
    customer_id: str
    status: str
    period_end: datetime | None
    cancel_at_period_end: bool
    amount_minor: int | None  # a month's worth; None where it cannot be told
    currency: str
    started_at: datetime | None
    metadata: Mapping[str, str]
    occurred_at: datetime | None = None
    ended_by: str = ""  # the action of ours that ended it


@dataclass(frozen=True, slots=True)
class DisputeSeen:
    """A dispute of a charge."""

    id: str
    charge_id: str
    customer_id: str  # "" unless the charge came expanded
    status: str
    amount: int
    currency: str
    is_open: bool
    occurred_at: datetime | None = None
    reason: str = ""
    due_at: datetime | None = None  # None also where no answer is possible
    opened_at: datetime | None = None
    intent_id: str = ""
    balances: tuple[str, ...] = ()  # the lines of the provider's balance that it is so far


@dataclass(frozen=True, slots=True)
class FraudSeen:
    """A bank's early warning about a charge."""

    id: str
    charge_id: str
    customer_id: str  # "" unless the charge came expanded
    is_actionable: bool
    occurred_at: datetime | None = None
    opened_at: datetime | None = None
    intent_id: str = ""


@dataclass(frozen=True, slots=True)
class CustomerSeen:
    """A customer: which one, and which of ours it says it is. `changed` are the fields an update moved."""

    id: str
    is_deleted: bool
    external_id: str
    occurred_at: datetime | None = None
    changed: tuple[str, ...] = ()


Seen = (
    InvoiceSeen | SubscriptionSeen | DisputeSeen | FraudSeen | CustomerSeen | charges.ChargeSeen | refunds.RefundSeen
    | refunds.ChargeRefundedSeen
)  # fmt: skip


def contract_for(type_: str) -> EventContract:
    """The contract of one of Stripe's event types."""
    found = CONTRACTS.get(type_)
    if found:
        return found
    if type_.startswith("charge.dispute."):
        return CONTRACTS["charge.dispute.updated"]
    known = type_ in _INFORMATIONAL_TYPES or type_.startswith(_INFORMATIONAL_FAMILIES)
    return INFORMATIONAL if known else UNKNOWN


def read(type_: str, api_version: str, document: Mapping[str, Any]) -> Seen | Drift | None:
    """What a whole event document says; None if it says nothing we use. Never raises."""
    contract = contract_for(type_)
    reader = _READERS.get(contract.kind)
    if reader is None:
        return None
    try:
        check_generation(api_version)
        found = members.mapping(members.mapping(document, "data"), "object")
        for member in contract.required:
            members.present(found, member)
        seen = reader(found, members.unix_time(document, "created"))
        return replace(seen, changed=_changed(document)) if isinstance(seen, CustomerSeen) else seen
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def _changed(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a customer's own fields that an event says were others before."""
    before = members.mapping(members.mapping(document, "data"), "previous_attributes")
    return tuple(name for name in CUSTOMER_FIELDS if name in before)


def check_generation(api_version: str) -> None:
    """DriftError for a shape nobody has looked at yet."""
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})(?:\.([a-z]+))?", api_version)
    if found is None or (found[2] not in GENERATIONS if found[2] else found[1] >= FIRST_NAMED):
        raise DriftError("api_version", "unknown generation")


def invoice_seen(invoice: Mapping[str, Any], occurred_at: datetime | None = None) -> InvoiceSeen:
    """Read an invoice of any known generation; DriftError."""
    transitions = members.mapping(invoice, "status_transitions")
    return InvoiceSeen(
        invoice_id=members.text(invoice, "id"),
        number=members.text_or_blank(invoice, "number"),
        customer_id=customer_id(invoice),
        subscription_id=invoice_subscription_id(invoice),
        status=invoice_status(invoice),
        is_paid=invoice_is_paid(invoice),
        attempt_count=members.integer(invoice, "attempt_count", low=0),
        next_attempt_at=members.unix_time(invoice, "next_payment_attempt"),
        amount_due=members.integer(invoice, "amount_due", low=0),
        amount_remaining=members.integer(invoice, "amount_remaining", low=0),
        currency=members.currency(invoice),
        occurred_at=occurred_at,
        created_at=members.unix_time(invoice, "created"),
        paid_at=members.unix_time(transitions, "paid_at"),
    )


def subscription_seen(subscription: Mapping[str, Any], occurred_at: datetime | None = None) -> SubscriptionSeen:
    """Read a subscription of any known generation; DriftError."""
    return SubscriptionSeen(
        id=members.text(subscription, "id"),
        customer_id=customer_id(subscription),
        status=members.text(subscription, "status"),
        period_end=subscription_period_end(subscription),
        cancel_at_period_end=members.flag(subscription, "cancel_at_period_end"),
        amount_minor=subscription_monthly_amount(subscription),
        currency=subscription_currency(subscription),
        started_at=members.unix_time(subscription, "start_date"),
        metadata=members.labels(subscription),
        occurred_at=occurred_at,
        ended_by=subscriptions.ended_by(subscription),
    )


def dispute_seen(dispute: Mapping[str, Any], occurred_at: datetime | None = None) -> DisputeSeen:
    """Read a dispute; a status we do not know counts as open. DriftError."""
    status = members.text(dispute, "status")
    return DisputeSeen(
        id=members.text(dispute, "id"),
        charge_id=members.reference(dispute, "charge"),
        customer_id=_customer_of_charge(dispute),
        status=status,
        amount=members.integer(dispute, "amount", low=0),
        currency=members.currency(dispute),
        is_open=status not in CLOSED_DISPUTES,
        occurred_at=occurred_at,
        reason=members.text_or_blank(dispute, "reason"),
        due_at=_due(dispute),
        opened_at=members.unix_time(dispute, "created"),
        intent_id=members.reference(dispute, "payment_intent"),
        balances=tuple(members.text(row, "id") for row in members.mappings(dispute, "balance_transactions")),
    )


def _due(dispute: Mapping[str, Any]) -> datetime | None:
    """When evidence is due; null, and 0 as some generations write it, where none can be sent."""
    details = members.mapping(dispute, "evidence_details")
    return members.unix_time(details, "due_by") if details.get("due_by") else None


def fraud_seen(warning: Mapping[str, Any], occurred_at: datetime | None = None) -> FraudSeen:
    """Read an early fraud warning; DriftError."""
    return FraudSeen(
        id=members.text(warning, "id"),
        charge_id=members.reference(warning, "charge"),
        customer_id=_customer_of_charge(warning),
        is_actionable=members.flag(warning, "actionable"),
        occurred_at=occurred_at,
        opened_at=members.unix_time(warning, "created"),
        intent_id=members.reference(warning, "payment_intent"),
    )


def customer_seen(customer: Mapping[str, Any], occurred_at: datetime | None = None) -> CustomerSeen:
    """Read a customer, also a deleted one; DriftError."""
    return CustomerSeen(
        id=members.text(customer, "id"),
        is_deleted=members.flag(customer, "deleted") if "deleted" in customer else False,
        external_id=members.labels(customer).get(EXTERNAL_ID_KEY, ""),
        occurred_at=occurred_at,
    )


def customer_gone(customer: Mapping[str, Any], occurred_at: datetime | None = None) -> CustomerSeen:
    """The event of a deletion shows the customer as it was, not always with its `deleted` mark."""
    return replace(customer_seen(customer, occurred_at), is_deleted=True)


def customer_id(document: Mapping[str, Any]) -> str:
    """The customer, or since clover the account that takes a customer's place."""
    members.present(document, "customer")
    found = members.reference(document, "customer") or members.reference(document, "customer_account")
    if not found:
        raise DriftError("customer", "empty")
    return found


def invoice_status(invoice: Mapping[str, Any]) -> str:
    """One of the five states an invoice can have."""
    status = members.text(invoice, "status")
    if status not in INVOICE_STATUSES:
        raise DriftError("status", "unknown state")
    return status


def invoice_subscription_id(invoice: Mapping[str, Any]) -> str:
    """The subscription billed: at the top until acacia, below `parent` since basil; "" for a one-off invoice."""
    if "parent" not in invoice and "subscription" not in invoice:
        raise DriftError("subscription", "neither subscription nor parent")
    parent = members.mapping(invoice, "parent")
    new = members.reference(members.mapping(parent, "subscription_details"), "subscription")
    old = members.reference(invoice, "subscription")
    if old and new and old != new:
        raise DriftError("subscription", "two different subscriptions")
    return new or old


def invoice_is_paid(invoice: Mapping[str, Any]) -> bool:
    """Until acacia `paid` says so as well; both must agree."""
    is_paid = invoice_status(invoice) == "paid"
    if "paid" in invoice and members.flag(invoice, "paid") != is_paid:
        raise DriftError("paid", "contradicts status")
    return is_paid


def subscription_period_end(subscription: Mapping[str, Any]) -> datetime | None:
    """The end of the paid period: of the subscription until acacia, the latest of its items since basil."""
    items = _items(subscription)
    ends = [members.unix_time(item, "current_period_end") for item in items if "current_period_end" in item]
    if ends:
        return max((end for end in ends if end), default=None)
    if "current_period_end" not in subscription:
        raise DriftError("current_period_end", "neither on the subscription nor on its items")
    return members.unix_time(subscription, "current_period_end")


def subscription_currency(subscription: Mapping[str, Any]) -> str:
    """Its own, else that of its first price."""
    if subscription.get("currency") is not None:
        return members.currency(subscription)
    for item in _items(subscription):
        return members.currency(members.mapping(item, "price"))
    raise DriftError("currency", "missing")


MONTHS = {"month": (1, 1), "year": (1, 12), "week": (52, 12), "day": (365, 12)}


def subscription_monthly_amount(subscription: Mapping[str, Any]) -> int | None:
    """What a month costs in minor units, rounded down; None for metered, tiered or unusual prices."""
    total = 0
    for item in _items(subscription):
        price = members.mapping(item, "price")
        recurring = members.mapping(price, "recurring")
        amount, quantity = price.get("unit_amount"), item.get("quantity", 1)
        times, months = MONTHS.get(str(recurring.get("interval")), (0, 0))
        count = recurring.get("interval_count", 1)
        if not times or not all(type(number) is int and number >= 0 for number in (amount, quantity, count)):
            return None
        total += amount * quantity * times // (months * count) if count else 0
    return total if 0 < total < 2**63 else None


def _items(subscription: Mapping[str, Any]) -> list[dict[str, Any]]:
    return members.mappings(members.mapping(subscription, "items"), "data")


def _customer_of_charge(document: Mapping[str, Any]) -> str:
    charge = document.get("charge")
    return members.reference(charge, "customer") if isinstance(charge, dict) else ""


_READERS: dict[str, Callable[[Mapping[str, Any], datetime | None], Seen]] = {
    "payment.failed": invoice_seen,
    "payment.succeeded": invoice_seen,
    "invoice.closed": invoice_seen,
    "subscription.changed": subscription_seen,
    "subscription.ended": subscription_seen,
    "dispute.changed": dispute_seen,
    "fraud.warned": fraud_seen,
    **charges.READERS,
    "customer.changed": customer_seen,
    "customer.gone": customer_gone,
    **refunds.READERS,
}

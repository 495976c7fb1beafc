"""Refunds as the billing provider's events tell of them: one refund, or a charge of which something was given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.contracts import members
from sync.contracts.event import EventContract, Semantics
from sync.contracts.members import DriftError

MARK = "meshline_action"  # the label that carries our action
_REFUND = EventContract("refund.changed", Semantics.TRANSIENT, ("id", "charge", "status", "amount", "currency"))
CONTRACTS = {
    "refund.created": _REFUND,
    "refund.updated": _REFUND,
    "refund.failed": EventContract("refund.changed", Semantics.FINAL, _REFUND.required),
    "charge.refund.updated": _REFUND,
    "charge.refunded": EventContract("charge.refunded", Semantics.TRANSIENT, ("id", "amount_refunded", "currency")),
}
STATUSES = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """One refund. `customer_id` is empty in shapes before July 2026; `action` is what its label says made it."""

    id: str
    charge_id: str
    customer_id: str
    status: str
    amount: int
    currency: str
    action: str
    why: str
    occurred_at: datetime | None = None
    balances: tuple[str, ...] = ()  # the lines of the provider's balance that it is so far


@dataclass(frozen=True, slots=True)
class ChargeRefundedSeen:
    """A charge of which something was given back: `refunded` is all that was, in minor units."""

    charge_id: str
    customer_id: str
    refunded: int
    currency: str
    occurred_at: datetime | None = None


def refund_seen(refund: Mapping[str, Any], occurred_at: datetime | None = None) -> RefundSeen:
    """Read a refund of any known generation. DriftError, also for a status nobody has met."""
    status = members.text(refund, "status")
    if status not in STATUSES:
        raise DriftError("status", "unknown state")
    return RefundSeen(
        id=members.text(refund, "id"),
        charge_id=members.reference(refund, "charge"),
        customer_id=members.reference(refund, "customer"),
        status=status,
        amount=members.integer(refund, "amount", low=1),
        currency=members.currency(refund),
        action=members.labels(refund).get(MARK, ""),
        why=members.text_or_blank(refund, "failure_reason") or members.text_or_blank(refund, "pending_reason"),
        occurred_at=occurred_at,
        balances=_balances(refund),
    )


def _balances(refund: Mapping[str, Any]) -> tuple[str, ...]:
    """What it took from the balance, and what came back when it failed; none while it has not left."""
    names = ("balance_transaction", "failure_balance_transaction")
    return tuple(filter(None, (members.reference(refund, name) for name in names)))


def charge_refunded_seen(charge: Mapping[str, Any], occurred_at: datetime | None = None) -> ChargeRefundedSeen:
    """Read a charge; DriftError."""
    return ChargeRefundedSeen(
        charge_id=members.text(charge, "id"),
        customer_id=members.reference(charge, "customer"),
        refunded=members.integer(charge, "amount_refunded", low=0),
        currency=members.currency(charge),
        occurred_at=occurred_at,
    )


READERS: dict[str, Callable[[Mapping[str, Any], datetime | None], RefundSeen | ChargeRefundedSeen]] = {
    "refund.changed": refund_seen,
    "charge.refunded": charge_refunded_seen,
}

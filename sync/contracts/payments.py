"""Reading payments and their refunds as the billing provider shows them: whole minor units, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sync.contracts import members, refunds
from sync.contracts.members import DriftError
from sync.contracts.stripe import dispute_seen
from sync.wiretypes import PaymentFacts, RefundFacts

REFUND_STATUSES = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})
GIVEN_UP_BY_BANK = frozenset({"won", "warning_closed", "prevented"})


def payment_seen(
    asked: str, charge: Mapping[str, Any], disputes: Sequence[Mapping[str, Any]], refunds: Sequence[RefundFacts],
    read_at: datetime,
) -> PaymentFacts:  # fmt: skip
    """A charge with its disputes and refunds; DriftError.

    The charge's own sum of refunds and that of its refunds are both read; where they differ, the larger one counts:
    a refund that was made between the two reads must not be given twice.
    """
    counted = sum(one.amount for one in refunds if one.counts)
    seen = [dispute_seen(one) for one in disputes]
    return PaymentFacts(
        id=asked,
        charge_id=members.text(charge, "id"),
        customer_id=members.reference(charge, "customer"),
        status=members.text(charge, "status"),
        amount=members.integer(charge, "amount_captured", low=0),
        refunded=max(members.integer(charge, "amount_refunded", low=0), counted),
        currency=members.currency(charge),
        is_charged_back=any(_takes_back(one) for one in disputes),
        has_open_dispute=any(one.is_open for one in seen),
        is_fraud_reported="fraudulent" in members.mapping(charge, "fraud_details").values(),
        refunds=tuple(refunds),
        read_at=read_at,
    )


def never_collected(asked: str, intent: Mapping[str, Any], read_at: datetime) -> PaymentFacts:
    """A payment that nobody ever tried to charge; DriftError."""
    return PaymentFacts(
        id=asked, charge_id="", customer_id=members.reference(intent, "customer"),
        status=members.text(intent, "status"), amount=0, refunded=0, currency=members.currency(intent),
        is_charged_back=False, has_open_dispute=False, is_fraud_reported=False, refunds=(), read_at=read_at,
    )  # fmt: skip


def refund_seen(refund: Any, mark: str) -> RefundFacts:
    """One refund; `mark` is the name of the label that carries our action. DriftError, also for an unknown status."""
    if not isinstance(refund, Mapping) or refund.get("object") != "refund":
        raise DriftError("object", "is no refund")
    status = members.text(refund, "status")
    if status not in refunds.STATUSES:
        raise DriftError("status", "unknown state")
    return RefundFacts(
        id=members.text(refund, "id"),
        charge_id=members.reference(refund, "charge"),
        status=status,
        amount=members.integer(refund, "amount", low=1),
        currency=members.currency(refund),
        action=members.labels(refund).get(mark, ""),
        why=members.text_or_blank(refund, "failure_reason") or members.text_or_blank(refund, "pending_reason"),
    )


def _takes_back(dispute: Mapping[str, Any]) -> bool:
    """Inquiries leave a charge refundable; a chargeback that the bank did not give up pays the customer already."""
    status = members.text(dispute, "status")
    return status not in GIVEN_UP_BY_BANK and not members.flag(dispute, "is_charge_refundable")

"""Stripe's disputes and early fraud warnings, read as they are now, and the time that a disputed payment paid for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.contracts import members
from sync.contracts import stripe as contract
from sync.contracts.members import DriftError
from sync.contracts.stripe import DisputeSeen, FraudSeen
from sync.providers import base
from sync.providers.base import Exchanges
from sync.providers.stripe import Stripe


@dataclass(frozen=True, slots=True)
class PaidFor:
    """What a payment paid for: the subscription and its period; "" and None where it was none."""

    subscription_id: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def dispute(stripe: Stripe, dispute_id: str, exchanges: Exchanges | None = None) -> DisputeSeen | None:
    """One dispute as it is now; None if there is none. Raises ProviderError."""
    document = stripe.get(f"/v1/disputes/{base.path_id(dispute_id, stripe.name)}", exchanges)
    try:
        return contract.dispute_seen(document) if document else None
    except DriftError as error:
        raise stripe.drifted(error) from error


def warning(stripe: Stripe, warning_id: str, exchanges: Exchanges | None = None) -> FraudSeen | None:
    """One early fraud warning as it is now; None if there is none. Raises ProviderError."""
    document = stripe.get(f"/v1/radar/early_fraud_warnings/{base.path_id(warning_id, stripe.name)}", exchanges)
    try:
        return contract.fraud_seen(document) if document else None
    except DriftError as error:
        raise stripe.drifted(error) from error


def paid_for(stripe: Stripe, intent_id: str, exchanges: Exchanges | None = None) -> PaidFor:
    """By the invoice that a payment intent paid. Raises ProviderError; nothing is guessed where there is no invoice."""
    if not intent_id:
        return PaidFor()
    wanted = base.path_id(intent_id, stripe.name)
    query = f"payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D={wanted}&limit=1"
    found = stripe.get(f"/v1/invoice_payments?{query}", exchanges)
    try:
        rows = members.mappings(found, "data") if found else []
        invoice_id = members.reference(rows[0], "invoice") if rows else ""
        if not invoice_id:
            return PaidFor()
        invoice = stripe.get(f"/v1/invoices/{base.path_id(invoice_id, stripe.name)}", exchanges)
        if invoice is None:
            return PaidFor()
        lines = members.mappings(members.mapping(invoice, "lines"), "data")
        periods = [members.mapping(line, "period") for line in lines]
        starts = [at for at in (members.unix_time(one, "start") for one in periods) if at]
        ends = [at for at in (members.unix_time(one, "end") for one in periods) if at]
        return PaidFor(
            contract.invoice_subscription_id(invoice), min(starts, default=None), max(ends, default=None)
        )  # fmt: skip
    except DriftError as error:
        raise stripe.drifted(error) from error

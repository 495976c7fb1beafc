"""What is read of payments around a refund: the newest payments of a customer, the invoice a charge paid."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import money
from sync.contracts import members
from sync.contracts.members import DriftError
from sync.providers import base
from sync.providers.base import Exchanges
from sync.providers.stripe import Stripe

MOST_PAYMENTS = 5
LOOKED_THROUGH = 20
_PAYMENTS_OF = "/v1/invoice_payments?payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D="


@dataclass(frozen=True, slots=True)
class PaidCharge:
    """A collected payment in short. Amounts in minor units of `currency`."""

    charge_id: str
    amount: int
    refunded: int
    currency: str
    paid_at: datetime | None
    is_disputed: bool

    @property
    def left(self) -> int:
        """What can still be given back."""
        return max(0, self.amount - self.refunded)

    @property
    def collected(self) -> str:
        """What was collected, for people."""
        return money.display(self.amount, self.currency)

    @property
    def shown(self) -> str:
        """What is left, for people."""
        return money.display(self.left, self.currency)


def recent(stripe: Stripe, customer: str, exchanges: Exchanges | None = None) -> list[PaidCharge]:
    """The newest collected payments of a customer, newest first: one call. Raises ProviderError."""
    query = f"customer={base.path_id(customer, stripe.name)}&limit={LOOKED_THROUGH}"
    document = stripe.get(f"/v1/charges?{query}", exchanges) or {}
    try:
        charges = [one for one in members.mappings(document, "data") if members.text(one, "status") == "succeeded"]
        return [_charge(one) for one in charges][:MOST_PAYMENTS]
    except DriftError as error:
        raise stripe.drifted(error) from error


def invoice_of(stripe: Stripe, charge_id: str, exchanges: Exchanges | None = None) -> str:
    """The invoice that a charge paid, "" where it paid none; two calls. Raises ProviderError."""
    charge = stripe.get(f"/v1/charges/{base.path_id(charge_id, stripe.name)}", exchanges) or {}
    try:
        own = members.reference(charge, "invoice")  # until the generation that took it off charges
        intent = members.reference(charge, "payment_intent")
        if own or not intent:
            return own
        document = stripe.get(f"{_PAYMENTS_OF}{base.path_id(intent, stripe.name)}&limit=1", exchanges) or {}
        found = members.mappings(document, "data")
        return members.reference(found[0], "invoice") if found else ""
    except DriftError as error:
        raise stripe.drifted(error) from error


def _charge(charge: Mapping[str, Any]) -> PaidCharge:
    return PaidCharge(
        charge_id=members.text(charge, "id"),
        amount=members.integer(charge, "amount_captured", low=0),
        refunded=members.integer(charge, "amount_refunded", low=0),
        currency=members.currency(charge),
        paid_at=members.unix_time(charge, "created"),
        is_disputed=members.flag(charge, "disputed"),
    )

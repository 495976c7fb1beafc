"""What every installation starts with for cancellations: the tenure gate, their automation, what is an owner's say."""

from typing import Any

from gates.models import OwnerSensitive

CANCEL = "subscription.cancel"
# Months; people change it as every gate, by a new version. A tenure that nobody knows counts as longer.
TENURE_MONTHS = 24
GATES: list[dict[str, Any]] = [
    {
        "name": "cancel-tenure", "title": "Cancelling after a long time", "applies_to": [CANCEL],
        "result": "review_two", "rows": [{"field": "tenure_months", "op": "over", "value": TENURE_MONTHS}],
        "message": "the customer has been with us for long, or nobody knows how long; two people decide, one a manager",
    },
    {
        "name": "cancel-dispute", "title": "Cancelling during a dispute", "applies_to": [CANCEL], "result": "block",
        "rows": [{"field": "open_disputes", "op": "over", "value": 0}],
        "message": "the customer disputes a payment; a specialist decides about the cancellation",
    },
    {
        "name": "cancel-fraud", "title": "Cancelling under a fraud warning", "applies_to": [CANCEL],
        "result": "block", "rows": [{"field": "fraud_flag", "op": "is", "value": True}],
        "message": "there is a fraud warning on this customer; a specialist decides about the cancellation",
    },
]  # fmt: skip
AUTOMATIONS = [
    {
        "name": "cancellations", "title": "Cancellations", "owner_group": "Billing Resolver",
        "fallback_group": "Support Manager", "source": "billing", "destination": "ERP contract status",
    },
]  # fmt: skip
SENSITIVE = (CANCEL, "subscription.uncancel", "contract.cancel")


def install() -> None:
    """Make what is missing; what people switched off since stays off."""
    for kind in SENSITIVE:
        OwnerSensitive.objects.get_or_create(kind=kind)

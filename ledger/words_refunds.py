"""Identifiers around refunds as words."""

KINDS = {
    "payment.refund": "Refund payment",
    "credit_memo.create": "Write credit memo",
    "refund.note": "Tell the ticket about a refund",
    "refund.explanation": "Tell the ticket why there is no refund",
    "refund.request": "Refund asked for by ticket",
    "refund.unbooked": "Refund without a credit memo",
}
WHYS = {
    "refund-limit": "it is above what one person may give",
    "refund_fits": "the payment does not allow it",
    "refund_failed": "the refund failed",
    "refund_canceled": "the refund was cancelled",
    "refund_bounced": "the refund came back after it had succeeded",
    "refund_not_possible": "what the ticket asks for cannot be",
    "no_erp_customer": "the ERP does not know the customer",
    "no_currency": "the ERP keeps no books in the currency",
    "ticket_gone": "the ticket was merged or deleted",
}
RULES = {"refund-limit": "Refunds above the limit", "refund_fits": "Refund fits the payment"}
EVENTS = {"refund.changed": "Refund changed", "charge.refunded": "Payment was refunded"}

"""Identifiers around the replication of billing into the ERP's books as words."""

KINDS = {
    "payment.record": "Record payment",
    "refund.record": "Record refund",
    "fee.record": "Record fee",
    "dispute.record": "Record dispute",
    "accounting.entry": "Book what billing moved",
}
WHYS = {
    "unknown_category": "no rule books this kind of movement",
    "unclear_amount": "billing contradicts itself about the amount",
    "other_currency": "it was paid in one currency and settled in another",
    "customer_unknown": "nobody here knows the customer",
    "refund_came_back": "a recorded refund came back",
    "payment_came_back": "a recorded payment came back",
    "unreadable": "a line of billing's balance cannot be read",
    "no_memo": "the refund has no credit memo yet",
}
EVENTS = {"charge.settled": "Payment settled", "accounting.sweep": "Billing's balance read"}

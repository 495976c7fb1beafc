"""New Stripe objects in the newest shape; members that begin with `_` never leave the simulator."""

from sync.sandbox.wire import Json
from sync.sandbox.world import Ids

MONTH_SECONDS = 30 * 86_400


def object_id(ids: Ids, prefix: str) -> str:
    """A new id with the prefix of its kind."""
    return f"{prefix}_1{ids.text(prefix)}"


def customer(ids: Ids, now: int, given: Json) -> Json:
    """A customer."""
    return {
        "id": given.get("id") or object_id(ids, "cus"), "object": "customer", "address": None, "balance": 0,
        "created": now, "currency": given.get("currency"), "customer_account": None, "default_source": None,
        "delinquent": False, "description": given.get("description"), "discount": None, "email": given.get("email"),
        "invoice_prefix": ids.text("prefix", 8).upper(), "invoice_settings": {"default_payment_method": "pm_1card"},
        "livemode": False, "metadata": dict(given.get("metadata") or {}), "name": given.get("name"),
        "next_invoice_sequence": 1, "phone": given.get("phone"), "preferred_locales": [], "shipping": None,
        "tax_exempt": "none", "test_clock": None, "_declines": False,
    }  # fmt: skip


def price(ids: Ids, now: int, given: Json) -> Json:
    """A recurring price."""
    return {
        "id": given.get("price") or object_id(ids, "price"), "object": "price", "active": True, "created": now,
        "billing_scheme": "per_unit", "currency": given["currency"], "livemode": False, "metadata": {},
        "nickname": given.get("plan"), "product": given.get("product") or object_id(ids, "prod"), "type": "recurring",
        "recurring": {"interval": given.get("interval", "month"), "interval_count": 1, "usage_type": "licensed"},
        "unit_amount": given["mrr"], "unit_amount_decimal": str(given["mrr"]),
    }  # fmt: skip


def subscription(ids: Ids, now: int, given: Json, item_price: Json) -> Json:
    """A subscription of one item."""
    sub_id = given.get("id") or object_id(ids, "sub")
    period = {"current_period_start": now, "current_period_end": now + MONTH_SECONDS}
    item: Json = {
        "id": object_id(ids, "si"), "object": "subscription_item", "created": now, "discounts": [], "metadata": {},
        "price": item_price, "quantity": int(given.get("quantity", 1)), "subscription": sub_id, "tax_rates": [],
        **period,
    }  # fmt: skip
    return {
        "id": sub_id, "object": "subscription", "application": None, "automatic_tax": {"enabled": False},
        "billing_cycle_anchor": now, "billing_mode": {"type": "flexible"}, "billing_schedules": [],
        "cancel_at": None, "cancel_at_period_end": False, "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically", "created": int(given.get("started_at") or now),
        "currency": item_price["currency"], "customer": given["customer"], "customer_account": None,
        "default_payment_method": "pm_1card", "discounts": [], "ended_at": None,
        "items": {"object": "list", "data": [item], "has_more": False,
                  "url": f"/v1/subscription_items?subscription={sub_id}"},
        "latest_invoice": None, "livemode": False, "metadata": dict(given.get("metadata") or {}),
        "pause_collection": None, "schedule": None, "start_date": int(given.get("started_at") or now),
        "status": given.get("status", "active"), "status_details": None, "test_clock": None,
        "trial_end": None, "trial_start": None,
    }  # fmt: skip


def invoice(ids: Ids, now: int, sub: Json, owner: Json, reason: str = "subscription_cycle") -> Json:
    """An open invoice for the next period of a subscription."""
    inv_id = object_id(ids, "in")
    item = sub["items"]["data"][0]
    amount = item["price"]["unit_amount"] * item["quantity"]
    number = f"{owner['invoice_prefix']}-{owner['next_invoice_sequence']:04d}"
    owner["next_invoice_sequence"] += 1
    details = {"subscription": sub["id"], "metadata": dict(sub["metadata"]), "subscription_proration_date": None}
    return {
        "id": inv_id, "object": "invoice", "account_country": "US", "amount_due": amount, "amount_overpaid": 0,
        "amount_paid": 0, "amount_paid_off_stripe": None, "amount_remaining": amount, "attempt_count": 0,
        "attempted": False, "auto_advance": True, "billing_reason": reason, "collection_method": "charge_automatically",
        "created": now, "currency": sub["currency"], "customer": sub["customer"], "customer_account": None,
        "customer_email": owner["email"], "customer_name": owner["name"], "default_payment_method": None,
        "discounts": [], "due_date": None, "effective_at": now, "ending_balance": 0,
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{inv_id}", "last_finalization_error": None,
        "lines": {"object": "list", "has_more": False, "url": f"/v1/invoices/{inv_id}/lines",
                  "data": [_line(ids, sub, item, amount, inv_id)]},
        "livemode": False, "metadata": {}, "next_payment_attempt": None, "number": number,
        "parent": {"type": "subscription_details", "quote_details": None, "subscription_details": details},
        "period_end": item["current_period_end"], "period_start": item["current_period_start"], "starting_balance": 0,
        "status": "open", "status_details": None,
        "status_transitions": {
            "finalized_at": now, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None,
        },
        "subtotal": amount, "test_clock": None, "total": amount, "total_taxes": [], "webhooks_delivered_at": now,
        "_subscription": sub["id"], "_intent": None, "_charge": None, "_out_of_band": False,
    }  # fmt: skip


def _line(ids: Ids, sub: Json, item: Json, amount: int, inv_id: str) -> Json:
    used = item["price"]
    details = {"subscription": sub["id"], "subscription_item": item["id"], "proration": False, "invoice_item": None,
               "proration_details": {"credited_items": None}}  # fmt: skip
    return {
        "id": object_id(ids, "il"), "object": "line_item", "amount": amount, "currency": sub["currency"],
        "description": used["nickname"], "discounts": [], "invoice": inv_id, "livemode": False, "metadata": {},
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "parent": {"type": "subscription_item_details", "invoice_item_details": None,
                   "subscription_item_details": details},
        "pricing": {"type": "price_details", "unit_amount_decimal": used["unit_amount_decimal"],
                    "price_details": {"price": used["id"], "product": used["product"]}},
        "quantity": item["quantity"], "taxes": [], "_price": used,
    }  # fmt: skip


def payment_intent(ids: Ids, now: int, inv: Json) -> Json:
    """The payment intent of an invoice, not yet paid."""
    return {
        "id": object_id(ids, "pi"), "object": "payment_intent", "amount": inv["amount_due"], "amount_received": 0,
        "canceled_at": None, "capture_method": "automatic", "created": now, "currency": inv["currency"],
        "customer": inv["customer"], "customer_account": None, "last_payment_error": None, "latest_charge": None,
        "livemode": False, "metadata": {}, "payment_method": "pm_1card", "payment_record": None,
        "status": "requires_payment_method", "_invoice": inv["id"],
    }  # fmt: skip


def invoice_payment(ids: Ids, now: int, inv: Json, intent: Json) -> Json:
    """The link between an invoice and its payment intent."""
    return {
        "id": object_id(ids, "inpay"), "object": "invoice_payment", "amount_paid": None,
        "amount_requested": inv["amount_due"], "created": now, "currency": inv["currency"], "invoice": inv["id"],
        "is_default": True, "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]}, "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None}, "_intent": intent["id"],
    }  # fmt: skip


def charge(ids: Ids, now: int, intent: Json, *, paid: bool) -> Json:
    """One try to charge, paid or declined."""
    declined = {"failure_code": "card_declined", "failure_message": "Your card has insufficient funds."}
    return {
        "id": object_id(ids, "ch"), "object": "charge", "amount": intent["amount"], "created": now,
        "amount_captured": intent["amount"] if paid else 0, "amount_refunded": 0, "captured": paid,
        "balance_transaction": object_id(ids, "txn") if paid else None, "currency": intent["currency"],
        "customer": intent["customer"], "disputed": False, "failure_code": None, "failure_message": None,
        "fraud_details": {}, "livemode": False, "metadata": {}, "outcome": None, "paid": paid,
        "payment_intent": intent["id"], "payment_method": "pm_1card", "refunded": False,
        "status": "succeeded" if paid else "failed", **({} if paid else declined), "_invoice": intent["_invoice"],
    }  # fmt: skip


def refund(ids: Ids, now: int, paid_charge: Json, amount: int, given: Json) -> Json:
    """A refund that succeeded."""
    return {
        "id": object_id(ids, "re"), "object": "refund", "amount": amount, "balance_transaction": object_id(ids, "txn"),
        "charge": paid_charge["id"], "created": now, "currency": paid_charge["currency"],
        "customer": paid_charge["customer"], "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": dict(given.get("metadata") or {}),
        "payment_intent": paid_charge["payment_intent"], "payment_method": "pm_1card", "pending_reason": None,
        "reason": given.get("reason"), "receipt_number": None, "source_transfer_reversal": None,
        "status": "succeeded", "transfer_reversal": None,
    }  # fmt: skip


def dispute(ids: Ids, now: int, paid_charge: Json, given: Json) -> Json:
    """A dispute of a charge."""
    status = given.get("status", "needs_response")
    return {
        "id": object_id(ids, "dp"), "object": "dispute", "amount": int(given.get("amount") or paid_charge["amount"]),
        "balance_transactions": [], "charge": paid_charge["id"], "created": now, "currency": paid_charge["currency"],
        "enhanced_eligibility_types": [], "evidence": {},
        "evidence_details": {"due_by": now + 7 * 86_400, "has_evidence": False, "past_due": False,
                             "submission_count": 0, "submission_method": None},
        "intended_submission_method": None, "is_charge_refundable": status.startswith("warning"), "livemode": False,
        "metadata": {}, "payment_intent": paid_charge["payment_intent"],
        "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
                                   "type": "card"},
        "reason": given.get("reason", "general"), "status": status,
    }  # fmt: skip


def fraud_warning(ids: Ids, now: int, paid_charge: Json) -> Json:
    """An early fraud warning about a charge."""
    return {
        "id": object_id(ids, "issfr"), "object": "radar.early_fraud_warning", "actionable": True,
        "charge": paid_charge["id"], "created": now, "fraud_type": "made_with_stolen_card", "livemode": False,
        "payment_intent": paid_charge["payment_intent"],
    }  # fmt: skip

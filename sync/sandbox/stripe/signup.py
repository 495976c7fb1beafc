"""Signing up by the API: a test card for a customer, a product, a subscription whose first invoice waits."""

from typing import TYPE_CHECKING

from sync.sandbox.stripe import build, forms, objects
from sync.sandbox.stripe.errors import ApiError, missing, parameter_missing
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

# The vendor's own test cards by the names that stand for them -> whether a payment with them is declined.
TEST_CARDS = {"pm_card_visa": False, "pm_card_chargeCustomerFail": True}
BEHAVIORS = ("default_incomplete",)
CARD_FIELDS = frozenset({"customer"})
PRODUCT_FIELDS = frozenset({"name", "metadata", "description"})
SUBSCRIPTION_FIELDS = frozenset({"customer", "items", "default_payment_method", "payment_behavior", "metadata"})


def attach_card(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/payment_methods/{id}/attach, with one of the test cards."""
    owner = stripe.account.customers.get(str(call.params.get("customer") or ""), "customer")
    if object_id not in TEST_CARDS:
        raise missing("PaymentMethod", object_id, "payment_method")
    owner["_declines"] = TEST_CARDS[object_id]
    card = {
        "id": build.object_id(stripe.ids, "pm"), "object": "payment_method", "type": "card", "customer": owner["id"],
        "card": {"brand": "visa", "last4": "0341", "exp_month": 12, "exp_year": 2030}, "created": call.now,
        "livemode": False, "metadata": {},
    }  # fmt: skip
    stripe.effect(call, card, "payment method attached")
    return card


def create_product(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/products."""
    if not call.params.get("name"):
        raise parameter_missing("name")
    row = {
        "id": build.object_id(stripe.ids, "prod"), "object": "product", "active": True, "created": call.now,
        "name": call.params["name"], "livemode": False, "metadata": forms.metadata(call.params, {}),
    }  # fmt: skip
    stripe.effect(call, row, "product created")
    return row


def create_subscription(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/subscriptions: incomplete, with an open invoice that nobody tried to collect."""
    owner = stripe.account.customers.get(str(call.params.get("customer") or ""), "customer")
    if call.params.get("payment_behavior") not in BEHAVIORS:
        raise ApiError(400, "Only payment_behavior=default_incomplete is known here.", param="payment_behavior")
    items = call.params.get("items")
    data = items[0].get("price_data") if isinstance(items, list) and items and isinstance(items[0], dict) else None
    if not isinstance(data, dict):
        raise parameter_missing("items[0][price_data]")
    amount = forms.integer(data, "unit_amount")
    if amount is None or not data.get("currency") or not data.get("product"):
        raise parameter_missing("items[0][price_data][unit_amount]")
    given = {"customer": owner["id"], "mrr": amount, "currency": str(data["currency"]), "product": data["product"],
             "metadata": forms.metadata(call.params, {}), "status": "incomplete"}  # fmt: skip
    price = stripe.account.prices.add(build.price(stripe.ids, call.now, given))
    row = stripe.account.subscriptions.add(build.subscription(stripe.ids, call.now, given, price))
    objects.open_invoice(stripe, row, call.now, "subscription_create")
    owner["currency"] = owner["currency"] or price["currency"]
    stripe.effect(call, row, "subscription created")
    stripe.emit("customer.subscription.created", row, call=call)
    return row

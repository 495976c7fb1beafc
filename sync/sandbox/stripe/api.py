"""Stripe's endpoints: what each call reads or changes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.sandbox.stripe import balance, customers, forms, objects, portal, signup, subscriptions
from sync.sandbox.stripe.errors import ApiError, parameter_missing
from sync.sandbox.stripe.objects import Listing
from sync.sandbox.stripe.store import Table, in_time, page
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

Handler = Callable[["Stripe", "Call", str], Any]
EVENT_SECONDS = 30 * 86_400
CLAUSE = re.compile(r"""^(email|name|metadata\[['"](\w+)['"]\]):['"]([^'"]*)['"]$""")


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the parameters it knows; None means that it takes any."""

    handler: Handler
    allowed: frozenset[str] | None = None


def _table(stripe: "Stripe", resource: str) -> Table:
    return next(table for table in stripe.account.tables() if table.path == resource)


def retrieve(resource: str) -> Handler:
    """A call that reads one object."""

    def handler(stripe: "Stripe", call: "Call", object_id: str) -> Json:
        return _table(stripe, resource).get(object_id)

    return handler


def lister(resource: str, **fields: str) -> Handler:
    """A list call; `fields` maps its filter parameters to indexes."""

    def handler(stripe: "Stripe", call: "Call", object_id: str) -> Listing:
        table = _table(stripe, resource)
        filters = {index: call.params[name] for name, index in fields.items() if call.params.get(name)}
        rows = (row for row in table.newest(filters) if not row.get("deleted") and in_time(call.params, row))
        found, more = page(_by_status(rows, resource, call.params), call.params, table)
        return Listing(found, resource, more)

    return handler


def _by_status(rows: Iterator[Json], resource: str, params: Json) -> Iterator[Json]:
    status = params.get("status")
    if resource == "subscriptions":
        if status == "all":
            return rows
        if not status:
            return (row for row in rows if row["status"] != "canceled")
    return (row for row in rows if row["status"] == status) if status else rows


def search_customers(stripe: "Stripe", call: "Call", object_id: str) -> Listing:
    """The search endpoint: exact matches joined by AND."""
    tests = []
    for clause in str(call.params.get("query", "")).split(" AND "):
        match = CLAUSE.match(clause.strip())
        if match is None:
            raise ApiError(400, f"We could not parse your search query at: {clause}", param="query", executed=False)
        tests.append((match[1], match[2], match[3]))
    rows = [
        row
        for row in stripe.account.customers.newest({})
        if not row.get("deleted")
        and all((row["metadata"].get(key) if key else row.get(field)) == value for field, key, value in tests)
    ]
    return Listing(rows[:100], "customers", search=True)


def list_invoice_payments(stripe: "Stripe", call: "Call", object_id: str) -> Listing:
    """Payments of an invoice, or of a payment intent."""
    table = stripe.account.invoice_payments
    payment = call.params.get("payment") or {}
    filters = {"invoice": call.params["invoice"]} if call.params.get("invoice") else {}
    if payment:
        if payment.get("type") not in ("payment_intent", "payment_record"):
            raise parameter_missing("payment[type]")
        filters["intent"] = payment.get("payment_intent", "")
    rows, more = page(_by_status(table.newest(filters), "invoice_payments", call.params), call.params, table)
    return Listing(rows, table.path, more)


def list_events(stripe: "Stripe", call: "Call", object_id: str) -> Listing:
    """Events of the last 30 days, newest first."""
    one, several = call.params.get("type"), call.params.get("types") or []
    if one and several:
        raise ApiError(400, "You may only specify one of these parameters: type, types.", executed=False)
    wanted = [one] if one else list(several)

    def fits(row: Json) -> bool:
        name = row["type"]
        matched = not wanted or any(w == name or (w[-1] == "*" and name.startswith(w[:-1])) for w in wanted)
        return matched and row["created"] > call.now - EVENT_SECONDS and in_time(call.params, row)

    events = stripe.account.events
    # Newest first by its own time: a played event may carry an earlier one.
    rows = iter(sorted(filter(fits, events.newest({})), key=lambda row: -row["created"]))
    found, more = page(rows, call.params, events)
    return Listing(found, "events", more)


def pause_subscription(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/subscriptions/{id}/pause."""
    return _move_subscription(stripe, call, object_id, "paused")


def resume_subscription(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/subscriptions/{id}/resume."""
    return _move_subscription(stripe, call, object_id, "active")


def _move_subscription(stripe: "Stripe", call: "Call", object_id: str, status: str) -> Json:
    row = stripe.account.subscriptions.get(object_id)
    if (row["status"] == "paused") == (status == "paused") or row["status"] == "canceled":
        raise ApiError(400, f"This subscription is {row['status']} and cannot become {status}.")
    row["status"] = status
    stripe.effect(call, row, f"subscription {status}")
    stripe.emit(f"customer.subscription.{'paused' if status == 'paused' else 'resumed'}", row, call=call)
    return row


def update_invoice(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/invoices/{id}."""
    row = stripe.account.invoices.get(object_id)
    previous = {"metadata": row["metadata"]}
    row["metadata"] = forms.metadata(call.params, row["metadata"])
    stripe.effect(call, row, "invoice updated")
    stripe.emit("invoice.updated", row, call=call, previous=previous)
    return row


def pay_invoice(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/invoices/{id}/pay: declined while the customer's card declines."""
    row = stripe.account.invoices.get(object_id)
    if row["status"] == "paid":
        raise ApiError(400, "Invoice is already paid")
    if row["status"] not in ("open", "uncollectible"):
        raise ApiError(400, f"Invoice is {row['status']} and cannot be paid.")
    elsewhere = bool(forms.boolean(call.params, "paid_out_of_band"))
    if stripe.account.customers.get(row["customer"]).get("_declines") and not elsewhere:
        failed = objects.decline(stripe, row, call.now)
        stripe.effect(call, row, "payment declined")
        stripe.emit("invoice.payment_failed", row, call=call)
        more = {"decline_code": "insufficient_funds", "charge": failed["id"]}
        text = "Your card has insufficient funds."
        raise ApiError(402, text, code="card_declined", kind="card_error", more=more)
    objects.settle(stripe, row, call.now, out_of_band=elsewhere)
    stripe.effect(call, row, f"invoice paid {row['amount_paid']} {row['currency']}")
    objects.announce_paid(stripe, row, call)
    return row


def close_invoice(status: str, stamp: str, event: str) -> Handler:
    """A call that voids or writes off an open invoice."""

    def handler(stripe: "Stripe", call: "Call", object_id: str) -> Json:
        row = stripe.account.invoices.get(object_id)
        if row["status"] not in ("open", "uncollectible"):
            raise ApiError(400, f"Invoice is {row['status']}; only open invoices can become {status}.")
        row.update(status=status, next_payment_attempt=None)
        row["status_transitions"] = {**row["status_transitions"], stamp: call.now}
        stripe.effect(call, row, f"invoice {status}")
        stripe.emit(event, row, call=call)
        return row

    return handler


def create_refund(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/refunds, by charge or payment intent."""
    charge_id, intent_id = call.params.get("charge"), call.params.get("payment_intent")
    if not charge_id and not intent_id:
        raise ApiError(
            400, "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing", executed=False,
        )  # fmt: skip
    amount = forms.integer(call.params, "amount")
    reason = call.params.get("reason")
    if reason and reason not in ("duplicate", "fraudulent", "requested_by_customer"):
        raise ApiError(400, f"Invalid reason: {reason}", param="reason", executed=False)
    if intent_id:
        intent = stripe.account.payment_intents.get(intent_id, "payment_intent")
        charge_id = charge_id or intent["latest_charge"]
    paid = stripe.account.charges.get(str(charge_id or ""), "charge")
    row = objects.give_back(stripe, paid, amount, call.params, call.now)
    stripe.effect(call, row, f"refunded {row['amount']} {row['currency']} of {paid['id']}")
    stripe.emit("refund.created", row, call=call)
    stripe.emit("charge.refunded", paid, call=call)
    return row


def update_refund(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/refunds/{id}."""
    row = stripe.account.refunds.get(object_id)
    row["metadata"] = forms.metadata(call.params, row["metadata"])
    stripe.effect(call, row, "refund updated")
    stripe.emit("refund.updated", row, call=call)
    return row


def cancel_refund(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/refunds/{id}/cancel."""
    row = stripe.account.refunds.get(object_id)
    if row["status"] not in ("pending", "requires_action"):
        raise ApiError(400, f"This refund is {row['status']} and cannot be canceled.")
    objects.take_back(stripe, row, "canceled")
    stripe.effect(call, row, "refund cancelled")
    stripe.emit("refund.updated", row, call=call)
    return row


def update_dispute(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/disputes/{id}: evidence is submitted unless told otherwise."""
    row = stripe.account.disputes.get(object_id)
    row["metadata"] = forms.metadata(call.params, row["metadata"])
    if call.params.get("evidence"):
        row["evidence"] = {**row["evidence"], **call.params["evidence"]}
        row["evidence_details"]["has_evidence"] = True
        if forms.boolean(call.params, "submit") is not False:
            row["evidence_details"]["submission_count"] += 1
            row["status"] = "under_review"
    stripe.effect(call, row, "dispute updated")
    stripe.emit("charge.dispute.updated", row, call=call)
    return row


def close_dispute(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/disputes/{id}/close: the dispute is given up."""
    row = stripe.account.disputes.get(object_id)
    row["status"] = "lost"
    stripe.effect(call, row, "dispute closed")
    stripe.emit("charge.dispute.closed", row, call=call)
    return row


def _known(*names: str) -> frozenset[str]:
    return frozenset(names)


REFUND_FIELDS = _known(
    "charge", "payment_intent", "amount", "reason", "metadata", "refund_application_fee", "reverse_transfer"
)
BY_CHARGE = {"charge": "charge", "payment_intent": "payment_intent"}
ROUTES: dict[tuple[str, str, bool, str], Route] = {
    ("GET", "customers", False, ""): Route(lister("customers", email="email")),
    ("GET", "customers", False, "search"): Route(search_customers),
    ("POST", "customers", False, ""): Route(customers.create, customers.FIELDS),
    ("POST", "customers", True, ""): Route(customers.update, customers.FIELDS),
    ("DELETE", "customers", True, ""): Route(customers.delete),
    ("GET", "subscriptions", False, ""): Route(lister("subscriptions", customer="customer", price="price")),
    ("POST", "products", False, ""): Route(signup.create_product, signup.PRODUCT_FIELDS),
    ("POST", "payment_methods", True, "attach"): Route(signup.attach_card, signup.CARD_FIELDS),
    ("POST", "subscriptions", False, ""): Route(signup.create_subscription, signup.SUBSCRIPTION_FIELDS),
    ("POST", "subscriptions", True, ""): Route(subscriptions.update, subscriptions.FIELDS),
    ("DELETE", "subscriptions", True, ""): Route(subscriptions.cancel, subscriptions.END_FIELDS),
    ("POST", "subscriptions", True, "pause"): Route(pause_subscription),
    ("POST", "subscriptions", True, "resume"): Route(resume_subscription),
    ("GET", "invoices", False, ""): Route(lister("invoices", customer="customer", subscription="subscription")),
    ("POST", "invoices", True, ""): Route(update_invoice, _known("metadata", "description")),
    ("POST", "invoices", True, "pay"): Route(
        pay_invoice, _known("payment_method", "paid_out_of_band", "off_session", "forgive", "source", "metadata")
    ),
    ("POST", "invoices", True, "void"): Route(close_invoice("void", "voided_at", "invoice.voided")),
    ("POST", "invoices", True, "mark_uncollectible"): Route(
        close_invoice("uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")
    ),
    ("GET", "invoice_payments", False, ""): Route(list_invoice_payments),
    ("GET", "charges", False, ""): Route(lister("charges", customer="customer", payment_intent="payment_intent")),
    ("GET", "payment_intents", False, ""): Route(lister("payment_intents", customer="customer")),
    ("GET", "disputes", False, ""): Route(lister("disputes", **BY_CHARGE)),
    ("POST", "disputes", True, ""): Route(update_dispute, _known("evidence", "submit", "metadata")),
    ("POST", "disputes", True, "close"): Route(close_dispute),
    ("GET", "refunds", False, ""): Route(lister("refunds", **BY_CHARGE)),
    ("POST", "refunds", False, ""): Route(create_refund, REFUND_FIELDS),
    ("POST", "refunds", True, ""): Route(update_refund, _known("metadata")),
    ("POST", "refunds", True, "cancel"): Route(cancel_refund),
    ("GET", "balance_transactions", False, ""): Route(balance.listed),
    ("GET", "balance_transactions", True, ""): Route(balance.retrieve),
    ("GET", "radar/early_fraud_warnings", False, ""): Route(lister("radar/early_fraud_warnings", **BY_CHARGE)),
    ("GET", "events", False, ""): Route(list_events),
    ("POST", "billing_portal/sessions", False, ""): Route(portal.create_session, portal.FIELDS),
}
for _resource in (
    "customers", "prices", "subscriptions", "invoices", "invoice_payments", "charges", "payment_intents", "disputes",
    "refunds", "radar/early_fraud_warnings", "events",
):  # fmt: skip
    ROUTES["GET", _resource, True, ""] = Route(retrieve(_resource))
ROUTES["GET", "customers", True, ""] = Route(customers.retrieve)

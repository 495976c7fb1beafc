"""What can be made to happen in Stripe's world: customers subscribe, cards fail, invoices get paid, banks dispute."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sync.sandbox.stripe import balance, build, customers, disputes, objects, portal, shapes, subscriptions, years
from sync.sandbox.stripe.errors import ApiError
from sync.sandbox.stripe.store import Table
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Stripe


def _get(table: Table, params: Json, name: str) -> Json:
    try:
        return table.get(str(need(params, name)))
    except ApiError as error:
        raise PlayError(str(error)) from error


def _now(stripe: "Stripe", params: Json) -> int:
    return int(params.get("at") or stripe.clock.stamp())


def create_customer(stripe: "Stripe", params: Json) -> Json:
    """`email`, `name`, `phone`, `metadata`."""
    row = stripe.account.customers.add(build.customer(stripe.ids, _now(stripe, params), params))
    return {"customer": row["id"], "events": [stripe.emit("customer.created", row)]}


def create_subscription(stripe: "Stripe", params: Json) -> Json:
    """An active subscription; `history` adds that many paid invoices of earlier months without events."""
    account, now = stripe.account, _now(stripe, params)
    owner = _get(account.customers, params, "customer")
    given = {**params, "mrr": int(params.get("mrr", 4900)), "currency": str(params.get("currency", "usd")).lower()}
    known = account.prices.rows.get(str(params.get("price")))
    price = known or account.prices.add(build.price(stripe.ids, now, given))
    sub = account.subscriptions.add(build.subscription(stripe.ids, now, given, price))
    owner["currency"] = owner["currency"] or price["currency"]
    months = range(int(params.get("history", 0)), 0, -1)
    paid = [_past_invoice(stripe, sub, now - back * build.MONTH_SECONDS) for back in months]
    event = stripe.emit("customer.subscription.created", sub)
    return {"subscription": sub["id"], "price": price["id"], "invoices": paid, "events": [event]}


def _past_invoice(stripe: "Stripe", sub: Json, at: int) -> str:
    inv = objects.open_invoice(stripe, sub, at)
    inv["attempt_count"] = 1
    objects.settle(stripe, inv, at + 3600)
    return str(inv["id"])


def _open_invoice_of(stripe: "Stripe", params: Json, now: int) -> Json:
    """The invoice named, or the newest open one of the subscription, or a new one."""
    if params.get("invoice"):
        return _get(stripe.account.invoices, params, "invoice")
    sub = _get(stripe.account.subscriptions, params, "subscription")
    waiting = [one for one in stripe.account.invoices.where("subscription", sub["id"]) if one["status"] == "open"]
    return waiting[-1] if waiting and not params.get("new") else objects.open_invoice(stripe, sub, now)


def fail_payment(stripe: "Stripe", params: Json) -> Json:
    """One failed attempt. `next_attempt_in` seconds ahead, or null when Stripe gives up."""
    now = _now(stripe, params)
    inv = _open_invoice_of(stripe, params, now)
    if inv["status"] != "open":
        raise PlayError(f"invoice {inv['id']} is {inv['status']}")
    owner = stripe.account.customers.get(inv["customer"])
    owner["_declines"] = True
    failed = objects.decline(stripe, inv, now)
    inv["attempt_count"] += 1
    ahead = params.get("next_attempt_in", 3 * 86_400)
    inv["next_payment_attempt"] = None if ahead is None else now + int(ahead)
    events = []
    if params.get("noise"):
        events.append(stripe.emit("charge.failed", failed))
        events.append(stripe.emit("payment_intent.payment_failed", stripe.account.payment_intents.get(inv["_intent"])))
    events.append(stripe.emit("invoice.payment_failed", inv, created=now))
    sub = objects.subscription_of(stripe, inv)
    if sub["status"] in ("active", "trialing"):
        events.append(objects.set_status(stripe, sub, "past_due"))
    ids = {"invoice": inv["id"], "subscription": sub["id"], "customer": inv["customer"], "charge": failed["id"]}
    return {**ids, "attempt_count": inv["attempt_count"], "events": events}


def pay_invoice(stripe: "Stripe", params: Json) -> Json:
    """The customer pays, by `invoice` or the open invoice of `subscription`."""
    now = _now(stripe, params)
    inv = _open_invoice_of(stripe, params, now)
    if inv["status"] == "paid":
        raise PlayError(f"invoice {inv['id']} is paid already")
    stripe.account.customers.get(inv["customer"])["_declines"] = False
    inv["attempt_count"] = inv["attempt_count"] or 1
    objects.settle(stripe, inv, now)
    charged = stripe.account.charges.get(inv["_charge"])
    events = [stripe.emit("charge.succeeded", charged)] if params.get("noise") else []
    events += objects.announce_paid(stripe, inv)
    ids = {"invoice": inv["id"], "charge": inv["_charge"], "payment_intent": inv["_intent"]}
    return {**ids, "subscription": inv["_subscription"], "customer": inv["customer"], "events": events}


def close_invoice(stripe: "Stripe", params: Json) -> Json:
    """Void or write off an invoice: `status` is `void` or `uncollectible`."""
    inv = _get(stripe.account.invoices, params, "invoice")
    status = str(params.get("status", "void"))
    stamp, event = {
        "void": ("voided_at", "invoice.voided"),
        "uncollectible": ("marked_uncollectible_at", "invoice.marked_uncollectible"),
    }.get(status, ("", ""))
    if not stamp or inv["status"] not in ("open", "uncollectible"):
        raise PlayError(f"invoice {inv['id']} is {inv['status']} and cannot become {status}")
    inv.update(status=status, next_payment_attempt=None)
    inv["status_transitions"] = {**inv["status_transitions"], stamp: _now(stripe, params)}
    return {"invoice": inv["id"], "events": [stripe.emit(event, inv)]}


def end_subscription(stripe: "Stripe", params: Json) -> Json:
    """Stripe cancels `subscription` for `reason`."""
    sub = _get(stripe.account.subscriptions, params, "subscription")
    reason = str(params.get("reason", "payment_failed"))
    event = objects.end_subscription(stripe, sub, _now(stripe, params), reason)
    return {"subscription": sub["id"], "events": [event]}


def update_customer(stripe: "Stripe", params: Json) -> Json:
    """Change `email`, `name`, `phone` or `metadata` of `customer`."""
    row = _get(stripe.account.customers, params, "customer")
    fields: Json = {name: params[name] for name in ("email", "name", "phone", "metadata") if name in params}
    previous: Json = {name: row[name] for name in fields}
    row.update(fields)
    stripe.account.customers.reindex(row, "email")
    return {"customer": row["id"], "events": [stripe.emit("customer.updated", row, previous=previous)]}


def delete_customer(stripe: "Stripe", params: Json) -> Json:
    """Somebody deletes `customer` in the dashboard."""
    row = _get(stripe.account.customers, params, "customer")
    event = stripe.emit("customer.deleted", row)
    stripe.account.customers.rows[row["id"]] = {"id": row["id"], "object": "customer", "deleted": True}
    return {"customer": row["id"], "events": [event]}


def set_card(stripe: "Stripe", params: Json) -> Json:
    """Whether the customer's card declines the next API payment."""
    row = _get(stripe.account.customers, params, "customer")
    row["_declines"] = bool(params.get("declines", True))
    return {"customer": row["id"], "declines": row["_declines"]}


def _paid_charge(stripe: "Stripe", params: Json) -> Json:
    if params.get("charge"):
        return _get(stripe.account.charges, params, "charge")
    paid = [row for row in stripe.account.charges.where("customer", str(need(params, "customer"))) if row["paid"]]
    if not paid:
        raise PlayError(f"customer {params['customer']} has no paid charge")
    return paid[-1]


def open_dispute(stripe: "Stripe", params: Json) -> Json:
    """A dispute of `charge`, or of the newest paid charge of `customer`."""
    paid = _paid_charge(stripe, params)
    row = stripe.account.disputes.add(build.dispute(stripe.ids, _now(stripe, params), paid, params))
    paid["disputed"] = True
    balance.of_dispute(stripe, row)
    events = [stripe.emit("charge.dispute.created", row), stripe.emit("charge.dispute.funds_withdrawn", row)]
    return {"dispute": row["id"], "charge": paid["id"], "events": events}


def close_dispute(stripe: "Stripe", params: Json) -> Json:
    """The bank decides: `status` won, lost, warning_closed."""
    row = _get(stripe.account.disputes, params, "dispute")
    row["status"] = str(params.get("status", "won"))
    if row["status"] in ("won", "warning_closed", "prevented"):
        stripe.account.charges.get(row["charge"])["disputed"] = False
    balance.of_dispute(stripe, row)
    events = [stripe.emit("charge.dispute.closed", row)]
    if row["status"] == "won":
        events.append(stripe.emit("charge.dispute.funds_reinstated", row))
    return {"dispute": row["id"], "charge": row["charge"], "events": events}


def warn_fraud(stripe: "Stripe", params: Json) -> Json:
    """An early fraud warning for `charge`, or the newest paid charge of `customer`."""
    paid = _paid_charge(stripe, params)
    row = stripe.account.warnings.add(build.fraud_warning(stripe.ids, _now(stripe, params), paid))
    paid["fraud_details"] = {"stripe_report": "fraudulent"}
    event = stripe.emit("radar.early_fraud_warning.created", row)
    return {"warning": row["id"], "charge": paid["id"], "events": [event]}


def refund_charge(stripe: "Stripe", params: Json) -> Json:
    """Somebody refunds in the dashboard, outside Meshline."""
    paid = _paid_charge(stripe, params)
    amount = params.get("amount")
    try:
        row = objects.give_back(stripe, paid, None if amount is None else int(amount), params, _now(stripe, params))
    except ApiError as error:
        raise PlayError(str(error)) from error
    events = [stripe.emit("refund.created", row), stripe.emit("charge.refunded", paid)]
    return {"refund": row["id"], "charge": paid["id"], "events": events}


def fail_refund(stripe: "Stripe", params: Json) -> Json:
    """A refund that had succeeded bounces days later."""
    row = _get(stripe.account.refunds, params, "refund")
    objects.take_back(stripe, row, "failed")
    return {"refund": row["id"], "events": [stripe.emit("refund.failed", row), stripe.emit("refund.updated", row)]}


def set_refunds(stripe: "Stripe", params: Json) -> Json:
    """In which `status` refunds of `customer` begin from now on."""
    row = _get(stripe.account.customers, params, "customer")
    row["_refunds_as"] = _refund_status(params)
    return {"customer": row["id"], "status": row["_refunds_as"]}


def _refund_status(params: Json) -> str:
    status = str(need(params, "status"))
    if status not in objects.REFUND_STATUSES:
        raise PlayError(f"status is one of {', '.join(objects.REFUND_STATUSES)}")
    return status


def finish_refund(stripe: "Stripe", params: Json) -> Json:
    """The bank ends a `refund` that was pending or waited for the customer: `status`."""
    row = _get(stripe.account.refunds, params, "refund")
    status = _refund_status(params)
    if row["status"] not in ("pending", "requires_action"):
        raise PlayError(f"refund {row['id']} is {row['status']}")
    if status in ("failed", "canceled"):
        objects.take_back(stripe, row, status)
    else:
        objects.begin_as(stripe, row, status)
        row["pending_reason"] = row["pending_reason"] if status == "pending" else None
    events = [stripe.emit("refund.failed", row)] if status == "failed" else []
    return {"refund": row["id"], "events": [*events, stripe.emit("refund.updated", row)]}


def send_event(stripe: "Stripe", params: Json) -> Json:
    """Any event: `type`, `object` (an id that exists, or a whole one, sent as it is); `created`, `api_version`."""
    given: Any = need(params, "object")
    row = stripe.account.find(given) if isinstance(given, str) else given
    if row is None:
        raise PlayError(f"no object {given}")
    created = params.get("created")
    version = str(params.get("api_version", ""))
    try:
        event = stripe.emit(
            str(need(params, "type")), row, version=version, previous=params.get("previous_attributes"),
            created=None if created is None else int(created), verbatim=not isinstance(given, str),
        )  # fmt: skip
    except ApiError as error:
        raise PlayError(str(error)) from error
    return {"events": [event]}


def redeliver(stripe: "Stripe", params: Json) -> Json:
    """Send a known event again, `times` times."""
    event = _get(stripe.account.events, params, "event")
    times = int(params.get("times", 1))
    for _ in range(times):
        stripe.post(event)
    return {"event": event["id"], "times": times}


def set_version(stripe: "Stripe", params: Json) -> Json:
    """The API version of the webhook endpoint: the shape of all events from now on."""
    version = str(need(params, "api_version"))
    try:
        shapes.date_of(version)
    except ApiError as error:
        raise PlayError(str(error)) from error
    stripe.world.courier.targets["stripe"].options["api_version"] = version
    return {"api_version": version}


PLAYS: Mapping[str, Callable[["Stripe", Json], Json]] = {
    "create_customer": create_customer,
    "update_customer": update_customer,
    "delete_customer": delete_customer,
    "set_card": set_card,
    "create_subscription": create_subscription,
    "end_subscription": end_subscription,
    "end_period": subscriptions.end_period,
    "set_end": subscriptions.set_end,
    "fail_payment": fail_payment,
    "pay_invoice": pay_invoice,
    "close_invoice": close_invoice,
    "open_dispute": open_dispute,
    "close_dispute": close_dispute,
    "warn_fraud": warn_fraud,
    "refund_charge": refund_charge,
    "fail_refund": fail_refund,
    "set_refunds": set_refunds,
    "finish_refund": finish_refund,
    "send_event": send_event,
    "redeliver": redeliver,
    "set_version": set_version,
    "set_portal": portal.set_portal,
    "plant_customers": customers.plant,
    **balance.PLAYS,
    **disputes.PLAYS,
    **years.PLAYS,
}

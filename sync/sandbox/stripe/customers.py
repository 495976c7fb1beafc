"""Stripe's customers: made, changed and deleted by the API, planted in numbers, and the ids of the other mode."""

from typing import TYPE_CHECKING, Any

from sync.sandbox.stripe import build, forms
from sync.sandbox.stripe.errors import ApiError, missing
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

PLAIN = ("email", "name", "phone", "description")
NESTED = ("address", "shipping")
FIELDS = frozenset({*PLAIN, *NESTED, "metadata"})
LONGEST_NAME, LONGEST_EMAIL = 512, 512
OTHER_MODE = "a similar object exists in test mode, but a live mode key was used to make this request."


def retrieve(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """GET /v1/customers/{id}: also a deleted one; an id of the other mode is told apart in the message only."""
    row = stripe.account.customers.rows.get(object_id)
    if row is None and object_id in stripe.account.elsewhere:
        text = f"No such customer: '{object_id}'; {OTHER_MODE}"
        raise ApiError(404, text, code="resource_missing", param="id")
    if row is None:
        raise missing("customer", object_id)
    return row


def create(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/customers."""
    _check(call.params)
    row = stripe.account.customers.add(build.customer(stripe.ids, call.now, {**call.params, "id": None}))
    _nest(row, call.params)
    stripe.effect(call, row, "customer created")
    stripe.emit("customer.created", row, call=call)
    return row


def update(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/customers/{id}; an empty text clears a field."""
    row = stripe.account.customers.get(object_id)
    if row.get("deleted"):
        raise missing("customer", object_id)
    _check(call.params)
    fields = [name for name in (*PLAIN, *NESTED) if name in call.params]
    previous = {name: row[name] for name in [*fields, "metadata"] if name in call.params}
    row.update({name: call.params[name] or None for name in fields if name in PLAIN})
    _nest(row, call.params)
    row["metadata"] = forms.metadata(call.params, row["metadata"])
    stripe.account.customers.reindex(row, "email")
    stripe.effect(call, row, "customer updated")
    stripe.emit("customer.updated", row, call=call, previous=previous)
    return row


def delete(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """DELETE /v1/customers/{id}; only a stub of it stays."""
    row = stripe.account.customers.get(object_id)
    stripe.effect(call, row, "customer deleted")
    stripe.emit("customer.deleted", row, call=call)
    return gone(stripe, object_id)


def gone(stripe: "Stripe", object_id: str) -> Json:
    """What stays of a deleted customer."""
    stub = {"id": object_id, "object": "customer", "deleted": True}
    stripe.account.customers.rows[object_id] = stub
    return stub


def plant(stripe: "Stripe", params: Json) -> Json:
    """`rows`: customers as they would be after years, without events; each may say `deleted` or `other_mode`."""
    made = []
    for given in params.get("rows", []):
        now = int(given.get("created") or stripe.clock.stamp())
        row = build.customer(stripe.ids, now, given)
        if given.get("other_mode"):
            stripe.account.elsewhere.add(row["id"])
        else:
            stripe.account.customers.add(row)
            _nest(row, given)
            if given.get("deleted"):
                gone(stripe, row["id"])
        made.append(row["id"])
    return {"ids": made}


def _nest(row: Json, params: Json) -> None:
    for name in NESTED:
        if name in params:
            given = params[name]
            row[name] = _emptied(given) if isinstance(given, dict) else None


def _emptied(given: Json) -> Json:
    """An address as it is kept: what is empty is null."""
    return {name: _emptied(value) if isinstance(value, dict) else value or None for name, value in given.items()}


def _check(params: Json) -> None:
    """The refusals a sync can meet: a name that is too long, an address that is none, shipping without a name."""
    name, email = str(params.get("name") or ""), str(params.get("email") or "")
    if len(name) > LONGEST_NAME:
        text = f"Invalid string: {name[:10]}...; must be at most {LONGEST_NAME} characters"
        raise ApiError(400, text, param="name", executed=False)
    if email and ("@" not in email or " " in email or len(email) > LONGEST_EMAIL):
        raise ApiError(400, f"Invalid email address: {email}", code="email_invalid", param="email", executed=False)
    shipping: Any = params.get("shipping")
    if isinstance(shipping, dict) and not shipping.get("name"):
        raise ApiError(
            400, "Missing required param: shipping[name].", code="parameter_missing", param="shipping[name]",
            executed=False,
        )  # fmt: skip

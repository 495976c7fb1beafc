"""The end of Stripe's subscriptions: set for the end of the period, taken back, made at once, or come with time."""

from typing import TYPE_CHECKING

from sync.sandbox.stripe import forms, objects
from sync.sandbox.stripe.errors import ApiError
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

FIELDS = frozenset(
    {"metadata", "cancel_at_period_end", "cancellation_details", "pause_collection", "proration_behavior"}
)
END_FIELDS = frozenset({"invoice_now", "prorate", "cancellation_details"})
FEEDBACK = (
    "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex", "too_expensive",
    "unused",
)  # fmt: skip


def update(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/subscriptions/{id}."""
    row = _running(stripe, object_id)
    previous: Json = {}
    ends = forms.boolean(call.params, "cancel_at_period_end")
    if ends is not None and ends != row["cancel_at_period_end"]:
        previous |= {name: row[name] for name in ("cancel_at_period_end", "cancel_at", "canceled_at")}
        _set_end(row, call.now, ends=ends)
    if "cancellation_details" in call.params:
        previous["cancellation_details"] = row["cancellation_details"]
        row["cancellation_details"] = _details(row, call)
    if "pause_collection" in call.params:
        previous["pause_collection"] = row["pause_collection"]
        row["pause_collection"] = call.params["pause_collection"] or None
    if "metadata" in call.params:
        previous["metadata"] = row["metadata"]
        row["metadata"] = forms.metadata(call.params, row["metadata"])
    stripe.effect(call, row, "subscription updated")
    stripe.emit("customer.subscription.updated", row, call=call, previous=previous)
    return row


def cancel(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """DELETE /v1/subscriptions/{id}: over at once; a second time there is no such subscription."""
    row = _running(stripe, object_id)
    row["cancellation_details"] = _details(row, call)
    objects.end_subscription(stripe, row, call.now, "cancellation_requested", call)
    action = str(row["cancellation_details"].get("comment") or "").partition("meshline_action=")[2]
    stripe.book.effect(call.request, key=call.key, action=action, target=row["id"], summary="subscription cancelled")
    return row


def _running(stripe: "Stripe", object_id: str) -> Json:
    row = stripe.account.subscriptions.get(object_id)
    if row["status"] in ("canceled", "incomplete_expired"):
        raise ApiError(404, f"No such subscription: '{object_id}'", code="resource_missing", param="id")
    return row


def _set_end(row: Json, now: int, *, ends: bool) -> None:
    """As the provider does: `canceled_at` is when the end was asked for, `cancel_at` when it comes."""
    row["cancel_at_period_end"] = ends
    row["cancel_at"] = row["items"]["data"][0]["current_period_end"] if ends else None
    row["canceled_at"] = now if ends else None


def _details(row: Json, call: "Call") -> Json:
    given = call.params.get("cancellation_details") or {}
    feedback = given.get("feedback")
    if feedback and feedback not in FEEDBACK:
        raise ApiError(400, f"Invalid cancellation_details[feedback]: {feedback}", param="feedback", executed=False)
    return {**row["cancellation_details"], **{name: given[name] for name in ("comment", "feedback") if name in given}}


def set_end(stripe: "Stripe", params: Json) -> Json:
    """Somebody sets or takes back in the dashboard that `subscription` ends with its period: `ends`."""
    row = _named(stripe, params)
    previous = {name: row[name] for name in ("cancel_at_period_end", "cancel_at", "canceled_at")}
    _set_end(row, int(params.get("at") or stripe.clock.stamp()), ends=bool(params.get("ends", True)))
    event = stripe.emit("customer.subscription.updated", row, previous=previous)
    return {"subscription": row["id"], "period_end": row["items"]["data"][0]["current_period_end"], "events": [event]}


def end_period(stripe: "Stripe", params: Json) -> Json:
    """The period of `subscription` is over now: it ends where that was set, and is renewed where it was not."""
    row = _named(stripe, params)
    now = int(params.get("at") or stripe.clock.stamp())
    item = row["items"]["data"][0]
    length = item["current_period_end"] - item["current_period_start"]
    if row["cancel_at_period_end"]:
        item["current_period_end"] = row["cancel_at"] = now
        asked = row["canceled_at"]
        event = objects.end_subscription(stripe, row, now, "cancellation_requested")
        row["canceled_at"] = asked
    else:
        item["current_period_start"], item["current_period_end"] = now, now + length
        event = stripe.emit("customer.subscription.updated", row)
    return {"subscription": row["id"], "status": row["status"], "events": [event]}


def _named(stripe: "Stripe", params: Json) -> Json:
    try:
        return _running(stripe, str(need(params, "subscription")))
    except ApiError as error:
        raise PlayError(str(error)) from error

"""Stripe's customer portal: sessions behind an activation switch, each with an address of its own, and their page."""

from html import escape
from typing import TYPE_CHECKING, Any

from sync.sandbox.stripe import build
from sync.sandbox.stripe.errors import ApiError, parameter_missing
from sync.sandbox.wire import Json, Reply, Request

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

FIELDS = frozenset(("customer", "return_url", "configuration", "flow_data", "locale", "on_behalf_of"))
PAGES = "/p/session/"
FRESH_SECONDS = 300  # how long a session's address opens
NOT_ACTIVATED = (
    "No configuration provided and your test mode default configuration has not been created. Provide a configuration "
    "or create your default by saving your customer portal settings in test mode at "
    "https://dashboard.stripe.com/test/settings/billing/portal."
)


def create_session(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """POST /v1/billing_portal/sessions. Changes no business record, so it is no effect in the books."""
    wanted = str(call.params.get("customer") or "")
    if not wanted:
        raise parameter_missing("customer")
    owner = stripe.account.customers.rows.get(wanted)
    if owner is None or owner.get("deleted"):
        raise ApiError(400, f"No such customer: '{wanted}'", code="resource_missing", param="customer")
    configuration = str(call.params.get("configuration") or "")
    known = stripe.account.portal["configurations"]
    if configuration and configuration not in known:
        text = f"No such configuration: '{configuration}'"
        raise ApiError(400, text, code="resource_missing", param="configuration")
    if not configuration and not stripe.account.portal["active"]:
        raise ApiError(400, NOT_ACTIVATED)
    secret = stripe.ids.text("portal", 32)
    url = stripe.account.portal["url"] or f"{call.request.origin}{call.request.prefix}{PAGES}test_{secret}"
    return stripe.account.portal_sessions.add(
        {
            "id": build.object_id(stripe.ids, "bps"), "object": "billing_portal.session",
            "configuration": configuration or "bpc_1Default", "created": call.now, "customer": wanted,
            "customer_account": None, "flow": None, "livemode": False, "locale": call.params.get("locale"),
            "on_behalf_of": None, "return_url": call.params.get("return_url"), "url": url, "_secret": secret,
        }
    )  # fmt: skip


def page(stripe: "Stripe", request: Request) -> Reply:
    """What a visitor sees at a session's address: whose portal it is, or that the session is over."""
    secret = request.path.removeprefix(PAGES).removeprefix("test_")
    every = (row for account in stripe.accounts.values() for row in account.portal_sessions.rows.values())
    rows = (row for row in every if row["_secret"] == secret)
    found = next(rows, None)
    is_open = found is not None and stripe.clock.stamp() - found["created"] < FRESH_SECONDS
    words = f"Billing portal of {escape(found['customer'])}" if is_open and found else "This session has expired"
    text = f"<!DOCTYPE html><html lang=en><title>Simulated portal</title><h1>{words}</h1>"
    return Reply(200 if is_open else 404, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def set_portal(stripe: "Stripe", params: Json) -> Json:
    """`active`: whether the settings were saved in this mode; `url`: answer every session with this address."""
    state: dict[str, Any] = stripe.account.portal
    state.update({name: params[name] for name in ("active", "url", "configurations") if name in params})
    return dict(state)

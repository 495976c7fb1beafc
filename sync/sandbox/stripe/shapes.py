"""One object in the shape of any API version from 2024 on: what moved when is in the table of Stripe's changelogs."""

import re
from collections.abc import Callable

from sync.sandbox.stripe.errors import ApiError
from sync.sandbox.wire import Json

NEWEST = "2026-10-28.endive"
VERSION = re.compile(r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")
BASIL = "2025-03-31"
FLEXIBLE_BILLING = "2025-06-30"
PREVENTED = "2025-09-30"
CUSTOMER_ACCOUNT = "2025-12-15"
OFF_STRIPE = "2026-05-27"
REFUND_CUSTOMER = "2026-07-29"
ENDIVE = "2026-09-30"
APPEALS = "2026-10-28"


def date_of(version: str) -> str:
    """The date that decides the shape; a version that does not exist is refused as Stripe does."""
    if not VERSION.match(version):
        raise ApiError(400, f"Invalid Stripe API version: {version}", executed=False)
    return version[:10]


def render(row: Json, date: str) -> Json:
    """A copy of the object as this version shows it."""
    shown = {name: value for name, value in row.items() if name[0] != "_"}
    if date < CUSTOMER_ACCOUNT:
        shown.pop("customer_account", None)
    shape = SHAPES.get(row.get("object", ""))
    if shape is not None and not row.get("deleted"):
        shape(shown, row, date)
    return shown


def _invoice(shown: Json, row: Json, date: str) -> None:
    shown["lines"] = {**row["lines"], "data": [_line(line, date) for line in row["lines"]["data"]]}
    if date < ENDIVE:
        shown.pop("status_details", None)
    if date < OFF_STRIPE:
        shown.pop("amount_paid_off_stripe", None)
    if date >= BASIL:
        return
    details = shown.pop("parent")["subscription_details"]
    shown.pop("total_taxes")
    shown.pop("amount_overpaid")
    shown.update(
        subscription=details["subscription"], subscription_details={"metadata": details["metadata"]},
        charge=row["_charge"], payment_intent=row["_intent"], paid=row["status"] == "paid",
        paid_out_of_band=row["_out_of_band"], tax=None, total_tax_amounts=[], discount=None, quote=None,
        application_fee_amount=None, transfer_data=None,
    )  # fmt: skip


def _line(line: Json, date: str) -> Json:
    shown = {name: value for name, value in line.items() if name[0] != "_"}
    if date >= BASIL:
        return shown
    details = shown.pop("parent")["subscription_item_details"]
    shown.pop("pricing")
    shown.pop("taxes")
    shown.update(
        type="subscription", price=line["_price"], plan=_plan(line["_price"]), proration=details["proration"],
        proration_details=details["proration_details"], subscription=details["subscription"],
        subscription_item=details["subscription_item"], tax_amounts=[], tax_rates=[],
    )  # fmt: skip
    return shown


def _plan(price: Json) -> Json:
    return {
        "id": price["id"], "object": "plan", "active": True, "amount": price["unit_amount"],
        "currency": price["currency"], "interval": price["recurring"]["interval"], "interval_count": 1,
        "product": price["product"],
    }  # fmt: skip


def _subscription(shown: Json, row: Json, date: str) -> None:
    if date < ENDIVE:
        shown.pop("status_details", None)
    if date < OFF_STRIPE:
        shown.pop("billing_schedules", None)
    if date < FLEXIBLE_BILLING:
        shown.pop("billing_mode", None)
    if date >= BASIL:
        return
    items = []
    for item in row["items"]["data"]:
        old = {name: value for name, value in item.items() if not name.startswith("current_period")}
        items.append({**old, "plan": _plan(item["price"])})
    shown["items"] = {**row["items"], "data": items}
    shown["current_period_start"] = min(item["current_period_start"] for item in row["items"]["data"])
    shown["current_period_end"] = max(item["current_period_end"] for item in row["items"]["data"])
    shown["discount"] = None


def _charge(shown: Json, row: Json, date: str) -> None:
    if date < BASIL:
        shown["invoice"] = row["_invoice"]


def _payment_intent(shown: Json, row: Json, date: str) -> None:
    if date < BASIL:
        shown["invoice"] = row["_invoice"]
    if date < ENDIVE:
        shown.pop("payment_record", None)


def _refund(shown: Json, row: Json, date: str) -> None:
    if date < REFUND_CUSTOMER:
        for name in ("customer", "customer_account", "payment_method"):
            shown.pop(name, None)
    if date < "2025-04-30":
        shown.pop("pending_reason", None)


def _dispute(shown: Json, row: Json, date: str) -> None:
    if date < APPEALS:
        shown.pop("intended_submission_method", None)
        details = {name: value for name, value in row["evidence_details"].items() if name != "submission_method"}
        shown["evidence_details"] = details
        if row["status"].startswith("appeal_"):
            shown["status"] = "lost"
    if date < PREVENTED and row["status"] == "prevented":
        shown["status"] = "won"


SHAPES: dict[str, Callable[[Json, Json, str], None]] = {
    "invoice": _invoice,
    "subscription": _subscription,
    "charge": _charge,
    "payment_intent": _payment_intent,
    "refund": _refund,
    "dispute": _dispute,
}

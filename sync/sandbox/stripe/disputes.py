"""How a dispute goes on at the bank: answered, escalated from an inquiry, appealed, decided; and warnings that end."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sync.sandbox.stripe import balance
from sync.sandbox.stripe.errors import ApiError
from sync.sandbox.stripe.store import Table
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Stripe

# What may come after what; an inquiry is closed or becomes a chargeback, a lost chargeback may be appealed.
AFTER: Mapping[str, tuple[str, ...]] = {
    "warning_needs_response": ("warning_under_review", "warning_closed", "needs_response"),
    "warning_under_review": ("warning_closed", "needs_response", "warning_needs_response"),
    "warning_closed": (),
    "needs_response": ("under_review", "won", "lost", "prevented"),
    "under_review": ("won", "lost", "needs_response"),
    "won": ("needs_response",),
    "lost": ("appeal_needs_response", "appeal_under_review"),
    "appeal_needs_response": ("appeal_under_review", "lost"),
    "appeal_under_review": ("won", "lost", "appeal_needs_response"),
    "prevented": (),
}
OVER = ("warning_closed", "won", "lost", "prevented")
DAY = 86_400


def move_dispute(stripe: "Stripe", params: Json) -> Json:
    """`dispute` goes to `status`; `due_in` seconds until evidence is due. With `force` also where no bank would."""
    row = _found(stripe.account.disputes, params, "dispute")
    status, before = str(need(params, "status")), row["status"]
    if not params.get("force") and status not in AFTER.get(before, ()):
        raise PlayError(f"dispute {row['id']} is {before} and cannot become {status}")
    row["status"] = status
    was_refundable = row["is_charge_refundable"]
    row["is_charge_refundable"] = status.startswith("warning_")
    if status.endswith("needs_response"):
        due_in = params.get("due_in", 7 * DAY)
        details = {"due_by": None if due_in is None else stripe.clock.stamp() + int(due_in)}
        row["evidence_details"] = {**row["evidence_details"], **details}
    stripe.account.charges.get(row["charge"])["disputed"] = status not in ("won", "warning_closed", "prevented")
    balance.of_dispute(stripe, row)
    told = "charge.dispute.closed" if status in OVER else "charge.dispute.updated"
    events = [stripe.emit(told, row, previous={"status": before})]
    if was_refundable and status == "needs_response":
        events.append(stripe.emit("charge.dispute.funds_withdrawn", row))
    if status == "won":
        events.append(stripe.emit("charge.dispute.funds_reinstated", row))
    return {"dispute": row["id"], "charge": row["charge"], "status": status, "events": events}


def settle_warning(stripe: "Stripe", params: Json) -> Json:
    """A `warning` asks for nothing any more: it came too late, or the payment was refunded."""
    row = _found(stripe.account.warnings, params, "warning")
    row["actionable"] = False
    event = stripe.emit("radar.early_fraud_warning.updated", row, previous={"actionable": True})
    return {"warning": row["id"], "charge": row["charge"], "events": [event]}


def _found(table: Table, params: Json, name: str) -> Json:
    try:
        return table.get(str(need(params, name)))
    except ApiError as error:
        raise PlayError(str(error)) from error


PLAYS: Mapping[str, Callable[["Stripe", Json], Json]] = {
    "move_dispute": move_dispute,
    "settle_warning": settle_warning,
}

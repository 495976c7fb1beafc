"""Changes of Stripe's objects that both the API and the played world make, and the answer type of lists."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.sandbox.stripe import build
from sync.sandbox.stripe.errors import ApiError
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

# The smallest steps an amount can be paid out in, where it is not one minor unit.
STEPS = {**dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10), "isk": 100, "ugx": 100}
REFUND_STATUSES = ("pending", "requires_action", "succeeded", "failed", "canceled")


@dataclass(slots=True)
class Listing:
    """A page of objects."""

    rows: list[Json]
    path: str
    has_more: bool = False
    search: bool = False


def subscription_of(stripe: "Stripe", inv: Json) -> Json:
    """The subscription an invoice belongs to."""
    return stripe.account.subscriptions.get(inv["_subscription"])


def open_invoice(stripe: "Stripe", sub: Json, now: int, reason: str = "subscription_cycle") -> Json:
    """A new open invoice of a subscription with its payment intent and invoice payment."""
    account = stripe.account
    inv = account.invoices.add(build.invoice(stripe.ids, now, sub, account.customers.get(sub["customer"]), reason))
    intent = account.payment_intents.add(build.payment_intent(stripe.ids, now, inv))
    account.invoice_payments.add(build.invoice_payment(stripe.ids, now, inv, intent))
    inv["_intent"] = intent["id"]
    sub["latest_invoice"] = inv["id"]
    return inv


def decline(stripe: "Stripe", inv: Json, now: int) -> Json:
    """One failed charge for an invoice."""
    intent = stripe.account.payment_intents.get(inv["_intent"])
    failed = stripe.account.charges.add(build.charge(stripe.ids, now, intent, paid=False))
    intent["latest_charge"] = failed["id"]
    intent["last_payment_error"] = {
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "charge": failed["id"],
        "message": "Your card has insufficient funds.",
    }  # fmt: skip
    inv["attempted"] = True
    inv["_charge"] = failed["id"]
    return failed


def settle(stripe: "Stripe", inv: Json, now: int, *, out_of_band: bool = False) -> None:
    """The invoice is paid, by a charge unless it was paid elsewhere."""
    intent = stripe.account.payment_intents.get(inv["_intent"])
    payment = stripe.account.invoice_payments.where("invoice", inv["id"])[-1]
    if out_of_band:
        intent.update(status="canceled", canceled_at=now)
        payment.update(status="canceled", status_transitions={"canceled_at": now, "paid_at": None})
        inv["amount_paid_off_stripe"] = inv["amount_due"]
    else:
        paid = stripe.account.charges.add(build.charge(stripe.ids, now, intent, paid=True))
        intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=paid["id"])
        intent["last_payment_error"] = None
        payment.update(status="paid", amount_paid=inv["amount_due"])
        payment["status_transitions"] = {"canceled_at": None, "paid_at": now}
        inv["_charge"] = paid["id"]
    inv.update(
        status="paid", amount_paid=inv["amount_due"], amount_remaining=0, attempted=True, next_payment_attempt=None,
        _out_of_band=out_of_band, status_transitions={**inv["status_transitions"], "paid_at": now},
    )  # fmt: skip


def announce_paid(stripe: "Stripe", inv: Json, call: "Call | None" = None) -> list[str]:
    """The events of a payment; the subscription's only when its status moved."""
    events = [stripe.emit(name, inv, call=call) for name in ("invoice.paid", "invoice.payment_succeeded")]
    sub = subscription_of(stripe, inv)
    invoices = stripe.account.invoices.where("subscription", sub["id"])
    still_open = any(one["status"] == "open" and one["attempt_count"] for one in invoices)
    if sub["status"] in ("past_due", "unpaid", "incomplete") and not still_open:
        events.append(set_status(stripe, sub, "active", call))
    return events


def set_status(stripe: "Stripe", sub: Json, status: str, call: "Call | None" = None) -> str:
    """Move a subscription and tell of it."""
    previous = {"status": sub["status"]}
    sub["status"] = status
    return stripe.emit("customer.subscription.updated", sub, call=call, previous=previous)


def end_subscription(stripe: "Stripe", sub: Json, now: int, reason: str, call: "Call | None" = None) -> str:
    """Cancel a subscription now and tell of it."""
    sub.update(status="canceled", canceled_at=now, ended_at=now)
    sub["cancellation_details"] = {**sub["cancellation_details"], "reason": reason}
    return stripe.emit("customer.subscription.deleted", sub, call=call)


def give_back(stripe: "Stripe", paid: Json, amount: int | None, given: Json, now: int) -> Json:
    """A refund of a charge, never more than is left of it."""
    if not paid["paid"]:
        raise ApiError(400, f"Charge {paid['id']} was not successful and cannot be refunded.", param="charge")
    left = paid["amount_captured"] - paid["amount_refunded"]
    if left <= 0:
        text = f"Charge {paid['id']} has already been refunded."
        raise ApiError(400, text, code="charge_already_refunded")
    if any(_takes_back(one) for one in stripe.account.disputes.where("charge", paid["id"])):
        text = f"Charge {paid['id']} has been charged back; cannot issue a refund."
        raise ApiError(400, text, code="charge_disputed")
    wanted = left if amount is None else amount
    if wanted < 1:
        text = "Invalid positive integer"
        raise ApiError(400, text, code="parameter_invalid_integer", param="amount", executed=False)
    if wanted > left:
        text = f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})"
        raise ApiError(400, text, code="amount_too_large", param="amount")
    if wanted % STEPS.get(paid["currency"], 1):
        text = f"Invalid amount: {wanted} cannot be paid out in {paid['currency']}"
        raise ApiError(400, text, code="parameter_invalid_integer", param="amount", executed=False)
    paid["amount_refunded"] += wanted
    paid["refunded"] = paid["amount_refunded"] == paid["amount_captured"]
    refund = stripe.account.refunds.add(build.refund(stripe.ids, now, paid, wanted, given))
    begin_as(stripe, refund, stripe.account.customers.get(paid["customer"]).get("_refunds_as", "succeeded"))
    return refund


def _takes_back(dispute: Json) -> bool:
    """A chargeback that the bank did not give up; an inquiry leaves its charge refundable."""
    return not dispute["is_charge_refundable"] and dispute["status"] not in ("won", "warning_closed", "prevented")


def begin_as(stripe: "Stripe", refund: Json, status: str) -> None:
    """A refund is not always done at once: banks take days, refuse it, or want something of the customer."""
    refund["status"] = status
    if status == "failed":
        take_back(stripe, refund, "failed")
    elif status in ("pending", "requires_action"):
        refund["pending_reason"] = "processing" if status == "pending" else None


def take_back(stripe: "Stripe", refund: Json, status: str) -> None:
    """A refund that failed or was cancelled: its amount can be refunded again."""
    paid = stripe.account.charges.get(refund["charge"])
    paid["amount_refunded"] -= refund["amount"]
    paid["refunded"] = False
    refund.update(status=status, pending_reason=None)
    if status == "failed":
        refund["failure_reason"] = "expired_or_canceled_card"

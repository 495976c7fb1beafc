"""Stripe's balance: what each payment, refund and dispute moved, with the fee that was kept; lists newest first.

The lines follow from the other objects, so they are made when somebody asks for them.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from sync.sandbox.stripe import build
from sync.sandbox.stripe.errors import parameter_unknown
from sync.sandbox.stripe.objects import Listing
from sync.sandbox.stripe.store import in_time, page
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Call, Stripe

RATE_PERMILLE, FIXED, DISPUTE_FEE = 29, 30, 1500
DAY = 86_400
FILTERS = frozenset({"source", "type", "currency", "created", "payout", "limit", "starting_after", "ending_before",
                     "expand"})  # fmt: skip


def listed(stripe: "Stripe", call: "Call", object_id: str) -> Listing:
    """GET /v1/balance_transactions, by source, type, currency and time."""
    for name in call.params:
        if name not in FILTERS:
            raise parameter_unknown(name)
    catch_up(stripe)
    table = stripe.account.balance
    filters = {"source": call.params["source"]} if call.params.get("source") else {}
    rows = [row for row in table.newest(filters) if in_time(call.params, row)]
    for name in ("type", "currency"):
        wanted = call.params.get(name)
        rows = [row for row in rows if not wanted or row[name] == wanted]
    # Newest first by its own time: what was planted may carry an earlier one.
    found, more = page(iter(sorted(rows, key=lambda row: -row["created"])), call.params, table)
    return Listing(found, table.path, more)


def retrieve(stripe: "Stripe", call: "Call", object_id: str) -> Json:
    """GET /v1/balance_transactions/{id}."""
    catch_up(stripe)
    return stripe.account.balance.get(object_id)


def catch_up(stripe: "Stripe") -> None:
    """The lines of everything that moved money since somebody asked last."""
    account = stripe.account
    for paid in islice(account.charges.rows.values(), account.balanced, None):
        if paid["paid"]:
            fee = paid["amount"] * RATE_PERMILLE // 1000 + FIXED
            _add(stripe, paid["balance_transaction"], "charge", "charge", paid, paid["amount"], fee)
    account.balanced = len(account.charges.rows)
    for refund in account.refunds.rows.values():
        if refund["status"] != "requires_action":
            _add(stripe, refund["balance_transaction"], "refund", "refund", refund, -refund["amount"])
        if refund["status"] in ("failed", "canceled"):
            back = refund.setdefault("failure_balance_transaction", build.object_id(stripe.ids, "txn"))
            _add(stripe, back, "refund_failure", "refund_failure", refund, refund["amount"])
    for dispute in account.disputes.rows.values():
        of_dispute(stripe, dispute)


def of_dispute(stripe: "Stripe", dispute: Json) -> None:
    """A chargeback takes the money and a fee; one that is won gives the money back."""
    lines = dispute["balance_transactions"]
    if not lines and not dispute["status"].startswith("warning_") and dispute["status"] != "prevented":
        key = build.object_id(stripe.ids, "txn")
        lines.append(_add(stripe, key, "adjustment", "dispute", dispute, -dispute["amount"], DISPUTE_FEE))
    if len(lines) == 1 and dispute["status"] == "won":
        key = build.object_id(stripe.ids, "txn")
        lines.append(_add(stripe, key, "adjustment", "dispute_reversal", dispute, dispute["amount"]))


def _add(stripe: "Stripe", key: str, sort: str, category: str, source: Json, amount: int, fee: int = 0) -> Json:
    known = stripe.account.balance.rows.get(key)
    return known or stripe.account.balance.add(
        _line(key, sort, category, amount, fee, source["currency"], source["created"], source["id"])
    )


def _line(
    key: str, sort: str, category: str, amount: int, fee: int, currency: str, created: int, source: str | None
) -> Json:  # fmt: skip
    details = [{"amount": fee, "application": None, "currency": currency, "description": "Processing fees",
                "type": "stripe_fee"}] if fee else []  # fmt: skip
    return {
        "id": key, "object": "balance_transaction", "amount": amount, "available_on": created + 2 * DAY,
        "balance_type": "payments", "created": created, "currency": currency, "description": None,
        "exchange_rate": None, "fee": fee, "fee_details": details, "net": amount - fee, "reporting_category": category,
        "source": source, "status": "pending", "type": sort,
    }  # fmt: skip


def plant_balance(stripe: "Stripe", params: Json) -> Json:
    """Lines of their own, one for each of `rows`: `type`, `category`, `amount`, `fee`, `currency` (usd), `ago` (s)."""
    made = []
    for given in need(params, "rows"):
        key = build.object_id(stripe.ids, "txn")
        stripe.account.balance.add(
            _line(
                key, str(need(given, "type")), str(need(given, "category")), int(need(given, "amount")),
                int(given.get("fee", 0)), str(given.get("currency", "usd")),
                stripe.clock.stamp() - int(given.get("ago", 0)), given.get("source"),
            )
        )  # fmt: skip
        made.append(key)
    return {"transactions": made}


def change_balance(stripe: "Stripe", params: Json) -> Json:
    """The line of `source` says other `fields`: settled in another currency, say."""
    catch_up(stripe)
    rows = stripe.account.balance.where("source", str(need(params, "source")))
    if not rows:
        raise PlayError(f"nothing in the balance is of {params['source']}")
    fields: Mapping[str, Any] = need(params, "fields")
    rows[-1].update(fields)
    return {"transaction": rows[-1]["id"]}


PLAYS: Mapping[str, Callable[["Stripe", Json], Json]] = {
    "plant_balance": plant_balance,
    "change_balance": change_balance,
}

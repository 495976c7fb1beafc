"""Billing's side: subscriptions, invoices, refunds, customers and events as its lists show them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sync import providers
from sync.contracts import members
from sync.contracts import stripe as contract
from sync.contracts.members import DriftError
from sync.errors import ProviderError
from sync.providers import base, stripe_lists
from sync.providers.stripe import MARK, Stripe
from sync.reconcile.pairing import Rows, Window
from sync.reconcile.staging import Row, values
from sync.wiretypes import Exchange

SUBSCRIPTIONS, INVOICES, REFUNDS, EVENTS, CUSTOMERS = "subscriptions", "invoices", "refunds", "events", "customers"
OVER = ("canceled", "incomplete_expired")
OURS = "meshline-"  # how the keys of our own writes begin
# What a contract must be while billing says this; nothing is said while a payment may still be collected.
STANDING = {"active": "active", "trialing": "active", "unpaid": "behind"}


def stripe() -> Stripe:
    """The adapter, narrowed."""
    adapter = providers.get("stripe")
    assert isinstance(adapter, Stripe)
    return adapter


def subscriptions(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """All of them, ended ones too, by their id. Raises ProviderError."""
    rows, following = _page(SUBSCRIPTIONS, window, cursor, exchanges, {"status": "all"})
    return _made(rows, _subscription), following


def _subscription(row: Mapping[str, Any]) -> Rows:
    seen = contract.subscription_seen(row)
    said = "" if seen.status in OVER else STANDING.get(seen.status, "")
    monthly = "" if seen.amount_minor is None else f"{seen.amount_minor} {seen.currency}"
    if seen.status == "incomplete":
        return []  # never began
    vals = values("yes" if seen.status in OVER else "no", said, monthly)
    return [("billing", Row(seen.id, seen.id, vals, seen.customer_id, _made_at(row)))]


def invoices(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """All that were finalized, by their id. Raises ProviderError."""
    rows, following = _page(INVOICES, window, cursor, exchanges)
    return _made(rows, _invoice), following


def _invoice(row: Mapping[str, Any]) -> Rows:
    status, key = members.text(row, "status"), members.text(row, "id")
    if status == "draft":
        return []
    total = f"{members.integer(row, 'total')} {members.currency(row)}"
    paid = {"paid": "yes", "open": "no", "uncollectible": "no"}.get(status, "")
    vals = values("yes" if status == "void" else "no", total, paid)
    return [("billing", Row(key, key, vals, contract.customer_id(row), _made_at(row)))]


def refunds(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Those that carry a mark of ours by the mark, and all that count by their own id. Raises ProviderError."""
    rows, following = _page(REFUNDS, window, cursor, exchanges, is_ordered=True)
    return _made(rows, _refund), following


def _refund(row: Mapping[str, Any]) -> Rows:
    key, mark = members.text(row, "id"), members.labels(row).get(MARK, "")
    if members.text(row, "status") in ("failed", "canceled"):
        return []
    vals = values(f"{members.integer(row, 'amount', low=0)} {members.currency(row)}", key)
    found: Rows = [("given", Row(key, key, vals, f"@{mark}" if mark else "", _made_at(row)))]
    return [*found, ("billing", Row(mark, key, vals, "", _made_at(row)))] if mark else found


def marked(resource: str) -> Any:
    """A reader of one of the lists, for actions: objects by their id, and by the mark of ours that they carry."""

    def read(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
        more = {"status": "all"} if resource == SUBSCRIPTIONS else {}
        rows, following = _page(resource, window, cursor, exchanges, more)
        word = resource.removesuffix("s")
        return _made(rows, lambda row: of_mark("stripe", word, members.text(row, "id"), _mark(row))), following

    return read


def of_mark(system: str, kind: str, record: str, mark: str) -> Rows:
    """One object of an action: that it is there, and which action it names."""
    found: Rows = [("objects", Row(f"{system}:{kind}:{record}", record))]
    return [*found, ("marked", Row(mark, f"{kind} {record}", "", f"{system}:{kind}"))] if mark else found


def events(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Events of the window that something here reads; whoever of our writes caused one is named with it."""
    rows, following = stripe_lists.page(
        stripe(), EVENTS, cursor, exchanges, since=window.since, until=window.until, is_ordered=True
    )  # fmt: skip
    return _made(rows, _event), following


def _event(row: Mapping[str, Any]) -> Rows:
    key, type_ = members.text(row, "id"), members.text(row, "type")
    if base.kind_of(Stripe.name, type_) in ("unknown", "informational"):
        return []
    request = row.get("request")
    said = str(request.get("idempotency_key") or "") if isinstance(request, dict) else ""
    about = f"@{said.removeprefix(OURS)[:36]}" if said.startswith(OURS) else ""
    return [("billing", Row(key, key, type_, about))]


def _mark(row: Mapping[str, Any]) -> str:
    return members.labels(row).get(MARK, "")


def _page(
    resource: str, window: Window, cursor: str, exchanges: list[Exchange], more: Mapping[str, str] | None = None,
    *, is_ordered: bool = False,
) -> tuple[list[dict[str, Any]], str]:  # fmt: skip
    return stripe_lists.page(
        stripe(), resource, cursor, exchanges, until=window.started, more=more, is_ordered=is_ordered
    )


def _made(rows: list[dict[str, Any]], make: Any) -> Rows:
    """The rows of a page. ProviderError where one does not fit its contract."""
    try:
        return [one for row in rows for one in make(row)]
    except DriftError as error:
        raise _drifted(error) from error


def _drifted(error: DriftError) -> ProviderError:
    return stripe().drifted(error)


def _made_at(row: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(members.integer(row, "created", low=0), UTC).isoformat()

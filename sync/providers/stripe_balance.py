"""Stripe's balance transactions: one by its id, all of an object, or the list of a time; each with its object.

There is no event about a balance transaction itself: events of payments, refunds and disputes name it, and the list is
what nothing is missing from.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gates.playbooks.accounting import BOUNCED, DISPUTED, REFUNDED, REVERSED, Fact
from sync.contracts import balance, members
from sync.contracts.members import DriftError
from sync.providers import base, stripe_lists
from sync.providers.base import Exchanges
from sync.providers.stripe import Stripe

PATH = "balance_transactions"
_EXPAND = "expand%5B0%5D"


def one(stripe: Stripe, transaction: str, exchanges: Exchanges | None = None) -> Fact | None:
    """One line of the balance as it is now; None if there is none. Raises ProviderError."""
    row = stripe.get(f"/v1/{PATH}/{base.path_id(transaction, stripe.name)}?{_EXPAND}=source", exchanges)
    return whole(stripe, _read(stripe, row), exchanges) if row else None


def of_object(stripe: Stripe, source: str, exchanges: Exchanges | None = None) -> list[Fact]:
    """The lines of one payment, refund or dispute. Raises ProviderError."""
    query = f"source={base.path_id(source, stripe.name)}&limit=100&{_EXPAND}=data.source"
    document = stripe.get(f"/v1/{PATH}?{query}", exchanges) or {}
    try:
        rows = members.mappings(document, "data")
    except DriftError as error:
        raise stripe.drifted(error) from error
    return [whole(stripe, _read(stripe, row), exchanges) for row in rows]


def page(
    stripe: Stripe, cursor: str, exchanges: Exchanges | None = None, *, since: datetime, until: datetime
) -> tuple[list[Fact], str]:
    """One page of the lines of a time, newest first, and the cursor to the next: "" after the last.

    Raises ProviderError. A line of a dispute does not say whose it is: `whole` does.
    """
    rows, following = stripe_lists.page(
        stripe, PATH, cursor, exchanges, since=since, until=until, more={"expand[0]": "data.source"}, is_ordered=True
    )
    return [_read(stripe, row) for row in rows], following


def whole(stripe: Stripe, fact: Fact, exchanges: Exchanges | None = None) -> Fact:
    """The same with the customer, whom of a dispute, and of a refund in shapes before July 2026, the payment names.

    Raises ProviderError.
    """
    if fact.customer or not fact.charge or fact.category not in (DISPUTED, REVERSED, REFUNDED, BOUNCED):
        return fact
    charge = stripe.get(f"/v1/charges/{base.path_id(fact.charge, stripe.name)}", exchanges) or {}
    try:
        return replace(fact, customer=members.reference(charge, "customer"))
    except DriftError as error:
        raise stripe.drifted(error) from error


def _read(stripe: Stripe, row: Mapping[str, Any]) -> Fact:
    try:
        return balance.fact(row)
    except DriftError as error:
        raise stripe.drifted(error) from error

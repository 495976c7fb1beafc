"""Stripe's objects in memory, with the indexes its list calls need."""

from collections.abc import Callable, Iterator
from typing import Any

from sync.sandbox.stripe.errors import ApiError, missing
from sync.sandbox.stripe.forms import integer
from sync.sandbox.wire import Json

Key = Callable[[Json], Any]


class Table:
    """Objects of one kind in the order of creation; lists come newest first."""

    def __init__(self, name: str, path: str, **indexes: Key) -> None:
        self.name = name
        self.path = path
        self.rows: dict[str, Json] = {}
        self._keys = indexes
        self._ids: dict[tuple[str, Any], list[str]] = {}

    def add(self, row: Json) -> Json:
        """Keep a new row and index it."""
        self.rows[row["id"]] = row
        for field, key in self._keys.items():
            self._ids.setdefault((field, key(row)), []).append(row["id"])
        return row

    def reindex(self, row: Json, field: str) -> None:
        """Make a row findable by its new value; the old entry stays and is checked on reading."""
        ids = self._ids.setdefault((field, self._keys[field](row)), [])
        if row["id"] not in ids:
            ids.append(row["id"])

    def get(self, object_id: str, param: str = "id") -> Json:
        """A row that must exist."""
        row = self.rows.get(object_id)
        if row is None:
            raise missing(self.name, object_id, param)
        return row

    def where(self, field: str, value: str) -> list[Json]:
        """Rows with this value of an indexed field, oldest first."""
        return [self.rows[one] for one in self._ids.get((field, value), ())]

    def newest(self, filters: dict[str, str]) -> Iterator[Json]:
        """Rows that match all indexed filters, newest first."""
        for field in filters:
            if field not in self._keys:
                raise KeyError(field)
        if not filters:
            yield from (self.rows[one] for one in reversed(self.rows))
            return
        narrow = min(filters, key=lambda field: len(self._ids.get((field, filters[field]), ())))
        for object_id in reversed(self._ids.get((narrow, filters[narrow]), ())):
            row = self.rows[object_id]
            if all(self._keys[field](row) == value for field, value in filters.items()):
                yield row


def in_time(params: Json, row: Json) -> bool:
    """The `created` filter: a number, or gt, gte, lt, lte."""
    wanted = params.get("created")
    if wanted is None:
        return True
    if not isinstance(wanted, dict):
        return bool(row["created"] == integer(params, "created"))
    tests = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}
    for name, test in tests.items():
        limit = integer(wanted, name)
        if limit is not None and not test(row["created"], limit):
            return False
    return True


def page(rows: Iterator[Json], params: Json, table: Table) -> tuple[list[Json], bool]:
    """One page by limit, starting_after or ending_before; the flag says whether more follows."""
    limit = integer(params, "limit")
    size = 10 if limit is None else limit
    if not 1 <= size <= 100:
        raise ApiError(400, "Limit must be between 1 and 100.", param="limit", executed=False)
    before, after = params.get("ending_before"), params.get("starting_after")
    if before:
        table.get(before, "ending_before")
        newer: list[Json] = []
        for row in rows:
            if row["id"] == before:
                break
            newer.append(row)
        return newer[-size:], len(newer) > size
    if after:
        table.get(after, "starting_after")
        for row in rows:
            if row["id"] == after:
                break
    found: list[Json] = []
    for row in rows:
        if len(found) == size:
            return found, True
        found.append(row)
    return found, False


class Account:
    """All tables of the one Stripe account."""

    def __init__(self) -> None:
        customer: Key = lambda row: row.get("customer")  # noqa: E731
        intent: Key = lambda row: row.get("payment_intent")  # noqa: E731
        self.customers = Table("customer", "customers", email=lambda row: row.get("email"))
        self.elsewhere: set[str] = set()  # customers of the other mode
        self.prices = Table("price", "prices")
        self.subscriptions = Table("subscription", "subscriptions", customer=customer, price=_price_of)
        self.invoices = Table("invoice", "invoices", customer=customer, subscription=lambda r: r["_subscription"])
        self.invoice_payments = Table(
            "invoice_payment", "invoice_payments", invoice=lambda r: r["invoice"], intent=lambda r: r["_intent"]
        )
        self.payment_intents = Table("payment_intent", "payment_intents", customer=customer)
        self.charges = Table("charge", "charges", customer=customer, payment_intent=intent)
        charge: Key = lambda row: row["charge"]  # noqa: E731
        self.refunds = Table("refund", "refunds", charge=charge, payment_intent=intent)
        self.disputes = Table("dispute", "disputes", charge=charge, payment_intent=intent)
        self.warnings = Table("early_fraud_warning", "radar/early_fraud_warnings", charge=charge, payment_intent=intent)
        self.balance = Table("balance_transaction", "balance_transactions", source=lambda row: row["source"])
        self.balanced = 0  # how many charges are in the balance already
        self.events = Table("event", "events")
        self.portal_sessions = Table("session", "billing_portal/sessions")
        self.portal: Json = {"active": True, "url": "", "configurations": []}

    def tables(self) -> list[Table]:
        """Every table."""
        return [table for table in vars(self).values() if isinstance(table, Table)]

    def find(self, object_id: str) -> Json | None:
        """Any object by its id."""
        return next((table.rows[object_id] for table in self.tables() if object_id in table.rows), None)


def _price_of(row: Json) -> Any:
    return row["items"]["data"][0]["price"]["id"]

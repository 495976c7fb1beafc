"""NetSuite's payments, customer refunds and journal entries under our external ids: frozen, found again, and listed.

Every amount is written as an exact decimal of its currency. The memo begins with the external id, so that a record
that somebody copied in the ERP, which leaves its external id behind, is still seen as a second one of the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger import money
from sync.contracts import members
from sync.contracts import netsuite as contract
from sync.contracts.members import DriftError
from sync.errors import PermanentError
from sync.providers import netsuite_records as records
from sync.providers.base import Exchanges
from sync.providers.netsuite import RECORDS, NetSuite
from sync.providers.stripe_lists import ORDER

PAYMENT, REFUND, JOURNAL = "customerPayment", "customerRefund", "journalEntry"
APPLY, LINES = "apply", "line"
TYPES = {PAYMENT: "CustPymt", REFUND: "CustRfnd", JOURNAL: "Journal"}
PAGE = 1000
OURS = f"externalid LIKE 'mesh-%' OR {records.INVOICE_ACTION} IS NOT NULL"
# Journals have no total of their own in every account: what their lines debit is what they move.
_JOURNALS = f"""SELECT t.id AS id, MAX(t.externalid) AS externalid, MAX(t.memo) AS memo, MAX(t.currency) AS currency,
 SUM(l.debitforeignamount) AS total FROM transaction t, transactionline l
 WHERE l.transaction = t.id AND t.type = 'Journal' AND t.id > ?
 AND (t.externalid LIKE 'mesh-%' OR t.{records.INVOICE_ACTION} IS NOT NULL) GROUP BY t.id ORDER BY t.id"""
_PAYMENTS = f"""SELECT id, externalid, memo, entity, currency, foreigntotal AS total FROM transaction
 WHERE id > ? AND type IN ('CustPymt', 'CustRfnd') AND ({OURS}) ORDER BY id"""


@dataclass(frozen=True, slots=True)
class Found:
    """A record under our external id. `minor` in minor units of the currency asked about; ids are NetSuite's own.

    `debited` and `credited` are a journal's accounts; of a payment or refund `debited` is the account of its money.
    """

    id: str
    number: str
    customer: str
    currency_id: str
    minor: int | None
    debited: str = ""
    credited: str = ""
    action: str = ""

    @property
    def says(self) -> tuple[Any, ...]:
        """What two records of the same must agree in."""
        return self.customer, self.currency_id, self.minor, self.debited, self.credited


def find(
    erp: NetSuite, record: str, eid: str, currency: str, exchanges: Exchanges | None = None
) -> Found | None:  # fmt: skip
    """The record under an external id as it is now; None if there is none. Raises ProviderError."""
    more = "?expandSubResources=true" if record == JOURNAL else ""
    document = erp.get(f"{RECORDS}/{record}/eid:{eid}{more}", exchanges)
    if document is None:
        return None
    try:
        flat = contract.flat(document)
        read = _journal if record == JOURNAL else _payment
        return read(flat, currency)
    except DriftError as error:
        raise erp.drifted(error) from error


def _payment(flat: Mapping[str, Any], currency: str) -> Found:
    given = [flat[name] for name in ("payment", "total") if flat.get(name) is not None]
    total = given[0] if given else sum(row["amount"] for row in members.mappings(members.mapping(flat, APPLY), "items"))
    return Found(
        contract.record_id(flat), members.text_or_blank(flat, "tranid"), contract.value_of(flat, "customer"),
        contract.value_of(flat, "currency"), records.minor_of(total, currency), contract.value_of(flat, "account"),
        action=contract.value_of(flat, records.INVOICE_ACTION),
    )  # fmt: skip


def _journal(flat: Mapping[str, Any], currency: str) -> Found:
    rows = [contract.flat(row) for row in members.mappings(members.mapping(flat, LINES), "items")]
    sides = {side: [row for row in rows if row.get(side)] for side in ("debit", "credit")}
    accounts = {side: "+".join(contract.value_of(row, "account") for row in found) for side, found in sides.items()}
    minors = [records.minor_of(row["debit"], currency) for row in sides["debit"]]
    whole = None if not minors or None in minors else sum(one for one in minors if one is not None)
    entity = next((contract.value_of(row, "entity") for row in rows if row.get("entity")), "")
    return Found(
        contract.record_id(flat), members.text_or_blank(flat, "tranid"), entity, contract.value_of(flat, "currency"),
        whole, accounts["debit"], accounts["credit"], contract.value_of(flat, records.INVOICE_ACTION),
    )  # fmt: skip


def asked(record: str, body: Mapping[str, Any], currency: str) -> Found:
    """What a frozen request says, in the shape of what is found."""
    flat = {name.lower(): value for name, value in body.items()} | {"id": "0"}
    return _journal(flat, currency) if record == JOURNAL else _payment(flat, currency)


def decimal(minor: int, currency: str) -> Decimal:
    """An amount as it is written. PermanentError for a currency nobody knows."""
    places = money.exponent(currency)
    if places is None:
        told = f"{currency.upper()} is not a currency we know"
        raise PermanentError(told, provider=NetSuite.name, code="no_currency", never_sent=True)
    return Decimal(minor).scaleb(-places)


def applied(record_id: str, amount: Decimal) -> dict[str, Any]:
    """The sublist that settles one other record with so much."""
    return {"items": [{"doc": {"id": record_id}, "apply": True, "amount": amount}]}


def open_invoice(erp: NetSuite, record_id: str, currency_id: str, exchanges: Exchanges | None = None) -> Decimal:
    """What of an invoice is still to be paid; 0 where it is in another currency or gone. Raises ProviderError."""
    document = erp.get(f"{RECORDS}/invoice/{record_id}?fields=amountRemaining,currency", exchanges)
    flat = contract.flat(document) if document else {}
    try:
        if contract.value_of(flat, "currency") != currency_id:
            return Decimal(0)
        return max(Decimal(0), Decimal(str(flat.get("amountremaining") or 0)))
    except (DriftError, ArithmeticError):
        return Decimal(0)


def listed(
    erp: NetSuite, cursor: str, exchanges: Exchanges | None = None, *, journals: bool
) -> tuple[list[dict[str, Any]], str]:
    """One page of our records by rising id, each with externalid, memo, currency and total, and the next cursor.

    PermanentError `order` where ids do not rise. Raises ProviderError.
    """
    rows = erp.suiteql(_JOURNALS if journals else _PAYMENTS, [cursor or "0"], limit=PAGE, exchanges=exchanges)
    try:
        ids = [int(contract.record_id(row)) for row in rows]
    except (DriftError, ValueError) as error:
        drift = error if isinstance(error, DriftError) else DriftError("id", "is no number")
        raise erp.drifted(drift) from error
    if ids != sorted(set(ids)) or (ids and ids[0] <= int(cursor or 0)):
        raise PermanentError(ORDER, provider=erp.name, code="order")
    return rows, str(ids[-1]) if len(rows) == PAGE else ""


def names_of(row: Mapping[str, Any], prefixes: Sequence[str]) -> str:
    """The external id of a listed record, or that of which it is a copy by its memo; "" where it is none of ours."""
    own = members.text_or_blank(row, "externalid")
    copied = members.text_or_blank(row, "memo").partition(":")[0].strip()
    return next((one for one in (own, copied) if one.startswith(tuple(prefixes))), "")

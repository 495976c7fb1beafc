"""NetSuite's credit memos under our external ids: made once for each refund, read back to be believed.

The line is booked on one item of the account; the memo stands in the currency of the refund and names, where it is
known, the invoice that the refunded payment had paid.
"""

from collections.abc import Mapping
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
from sync.wiretypes import FrozenRequest

RECORD, SUBLIST = "creditMemo", "item"
PREFIX = "mesh-cm-"
_INVOICE = "SELECT id, entity FROM transaction WHERE type = 'CustInvc' AND custbody_stripe_invoice_id = ? ORDER BY id"


@dataclass(frozen=True, slots=True)
class FoundMemo:
    """A credit memo under our external id; amount in minor units of the currency asked about."""

    id: str
    external_id: str
    number: str
    customer_id: str
    currency_id: str
    invoice_id: str
    total_minor: int | None
    action_id: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a credit memo is to say. `minor` in minor units of `currency`; ids are NetSuite's own."""

    external_id: str
    customer: str
    currency: str
    currency_id: str
    minor: int
    day: str
    memo: str
    invoice: str
    item: str
    action_id: str


def external_id(refund: str) -> str:
    """What the memo of a refund is found by, for ever."""
    return PREFIX + refund


def find(erp: NetSuite, eid: str, currency: str, exchanges: Exchanges | None = None) -> FoundMemo | None:
    """The memo under our external id as it is now; None if there is none. Raises ProviderError."""
    found = erp.get(f"{RECORDS}/{RECORD}/eid:{eid}", exchanges)
    if found is None:
        return None
    try:
        flat = contract.flat(found)
        return FoundMemo(
            contract.record_id(flat), members.text_or_blank(flat, "externalid"), members.text_or_blank(flat, "tranid"),
            contract.value_of(flat, "entity"), contract.value_of(flat, "currency"),
            contract.value_of(flat, "createdfrom"), records.minor_of(flat.get("total"), currency),
            contract.value_of(flat, records.INVOICE_ACTION),
        )  # fmt: skip
    except DriftError as error:
        raise erp.drifted(error) from error


def currency_id(erp: NetSuite, currency: str, exchanges: Exchanges | None = None) -> str:
    """The account's id of a currency. PermanentError where the account does not keep it."""
    listed = records.LISTED.read(erp, exchanges)["currency"]
    found = (listed or {}).get(currency.casefold(), "")
    if not found:
        told = f"the ERP keeps no books in {currency.upper()}; finance has to add the currency or book it by hand"
        raise PermanentError(told, provider=erp.name, code="no_currency", never_sent=True)
    return found


def invoice_of(erp: NetSuite, billing_invoice: str, customer: str, exchanges: Exchanges | None = None) -> str:
    """The ERP's invoice behind one of the billing system, where it is the same customer's; "" where none is known."""
    if not billing_invoice:
        return ""
    try:
        rows = erp.suiteql(_INVOICE, [billing_invoice], limit=2, exchanges=exchanges)
    except PermanentError as error:
        if error.code == "INVALID_PARAMETER":  # an account without the field keeps no such link
            return ""
        raise
    own = [row for row in rows if str(row.get("entity", "")) == customer]
    return str(own[0]["id"]) if len(rows) == len(own) == 1 else ""


def put(draft: Draft, *, async_key: str = "") -> FrozenRequest:
    """Freeze the memo; a repeat would rewrite its line instead of adding one."""
    places = money.exponent(draft.currency)
    assert places is not None
    line = {
        "item": {"id": draft.item}, "quantity": 1, "rate": Decimal(draft.minor).scaleb(-places),
        "description": draft.memo,
    }  # fmt: skip
    fields: dict[str, Any] = {
        "entity": {"id": draft.customer}, "currency": {"id": draft.currency_id}, "tranDate": draft.day,
        "memo": draft.memo, "item": {"items": [line]}, records.INVOICE_ACTION: draft.action_id,
    }  # fmt: skip
    if draft.invoice:
        fields["createdFrom"] = {"id": draft.invoice}
    return records.put(RECORD, draft.external_id, fields, replace=SUBLIST, async_key=async_key)


def asked(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Customer, currency and invoice as a frozen request says them: NetSuite's ids."""
    named = (body.get(name) or {} for name in ("entity", "currency", "createdFrom"))
    customer, currency, invoice = (str(one.get("id", "")) for one in named)
    return customer, currency, invoice

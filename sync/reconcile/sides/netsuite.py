"""The ERP's side: contracts, invoices and credit memos as its tables show them, amounts in minor units."""

from collections.abc import Sequence
from typing import Any

from sync.contracts import members
from sync.contracts import netsuite as contract
from sync.onboarding.reading import erp
from sync.providers import netsuite_credit, netsuite_lists
from sync.providers import netsuite_records as records
from sync.reconcile.pairing import Rows, Window
from sync.reconcile.sides.stripe import of_mark
from sync.reconcile.staging import Row, values
from sync.wiretypes import Exchange

CONTRACTS = "customrecord_mesh_contract"
TRANSACTION = ("externalid", "entity", "currency", "foreigntotal", "foreignamountunpaid")
BILLED = "custbody_stripe_invoice_id"
STANDING = {"active": "active", "suspended": "behind", "past_due": "behind"}
CONTRACT_ACTION = "custrecord_mesh_action"
OURS = "externalid LIKE 'mesh-%'"


def contracts(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Contracts that name a subscription, by it. Raises ProviderError."""
    ids = contract.field_ids()
    columns = [ids.subscription, ids.status, "custrecord_mesh_mrr", "custrecord_mesh_currency"]
    rows, following = _read(CONTRACTS, columns, f"{ids.subscription} IS NOT NULL", cursor, exchanges)
    found: Rows = []
    for row in rows:
        status, currency = members.text_or_blank(row, ids.status), members.text_or_blank(row, columns[3]).lower()
        monthly = _amount(row.get(columns[2]), currency) if row.get(columns[2]) else ""
        vals = values("yes" if status == "cancelled" else "no", STANDING.get(status, ""), monthly)
        found.append(("books", Row(members.text_or_blank(row, ids.subscription), str(row["id"]), vals, str(row["id"]))))
    return found, following


def invoices(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Invoices that name one of billing's, by it. Raises ProviderError."""
    rows, following = _transactions("CustInvc", f"{BILLED} IS NOT NULL", [BILLED], cursor, exchanges)
    found: Rows = []
    for row, total, unpaid in rows:
        billed = members.text_or_blank(row, BILLED)
        if billed:
            vals = values("yes" if _minor(total) == "0" else "no", total, "yes" if _minor(unpaid) == "0" else "no")
            found.append(("books", Row(billed, str(row["id"]), vals, members.text_or_blank(row, "entity"))))
    return found, following


def memos(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Credit memos of refunds, by the refund. Raises ProviderError."""
    where = f"externalid LIKE '{netsuite_credit.PREFIX}%'"
    rows, following = _transactions("CustCred", where, [], cursor, exchanges)
    cut = len(netsuite_credit.PREFIX)
    found: Rows = [
        (
            "books",
            Row(members.text_or_blank(row, "externalid")[cut:], str(row["id"]), values(total),
                members.text_or_blank(row, "entity")),
        )
        for row, total, _ in rows
    ]  # fmt: skip
    return found, following


def marked(kind: str) -> Any:
    """A reader of one kind of record, for actions: by internal id, and by the mark of ours that it carries."""
    table, where, mark = {
        "customer": ("customer", "", records.CUSTOMER_ACTION), "contract": (CONTRACTS, "", CONTRACT_ACTION),
        "invoice": ("transaction", "type = 'CustInvc' AND ", records.INVOICE_ACTION),
        "creditmemo": ("transaction", "type = 'CustCred' AND ", records.INVOICE_ACTION),
    }[kind]  # fmt: skip
    where += f"({mark} IS NOT NULL OR {OURS})"

    def read(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
        rows, following = _read(table, [mark], where, cursor, exchanges)
        made = [of_mark("netsuite", kind, str(row["id"]), members.text_or_blank(row, mark)) for row in rows]
        return [one for some in made for one in some], following

    return read


def _transactions(
    sort: str, where: str, more: Sequence[str], cursor: str, exchanges: list[Exchange]
) -> tuple[list[tuple[dict[str, Any], str, str]], str]:
    """Transactions with their total and what is unpaid, each as "<minor units> <currency>"."""
    listed = records.LISTED.read(erp(), exchanges)["currency"] or {}
    symbols = {key: name for name, key in listed.items()}
    rows, following = _read(
        "transaction", [*TRANSACTION, *more], f"type = '{sort}' AND ({where})", cursor, exchanges
    )  # fmt: skip
    found = []
    for row in rows:
        symbol = symbols.get(members.text_or_blank(row, "currency"), "?")
        found.append((row, _amount(row.get("foreigntotal"), symbol), _amount(row.get("foreignamountunpaid"), symbol)))
    return found, following


def _amount(value: Any, currency: str) -> str:
    """An amount as it is compared; one that is none keeps its own words, so that it equals nothing."""
    try:
        minor = records.minor_of(value, currency)
    except ValueError:
        minor = None
    return f"{minor} {currency}" if minor is not None else f"?{value or ''} {currency}"


def _minor(amount: str) -> str:
    return amount.partition(" ")[0]


def _read(
    table: str, columns: Sequence[str], where: str, cursor: str, exchanges: list[Exchange]
) -> tuple[list[dict[str, Any]], str]:
    rows, following = netsuite_lists.page(erp(), table, columns, where, cursor, exchanges)
    return [dict[str, Any](row) for row in rows], following

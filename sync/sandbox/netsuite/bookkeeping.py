"""Payments, customer refunds and journal entries of the simulated account: what they must have, and what they settle.

A payment settles invoices and a customer refund pays out credit memos, both of the same customer and currency and
never more than is left of them; the two sides of a journal entry are the same to the minor unit.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sync.sandbox.netsuite import schema
from sync.sandbox.netsuite.errors import bad_content, user_error
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.netsuite.records import Records


# Record type -> how its numbers begin.
NUMBERS = {"customerPayment": "PYMT", "customerRefund": "RFND", "journalEntry": "JE"}
SETTLES: Mapping[str, RecordType] = {"customerPayment": schema.INVOICE, "customerRefund": schema.CREDIT_MEMO}
LINE_COLUMNS = ('"transaction"', "linesequencenumber", "debitforeignamount", "creditforeignamount", "expenseaccount",
                "entity", "mainline")  # fmt: skip


def check(records: "Records", kind: RecordType, fields: Json) -> None:
    """What a new record must have; raises Refused."""
    if not fields.get("currency"):
        raise user_error("You must enter a value for Currency.", "currency")
    if kind is schema.JOURNAL:
        _check_journal(records, fields)
        return
    for name, label in (("customer", "Customer"), ("account", "Account")):
        if not fields.get(name):
            raise user_error(f"You must enter a value for {label}.", name)
    if kind is schema.CUSTOMER_PAYMENT and not Decimal(str(fields.get("payment") or 0)) > 0:
        raise user_error("You must enter a value for Payment Amount.", "payment")
    lines = [line for line in fields.get("apply", []) if line.get("apply")]
    if kind is schema.CUSTOMER_REFUND and not lines:
        raise user_error("You must select at least one credit to refund.", "apply")
    for place, line in enumerate(lines):
        _check_apply(records, kind, fields, line, f"apply.items[{place}].doc")
    amount = sum((Decimal(str(line.get("amount", 0))) for line in lines), Decimal(0))
    if kind is schema.CUSTOMER_PAYMENT and amount > Decimal(str(fields["payment"])):
        raise user_error("The amount applied is more than the payment.", "apply")


def _check_apply(records: "Records", kind: RecordType, fields: Json, line: Json, path: str) -> None:
    target = SETTLES[kind.name]
    doc = records.find(target, str((line.get("doc") or {}).get("id", "")))
    if doc is None:
        raise bad_content(path, f"Invalid reference key {(line.get('doc') or {}).get('id')} for doc.")
    if doc["entity"]["id"] != fields["customer"]["id"] or doc.get("currency", {}).get("id") != fields["currency"]["id"]:
        raise user_error("The transaction belongs to another customer or currency.", path)
    if not 0 < Decimal(str(line.get("amount", 0))) <= Decimal(str(doc["amountRemaining"])):
        raise user_error("The amount applied is more than is left of the transaction.", path)


def _check_journal(records: "Records", fields: Json) -> None:
    lines = fields.get("line", [])
    if len(lines) < 2:
        raise user_error("You must enter at least two lines for this transaction.", "line")
    for place, line in enumerate(lines):
        account = str((line.get("account") or {}).get("id", ""))
        if records.find(schema.ACCOUNT, account) is None:
            raise bad_content(f"line.items[{place}].account", f"Invalid reference key {account} for account.")
        if bool(line.get("debit")) == bool(line.get("credit")):
            raise user_error("Each line is either a debit or a credit.", f"line.items[{place}]")
    if _sum(lines, "debit") != _sum(lines, "credit"):
        raise user_error("The amounts in a journal entry must balance.", "line")


def _sum(lines: list[Json], side: str) -> Decimal:
    return sum((Decimal(str(line.get(side) or 0)) for line in lines), Decimal(0))


def total(kind: RecordType, row: Json) -> None:
    """What the account works out itself."""
    if kind is schema.JOURNAL:
        return
    applied = _sum([line for line in row.get("apply", []) if line.get("apply")], "amount")
    if kind is schema.CUSTOMER_REFUND:
        row["total"] = float(applied)
        return
    row.update(total=row["payment"], applied=float(applied), unapplied=float(Decimal(str(row["payment"])) - applied))


def settle(records: "Records", kind: RecordType, row: Json) -> list[tuple[RecordType, Json]]:
    """Invoices and memos that this record settles, with what is left of them now."""
    target = SETTLES.get(kind.name)
    touched = []
    for line in row.get("apply", []) if target else []:
        doc = records.find(target, str(line["doc"]["id"])) if target else None
        if doc is not None and target is not None:
            paid = sum((_paid(one, doc["id"]) for one in records.rows[kind.name].values()), Decimal(0))
            doc["amountPaid"] = float(paid)
            doc["amountRemaining"] = float(Decimal(str(doc["total"])) - paid)
            touched.append((target, doc))
    return touched


def _paid(row: Json, doc: str) -> Decimal:
    return _sum([line for line in row.get("apply", []) if line.get("apply") and line["doc"]["id"] == doc], "amount")


def sql_lines(kind: RecordType, row: Json) -> list[tuple[Any, ...]]:
    """A journal entry's lines as the searchable copy has them."""
    if kind is not schema.JOURNAL:
        return []
    return [
        (int(row["id"]), place, line.get("debit"), line.get("credit"), (line.get("account") or {}).get("id"),
         (line.get("entity") or {}).get("id"), "T" if place == 0 else "F")
        for place, line in enumerate(row.get("line", []))
    ]  # fmt: skip

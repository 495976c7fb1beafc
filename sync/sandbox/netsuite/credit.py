"""Credit memos of the simulated account: what they may be made from, and their numbers."""

from typing import TYPE_CHECKING

from sync.sandbox.netsuite import schema
from sync.sandbox.netsuite.errors import user_error
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.netsuite.records import Records

NUMBERS = {schema.CREDIT_MEMO.name: "CM"}


def check(records: "Records", kind: RecordType, fields: Json) -> None:
    """A memo has a line, an amount, and the customer of the invoice it is made from; a transaction else passes."""
    if kind is not schema.CREDIT_MEMO:
        return
    if not fields.get("item"):
        raise user_error("You must enter at least one line item for this transaction.", "item")
    if any(float(line.get("rate", 0)) <= 0 for line in fields["item"]):
        raise user_error("Enter a value for the rate that is more than zero.", "item")
    source = fields.get("createdFrom")
    if source and records.get(schema.INVOICE, source["id"])["entity"]["id"] != (fields.get("entity") or {}).get("id"):
        raise user_error("The invoice belongs to another customer.", "createdFrom")

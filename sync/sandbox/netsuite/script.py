"""What our script in the account says of a saved record, in the shape that the event contracts read."""

from typing import TYPE_CHECKING

from sync.sandbox.netsuite import schema
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.netsuite.records import Records

BILLING_CUSTOMER = "custentity_nm_stripe_customer_id"
NEVER_POSTED = ("id", "externalId", "links")


def record_of(kind: RecordType, row: Json, records: "Records") -> Json:
    """The `record` member of a post: the record's own fields by their ids; a contract brings its payer's id along."""
    fields = {name: value for name, value in row.items() if name not in (*NEVER_POSTED, *kind.sublists)}
    if kind is schema.CONTRACT:
        owner = (row.get("custrecord_mesh_customer") or {}).get("id", "")
        fields[BILLING_CUSTOMER] = records.rows[schema.CUSTOMER.name].get(owner, {}).get(BILLING_CUSTOMER)
    return {"type": kind.name, "id": row["id"], "externalId": row.get("externalId"), "fields": fields}

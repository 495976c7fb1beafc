"""What our script in the account says of a saved record: the members that the event contracts know."""

from typing import TYPE_CHECKING, Any

from sync.sandbox.netsuite import schema
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.netsuite.records import Records


def record_of(kind: RecordType, row: Json, records: "Records") -> Json:
    """The `record` member of a post."""
    return _contract(row, records) if kind is schema.CONTRACT else _customer(row)


def _customer(row: Json) -> Json:
    return {
        "internal_id": row["id"], "external_id": row.get("externalId", ""),
        "name": row.get("companyName") or row.get("entityId", ""),
        "stripe_customer_id": row.get("custentity_nm_stripe_customer_id", ""),
        "is_inactive": row.get("isInactive", False),
        "last_action_id": row.get("custentity_mesh_action", ""),
    }  # fmt: skip


def _contract(row: Json, records: "Records") -> Json:
    owner_id = (row.get("custrecord_mesh_customer") or {}).get("id", "")
    owner = records.rows[schema.CUSTOMER.name].get(owner_id, {})
    return {
        "internal_id": row["id"], "external_id": row.get("externalId", ""), "name": row.get("name", ""),
        "customer_internal_id": owner_id, "customer_external_id": owner.get("externalId", ""),
        "stripe_customer_id": owner.get("custentity_nm_stripe_customer_id", ""),
        "status": row.get("custrecord_mesh_status", ""), "plan": row.get("custrecord_mesh_plan", ""),
        "subscription_id": row.get("custrecord_stripe_subscription_id", ""),
        "started_at": _midnight(row.get("custrecord_mesh_started")),
        "ends_at": _midnight(row.get("custrecord_mesh_ends")),
        "last_action_id": row.get("custrecord_mesh_action", ""),
    }  # fmt: skip


def _midnight(date: Any) -> str | None:
    return f"{date}T00:00:00Z" if date else None

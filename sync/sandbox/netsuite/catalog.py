"""The account's own description of a record, and customers planted in numbers."""

from typing import TYPE_CHECKING

from sync.sandbox.netsuite import schema
from sync.sandbox.netsuite.errors import Refused
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json, Reply, json_reply
from sync.sandbox.world import PlayError

if TYPE_CHECKING:
    from sync.sandbox.netsuite.simulator import NetSuite

JSON_TYPES = {
    schema.TEXT: {"type": "string"}, schema.DATE: {"type": "string", "format": "date"},
    schema.FLAG: {"type": "boolean"}, schema.NUMBER: {"type": "number", "format": "double"},
    schema.REF: {"type": "object"},
}  # fmt: skip


def describe(kind: RecordType) -> Reply:
    """`GET /record/v1/metadata-catalog/<record>`: the schema with the account's custom fields in it."""
    properties: Json = {name: {"title": name, **JSON_TYPES[sort]} for name, sort in kind.fields.items()}
    properties |= {name: {"type": "object", "title": name} for name in kind.sublists}
    properties |= {name: {"type": "string", "title": name} for name in ("id", "createdDate", "lastModifiedDate")}
    document = {"$schema": "http://json-schema.org/draft-06/hyper-schema#", "type": "object", "properties": properties}
    return Reply(200, json_reply(200, document).body, {"Content-Type": "application/schema+json"})


def plant_customers(netsuite: "NetSuite", params: Json) -> Json:
    """`rows`: the fields of each, as they would be after years; nobody is told. Ids of the new records in order."""
    made = []
    for given in params.get("rows", []):
        try:
            fields = netsuite.records.clean(schema.CUSTOMER, given, "error")
            row = netsuite.records.create(schema.CUSTOMER, fields)
        except Refused as error:
            raise PlayError(error.detail) from error
        if given.get("isInactive"):
            row["isInactive"] = True
        made.append(row["id"])
    return {"ids": made}


def plant_contracts(netsuite: "NetSuite", params: Json) -> Json:
    """Contracts as years of work leave them, without events: `rows` with the fields of the record."""
    made = [netsuite.records.create(schema.CONTRACT, dict(given)) for given in params.get("rows", [])]
    return {"ids": [row["id"] for row in made]}

"""What people do inside NetSuite: new customers and contracts, changes to both, settings of the account."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sync.sandbox.netsuite import catalog, schema
from sync.sandbox.netsuite.errors import Refused
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.netsuite.simulator import NetSuite


def _create(netsuite: "NetSuite", kind: RecordType, fields: Json) -> Json:
    try:
        row = netsuite.records.create(kind, netsuite.records.clean(kind, fields, "error"))
    except Refused as error:
        raise PlayError(error.detail) from error
    return {"id": row["id"], "external_id": row.get("externalId"), "events": _told(netsuite, kind, row, "created")}


def _change(netsuite: "NetSuite", kind: RecordType, params: Json) -> Json:
    fields = need(params, "fields")
    try:
        row = netsuite.records.get(kind, str(need(params, "id")))
        netsuite.records.update(kind, row, netsuite.records.clean(kind, fields, "error"))
    except Refused as error:
        raise PlayError(error.detail) from error
    return {"id": row["id"], "external_id": row.get("externalId"), "events": _told(netsuite, kind, row, "changed")}


def _told(netsuite: "NetSuite", kind: RecordType, row: Json, what: str) -> list[str]:
    return [event for event in [netsuite.tell(kind, row, what)] if event]


def create_customer(netsuite: "NetSuite", params: Json) -> Json:
    """`name`, `external_id`, `email`, `stripe_customer`, or any schema field under `fields`."""
    short = {
        "companyName": params.get("name"), "externalId": params.get("external_id"), "email": params.get("email"),
        "custentity_nm_stripe_customer_id": params.get("stripe_customer"),
    }  # fmt: skip
    fields = {name: value for name, value in short.items() if value}
    return _create(netsuite, schema.CUSTOMER, {**fields, **params.get("fields", {})})


def create_contract(netsuite: "NetSuite", params: Json) -> Json:
    """`customer` (internal id or `eid:`), `external_id`, `name`, `status`, `plan`, `subscription`, `started`, ..."""
    customer = params.get("customer")
    if customer and str(customer).lower().startswith("eid:"):
        reference = {"externalId": str(customer)[4:]}
    else:
        reference = {"id": str(customer)} if customer else {}
    short = {
        "externalId": params.get("external_id"), "name": params.get("name"), "custrecord_mesh_customer": reference,
        "custrecord_mesh_status": params.get("status", "active"), "custrecord_mesh_plan": params.get("plan"),
        "custrecord_stripe_subscription_id": params.get("subscription"),
        "custrecord_mesh_started": params.get("started"), "custrecord_mesh_ends": params.get("ends"),
        "custrecord_mesh_mrr": params.get("mrr"), "custrecord_mesh_currency": params.get("currency"),
    }  # fmt: skip
    fields = {name: value for name, value in short.items() if value}
    return _create(netsuite, schema.CONTRACT, {**fields, **params.get("fields", {})})


def change_contract(netsuite: "NetSuite", params: Json) -> Json:
    """`id` (internal or `eid:`) and `fields`."""
    return _change(netsuite, schema.CONTRACT, params)


def change_customer(netsuite: "NetSuite", params: Json) -> Json:
    """`id` (internal or `eid:`) and `fields`."""
    return _change(netsuite, schema.CUSTOMER, params)


def delete_customer(netsuite: "NetSuite", params: Json) -> Json:
    """A customer of `id` is no more, as one that was merged into another."""
    key = str(need(params, "id"))
    row = netsuite.records.rows["customer"].get(key)
    if row is None:
        raise PlayError(f"no customer {key}")
    netsuite.records.delete(schema.CUSTOMER, row)
    netsuite.sql.erase(schema.CUSTOMER, row)
    return {"id": key}


def create_invoice(netsuite: "NetSuite", params: Json) -> Json:
    """An invoice of `customer` over `amount`, `currency` (USD), `item` (86), behind `stripe_invoice`."""
    symbol = str(params.get("currency", "USD")).upper()
    currency = next(row["id"] for row in netsuite.records.rows["currency"].values() if row["symbol"] == symbol)
    line = {"item": {"id": str(params.get("item", "86"))}, "quantity": 1, "rate": need(params, "amount")}
    return _create(netsuite, schema.INVOICE, {
        "entity": {"id": str(need(params, "customer"))}, "currency": {"id": currency}, "item": {"items": [line]},
        "custbody_stripe_invoice_id": str(params.get("stripe_invoice", "")),
    })  # fmt: skip


def book(netsuite: "NetSuite", params: Json) -> Json:
    """Finance writes a `record` (a payment, a refund, a journal entry) with these `fields` by hand."""
    return _create(netsuite, netsuite.records.type_of(str(need(params, "record"))), need(params, "fields"))


def change_book(netsuite: "NetSuite", params: Json) -> Json:
    """Finance changes the `fields` of a `record` by its `id` (internal or `eid:`); lines replace its lines."""
    kind = netsuite.records.type_of(str(need(params, "record")))
    try:
        row = netsuite.records.get(kind, str(need(params, "id")))
        fields = netsuite.records.clean(kind, need(params, "fields"), "error")
        netsuite.records.update(kind, row, fields, replace=True)
    except Refused as error:
        raise PlayError(error.detail) from error
    return {"id": row["id"]}


def unbook(netsuite: "NetSuite", params: Json) -> Json:
    """Finance deletes a `record` by its `id` (internal or `eid:`)."""
    kind = netsuite.records.type_of(str(need(params, "record")))
    try:
        row = netsuite.records.get(kind, str(need(params, "id")))
    except Refused as error:
        raise PlayError(error.detail) from error
    netsuite.records.delete(kind, row)
    netsuite.sql.erase(kind, row)
    return {"id": row["id"]}


def set_options(netsuite: "NetSuite", params: Json) -> Json:
    """`concurrency`, `job_delay_s`, `job_share` of writes run as jobs unasked, `token_ttl_s`, `certificate`."""
    netsuite.concurrency = int(params.get("concurrency", netsuite.concurrency))
    netsuite.jobs.delay_s = float(params.get("job_delay_s", netsuite.jobs.delay_s))
    netsuite.jobs.share = float(params.get("job_share", netsuite.jobs.share))
    netsuite.token_ttl_s = float(params.get("token_ttl_s", netsuite.token_ttl_s))
    certificate = params.get("certificate")
    if certificate:
        netsuite.certificates[str(need(certificate, "id"))] = str(need(certificate, "public_key"))
    options = {"concurrency": netsuite.concurrency, "job_delay_s": netsuite.jobs.delay_s}
    return {**options, "token_ttl_s": netsuite.token_ttl_s, "certificates": sorted(netsuite.certificates)}


def expire_tokens(netsuite: "NetSuite", params: Json) -> Json:
    """All access tokens end now."""
    count = len(netsuite.tokens)
    netsuite.tokens.clear()
    return {"expired": count}


PLAYS: Mapping[str, Callable[["NetSuite", Json], Json]] = {
    "create_customer": create_customer,
    "create_contract": create_contract,
    "change_contract": change_contract,
    "change_customer": change_customer,
    "create_invoice": create_invoice,
    "set_options": set_options,
    "delete_customer": delete_customer,
    "expire_tokens": expire_tokens,
    "plant_customers": catalog.plant_customers,
    "plant_contracts": catalog.plant_contracts,
    "book": book,
    "change_book": change_book,
    "unbook": unbook,
}

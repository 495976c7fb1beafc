"""Event contracts of the script that reports NetSuite's records to us.

NetSuite has no webhooks: a user-event script of ours posts `{"id", "type", "occurred_at", "account", "record"}` with
`record` = `{"type", "id", "externalId", "fields"}`. `fields` are the record's own, by their ids in the account, so the
same reader serves a post and a record read by REST. Which field means what is a setting of the installation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from sync.contracts import members
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift, DriftError

SOURCE = "netsuite"
_CONTRACT = EventContract("contract.changed", Semantics.TRANSIENT, ("id",))
_CUSTOMER = EventContract("customer.changed", Semantics.TRANSIENT, ("id",))
CONTRACTS = {
    "contract.created": _CONTRACT,
    "contract.changed": _CONTRACT,
    "customer.created": _CUSTOMER,
    "customer.changed": _CUSTOMER,
}


@dataclass(frozen=True, slots=True)
class ContractSeen:
    """A contract record after it was saved."""

    internal_id: str
    external_id: str
    customer_internal_id: str
    customer_external_id: str
    status: str
    plan: str
    started_at: datetime | None
    ends_at: datetime | None
    subscription_id: str
    stripe_customer_id: str
    name: str
    last_action_id: str  # the action of ours that wrote last: how an echo is recognised
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class ErpCustomerSeen:
    """A customer record after it was saved."""

    internal_id: str
    external_id: str
    name: str
    email: str
    stripe_customer_id: str
    is_inactive: bool
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class FieldIds:
    """Which custom field of the account holds what."""

    customer: str
    status: str
    plan: str
    started: str
    ends: str
    subscription: str
    action: str
    stripe_customer: str


DEFAULT_FIELDS = {
    "customer_field": "custrecord_mesh_customer",
    "status_field": "custrecord_mesh_status",
    "plan_field": "custrecord_mesh_plan",
    "started_field": "custrecord_mesh_started",
    "ends_field": "custrecord_mesh_ends",
    "subscription_field": "custrecord_stripe_subscription_id",
    "action_field": "custrecord_mesh_action",
    "stripe_customer_field": "custentity_nm_stripe_customer_id",
}


def field_ids() -> FieldIds:
    """The field ids in the settings, in the lower case they are read by."""
    config = settings.MESHLINE_PROVIDERS[SOURCE]
    names = {setting: config.get(setting) or default for setting, default in DEFAULT_FIELDS.items()}
    return FieldIds(**{setting.removesuffix("_field"): name.lower() for setting, name in names.items()})


def contract_for(type_: str) -> EventContract:
    """The contract of one of the script's event types."""
    return CONTRACTS.get(type_, UNKNOWN)


def read(type_: str, api_version: str, document: Mapping[str, Any]) -> ContractSeen | ErpCustomerSeen | Drift | None:
    """What a whole event document says; None if it says nothing we use. Never raises."""
    contract = contract_for(type_)
    reader = _READERS.get(contract.kind)
    if reader is None:
        return None
    try:
        record = members.mapping(document, "record")
        for member in contract.required:
            members.present(record, member)
        return reader(flat(record), members.iso_time(document, "occurred_at"))
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A posted or read record as one mapping. NetSuite writes a name in different cases at different doors."""
    fields = members.mapping(record, "fields")
    return {name.lower(): value for name, value in [*fields.items(), *record.items()] if name != "fields"}


def contract_seen(record: Mapping[str, Any], occurred_at: datetime | None = None) -> ContractSeen:
    """Read a flat contract record; DriftError."""
    ids = field_ids()
    customer = record.get(ids.customer)
    return ContractSeen(
        internal_id=record_id(record),
        external_id=members.text_or_blank(record, "externalid"),
        customer_internal_id=value_of(record, ids.customer),
        customer_external_id=members.text_or_blank(customer, "externalId") if isinstance(customer, dict) else "",
        status=value_of(record, ids.status),
        plan=value_of(record, ids.plan),
        started_at=members.iso_time(record, ids.started),
        ends_at=members.iso_time(record, ids.ends),
        subscription_id=value_of(record, ids.subscription),
        stripe_customer_id=value_of(record, ids.stripe_customer),
        name=members.text_or_blank(record, "name"),
        last_action_id=value_of(record, ids.action),
        occurred_at=occurred_at,
    )


def customer_seen(record: Mapping[str, Any], occurred_at: datetime | None = None) -> ErpCustomerSeen:
    """Read a flat customer record; DriftError."""
    return ErpCustomerSeen(
        internal_id=record_id(record),
        external_id=members.text_or_blank(record, "externalid"),
        name=members.text_or_blank(record, "companyname") or members.text_or_blank(record, "entityid"),
        email=members.text_or_blank(record, "email"),
        stripe_customer_id=value_of(record, field_ids().stripe_customer),
        is_inactive=members.flag(record, "isinactive") if "isinactive" in record else False,
        occurred_at=occurred_at,
    )


def record_id(record: Mapping[str, Any]) -> str:
    """A record's internal id: digits, as text or number."""
    found = members.identifier(record, "id")
    if not found.isdigit():
        raise DriftError("id", "not an internal id")
    return found


def value_of(record: Mapping[str, Any], field: str) -> str:
    """A field's value; of a reference or an enumeration its id; "" where it is not set."""
    value = record.get(field)
    return members.identifier(value, "id") if isinstance(value, dict) else members.identifier(record, field)


_READERS: dict[str, Callable[[Mapping[str, Any], datetime | None], ContractSeen | ErpCustomerSeen]] = {
    "contract.changed": contract_seen,
    "customer.changed": customer_seen,
}

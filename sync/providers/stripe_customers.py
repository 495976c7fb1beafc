"""Stripe's customers: read by id and by exact e-mail address, made and changed with a reference back to the ERP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sync.contracts import members
from sync.contracts.members import DriftError
from sync.errors import PermanentError
from sync.providers import base
from sync.providers.base import Exchanges
from sync.providers.stripe import MARK, FormValue, Stripe
from sync.wiretypes import FrozenRequest, Response

CUSTOMERS = "/v1/customers"
ERP_CUSTOMER, ERP_ACCOUNT, EXTERNAL_ID = "netsuite_customer_id", "netsuite_account", "meshline_external_id"
HASH = "meshline_fields"
MOST_MATCHES = 10
OTHER_MODE = "exists in"  # "... a similar object exists in test mode, but a live mode key was used ..."


@dataclass(frozen=True, slots=True)
class BillingCustomer:
    """One customer as Stripe has it now. `fields` are those that are synced, in our names."""

    id: str
    created: int = 0
    is_live: bool = False
    is_deleted: bool = False
    email: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoCustomer:
    """Stripe does not know the id with this key; it may say that the other mode does."""

    in_other_mode: bool = False


def customer(stripe: Stripe, customer_id: str, exchanges: Exchanges | None = None) -> BillingCustomer | NoCustomer:
    """One customer as it is now; also a deleted one. Raises ProviderError."""
    path = f"{CUSTOMERS}/{base.path_id(customer_id, stripe.name)}"
    try:
        response = stripe.read(FrozenRequest(stripe.name, "GET", path, stripe.read_headers(), ""), exchanges)
    except PermanentError as error:
        if error.status == 404:
            return NoCustomer(OTHER_MODE in error.message)
        raise
    try:
        return seen(stripe.document(response))
    except DriftError as error:
        raise stripe.drifted(error) from error


def by_email(stripe: Stripe, spellings: Sequence[str], exchanges: Exchanges | None = None) -> list[BillingCustomer]:
    """Everybody with one of these addresses, oldest first. The list minds the case, so each spelling is asked for."""
    found: dict[str, BillingCustomer] = {}
    for spelling in spellings:
        query = f"email={quote(spelling, safe='')}&limit={MOST_MATCHES}"
        document = stripe.get(f"{CUSTOMERS}?{query}", exchanges) or {}
        try:
            members.present(document, "data")
            rows = [seen(one) for one in members.mappings(document, "data")]
        except DriftError as error:
            raise stripe.drifted(error) from error
        found |= {one.id: one for one in rows if not one.is_deleted}
    return sorted(found.values(), key=lambda one: (one.created, one.id))


def running_subscriptions(stripe: Stripe, customer_id: str, exchanges: Exchanges | None = None) -> int:
    """How many subscriptions of a customer have not ended; at most ten are counted."""
    query = f"customer={quote(customer_id, safe='')}&limit=10"
    document = stripe.get(f"/v1/subscriptions?{query}", exchanges) or {}
    try:
        return len(members.mappings(document, "data"))
    except DriftError as error:
        raise stripe.drifted(error) from error


def create(stripe: Stripe, fields: Mapping[str, Any], labels: Mapping[str, str], key: str) -> FrozenRequest:
    """Freeze a new customer; what is empty is left out."""
    given = {name: value for name, value in fields.items() if value}
    return stripe.post(CUSTOMERS, {**_form(given), "metadata": dict(labels)}, key)


def update(
    stripe: Stripe, customer_id: str, fields: Mapping[str, Any], labels: Mapping[str, str], key: str
) -> FrozenRequest:
    """Freeze a change of just these fields; an empty text clears one."""
    path = f"{CUSTOMERS}/{base.path_id(customer_id, stripe.name)}"
    return stripe.post(path, {**_form(fields), "metadata": dict(labels)}, key)


def from_answer(response: Response) -> BillingCustomer:
    """The answer to a write. UnreadableAnswer if it does not show a customer."""
    try:
        return seen(response.json())
    except DriftError as error:
        raise response.unreadable(f"the answer shows no customer: {error}") from error


def seen(document: Mapping[str, Any]) -> BillingCustomer:
    """Read a customer, also a deleted one; DriftError."""
    if document.get("deleted") is True:
        return BillingCustomer(members.text(document, "id"), is_deleted=True)
    address, shipping = document.get("address"), document.get("shipping")
    created = document.get("created")
    return BillingCustomer(
        id=members.text(document, "id"),
        created=created if type(created) is int else 0,
        is_live=document.get("livemode") is True,
        email=str(document.get("email") or ""),
        fields={
            "name": document.get("name") or "",
            "email": document.get("email") or "",
            "phone": document.get("phone") or "",
            "address": dict(address) if isinstance(address, Mapping) else "",
            "shipping": _shipping(shipping) if isinstance(shipping, Mapping) else "",
        },
        labels=members.labels(document),
    )


def label_of(found: BillingCustomer, name: str) -> str:
    """One of the labels that our writes leave."""
    return str(found.labels.get(name, ""))


def is_by(found: BillingCustomer, action_id: str) -> bool:
    """Whether this action wrote it last."""
    return label_of(found, MARK) == action_id


def _shipping(shipping: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shipping.get(name) for name in ("name", "phone", "address")}


def _form(fields: Mapping[str, Any]) -> dict[str, FormValue | None]:
    """The fields as the API takes them; within an address that is sent an empty line clears the one there."""
    return {name: _filled(value) if isinstance(value, Mapping) else value for name, value in fields.items()}


def _filled(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _filled(one) if isinstance(one, Mapping) else one or "" for name, one in value.items()}

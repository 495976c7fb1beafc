"""Customers of the ERP at the billing system: what follows a confirmed write there, pure."""

from collections.abc import Mapping
from typing import Any

from gates.types import Proposal, Risk

AUTOMATION = "customer_sync"
PREFIX = "erp-customer:"
CREATE, UPDATE, LINK = "billing_customer.create", "billing_customer.update", "billing_customer.link"
KINDS = (CREATE, UPDATE, LINK)
RISK = Risk()
KEPT = ("account", "customer", "columns", "sources", "generation")
TOLD = ("hash", "page")


def business_key(account: str, internal_id: str) -> str:
    """One customer of the ERP: the same change of it is under way once."""
    return f"{PREFIX}{account}:{internal_id}"


def after_applied(kind: str, key: str, params: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[Proposal, ...]:
    """The id goes to the ERP once the billing system has confirmed the customer behind it."""
    if kind == LINK or not params.get("link"):
        return ()
    about = {name: params[name] for name in KEPT if name in params}
    about |= {"billing_id": said["id"], **{name: said[name] for name in TOLD if said.get(name)}}
    because = f"billing customer {said['id']} is confirmed"
    return (Proposal(LINK, f"{key}:link", key, because, about, RISK),)

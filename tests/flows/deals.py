"""Deals for flow tests: how they are signed, what the ERP and the CRM hold of them, and a person who agrees."""

from typing import Any

from django.contrib.auth.models import User

from gates import review
from gates.models import ReviewItem
from ledger.models import Action
from tests.flows.world import World

INVOICES, CUSTOMERS = "/services/rest/record/v1/invoice/", "/services/rest/record/v1/customer/"
DONE = {"customer.create": "applied", "invoice.create": "applied", "deal.annotate": "applied", "deal.note": "applied"}


def sign(crm: World, **given: Any) -> dict[str, Any]:
    """A deal that is signed."""
    made: dict[str, Any] = crm.play("pipedrive", "create_deal", **given)
    crm.play("pipedrive", "move_stage", deal=made["deal"])
    return made


def books(crm: World, name: str) -> list[dict[str, Any]]:
    """What the ERP holds of a record type."""
    return list(crm.sandbox.books("netsuite")["objects"][name].values())


def refusal(detail: str, code: str = "USER_ERROR", path: str = CUSTOMERS) -> dict[str, Any]:
    """NetSuite says no once, in these words."""
    said = {"detail": f"Error while accessing a resource. {detail}", "o:errorCode": code}
    return {
        "provider": "netsuite", "kind": "answer", "method": "PUT", "path": path, "status": 400, "effect": False,
        "count": 1, "body": {"title": "Bad Request", "status": 400, "o:errorDetails": [said]},
    }  # fmt: skip


def notes(crm: World) -> list[Any]:
    """Notes written to deals."""
    return [one for one in crm.writes("pipedrive") if one["path"].endswith("/notes")]


def states() -> dict[str, str]:
    """The newest state of each kind of action."""
    return {one.kind: str(one.state) for one in Action.objects.order_by("id")}


def agree(item: ReviewItem, action: Action, by: User) -> None:
    """A person approves what the item shows."""
    action.refresh_from_db()
    review.approve(item.pk, by=by, reason="corrected", version=action.state_version, preview_hash=action.preview_hash)

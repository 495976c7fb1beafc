"""Naming Pipedrive's deliveries: id, kind, lane, time, and whether it is our own write coming back. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sync.contracts import members
from sync.contracts import pipedrive as contract
from sync.crmtypes import DealChange
from sync.providers import base
from sync.wiretypes import Envelope

# What a delivery says about itself: it differs between attempts, and between webhooks that tell of the same change.
_ABOUT_DELIVERY = re.compile(rb'"(attempt|webhook_id|webhook_owner_id)"\s*:\s*(?:"[^"\\]*"|[0-9]+)')


def envelope(document: Mapping[str, Any], raw: bytes, oddities: frozenset[str], user_id: str) -> Envelope:
    """Name an event by its own id, else by what it says, else by its bytes: nothing that came is sent back."""
    meta = document.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    digest = hashlib.sha256(_ABOUT_DELIVERY.sub(rb'"\1":0', raw)).digest()
    type_ = base.plain(contract.type_of(meta), "type")
    version = base.plain(meta.get("version"), "api_version")
    known = bool(type_) and version == contract.VERSION
    kind = base.kind_of(contract.SOURCE, type_) if known else "unknown"
    object_id = base.plain(meta.get("entity_id"), "object")
    event_id = (base.plain(meta.get("id"), "id") or _said(meta)) if known else ""
    return Envelope(
        provider_event_id=event_id or f"body-{digest.hex()}",
        account=base.plain(meta.get("company_id"), "account"),
        type=type_ or "unreadable",
        kind=kind,
        object_id=object_id,
        lane_key=_lane(document, meta) or digest.hex(),
        occurred_at=_happened_at(document, meta),
        api_version=version,
        origin_key=_origin(document, meta, user_id),
        park=base.parking(
            oddities,
            "" if known else "not an event of webhooks 2.0",
            "" if object_id or kind == "unknown" else "no record id",
        ),
        digest=digest,
    )


def polled(change: DealChange, company_id: str) -> dict[str, Any]:
    """What a webhook would have said of a deal's latest change, as far as a list shows it; without personal data.

    Its id follows from the deal and the time of the change, so asking twice tells once.
    """
    at = change.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {
        "id": int(change.id), "org_id": _number(change.org_id), "person_id": _number(change.person_id),
        "pipeline_id": int(change.pipeline_id), "stage_id": int(change.stage_id), "status": change.status,
        "is_archived": change.is_archived, "update_time": at,
    }  # fmt: skip
    meta = {
        "action": "delete" if change.is_deleted else "change", "entity": "deal", "entity_id": change.id,
        "id": f"poll-{change.id}-{at}", "company_id": company_id, "version": contract.VERSION,
        "change_source": contract.POLLED, "timestamp": at,
    }  # fmt: skip
    shown, last = (None, record) if change.is_deleted else (record, None)
    return {"meta": meta, "data": shown, "previous": last}


def _number(value: str) -> int | None:
    return int(value) if value else None


def _origin(document: Mapping[str, Any], meta: Mapping[str, Any], user_id: str) -> str:
    """Our own writes come back as changes by the API of our own user; others write by the API, too.

    No action of ours makes a record or moves a deal to another stage, so a program that does under our user's name is
    somebody else and is listened to.
    """
    ours = bool(user_id) and base.plain(meta.get("user_id"), "object") == user_id
    previous = document.get("previous")
    moved = isinstance(previous, dict) and "stage_id" in previous
    if not ours or meta.get("change_source") != "api" or meta.get("action") == "create" or moved:
        return ""
    return f"meshline-user-{user_id}"


def _said(meta: Mapping[str, Any]) -> str:
    """The same change by what is said of it, for events without an id of their own; "" where too little is said."""
    parts = [base.plain(meta.get(name), "object") for name in ("entity", "entity_id", "action", "timestamp")]
    if not all(parts):
        return ""
    told = ":".join([base.plain(meta.get("webhook_id"), "object"), *parts])
    return told if len(told) <= base.LIMITS["id"] else "said-" + hashlib.sha256(told.encode()).hexdigest()


def _lane(document: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """All that happens to one organization stays in order; a deal or person without one has its own lane."""
    entity, entity_id = base.plain(meta.get("entity"), "type"), base.plain(meta.get("entity_id"), "lane")
    if entity == "organization":
        return f"organization-{entity_id}" if entity_id else ""
    for name in ("data", "previous"):
        record = document.get(name)
        org_id = base.plain(record.get("org_id"), "lane") if isinstance(record, dict) else ""
        if org_id:
            return f"organization-{org_id}"[: base.LIMITS["lane"]]
    return f"{entity}-{entity_id}"[: base.LIMITS["lane"]] if entity and entity_id else ""


def _happened_at(document: Mapping[str, Any], meta: Mapping[str, Any]) -> datetime | None:
    """The event's own time: ISO 8601, or seconds since 1970 as ten digits; else the record's; None where unreadable."""
    stamp = meta.get("timestamp")
    if isinstance(stamp, int | str) and re.fullmatch(r"[0-9]{10}", str(stamp)) and int(stamp) < members.LATEST_SECONDS:
        return datetime.fromtimestamp(int(stamp), UTC)
    record = document.get("data")
    for value in (stamp, record.get("update_time") if isinstance(record, dict) else None):
        found = members.parse_iso(value) if isinstance(value, str) else None
        if found is not None:
            return found
    return None

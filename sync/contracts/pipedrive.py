"""Event contracts of Pipedrive's webhooks v2. Each is a hint: nobody signs them, so the record is read again.

Our word for the type is `<action>.<entity>`, with `.merged` behind it for both halves of a merge (the delete of the
record that went and the change of the one that stays). A poll writes its findings in the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.contracts import members
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift, DriftError

SOURCE = "pipedrive"
MERGED = ".merged"
POLLED = "poll"  # the change_source of what was found by asking instead of being told
VERSION = "2.0"
DEAL = ("id", "stage_id", "pipeline_id", "status")
RECORD = ("id",)
CONTRACTS = {
    "create.deal": EventContract("deal.changed", Semantics.TRANSIENT, DEAL),
    "change.deal": EventContract("deal.changed", Semantics.TRANSIENT, DEAL),
    "delete.deal": EventContract("deal.deleted", Semantics.FINAL),
    "change.deal.merged": EventContract("deal.merged", Semantics.CONTRADICTING, DEAL),
    "delete.deal.merged": EventContract("deal.merged", Semantics.CONTRADICTING),
    "create.organization": EventContract("organization.changed", Semantics.TRANSIENT, RECORD),
    "change.organization": EventContract("organization.changed", Semantics.TRANSIENT, RECORD),
    "delete.organization": EventContract("organization.deleted", Semantics.FINAL),
    "change.organization.merged": EventContract("organization.merged", Semantics.CONTRADICTING, RECORD),
    "delete.organization.merged": EventContract("organization.merged", Semantics.CONTRADICTING),
    "create.person": EventContract("person.changed", Semantics.TRANSIENT, RECORD),
    "change.person": EventContract("person.changed", Semantics.TRANSIENT, RECORD),
    "change.person.merged": EventContract("person.changed", Semantics.TRANSIENT, RECORD),
}


@dataclass(frozen=True, slots=True)
class DealSeen:
    """A deal as a webhook shows it; of a deleted one the last that was known. Read it again before deciding."""

    id: str
    action: str  # create, change, delete
    org_id: str
    person_id: str
    pipeline_id: str
    stage_id: str
    previous_stage_id: str  # "" unless the stage changed
    status: str
    is_archived: bool
    is_polled: bool  # nobody told us what changed
    actor_id: str
    merged_to: str  # the deal this one went into
    merged_from: str  # the deal that went into this one
    updated_at: datetime | None

    def entered(self, stage_id: str) -> bool:
        """Whether this may be the moment in which the deal reached a stage. A poll cannot tell: the reader must."""
        if not stage_id or self.stage_id != stage_id or self.action == "delete" or self.is_archived:
            return False
        came = self.action == "create" or bool(self.previous_stage_id) or self.is_polled
        return came and self.status in ("open", "won")


@dataclass(frozen=True, slots=True)
class OrganizationSeen:
    """An organization as a webhook shows it."""

    id: str
    action: str
    name: str
    previous_name: str  # "" unless the name changed
    actor_id: str
    merged_to: str
    merged_from: str
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class PersonSeen:
    """A contact as a webhook shows it, without its personal data."""

    id: str
    action: str
    org_id: str
    actor_id: str
    updated_at: datetime | None


def contract_for(type_: str) -> EventContract:
    """The contract of one of our words for Pipedrive's events."""
    return CONTRACTS.get(type_, UNKNOWN)


def type_of(meta: Mapping[str, Any]) -> str:
    """Our word for an event, from its `meta`; "" if that names none."""
    action, entity = meta.get("action"), meta.get("entity")
    if not isinstance(action, str) or not isinstance(entity, str) or not action or not entity:
        return ""
    merged = meta.get("merged_to_id") or meta.get("merged_from_id")
    return f"{action}.{entity}{MERGED if merged else ''}"


def read(type_: str, api_version: str, document: Mapping[str, Any]) -> Any:
    """What a whole event says, as DealSeen, OrganizationSeen or PersonSeen; None if nothing we use; or Drift."""
    contract = contract_for(type_)
    if contract is UNKNOWN:
        return None
    try:
        meta = members.mapping(document, "meta")
        record, previous = members.mapping(document, "data"), members.mapping(document, "previous")
        for name in contract.required:
            members.present(record, name)
        return READERS[type_.split(".")[1]](meta, record, previous)
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def _deal(meta: dict[str, Any], record: dict[str, Any], previous: dict[str, Any]) -> DealSeen:
    action = members.text(meta, "action")
    last = previous if action == "delete" else record
    return DealSeen(
        id=_entity(meta, record),
        action=action,
        org_id=members.identifier(last, "org_id"),
        person_id=members.identifier(last, "person_id"),
        pipeline_id=members.identifier(last, "pipeline_id"),
        stage_id=members.identifier(last, "stage_id"),
        previous_stage_id="" if action == "delete" else members.identifier(previous, "stage_id"),
        status=members.text_or_blank(last, "status"),
        is_archived=last.get("is_archived") is True,
        is_polled=meta.get("change_source") == POLLED,
        actor_id=members.identifier(meta, "user_id"),
        merged_to=members.identifier(meta, "merged_to_id"),
        merged_from=members.identifier(meta, "merged_from_id"),
        updated_at=members.iso_time(last, "update_time"),
    )


def _organization(meta: dict[str, Any], record: dict[str, Any], previous: dict[str, Any]) -> OrganizationSeen:
    action = members.text(meta, "action")
    last = previous if action == "delete" else record
    return OrganizationSeen(
        id=_entity(meta, record),
        action=action,
        name=members.text_or_blank(last, "name"),
        previous_name="" if action == "delete" else members.text_or_blank(previous, "name"),
        actor_id=members.identifier(meta, "user_id"),
        merged_to=members.identifier(meta, "merged_to_id"),
        merged_from=members.identifier(meta, "merged_from_id"),
        updated_at=members.iso_time(last, "update_time"),
    )


def _person(meta: dict[str, Any], record: dict[str, Any], previous: dict[str, Any]) -> PersonSeen:
    return PersonSeen(
        id=_entity(meta, record),
        action=members.text(meta, "action"),
        org_id=members.identifier(record, "org_id"),
        actor_id=members.identifier(meta, "user_id"),
        updated_at=members.iso_time(record, "update_time"),
    )


READERS = {"deal": _deal, "organization": _organization, "person": _person}


def _entity(meta: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """The id of the record: text in `meta`, a number in `data`, and the same one."""
    found = members.identifier(meta, "entity_id")
    if not found.isdecimal() or not found.isascii():
        raise DriftError("entity_id", "not a number")
    if record and members.identifier(record, "id") != found:
        raise DriftError("id", "not the record that the event is about")
    return found

"""Event contracts of Zendesk's two kinds of webhook: event subscriptions, and bodies our triggers render.

A trigger's body is rendered without escaping and with localised words, so it is believed only about which ticket to
read again. Event subscriptions write enums in capitals and ids as text; both are normalised here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.contracts import members
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift, DriftError

SOURCE = "zendesk"
PREFIX = "zen:event-type:ticket."
TRIGGER = "trigger"  # the type of a trigger's body, which carries none
GONE = frozenset({"merged", "soft_deleted", "permanently_deleted", "marked_as_spam"})
CHANGED = frozenset(
    [
        "created",
        "agent_assignment_changed",
        "group_assignment_changed",
        "requester_changed",
        "organization_changed",
        "status_changed",
        "custom_status_changed",
        "priority_changed",
        "type_changed",
        "subject_changed",
        "description_changed",
        "tags_changed",
        "custom_field_changed",
        "external_id_changed",
        "form_changed",
        "comment_added",
        "comment_made_private",
        "undeleted",
        "next_sla_breach_changed",
    ]
)
_CHANGED = EventContract("ticket.changed", Semantics.TRANSIENT, ("id",))
_GONE = EventContract("ticket.gone", Semantics.FINAL, ("id",))


@dataclass(frozen=True, slots=True)
class TicketSeen:
    """A ticket as a webhook shows it; read it again before deciding."""

    id: str
    external_id: str
    status: str  # lower case; "" from triggers, whose word is localised
    updated_at: datetime | None
    actor_id: str
    tags: tuple[str, ...]


def contract_for(type_: str) -> EventContract:
    """The contract of one of Zendesk's event types."""
    if type_ == TRIGGER:
        return _CHANGED
    happened = type_.removeprefix(PREFIX) if type_.startswith(PREFIX) else ""
    if happened in GONE:
        return _GONE
    return _CHANGED if happened in CHANGED else UNKNOWN


def read(type_: str, api_version: str, document: Mapping[str, Any]) -> TicketSeen | Drift | None:
    """What a whole event document says; None if it says nothing we use. Never raises."""
    if contract_for(type_) is UNKNOWN:
        return None
    try:
        return _trigger(document) if type_ == TRIGGER else _subscription(document)
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def _subscription(document: Mapping[str, Any]) -> TicketSeen:
    ticket = members.mapping(document, "detail")
    return TicketSeen(
        id=_required_id(ticket, "id"),
        external_id=members.text_or_blank(ticket, "external_id"),
        status=members.text_or_blank(ticket, "status").lower(),
        updated_at=members.iso_time(ticket, "updated_at"),
        actor_id=members.identifier(ticket, "actor_id"),
        tags=members.texts(ticket, "tags"),
    )


def _trigger(document: Mapping[str, Any]) -> TicketSeen:
    return TicketSeen(
        id=_required_id(document, "ticket_id"),
        external_id=members.text_or_blank(document, "external_id"),
        status="",
        updated_at=members.parse_iso(members.text_or_blank(document, "updated_at")),
        actor_id=members.identifier(document, "updater"),
        tags=(),
    )


def _required_id(document: Mapping[str, Any], name: str) -> str:
    found = members.identifier(document, name)
    if not found.isdigit():
        raise DriftError(name, "not a ticket number")
    return found

"""Event contracts of PagerDuty's webhooks, version 3: one event a body, about an incident or something of one.

Titles and notes are other people's words; they are carried as text and decide nothing. What an event does not say, such
as the service of an incident that a note is about, stays empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.contracts import members
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift, DriftError

SOURCE = "pagerduty"
OPENED, CHANGED, RESOLVED = "incident.opened", "incident.changed", "incident.resolved"
_OPENED = EventContract(OPENED, Semantics.TRANSIENT, ("id", "status"))
_CHANGED = EventContract(CHANGED, Semantics.TRANSIENT, ("id", "status"))
_RESOLVED = EventContract(RESOLVED, Semantics.TRANSIENT, ("id", "status"))
_NOTED = EventContract("informational", Semantics.INFORMATIONAL)
# What is about an incident as a whole, and what is about a note, a responder or a task of one.
WHOLE = {
    "incident.triggered": _OPENED, "incident.reopened": _OPENED, "incident.resolved": _RESOLVED,
    **{
        f"incident.{name}": _CHANGED
        for name in (
            "acknowledged", "unacknowledged", "delegated", "escalated", "reassigned", "priority_updated",
            "service_updated", "incident_type.changed",
        )
    },
}  # fmt: skip
PARTS = (
    "incident.annotated", "incident.responder.", "incident.status_update_published", "incident.custom_field_values.",
    "incident.conference_bridge.", "incident.role.", "incident.task.", "incident.action_invocation.",
    "incident.workflow.", "service.", "pagey.ping",
)  # fmt: skip
STATUSES = frozenset({"triggered", "acknowledged", "resolved"})
MAX_TITLE = 1024


@dataclass(frozen=True, slots=True)
class IncidentSeen:
    """An incident as a webhook shows it. `title` is somebody else's text."""

    id: str
    number: str
    title: str
    status: str  # triggered, acknowledged, resolved
    urgency: str  # high, low or ""
    priority: str  # the account's own word, "" without one
    service: str
    service_name: str
    key: str  # incident_key; "" where alerts are grouped
    is_opening: bool  # it was triggered or opened again
    created_at: datetime | None
    url: str


def contract_for(type_: str) -> EventContract:
    """The contract of one of PagerDuty's event types; new ones are kept and start nothing."""
    found = WHOLE.get(type_)
    if found is None and type_.startswith(PARTS):
        return _NOTED
    return found or UNKNOWN


def incident_id(event: Mapping[str, Any]) -> str:
    """The id of the incident that an event is about, or something of it; "" where it is about none. Never raises."""
    data = event.get("data")
    if not isinstance(data, dict):
        return ""
    incident = data.get("incident")
    found = incident.get("id") if isinstance(incident, dict) else data.get("id")
    return found if isinstance(found, str) else ""


def read(type_: str, api_version: str, document: Mapping[str, Any]) -> IncidentSeen | Drift | None:
    """What a whole event document says; None if it says nothing we use. Never raises."""
    if type_ not in WHOLE:
        return None
    try:
        return _incident(members.mapping(members.mapping(document, "event"), "data"), type_)
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def _incident(data: Mapping[str, Any], type_: str) -> IncidentSeen:
    status = members.text(data, "status")
    if status not in STATUSES:
        raise DriftError("status", "not a status of an incident")
    service = members.mapping(data, "service")
    return IncidentSeen(
        id=members.text(data, "id"),
        number=members.identifier(data, "number"),
        title=_words(data, "title"),
        status=status,
        urgency=members.text_or_blank(data, "urgency"),
        priority=_words(members.mapping(data, "priority"), "summary"),
        service=members.text_or_blank(service, "id"),
        service_name=_words(service, "summary"),
        key=members.text_or_blank(data, "incident_key"),
        is_opening=contract_for(type_) is _OPENED,
        created_at=members.iso_time(data, "created_at"),
        url=_words(data, "html_url"),
    )


def _words(document: Mapping[str, Any], name: str) -> str:
    """Free text: longer than an id may be, and with line breaks in it."""
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DriftError(name, "not a text")
    return value[:MAX_TITLE]

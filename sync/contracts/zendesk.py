"""Event contracts of Zendesk's two kinds of webhook: event subscriptions, and bodies our triggers render.

A trigger's body is rendered without escaping and with localised words, so it is believed only about which ticket to
read again. Event subscriptions write enums in capitals and ids as text; both are normalised here.
"""

from __future__ import annotations

import hashlib
import re
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
MARKER = re.compile(r"\[meshline:([0-9a-f-]{36})\]")
MOST_TAGS = 50
_CHANGED = EventContract("ticket.changed", Semantics.TRANSIENT, ("id",))
_GONE = EventContract("ticket.gone", Semantics.FINAL, ("id",))


@dataclass(frozen=True, slots=True)
class Changed:
    """What one event says was changed, as far as it says it. Statuses in lower case."""

    before: str = ""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    into: str = ""  # the ticket that one was merged into
    comment: str = ""  # fingerprint of a comment's text; the text itself is kept nowhere
    marker: str = ""  # the id of an action of ours that the comment names
    by_customer: bool = False  # by whoever the ticket is for


@dataclass(frozen=True, slots=True)
class TicketSeen:
    """A ticket as a webhook shows it; read it again before deciding."""

    id: str
    external_id: str
    status: str  # lower case; "" from triggers, whose word is localised
    updated_at: datetime | None
    actor_id: str
    tags: tuple[str, ...]
    form_id: str = ""  # "" from triggers, as are tags
    happened: str = ""  # the last word of the event's type; "" from triggers
    changed: Changed = Changed()


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
        return _trigger(document) if type_ == TRIGGER else _subscription(document, type_.removeprefix(PREFIX))
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def _subscription(document: Mapping[str, Any], happened: str) -> TicketSeen:
    ticket = members.mapping(document, "detail")
    return TicketSeen(
        id=_required_id(ticket, "id"),
        external_id=members.text_or_blank(ticket, "external_id"),
        status=members.text_or_blank(ticket, "status").lower(),
        updated_at=members.iso_time(ticket, "updated_at"),
        actor_id=members.identifier(ticket, "actor_id"),
        tags=members.texts(ticket, "tags"),
        form_id=members.identifier(ticket, "form_id"),
        happened=happened,
        changed=_changed(members.mapping(document, "event"), ticket, happened),
    )


def _changed(event: Mapping[str, Any], ticket: Mapping[str, Any], happened: str) -> Changed:
    requester = members.identifier(ticket, "requester_id")
    by_customer = bool(requester) and members.identifier(ticket, "actor_id") == requester
    if happened == "status_changed":
        before, after = members.text_or_blank(event, "previous"), members.text_or_blank(event, "current")
        return Changed(before.lower(), after.lower(), by_customer=by_customer)
    if happened == "tags_changed":
        added, removed = (members.texts(event, f"tags_{way}")[:MOST_TAGS] for way in ("added", "removed"))
        return Changed(added=added, removed=removed, by_customer=by_customer)
    if happened == "merged":
        into = members.identifier(event, "target_ticket_id")
        return Changed(into=into if into.isdigit() else "", by_customer=by_customer)
    if happened == "comment_added":
        body = members.mapping(event, "comment").get("body")
        said = body if isinstance(body, str) else ""
        marks = MARKER.findall(said)
        return Changed(comment=fingerprint(said), marker=marks[-1] if marks else "", by_customer=by_customer)
    return Changed(by_customer=by_customer)


def fingerprint(text: str) -> str:
    """What a comment is recognised by: blanks and line ends do not count, as the desk changes them."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()[:32]


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


def fields_of(ticket: Mapping[str, Any]) -> dict[str, str]:
    """The custom fields of a ticket that are filled in, by id, each as text: several choices joined by commas.

    Raises DriftError where one has no id. A value that is no plain text, number, flag or list of texts is left out.
    """
    found: dict[str, str] = {}
    for one in members.mappings(ticket, "custom_fields"):
        name, value = members.identifier(one, "id"), one.get("value")
        if not name:
            raise DriftError("custom_fields", "a field without an id")
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            value = ",".join(value)
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str | int | float) and value != "":
            found[name] = str(value)[: members.MAX_TEXT]
    return found

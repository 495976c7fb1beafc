"""Zendesk's two webhook kinds: the event envelope with upper-case words, and a trigger's own template."""

import json
from datetime import UTC, datetime

from sync.sandbox.wire import Json
from sync.sandbox.zendesk.tickets import Change

ACCOUNT_ID = 12345
TEMPLATE = (
    '{"ticket_id":"{{ticket.id}}","external_id":"{{ticket.external_id}}","status":"{{ticket.status}}",'
    '"updated_at":"{{ticket.updated_at_with_timestamp}}","updater":"{{current_user.id}}",'
    '"comment_id":"{{ticket.latest_comment.id}}","public":"{{ticket.latest_comment.is_public}}"}'
)


def envelopes(change: Change, event_ids: list[str], now: float) -> list[tuple[str, str, bytes]]:
    """One envelope for each ticket event of a change: (event id, type, body)."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
    made = []
    for place, ((name, detail), event_id) in enumerate(zip(change.events, event_ids, strict=True), start=1):
        event = {**detail, "meta": {"sequence": {"id": f"seq-{event_ids[0]}", "position": place}}}
        envelope = {
            "type": f"zen:event-type:ticket.{name}", "account_id": ACCOUNT_ID, "id": event_id, "time": stamp,
            "zendesk_event_version": "2022-11-06", "subject": f"zen:ticket:{change.ticket['id']}",
            "detail": _detail(change), "event": event,
        }  # fmt: skip
        body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
        made.append((event_id, f"ticket.{name}", body))
    return made


def _detail(change: Change) -> Json:
    ticket = change.ticket
    upper = {name: str(ticket[name]).upper() if ticket[name] else None for name in ("status", "priority", "type")}
    ids = {name: None if ticket[name] is None else str(ticket[name])
           for name in ("requester_id", "assignee_id", "group_id", "organization_id", "brand_id")}  # fmt: skip
    return {
        "id": str(ticket["id"]), "external_id": ticket["external_id"], **upper, "subject": ticket["subject"], **ids,
        "form_id": str(ticket["ticket_form_id"]), "custom_status": str(ticket["custom_status_id"]),
        "tags": ticket["tags"], "is_public": ticket["is_public"], "via": {"channel": "web_service"},
        "actor_id": str(change.actor_id), "created_at": ticket["created_at"], "updated_at": ticket["updated_at"],
    }  # fmt: skip


def rendered(template: str, change: Change) -> bytes:
    """A trigger's body: placeholders go in as they are, so a quote in a subject breaks the JSON, as it does there."""
    ticket, comment = change.ticket, change.comment or {}
    values = {
        "ticket.id": ticket["id"], "ticket.external_id": ticket["external_id"] or "", "ticket.title": ticket["subject"],
        "ticket.status": ticket["status"].title(), "ticket.updated_at_with_timestamp": ticket["updated_at"],
        "current_user.id": change.actor_id, "ticket.tags": " ".join(ticket["tags"]),
        "ticket.latest_comment.id": comment.get("id", ""), "ticket.latest_comment": comment.get("body", ""),
        "ticket.latest_comment.is_public": str(comment.get("public", "")).lower(),
    }  # fmt: skip
    text = template
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", str(value))
    return text.encode()

"""Event contracts of Slack's interactive payloads: clicks on our messages and forms that were sent.

A click comes as a form with one field, `payload`, that holds JSON; the Events API sends JSON as it is. A time stamp
(`ts`) is a name and stays the text it came as.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sync import strictjson
from sync.contracts import members
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift, DriftError
from sync.errors import BadBody
from sync.strictjson import Parsed

SOURCE = "slack"
CLICK, SUBMISSION = "block_actions", "view_submission"
EVENT_PREFIX = "event:"
MAX_PRESSES = 25
# What Slack itself allows.
MAX_VALUE, MAX_METADATA, MAX_URL, MAX_REASON = 2000, 3000, 1000, 3000
TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
REASON_BLOCK, REASON_INPUT = "why", "text"
_CONTRACTS = {
    CLICK: EventContract("slack.click", Semantics.FINAL, ("user", "actions", "container")),
    SUBMISSION: EventContract("slack.submitted", Semantics.FINAL, ("user", "view")),
}


@dataclass(frozen=True, slots=True)
class Press:
    """One button of a click."""

    action_id: str
    value: str
    action_ts: str


@dataclass(frozen=True, slots=True)
class SlackClick:
    """Somebody pressed buttons of one of our messages. `home` is the workspace the person belongs to."""

    team: str
    home: str
    user: str
    channel: str
    message_ts: str
    presses: tuple[Press, ...]


@dataclass(frozen=True, slots=True)
class SlackSubmitted:
    """Somebody sent a form of ours. `metadata` is what we gave the form along, `reason` what the person typed."""

    team: str
    home: str
    user: str
    callback_id: str
    metadata: str
    reason: str


def parse(raw: bytes) -> Parsed:
    """The document in a delivery of either kind. BadBody."""
    if raw.lstrip()[:1] == b"{":
        return strictjson.loads_object(raw)
    try:
        pairs = parse_qsl(raw.decode("ascii"), strict_parsing=True, max_num_fields=4, errors="strict")
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadBody(400, "not a form") from error
    if [name for name, _ in pairs] != ["payload"]:
        raise BadBody(400, "not a form with one payload")
    return strictjson.loads_object(pairs[0][1].encode("utf-8", "surrogatepass"))


def contract_for(type_: str) -> EventContract:
    """The contract of a payload type."""
    return _CONTRACTS.get(type_, UNKNOWN)


def read(type_: str, api_version: str, document: Mapping[str, Any]) -> SlackClick | SlackSubmitted | Drift | None:
    """What a whole payload says; None if it says nothing we use. Never raises."""
    if contract_for(type_) is UNKNOWN:
        return None
    try:
        return _click(document) if type_ == CLICK else _submitted(document)
    except DriftError as error:
        return Drift(SOURCE, type_, api_version, error.member, error.reason)


def response_url(document: Mapping[str, Any]) -> str:
    """Where an answer to a click may be posted for half an hour; "" where there is none. A secret: never logged."""
    return _long(document, "response_url", MAX_URL)


def trigger_id(document: Mapping[str, Any]) -> str:
    """What opens a form within three seconds, once. Never logged."""
    return _long(document, "trigger_id", MAX_URL)


def _click(document: Mapping[str, Any]) -> SlackClick:
    container = members.mapping(document, "container")
    message_ts, channel = members.text(container, "message_ts"), members.text(container, "channel_id")
    if not TS.fullmatch(message_ts):
        raise DriftError("container.message_ts", "not a time stamp")
    rows = members.mappings(document, "actions")
    if not 1 <= len(rows) <= MAX_PRESSES:
        raise DriftError("actions", f"{len(rows)} of them")
    presses = tuple(
        Press(members.text(row, "action_id"), _long(row, "value", MAX_VALUE), members.text_or_blank(row, "action_ts"))
        for row in rows
    )
    return SlackClick(*_who(document), channel=channel, message_ts=message_ts, presses=presses)


def _submitted(document: Mapping[str, Any]) -> SlackSubmitted:
    view = members.mapping(document, "view")
    return SlackSubmitted(
        *_who(document), callback_id=members.text_or_blank(view, "callback_id"),
        metadata=_long(view, "private_metadata", MAX_METADATA), reason=_reason(view),
    )  # fmt: skip


def _who(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """The workspace it happened in, the one the person belongs to, the person."""
    team, user = members.text(members.mapping(document, "team"), "id"), members.mapping(document, "user")
    return team, members.text_or_blank(user, "team_id") or team, members.text(user, "id")


def _reason(view: Mapping[str, Any]) -> str:
    """What was typed, as it was typed: the door judges it."""
    found: Any = view.get("state")
    for name in ("values", REASON_BLOCK, REASON_INPUT, "value"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found[:MAX_REASON] if isinstance(found, str) else ""


def _long(document: Mapping[str, Any], name: str, most: int) -> str:
    value = document.get(name)
    return value if isinstance(value, str) and len(value) <= most else ""

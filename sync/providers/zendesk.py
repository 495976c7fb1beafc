"""Zendesk: signed ticket webhooks in, tickets and comments read, internal notes and tags out.

Only ticket creation takes an idempotency key. A note is kept single by the stamp of the ticket read before it
(safe update: a repeat ends in 409) and by a marker in its text that is looked for before anything is repeated.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ledger import clock
from sync.contracts import members
from sync.contracts import zendesk as contract
from sync.contracts.members import DriftError
from sync.errors import SignatureError, UnreadableAnswer
from sync.providers import base
from sync.providers.base import JSON_TYPE, Exchanges, Headers, Provider, compact_json
from sync.wiretypes import CommentFacts, Envelope, FrozenRequest, Response, TicketFacts

SIGNATURE = "x-zendesk-webhook-signature"
SIGNED_AT = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
ACCOUNT = "x-zendesk-account-id"
ACTION_HEADER, ACTION_MEMBER = "X-Meshline-Action", "meshline_action"
STATUSES = frozenset({"new", "open", "pending", "hold", "solved", "closed"})


@dataclass(frozen=True, slots=True)
class People:
    """Who asked, as far as it names a customer of ours: keys that may be our numbers, and an address."""

    keys: tuple[str, ...] = ()
    email: str = ""


class Zendesk(Provider):
    """The support desk. Keys of ticket creation live for 2 h."""

    name = "zendesk"
    webhook_secrets_name = "MESHLINE_ZENDESK_WEBHOOK_SECRETS"
    key_lifetime = timedelta(minutes=110)

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """Base64 HMAC over the time as it was written, directly followed by the body."""
        stamp, signature = base.only(headers, SIGNED_AT), base.only(headers, SIGNATURE)
        signed_at = _signed_at(stamp)
        message = stamp.encode("utf-8", "replace") + raw
        digests = [
            base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode() for secret in secrets if secret
        ]
        base.check_signatures(digests, [signature])
        base.check_age(signed_at, now)

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name an event of a subscription by its own id, a trigger's body by the id of its invocation."""
        if "ticket_id" in document and "detail" not in document:
            event_id = base.plain(base.first(headers, INVOCATION), "id") or base.bad_body("no invocation id")
            type_, ticket, occurred = contract.TRIGGER, document.get("ticket_id"), document.get("updated_at")
        else:
            event_id, type_ = base.required(document, "id", "id"), base.required(document, "type", "type")
            detail = document.get("detail")
            ticket, occurred = detail.get("id") if isinstance(detail, dict) else None, document.get("time")
        ticket_id = base.plain(ticket, "lane")
        kind = base.kind_of(self.name, type_)
        occurred_at = members.parse_iso(occurred) if isinstance(occurred, str) else None
        is_dateless = occurred_at is None and type_ != contract.TRIGGER
        return Envelope(
            provider_event_id=event_id,
            account=base.plain(document.get("account_id") or base.first(headers, ACCOUNT), "account"),
            type=type_,
            kind=kind,
            object_id=ticket_id,
            lane_key=ticket_id or event_id[: base.LIMITS["lane"]],
            occurred_at=occurred_at,
            api_version=base.plain(document.get("zendesk_event_version"), "api_version"),
            park=base.parking(
                oddities,
                "unreadable time" if is_dateless else "",
                "" if ticket_id or kind == "unknown" else "no ticket id",
            ),
        )

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """The agent's address and API token."""
        pair = f"{self.config['email']}/token:{self.config['api_token']}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def explain(self, response: Response) -> tuple[str, str]:
        """`error` is a text, an object or missing in favour of `errors`; all three occur."""
        try:
            document = response.json()
        except UnreadableAnswer:
            return "", ""
        if not isinstance(document, dict):
            return "", ""
        error = document.get("error")
        if isinstance(error, dict):
            return str(error.get("title") or ""), str(error.get("message") or "")
        if isinstance(error, str):
            return error, f"{document.get('description') or error} {_details(document)}".strip()
        listed = document.get("errors")
        entry = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
        return str(entry.get("code") or ""), str(entry.get("detail") or entry.get("title") or "")

    # --- reads

    def ticket(self, ticket_id: str, exchanges: Exchanges | None = None) -> TicketFacts | None:
        """One ticket as it is now; None if it is deleted, merged away or never was."""
        document = self.get(f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}", exchanges)
        try:
            return _ticket_facts(members.mapping(document, "ticket")) if document else None
        except DriftError as error:
            raise self.drifted(error) from error

    def ticket_with_people(
        self, ticket_id: str, exchanges: Exchanges | None = None
    ) -> tuple[TicketFacts | None, People]:
        """One ticket with whoever asked and their organization, in one call; nobody where the ticket is gone."""
        path = f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}?include=users,organizations"
        document = self.get(path, exchanges)
        try:
            if not document:
                return None, People()
            ticket = members.mapping(document, "ticket")
            return _ticket_facts(ticket), _people(document, ticket)
        except DriftError as error:
            raise self.drifted(error) from error

    def actions_on(self, ticket_id: str, exchanges: Exchanges | None = None) -> dict[str, str]:
        """Which actions of ours the newest hundred changes of a ticket carry: action id -> id of the change."""
        path = f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}/audits?sort_order=desc&per_page=100"
        document = self.get(path, exchanges)
        try:
            return {
                str(action): members.identifier(audit, "id")
                for audit in members.mappings(document or {}, "audits")
                for action in [_custom(audit).get(ACTION_MEMBER)] if isinstance(action, str)
            }  # fmt: skip
        except DriftError as error:
            raise self.drifted(error) from error

    def tickets_by_external_id(self, external_id: str, exchanges: Exchanges | None = None) -> tuple[TicketFacts, ...]:
        """All tickets with an external id: Zendesk does not keep it unique, and its search lags behind."""
        document = self.get(f"/api/v2/tickets?external_id={quote(external_id, safe='')}", exchanges)
        try:
            members.present(document or {}, "tickets")
            return tuple(_ticket_facts(ticket) for ticket in members.mappings(document or {}, "tickets"))
        except DriftError as error:
            raise self.drifted(error) from error

    def comments(self, ticket_id: str, exchanges: Exchanges | None = None) -> tuple[CommentFacts, ...]:
        """The newest hundred comments, newest first; empty if the ticket is gone."""
        path = f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}/comments?sort_order=desc"
        document = self.get(path, exchanges)
        try:
            found = members.mappings(document, "comments") if document else []
            return tuple(_comment_facts(comment) for comment in found)
        except DriftError as error:
            raise self.drifted(error) from error

    # --- writes

    def create_ticket(
        self,
        subject: str,
        body: str,
        external_id: str,
        *,
        tags: Sequence[str],
        key: str,
        action_id: str,
        requester_name: str = "",
    ) -> FrozenRequest:
        """Freeze a new ticket whose first comment is internal and ends with the action's marker."""
        ticket: dict[str, Any] = {
            "subject": subject,
            "external_id": external_id,
            "comment": {"body": marked(body, marker(action_id)), "public": False},
            "tags": list(tags),
        }
        if requester_name:
            ticket["requester"] = {"name": requester_name}
        headers = (JSON_TYPE, ("Idempotency-Key", key))
        return FrozenRequest(self.name, "POST", "/api/v2/tickets", headers, compact_json({"ticket": ticket}))

    def add_note(self, ticket_id: str, body: str, updated_stamp: str, note_marker: str) -> FrozenRequest:
        """Freeze an internal note; refused with 409 once the ticket has changed since `updated_stamp`."""
        ticket = {
            "comment": {"body": marked(body, note_marker), "public": False},
            "safe_update": True,
            "updated_stamp": updated_stamp,
            "metadata": {"custom": {"meshline_hash": contract.fingerprint(marked(body, note_marker))}},
        }
        return self._put(f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}", {"ticket": ticket})

    def add_reply(self, ticket_id: str, body: str, updated_stamp: str, *, action_id: str, solve: bool) -> FrozenRequest:
        """Freeze an answer that the customer reads and, with `solve`, the ticket solved: both in one safe update.

        The customer reads no marker: the action's id and the text's fingerprint go into the change's own data.
        """
        ticket: dict[str, Any] = {
            "comment": {"body": body, "public": True}, "safe_update": True, "updated_stamp": updated_stamp,
            "metadata": {"custom": {ACTION_MEMBER: action_id, "meshline_hash": contract.fingerprint(body)}},
        }  # fmt: skip
        if solve:
            ticket["status"] = "solved"
        return self._put(f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}", {"ticket": ticket})

    def add_tags(self, ticket_id: str, tags: Sequence[str], updated_stamp: str, *, action_id: str) -> FrozenRequest:
        """Freeze an addition to the tags; those already there stay. The action's id has room in a header only."""
        document = {"tags": list(tags), "updated_stamp": updated_stamp, "safe_update": "true"}
        path = f"/api/v2/tickets/{base.path_id(ticket_id, self.name)}/tags"
        return self._put(path, document, (ACTION_HEADER, action_id))

    def _put(self, path: str, document: Mapping[str, Any], *headers: tuple[str, str]) -> FrozenRequest:
        return FrozenRequest(self.name, "PUT", path, (JSON_TYPE, *headers), compact_json(document))


def marker(action_id: str) -> str:
    """What a note of ours ends with, so that it can be found again."""
    return f"[meshline:{action_id}]"


def marked(body: str, note_marker: str) -> str:
    """A text with its marker on a line of its own at the end."""
    return f"{body.rstrip()}\n\n{note_marker}"


def ticket_from(response: Response) -> TicketFacts:
    """The ticket a write answers with; UnreadableAnswer if it is not there whole."""
    try:
        return _ticket_facts(members.mapping(response.json(), "ticket"))
    except DriftError as error:
        raise response.unreadable(f"no ticket in the answer: {error}") from error


def tags_from(response: Response) -> tuple[str, ...]:
    """The tags a tag write answers with; UnreadableAnswer if they are not there."""
    try:
        members.present(response.json(), "tags")
        return members.texts(response.json(), "tags")
    except DriftError as error:
        raise response.unreadable(f"no tags in the answer: {error}") from error


def _ticket_facts(ticket: Mapping[str, Any]) -> TicketFacts:
    ticket_id = members.identifier(ticket, "id")
    status = members.text(ticket, "status").lower()
    updated_at = members.text(ticket, "updated_at")
    members.present(ticket, "tags")
    if not ticket_id.isdigit() or status not in STATUSES or members.parse_iso(updated_at) is None:
        raise DriftError("ticket", "id, status or updated_at is not what it should be")
    return TicketFacts(
        id=ticket_id,
        external_id=members.text_or_blank(ticket, "external_id"),
        status=status,
        updated_at=updated_at,
        tags=members.texts(ticket, "tags"),
        read_at=clock.now(),
        form_id=members.identifier(ticket, "ticket_form_id"),
        fields=contract.fields_of(ticket),
    )


def _comment_facts(comment: Mapping[str, Any]) -> CommentFacts:
    body = members.present(comment, "body")
    if not isinstance(body, str):
        raise DriftError("body", "not a text")
    return CommentFacts(
        id=members.identifier(comment, "id"),
        author_id=members.identifier(comment, "author_id"),
        is_public=members.flag(comment, "public"),
        body=body,
        created_at=members.iso_time(comment, "created_at"),
    )


def _people(document: Mapping[str, Any], ticket: Mapping[str, Any]) -> People:
    """Keys of the organization first: a person may write for several."""
    users = {members.identifier(one, "id"): one for one in members.mappings(document, "users")}
    firms = {members.identifier(one, "id"): one for one in members.mappings(document, "organizations")}
    firm = firms.get(members.identifier(ticket, "organization_id"), {})
    user = users.get(members.identifier(ticket, "requester_id"), {})
    keys = [key for one in (firm, user) if (key := members.text_or_blank(one, "external_id"))]
    return People(tuple(keys), members.text_or_blank(user, "email"))


def _custom(audit: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a writer of a change left in it for programs; empty where nobody did."""
    return members.mapping(members.mapping(audit, "metadata"), "custom")


def _details(document: Mapping[str, Any]) -> str:
    """The sentences of a validation error, field by field."""
    details = document.get("details")
    if not isinstance(details, dict):
        return ""
    entries = [entry for listed in details.values() if isinstance(listed, list) for entry in listed]
    return "; ".join(
        str(entry["description"]) for entry in entries if isinstance(entry, dict) and "description" in entry
    )


def _signed_at(stamp: str) -> float:
    """Accounts differ: ISO 8601 or Unix seconds. The text itself is what was signed."""
    if re.fullmatch(r"[0-9]{1,12}", stamp):
        return float(stamp)
    moment = members.parse_iso(stamp) if re.match(r"[0-9]{4}-", stamp) else None
    if moment is None:
        raise SignatureError("unreadable signature time")
    return moment.timestamp()

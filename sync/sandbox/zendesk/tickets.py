"""The help desk's records: tickets, comments, audits, users, organizations, and the rules of changing a ticket."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sync.sandbox.wire import Json, json_reply
from sync.sandbox.world import Clock, Ids, iso

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("urgent", "high", "normal", "low", None)
TYPES = ("problem", "incident", "question", "task", None)
PLAIN_FIELDS = (
    "subject", "external_id", "type", "priority", "group_id", "assignee_id", "organization_id", "due_at", "problem_id",
)  # fmt: skip
UPDATES = 30
UPDATE_WINDOW_S = 600


class Refused(Exception):
    """An error answer, in one of Zendesk's shapes."""

    def __init__(self, status: int, error: Any, description: str = "", **more: Any) -> None:
        super().__init__(description or str(error))
        self.status = status
        self.headers: dict[str, str] = more.pop("headers", {})
        self.body: Json = {"error": error, **({"description": description} if description else {}), **more}

    def reply(self) -> Any:
        """The error as an answer."""
        return json_reply(self.status, self.body, self.headers)


def not_found() -> Refused:
    """No such record, or not visible."""
    return Refused(404, "RecordNotFound", "Not found")


def invalid(name: str, text: str, code: str | None = None) -> Refused:
    """A validation error about one member."""
    return Refused(
        422, "RecordInvalid", "Record validation errors", details={name: [{"description": text, "error": code}]}
    )  # fmt: skip


def conflict() -> Refused:
    """The ticket changed since the stamp."""
    return Refused(
        409, "UpdateConflict",
        "Safe Update prevented the update due to outdated ticket data. "
        "Please fetch the latest ticket data and try again.",
    )  # fmt: skip


def throttled(seconds: int, text: str = "Number of allowed API requests per minute exceeded") -> Refused:
    """Too many requests."""
    return Refused(429, "APIRateLimitExceeded", text, headers={"Retry-After": str(seconds)})


@dataclass
class Change:
    """What one call did to a ticket: the ticket events that webhooks tell of."""

    ticket: Json
    actor_id: int
    events: list[tuple[str, Json]] = field(default_factory=list)
    comment: Json | None = None
    audit: Json | None = None


class Desk:
    """All records of the account."""

    def __init__(self, ids: Ids, clock: Clock, agent_id: int) -> None:
        self.ids = ids
        self.clock = clock
        self.agent_id = agent_id
        self.tickets: dict[int, Json] = {}
        self.by_external: dict[str, list[int]] = {}
        self.comments: dict[int, list[Json]] = {}
        self.audits: dict[int, list[Json]] = {}
        self.users: dict[int, Json] = {}
        self.organizations: dict[int, Json] = {}
        self.update_limit = UPDATES
        self._updates: dict[tuple[int, int], deque[float]] = {}
        self.add_user("Meshline", "meshline@sandbox.test", role="admin", user_id=agent_id)

    def add_user(
        self, name: str, email: str, *, role: str = "end-user", external_id: str | None = None, user_id: int = 0
    ) -> Json:
        """A new user."""
        number = user_id or self.ids.number("user", 20978392)
        user = {"id": number, "name": name, "email": email, "role": role, "external_id": external_id, "active": True,
                "organization_id": None, "created_at": self.clock.iso(), "updated_at": self.clock.iso()}  # fmt: skip
        self.users[number] = user
        return user

    def user_by_email(self, email: str) -> Json | None:
        """The user with this address, in any case."""
        return next((user for user in self.users.values() if user["email"].lower() == email.lower()), None)

    def get(self, ticket_id: str) -> Json:
        """A ticket that must exist."""
        ticket = self.tickets.get(int(ticket_id)) if ticket_id.isdigit() else None
        if ticket is None:
            raise not_found()
        return ticket

    def beside(self, ticket: Json, include: str) -> Json:
        """The records that are asked for along with a ticket."""
        kinds = {
            "users": (self.users, ("requester_id", "submitter_id", "assignee_id")),
            "organizations": (self.organizations, ("organization_id",)),
        }
        found: Json = {}
        for name in set(include.split(",")) & set(kinds):
            rows, fields = kinds[name]
            wanted = dict.fromkeys(ticket[field] for field in fields if ticket[field] is not None)
            found[name] = [rows[number] for number in wanted if number in rows]
        return found

    def create(self, given: Json, actor_id: int) -> Change:
        """A new ticket with its first comment."""
        comment = given.get("comment")
        if not isinstance(comment, dict) or not (comment.get("body") or comment.get("html_body")):
            raise invalid("base", "Description: cannot be blank", "BlankValue")
        _check_choices(given)
        requester = self._requester(given, actor_id)
        now = self.clock.now()
        number = self.ids.number("ticket", 35436)
        status = str(given.get("status", "new"))
        ticket: Json = {
            "id": number, "url": f"https://sandbox.zendesk.com/api/v2/tickets/{number}.json", "external_id": None,
            "created_at": iso(now), "updated_at": iso(now), "generated_timestamp": int(now), "type": None,
            "subject": "", "raw_subject": "", "description": comment.get("body", ""), "priority": None,
            "status": status, "custom_status_id": 100 + STATUSES.index(status), "recipient": None,
            "requester_id": requester,
            "submitter_id": actor_id, "assignee_id": None, "organization_id": None, "group_id": None,
            "collaborator_ids": [], "follower_ids": [], "email_cc_ids": [], "problem_id": None, "has_incidents": False,
            "is_public": bool(comment.get("public", True)), "due_at": None, "tags": sorted(set(given.get("tags", []))),
            "custom_fields": _custom({}, given), "fields": [], "satisfaction_rating": None, "followup_ids": [],
            "ticket_form_id": given.get("ticket_form_id", 1), "brand_id": 1, "allow_channelback": False,
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
        }  # fmt: skip
        ticket.update({name: given[name] for name in PLAIN_FIELDS if name in given})
        ticket["raw_subject"] = ticket["subject"]
        ticket["fields"] = ticket["custom_fields"]
        self.tickets[number] = ticket
        self.comments[number] = []
        self.audits[number] = []
        self._index(ticket)
        change = Change(ticket, actor_id, [("created", {})])
        events = [{"type": "Create", "field_name": "status", "value": status}]
        self._comment(change, comment, given, events)
        return change

    def update(self, ticket: Json, given: Json, actor_id: int) -> Change:
        """A PUT: what is listed changes, a comment is added each time, tags are replaced."""
        if ticket["status"] == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        _check_choices(given)
        self._safe(ticket, given)
        self._count_update(ticket["id"], actor_id)
        change = Change(ticket, actor_id)
        audit_events: list[Json] = []
        for name in PLAIN_FIELDS:
            if name in given and given[name] != ticket[name]:
                audit_events.append(_changed(name, ticket[name], given[name]))
                change.events.append((f"{name}_changed", {"previous": ticket[name], "current": given[name]}))
                ticket[name] = given[name]
        self._status(change, given, audit_events)
        if "tags" in given:
            self._tags(change, sorted(set(given["tags"])), audit_events)
        if "custom_fields" in given:
            ticket["custom_fields"] = ticket["fields"] = _custom(_by_id(ticket["custom_fields"]), given)
            audit_events.append(_changed("custom_fields", None, "changed"))
            change.events.append(("custom_field_changed", {}))
        self._index(ticket)
        comment = given.get("comment")
        if isinstance(comment, dict) and (comment.get("body") or comment.get("html_body")):
            self._comment(change, comment, given, audit_events)
        elif audit_events:
            self._audit(change, audit_events, given)
        self._touch(ticket, moved=bool(audit_events))
        return change

    def add_tags(self, ticket: Json, given: Json, actor_id: int, *, mode: str) -> Change:
        """The tags resource: PUT adds, POST replaces, DELETE removes."""
        if ticket["status"] == "closed":
            raise invalid("status", "Status: closed prevents ticket update")
        self._safe(ticket, given)
        have, named = set(ticket["tags"]), {str(tag) for tag in given.get("tags", [])}
        tags = {"PUT": have | named, "POST": named, "DELETE": have - named}[mode]
        change = Change(ticket, actor_id)
        events: list[Json] = []
        self._tags(change, sorted(tags), events)
        if events:
            self._audit(change, events, given)
            self._touch(ticket, moved=True)
        return change

    def with_external(self, external_id: str) -> list[Json]:
        """External ids are not unique: all tickets that carry this one."""
        found = (self.tickets.get(number) for number in self.by_external.get(external_id, ()))
        return [ticket for ticket in found if ticket is not None and ticket["external_id"] == external_id]

    def _index(self, ticket: Json) -> None:
        if ticket["external_id"]:
            known = self.by_external.setdefault(ticket["external_id"], [])
            if ticket["id"] not in known:
                known.append(ticket["id"])

    def _safe(self, ticket: Json, given: Json) -> None:
        """Both members belong together; the stamp has a resolution of one second."""
        is_safe = str(given.get("safe_update", "")).lower() == "true" and "updated_stamp" in given
        if is_safe and str(given["updated_stamp"]) != ticket["updated_at"]:
            raise conflict()

    def _count_update(self, ticket_id: int, actor_id: int) -> None:
        recent = self._updates.setdefault((ticket_id, actor_id), deque())
        now = self.clock.now()
        while recent and recent[0] <= now - UPDATE_WINDOW_S:
            recent.popleft()
        if self.update_limit and len(recent) >= self.update_limit:
            text = "You have exceeded the limit of updates to this ticket"
            raise throttled(max(1, int(recent[0] + UPDATE_WINDOW_S - now)), text)
        recent.append(now)

    def _requester(self, given: Json, actor_id: int) -> int:
        wanted = given.get("requester")
        if isinstance(wanted, dict) and wanted.get("email"):
            known = self.user_by_email(str(wanted["email"]))
            user = known or self.add_user(str(wanted.get("name", wanted["email"])), str(wanted["email"]))
            return int(user["id"])
        return int(given.get("requester_id") or actor_id)

    def _status(self, change: Change, given: Json, audit_events: list[Json]) -> None:
        wanted, ticket = given.get("status"), change.ticket
        if wanted is None or wanted == ticket["status"]:
            return
        audit_events.append(_changed("status", ticket["status"], wanted))
        change.events.append(("status_changed", {"previous": ticket["status"].upper(), "current": wanted.upper()}))
        ticket["status"] = wanted
        ticket["custom_status_id"] = 100 + STATUSES.index(wanted)

    def _tags(self, change: Change, tags: list[str], audit_events: list[Json]) -> None:
        had = change.ticket["tags"]
        if tags == had:
            return
        detail = {"tags_added": sorted(set(tags) - set(had)), "tags_removed": sorted(set(had) - set(tags))}
        audit_events.append(_changed("tags", had, tags))
        change.events.append(("tags_changed", detail))
        change.ticket["tags"] = tags

    def _comment(self, change: Change, given: Json, ticket_given: Json, audit_events: list[Json]) -> None:
        ticket = change.ticket
        body = str(given.get("body") or given.get("html_body"))
        author = int(given.get("author_id") or change.actor_id)
        is_public = bool(given.get("public", True))
        number = self.ids.number("comment", 31)
        event = {"id": number, "type": "Comment", "public": is_public, "body": body, "author_id": author}
        audit_events.insert(0, event)
        audit = self._audit(change, audit_events, ticket_given)
        change.comment = {
            "id": number, "type": "Comment", "author_id": author, "body": body, "plain_body": body,
            "html_body": given.get("html_body") or f"<p>{body}</p>", "public": is_public, "audit_id": audit["id"],
            "attachments": [], "via": {"channel": "api"}, "created_at": self.clock.iso(), "metadata": audit["metadata"],
        }  # fmt: skip
        self.comments[ticket["id"]].append(change.comment)
        ticket["is_public"] = ticket["is_public"] or is_public
        is_staff = self.users.get(author, {}).get("role") != "end-user"
        shown_author = {"id": str(author), "is_staff": is_staff}
        shown = {"id": str(number), "body": body, "is_public": is_public, "author": shown_author}
        change.events.append(("comment_added", {"comment": shown}))

    def _audit(self, change: Change, events: list[Json], given: Json) -> Json:
        custom = (given.get("metadata") or {}).get("custom", {}) if isinstance(given.get("metadata"), dict) else {}
        numbered = [{"id": self.ids.number("audit_event", 26002), **event} for event in events]
        audit = {
            "id": self.ids.number("audit", 26001), "ticket_id": change.ticket["id"], "created_at": self.clock.iso(),
            "author_id": change.actor_id, "via": {"channel": "api"}, "events": numbered,
            "metadata": {"system": {}, "custom": custom},
        }  # fmt: skip
        self.audits[change.ticket["id"]].append(audit)
        change.audit = audit
        return audit

    def _touch(self, ticket: Json, *, moved: bool) -> None:
        """`updated_at` moves only where a ticket event was made; the other stamp always does."""
        now = self.clock.now()
        ticket["generated_timestamp"] = int(now)
        if moved:
            ticket["updated_at"] = iso(now)


def _changed(name: str, before: Any, value: Any) -> Json:
    return {"type": "Change", "field_name": name, "previous_value": before, "value": value}


def _by_id(fields: list[Json]) -> dict[int, Any]:
    return {int(one["id"]): one["value"] for one in fields}


def _custom(have: dict[int, Any], given: Json) -> list[Json]:
    values = {**have, **{int(one["id"]): one.get("value") for one in given.get("custom_fields", [])}}
    return [{"id": number, "value": value} for number, value in values.items()]


def _check_choices(given: Json) -> None:
    for name, choices in (("status", STATUSES), ("priority", PRIORITIES), ("type", TYPES)):
        if name in given and given[name] not in choices:
            raise invalid(name, f"{name.title()}: {given[name]} is not a valid {name}", "InvalidValue")
    if not isinstance(given.get("tags", []), list):
        raise invalid("tags", "Tags: must be a list", "InvalidFormat")

"""The Zendesk simulator: sign-in, routing, keys of ticket creation, books, webhooks."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from sync.sandbox import keys
from sync.sandbox.courier import Parcel, Target
from sync.sandbox.faults import Rule
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import Serial, World, action_in, iso
from sync.sandbox.zendesk import hooks, many
from sync.sandbox.zendesk.plays import PLAYS
from sync.sandbox.zendesk.tickets import Change, Desk, Refused, not_found, throttled

KEY_SECONDS = 2 * 3600
WEBHOOK_ID = "01HZXSANDBOXWEBHOOK0000001"
TIMEOUT_RETRIES = 5
CONFLICT_RETRIES = 3


@dataclass(slots=True)
class Kept:
    """The stored answer of one idempotency key."""

    fingerprint: str
    at: float
    reply: Reply


class Zendesk(Serial):
    """One help desk with one API user."""

    name = "zendesk"
    verbs: ClassVar = PLAYS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.desk = Desk(self.ids, self.clock, keys.ZENDESK_AGENT_ID)
        self.kept: dict[str, Kept] = {}
        self.search_lag_s = 0.0
        options = {"style": "events", "stamp": "iso", "template": hooks.TEMPLATE}
        target = Target(secrets=[keys.ZENDESK_WEBHOOK_SECRET], options=options)
        world.courier.attach(self.name, self.sign, self.retry_wait, target)

    def route(self, request: Request) -> Reply:
        """Sign in and dispatch."""
        try:
            actor = self._sign_in(request)
            parts = request.path.removeprefix("/api/v2").strip("/").split("/")
            parts[-1] = parts[-1].removesuffix(".json")
            serve = self._tickets if parts[0] == "tickets" else self._other
            reply = serve(request, parts, actor)
        except Refused as error:
            reply = error.reply()
        reply.headers.update({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "699"})
        return reply

    def _sign_in(self, request: Request) -> int:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            user = base64.b64decode(value).decode() if scheme.lower() == "basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            user = ""
        if user != f"{keys.ZENDESK_EMAIL}/token:{keys.ZENDESK_API_TOKEN}":
            raise Refused(401, "Couldn't authenticate you")
        return keys.ZENDESK_AGENT_ID

    def _tickets(self, request: Request, parts: list[str], actor: int) -> Reply:
        """`/tickets` and `/tickets/{id}`; what hangs below one ticket is next."""
        if len(parts) == 1 and request.method in ("GET", "POST"):
            return self._list(request) if request.method == "GET" else self._create(request, actor)
        if parts[1:] == ["show_many"] and request.method == "GET":
            return many.show(self, request)
        if parts[1:] == ["count"]:
            return json_reply(200, {"count": {"value": len(self.desk.tickets), "refreshed_at": self.clock.iso()}})
        if len(parts) < 2:
            raise not_found()
        ticket = self.desk.get(parts[1])
        if len(parts) == 3:
            return self._below(request, ticket, parts[2], actor)
        if request.method == "GET":
            return json_reply(
                200, {"ticket": ticket, **self.desk.beside(ticket, request.query_map().get("include", ""))}
            )
        if request.method == "PUT":
            return self._update(request, ticket, actor)
        if request.method != "DELETE":
            raise not_found()
        self.remove(ticket, actor, "soft_deleted", {})
        self._effect(request, ticket, "", "ticket deleted")
        return Reply(204)

    def _below(self, request: Request, ticket: Json, part: str, actor: int) -> Reply:
        """Comments, audits and tags of one ticket."""
        if request.method == "GET" and part == "comments":
            return self._comments(request, ticket)
        if request.method == "GET" and part == "audits":
            return json_reply(200, {"audits": self.desk.audits[ticket["id"]], "next_page": None})
        if request.method == "GET" and part == "tags":
            return json_reply(200, {"tags": ticket["tags"]})
        if part != "tags" or request.method not in ("PUT", "POST", "DELETE"):
            raise not_found()
        given = _body(request)
        change = self.desk.add_tags(ticket, given, actor, mode=request.method)
        self._done(request, change, _marked(given), f"tags {request.method} {given.get('tags')}")
        return json_reply(201 if request.method == "POST" else 200, {"tags": ticket["tags"]})

    def _list(self, request: Request) -> Reply:
        wanted = request.query_map()
        if "external_id" in wanted:
            found = self.desk.with_external(wanted["external_id"])
        else:
            found = list(self.desk.tickets.values())
        size = int(wanted.get("page[size]", wanted.get("per_page", "100")))
        page = found[:size]
        return json_reply(200, {"tickets": page, "next_page": None, "previous_page": None, "count": len(found)})

    def _create(self, request: Request, actor: int) -> Reply:
        key = request.headers.get("idempotency-key", "")
        if not key:
            return self._created(request, actor)
        if len(key) > 255:
            raise Refused(400, "IdempotencyKeyInvalid", "Idempotency key is too long")
        print_of = hashlib.sha256(request.body).hexdigest()
        kept = self.kept.get(key)
        if kept is not None and kept.at + KEY_SECONDS > self.clock.now():
            if kept.fingerprint != print_of:
                text = "Request parameters don't match the given idempotency key"
                raise Refused(400, "IdempotentRequestError", text)
            return Reply(kept.reply.status, kept.reply.body, {**kept.reply.headers, "x-idempotency-lookup": "hit"})
        reply = self._created(request, actor)
        self.kept[key] = Kept(print_of, self.clock.now(), Reply(reply.status, reply.body, dict(reply.headers)))
        reply.headers["x-idempotency-lookup"] = "miss"
        return reply

    def _created(self, request: Request, actor: int) -> Reply:
        given = _ticket_in(request)
        change = self.desk.create(given, actor)
        self._done(request, change, _marked(given), "ticket created")
        location = f"{request.origin}{request.prefix}/api/v2/tickets/{change.ticket['id']}.json"
        return json_reply(201, {"ticket": change.ticket, "audit": change.audit}, {"Location": location})

    def _update(self, request: Request, ticket: Json, actor: int) -> Reply:
        given = _ticket_in(request)
        change = self.desk.update(ticket, given, actor)
        what = "comment added" if change.comment else "ticket updated"
        self._done(request, change, _marked(given), what)
        return json_reply(200, {"ticket": ticket, "audit": change.audit})

    def _comments(self, request: Request, ticket: Json) -> Reply:
        comments = list(self.desk.comments[ticket["id"]])
        wanted = request.query_map()
        if wanted.get("sort_order") == "desc" or wanted.get("sort", "").startswith("-"):
            comments.reverse()
        size = int(wanted.get("page[size]", wanted.get("per_page", "100")))
        start = int(wanted.get("page[after]", "0") or 0)
        page, more = comments[start : start + size], start + size < len(comments)
        meta = {"has_more": more, "after_cursor": str(start + size) if more else None, "before_cursor": None}
        return json_reply(200, {"comments": page, "count": len(comments), "next_page": None, "meta": meta})

    def _other(self, request: Request, parts: list[str], actor: int) -> Reply:
        wanted = request.query_map()
        path = "/".join(parts)
        if request.method != "GET":
            raise not_found()
        if path == "users/me":
            return json_reply(200, {"user": self.desk.users[actor]})
        if path == "users/search":
            return json_reply(200, {"users": self._users(wanted), "next_page": None})
        if path == "organizations/search":
            found = [one for one in self.desk.organizations.values() if _same(one, wanted, ("external_id", "name"))]
            return json_reply(200, {"organizations": found, "next_page": None})
        if path == "search":
            found = self._search(wanted.get("query", ""))
            return json_reply(200, {"results": found, "count": len(found), "next_page": None})
        if path == "incremental/tickets/cursor":
            return json_reply(200, self._feed(request, wanted))
        if path in ("ticket_fields", "ticket_forms", "custom_statuses"):
            return json_reply(200, {path: [], "next_page": None})
        if parts[0] in ("users", "organizations") and len(parts) == 2 and parts[1].isdigit():
            rows = self.desk.users if parts[0] == "users" else self.desk.organizations
            if int(parts[1]) in rows:
                return json_reply(200, {parts[0][:-1]: rows[int(parts[1])]})
        raise not_found()

    def _users(self, wanted: dict[str, str]) -> list[Json]:
        query = wanted.get("query", "")
        if query.startswith("email:"):
            user = self.desk.user_by_email(query[6:].strip('"'))
            return [user] if user else []
        return [user for user in self.desk.users.values() if _same(user, wanted, ("external_id",))]

    def _search(self, query: str) -> list[Json]:
        """An index with delay: words `field:value`, joined by AND."""
        words = [word.partition(":") for word in query.split() if ":" in word and not word.startswith("type:")]
        ready = self.clock.now() - self.search_lag_s
        found = []
        for ticket in self.desk.tickets.values():
            tests = [value.strip('"') in ticket["tags"] if name == "tags" else str(ticket.get(name)) == value.strip('"')
                     for name, _, value in words]  # fmt: skip
            if all(tests) and ticket["generated_timestamp"] <= ready:
                found.append({**ticket, "result_type": "ticket"})
        return found[:1000]

    def _feed(self, request: Request, wanted: dict[str, str]) -> Json:
        if "cursor" in wanted:
            stamp, _, last = base64.b64decode(wanted["cursor"]).decode().partition("|")
            start = (int(stamp), int(last))
        else:
            start = (int(wanted.get("start_time", "0")), 0)
        size = min(int(wanted.get("per_page", "1000")), 1000)
        rows = sorted(self.desk.tickets.values(), key=lambda row: (row["generated_timestamp"], row["id"]))
        newer = [row for row in rows if (row["generated_timestamp"], row["id"]) > start]
        page = newer[:size]
        place = (page[-1]["generated_timestamp"], page[-1]["id"]) if page else start
        cursor = base64.b64encode(f"{place[0]}|{place[1]}".encode()).decode()
        url = f"{request.origin}{request.prefix}/api/v2/incremental/tickets/cursor?cursor={cursor}"
        return {"tickets": page, "after_cursor": cursor, "after_url": url, "end_of_stream": len(newer) <= size}

    def _done(self, request: Request, change: Change, action: str, summary: str) -> None:
        self._effect(request, change.ticket, action, summary)
        self.tell(change)

    def _effect(self, request: Request, ticket: Json, action: str, summary: str) -> None:
        key = request.headers.get("idempotency-key", "")
        self.book.effect(request, key=key, action=action, target=f"ticket/{ticket['id']}", summary=summary)

    def remove(self, ticket: Json, actor: int, name: str, detail: Json) -> list[str]:
        """A ticket goes: deleted, or merged into another one."""
        self.desk.tickets.pop(ticket["id"])
        return self.tell(Change(ticket, actor, [(name, detail)]))

    def tell(self, change: Change) -> list[str]:
        """Send the webhooks of a change, our own changes included: loops are the receiver's business."""
        options = self.world.courier.targets[self.name].options
        ids = [f"01JD8{self.ids.text('event', 21).upper()}" for _ in change.events]
        made = hooks.envelopes(change, ids, self.clock.now())
        if options.get("style") == "trigger" and made:
            kind = "created" if change.events[0][0] == "created" else "updated"
            made = [(ids[0], f"ticket.{kind}", hooks.rendered(str(options["template"]), change))]
        for event_id, event_type, body in made:
            self.world.courier.send(Parcel(self.name, event_id, event_type, body, {"invocation": f"inv-{event_id}"}))
        return [event_id for event_id, _, _ in made]

    def fault_reply(self, rule: Rule) -> Reply | None:
        """Zendesk's refusals."""
        if rule.kind == "rate_limit":
            reply: Reply = throttled(int(rule.options.get("retry_after", 5))).reply()
            return reply
        if rule.kind == "expire_auth":
            return json_reply(401, {"error": "Couldn't authenticate you"})
        status = int(rule.options.get("status", 500))
        headers = {"Retry-After": str(rule.options["retry_after"])} if "retry_after" in rule.options else {}
        error = {"title": "Internal Server Error", "message": "An unexpected error has occurred."}
        return json_reply(status, {"error": error}, headers)

    def objects(self) -> Json:
        """Everything on the desk."""
        desk = self.desk
        return {"tickets": desk.tickets, "comments": desk.comments, "audits": desk.audits, "users": desk.users,
                "organizations": desk.organizations}  # fmt: skip

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """Only the first secret signs: a Zendesk webhook has one, and resetting it has no overlap."""
        now = time.time() + float(extra.get("skew_s", 0))
        stamp = str(int(now)) if extra.get("stamp") == "unix" else iso(now)
        secret = secrets[0] if secrets else ""
        mark = base64.b64encode(hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()).decode()
        return {
            "X-Zendesk-Webhook-Signature": mark, "X-Zendesk-Webhook-Signature-Timestamp": stamp,
            "X-Zendesk-Webhook-Id": WEBHOOK_ID, "X-Zendesk-Webhook-Invocation-Id": str(extra.get("invocation", "")),
            "X-Zendesk-Account-Id": str(hooks.ACCOUNT_ID), "User-Agent": "Zendesk Webhook",
        }  # fmt: skip

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """Timeouts five times, 409 three times, 429 and 503 only with a Retry-After below 60; nothing else at all."""
        if status is None:
            return 0.5 * attempt if attempt <= TIMEOUT_RETRIES else None
        if status == 409:
            return 0.5 * attempt if attempt <= CONFLICT_RETRIES else None
        if status in (429, 503) and retry_after.isdigit() and int(retry_after) < 60:
            return float(retry_after)
        return None


def _body(request: Request) -> Json:
    try:
        data = json.loads(request.body or b"{}")
    except ValueError as error:
        raise Refused(400, "Unparsable", "Invalid JSON") from error
    if not isinstance(data, dict):
        raise Refused(400, "Unparsable", "Invalid JSON")
    return data


def _ticket_in(request: Request) -> Json:
    ticket = _body(request).get("ticket")
    if not isinstance(ticket, dict):
        text = "You passed an invalid value for the ticket attribute."
        raise Refused(400, {"title": "Invalid attribute", "message": text})
    return ticket


def _marked(given: Json) -> str:
    """The action a write carries: in the comment's metadata, as a marker in its text, or as external id."""
    metadata: Any = given.get("metadata")
    custom = metadata.get("custom") if isinstance(metadata, dict) else None
    named = str(custom.get("meshline_action", "")) if isinstance(custom, dict) else ""
    comment = given.get("comment")
    text = str(comment.get("body") or comment.get("html_body") or "") if isinstance(comment, dict) else ""
    external = str(given.get("external_id") or "")
    return named or action_in(text) or (external.removeprefix("meshline:") if external.startswith("meshline:") else "")


def _same(row: Json, wanted: dict[str, str], names: tuple[str, ...]) -> bool:
    return any(name in wanted and str(row.get(name)) == wanted[name] for name in names)

"""The Pipedrive simulator: sign-in, limits, routing of both generations, books, webhooks."""

import json
import uuid
from typing import Any, ClassVar

from sync.sandbox import keys
from sync.sandbox.courier import Parcel, Target
from sync.sandbox.faults import Rule
from sync.sandbox.pipedrive import hooks, lists
from sync.sandbox.pipedrive.budget import Budget, cost
from sync.sandbox.pipedrive.errors import Refused, blocked, not_found, throttled, unauthorized
from sync.sandbox.pipedrive.fields import Fields
from sync.sandbox.pipedrive.plays import PLAYS
from sync.sandbox.pipedrive.records import Records
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import Serial, World, action_in

TOKEN_S = 3600
ENTITIES = {"deals": "deal", "persons": "person", "organizations": "organization"}
MOST_WEBHOOKS = 40
MOST_CODES = 15


class Pipedrive(Serial):
    """One company with one service user."""

    name = "pipedrive"
    verbs: ClassVar = PLAYS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.fields = Fields(world.seed, self.ids)
        self.records = Records(self.fields, self.ids, self.clock)
        self.budget = Budget(self.clock)
        self.health = hooks.Health(self.clock)
        self.webhooks: dict[int, Json] = {}
        self.tokens: dict[str, float] = {}
        self.grants = 0
        events = ["deal.*", "organization.*", "person.*"]
        options = {"time_scale": 1.0, "timeout_s": 10.0}
        target = Target(secrets=[keys.PIPEDRIVE_WEBHOOK_SECRET], events=events, max_attempts=4, options=options)
        world.courier.attach(self.name, self.sign, self.retry_wait, target, dress=hooks.dress, told=self.health.told)

    def route(self, request: Request) -> Reply:
        """Sign in, count and dispatch."""
        parts = request.path.strip("/").split("/")
        if parts == ["oauth", "token"]:
            return self._token(request)
        parts = parts[1:] if parts[0] == "api" else parts
        if not self._signed_in(request):
            return unauthorized()
        refusal = self.budget.admit(request, cost(request.method, parts))
        if refusal is not None:
            return refusal
        try:
            reply = self._v2(request, parts[1:]) if parts[0] == "v2" else self._v1(request, parts[1:])
        except Refused as error:
            reply = error.reply()
        return self.budget.mark(reply, request)

    def _signed_in(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        by_token = request.headers.get("x-api-token") == keys.PIPEDRIVE_API_TOKEN
        return by_token or self.tokens.get(bearer, 0.0) > self.clock.now()

    def _token(self, request: Request) -> Reply:
        """Refresh: the same refresh token comes back each time."""
        form = dict(lists.pairs(request.body.decode("utf-8", "replace")))
        client = hooks.basic(f"{keys.PIPEDRIVE_CLIENT_ID}:{keys.PIPEDRIVE_CLIENT_SECRET}")
        if request.method != "POST" or request.headers.get("authorization") != client:
            return json_reply(
                401, {"success": False, "message": "Client authentication failed", "error": "invalid_client"}
            )
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != keys.PIPEDRIVE_REFRESH_TOKEN:
            return json_reply(400, {"success": False, "message": "Invalid grant", "error": "invalid_grant"})
        self.grants += 1
        token = f"v1u:{self.ids.text('access', 32)}"
        self.tokens[token] = self.clock.now() + TOKEN_S
        return json_reply(200, {
            "access_token": token, "token_type": "bearer", "refresh_token": keys.PIPEDRIVE_REFRESH_TOKEN,
            "scope": "base,deals:full,contacts:full,users:read,admin", "expires_in": TOKEN_S - 1,
            "api_domain": f"{request.origin}{request.prefix}",
        })  # fmt: skip

    # --- version 2

    def _v2(self, request: Request, parts: list[str]) -> Reply:
        name, rest = parts[0] if parts else "", parts[1:]
        if name in ENTITIES:
            return self._records(request, ENTITIES[name], rest)
        if request.method != "GET":
            raise not_found("Path")
        setup = {"stages": self.records.stages, "pipelines": self.records.pipelines}
        if name in setup:
            return self._setup(request, setup[name], rest)
        entity = name.removesuffix("Fields")
        if name == f"{entity}Fields" and entity in self.fields.listed:
            listed = self.fields.listed[entity]
            if rest:
                found = next((one for one in listed if one["field_code"] == rest[0]), None)
                if found is None:
                    raise not_found("Field")
                return ok(found)
            return lists.page(request, listed, lists.SETUP)
        raise not_found("Path")

    def _setup(self, request: Request, rows: list[Json], rest: list[str]) -> Reply:
        """Stages or pipelines."""
        if rest:
            found = next((one for one in rows if str(one["id"]) == rest[0]), None)
            if found is None:
                raise not_found()
            return ok(found)
        wanted = request.query_map()
        chosen = [
            one for one in rows if wanted.get("pipeline_id", str(one.get("pipeline_id"))) == str(one.get("pipeline_id"))
        ]
        return lists.page(request, chosen, (*lists.SETUP, "pipeline_id", "sort_by", "sort_direction"))

    def _records(self, request: Request, entity: str, rest: list[str]) -> Reply:
        """Deals, persons, organizations."""
        if request.method == "GET" and (not rest or (entity == "deal" and rest == ["archived"])):
            return self._list(request, entity, is_archive=bool(rest))
        if request.method == "POST" and not rest:
            given = body_of(request)
            record = self.records.create(entity, given, keys.PIPEDRIVE_USER_ID)
            self._effect(request, f"{entity}/{record['id']}", str(given), f"{entity} created")
            self.tell("create", entity, record, None, keys.PIPEDRIVE_USER_ID, source="api")
            return json_reply(201, {"success": True, "data": self.records.shown(entity, record)})
        if len(rest) != 1:
            raise not_found("Path")
        record = self.records.get(entity, rest[0])
        if request.method == "GET":
            lists.check_query(request, ("custom_fields", "include_fields", "include_option_labels"))
            return ok(self.records.shown(entity, record, codes_of(request)))
        if request.method == "PATCH":
            return self._patch(request, entity, record)
        if request.method != "DELETE":
            raise Refused(405, "Method not allowed")
        self.remove(entity, record, keys.PIPEDRIVE_USER_ID, source="api")
        self._effect(request, f"{entity}/{record['id']}", "", f"{entity} deleted")
        return ok({"id": record["id"]})

    def _patch(self, request: Request, entity: str, record: Json) -> Reply:
        if record["is_deleted"]:
            raise not_found(entity.capitalize())
        given = body_of(request)
        before = self.records.change(entity, record, given)
        names = sorted(name for name in given if name != "custom_fields") + sorted(given.get("custom_fields", {}))
        self._effect(request, f"{entity}/{record['id']}", "", f"{entity} changed: {', '.join(names)}")
        if before:
            self.tell("change", entity, record, before, keys.PIPEDRIVE_USER_ID, source="api")
        return ok(self.records.shown(entity, record))

    def _list(self, request: Request, entity: str, *, is_archive: bool) -> Reply:
        wanted = request.query_map()
        rows = lists.chosen(self.records.kept[entity].values(), wanted, is_archive=is_archive)
        codes = codes_of(request) or []
        shown = [self.records.shown(entity, row, codes) for row in rows]
        return lists.page(request, shown, lists.RECORDS)

    # --- version 1

    def _v1(self, request: Request, parts: list[str]) -> Reply:
        name, rest = parts[0] if parts else "", parts[1:]
        if name == "notes":
            return self._notes(request, rest)
        if name == "users" and request.method == "GET":
            return self._users(rest)
        if name == "webhooks":
            return self._hooks(request, rest)
        if name in (*ENTITIES, "stages", "pipelines"):
            raise Refused(410, "This version of the endpoint is out of support, use API v2")
        raise not_found("Path")

    def _users(self, rest: list[str]) -> Reply:
        if rest == ["me"]:
            company = {"company_id": keys.PIPEDRIVE_COMPANY_ID, "company_domain": keys.PIPEDRIVE_COMPANY,
                       "company_name": "Acme", "company_country": "FI"}  # fmt: skip
            return ok({**self.records.users[keys.PIPEDRIVE_USER_ID], **company})
        if not rest:
            return ok(list(self.records.users.values()))
        found = self.records.users.get(int(rest[0])) if rest[0].isdigit() else None
        if found is None:
            raise not_found("User")
        return ok(found)

    def _notes(self, request: Request, rest: list[str]) -> Reply:
        records = self.records
        if request.method == "POST" and not rest:
            given = body_of(request)
            note = records.add_note(given, keys.PIPEDRIVE_USER_ID)
            self._effect(request, f"note/{note['id']}", note["content"], "note added")
            return ok(note)
        if not rest:
            return lists.notes_page(request, list(records.notes.values()))
        note = records.notes.get(int(rest[0]) if rest[0].isdigit() else 0, {})
        if not note or not note["active_flag"]:
            raise not_found("Note")
        if request.method == "PUT":
            given = body_of(request)
            changed = "content" in given and given["content"] != note["content"]
            note |= {name: given[name] for name in ("content",) if name in given}
            note["update_time"] = self.clock.iso().replace("T", " ").rstrip("Z")
            self._effect(
                request, f"note/{note['id']}", note["content"], "note changed" if changed else "note said again"
            )
        elif request.method == "DELETE":
            note["active_flag"] = False
        return ok(note)

    def _hooks(self, request: Request, rest: list[str]) -> Reply:
        """Webhooks: one target is really sent to, the last one that was made."""
        if request.method == "GET" and not rest:
            return ok([self._shown_hook(one) for one in self.webhooks.values()])
        if request.method == "DELETE" and len(rest) == 1:
            if self.webhooks.pop(int(rest[0]) if rest[0].isdigit() else 0, None) is None:
                return json_reply(404, {"status": "error", "success": False, "errors": {"id": ["not found"]}})
            return json_reply(200, {"status": "ok", "success": True})
        given = body_of(request)
        missing = [name for name in ("subscription_url", "event_action", "event_object", "name") if not given.get(name)]
        if request.method != "POST" or missing:
            errors = {name: ["is required"] for name in missing}
            return json_reply(400, {"status": "error", "success": False, "errors": errors})
        if len(self.webhooks) >= MOST_WEBHOOKS:
            return json_reply(422, {"status": "error", "success": False, "errors": {"limit": ["40 webhooks at most"]}})
        number = self.ids.number("webhook", hooks.WEBHOOK_ID)
        hook = {"id": number, "company_id": keys.PIPEDRIVE_COMPANY_ID, "version": "2.0", "type": "general",
                "add_time": self.clock.iso(), "remove_time": None, "http_auth_user": None, "http_auth_password": None,
                "owner_id": keys.PIPEDRIVE_USER_ID, "admin_id": keys.PIPEDRIVE_USER_ID, **given}  # fmt: skip
        self.webhooks[number] = hook
        pair = f"{hook['http_auth_user'] or ''}:{hook['http_auth_password'] or ''}"
        self.world.courier.configure(self.name, {"url": hook["subscription_url"], "secrets": [pair]})
        return json_reply(201, {"status": "ok", "success": True, "data": self._shown_hook(hook)})

    def _shown_hook(self, hook: Json) -> Json:
        gone = self.health.is_removed()
        reason = "no successful delivery on 3 consecutive days" if gone else None
        return {**hook, "is_active": 0 if gone else 1, "remove_reason": reason, "last_delivery_time": None,
                "last_http_status": self.health.last_status}  # fmt: skip

    # --- what happens

    def remove(self, entity: str, record: Json, actor: int, *, source: str = "app", **meta: Any) -> str:
        """A record goes: softly, for thirty days."""
        record["is_deleted"] = True
        record["update_time"] = self.clock.iso()
        return self.tell("delete", entity, None, record, actor, source=source, **meta)

    def tell(
        self,
        action: str,
        entity: str,
        record: Json | None,
        previous: Json | None,
        actor: int,
        *,
        source: str = "app",
        is_bulk: bool = False,
        **merged: Any,
    ) -> str:
        """Send the webhook of a change, our own changes included: loops are the receiver's business."""
        event_id = str(uuid.UUID(bytes=self.ids.text("event", 16).encode()))
        about = record or previous or {}
        meta = hooks.meta_of(
            event_id, action, int(about["id"]), self.clock.now(), actor, source=source, is_bulk=is_bulk
        )
        raw = hooks.body(self.fields, {**meta, **merged}, entity, record, previous)
        if self.health.may_send(event_id):
            self.world.courier.send(Parcel(self.name, event_id, f"{entity}.{action}", raw))
        return event_id

    def _effect(self, request: Request, target: str, text: str, summary: str) -> None:
        self.book.effect(request, key="", action=action_in(text), target=target, summary=summary)

    def fault_reply(self, rule: Rule) -> Reply | None:
        """Pipedrive's refusals; `rate_limit` with mode "daily" or "blocked" for the worse ones."""
        if rule.kind == "expire_auth":
            self.tokens.clear()
            return unauthorized()
        if rule.kind != "rate_limit":
            return Refused(int(rule.options.get("status", 500)), "Something went wrong").reply()
        if rule.options.get("mode") == "blocked":
            return blocked()
        asked = Request("GET", "", "", "", {}, b"")
        return self.budget.mark(throttled(), asked, spent_up=rule.options.get("mode") == "daily")

    def objects(self) -> Json:
        """Everything the company holds, and how its webhook fares."""
        shown = {f"{entity}s": {number: self.records.shown(entity, one) for number, one in rows.items()}
                 for entity, rows in self.records.kept.items()}  # fmt: skip
        limits = {"spent": self.budget.spent, "daily": self.budget.daily, "grants": self.grants}
        return {**shown, "notes": self.records.notes, "stages": self.records.stages, "fields": self.fields.listed,
                "webhook": self.health.show(), "limits": limits}  # fmt: skip

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """Basic credentials, the first ones: a webhook has one pair; none if no user was set."""
        proof = {"Authorization": hooks.basic(secrets[0])} if secrets and secrets[0] != ":" else {}
        return {"User-Agent": "Pipedrive Webhooks", **proof}

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """+3, +30 and +150 s, then never again; option `time_scale` compresses the waits."""
        if attempt > len(hooks.RETRY_WAITS_S):
            return None
        scale = float(self.world.courier.targets[self.name].options.get("time_scale", 1.0))
        return hooks.RETRY_WAITS_S[attempt - 1] * scale


def ok(data: Any) -> Reply:
    """A good answer."""
    return json_reply(200, {"success": True, "data": data})


def body_of(request: Request) -> Json:
    """The body of a write, an object."""
    try:
        data = json.loads(request.body or b"{}")
    except ValueError as error:
        raise Refused(400, "Invalid JSON") from error
    if not isinstance(data, dict):
        raise Refused(400, "Invalid JSON")
    return data


def codes_of(request: Request) -> list[str] | None:
    """The custom fields asked for; None for all."""
    asked = request.query_map().get("custom_fields")
    codes = asked.split(",") if asked else None
    if codes and len(codes) > MOST_CODES:
        raise Refused(400, f"custom_fields: at most {MOST_CODES} keys")
    return codes

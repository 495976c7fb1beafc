"""The Slack simulator: the Web API we use, response addresses, books, and how clicks are signed."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from sync.sandbox import keys
from sync.sandbox.courier import Target
from sync.sandbox.faults import Rule
from sync.sandbox.slack import blocks
from sync.sandbox.slack.plays import PLAYS, TRIGGER_SECONDS
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import Serial, World

RESPONSE_USES, RESPONSE_SECONDS = 5, 1800
BURST = 20
JSON_MEMBERS = ("blocks", "metadata", "view")


class Refused(Exception):
    """`ok: false` with an error word; the status is 200 all the same, but for a rate limit."""

    def __init__(
        self, error: str, *details: str, status: int = 200, retry_after: int | None = None, **more: Any
    ) -> None:
        super().__init__(error)
        self.status, self.retry_after = status, retry_after
        self.body: Json = {"ok": False, "error": error, **more}
        if details:
            self.body["response_metadata"] = {"messages": [f"[ERROR] {one}" for one in details]}

    def reply(self) -> Reply:
        """The refusal as Slack sends it."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return json_reply(self.status, self.body, headers)


@dataclass(slots=True)
class Response:
    """A response address: good for half an hour and five uses."""

    user: str
    channel: str
    ts: str
    made_at: float
    uses: int = 0


class Slack(Serial):
    """One workspace with one app."""

    name = "slack"
    verbs: ClassVar = PLAYS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        pairs = [pair.partition("=") for pair in keys.SLACK_CHANNELS.split(",")]
        self.channels: dict[str, Json] = {
            channel: {"id": channel, "name": group.lower().replace(" ", "-"), "is_archived": False, "is_member": True}
            for group, _, channel in pairs
        }
        self.users: dict[str, Json] = {}
        self.messages: dict[str, list[Json]] = {channel: [] for channel in self.channels}
        self.notes: list[Json] = []
        self.views: dict[str, Json] = {}
        self.triggers: dict[str, Json] = {}
        self.responses: dict[str, Response] = {}
        self.base = ""
        self.limits = {"burst": float(BURST), "per_second": 1.0}
        self.tokens: dict[str, tuple[float, float]] = {}
        world.courier.attach(self.name, self.sign, self.retry_wait, Target(secrets=[keys.SLACK_SIGNING_SECRET]))

    def route(self, request: Request) -> Reply:
        """The Web API, and the addresses that clicks bring."""
        self.base = f"{request.origin}{request.prefix}"
        try:
            if request.path.startswith("/hooks/"):
                return self._respond(request)
            method = request.path.removeprefix("/api/")
            if method not in METHODS:
                raise Refused("unknown_method", req_method=method)
            if request.headers.get("authorization") != f"Bearer {keys.SLACK_BOT_TOKEN}":
                raise Refused("invalid_auth" if "authorization" in request.headers else "not_authed")
            return json_reply(200, {"ok": True, **METHODS[method](self, request, _arguments(request))})
        except Refused as error:
            return error.reply()

    # --- messages

    def post(self, request: Request, given: Json) -> Json:
        """chat.postMessage"""
        channel = self._channel(given)
        content = _content(given)
        self._pace(channel)
        ts = self._stamp(channel)
        message = {
            "type": "message", "subtype": "bot_message", "bot_id": "B0MESHBOT", "app_id": keys.SLACK_APP_ID,
            "user": keys.SLACK_BOT_USER, "team": keys.SLACK_TEAM_ID, "ts": ts, **content,
        }  # fmt: skip
        message |= {name: given[name] for name in ("mrkdwn", "parse", "link_names", "unfurl_links") if name in given}
        if isinstance(given.get("metadata"), dict):
            message["metadata"] = given["metadata"]
        self.messages[channel].append(message)
        self.effect(request, f"{channel}/{ts}", "message posted")
        return {"channel": channel, "ts": ts, "message": message}

    def update(self, request: Request, given: Json) -> Json:
        """chat.update"""
        channel = self._channel(given)
        message = self.message(channel, str(given.get("ts", "")))
        if message is None:
            raise Refused("message_not_found")
        if message.get("app_id") != keys.SLACK_APP_ID:
            raise Refused("cant_update_message")
        content = _content(given)
        message.update(
            {"blocks": [], **content, "edited": {"user": keys.SLACK_BOT_USER, "ts": f"{self.clock.now():.6f}"}}
        )
        if "metadata" in given:
            message["metadata"] = given["metadata"]
        self.effect(request, f"{channel}/{message['ts']}", "message changed")
        return {"channel": channel, "ts": message["ts"], "text": message["text"], "message": message}

    def ephemeral(self, request: Request, given: Json) -> Json:
        """chat.postEphemeral"""
        channel, user = self._channel(given), str(given.get("user", ""))
        if user not in self.users:
            raise Refused("user_not_in_channel")
        content = _content(given)
        self.notes.append({"channel": channel, "user": user, "by": "postEphemeral", **content})
        self.effect(request, f"{channel}/{user}", "note shown")
        return {"message_ts": f"{self.clock.now():.6f}"}

    def history(self, request: Request, given: Json) -> Json:
        """conversations.history: newest first; metadata only for who asks for it."""
        channel = self._channel(given)
        oldest, size = str(given.get("oldest", "0")), int(given.get("limit", 100))
        rows = [one for one in reversed(self.messages[channel]) if _key(one["ts"]) >= _key(oldest)]
        start = int(given.get("cursor") or 0)
        page = [dict(one) for one in rows[start : start + size]]
        if str(given.get("include_all_metadata", "")).lower() not in ("true", "1"):
            for one in page:
                one.pop("metadata", None)
        more = start + size < len(rows)
        return {
            "messages": page, "has_more": more,
            "response_metadata": {"next_cursor": str(start + size) if more else ""},
        }  # fmt: skip

    # --- forms and people

    def open_view(self, request: Request, given: Json) -> Json:
        """views.open: the trigger lives three seconds and works once."""
        trigger = self.triggers.get(str(given.get("trigger_id", "")))
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger["used"]:
            raise Refused("exchanged_trigger_id")
        if self.clock.now() - trigger["at"] > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        if found := blocks.view_problems(given.get("view")):
            raise Refused("invalid_arguments", *found)
        trigger["used"] = True
        view = {
            **given["view"], "id": f"V{self.ids.text('view', 10).upper()}", "team_id": keys.SLACK_TEAM_ID,
            "hash": f"{self.clock.stamp()}.{self.ids.text('hash', 8)}", "state": {"values": {}},
            "app_id": keys.SLACK_APP_ID, "bot_id": "B0MESHBOT", "previous_view_id": None, "opened_for": trigger["user"],
        }  # fmt: skip
        view["root_view_id"] = view["id"]
        self.views[view["id"]] = view
        self.effect(request, f"view/{view['id']}", "form opened")
        return {"view": view}

    def lookup(self, request: Request, given: Json) -> Json:
        """users.lookupByEmail"""
        email = str(given.get("email", "")).casefold()
        found = next((one for one in self.users.values() if one["profile"]["email"].casefold() == email), None)
        if found is None:
            raise Refused("users_not_found")
        return {"user": found}

    def whoami(self, request: Request, given: Json) -> Json:
        """auth.test"""
        return {
            "url": "https://meshline.slack.com/", "team": "Meshline", "team_id": keys.SLACK_TEAM_ID, "user": "meshline",
            "user_id": keys.SLACK_BOT_USER, "bot_id": "B0MESHBOT",
        }  # fmt: skip

    def _respond(self, request: Request) -> Reply:
        """A post to a response address: no token, five uses, half an hour."""
        found = self.responses.get(request.path)
        if found is None or self.clock.now() - found.made_at > RESPONSE_SECONDS:
            return Reply(404, b"expired_url", {"Content-Type": "text/plain"})
        if found.uses >= RESPONSE_USES:
            return Reply(404, b"used_url", {"Content-Type": "text/plain"})
        found.uses += 1
        given = json.loads(request.body or b"{}")
        if given.get("replace_original") or given.get("delete_original"):
            return Reply(200, b"ok", {"Content-Type": "text/plain"})
        self.notes.append({"channel": found.channel, "user": found.user, "by": "response_url", "text": given["text"]})
        self.effect(request, f"{found.channel}/{found.user}", "note shown")
        return Reply(200, b"ok", {"Content-Type": "text/plain"})

    # --- shared

    def message(self, channel: str, ts: str) -> Json | None:
        """One message."""
        return next((one for one in self.messages.get(channel, []) if one["ts"] == ts), None)

    def remember_response(self, path: str, user: str, channel: str, ts: str) -> None:
        """A new response address."""
        self.responses[path] = Response(user, channel, ts, self.clock.now())

    def effect(self, request: Request, target: str, summary: str) -> None:
        """Book one change."""
        self.book.effect(request, key="", action="", target=target, summary=summary)

    def _channel(self, given: Json) -> str:
        channel = self.channels.get(str(given.get("channel", "")))
        if channel is None:
            raise Refused("channel_not_found")
        if channel["is_archived"]:
            raise Refused("is_archived")
        if not channel["is_member"]:
            raise Refused("not_in_channel")
        return str(channel["id"])

    def _pace(self, channel: str) -> None:
        """About one message a second in a channel, with a short burst."""
        now = time.monotonic()
        left, since = self.tokens.get(channel, (self.limits["burst"], now))
        left = min(self.limits["burst"], left + (now - since) * self.limits["per_second"])
        if left < 1:
            self.tokens[channel] = (left, now)
            raise Refused("ratelimited", status=429, retry_after=1)
        self.tokens[channel] = (left - 1, now)

    def _stamp(self, channel: str) -> str:
        last = self.messages[channel][-1]["ts"] if self.messages[channel] else "0.0"
        now = f"{self.clock.now():.6f}"
        if _key(now) <= _key(last):
            seconds, micros = _key(last)
            now = f"{seconds + (micros + 1) // 1_000_000}.{(micros + 1) % 1_000_000:06d}"
        return now

    def fault_reply(self, rule: Rule) -> Reply | None:
        """Slack's refusals: by a word, and only for trouble of its own by a status."""
        if rule.kind == "rate_limit":
            return Refused("ratelimited", status=429, retry_after=int(rule.options.get("retry_after", 1))).reply()
        if rule.kind == "expire_auth":
            return Refused("token_revoked").reply()
        if "code" in rule.options:
            return Refused(str(rule.options["code"])).reply()
        return Reply(int(rule.options.get("status", 503)), b"upstream error", {"Content-Type": "text/plain"})

    def objects(self) -> Json:
        """Everything in the workspace."""
        return {
            "channels": self.channels, "users": self.users, "messages": self.messages, "notes": self.notes,
            "views": self.views,
        }  # fmt: skip

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """One secret for each app; `skew_s` moves the signed time, `signature` replaces the right one."""
        stamp = str(int(time.time() + float(extra.get("skew_s", 0))))
        secret = secrets[0] if secrets else ""
        mark = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        kind = "application/json" if body[:1] == b"{" else "application/x-www-form-urlencoded"
        return {
            "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": str(extra.get("signature", f"v0={mark}")),
            "Content-Type": kind, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }  # fmt: skip

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """A click is sent once; whoever clicked sees a warning and clicks again."""
        return None


METHODS = {
    "chat.postMessage": Slack.post,
    "chat.update": Slack.update,
    "chat.postEphemeral": Slack.ephemeral,
    "conversations.history": Slack.history,
    "views.open": Slack.open_view,
    "users.lookupByEmail": Slack.lookup,
    "auth.test": Slack.whoami,
}


def _arguments(request: Request) -> Json:
    """JSON, a form whose objects are JSON, or the query."""
    given: Json = request.query_map()
    if not request.body:
        return given
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            document = json.loads(request.body)
        except ValueError as error:
            raise Refused("invalid_json") from error
        if not isinstance(document, dict):
            raise Refused("json_not_object")
        return given | document
    form: Json = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    return given | {name: json.loads(value) if name in JSON_MEMBERS else value for name, value in form.items()}


def _content(given: Json) -> Json:
    """Text and blocks of a message."""
    text, found = given.get("text", ""), given.get("blocks", [])
    if not text and not found:
        raise Refused("no_text")
    if len(text) > 40_000:
        raise Refused("msg_too_long")
    if wrong := blocks.problems(found, blocks.MESSAGE_BLOCKS):
        raise Refused("invalid_blocks", *wrong)
    return {"text": text, "blocks": found} if "blocks" in given else {"text": text}


def _key(ts: str) -> tuple[int, int]:
    seconds, _, micros = ts.partition(".")
    return int(seconds or 0), int((micros + "000000")[:6])

"""Slack: signed clicks and forms in; messages, forms and notes out, through the one HTTP client.

Nothing here has an idempotency key. A message carries a marker in its metadata, which is looked for before anything
is posted a second time; a change of a message may be repeated. Status 200 does not mean success: `ok` does.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sync import client
from sync.contracts import members
from sync.contracts import slack as contract
from sync.contracts.members import DriftError
from sync.errors import (
    AuthError,
    PermanentError,
    ProviderError,
    SignatureError,
    TransientError,
    UnconfirmedError,
    UnreadableAnswer,
)
from sync.providers import base
from sync.providers.base import Exchanges, Guard, Headers, Provider, compact_json
from sync.wiretypes import Envelope, FrozenRequest, Response

SIGNED_AT, SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"
PUBLIC_BASE, RESPONSE_HOST = "https://slack.com", "https://hooks.slack.com/"
FORM_SECONDS = 2.0
EVENT_TYPE = "meshline_review"
JSON_TYPE = ("Content-Type", "application/json; charset=utf-8")
FORM_TYPE = ("Content-Type", "application/x-www-form-urlencoded")
HISTORY_PAGE, HISTORY_PAGES = 200, 5
MAX_CHALLENGE = 255

PACED = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded"))
REFUSED = frozenset(
    """not_authed invalid_auth account_inactive token_revoked token_expired missing_scope no_permission
    not_allowed_token_type org_login_required team_access_not_granted two_factor_setup_required access_denied
    enterprise_is_restricted ekm_access_denied""".split()
)
AWAY = frozenset(("request_timeout", "team_added_to_org", "update_failed", "external_channel_migrating"))
IN_DOUBT = frozenset(("fatal_error", "internal_error", "service_unavailable"))  # may have been carried out in part
NO_SUCH_USER = "users_not_found"

_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")
_PATH_OF_URL = re.compile(r"[A-Za-z0-9/_-]{1,500}")
_USER = re.compile(r"[UW][A-Z0-9]{2,30}")


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message stands."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the workspace, as Slack knows them."""

    id: str
    team: str
    email: str
    is_confirmed: bool
    is_active: bool


class Slack(Provider):
    """One workspace, one app, one bot."""

    name = "slack"
    webhook_secrets_name = "MESHLINE_SLACK_SIGNING_SECRETS"

    # --- deliveries

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """`v0=` and the HMAC over `v0:<time>:<body>`, on the bytes as they came."""
        stamp, signature = base.only(headers, SIGNED_AT), base.only(headers, SIGNATURE)
        if not _UNIX_SECONDS.fullmatch(stamp):
            raise SignatureError("unreadable signature time")
        message = b"v0:" + stamp.encode() + b":" + raw
        digests = ["v0=" + hmac.digest(secret.encode(), message, "sha256").hex() for secret in secrets if secret]
        base.check_signatures(digests, [signature])
        base.check_age(int(stamp), now)

    def challenge(self, document: Mapping[str, Any]) -> bytes | None:
        """The answer to the question whether this address is ours, which is kept nowhere; None for everything else."""
        if document.get("type") != "url_verification":
            return None
        word = document.get("challenge")
        if not isinstance(word, str) or not 1 <= len(word) <= MAX_CHALLENGE or not word.isprintable():
            base.bad_body("no usable challenge")
        return word.encode()

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name a payload of our workspace and app by who pressed what, when. SignatureError for any other workspace."""
        team, event = self._check_place(document), document.get("event")
        if isinstance(event, dict):
            type_ = contract.EVENT_PREFIX + base.required(event, "type", "api_version")
            event_id = object_id = base.required(document, "event_id", "object")
        else:
            type_ = base.required(document, "type", "api_version")
            event_id, object_id = _named(type_, document, raw)
        return Envelope(
            provider_event_id=event_id,
            account=base.plain(team, "account"),
            type=type_,
            kind=base.kind_of(self.name, type_),
            object_id=object_id,
            lane_key=object_id,
            occurred_at=_occurred(type_, document),
            park=base.parking(oddities),
        )

    def _check_place(self, document: Mapping[str, Any]) -> str:
        """The signing secret is the app's in every workspace it is installed in; we serve one."""
        team, app = document.get("team"), document.get("api_app_id")
        team_id = team.get("id") if isinstance(team, dict) else document.get("team_id")
        ours = str(self.config.get("team_id") or ""), str(self.config.get("app_id") or "")
        if not all(ours) or (team_id, app) != ours:
            raise SignatureError("from another workspace or app")
        return ours[0]

    # --- calls

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """The bot's token."""
        return {"Authorization": f"Bearer {self.config['bot_token']}"}

    def explain(self, response: Response) -> tuple[str, str]:
        """`error` is the code; details, where there are any, stand in `response_metadata`."""
        try:
            document = response.json()
        except UnreadableAnswer:
            return "", ""
        return _explained(document) if isinstance(document, dict) else ("", "")

    def _judge(self, response: Response, *, is_write: bool) -> None:
        if not 200 <= response.status < 300:
            super()._judge(response, is_write=is_write)
            return
        try:
            document = response.json()
            if not isinstance(document, dict) or type(document.get("ok")) is not bool:
                raise response.unreadable("answer does not say whether it is ok")
        except UnreadableAnswer as error:
            if is_write:
                raise
            raise self.error(TransientError, response, str(error), code="unreadable") from error
        if document["ok"]:
            return
        code, message = _explained(document)
        refusal = self.error(meaning(code, is_write=is_write), response, message, code=code)
        if isinstance(refusal, AuthError):
            refusal.status = 401  # what every other provider says with its status
        raise refusal

    def post_message(self, channel: str, content: Mapping[str, Any], marker: str) -> FrozenRequest:
        """Freeze a new message with its marker. `content` has text and blocks."""
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"marker": marker}}
        return self._call("chat.postMessage", {"channel": channel, **PLAIN, **content, "metadata": metadata})

    def update_message(self, channel: str, ts: str, content: Mapping[str, Any]) -> FrozenRequest:
        """Freeze a message's new content; its marker stays."""
        return self._call("chat.update", {"channel": channel, "ts": ts, "parse": "none", **content})

    def post_ephemeral(self, channel: str, user: str, text: str) -> FrozenRequest:
        """Freeze a note that only one person sees, and that goes with their next reload."""
        document = {"channel": channel, "user": user, "text": text, "parse": "none", "link_names": False}
        return self._call("chat.postEphemeral", document)

    def open_form(self, trigger: str, view: Mapping[str, Any], guard: Guard, exchanges: Exchanges) -> None:
        """Open a form for who clicked within the last three seconds. Bounded by two; bodies are not kept."""
        request = self._call("views.open", {"trigger_id": trigger, "view": view})
        self._in_private(request, self.authorize(request), str(self.config["base_url"]), guard, exchanges)

    def respond(self, url: str, text: str, guard: Guard, exchanges: Exchanges) -> None:
        """A note to who clicked, by the address their click brought. PermanentError for any other host than Slack's."""
        host, path = self.response_place(url)
        body = compact_json({"response_type": "ephemeral", "replace_original": False, "text": text, "parse": "none"})
        request = FrozenRequest(self.name, "POST", path, (JSON_TYPE,), body)
        response = self._send_in_private(request, {}, host, guard, exchanges)
        if not 200 <= response.status < 300:
            kind = TransientError if response.status == 429 else PermanentError
            raise self.error(kind, response, "the response address is used up", code="response_url")

    def response_place(self, url: str) -> tuple[str, str]:
        """Host and path of a response address. It is a bearer secret and names where we call: only Slack's host."""
        configured = str(self.config["base_url"])
        host = RESPONSE_HOST if configured == PUBLIC_BASE else f"{configured}/hooks/"
        path = url.removeprefix(host)
        if path == url or not _PATH_OF_URL.fullmatch(path) or "//" in path:
            raise PermanentError("not a response address", provider=self.name, code="bad_url", never_sent=True)
        return host.rstrip("/"), f"/{path}"

    def find(self, channel: str, marker: str, since: datetime, exchanges: Exchanges) -> Posted | None:
        """A message of ours by its marker, among those posted since then; None if it is not there."""
        asked = {
            "channel": channel, "oldest": f"{since.timestamp():.6f}", "limit": str(HISTORY_PAGE), "inclusive": "true",
            "include_all_metadata": "true",
        }  # fmt: skip
        for _ in range(HISTORY_PAGES):
            document = self._read("conversations.history", asked, exchanges)
            try:
                ts = _marked(members.mappings(document, "messages"), marker)
            except DriftError as error:
                raise self.drifted(error) from error
            if ts:
                return Posted(channel, ts)
            following = document.get("response_metadata")
            cursor = following.get("next_cursor") if isinstance(following, dict) else ""
            if not cursor or not isinstance(cursor, str):
                break
            asked["cursor"] = cursor
        return None

    def member(self, email: str) -> Member | None:
        """The person of the workspace with this address; None if there is none."""
        body = urlencode({"email": email})  # in the body, since paths are kept
        request = FrozenRequest(self.name, "POST", "/api/users.lookupByEmail", (FORM_TYPE,), body)
        try:
            user = members.mapping(self.document(self.read(request)), "user")
            profile = members.mapping(user, "profile")
            return Member(
                id=members.text(user, "id"), team=members.text_or_blank(user, "team_id"),
                email=members.text_or_blank(profile, "email"), is_confirmed=user.get("is_email_confirmed") is True,
                is_active=not (user.get("deleted") or user.get("is_bot")),
            )  # fmt: skip
        except PermanentError as error:
            if error.code == NO_SUCH_USER:
                return None
            raise
        except DriftError as error:
            raise self.drifted(error) from error

    def probe(self, exchanges: Exchanges | None = None) -> tuple[str, str]:
        """Workspace and bot user that the token belongs to."""
        document = self._read("auth.test", {}, exchanges)
        return str(document.get("team_id") or ""), str(document.get("user_id") or "")

    def _call(self, method: str, document: Mapping[str, Any]) -> FrozenRequest:
        return FrozenRequest(self.name, "POST", f"/api/{method}", (JSON_TYPE,), compact_json(document))

    def _read(self, method: str, asked: Mapping[str, str], exchanges: Exchanges | None) -> dict[str, Any]:
        path = f"/api/{method}" + (f"?{urlencode(asked)}" if asked else "")
        return self.document(self.read(FrozenRequest(self.name, "GET", path, (), ""), exchanges))

    def _in_private(
        self, request: FrozenRequest, credentials: Mapping[str, str], host: str, guard: Guard, exchanges: Exchanges
    ) -> None:
        self._judge(self._send_in_private(request, credentials, host, guard, exchanges), is_write=True)

    def _send_in_private(
        self, request: FrozenRequest, credentials: Mapping[str, str], host: str, guard: Guard, exchanges: Exchanges
    ) -> Response:
        """One quick write that carries a secret in its body or address: neither is kept."""
        try:
            response = client.send(
                request, auth_headers=credentials, base_url=host, is_write=True, guard=guard, is_private=True,
                seconds=FORM_SECONDS,
            )  # fmt: skip
        except ProviderError as error:
            if error.exchange is not None:
                error.exchange = replace(error.exchange, path=_shown(request.path))
                exchanges.append(error.exchange)
            raise
        exchange = replace(response.exchange, path=_shown(request.path))
        exchanges.append(exchange)
        return replace(response, exchange=exchange)


# No links made of words, no names turned into mentions, no previews of pages.
PLAIN: Mapping[str, Any] = {
    "mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False,
}  # fmt: skip


def meaning(code: str, *, is_write: bool) -> type[ProviderError]:
    """What an `error` says about the request."""
    if code in PACED or code in AWAY:
        return TransientError
    if code in REFUSED:
        return AuthError
    if code in IN_DOUBT:
        return UnconfirmedError if is_write else TransientError
    return PermanentError


def posted_from(response: Response) -> Posted:
    """Where the message of a write stands; UnreadableAnswer if the answer does not say."""
    try:
        document = response.json()
        ts = members.text(document, "ts")
        if not contract.TS.fullmatch(ts):
            raise DriftError("ts", "not a time stamp")
        return Posted(members.text(document, "channel"), ts)
    except DriftError as error:
        raise response.unreadable(f"no message in the answer: {error}") from error


def is_user_id(text: str) -> bool:
    """Whether this can be a person's id."""
    return bool(_USER.fullmatch(text))


def _explained(document: Mapping[str, Any]) -> tuple[str, str]:
    code = str(document.get("error") or "unknown_error")
    more = document.get("response_metadata")
    listed = more.get("messages") if isinstance(more, dict) else None
    details = "; ".join(str(one) for one in listed) if isinstance(listed, list) else ""
    needed = f"needs {document['needed']}" if "needed" in document else ""
    return code, ": ".join(filter(None, (code, needed, details)))


def _named(type_: str, document: Mapping[str, Any], raw: bytes) -> tuple[str, str]:
    """Id and object of an interactive payload: a click is who, what, on which message, when; once for ever."""
    seen = contract.read(type_, "", document)
    if isinstance(seen, contract.SlackClick):
        place = f"{seen.channel}:{seen.message_ts}"
        found = f"{seen.home}:{seen.user}:{seen.presses[0].action_id}:{seen.message_ts}:{seen.presses[0].action_ts}"
    elif isinstance(seen, contract.SlackSubmitted):
        view = document["view"]
        place = base.required(view, "id", "object")
        found = f"{seen.home}:{seen.user}:view:{place}:{view.get('hash', '')}"
    else:
        place, found = "", f"{type_}:{hashlib.sha256(raw).hexdigest()}"
    event_id = base.plain(found, "id") or hashlib.sha256(raw).hexdigest()
    return event_id, base.plain(place, "object") or event_id[: base.LIMITS["lane"]]


def _occurred(type_: str, document: Mapping[str, Any]) -> datetime | None:
    """Slack's own time of a click, in whole seconds."""
    seen = contract.read(type_, "", document)
    stamp = seen.presses[0].action_ts if isinstance(seen, contract.SlackClick) else ""
    seconds = int(stamp.partition(".")[0]) if contract.TS.fullmatch(stamp) else 0
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < members.LATEST_SECONDS else None


def _marked(messages: Sequence[Mapping[str, Any]], marker: str) -> str:
    for message in messages:
        if message.get("metadata") == {"event_type": EVENT_TYPE, "event_payload": {"marker": marker}}:
            return members.text(message, "ts")
    return ""


def _shown(path: str) -> str:
    """A path that may be stored."""
    return path if path.startswith("/api/") else "/(response address)"

"""What people do in Slack: click, fill in forms, come and go."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from sync.sandbox import keys
from sync.sandbox.courier import Parcel
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.slack.simulator import Slack

TRIGGER_SECONDS = 3.0
# How one delivery may be spoilt: `forged`, `skew_s`, and another `team` or `app` than ours.
SPOILT = ("skew_s", "signature")


def add_user(slack: "Slack", params: Json) -> Json:
    """A person: `user` (id), `email`, `confirmed`, `bot`."""
    user = str(params.get("user") or f"U{slack.ids.text('user', 9).upper()}")
    slack.users[user] = {
        "id": user, "team_id": keys.SLACK_TEAM_ID, "name": user.lower(), "deleted": bool(params.get("deleted", False)),
        "is_bot": bool(params.get("bot", False)), "is_email_confirmed": bool(params.get("confirmed", True)),
        "profile": {"email": str(params.get("email", f"{user.lower()}@sandbox.test"))},
    }  # fmt: skip
    return {"user": user}


def add_channel(slack: "Slack", params: Json) -> Json:
    """A `channel` by its id; `archived` or without the app as `member`."""
    channel = str(need(params, "channel"))
    slack.channels[channel] = {
        "id": channel, "name": str(params.get("name", channel.lower())), "is_archived": bool(params.get("archived")),
        "is_member": bool(params.get("member", True)),
    }  # fmt: skip
    slack.messages.setdefault(channel, [])
    return {"channel": channel}


def click(slack: "Slack", params: Json) -> Json:
    """Press the button `action` of the message `channel`/`ts` (the newest by default) as `user`, `times` over.

    `value` presses a button as it was before. The delivery may be spoilt: `forged`, `skew_s`, `team`, `app`.
    """
    channel = str(need(params, "channel"))
    message = slack.message(channel, str(params.get("ts") or _newest(slack, channel)))
    user, action = str(need(params, "user")), str(need(params, "action"))
    if message is None:
        raise PlayError(f"no such message in {channel}")
    button = _button(message, action, params)
    now = slack.clock.now()
    trigger = f"{slack.ids.number('trigger', 10**9)}.{slack.ids.text('trigger', 12)}"
    slack.triggers[trigger] = {"at": now, "used": False, "user": user}
    payload = {
        "type": "block_actions", **_who(slack, params, user), "trigger_id": trigger, "enterprise": None,
        "is_enterprise_install": False, "token": "legacy-verification-token", "state": {"values": {}},
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel, "is_ephemeral": False},
        "channel": {"id": channel, "name": slack.channels[channel]["name"]}, "message": message,
        "response_url": _response(slack, user, channel, message["ts"]),
        "actions": [{**button, "type": "button", "action_ts": f"{now:.6f}"}],
    }  # fmt: skip
    return _send(slack, payload, params, f"{message['ts']}:{action}:{now:.6f}") | {"trigger": trigger}


def submit_view(slack: "Slack", params: Json) -> Json:
    """Send the form `view` (the newest by default) as `user` with the `reason` typed into its first input."""
    view = slack.views.get(str(params.get("view") or next(reversed(slack.views), "")))
    if view is None:
        raise PlayError("no form is open")
    user = str(params.get("user") or view["opened_for"])
    field = next((one for one in view["blocks"] if one["type"] == "input"), None)
    values = {} if field is None else {
        field["block_id"]: {field["element"]["action_id"]: {"type": "plain_text_input", "value": params.get("reason")}}
    }  # fmt: skip
    shown = {name: value for name, value in view.items() if name != "opened_for"}
    payload = {
        "type": "view_submission", **_who(slack, params, user), "trigger_id": f"sub.{view['id']}", "response_urls": [],
        "view": {**shown, "state": {"values": values}, **dict(params.get("set") or {})},
    }  # fmt: skip
    return _send(slack, payload, params, f"{view['id']}:submit")


def send_payload(slack: "Slack", params: Json) -> Json:
    """Any `payload`, signed: as a form, or as JSON with `as_json`."""
    given = need(params, "payload")
    if not isinstance(given, dict):
        raise PlayError("payload must be an object")
    return _send(slack, given, params, str(given.get("type", "payload")))


def set_options(slack: "Slack", params: Json) -> Json:
    """How fast messages may come: `burst`, and `per_second` in a channel."""
    slack.limits = {name: float(params.get(name, value)) for name, value in slack.limits.items()}
    slack.tokens.clear()
    return dict(slack.limits)


def _newest(slack: "Slack", channel: str) -> str:
    rows = slack.messages.get(channel) or []
    return str(rows[-1]["ts"]) if rows else ""


def _button(message: Json, action: str, params: Json) -> Json:
    for block in message.get("blocks", []):
        for one in block.get("elements", []) if block["type"] == "actions" else []:
            if one.get("action_id") == action:
                return {
                    **one,
                    "block_id": block.get("block_id", ""),
                    "value": params.get("value", one.get("value", "")),
                }
    if "value" in params:  # a button that an older client still shows
        return {"action_id": action, "block_id": "old", "value": str(params["value"])}
    raise PlayError(f"the message has no button {action!r}")


def _who(slack: "Slack", params: Json, user: str) -> Json:
    team = str(params.get("team", keys.SLACK_TEAM_ID))
    home = str(params.get("home", team))
    return {
        "user": {"id": user, "username": user.lower(), "name": user.lower(), "team_id": home},
        "team": {"id": team, "domain": "meshline"}, "api_app_id": str(params.get("app", keys.SLACK_APP_ID)),
    }  # fmt: skip


def _response(slack: "Slack", user: str, channel: str, ts: str) -> str:
    path = f"/hooks/actions/{keys.SLACK_TEAM_ID}/{slack.ids.number('response', 7890)}/{slack.ids.text('response', 24)}"
    slack.remember_response(path, user, channel, ts)
    return f"{slack.base}{path}"


def _send(slack: "Slack", payload: Json, params: Json, event_id: str) -> Json:
    """Deliver a payload, `times` over with the very same bytes."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    body = text.encode() if params.get("as_json") else b"payload=" + quote(text, safe="").encode()
    extra = {name: params[name] for name in SPOILT if name in params}
    for _ in range(int(params.get("times", 1))):
        parcel = Parcel(
            slack.name, event_id, str(payload.get("type")), body, dict(extra), 0, bool(params.get("forged"))
        )
        slack.world.courier.send(parcel)
    return {"event": event_id, "type": payload.get("type")}


PLAYS: Mapping[str, Callable[["Slack", Json], Json]] = {
    "add_user": add_user,
    "add_channel": add_channel,
    "click": click,
    "submit_view": submit_view,
    "send_payload": send_payload,
    "set_options": set_options,
}

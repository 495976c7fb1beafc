"""The Slack simulator: errors with status 200, triggers that work once, markers, limits, signed clicks."""

import hashlib
import hmac
import json
from urllib.parse import parse_qs

import pytest
import requests

from sync.sandbox import keys

CHANNEL = "C0BILLING"


@pytest.fixture
def slack(client):
    def call(method, token=keys.SLACK_BOT_TOKEN, **given):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.session.post(f"{client.url}/slack/api/{method}", json=given, headers=headers, timeout=30)

    return call


def button(label="Go", **more):
    return {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": label}, "value": "v", **more}


def actions(*elements, **more):
    return {"type": "actions", "block_id": "b", "elements": list(elements) or [button()], **more}


def post(slack, **more):
    answer = slack("chat.postMessage", channel=CHANNEL, text="hello", blocks=[actions()], **more)
    assert answer.json()["ok"], answer.text
    return answer.json()


def error(answer):
    return answer.status_code, answer.json()["ok"], answer.json().get("error")


def view(**more):
    field = {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Why"},
             "element": {"type": "plain_text_input", "action_id": "text"}}  # fmt: skip
    title = {"type": "plain_text", "text": "Why"}
    return {"type": "modal", "title": title, "submit": title, "blocks": [field], "private_metadata": "m", **more}


def test_a_refusal_has_status_200(slack):
    assert error(slack("chat.postMessage", channel="C0NOBODY", text="x")) == (200, False, "channel_not_found")
    assert error(slack("chat.postMessage", token="", channel=CHANNEL, text="x")) == (200, False, "not_authed")
    assert error(slack("auth.test", token="xoxb-other")) == (200, False, "invalid_auth")
    assert error(slack("chat.update", channel=CHANNEL, ts="1.2", text="x")) == (200, False, "message_not_found")
    assert error(slack("users.lookupByEmail", email="a@b.c")) == (200, False, "users_not_found")
    assert error(slack("chat.shout")) == (200, False, "unknown_method")
    assert slack("auth.test").json()["team_id"] == keys.SLACK_TEAM_ID


@pytest.mark.parametrize(
    "blocks",
    [
        [actions(), actions()], [actions(button("x" * 76))], [actions(button(value="x" * 2001))],
        [actions(*[button(action_id=str(n)) for n in range(26)])], [actions(button(), button())],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], [{"type": "section"}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "section", "text": {"type": "plain_text", "text": ""}}], [{"type": "marquee"}],
        [actions(block_id=str(n)) for n in range(51)],
    ],
)  # fmt: skip
def test_blocks_are_checked(slack, blocks):
    answer = slack("chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)

    assert error(answer) == (200, False, "invalid_blocks")
    assert answer.json()["response_metadata"]["messages"]


def test_metadata_is_shown_to_who_asks(slack):
    posted = post(slack, metadata={"event_type": "e", "event_payload": {"marker": "m1"}})
    slack("chat.update", channel=CHANNEL, ts=posted["ts"], text="other")

    plain = slack("conversations.history", channel=CHANNEL).json()["messages"][0]
    whole = slack("conversations.history", channel=CHANNEL, include_all_metadata=True).json()["messages"][0]

    assert "metadata" not in plain
    assert (whole["metadata"]["event_payload"], whole["text"], whole["blocks"]) == ({"marker": "m1"}, "other", [])


def test_history_in_pages(slack):
    stamps = [post(slack)["ts"] for _ in range(5)]

    first = slack("conversations.history", channel=CHANNEL, limit=3).json()
    cursor = first["response_metadata"]["next_cursor"]
    rest = slack("conversations.history", channel=CHANNEL, limit=3, cursor=cursor).json()

    assert [one["ts"] for one in first["messages"] + rest["messages"]] == stamps[::-1]
    assert (rest["has_more"], len(set(stamps))) == (False, 5)


def test_too_fast_for_a_channel(client, slack):
    client.play("slack", "set_options", burst=2)

    answers = [slack("chat.postMessage", channel=CHANNEL, text="x") for _ in range(3)]

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert (answers[2].json()["error"], answers[2].headers["Retry-After"]) == ("ratelimited", "1")
    assert slack("chat.postMessage", channel="C0SUPPORT", text="x").status_code == 200


def test_a_trigger_works_once_within_three_seconds(client, slack):
    post(slack)
    first = client.play("slack", "click", channel=CHANNEL, action="go", user="U0001")["trigger"]
    assert error(slack("views.open", trigger_id=first, view=view(title={}))) == (200, False, "invalid_arguments")
    assert slack("views.open", trigger_id=first, view=view()).json()["ok"]

    assert error(slack("views.open", trigger_id=first, view=view())) == (200, False, "exchanged_trigger_id")
    late = client.play("slack", "click", channel=CHANNEL, action="go", user="U0001")["trigger"]
    client.post("/_clock", advance_s=4)
    assert error(slack("views.open", trigger_id=late, view=view())) == (200, False, "expired_trigger_id")
    assert error(slack("views.open", trigger_id="1.2.3", view=view())) == (200, False, "invalid_trigger_id")


def test_clicks_are_signed_forms(client, slack, receiver):
    client.post("/_webhooks", slack={"url": receiver.url})
    ts = post(slack)["ts"]
    client.play("slack", "click", channel=CHANNEL, action="go", user="U0001", times=2)
    client.play("slack", "click", channel=CHANNEL, action="go", user="U0001", forged=True)
    [(headers, body), (_, again), (forged, other)] = receiver.wait(3)

    def mark(found, raw):
        base = f"v0:{found['x-slack-request-timestamp']}:".encode() + raw
        return "v0=" + hmac.new(keys.SLACK_SIGNING_SECRET.encode(), base, hashlib.sha256).hexdigest()

    assert headers["x-slack-signature"] == mark(headers, body)
    assert forged["x-slack-signature"] != mark(forged, other)
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    payload = json.loads(parse_qs(body.decode())["payload"][0])
    assert (payload["container"]["message_ts"], payload["actions"][0]["action_id"], body) == (ts, "go", again)


def test_a_click_that_is_not_taken_is_not_sent_again(client, slack, receiver):
    client.post("/_webhooks", slack={"url": receiver.url})
    receiver.statuses = [503]
    post(slack)
    client.play("slack", "click", channel=CHANNEL, action="go", user="U0001")
    client.post("/_webhooks/flush", timeout_s=2)

    assert len(receiver.wait(1)) == 1
    assert client.get("/_webhooks/log?provider=slack")["deliveries"][-1]["status"] == 503


def test_a_response_address_is_good_for_five_uses(client, slack, receiver):
    client.post("/_webhooks", slack={"url": receiver.url})
    post(slack)
    client.play("slack", "click", channel=CHANNEL, action="go", user="U0001")
    url = json.loads(parse_qs(receiver.wait(1)[0][1].decode())["payload"][0])["response_url"]

    answers = [client.session.post(url, json={"text": "only you"}, timeout=30) for _ in range(6)]

    assert [one.status_code for one in answers] == [200] * 5 + [404]
    assert len(client.get("/_books/slack?only=objects")["objects"]["notes"]) == 5
    client.post("/_clock", advance_s=1801)
    assert client.session.post(url, json={"text": "x"}, timeout=30).text == "expired_url"


def test_lost_answer_is_a_message(client, slack):
    client.faults("slack", {"kind": "lost_answer", "path": "/api/chat.postMessage", "reset": True})

    with pytest.raises(requests.ConnectionError):
        post(slack)

    assert len(client.writes("slack")) == 1


def test_trouble_has_its_own_words(client, slack):
    client.faults(
        "slack", {"kind": "rate_limit", "retry_after": 7, "nth": 1},
        {"kind": "error_before", "code": "fatal_error", "nth": 2},
        {"kind": "error_before", "nth": 3}, {"kind": "expire_auth", "nth": 4},
    )  # fmt: skip

    answers = [slack("auth.test") for _ in range(4)]

    assert [one.status_code for one in answers] == [429, 200, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert [answers[1].json()["error"], answers[3].json()["error"]] == ["fatal_error", "token_revoked"]

"""Slack's deliveries: signed, of our workspace and app, named once; everything else is refused and stores nothing."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest

from ledger.models import Event, EventBody
from sync import contracts, providers, receive
from sync.contracts.slack import SlackClick
from sync.errors import BadBody, SignatureError
from sync.sandbox import keys
from sync.slack import forms
from tests.sync.test_webhooks import Served

SLACK = providers.get("slack")
# Made with the vendor's own verifier.
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
T = 1795250000
BODY = b"payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U024BE7LH%22%7D%7D"
GOOD = "v0=4015604d63c1fcc5bce9e401af2c2668993a545e50c7605272acf682383f2a83"
NOW = datetime.fromtimestamp(T, UTC)


def check(signature=GOOD, body=BODY, stamp=str(T), *, now=NOW, secrets=(SECRET,)):
    headers = {"x-slack-request-timestamp": (stamp,), "x-slack-signature": (signature,)}
    SLACK.verify(headers, body, now, secrets)


def test_the_published_vector():
    check()
    check(secrets=("another", SECRET))


@pytest.mark.parametrize("seconds", [0, 270, 300, -30, -300])
def test_within_the_tolerance(seconds):
    check(now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [301, -301, 86_400, -86_400])
def test_out_of_the_tolerance(seconds):
    with pytest.raises(SignatureError):
        check(now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "wrong",
    [
        {"signature": ""}, {"signature": GOOD[3:]}, {"signature": "v1" + GOOD[2:]}, {"signature": GOOD.upper()},
        {"signature": GOOD[:-1] + "0"}, {"body": BODY + b" "}, {"body": BODY.replace(b"U024", b"U025")},
        {"stamp": f"{T}.0"}, {"stamp": f"+{T}"}, {"stamp": str(T + 1)}, {"stamp": "x"}, {"stamp": ""},
        {"secrets": ()}, {"secrets": ("",)}, {"secrets": (SECRET + "x",)},
    ],
)  # fmt: skip
def test_refused_signatures(wrong):
    with pytest.raises(SignatureError):
        check(**wrong)


def test_doubled_and_missing_headers_are_refused():
    for headers in (
        {"x-slack-signature": (GOOD,)},
        {"x-slack-request-timestamp": (str(T),)},
        {"x-slack-request-timestamp": (str(T), str(T)), "x-slack-signature": (GOOD,)},
        {"x-slack-request-timestamp": (str(T),), "x-slack-signature": (GOOD, GOOD)},
    ):
        with pytest.raises(SignatureError):
            SLACK.verify(headers, BODY, NOW, (SECRET,))


# --- naming


def click(**changes):
    return {
        "type": "block_actions", "team": {"id": keys.SLACK_TEAM_ID}, "api_app_id": keys.SLACK_APP_ID,
        "user": {"id": "U1", "team_id": keys.SLACK_TEAM_ID}, "trigger_id": "1.2.3",
        "container": {"type": "message", "message_ts": "1732181400.123456", "channel_id": "C0BILLING"},
        "response_url": "https://hooks.slack.com/actions/T1/2/secret",
        "actions": [{"action_id": "meshline_claim", "value": "x", "action_ts": "1732181466.194939"}],
        **changes,
    }  # fmt: skip


def form(document, escape=quote):
    return b"payload=" + escape(json.dumps(document), safe="").encode()


def take(document, raw=None, *, secret=keys.SLACK_SIGNING_SECRET, at=None):
    raw = form(document) if raw is None else raw
    now = datetime.now(UTC)
    stamp = str(int((at or now).timestamp()))
    mark = hmac.digest(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, "sha256").hex()
    headers = {"x-slack-request-timestamp": (stamp,), "x-slack-signature": (f"v0={mark}",)}
    return receive.take("slack", headers, raw=raw, now=now, address="192.0.2.7")


@pytest.fixture(autouse=True)
def no_forms(monkeypatch):
    monkeypatch.setattr(forms, "_run", lambda raw, event_id: forms._room.release())


@pytest.mark.django_db(transaction=True)
def test_a_click_is_stored_once_and_answered_with_nothing():
    answers = [take(click()) for _ in range(3)]

    assert {(one.status, one.body) for one in answers} == {(200, b"")}
    event = Event.objects.get()
    assert (event.source, event.kind, event.deliveries) == ("slack", "slack.click", 3)
    assert event.provider_event_id == f"{keys.SLACK_TEAM_ID}:U1:meshline_claim:1732181400.123456:1732181466.194939"
    assert "secret" not in f"{event.provider_event_id}{event.object_id}{event.lane}"
    assert EventBody.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("escape", [quote, quote_plus])
def test_however_the_form_is_encoded(escape):
    assert take(None, form(click(), escape)).status == 200
    body = bytes(EventBody.objects.get().raw)
    assert isinstance(contracts.read("slack", "block_actions", "", contracts.parse("slack", body).document), SlackClick)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "changes",
    [
        {"team": {"id": "T0OTHER"}}, {"team": None}, {"team": "T0MESHLINE"}, {"api_app_id": "A0OTHER"},
        {"api_app_id": None}, {"team": {"id": [keys.SLACK_TEAM_ID]}},
    ],
)  # fmt: skip
def test_other_workspaces_and_apps_are_refused(changes):
    assert take(click(**changes)).status == 401
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_forged_and_stale_ones_are_refused():
    late = datetime.now(UTC) - timedelta(seconds=302)
    ahead = datetime.now(UTC) + timedelta(seconds=302)

    statuses = [take(click(), secret="guessed").status, take(click(), at=late).status, take(click(), at=ahead).status]

    assert (statuses, Event.objects.count()) == ([401, 401, 401], 0)


@pytest.mark.django_db(transaction=True)
def test_without_a_workspace_everything_is_refused(settings):
    slack = {**settings.MESHLINE_PROVIDERS["slack"], "team_id": "", "app_id": ""}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": slack}

    assert take(click(team={"id": ""}, api_app_id="")).status == 401
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_question_for_our_address_is_answered_and_not_kept():
    asked = json.dumps({"type": "url_verification", "challenge": "abc123"}).encode()

    good, bad = take(None, asked), take(None, asked, secret="guessed")

    assert (good.status, good.body, bad.status) == (200, b"abc123", 401)
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_what_we_do_not_use_is_stored_and_answered():
    here = {"team_id": keys.SLACK_TEAM_ID, "api_app_id": keys.SLACK_APP_ID}
    event = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention"}, **here}

    statuses = [take(click(type="shortcut")).status, take(None, json.dumps(event).encode()).status]

    assert statuses == [200, 200]
    assert set(Event.objects.values_list("kind", flat=True)) == {"unknown"}


@pytest.mark.parametrize(
    "raw", [b"", b"payload", b"payload=x", b"payload=%7B%7D&payload=%7B%7D", b"a=%7B%7D", b"payload=[]", b"\xff=1"]
)
def test_bodies_that_are_no_payload(raw):
    with pytest.raises(BadBody):
        contracts.parse("slack", raw)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/webhooks/slack/interactions/", "/webhooks/slack/events", "/webhooks/slack/"])
def test_the_addresses(client, path):
    raw, stamp = form(click()), str(int(datetime.now(UTC).timestamp()))
    mark = hmac.digest(keys.SLACK_SIGNING_SECRET.encode(), f"v0:{stamp}:".encode() + raw, "sha256").hex()
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={mark}"}

    answer = client.post(path, raw, content_type="application/x-www-form-urlencoded", headers=headers)

    assert (answer.status_code, Event.objects.count()) == (200, 1)


@pytest.mark.django_db(transaction=True)
def test_the_front_takes_clicks_at_both_addresses_and_answers_with_nothing(tmp_path):
    served = Served(tmp_path)
    try:
        answers = [deliver(served, form(click()), name) for name in ("interactions", "events", "others")]
        spoilt = deliver(served, form(click()), "interactions", secret="guessed")
    finally:
        served.process.terminate()
        served.process.wait(15)

    assert [status for status, _ in answers] == [200, 200, 404]
    assert answers[0][1].partition(b"\r\n\r\n")[2] == b""
    assert spoilt[0] == 401
    assert Event.objects.get().deliveries == 2


def deliver(served, raw, name, secret=keys.SLACK_SIGNING_SECRET):
    stamp = str(int(datetime.now(UTC).timestamp()))
    mark = hmac.digest(secret.encode(), f"v0:{stamp}:".encode() + raw, "sha256").hex()
    lines = [f"X-Slack-Request-Timestamp: {stamp}", f"X-Slack-Signature: v0={mark}"]
    return served.ask("POST", f"/webhooks/slack/{name}/", *lines, body=raw)

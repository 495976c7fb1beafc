"""What the Slack adapter makes of answers, and what it never calls."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sync import providers
from sync.errors import (
    AuthError,
    PermanentError,
    TransientError,
    UnconfirmedError,
    UnreadableAnswer,
    WriteHalted,
)
from sync.providers import slack
from sync.slack import blocks
from tests.sync.loopback import keeps_answering, serving

SLACK = providers.get("slack")
POST = SLACK.post_message("C0BILLING", {"text": "x", "blocks": []}, "m1")


def allow():
    """A guard that lets the write go."""


def says(document, status=200, **headers):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return lambda peer: peer.answer(status, raw, **headers)


def gone(peer):
    """The connection ends where an answer should have come."""
    peer.reset()
    peer.sock.close()


@pytest.fixture
def points(settings):
    def point(server):
        here = {**settings.MESHLINE_PROVIDERS["slack"], "base_url": server.url, "bot_token": "xoxb-1"}
        settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": here}

    return point


def outcome(points, answer, call=lambda: SLACK.perform(POST, allow)):
    with serving(keeps_answering(answer)) as server:
        points(server)
        try:
            call()
        except Exception as error:  # noqa: BLE001
            return error, server.requests
        return None, server.requests


def refusal(code, **more):
    return says({"ok": False, "error": code, **more})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("channel_not_found", PermanentError), ("is_archived", PermanentError), ("invalid_blocks", PermanentError),
        ("expired_trigger_id", PermanentError), ("something_new", PermanentError), ("invalid_auth", AuthError),
        ("missing_scope", AuthError), ("token_revoked", AuthError), ("ratelimited", TransientError),
        ("rate_limited", TransientError), ("request_timeout", TransientError), ("fatal_error", UnconfirmedError),
        ("internal_error", UnconfirmedError), ("service_unavailable", UnconfirmedError),
    ],
)  # fmt: skip
def test_what_an_error_means(points, code, kind):
    error, _ = outcome(points, refusal(code))

    assert (type(error), error.code) == (kind, code)
    assert (error.status == 401) is (kind is AuthError)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says({"ok": False, "error": "ratelimited"}, 429, Retry_After="7"), TransientError),
        (says(b"<html>", 503), UnconfirmedError), (says(b"{", 200), UnreadableAnswer), (says({}), UnreadableAnswer),
        (says({"ok": 1}), UnreadableAnswer), (says([]), UnreadableAnswer),
        (gone, UnconfirmedError),
    ],
)  # fmt: skip
def test_other_answers(points, answer, kind):
    error, _ = outcome(points, answer)

    assert type(error) is kind
    assert error.retry_after == (timedelta(seconds=7) if kind is TransientError else None)


def test_details_of_a_refusal(points):
    more = {"needed": "chat:write", "response_metadata": {"messages": ["[ERROR] too long"]}}
    error, _ = outcome(points, refusal("missing_scope", **more))

    assert error.message == "missing_scope: needs chat:write: [ERROR] too long"


def test_a_message_carries_its_marker_and_no_markup(points):
    error, [sent] = outcome(points, says({"ok": True, "channel": "C0BILLING", "ts": "1.000001"}))
    head, _, body = sent.partition(b"\r\n\r\n")
    document = json.loads(body)

    assert error is None
    assert b"Authorization: Bearer xoxb-1" in head
    assert document["metadata"] == {"event_type": "meshline_review", "event_payload": {"marker": "m1"}}
    assert (document["mrkdwn"], document["link_names"], document["unfurl_links"]) == (False, False, False)
    assert "xoxb" not in json.dumps(POST.as_json())


def test_a_search_reads_pages_and_only_believes_our_marker(points):
    other = {"ts": "3.000001", "metadata": {"event_type": "someone", "event_payload": {"marker": "m1"}}}
    mine = {"ts": "2.000001", "metadata": {"event_type": "meshline_review", "event_payload": {"marker": "m1"}}}
    first = {"ok": True, "messages": [other, {"ts": "4.1"}], "response_metadata": {"next_cursor": "c2"}}
    found = []
    pages = keeps_answering(says(first), says({"ok": True, "messages": [mine]}))

    with serving(pages) as server:
        points(server)
        found.append(SLACK.find("C0BILLING", "m1", datetime(2026, 1, 1, tzinfo=UTC), []))

    assert found == [slack.Posted("C0BILLING", "2.000001")]
    assert b"cursor=c2" in server.requests[1]
    assert b"include_all_metadata=true" in server.requests[0]


@pytest.mark.parametrize(
    "url",
    [
        "", "https://hooks.slack.com.evil.example/actions/T/1/x", "http://hooks.slack.com/actions/T/1/x",
        "https://evil.example/hooks.slack.com/", "https://hooks.slack.com@evil.example/x", "https://hooks.slack.com/",
        "https://hooks.slack.com/../x", "https://hooks.slack.com//evil.example/x", "file:///etc/passwd",
        "https://slack.com/hooks/x", "https://hooks.slack.com/a?b=c", "https://hooks.slack.com/a#b",
        "https://hooks.slack.com:444/a", "HTTPS://hooks.slack.com/a",
    ],
)  # fmt: skip
def test_response_addresses_elsewhere_are_never_called(settings, url):
    here = {**settings.MESHLINE_PROVIDERS["slack"], "base_url": slack.PUBLIC_BASE}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": here}

    with pytest.raises(PermanentError, match="not a response address"):
        SLACK.respond(url, "x", allow, [])


def test_slacks_own_response_address(settings):
    here = {**settings.MESHLINE_PROVIDERS["slack"], "base_url": slack.PUBLIC_BASE}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": here}

    found = SLACK.response_place("https://hooks.slack.com/actions/T111/7890/AbCd")

    assert found == ("https://hooks.slack.com", "/actions/T111/7890/AbCd")


def test_a_form_is_bounded_and_keeps_no_trigger(points):
    exchanges = []

    def call():
        SLACK.open_form("9.8.secret", {"type": "modal"}, allow, exchanges)

    began = datetime.now(UTC)
    error, _ = outcome(points, lambda peer: peer.wait(10), call)

    assert isinstance(error, UnconfirmedError)
    assert datetime.now(UTC) - began < timedelta(seconds=6)
    assert "secret" not in repr(exchanges)


def test_the_guard_is_asked(points):
    def halt():
        raise WriteHalted

    error, requests = outcome(points, says({"ok": True}), lambda: SLACK.perform(POST, halt))

    assert (type(error), requests) == (WriteHalted, [])


# --- our own length checks


def test_escapes_are_never_cut():
    for limit in range(1, 12):
        text = blocks.escaped("a&<>&<>", limit)
        assert len(text) <= limit
        assert "&" not in text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


@pytest.mark.parametrize(
    "content",
    [
        {"text": "", "blocks": []}, {"text": "x" * 3001, "blocks": []},
        {"text": "x", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
        {"text": "x", "blocks": [blocks.buttons("b", [blocks.button("a", "x", "v" * 2001)])]},
        {"text": "x", "blocks": [blocks.buttons("b", [blocks.button(str(n), "x") for n in range(26)])]},
        {"text": "x", "blocks": [blocks.buttons("b", []), blocks.buttons("b", [])]},
        {"text": "x", "blocks": [blocks.section("x")] * 51},
        {"type": "modal", "title": {"text": "x" * 25}, "blocks": []},
        {"type": "modal", "private_metadata": "x" * 3001, "blocks": []},
    ],
)  # fmt: skip
def test_what_slack_would_refuse_does_not_leave(content):
    assert blocks.faults(content)


def test_builders_fit():
    long = "<&>" * 5000
    whole = [
        blocks.header(long), blocks.section(long), blocks.fields([(long, long)] * 20), blocks.context(*[long] * 20),
        blocks.buttons("b", [blocks.button("a", long, "v")]),
    ]  # fmt: skip

    assert blocks.faults({"text": blocks.escaped(long, blocks.FALLBACK), "blocks": whole}) == []

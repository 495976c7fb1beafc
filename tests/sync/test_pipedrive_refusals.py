"""What the adapter makes of limits, refusals, lost answers and of credentials that end; against the simulator."""

import dataclasses
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from sync.errors import AuthError, PermanentError, TransientError, UnconfirmedError
from sync.providers import pipedrive_limits, pipedrive_pace
from sync.sandbox import keys
from sync.wiretypes import Response
from tests.sync.crm import crm, exchanged, oauth

__all__ = ["crm", "oauth"]  # fixtures


# --- refusals


def test_a_spent_day_suspends_until_midnight(crm):
    deal = crm.deal()
    crm.fields()
    crm.fault(kind="rate_limit", mode="daily")

    with pytest.raises(TransientError) as refused:
        crm.read(deal)

    wait = pipedrive_limits.until_reset(datetime.now(UTC), "UTC")
    assert refused.value.code == "daily_budget"
    assert abs(refused.value.retry_after - wait) < timedelta(seconds=10)


def test_a_real_budget_runs_out_and_comes_back(crm):
    deal = crm.deal()
    crm.play("set_options", daily=1000, spent=988)
    assert crm.read(deal)
    with pytest.raises(TransientError) as refused:
        crm.adapter.notes(deal)
    assert refused.value.code == "daily_budget"
    crm.sandbox.post("/_clock", {"advance_s": 86_400})
    assert crm.adapter.notes(deal) == ()


def test_who_nears_the_limit_rests_before_it_is_refused(crm, monkeypatch):
    monkeypatch.setattr(pipedrive_pace, "LONGEST", 0.3)
    deal = crm.deal()
    crm.read(deal)
    crm.play("set_options", burst=20, block_after=3)
    calls = 0
    while not crm.adapter._rests_until:
        crm.read(deal)
        calls += 1

    began = time.monotonic()
    crm.read(deal)

    assert calls < 20
    assert time.monotonic() - began >= 0.25
    assert "status:429" not in crm.sandbox.books("pipedrive")["requests"]


def test_a_burst_is_over_in_seconds_and_who_goes_on_is_locked_out(crm, monkeypatch):
    monkeypatch.setattr(pipedrive_pace, "LONGEST", 0.0)
    deal = crm.deal()
    crm.play("set_options", burst=3, block_after=3)
    kinds = []
    for _ in range(7):
        try:
            crm.read(deal)
        except TransientError as error:
            kinds.append((error.code, error.status, error.retry_after))

    assert kinds[0] == ("burst", 429, timedelta(seconds=2))
    assert kinds[-1] == ("blocked", 403, pipedrive_limits.BLOCKED)


@pytest.mark.parametrize(
    ("rule", "kind", "code"),
    [
        ({"kind": "error_before", "status": 500}, TransientError, ""),
        ({"kind": "error_before", "status": 503}, TransientError, ""),
        ({"kind": "error_before", "status": 402}, AuthError, ""),
        ({"kind": "error_before", "status": 403}, AuthError, ""),
        ({"kind": "error_before", "status": 501}, PermanentError, ""),
        ({"kind": "expire_auth"}, AuthError, ""),
        ({"kind": "html", "status": 403}, TransientError, "blocked"),
        ({"kind": "html", "status": 200}, TransientError, "unreadable"),
        ({"kind": "cut_json"}, TransientError, "unreadable"),
        ({"kind": "lost_answer"}, TransientError, None),
    ],
)
def test_what_a_failed_read_means(crm, rule, kind, code):
    deal = crm.deal()
    crm.fields()
    crm.fault(path="/api/v2/deals", **rule)

    with pytest.raises(kind) as refused:
        crm.read(deal)

    assert code is None or refused.value.code == code
    assert not isinstance(refused.value, UnconfirmedError)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"kind": "error_before", "status": 500}, UnconfirmedError),
        ({"kind": "error_after", "status": 503}, UnconfirmedError),
        ({"kind": "lost_answer"}, UnconfirmedError),
        ({"kind": "html", "status": 200, "effect": True}, UnconfirmedError),
        ({"kind": "cut_json"}, UnconfirmedError),
        ({"kind": "answer", "status": 200, "body": {"success": False}, "effect": False}, UnconfirmedError),
        ({"kind": "rate_limit"}, TransientError),
        ({"kind": "html", "status": 403}, TransientError),
        ({"kind": "error_before", "status": 400}, PermanentError),
        ({"kind": "expire_auth"}, AuthError),
    ],
)
def test_what_a_failed_write_means(crm, rule, kind):
    request = crm.adapter.add_note(crm.deal(), "x", "[meshline:1]", action_id="1")
    crm.fault(method="POST", **rule)

    with pytest.raises(kind) as refused:
        crm.perform(request)

    assert isinstance(refused.value, UnconfirmedError) == (kind is UnconfirmedError)


@pytest.mark.parametrize(
    ("headers", "now", "zone", "wait"),
    [
        ({"x-daily-ratelimit-token-remaining": "0"}, "2026-11-21T09:00:00+00:00", "UTC",
         timedelta(hours=15, minutes=1)),
        ({"x-daily-requests-left": "0"}, "2026-11-21T09:00:00+00:00", "Europe/Helsinki",
         timedelta(hours=13, minutes=1)),
        ({"x-daily-ratelimit-token-remaining": "0"}, "2026-03-28T22:30:00+00:00", "Europe/Berlin",
         timedelta(minutes=31)),
        ({"x-daily-ratelimit-token-remaining": "9", "x-ratelimit-remaining": "5"}, "2026-11-21T23:59:00+00:00", "UTC",
         timedelta(minutes=2)),
        ({"x-daily-ratelimit-token-remaining": "9", "x-ratelimit-remaining": "0"}, "2026-11-21T09:00:00+00:00", "UTC",
         timedelta(seconds=2)),
        ({"x-ratelimit-reset": "5"}, "2026-11-21T09:00:00+00:00", "UTC", timedelta(seconds=5)),
        ({"x-ratelimit-reset": "1795250000"}, "2026-11-21T09:00:00+00:00", "UTC", timedelta(seconds=60)),
        ({"x-ratelimit-reset": "soon"}, "2026-11-21T09:00:00+00:00", "UTC", timedelta(seconds=2)),
    ],
)  # fmt: skip
def test_how_long_nobody_should_ask(headers, now, zone, wait):
    exchange = exchanged("GET", "/", 429)
    response = Response(429, headers, b"", exchange)

    assert pipedrive_limits.pause(response, datetime.fromisoformat(now), zone) == wait


def test_no_credentials_are_no_request(crm, settings):
    own = {**settings.MESHLINE_PROVIDERS["pipedrive"], "api_token": ""}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "pipedrive": own}

    with pytest.raises(AuthError) as refused:
        crm.read("4711")

    assert (refused.value.never_sent, crm.exchanges) == (True, [])


# --- OAuth


def test_one_token_serves_until_it_ends(oauth):
    deal = oauth.deal()
    for _ in range(3):
        assert oauth.read(deal)
    oauth.sandbox.post("/_clock", {"advance_s": 3601})
    oauth.adapter._tokens._got_at -= 60

    assert oauth.read(deal)
    assert oauth.books()["objects"]["limits"]["grants"] == 2


def test_a_refused_refresh_is_refused_credentials_and_shows_none(oauth, settings):
    own = {**settings.MESHLINE_PROVIDERS["pipedrive"], "refresh_token": "stale-refresh"}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "pipedrive": own}

    with pytest.raises(AuthError) as refused:
        oauth.read("4711")

    assert (refused.value.code, refused.value.never_sent) == ("token", True)
    assert "stale-refresh" not in json.dumps([dataclasses.asdict(one) for one in oauth.exchanges], default=str)


def test_api_tokens_are_in_no_exchange(crm):
    crm.read(crm.deal())
    assert keys.PIPEDRIVE_API_TOKEN not in json.dumps([dataclasses.asdict(one) for one in crm.exchanges], default=str)

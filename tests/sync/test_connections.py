"""Whether each connection works: one cheap read, a signed test delivery of our own, and what is wrong in sentences."""

import json
import os
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django_q.models import OrmQ

from ledger import clock, sets
from ledger.models import Event, EventBody, LedgerRow
from sync import catch_up, client, providers, refusals, tasks
from sync.connections import door, known, ping, probe, state
from sync.connections.models import ConnectionCheck
from sync.models import Attempt, ProviderState, RefusalCount
from tests import factories as f
from tests.people.cast import person, refused

NAMES = tuple(probe.PROBES)


@pytest.fixture
def engineer(db) -> User:
    return person("Automation Engineer")


@pytest.fixture
def systems(sandbox):
    """The simulators; emptied, they know no token of an earlier test."""
    providers.get.cache_clear()
    return sandbox


@pytest.fixture
def own_address(live_server, settings):
    """Our public address; its connection is let go of, or the server's thread would keep the database."""
    settings.MESHLINE_PUBLIC_URL = live_server.url
    yield live_server
    client._adapter().close()


def card(name):
    return next(one for one in state.cards() if one.provider == name)


def words(name):
    return " ".join(card(name).problems)


def changed(settings, name, **more):
    settings.MESHLINE_PROVIDERS = {
        **settings.MESHLINE_PROVIDERS, name: {**settings.MESHLINE_PROVIDERS[name], **more},
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_each_system_answers_a_cheap_read_and_what_it_says_is_kept(systems):
    answers = {name: door.check(name) for name in NAMES}

    assert {name: one.said for name, one in answers.items()} == dict.fromkeys(NAMES, "it answered")
    found = {one.provider: one for one in ConnectionCheck.objects.all()}
    assert all(one.ok and one.ms is not None and one.pending_since is None for one in found.values())
    assert found["pipedrive"].found["account"]
    assert found["slack"].found["account"] == providers.get("slack").config["team_id"]
    assert ["requests of the minute", "699 of 700 left"] in found["zendesk"].found["limits"]
    assert any(limit[0] == "tokens of the day" for limit in found["pipedrive"].found["limits"])
    assert Attempt.objects.filter(is_write=True).count() == 0
    assert set(Attempt.objects.values_list("response_body", flat=True)) == {""}  # whoever is in the list is not kept
    assert all(one.last_success_at for one in ProviderState.objects.all())
    assert [one.problems for one in state.cards() if one.provider in NAMES] == [[] for _ in NAMES]


@pytest.mark.django_db(transaction=True)
def test_system_that_does_not_answer_is_said_in_words_and_the_command_fails(systems, capsys):
    systems.faults({"provider": "*", "rules": [{"provider": "zendesk", "kind": "error_before", "count": 1}]})

    with pytest.raises(SystemExit) as ended:
        call_command("connections", "--check", "--json")

    assert ended.value.code == 1
    told = {one["provider"]: one for one in json.loads(capsys.readouterr().out)["connections"]}
    assert told["zendesk"]["problems"][0].startswith("The last check failed: ")
    assert told["stripe"]["problems"] == []
    door.check("zendesk")
    assert [one.problems for one in state.cards() if one.provider in NAMES] == [[] for _ in NAMES]
    call_command("connections")
    assert "zendesk: ok, custom address" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", NAMES)
def test_test_delivery_goes_through_our_own_address_and_is_stored_once(own_address, name):
    said = tasks.send_test_delivery(name)

    assert said == "delivered twice, stored once"
    one = Event.objects.get()
    assert (said, one.deliveries, one.kind, one.verdict) == ("delivered twice, stored once", 2, "informational", "")
    assert (one.source, EventBody.objects.count()) == (name, 1)
    check = ConnectionCheck.objects.get(provider=name)
    assert (check.ping["ok"], check.ping["event"], check.ping["statuses"]) == (True, one.pk, [200, 200])
    assert card(name).delivered_at is None  # our own test says nothing of the system


@pytest.mark.django_db(transaction=True)
def test_test_delivery_that_does_not_arrive_says_why(own_address, settings, monkeypatch):
    monkeypatch.setitem(ping.MAKERS, "stripe", lambda _, word, now: ping._stripe("another secret", word, now))
    assert "answered 401 and 401" in door.send_test("stripe")["said"]
    refusals.flush()

    settings.MESHLINE_PUBLIC_URL = "http://127.0.0.1:9"
    assert "cannot be reached from here" in door.send_test("netsuite")["said"]
    monkeypatch.setenv("MESHLINE_ZENDESK_WEBHOOK_SECRETS_FILE", "/nowhere/to/be/found")
    assert "is not set, so every delivery is refused" in door.send_test("zendesk")["said"]
    assert Event.objects.count() == 0
    assert "The test delivery failed" in words("stripe")


def test_only_who_may_asks_and_one_at_a_time(engineer, settings):
    assert refused(door.ask, "stripe", door.CHECK, by=person("Support")) == (403, "permission")
    assert refused(door.ask, "nobody", door.CHECK, by=engineer) == (404, "provider")

    door.ask("stripe", door.CHECK, by=engineer)
    door.ask("stripe", door.PING, by=engineer)

    assert refused(door.ask, "stripe", door.CHECK, by=engineer) == (409, "pending")
    assert OrmQ.objects.count() == 2
    rows = LedgerRow.objects.filter(subject_kind="connection").order_by("id")
    assert list(rows.values_list("decision", "outcome")) == [
        ("check_connection", "refused"), ("check_connection", "asked"), ("test_delivery", "asked"),
    ]  # fmt: skip
    changed(settings, "netsuite", client_id="")
    assert refused(door.ask, "netsuite", door.CHECK, by=engineer) == (422, "provider")


@pytest.mark.django_db
def test_what_is_wrong_is_said_in_sentences(settings, monkeypatch, tmp_path):
    now = clock.now()
    for status in (200, 500, 429, None, 401, 500):
        f.AttemptFactory(provider="stripe", status=status, began_at=now - timedelta(minutes=5))
    f.AttemptFactory(provider="stripe", status=500, began_at=now - timedelta(hours=3))
    f.AttemptFactory(provider="stripe", status=404, began_at=now - timedelta(days=2))
    ProviderState.objects.create(provider="netsuite", breaker="open", last_error="netsuite: 503")
    RefusalCount.objects.create(source="zendesk", hour=now - timedelta(hours=2), refused=7, kept=2)
    f.RefusalFactory(source="zendesk", reason="no signature fits", refused_at=now)
    f.EventFactory(source="stripe", api_version="2026-11-01.zinnia")
    ConnectionCheck.objects.create(
        provider="slack", ok=True, checked_at=now, found={"skew_s": -400, "scopes_missing": ["users:read"]}
    )
    ConnectionCheck.objects.create(provider="pipedrive", polled={"missing": 3}, polled_at=now - timedelta(hours=2))
    secret = tmp_path / "secret"
    secret.write_text("whsec_never_shown")
    os.utime(secret, (1, clock.now().timestamp() - 3 * 86400))
    monkeypatch.setenv("MESHLINE_STRIPE_WEBHOOK_SECRETS_FILE", str(secret))
    changed(settings, "zendesk", email="")

    stripe = card("stripe")
    assert (stripe.hour.words, stripe.day.words) == ("83% of 6", "86% of 7")
    assert (stripe.newest_version, stripe.known.mode) == ("2026-11-01.zinnia", "custom address")
    assert 2.9 < stripe.known.signing.age / timedelta(days=1) < 3.1
    assert "5 of 6 requests failed within the hour" in words("stripe")
    assert "paused after failures" in words("netsuite")
    assert (card("zendesk").refused, card("zendesk").reasons) == (7, [("no signature fits", 1)])
    assert "MESHLINE_ZENDESK_EMAIL is not set." in words("zendesk")
    assert "differ by 400 s" in words("slack")
    assert "lacks users:read" in words("slack")
    assert "3 changes on its own list never came" in words("pipedrive")
    assert "2 h" in words("pipedrive")
    assert "never_shown" not in str([state.as_json(one) for one in state.cards()])


@pytest.mark.django_db
def test_optional_system_without_settings_is_no_trouble_and_says_what_to_set(settings):
    settings.MESHLINE_PROVIDERS = {
        name: one for name, one in settings.MESHLINE_PROVIDERS.items() if name not in ("slack", "pipedrive")
    }  # fmt: skip

    assert (card("slack").problems, card("slack").known.is_used) == ([], False)
    assert "MESHLINE_SLACK_BOT_TOKEN" in card("slack").known.missing
    assert catch_up.run() == "nothing is connected that can be asked"


@pytest.mark.parametrize(
    ("name", "config", "mode"),
    [
        ("stripe", {"base_url": "https://api.stripe.com", "api_key": "rk_test_1"}, "test"),
        ("stripe", {"base_url": "https://api.stripe.com", "api_key": "rk_live_1"}, "live"),
        ("stripe", {"base_url": "https://api.stripe.com.evil.example", "api_key": "rk_live_1"}, "custom address"),
        ("netsuite", {"base_url": "https://1-sb1.suitetalk.api.netsuite.com", "account": "1_SB1"}, "test"),
        ("netsuite", {"base_url": "https://1.suitetalk.api.netsuite.com", "account": "1"}, "live"),
        ("zendesk", {"base_url": "https://acme.zendesk.com"}, "live"),
        ("slack", {"base_url": "http://127.0.0.1:8200/slack"}, "custom address"),
        ("pipedrive", {}, "not configured"),
    ],
)
def test_mode_follows_from_address_and_credentials(name, config, mode):
    assert known.mode(name, config) == mode


def test_clock_of_an_answer_is_read_with_care():
    now = clock.now().replace(year=2026, month=11, day=21, hour=8, minute=0, second=0, microsecond=0)

    assert probe.skew("Sat, 21 Nov 2026 08:02:00 GMT", now) == 120
    assert [probe.skew(text, now) for text in ("", "soon", "\x00", "99999999999999999999")] == [None] * 4


@pytest.mark.django_db
def test_cards_cost_the_same_number_of_statements_whatever_happened(django_assert_num_queries, monkeypatch):
    for number in range(30):
        f.AttemptFactory(provider="stripe", status=200 + number)
        f.RefusalFactory(source="stripe")
        f.EventFactory()
    run, told = sets.run, []
    monkeypatch.setattr(sets, "run", lambda *asked: told.append(asked) or run(*asked))

    with django_assert_num_queries(3):  # those of the ORM
        assert len(state.cards()) >= len(NAMES)
    assert len(told) == 3

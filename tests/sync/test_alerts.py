"""Alerts: every rule provoked, held for an hour, cleared; what cannot be measured; who is told; who looks after it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from gates.models import AlertEpisode, AlertReading, Runbook
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, LedgerRow
from meshline import conf_alerts
from sync import alerts
from sync.alerts import board, desk, measures, table, watching, work
from sync.incidents import paging
from sync.models import ProviderState
from tests import alert_cases as cases
from tests import factories as f

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Hands:
    """The one clock, moved by hand."""

    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at

    def forward(self, **by):
        self.at += timedelta(**by)


@pytest.fixture
def user_of():
    def made(group):
        return User.objects.get(pk=f.UserFactory(groups=[group]).pk)

    return made


@pytest.fixture
def hands(monkeypatch, settings):
    settings.MESHLINE_ALERT_LIMITS = {**settings.MESHLINE_ALERT_LIMITS, "backlog-growth": 20.0, "queue-growth": 20.0}
    made = Hands()
    monkeypatch.setattr(clock, "now", made)
    return made


def look(hands, rule, *, times=1, every=None):
    """Look at one rule so many times, its own period apart; everything that was raised and cleared."""
    raised, cleared = [], []
    for _ in range(times):
        done = watching.look(only=[rule])
        raised, cleared = raised + done.raised, cleared + done.cleared
        hands.forward(seconds=(every or table.RULES[rule].every).total_seconds())
    return raised, cleared


def test_the_table_is_whole():
    assert set(measures.MEASURES) == {name for name, one in table.RULES.items() if one.is_measured}
    assert set(conf_alerts.DEFAULTS) == set(measures.MEASURES)
    assert sum(one.preset for one in table.RULES.values()) == 9
    slugs = set(Runbook.objects.values_list("slug", flat=True))
    for name, one in table.RULES.items():
        assert one.runbook in slugs, name
        assert one.owner, name
        assert table.named(name) == name
        assert "{" not in one.sentence
    assert table.named("provider-down", "Stripe EU/2 " + "x" * 90)[:30] == "provider-down:stripe-eu-2-xxxx"
    assert len(table.named("provider-down", "x" * 90)) == 80
    assert set(cases.CASES) == set(measures.MEASURES)


@pytest.mark.parametrize("rule", sorted(cases.CASES))
def test_each_rule_is_seen_once_in_its_time_and_clears_by_itself(rule, hands):
    one, made = table.RULES[rule], cases.CASES[rule]
    assert look(hands, rule, times=2) == ([], [])
    undo = made.provoke(hands)
    raised, cleared = look(hands, rule, times=4, every=min(one.every, timedelta(seconds=15)))
    assert (raised, cleared) == ([made.name], [])
    episode = AlertEpisode.objects.get(name=made.name)
    assert (episode.rule, episode.owner_group, episode.runbook) == (rule, one.owner, one.runbook)
    assert (episode.value or 0) > (episode.threshold or 0)
    for _ in range(6):  # held for an hour
        hands.forward(minutes=10)
        made.hold(hands)
        assert look(hands, rule, times=1) == ([], []), rule
    assert AlertEpisode.objects.count() == 1
    assert AlertEpisode.objects.get().last_seen_at > START + timedelta(minutes=55)
    undo()
    raised, cleared = look(hands, rule, times=30)
    assert (raised, cleared) == ([], [made.name])
    assert LedgerRow.objects.filter(subject_kind="alert_episode").count() == 2


def test_what_cannot_be_measured_is_seen_and_neither_raises_nor_clears(hands, monkeypatch):
    cases.breaker(hands)
    assert look(hands, "provider-down")[0] == ["provider-down:stripe"]

    def broken(ask):
        raise DatabaseError("canceling statement due to statement timeout\nmore")

    whole = dict(measures.MEASURES)
    monkeypatch.setattr(watching, "MEASURES", {**whole, "provider-down": broken, "duplicates": broken})
    ProviderState.objects.update(breaker="closed")
    for _ in range(30):
        assert watching.look(only=["provider-down", "duplicates"]).failed == ["duplicates", "provider-down"]
        hands.forward(seconds=10)
    assert AlertEpisode.objects.get(name="provider-down:stripe").state == "raised"
    assert look(hands, "not-measured")[0] == ["not-measured"]
    line = next(one for one in board.rules() if one.rule.name == "duplicates")
    assert (line.state, line.value) == ("unmeasured", None)
    assert "could not measure: DatabaseError: canceling statement" in line.said
    assert "more" not in line.said
    monkeypatch.setattr(watching, "MEASURES", whole)
    look(hands, "duplicates")
    raised, cleared = look(hands, "provider-down", times=23)
    assert (raised, cleared) == ([], [])  # what was fine before nobody knew counts no more
    assert look(hands, "provider-down", times=3)[1] == ["provider-down:stripe"]
    assert look(hands, "not-measured", times=6)[1] == ["not-measured"]
    hands.forward(minutes=6)
    line = next(one for one in board.rules() if one.rule.name == "duplicates")
    assert (line.state, line.said) == ("unmeasured", "nobody has measured it lately")


def test_a_statement_that_takes_too_long_is_no_number_and_harms_no_other(hands, monkeypatch):
    monkeypatch.setattr(work, "WORKERS", "select extract(epoch from now() - max(now()))::float8 from pg_sleep(3)")
    monkeypatch.setattr("sync.alerts.reading.MOST_MS", 50)
    done = watching.look()
    assert done.failed == ["workers-silent"]
    assert len(done.measured) == len(measures.MEASURES) - 1
    assert "QueryCanceled" in AlertReading.objects.get(name="workers-silent").error or "canceling" in (
        AlertReading.objects.get(name="workers-silent").error
    )
    with connection.cursor() as cursor:
        cursor.execute("show statement_timeout")
        assert cursor.fetchone()[0] != "50ms"


def test_flapping_is_one_episode_and_what_has_the_same_cause_is_not_told_twice(hands):
    undo = cases.breaker(hands)
    look(hands, "provider-down")
    for _ in range(12):
        undo()
        assert look(hands, "provider-down", times=5) == ([], [])
        undo = cases.breaker(hands)
        assert look(hands, "provider-down", times=3) == ([], [])
    assert AlertEpisode.objects.count() == 1
    cases.workers(hands)
    assert look(hands, "workers-silent", times=3)[0] == ["workers-silent"]
    cases.ingest(hands)
    assert look(hands, "ingest-slow", times=5) == ([], [])
    assert next(one for one in board.rules() if one.rule.name == "ingest-slow").state == "over"
    paging.raise_alert("events-late", "of an earlier release")
    assert watching.look(only=["duplicates"]).cleared == ["events-late"]


def test_only_one_process_measures_and_only_what_is_due(hands, django_db_blocker):
    first = watching.look()
    assert set(first.measured) == set(measures.MEASURES)
    assert watching.look().measured == []
    hands.forward(seconds=6)
    assert set(watching.look().measured) == {"workers-silent", "provider-down", "ledger-check"}
    hands.forward(hours=-2)  # a clock that was set back does not blind it
    assert len(watching.look().measured) == len(measures.MEASURES)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("select pg_try_advisory_lock(%s)", [watching.LOCK])
            held = cursor.fetchone()[0]
            # this test's own transaction holds the lock of its looks already, so another process gets none
            assert held is False
    finally:
        other.close()


def test_who_is_told_where_and_what_a_storm_does(hands, settings):
    chat = {**settings.MESHLINE_PROVIDERS["slack"], "alert_channel": "C0ALERTS"}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": chat}
    one = paging.raise_alert("provider-down:netsuite", "netsuite does not answer")
    told = board.told(one)
    assert [(each.where, each.event, each.is_waiting) for each in told] == [
        ("PagerDuty", "trigger", True), ("Slack", "trigger", True),
    ]  # fmt: skip
    assert board.waiting([one]) == {one.pk: 2}
    assert len({Action.objects.get(pk=each.action_id).lane for each in told}) == 2
    for system, where in (("slack", "PagerDuty"), ("pagerduty", "Slack")):
        about = paging.raise_alert(f"provider-down:{system}", "away")
        assert [each.where for each in board.told(about)] == [where]
    for number in range(60):
        paging.raise_alert(f"schema-drift:s{number}", "drift")
    messages = Action.objects.filter(kind="alert.message")
    assert messages.count() == paging.STORM_FROM  # 19 of their own, 1 for all that came after
    assert messages.filter(params__alert="storm").count() == 1
    assert Action.objects.filter(kind="alert").count() == 62
    for number in range(60):
        paging.resolve_alert(f"schema-drift:s{number}")
    ends = messages.filter(params__event="resolve")
    assert 0 < ends.count() < paging.STORM_FROM
    settings.MESHLINE_PROVIDERS = {name: {} for name in settings.MESHLINE_PROVIDERS if name != "slack"}
    quiet = paging.raise_alert("duplicates", "two")
    assert (board.told(quiet), board.ways()) == ([], [])
    assert "MESHLINE_PAGERDUTY_ROUTING_KEY" in board.unreachable()
    assert alerts.on_now()[0].name in ("duplicates", "provider-down:netsuite", "provider-down:slack")


def test_somebody_looks_after_it_once(hands, django_assert_num_queries, user_of):
    one = paging.raise_alert("ledger-check", "row 7 was changed", value=1.0, threshold=0.0)
    person, auditor = user_of("Support"), user_of("Auditor")
    for by, key, version, code in (
        (auditor, one.pk, None, "forbidden"), (person, 0, None, "unknown"), (person, one.pk, 9, "stale"),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            desk.acknowledge(key, by=by, version=version)
        assert refused.value.code == code
    taken = desk.acknowledge(one.pk, by=person, version=1)
    assert (taken.state, taken.state_version, taken.acknowledged_by) == ("raised", 2, person)
    assert list(Action.objects.filter(kind="alert").values_list("params__event", flat=True)) == [
        "acknowledge", "trigger",
    ]  # fmt: skip
    assert not Action.objects.filter(kind="alert.message", params__event="acknowledge").exists()
    row = LedgerRow.objects.filter(subject_kind="alert_episode", decision="acknowledge_alert").get()
    assert (row.actor, row.post_state, row.state_version) == (f"user:{person.pk}", "raised", 2)
    with pytest.raises(Refused, match="looks after it already"):
        desk.acknowledge(one.pk, by=person)
    paging.raise_alert("duplicates", "two")
    with django_assert_num_queries(1):
        on = alerts.on_now()
    assert [(each.name, each.acknowledged_by) for each in on] == [
        ("duplicates", ""), ("ledger-check", person.get_username()),
    ]  # fmt: skip
    assert on[1].runbook_url.endswith("/runbooks/ledger-not-intact/")
    assert on[1].acknowledge_url.endswith(f"/alerts/{one.pk}/acknowledge/")
    paging.resolve_alert("ledger-check")
    with pytest.raises(Refused, match="is over"):
        desk.acknowledge(one.pk, by=person)
    assert not [each for each in alerts.on_now() if each.name == "ledger-check"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("item-old", "rule=number"), ("nothing=5", "knows no rule"), ("duplicates=101", "at most 100"),
        ("ledger-check=off", "cannot switch"), ("item-old=-1", "rule=number"),
    ],
)  # fmt: skip
def test_limits_are_read_and_refused_by_name(monkeypatch, said, words):
    monkeypatch.setenv("MESHLINE_ALERT_LIMITS", said)
    with pytest.raises(ImproperlyConfigured, match=words):
        conf_alerts.read()
    monkeypatch.setenv("MESHLINE_ALERT_LIMITS", " item-old=48, override-rate=off ,")
    found = conf_alerts.read()
    assert (found["item-old"], found["override-rate"], found["duplicates"]) == (48, None, 0.5)


def test_a_rule_that_is_off_is_not_measured(hands, settings):
    settings.MESHLINE_ALERT_LIMITS = {**settings.MESHLINE_ALERT_LIMITS, "provider-down": None}
    cases.breaker(hands)
    assert "provider-down" not in watching.look().measured
    assert next(one for one in board.rules() if one.rule.name == "provider-down").state == "off"

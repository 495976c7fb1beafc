"""Pages of alerts and their API: read as a person would, and by a browser; and what collectors get."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates.models import AlertEpisode, AlertReading
from ledger import clock
from ledger.models import Action
from sync.alerts import watching
from sync.incidents import paging
from tests import alert_cases as cases
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text

HERE = "/admin/alerts/"
SAMPLE = re.compile(
    r'[a-z_]+(\{[a-z_]+="(?:[^"\\\\\n]|\\\\["\\\\n])*"(?:,[a-z_]+="(?:[^"\\\\\n]|\\\\["\\\\n])*")*\})? -?[0-9.e+-]+'
)


@pytest.fixture
def support(shipped):
    return signed_in("Support")


def filled():
    """One of each: on and waiting to be told, taken, over, many over, measured and not measured."""
    watching.look()
    one = paging.raise_alert("provider-down:netsuite", "A system does not answer: netsuite", value=31.0, threshold=0.0)
    paging.raise_alert("stop-tripped", "Meshline stopped itself")
    now = clock.now()
    for number in range(1, 61):
        paging.raise_alert("duplicates", f"Duplicate customers: round {number}", value=1.0, threshold=0.5)
        paging.resolve_alert("duplicates")
    AlertReading.objects.filter(name="item-old").update(failed_since=now, error="OperationalError: took too long")
    return one


def test_what_is_on_what_was_and_each_by_itself(support):
    assert "Nothing is on." in text(support.get(HERE))
    one = filled()
    shown = support.get(HERE)
    assert "2 alerts are on." in text(shown)
    assert "Alerts are told to PagerDuty" in text(shown)
    assert "Waiting to be told" in text(shown)
    older = re.search(r'href="(\?[^"]*before=[0-9]+)"', shown.content.decode())[1].replace("&amp;", "&")
    assert "round 1" in text(support.get(HERE + older))
    assert "round 60" not in text(support.get(f"{HERE}?state=raised"))
    assert "netsuite" not in text(support.get(f"{HERE}?rule=duplicates"))
    assert "netsuite" not in text(support.get(f"{HERE}?state=resolved"))
    assert support.get(f"{HERE}?rule=nonsense&state=x&before=y").status_code == 200
    page = text(support.get(f"{HERE}{one.pk}/"))
    for words in ("waiting to be told", "Alert raised", "Automation Engineer", "A system does not answer", "31 s"):
        assert words in page
    with CaptureQueriesContext(connection) as asked:
        shown = support.get(HERE)
    assert len(asked) <= 16
    assert len(shown.content) < 80_000
    assert support.get(f"{HERE}987654321/").status_code == 404
    AlertEpisode.objects.all().update(runbook="")
    assert "no runbook for it yet" in text(support.get(f"{HERE}{one.pk}/"))


def test_it_is_acknowledged_once_and_never_sends_anybody_away_from_here(support):
    one = filled()
    here = f"{HERE}{one.pk}/"
    assert "Look after it" in text(support.get(here))
    assert "Look after it" not in text(signed_in("Auditor").get(here))
    stale = support.post(f"{here}acknowledge/", {"version": "9"})
    assert (stale.status_code, "changed since it was shown" in text(stale)) == (409, True)
    done = support.post(f"{here}acknowledge/", {"version": "1", "next": "//evil.example/"})
    assert done["Location"] == here
    assert "You look after A system does not answer (netsuite)" in text(support.get(here))
    again = support.post(f"{here}acknowledge/", {"next": "/admin/"})
    assert (again.status_code, "looks after it already" in text(again)) == (409, True)
    other = AlertEpisode.objects.get(name="stop-tripped")
    assert support.post(f"{HERE}{other.pk}/acknowledge/", {"next": "/admin/"})["Location"] == "/admin/"
    assert Action.objects.filter(kind="alert", params__event="acknowledge").count() == 2


def test_rules_show_their_numbers_and_what_could_not_be_measured(support):
    fresh = text(support.get(f"{HERE}rules/"))
    assert fresh.count("Not measured yet") == 20
    filled()
    shown = text(support.get(f"{HERE}rules/"))
    assert "could not measure: OperationalError: took too long" in shown
    assert "2 of 23 rules have an alert on; 1 could not be measured." in shown
    assert "raised by the look at drills" in shown


def test_nobody_is_told_is_said(support, settings):
    settings.MESHLINE_PROVIDERS = {}
    assert "Nobody is told: set MESHLINE_PAGERDUTY_ROUTING_KEY" in text(support.get(HERE))


def test_the_api_and_what_collectors_get(support):
    one = filled()
    found = support.get("/api/v1/alerts/?state=raised").json()["results"]
    assert [(each["name"], each["waiting"]) for each in found] == [("stop-tripped", 1), ("provider-down:netsuite", 1)]
    assert len(support.get("/api/v1/alerts/?rule=duplicates&limit=10").json()["results"]) == 10
    rules = {each["rule"]: each for each in support.get("/api/v1/alerts/rules/").json()["results"]}
    assert (rules["item-old"]["state"], rules["duplicates"]["state"], rules["stop-tripped"]["state"]) == (
        "unmeasured", "fine", "on",
    )  # fmt: skip
    here = f"/api/v1/alerts/{one.pk}/"
    kept = {"content_type": "application/json"}
    assert support.post(f"{here}acknowledge/", {}, **kept).status_code == 422
    taken = support.post(f"{here}acknowledge/", {"state_version": 1}, **kept).json()
    assert (taken["acknowledged_by"], taken["state_version"]) == (support.user.get_username(), 2)
    refused = support.post(f"{here}acknowledge/", {"state_version": 2}, **kept)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "state")
    assert support.get(here).json()["acknowledged_by"] == support.user.get_username()
    lines = support.get("/metrics").content.decode().splitlines()
    assert 'meshline_alert_on{rule="stop-tripped"} 1' in lines
    assert 'meshline_alert_limit{rule="duplicates"} 0.5' in lines
    assert not [each for each in lines if each.startswith('meshline_alert_value{rule="item-old"}')]
    assert [each for each in lines if not each.startswith("#") and not SAMPLE.fullmatch(each)] == []
    helped = [each.split()[2] for each in lines if each.startswith("# HELP")]
    assert len(helped) == len(set(helped))
    told = support.get("/metrics", headers={"accept": "application/json"}).json()
    assert {each["rule"]: each["value"] for each in told["alerts"]}["duplicates"] == rules["duplicates"]["value"]


def test_pages_are_accessible_quiet_and_fit(console):  # noqa: F811
    page = console()
    cases.breaker(None)
    AlertReading.objects.all().delete()
    one = filled()
    paging.seen(one, 40.0, clock.now() + timedelta(minutes=1))
    over = AlertEpisode.objects.filter(state="resolved").latest("pk")
    pages = {
        "alerts": HERE, "rules": f"{HERE}rules/", "alert": f"{HERE}{one.pk}/", "over": f"{HERE}{over.pk}/",
    }  # fmt: skip
    assert faults({name: look_at(page, name, address) for name, address in pages.items()}) == {}

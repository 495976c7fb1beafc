"""Scopes, messages, zones and quiet hours of incidents: pure."""

from datetime import UTC, datetime

import pytest

from gates.incidents import scope, templates, zones
from gates.models import Incident, IncidentUpdate, OutreachTemplate
from gates.rules import quiet
from gates.stop import Refused
from gates.types import Facts, Policy, Proposal, Verdict
from sync.incidents import letters


def refusal(call, *args):
    with pytest.raises(Refused) as no:
        call(*args)
    return no.value.status, no.value.message


def test_rules_are_read_as_people_write_them_and_refused_by_line():
    rules = scope.parse(["tier is enterprise, growth, growth", " Plan  IS NOT free ", ""])

    assert rules == [
        {"field": "tier", "op": "is", "values": ["enterprise", "growth"]},
        {"field": "plan", "op": "is not", "values": ["free"]},
    ]
    assert scope.parse(scope.text(rules).splitlines()) == rules
    assert scope.where([]) == ("false", {})
    for lines, words in (
        (["tier enterprise"], "line 1 must read like"),
        (["tier is a", "colour is red"], "line 2, 'colour' is not known"),
        (["tier is ,"], "1 to 200 values"), (["tier is x" + "y" * 130], "1 to 120 printable"),
        (["tier is a\x1b[0m"], "printable"), (["tier is a"] * 11, "at most 10 rules"),
    ):  # fmt: skip
        assert words in refusal(scope.parse, lines)[1]
    evil = scope.parse(["tier is x'); drop table ledger_customer; --"])
    assert "drop" not in scope.where(evil)[0]


def test_an_unknown_variable_is_refused_with_the_known_ones():
    assert templates.checked("body", "Hello {company}: {status}", 100) == "Hello {company}: {status}"
    for text, words in (
        ("Hi {name}", "the variable {name} is not known; known are {company}, {incident}"),
        ("{}", "variable {} is not"), ("a { b", "belongs to no variable"), ("", "1 to 100"),
        ("{company.__class__}", "{company.__class__} is not known"),
    ):  # fmt: skip
        assert words in refusal(templates.checked, "body", text, 100)[1]
    assert "one line" in refusal(templates.checked, "subject", "a\nb", 100)[1]


def test_what_people_typed_is_text_and_never_read_for_variables():
    one = Incident(pk=7, title="Checkout {company}", severity="major", started_at=datetime(2026, 11, 21, 9, tzinfo=UTC))
    template = OutreachTemplate(subject="{incident} {number}", body="Hello {company}, {status}. {reference} {started}")
    update = IncidentUpdate(incident=one, number=2, template=template, text="we {status} look")

    letter = letters.draft(update).to("Acme\u202e {incident}\n\nOy")

    assert letter.subject == "Checkout (company) 2"
    assert letter.body == "Hello Acme {incident} Oy, we (status) look. IN-7 2026-11-21 09:00 UTC"
    assert "Hello there," in letters.draft(update).to("  ").body


@pytest.mark.parametrize(
    ("country", "zone"), [("DE", "Europe/Berlin"), ("germany", "Europe/Berlin"), ("US", ""), ("", ""), ("Atlantis", "")]
)
def test_a_country_with_one_zone_says_it(country, zone):
    assert zones.of_country(country) == zone


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        ("1200-480", "UTC", (21, 19, 59), None),
        ("1200-480", "UTC", (21, 20, 0), (22, 8, 0)),
        ("1200-480", "UTC", (22, 7, 59), (22, 8, 0)),
        ("1200-480", "UTC", (22, 8, 0), None),
        ("1200-480", "Asia/Tokyo", (21, 12, 0), (21, 23, 0)),
        ("60-300", "UTC", (21, 2, 0), (21, 5, 0)),
        ("60-300", "UTC", (21, 5, 0), None),
        ("", "UTC", (21, 2, 0), None),
    ],
)
def test_nobody_is_written_to_at_night(hours, zone, now, until):
    def at(parts):
        return datetime(2026, 11, *parts, tzinfo=UTC)

    proposal = Proposal("outreach.ticket", "t", "incident:1:1", "b", {"quiet": hours, "zone": zone})

    answer = quiet.quiet_hours(proposal, Facts(now=at(now)), Policy())

    assert answer.verdict is (Verdict.HOLD if until else Verdict.PASS)
    assert answer.until == (at(until) if until else None)


def test_the_morning_after_the_clocks_change_is_the_local_one():
    now = datetime(2026, 10, 24, 20, 30, tzinfo=UTC)

    assert quiet.ends(now, 1200, 480, "Europe/Berlin") == datetime(2026, 10, 25, 7, 0, tzinfo=UTC)

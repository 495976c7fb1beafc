"""Every built-in rule as a table."""

from datetime import timedelta

import pytest

from gates import rules
from gates.rules.billing import erp_record_linked, ticket_linked
from gates.rules.timing import late_event, safety_window, stale_context
from gates.types import Limits, Policy, Risk
from tests.gates.shapes import HOUR, NOW, Verdict, make_facts, make_policy, make_proposal, note

POLICY = make_policy()
MONEY = Risk(money=True)


@pytest.mark.parametrize(
    ("case", "facts", "verdict", "until"),
    [
        ("just failed", {"failed_hours_ago": 0}, Verdict.HOLD, NOW + 72 * HOUR),
        ("a second before the end", {"failed_hours_ago": 71.9998}, Verdict.HOLD, NOW + 0.0002 * HOUR),
        ("at the end", {"failed_hours_ago": 72}, Verdict.PASS, None),
        ("long over", {"failed_hours_ago": 500}, Verdict.PASS, None),
        (
            "next try is later than the window",
            {"failed_hours_ago": 1, "next_attempt_in_hours": 100},
            Verdict.HOLD,
            NOW + 101 * HOUR,
        ),
        (
            "next try is sooner",
            {"failed_hours_ago": 1, "next_attempt_in_hours": 5},
            Verdict.HOLD,
            NOW + 71 * HOUR,
        ),
        (
            "window over, a try is planned",
            {"failed_hours_ago": 80, "next_attempt_in_hours": 2},
            Verdict.HOLD,
            NOW + 3 * HOUR,
        ),
        (
            "window over, within the margin of a try",
            {"failed_hours_ago": 80, "next_attempt_in_hours": -0.5},
            Verdict.HOLD,
            NOW + 0.5 * HOUR,
        ),
        ("window and margin over", {"failed_hours_ago": 80, "next_attempt_in_hours": -1}, Verdict.PASS, None),
        ("nothing failed", {}, Verdict.PASS, None),
    ],
)
def test_safety_window(case, facts, verdict, until):
    found = safety_window(make_proposal(), make_facts(**facts), POLICY)

    assert (found.verdict, found.until) == (verdict, until)


def test_safety_window_holds_nothing_that_can_be_undone():
    found = safety_window(note(), make_facts(failed_hours_ago=0), POLICY)

    assert found.verdict is Verdict.PASS


def test_safety_window_follows_the_limits():
    limits = Limits(safety_window=timedelta(hours=48), attempt_margin=timedelta())
    found = safety_window(make_proposal(), make_facts(failed_hours_ago=1), Policy(limits=limits))

    assert found.until == NOW + 47 * HOUR


@pytest.mark.parametrize(
    ("case", "proposal", "facts", "verdict"),
    [
        ("not executing", make_proposal(), {}, Verdict.PASS),
        ("never read", make_proposal(), {"executing": True}, Verdict.REVIEW),
        ("read live", make_proposal(), {"executing": True, "read_seconds_ago": 60}, Verdict.PASS),
        ("too old for the irreversible", make_proposal(), {"executing": True, "read_seconds_ago": 61}, Verdict.REVIEW),
        ("too old for money", make_proposal(risk=MONEY), {"executing": True, "read_seconds_ago": 61}, Verdict.REVIEW),
        ("cached is fine for a note", note(), {"executing": True, "read_seconds_ago": 10_000}, Verdict.PASS),
        (
            "cached for what needs facts",
            make_proposal("ticket.open", risk=Risk()),
            {"executing": True, "read_seconds_ago": 900},
            Verdict.PASS,
        ),
        (
            "too old even for that",
            make_proposal("ticket.open", risk=Risk()),
            {"executing": True, "read_seconds_ago": 901},
            Verdict.REVIEW,
        ),
    ],
)
def test_stale_context(case, proposal, facts, verdict):
    assert stale_context(proposal, make_facts(**facts), POLICY).verdict is verdict


def test_stale_context_names_the_block_and_its_age():
    at = NOW - timedelta(seconds=300)
    facts = make_facts(executing=True, synced_at={"billing": NOW, "entitlement": at})

    assert stale_context(make_proposal(), facts, POLICY).reason == "entitlement is 300 s old, limit is 0:01:00"


@pytest.mark.parametrize(
    ("case", "proposal", "late", "verdict"),
    [
        ("late and irreversible", make_proposal(), True, Verdict.REVIEW),
        ("late and harmless", note(), True, Verdict.PASS),
        ("in time", make_proposal(), False, Verdict.PASS),
    ],
)
def test_late_event(case, proposal, late, verdict):
    assert late_event(proposal, make_facts(late_event=late), POLICY).verdict is verdict


@pytest.mark.parametrize(
    ("case", "facts", "verdict"),
    [
        ("linked", {"executing": True, "erp_record_id": "501"}, Verdict.PASS),
        ("not linked", {"executing": True}, Verdict.REVIEW),
        ("not linked yet, only planned", {}, Verdict.PASS),
    ],
)
def test_erp_record_linked(case, facts, verdict):
    assert erp_record_linked(make_proposal(), make_facts(**facts), POLICY).verdict is verdict


@pytest.mark.parametrize(
    ("case", "proposal", "facts", "verdict"),
    [
        ("note with ticket", note(), {"executing": True, "ticket_id": "7"}, Verdict.PASS),
        ("note without", note(), {"executing": True}, Verdict.REVIEW),
        ("tag without", make_proposal("ticket.tag", risk=Risk()), {"executing": True}, Verdict.REVIEW),
        ("a new ticket needs none", make_proposal("ticket.open", risk=Risk()), {"executing": True}, Verdict.PASS),
        ("only planned", note(), {}, Verdict.PASS),
    ],
)
def test_ticket_linked(case, proposal, facts, verdict):
    assert ticket_linked(proposal, make_facts(**facts), POLICY).verdict is verdict


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_every_rule_answers_under_its_own_name(rule):
    found = rule(make_proposal(), make_facts(executing=True, failed_hours_ago=1, late_event=True), POLICY)

    assert found.rule == rule.__name__
    assert found.verdict is Verdict.PASS or found.reason

"""Tickets in pure terms: kinds, flips in any order, rules about what is written on them."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from gates.playbooks import tickets as playbook
from gates.playbooks.tickets import Kind
from gates.rules.tickets import ticket_steady, ticket_there, ticket_unchanged
from gates.tickets import number_in, states
from gates.types import Policy, Proposal
from tests.gates.shapes import Verdict, make_facts

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
WITHIN = timedelta(minutes=10)
POLICY = Policy()


def status(minute, before, after):
    return playbook.changes(before, after, (), (), AT + timedelta(minutes=minute))


def flipped(*groups, most=3):
    """What the last group shows, told in this order."""
    kept = []
    last = None
    for group in groups:
        kept, every = playbook.fold(kept, group, WITHIN, AT + timedelta(minutes=9))
        last = playbook.flips(every, most, WITHIN) or last
    return last


def test_back_and_forth_counts_in_any_order_and_once_however_often_it_is_told():
    back = [status(0, "open", "pending"), status(1, "pending", "open"), status(2, "open", "pending")]
    for order in itertools.permutations(back):
        assert flipped(*order).what == "status"
        assert flipped(*order[:2], *order[:2]) is None
    onward = [status(0, "new", "open"), status(1, "open", "pending"), status(2, "pending", "solved")]
    assert flipped(*onward) is None
    assert flipped(back[0], back[1], status(30, "open", "pending")) is None
    tags = [playbook.changes("", "", ("vip",), (), AT), playbook.changes("", "", (), ("vip",), AT + WITHIN / 5)]
    assert flipped(*tags) is None
    again = playbook.changes("", "", ("vip", "other"), (), AT + WITHIN / 4)
    assert flipped(*tags, again).what == "tag:vip"


def test_a_kind_is_known_by_a_tag_or_its_form():
    kinds = [Kind("b", 1, frozenset({"x"}), frozenset({"7"})), Kind("a", 1, frozenset({"y"}), frozenset())]
    assert playbook.kind_of(kinds, ("x", "z"), "").name == "b"
    assert playbook.kind_of(kinds, ("x", "y"), "").name == "a"
    assert playbook.kind_of(kinds, (), "7").name == "b"
    assert playbook.kind_of(kinds, ("z",), "") is None
    assert [number_in(key) for key in ("ticket:35436:reply", "ticket:x:1", "invoice:5", "ticket:")] == [
        "35436",
        "",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("trouble", "status", "there", "steady"),
    [
        ("", "open", "", True), ("flips", "open", "", False), ("merged:7", "open", "merged into ticket 7", True),
        ("deleted:", "", "was deleted", True), ("", "gone", "was deleted", True), ("", "closed", "is closed", True),
    ],
)  # fmt: skip
def test_what_is_written_on_a_ticket_that_is_gone_or_pulled_at(trouble, status, there, steady):
    params = {"ticket": "5", "stamp": "a"}
    reply = Proposal("ticket.reply", "reply:5", "ticket:5:reply", "because", params)
    facts = make_facts(executing=True, ticket_id="5", ticket_trouble=trouble, ticket_status=status, ticket_stamp="a")
    said = ticket_there(reply, facts, POLICY)
    assert (said.verdict is Verdict.BLOCK, there in said.reason) == (bool(there), True)
    assert (ticket_steady(reply, facts, POLICY).verdict is Verdict.PASS) is steady
    assert ticket_unchanged(reply, facts, POLICY).verdict is Verdict.PASS
    other = Proposal("ticket.note", "n", "x", "because", {"ticket": "6"})
    assert ticket_there(other, facts, POLICY).verdict is Verdict.PASS


def test_an_answer_is_to_the_ticket_as_it_was_suggested_and_dropped_once_it_is_solved():
    kind = Kind("copy", 1, frozenset({"x"}), frozenset(), solves=True)
    reply = playbook.reply("5", kind, "Hello", "then")
    assert (reply.params["solve"], reply.business_key) == ("yes", "ticket:5:reply")
    facts = make_facts(executing=True, ticket_id="5", ticket_stamp="now", ticket_status="solved")
    assert ticket_unchanged(reply, facts, POLICY).verdict is Verdict.REVIEW
    assert playbook.withdraw_reason(facts, "ticket.reply") == "the ticket is solved already"
    assert playbook.withdraw_reason(facts, "ticket.note") == ""


def test_the_graph_lets_nothing_out_of_what_is_final():
    steps = {
        (prior, post) for prior in states.State.values for post in states.State.values if states.verb_to(prior, post)
    }
    assert {post for prior, post in steps if prior == "merged"} == set()
    assert {post for prior, post in steps if prior == "closed"} == {"deleted", "merged"}
    assert {prior for prior, post in steps if post == "new"} == {"deleted"}
    assert states.verb_to("solved", "open") == "reopen"
    assert len(steps) == 40

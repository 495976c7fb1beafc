"""decide: the strictest answer wins, people excuse what they saw, the stage says how far to trust."""

from itertools import pairwise

import pytest

from gates import rules
from gates.decide import decide
from gates.types import ASKED, Limits, Risk
from tests.gates.shapes import (
    HOUR,
    NOW,
    Verdict,
    always,
    answer_of,
    make_facts,
    make_gate,
    make_policy,
    make_proposal,
    note,
    row,
)

STATE = {"supersede": "superseded", "observe": "observed", "ask": "in_review", "hold": "held", "approve": "approved"}
STRICTER = [Verdict.PASS, Verdict.HOLD, Verdict.REVIEW, Verdict.REVIEW_TWO, Verdict.BLOCK]
VERB = {
    Verdict.PASS: "approve", Verdict.HOLD: "hold", Verdict.REVIEW: "ask", Verdict.REVIEW_TWO: "ask",
    Verdict.BLOCK: "ask",
}  # fmt: skip


@pytest.mark.parametrize("verdict", STRICTER)
def test_each_verdict_leads_to_its_state(verdict):
    decision = decide(note(), make_facts(), make_policy(always(verdict)))

    assert (decision.verb, decision.state) == (VERB[verdict], STATE[VERB[verdict]])


@pytest.mark.parametrize(("milder", "stricter"), list(pairwise(STRICTER)))
def test_the_strictest_wins_whatever_the_order(milder, stricter):
    gates = [always(milder, "mild"), always(stricter, "strict")]

    for order in (gates, gates[::-1]):
        decision = decide(note(), make_facts(), make_policy(*order))
        assert decision.verb == VERB[stricter]
        assert decision.worst.rule == "strict"


def test_all_rules_run_and_all_answers_are_kept():
    facts = make_facts(executing=True, failed_hours_ago=1, late_event=True)
    decision = decide(make_proposal(), facts, make_policy(always(Verdict.BLOCK)))

    assert [one.rule for one in decision.answers] == [*(rule.__name__ for rule in rules.RULES), "gate"]
    assert {"safety_window", "refund_fits", "ticket_there", "quiet_hours"} <= {one.rule for one in decision.answers}
    assert [one.rule for one in decision.failing] == [
        "safety_window", "stale_context", "late_event", "erp_record_linked", "gate",
    ]  # fmt: skip


def test_several_holds_wait_for_the_last():
    facts = make_facts(failed_hours_ago=1)
    decision = decide(make_proposal(), facts, make_policy(always(Verdict.HOLD)))

    assert (decision.verb, decision.until) == ("hold", NOW + 71 * HOUR)


def test_a_gate_that_holds_without_an_end_is_looked_at_again():
    decision = decide(note(), make_facts(), make_policy(always(Verdict.HOLD)))

    assert (decision.verb, decision.until) == ("hold", NOW + Limits().context_max_age)


@pytest.mark.parametrize("verdict", [Verdict.REVIEW, Verdict.REVIEW_TWO, Verdict.BLOCK])
def test_what_people_approved_asks_no_more(verdict):
    policy = make_policy(always(verdict, "seen"))

    decision = decide(note(), make_facts(), policy, approved_rules=frozenset({"seen"}))

    assert decision.verb == "approve"
    assert answer_of(decision, "seen").verdict is verdict


def test_a_rule_that_fails_newly_asks_again():
    policy = make_policy(always(Verdict.REVIEW, "seen"), always(Verdict.REVIEW, "new"))

    decision = decide(note(), make_facts(), policy, approved_rules=frozenset({"seen"}))

    assert decision.verb == "ask"


def test_time_cannot_be_approved_away():
    facts = make_facts(failed_hours_ago=1)

    decision = decide(make_proposal(), facts, make_policy(), approved_rules=frozenset({"safety_window"}))

    assert decision.verb == "hold"


def test_what_is_withdrawn_is_superseded_whatever_else():
    decision = decide(
        make_proposal(withdrawn="paid"), make_facts(failed_hours_ago=1), make_policy(always(Verdict.BLOCK))
    )

    assert (decision.verb, decision.state) == ("supersede", "superseded")


@pytest.mark.parametrize("stage", ["shadow", "paused"])
def test_shadow_observes_with_the_answers_it_would_have_had(stage):
    decision = decide(make_proposal(), make_facts(), make_policy(always(Verdict.BLOCK), stage=stage))

    assert (decision.verb, decision.state, decision.mode) == ("observe", "observed", "shadow")
    assert answer_of(decision, "gate").verdict is Verdict.BLOCK


def test_suggest_always_asks_until_a_person_agreed():
    policy = make_policy(stage="suggest", automation_version=3)

    asked = decide(note(), make_facts(), policy)
    agreed = decide(note(), make_facts(), policy, approved_rules=frozenset({"rollout_stage"}))

    assert (asked.verb, answer_of(asked, "rollout_stage").version, agreed.verb) == ("ask", 3, "approve")


@pytest.mark.parametrize("stage", ["canary", "ten", "half", "full"])
def test_steps_act_within_their_share_and_ask_outside(stage):
    share = {"canary": 1, "ten": 10, "half": 50, "full": 100}[stage]
    policy = make_policy(stage=stage)

    verbs = [decide(note(), make_facts(external_id=f"mesh-cus-{n}"), policy).verb for n in range(400)]

    assert set(verbs) == ({"approve"} if share == 100 else {"approve", "ask"})
    assert abs(verbs.count("approve") / 4 - share) < 6


@pytest.mark.parametrize(
    ("case", "risk", "verb"),
    [
        ("contract", Risk(contract=True), "ask"),
        ("money", Risk(money=True), "ask"),
        ("neither", Risk(), "approve"),
    ],
)
def test_what_one_person_asked_for_another_one_decides(case, risk, verb):
    asked = make_policy(stage=ASKED)

    assert decide(make_proposal(risk=risk), make_facts(), asked).verb == verb
    agreed = decide(make_proposal(risk=risk), make_facts(), asked, approved_rules=frozenset({"asked_by_person"}))
    assert agreed.verb == "approve"


def test_an_automation_without_owner_asks():
    owner_missing = make_gate(row("has_owner", "is", value=False), name="owner-missing")

    assert decide(note(), make_facts(), make_policy(owner_missing)).verb == "approve"
    assert decide(note(), make_facts(), make_policy(owner_missing, is_owned=False)).verb == "ask"


def test_the_version_names_gates_and_automation():
    versions = {
        make_policy().version,
        make_policy(automation_version=2).version,
        make_policy(make_gate(name="a")).version,
        make_policy(make_gate(name="a", version=2)).version,
        make_policy(make_gate(name="a"), make_gate(name="b")).version,
    }

    assert len(versions) == 5
    assert (
        decide(note(), make_facts(), make_policy(automation_version=2)).rule_version
        == make_policy(automation_version=2).version
    )


def test_the_same_inputs_give_the_same_decision():
    policy = make_policy(make_gate(row("tenure_months", "over", 24)), stage="half")
    facts = make_facts(failed_hours_ago=80, executing=True, read_seconds_ago=5, tenure_months=30)

    assert decide(make_proposal(), facts, policy) == decide(make_proposal(), facts, policy)

"""The dunning playbook as tables: what each event means, and that the order of events means nothing."""

from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates import memo
from gates.playbooks import PLAYBOOKS, dunning
from gates.playbooks.dunning import Settings, after_applied, judge, paid_note, withdraw_reason
from tests.gates.shapes import Invoice, make_facts
from tests.gates.test_memo import SEEN, closed, failed, paid

SUSPEND_ONLY, DOWNGRADE, BOTH = Settings(), Settings("downgrade", "free"), Settings("both", "free")


def run(*events, state="active", planned=(), chosen=SUSPEND_ONLY):
    """Judge events one after the other, the contract and the plans following; returns the last outcome."""
    kept, known, outcome = {}, set(planned), None
    for event in events:
        outcome = judge(kept, event, state, frozenset(known), chosen)
        kept = outcome.memo
        known |= {f"{one.kind}:{one.business_key}" for one in outcome.proposals}
        state = {"fall_behind": "past_due", "recover": "active"}.get(outcome.contract_verb, state)
    return outcome


def kinds(outcome):
    return [one.kind for one in outcome.proposals]


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (SUSPEND_ONLY, ["ticket.open", "contract.suspend"]),
        (DOWNGRADE, ["ticket.open", "contract.downgrade"]),
        (BOTH, ["ticket.open", "contract.suspend", "contract.downgrade"]),
    ],
)
def test_first_failure_opens_a_ticket_and_plans_the_effect(chosen, wanted):
    outcome = run(failed(number="M-7"), chosen=chosen)

    assert kinds(outcome) == wanted
    assert (outcome.contract_verb, outcome.verdict) == ("fall_behind", "done: contract past due")
    assert all(one.risk.irreversible for one in outcome.proposals[1:])
    assert {one.business_key for one in outcome.proposals} == {"invoice:in_1"}
    assert "M-7" in outcome.proposals[0].because


def test_downgrade_carries_its_plan():
    assert run(failed(), chosen=DOWNGRADE).proposals[1].params == {"invoice": "in_1", "plan": "free"}


@pytest.mark.parametrize(
    ("case", "events", "state", "verdict", "verb", "proposed", "withdraw"),
    [
        ("same event again", [failed(), failed()], "active", "superseded: nothing newer in it", "", [], ""),
        ("second try failed", [failed(), failed(hours=24, attempt=2)], "active", "done: window looked at again", "",
         [], ""),
        ("an older failure", [failed(hours=24, attempt=2), failed(hours=23)], "active",
         "superseded: an older failure of the same invoice", "", [], ""),
        ("paid", [failed(), paid()], "active", "contradicting: paid after it had failed", "recover", [],
         "invoice:in_1"),
        ("closed", [failed(), closed()], "active", "contradicting: closed after it had failed", "recover", [],
         "invoice:in_1"),
        ("paid twice", [failed(), paid(), paid()], "active", "superseded: settled already", "", [], ""),
        ("paid, nothing was owed", [paid()], "active", "done: paid, nothing was owed", "", [], ""),
        ("failure after the payment", [paid(), failed()], "active",
         "superseded: the invoice was settled before this arrived", "", ["ticket.open", "contract.suspend"], ""),
        ("another invoice is still owed", [failed("in_1"), failed("in_2"), paid("in_1")], "active",
         "contradicting: paid after it had failed", "", [], "invoice:in_1"),
        ("suspended stays so", [failed(), paid()], "suspended", "contradicting: paid after it had failed", "", [],
         "invoice:in_1"),
        ("cancelled is left alone", [failed()], "cancelled", "done: contract past due", "", [], ""),
    ],
)  # fmt: skip
def test_what_an_event_means(case, events, state, verdict, verb, proposed, withdraw):
    outcome = run(*events, state=state)

    assert (outcome.verdict, outcome.contract_verb) == (verdict, verb)
    assert (kinds(outcome), outcome.withdraw) == (proposed, withdraw)
    assert outcome.contradicting is bool(withdraw)


def test_what_was_settled_before_is_planned_as_withdrawn():
    outcome = run(paid(), failed())

    assert {one.withdrawn for one in outcome.proposals} == {"the invoice was settled before this arrived"}


def test_what_is_planned_is_not_planned_again():
    outcome = run(failed(), planned=["ticket.open:invoice:in_1"])

    assert kinds(outcome) == ["contract.suspend"]


@pytest.mark.parametrize(
    ("case", "second", "reschedule"),
    [
        ("same again", failed(), False),
        ("next try moved", failed(hours=24, attempt=2, next_in=96), True),
        ("an earlier first failure", failed(hours=-5), True),
    ],
)
def test_newer_failures_move_the_window(case, second, reschedule):
    assert run(failed(), second).reschedule is reschedule


@settings(max_examples=60, deadline=None)
@given(st.lists(SEEN, min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_no_order_of_events_changes_what_is_owed_or_planned(events, random):
    shuffled = [*events, random.choice(events)]
    random.shuffle(shuffled)

    one, other = ends(events), ends(shuffled)

    assert one == other


def ends(events):
    """What stands after these events: the memo, what is planned and not withdrawn, the contract."""

    def step(now, event):
        kept, planned, state = now
        outcome = judge(kept, event, state, frozenset(planned), SUSPEND_ONLY)
        for one in outcome.proposals:
            planned[f"{one.kind}:{one.business_key}"] = not one.withdrawn
        for key in planned:
            if outcome.withdraw and key.endswith(outcome.withdraw):
                planned[key] = False
        state = {"fall_behind": "past_due", "recover": "active"}.get(outcome.contract_verb, state)
        return outcome.memo, planned, state

    kept, planned, state = reduce(step, events, ({}, {}, "active"))
    return kept, {key for key, wanted in planned.items() if wanted}, state


@settings(max_examples=60, deadline=None)
@given(st.lists(SEEN, min_size=1, max_size=7))
def test_what_is_planned_is_what_is_owed(events):
    kept, planned, state = ends(events)

    owed = memo.owed(kept)
    assert planned == {f"{kind}:invoice:{one}" for one in owed for kind in ("ticket.open", "contract.suspend")}
    assert state == ("past_due" if owed else "active")


OWED = {"in_1": {"first_failed": 1, "newest": [1, 1, 0]}}
SETTLED = {"in_1": {"first_failed": 1, "newest": [1, 1, 0], "paid_at": 2}}


@pytest.mark.parametrize(
    ("case", "kind", "status", "kept", "contract", "reason"),
    [
        ("still owed", "contract.suspend", "open", OWED, "past_due", ""),
        ("paid by the live read", "contract.suspend", "paid", OWED, "past_due", "the invoice is settled"),
        ("void", "contract.suspend", "void", OWED, "past_due", "the invoice is settled"),
        ("given up", "contract.downgrade", "uncollectible", OWED, "past_due", "the invoice is settled"),
        ("paid by an event", "contract.suspend", "open", SETTLED, "past_due", "the invoice is settled"),
        ("unknown invoice", "contract.suspend", "", {}, "past_due", "the invoice is settled"),
        ("suspended already", "contract.suspend", "open", OWED, "suspended", "the contract is suspended already"),
        ("cancelled", "contract.suspend", "open", OWED, "cancelled", "the contract is cancelled"),
        ("ticket for a paid one", "ticket.open", "paid", OWED, "active", "the invoice is settled"),
        ("notes are always wanted", "ticket.note", "paid", SETTLED, "active", ""),
        ("tags too", "ticket.tag", "paid", SETTLED, "suspended", ""),
        ("restore while settled", "contract.restore", "paid", SETTLED, "suspended", ""),
        ("restore of what is owed again", "contract.restore", "open", OWED, "suspended", "the invoice is owed again"),
    ],
)
def test_withdraw_reason(case, kind, status, kept, contract, reason):
    invoices = (Invoice("in_1", status),) if status else ()
    facts = make_facts(invoices=invoices, contract_state=contract)

    assert withdraw_reason(facts, "invoice:in_1", kept, kind) == reason


def test_what_is_about_no_invoice_is_not_withdrawn():
    assert withdraw_reason(make_facts(contract_state="cancelled"), "contract:mesh-con-1", {}, "contract.suspend") == ""


@pytest.mark.parametrize(
    ("case", "kind", "kept", "follows"),
    [
        ("suspended", "contract.suspend", OWED, ["ticket.tag"]),
        ("suspended, paid meanwhile", "contract.suspend", SETTLED, ["ticket.tag", "contract.restore"]),
        ("downgraded, paid meanwhile", "contract.downgrade", SETTLED, ["ticket.tag", "contract.restore"]),
        ("restored", "contract.restore", SETTLED, ["ticket.tag"]),
        ("a note", "ticket.note", OWED, []),
    ],
)
def test_after_applied(case, kind, kept, follows):
    assert [one.kind for one in after_applied(kind, "invoice:in_1", {"invoice": "in_1"}, kept)] == follows


def test_nothing_follows_what_is_about_no_invoice():
    assert after_applied("contract.suspend", "contract:mesh-con-1", {}, OWED) == ()


def test_a_restore_says_what_it_undoes():
    undo = after_applied("contract.downgrade", "invoice:in_1", {"invoice": "in_1", "plan": "free"}, SETTLED)[1]

    assert undo.params == {"invoice": "in_1", "undoes": "contract.downgrade", "plan": "free"}
    assert undo.risk.reverses


def test_the_note_of_a_payment_names_the_invoice():
    assert "in_1" in paid_note("invoice:in_1").because


def test_every_playbook_names_its_automation():
    assert {"dunning", "onboarding", "dispute_recovery"} <= {playbook.AUTOMATION for playbook in PLAYBOOKS.values()}
    assert dunning.EFFECTS.keys() == {"suspend", "downgrade", "both"}

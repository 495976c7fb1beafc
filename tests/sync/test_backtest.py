"""A gate is tried on decisions that were made, by judging them again on what the ledger stored with them."""

import pytest

from gates.types import Gate, Limits, Verdict
from sync import backtest
from tests import factories as f

pytestmark = pytest.mark.django_db


def stored(state="approved", *, kind="contract.restore", inputs=None, **more):
    """A decision as the ledger keeps it."""
    action = f.ActionFactory(state=state, kind=kind, **more)
    kept = {
        "now": "2026-11-01T10:00:00+00:00", "external_id": "mesh-cus-1", "tier": "growth", "contract_state": "past_due",
        "contract_version": 1, "plan": "scale", "erp_status": "active", "subscription_status": "", "failed_at": None,
        "next_attempt_at": None, "open_disputes": 0, "fraud_flag": False, "tenure_months": 30, "erp_record_id": "1",
        "ticket_id": "", "ticket_status": "", "late_event": False, "executing": False, "synced_at": {}, "invoice": None,
        "policy": {
            "stage": "full", "automation": 1, "gates": [["open-dispute", 1]], "owned": True, "approved": [],
            "limits": dict.fromkeys(Limits.__dataclass_fields__, 60.0),
        },
    }  # fmt: skip
    decision = {"approved": "approve", "in_review": "ask", "held": "hold"}[state]
    return f.LedgerRowFactory(
        action_id=action.pk, subject_id=str(action.pk), decision=decision, post_state=state, outcome=state,
        inputs={**kept, **(inputs or {})},
    )  # fmt: skip


def gate(*rows, result=Verdict.REVIEW, name="long-tenure", kinds=()):
    return Gate(name, 0, rows, result, "words", frozenset(kinds))


TENURE = {"field": "tenure_months", "op": "at_least", "value": 24}


def test_a_gate_is_tried_on_decisions_as_they_were_stored():
    stored(inputs={"tenure_months": 30})
    stored(inputs={"tenure_months": 3})
    stored(inputs={"tenure_months": None})  # what nobody knows asks a person

    done = backtest.rehearse(gate(TENURE))

    assert (done.seen, done.fired, done.changed, done.freer, done.unreadable) == (3, 2, 2, 2, 0)
    assert dict(done.steps) == {("approved", "in_review"): 2}
    assert {one.kind for one in done.sample} == {"contract.restore"}


def test_it_stands_in_the_place_of_the_version_that_judged_then():
    stored("in_review", inputs={"open_disputes": 1}, kind="contract.suspend")
    looser = {"field": "open_disputes", "op": "over", "value": 1}

    done = backtest.rehearse(gate(looser, name="open-dispute", result=Verdict.BLOCK, kinds=["contract.suspend"]))

    assert (done.fired, dict(done.steps)) == (0, {("in_review", "approved"): 1})


def test_only_its_kinds_and_the_last_days_count():
    stored(kind="contract.suspend")
    stored()

    assert backtest.rehearse(gate(TENURE, kinds=["contract.suspend"])).seen == 1
    assert backtest.rehearse(gate(TENURE), days=0).seen == 0
    assert backtest.rehearse(gate(TENURE), most=1).cut


def test_what_cannot_be_read_any_more_is_counted_and_does_not_stop_the_rest():
    stored()
    stored(kind="world.end")
    stored(inputs={"policy": {"gates": [["gone", 9]], "limits": {}, "stage": "full", "automation": 1, "owned": True,
                              "approved": []}})  # fmt: skip
    stored(inputs={"synced_at": None})

    done = backtest.rehearse(gate(TENURE))

    assert (done.seen, done.unreadable, done.changed) == (1, 3, 1)

"""Evidence from stored rows: back-tests as jobs, recomputing, shadow compared with what people did."""

import json
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from gates import backtests, shadow
from gates.models import BackTest, BackTestChange, GateVersion, ShadowComparison
from gates.stop import Refused
from ledger import clock, verify
from ledger.models import EventBody, LedgerRow
from meshline.subjects import SUBJECTS, UNCHAINED
from sync import backtest_job, backtest_recompute, backtest_rows
from sync import shadow as shadows
from tests import factories as f
from tests.people.cast import person
from tests.sync.test_backtest import TENURE, stored

pytestmark = pytest.mark.django_db


def done(one):
    """Worked to its end, in pages."""
    while backtest_job.run(one.pk, box=0.0):
        pass
    return BackTest.objects.get(pk=one.pk)


def fails(*words):
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command(*words, stdout=out)
    return error.value.returncode, out.getvalue() + str(error.value)


def draft(**more):
    content = {"rows": [TENURE], "result": "review", "applies_to": ["contract.restore"], **more}
    return f.GateVersionFactory(name="long-tenure", state="draft", **content)


def test_a_back_test_names_each_changed_decision_and_what_was_corrected(monkeypatch):
    monkeypatch.setattr(backtest_job, "page", lambda wanted, after: backtest_page(wanted, after, 2))
    rows = [stored(inputs={"tenure_months": months}) for months in (30, 3, 40, 50)]
    undone = LedgerRow.objects.get(pk=rows[2].pk).action_id
    f.ActionFactory(reverses_id=undone, state="applied")
    stored(kind="world.end")
    engineer = person("Automation Engineer")

    one = backtests.ask(by=engineer, gate=draft())
    assert backtests.ask(by=engineer, gate=one.gate).pk == one.pk  # not two at once of the same
    first = backtest_job.run(one.pk, box=0.0)
    assert first
    assert 0 < backtest_job.progress(BackTest.objects.get(pk=one.pk)) <= 1
    one = done(one)

    assert (one.state, one.counts["seen"], one.counts["changed"], one.counts["corrected"]) == ("done", 4, 3, 1)
    assert one.steps == [["approved", "in_review", 3]]
    changes = BackTestChange.objects.filter(backtest=one).order_by("row")
    assert [(each.row, each.is_corrected) for each in changes] == [
        (rows[0].pk, False), (rows[2].pk, True), (rows[3].pk, False),
    ]  # fmt: skip
    assert one.missing == []  # what is of another kind of action is not part of it


def backtest_page(wanted, after, size):
    return backtest_rows.page(wanted, after, size)


def test_what_could_not_be_tried_is_said_each_with_its_number():
    event = f.EventFactory(kind="payment.failed")
    f.EventBodyFactory(event_id=event.pk)
    EventBody.objects.filter(event_id=event.pk).update(erased_at=clock.now())
    gone = {"policy": {"gates": [["gone", 9]], "limits": {}, "stage": "full", "automation": 1, "owned": True,
                       "approved": []}}  # fmt: skip
    stored(inputs=gone)

    one = done(backtests.ask(by=person("Automation Engineer"), gate=draft()))

    assert one.state == "done"
    assert [sentence.partition(" ")[0] for sentence in one.missing] == ["No", "1", "1"]
    assert "no body any more" in one.missing[2]
    with time_machine.travel(clock.now() - timedelta(days=3), tick=False):
        back = done(backtests.ask(by=person("Automation Engineer"), automation="onboarding"))
    assert "No decision of the automation onboarding" in back.missing[0]
    assert "the clock was set back" in back.missing[-1]


def test_a_back_test_that_was_cancelled_proves_nothing():
    one = backtests.ask(by=person("Automation Engineer"), gate=draft())
    with pytest.raises(Refused) as refused:
        backtests.cancel(one.pk, by=person("Support"))
    assert refused.value.status == 403
    backtests.cancel(one.pk, by=person("Support Manager"))

    assert not backtest_job.run(one.pk)
    assert BackTest.objects.get(pk=one.pk).state == "cancelled"
    assert verify.verify(SUBJECTS, UNCHAINED).is_intact
    assert not backtests.is_done(GateVersion.objects.get(pk=one.gate_id))


def test_the_commands_say_what_they_found_and_what_was_wrong():
    by = person("Automation Engineer").username
    assert fails("backtest", "nothing", "--as", by)[0] == 2
    assert fails("backtest", "dunning", "--days", "0", "--as", by)[0] == 2
    code, said = fails("backtest", "dunning", "--as", by)
    assert (code, "nothing was tried" in said) == (1, True)
    assert fails("recompute")[0] == 1
    assert fails("recompute", "--last", "0")[0] == 2
    assert fails("recompute", "--from", "yesterday")[0] == 2
    assert fails("recompute", "--from", "2026-11-02", "--to", "2026-11-01")[0] == 2


def test_recompute_finds_the_row_that_does_not_say_what_its_inputs_give():
    good = stored()
    stored("in_review")  # nothing in its inputs asks a person

    found = backtest_recompute.over(backtest_recompute.newest(10))

    assert (found.seen, found.same, found.differ) == (2, 1, 1)
    assert found.sample[0].member == "decision"
    code, said = fails("recompute", "--json", "--last", "10")
    assert (code, json.loads(said.splitlines()[0])["differ"]) == (1, 1)
    assert backtest_recompute.over(backtest_recompute.newest(1)).differ == 1
    assert good.pk < found.sample[0].row


def observed(*, invoice="in_1", contract=None, kind="contract.suspend", state="approved", days_ago=10, **inputs):
    """An action that only observed so many days ago, with its row."""
    with time_machine.travel(clock.now() - timedelta(days=days_ago), tick=False):
        contract = contract or f.ContractFactory()
        policy = {
            "stage": "shadow", "automation": 1, "gates": [], "owned": True, "approved": [],
            "limits": {"safety_window": 60.0, "attempt_margin": 0.0, "live_read_max_age": 60.0,
                       "context_max_age": 10.0**6},
        }  # fmt: skip
        kept = {"now": clock.now(), "failed_at": clock.now(), "external_id": "mesh-cus-1", "tier": "growth",
                "synced_at": {"billing": clock.now(), "entitlement": clock.now()}, "policy": policy}  # fmt: skip
        action = f.ActionFactory(
            state="observed", mode="shadow", automation="dunning", kind=kind, customer=contract.customer,
            contract=contract, business_key=f"invoice:{invoice}", params={"invoice": invoice, **inputs},
        )  # fmt: skip
        f.LedgerRowFactory(action_id=action.pk, subject_id=str(action.pk), decision="observe", post_state="observed",
                           inputs=json.loads(json.dumps(kept, default=str)))  # fmt: skip
    return action


def memo(*, paid_days_ago=None):
    at = clock.now()
    entry = {"first_failed": int((at - timedelta(days=11)).timestamp())}
    if paid_days_ago is not None:
        entry["paid_at"] = int((at - timedelta(days=paid_days_ago)).timestamp())
    return entry


def test_what_would_have_been_done_is_compared_with_what_people_did():
    owed, by_hand = memo(), f.ContractFactory(dunning={"in_1": memo()})
    left = observed(contract=f.ContractFactory(dunning={"in_1": owed}))
    type(by_hand).objects.filter(pk=by_hand.pk).update(state="suspended")
    same = observed(contract=by_hand)
    in_time = observed(contract=f.ContractFactory(dunning={"in_1": memo(paid_days_ago=10)}), days_ago=10)
    recent = observed(contract=f.ContractFactory(dunning={"in_1": owed}), days_ago=1)
    ticket = observed(kind="ticket.open", contract=f.ContractFactory(dunning={"in_1": owed}))
    note = observed(kind="ticket.note", contract=f.ContractFactory())

    assert shadows.collect() == 6
    assert shadows.collect() == 0
    shadows.compare()

    found = {one.action_id: (one.verdict, one.seen) for one in ShadowComparison.objects.all()}
    assert found == {
        left.pk: ("disagreed", "people_left_it"), same.pk: ("agreed", "done_by_people"),
        in_time.pk: ("agreed", "paid_in_time"), recent.pk: ("undecided", ""),
        ticket.pk: ("disagreed", "no_ticket_was_opened"), note.pk: ("undecided", "cannot_be_seen"),
    }  # fmt: skip
    assert shadow.agreement("dunning") == (2, 4)
    assert shadow.agreement("dunning", "tier:growth") == (2, 4)
    assert shadow.agreement("dunning", "tier:enterprise") == (0, 0)
    assert [(one.agreed, one.disagreed) for one in shadow.by_week("dunning")] != []
    assert "dunning: 0 of 0" not in shadows.weekly()
    assert {one.action_id for one in shadow.deltas("dunning")} == {left.pk, ticket.pk}

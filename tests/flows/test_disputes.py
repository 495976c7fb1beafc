"""Disputes over HTTP: signed webhooks in any order, the provider's books at the end; money goes back once or not."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gates import automations, ownership, review, stop
from gates.models import ReviewItem
from gates.playbooks.disputes import REFUND, RESPOND
from ledger import clock, verify
from ledger.models import Action, Event, LedgerRow
from ledger.verify import Subject
from sync import settle
from sync.models import Dispute
from tests.flows.shop import Buyer, approve, item_of, refunds
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import acting, steps
from tests.people.cast import person

INQUIRY = "warning_needs_response"


@pytest.fixture
def bank(buyer: Buyer) -> Iterator[Buyer]:
    """A buyer whose disputes the automation may settle by itself."""
    acting("dispute_recovery")
    ownership.forget()
    return buyer


def opened(buyer: Buyer, status: str = INQUIRY, **more: Any) -> str:
    return str(buyer.world.play("stripe", "open_dispute", charge=buyer.charge, status=status, **more)["dispute"])


def moved(buyer: Buyer, dispute: str, status: str, **more: Any) -> Any:
    return buyer.world.play("stripe", "move_dispute", dispute=dispute, status=status, **more)


def tasks(**more: Any) -> Any:
    return ReviewItem.objects.filter(kind=RESPOND, **more).exclude(state="resolved")


def states(record: Dispute) -> list[str]:
    rows = LedgerRow.objects.filter(subject_kind="dispute", subject_id=str(record.pk)).order_by("id")
    return [post for prior, post in rows.values_list("prior_state", "post_state") if prior != post]


def test_a_small_inquiry_of_a_running_customer_is_given_back_with_its_sum(bank: Buyer) -> None:
    dispute = opened(bank)
    bank.world.settle()

    done = bank.world.until(REFUND, "applied")

    record = Dispute.objects.get()
    assert sum(minor for _, minor in record.lines) == record.suggested_minor == done.amount_minor
    assert done.params["lines"] == record.lines
    assert bank.paid()["amount_refunded"] == done.amount_minor > 0
    assert [one["action"] for one in refunds(bank.world)] == [str(done.pk)]
    assert (done.params["dispute"], done.automation, record.confidence) == (dispute, "dispute_recovery", 95)
    assert (done.facts["contract_state"], done.correlation_id) == ("active", record.correlation_id)
    assert not ReviewItem.objects.filter(automation="dispute_recovery").exists(), "nobody had to look"

    moved(bank, dispute, "warning_under_review")
    moved(bank, dispute, "warning_closed")
    bank.world.settle()
    record.refresh_from_db()
    assert (str(record.state), record.refunded_minor) == ("ended", done.amount_minor)
    assert states(record) == ["waiting", "reviewed", "ended"] or states(record) == ["waiting", "ended"]
    assert Action.objects.filter(kind=REFUND).count() == 1
    assert verify.verify({"dispute": Subject(Dispute)}, {}).broken is None


@pytest.mark.parametrize("stage", ["suggest", "shadow"])
def test_before_the_automation_has_earned_it_a_person_decides(buyer: Buyer, stage: str) -> None:
    automations.place("dispute_recovery", stage, why="test")
    due = clock.now() + timedelta(days=7)
    opened(buyer)
    buyer.world.settle()

    action, item = Action.objects.get(kind=REFUND), ReviewItem.objects.get()
    assert (action.state, item.kind) == (("in_review", REFUND) if stage == "suggest" else ("observed", RESPOND))
    assert (item.owner_group, item.confidence) == ("Billing Resolver", 0.95)
    assert item.due_at <= due - timedelta(hours=48)
    assert refunds(buyer.world) == []
    if stage == "suggest":
        approve(action)
        buyer.world.until(REFUND, "applied")
        assert len(refunds(buyer.world)) == 1
    else:
        assert "only observes" in item.sentence


def test_evidence_that_is_due_soon_makes_the_item_due_before(bank: Buyer) -> None:
    dispute = opened(bank, "needs_response")
    bank.world.settle()
    assert tasks().get().due_at > clock.now() + timedelta(hours=40)

    moved(bank, dispute, "under_review")
    bank.world.settle()
    assert not tasks().exists(), "the bank has its answer"
    moved(bank, dispute, "needs_response", due_in=50 * 3600)
    bank.world.settle()

    item = tasks().get()
    record = Dispute.objects.get()
    assert record.evidence_due_at is not None
    assert item.due_at == record.evidence_due_at - timedelta(hours=48) < clock.now() + timedelta(hours=3)
    review.claim(item.pk, by=person("Billing Resolver"))
    review.escalate(item.pk, by=person("Billing Resolver"), reason="not mine")
    assert ReviewItem.objects.get(pk=item.pk).due_at <= item.due_at, "an escalation does not move the bank's time"


def test_what_the_bank_took_is_never_refunded(bank: Buyer) -> None:
    dispute = opened(bank, "needs_response")
    bank.world.settle()

    item = tasks().get()
    assert "do not refund" in item.sentence
    assert "Submit evidence" in item.sentence
    assert not Action.objects.filter(kind=REFUND).exists()
    assert (Dispute.objects.get().kind, item.owner_group) == ("chargeback", "Billing Resolver")

    moved(bank, dispute, "lost")
    bank.world.settle()
    asked = Action.objects.get(kind="contract.suspend")
    assert (asked.state, item_of(asked).why) == ("in_review", "dispute_asks")
    assert not tasks().exists()

    moved(bank, dispute, "appeal_needs_response")
    bank.world.settle()
    assert Action.objects.get(kind="contract.suspend").state == "superseded"
    assert "appeal" in tasks().get().sentence
    moved(bank, dispute, "appeal_under_review")
    moved(bank, dispute, "won")
    bank.world.settle()
    assert not tasks().exists()
    assert str(Dispute.objects.get().state) == "won"
    assert refunds(bank.world) == []
    assert verify.verify({"dispute": Subject(Dispute)}, {}).broken is None


def test_a_status_that_nobody_knows_is_open_and_asks(bank: Buyer) -> None:
    dispute = opened(bank)
    bank.world.hold("stripe")
    moved(bank, dispute, "arbitration_pending", force=True)
    bank.world.release("stripe")
    bank.world.settle()

    record = Dispute.objects.get()
    assert (str(record.state), record.is_open) == ("unclear", True)
    assert "'arbitration_pending'" in tasks().get().sentence


@pytest.mark.parametrize("order", ["reversed", "kept"])
def test_doubled_and_out_of_order_ends_the_same(bank: Buyer, order: str) -> None:
    bank.world.sandbox.faults({"provider": "stripe", "rules": [{"kind": "hook_duplicate", "times": 2}]})
    bank.world.hold("stripe")
    dispute = opened(bank)
    moved(bank, dispute, "warning_under_review")
    moved(bank, dispute, "needs_response")
    moved(bank, dispute, "under_review")
    moved(bank, dispute, "lost")
    moved(bank, dispute, "appeal_under_review")
    bank.world.release("stripe", order)
    bank.world.settle(0.1)

    record = Dispute.objects.get()
    assert (str(record.state), record.status, record.kind) == ("reviewed", "appeal_under_review", "chargeback")
    assert states(record) == ["reviewed"]
    assert not tasks().exists()
    assert (refunds(bank.world), Action.objects.filter(kind=REFUND).count()) == ([], 0)
    assert Event.objects.filter(kind="dispute.changed").exclude(state__in=("processed", "ignored")).count() == 0


def test_a_chargeback_between_approval_and_send_stops_the_refund(bank: Buyer, settings: Any) -> None:
    automations.place("dispute_recovery", "suggest", why="test")
    settings.MESHLINE_UNDO_SECONDS = 600
    world, dispute = bank.world, opened(bank)
    world.settle()
    approve(Action.objects.get(kind=REFUND))
    assert Action.objects.get(kind=REFUND).state == "approved"
    world.hold("stripe")
    moved(bank, dispute, "needs_response")
    Action.objects.update(available_at=clock.now())
    world.settle()

    asked = Action.objects.get(kind=REFUND)
    assert asked.state == "in_review", "read live right before sending"
    assert "refund_fits" in {one["rule"] for one in asked.answers if one["verdict"] == "block"}
    approve(asked)
    Action.objects.update(available_at=clock.now())
    world.settle(0.1)
    assert (Action.objects.get(kind=REFUND).state, refunds(world)) == ("in_review", [])

    world.release("stripe")
    world.settle()
    assert Action.objects.get(kind=REFUND).state == "superseded"
    assert "do not refund" in tasks().get().sentence
    assert ReviewItem.objects.exclude(state="resolved").count() == 1


def test_killed_stopped_and_lost_it_is_given_back_once(bank: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    world = bank.world
    stop.engage("all", by=person("Support"), reason="drill")
    opened(bank)
    world.settle(0.1)
    assert Action.objects.get(kind=REFUND).state == "parked"
    assert refunds(world) == []
    stop.request_resume("all", by=person("Support Manager"), reason="over")
    stop.confirm_resume("all", by=person("Support Manager"))
    world.fault({"kind": "lost_answer", "provider": "stripe", "method": "POST", "path": "/v1/refunds", "count": 1})
    with monkeypatch.context() as patched:
        patched.setattr(settle, "book_sent", kill)
        with pytest.raises(KilledError):
            world.until(REFUND, "applied")
    expire()

    done = world.until(REFUND, "applied")

    assert "unknown" in steps(done)
    assert (len(refunds(world)), bank.paid()["amount_refunded"]) == (1, done.amount_minor)


def test_a_fraud_warning_proposes_all_of_it_and_a_person_looks(bank: Buyer) -> None:
    warning = bank.world.play("stripe", "warn_fraud", charge=bank.charge)["warning"]
    bank.world.settle()

    action = Action.objects.get(kind=REFUND)
    assert (action.state, action.amount_minor, action.params["reason"]) == ("in_review", 4900, "fraudulent")
    assert item_of(action).why in ("dispute_asks", "low-confidence")
    bank.world.play("stripe", "settle_warning", warning=warning)
    bank.world.settle()
    assert Action.objects.get(kind=REFUND).state == "superseded"
    assert (str(Dispute.objects.get().state), ReviewItem.objects.exclude(state="resolved").count()) == ("ended", 0)


def test_a_dispute_takes_the_place_of_its_warning(bank: Buyer) -> None:
    bank.world.play("stripe", "warn_fraud", charge=bank.charge)
    bank.world.settle()
    opened(bank, "needs_response")
    bank.world.settle()

    warned, disputed = Dispute.objects.order_by("id")
    assert (str(warned.state), str(disputed.state)) == ("ended", "waiting")
    assert Action.objects.get(kind=REFUND).state == "superseded"
    assert list(ReviewItem.objects.exclude(state="resolved")) == [tasks().get()]
    assert disputed.prior_disputes == 0
    bank.world.settle(0.1)
    assert refunds(bank.world) == []


def test_a_second_dispute_of_a_customer_is_a_persons(bank: Buyer) -> None:
    first = opened(bank)
    bank.world.until(REFUND, "applied")
    moved(bank, first, "warning_closed")
    bank.world.settle()
    bank.charge = bank.pays()
    opened(bank)
    bank.world.settle()

    asked = Action.objects.get(kind=REFUND, state="in_review")
    failing = {one["rule"] for one in asked.answers if one["verdict"] != "pass"}
    assert "dispute-history" in failing
    assert asked.params["prior_disputes"] == 1

"""What follows a refund: a credit memo in the ERP's books, a note on the ticket, and a person when it comes back."""

import time
from typing import Any

import pytest

from gates import stop
from gates.models import ReviewItem
from ledger.models import Action, Event, LedgerRow
from sync import settle
from sync.models import Refund
from sync.providers import netsuite_records
from tests.factories import ExternalIdFactory
from tests.flows.shop import Buyer, approve, approved, ask, buyer_of, refunds
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import World, steps
from tests.people.cast import person

MEMO, NOTE = "credit_memo.create", "refund.note"


@pytest.fixture
def booked(shop: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A shop whose ERP lists are read anew."""
    monkeypatch.setattr(netsuite_records, "LISTED", netsuite_records.Lists())
    return shop


def known_to_erp(buyer: Buyer) -> str:
    """The customer's record in the ERP."""
    made = buyer.world.play("netsuite", "create_customer", name=f"Initech {buyer.stripe}", stripe_customer=buyer.stripe)
    ExternalIdFactory(system="netsuite", kind="customer", value=made["id"], customer=buyer.contract.customer)
    return str(made["id"])


def ticket_of(buyer: Buyer, **more: Any) -> str:
    """A ticket somebody wrote."""
    return str(buyer.world.play("zendesk", "create_ticket", subject="Money back", **more)["ticket"])


def memos(world: World) -> list[dict[str, Any]]:
    """The credit memos in the ERP's books."""
    return list(world.sandbox.books("netsuite")["objects"]["creditMemo"].values())


def notes(world: World, ticket: str) -> list[str]:
    """What was said inside a ticket."""
    comments = world.sandbox.books("zendesk")["objects"]["comments"][ticket]
    return [one["body"] for one in comments if not one["public"]]


@pytest.mark.parametrize(
    ("currency", "amount", "minor", "total"),
    [("usd", 4900, 300, 3.0), ("eur", 4900, 1, 0.01), ("jpy", 980_000, 980, 980), ("kwd", 49_000, 1230, 1.23)],
)
def test_a_confirmed_refund_is_in_the_books_and_on_the_ticket(
    booked: World, currency: str, amount: int, minor: int, total: float
) -> None:
    buyer = buyer_of(booked, amount=amount, currency=currency)
    customer, ticket = known_to_erp(buyer), ticket_of(buyer)
    action = ask(buyer, minor, ticket=ticket)
    shown = [(one["system"], one["field"]) for one in action.preview]
    assert shown[1][1] == f"{buyer.charge} can still be refunded"
    assert shown[2:] == [("ERP", f"credit memo of customer {customer}"),
                         ("Support desk", f"ticket {ticket}: internal note")]  # fmt: skip
    approve(action)
    if currency == "kwd":
        approve(action)

    memo, note = booked.until(MEMO, "applied"), booked.until(NOTE, "applied")

    done = Action.objects.get(pk=action.pk)
    refund = done.confirmation["id"]
    kept = memos(booked)
    assert len(kept) == 1
    assert (kept[0]["externalId"], kept[0]["entity"]["id"], kept[0]["total"]) == (f"mesh-cm-{refund}", customer, total)
    assert kept[0]["currency"]["refName"] == currency.upper()
    assert (memo.confirmation["amount_minor"], memo.confirmation["currency"]) == (minor, currency)
    assert (memo.automation, memo.amount_minor, steps(memo)) == ("", None, ["approved", "sending", "applied"])
    assert len({done.key, memo.key, note.key}) == 3
    assert [one.startswith("Refund issued: ") and refund in one for one in notes(booked, ticket)] == [True]
    record = Refund.objects.get()
    assert (record.provider_id, record.state, record.action_id) == (refund, "succeeded", done.pk)
    assert LedgerRow.objects.filter(subject_kind="refund").count() == 2
    assert Action.objects.count() == 3


def test_the_memo_names_the_invoice_that_the_erp_knows_and_comes_as_a_job(buyer: Buyer, booked: World) -> None:
    customer = known_to_erp(buyer)
    billed = booked.sandbox.books("stripe")["objects"]["invoices"]
    paid = next(iter(billed))
    made = booked.play("netsuite", "create_invoice", customer=customer, amount=49.0, stripe_invoice=paid)
    booked.play("netsuite", "set_options", job_share=1.0, job_delay_s=0.05)
    approved(buyer)

    memo = booked.until(MEMO, "applied")

    assert memos(booked)[0]["createdFrom"]["id"] == made["id"]
    assert memo.confirmation["invoice"] == made["id"]
    booked.play("netsuite", "set_options", job_share=0.0)


def test_a_memo_survives_lost_answers_and_a_kill_and_is_written_once(
    booked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = settle.book_sent

    def kill_at_memo(sent: Any, token: int) -> None:
        if any(one.one.kind_name == MEMO for one in sent):
            kill()
        before(sent, token)

    rules: list[dict[str, Any]] = [
        {"kind": "lost_answer"}, {"kind": "error_after", "status": 502}, {"kind": "error_before", "status": 503}, {},
    ]  # fmt: skip
    for count, rule in enumerate(rules, start=1):
        buyer = buyer_of(booked)
        known_to_erp(buyer)
        booked.fault(*([{**rule, "provider": "netsuite", "method": "PUT", "count": 1}] if rule else []))
        approved(buyer)
        if not rule:
            with monkeypatch.context() as patched:
                patched.setattr(settle, "book_sent", kill_at_memo)
                with pytest.raises(KilledError):
                    booked.settle()
            expire()
        written(booked, count)

    assert len(memos(booked)) == len({one["externalId"] for one in memos(booked)}) == len(refunds(booked)) == 4
    made = [one for one in booked.writes("netsuite") if one["object"].startswith("creditMemo/")]
    assert len(made) == 4, "none was written a second time"


def written(world: World, count: int) -> None:
    """Work until so many memos are confirmed."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        world.settle(0.05)
        if Action.objects.filter(kind=MEMO, state="applied").count() == count:
            return
    raise AssertionError(list(Action.objects.values_list("kind", "state", "last_error")))


def test_a_refund_that_fails_gets_no_memo_and_one_that_bounces_is_somebodys_work(booked: World) -> None:
    buyer = buyer_of(booked)
    known_to_erp(buyer)
    ticket = ticket_of(buyer)
    booked.play("stripe", "set_refunds", customer=buyer.stripe, status="failed")
    approved(buyer)
    booked.until("payment.refund", "failed")
    assert (memos(booked), Action.objects.count()) == ([], 1)

    booked.play("stripe", "set_refunds", customer=buyer.stripe, status="succeeded")
    buyer.charge = buyer.pays()
    action = approved(buyer, 500, ticket=ticket)
    memo = booked.until(MEMO, "applied")
    booked.until(NOTE, "applied")
    refund = Action.objects.get(pk=action.pk).confirmation["id"]
    booked.sandbox.faults({"provider": "stripe", "rules": [{"kind": "hook_duplicate", "times": 2}]})
    booked.play("stripe", "fail_refund", refund=refund)
    booked.settle(0.2)

    item = ReviewItem.objects.get(why="refund_bounced")
    assert f"({refund}) failed after it had succeeded" in item.sentence
    assert f"Have credit memo {memo.confirmation['number']} voided" in item.reason
    assert "correct it there" in item.reason
    assert (item.amount_minor, item.currency, item.error_code) == (500, "usd", "refund_bounced")
    assert Refund.objects.get(provider_id=refund).state == "failed"
    assert Action.objects.get(pk=action.pk).state == "applied", "what the provider confirmed stays as it was"
    assert ask(buyer, 100).facts["amount_30d_minor"] == 100 + 300, "what came back does not count any more"


def test_a_bounce_before_the_memo_withdraws_it_in_whatever_order_it_is_told(booked: World) -> None:
    buyer = buyer_of(booked)
    known_to_erp(buyer)
    stop.engage("provider:netsuite", by=person("Support"), reason="drill")
    action = approved(buyer)
    booked.until(MEMO, "parked")
    booked.hold("stripe")
    refund = Action.objects.get(pk=action.pk).confirmation["id"]
    booked.play("stripe", "fail_refund", refund=refund)
    booked.release("stripe", "reversed")

    booked.until(MEMO, "superseded")

    assert memos(booked) == []
    assert "There is no credit memo to void" in ReviewItem.objects.get(why="refund_bounced").reason
    assert Refund.objects.get().state == "failed"


def test_a_refund_made_by_hand_is_recorded_and_counted(booked: World) -> None:
    buyer = buyer_of(booked, amount=90_000)
    made = booked.play("stripe", "refund_charge", charge=buyer.charge, amount=30_000)
    booked.settle(0.1)

    record = Refund.objects.get()
    assert (record.provider_id, record.action_id, record.state) == (made["refund"], None, "succeeded")
    row = LedgerRow.objects.get(subject_kind="refund", decision="record")
    assert (row.outcome, row.amount_minor, row.currency) == ("by_hand", 30_000, "usd")
    assert not Action.objects.exists()
    second = ask(buyer, 30_000)
    limit = next(one for one in second.answers if one["rule"] == "refund-limit")
    assert (second.facts["amount_30d_minor"], limit["verdict"]) == (60_000, "review_two")
    approve(second)
    booked.settle(0.1)
    assert Action.objects.get(pk=second.pk).state == "in_review", "the second person is still missing"
    approve(second)
    booked.until("payment.refund", "applied")
    assert set(Event.objects.filter(type__startswith="refund.").values_list("state", flat=True)) <= {
        "processed", "ignored"
    }  # fmt: skip


def test_only_the_charge_told_of_it_so_its_refunds_are_read(booked: World) -> None:
    buyer = buyer_of(booked)
    booked.hold("stripe")
    booked.play("stripe", "refund_charge", charge=buyer.charge, amount=700)
    booked.settle()
    assert not Refund.objects.exists()
    booked.release("stripe", "reversed")
    booked.settle(0.2)

    assert Refund.objects.get().amount_minor == 700
    verdicts = set(Event.objects.filter(type__contains="refund").values_list("verdict", flat=True))
    assert "superseded: nothing newer in it" in verdicts, "the second message had nothing to add"


def test_a_customer_whom_the_erp_does_not_know_is_somebodys_to_book(buyer: Buyer) -> None:
    approved(buyer)
    buyer.world.until("payment.refund", "applied")

    item = ReviewItem.objects.get(why="no_erp_customer")
    assert "has no credit memo" in item.sentence
    assert not Action.objects.filter(kind=MEMO).exists()

"""What billing moves is in the ERP's books once: told by webhooks or found by the sweep, in any order, to the unit."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from gates import automations, policy, stop
from gates.models import ReviewItem
from gates.stop import Refused
from ledger import clock, sets
from ledger.models import Action, Event
from meshline import conf_accounting
from sync import settle
from sync.accounting import collecting
from sync.models import BalanceEntry, Delta, ReconcileRun
from sync.providers import netsuite_records, stripe_lists
from sync.reconcile import desk, judging, runs
from sync.sandbox import keys
from tests.factories import ExternalIdFactory
from tests.flows.shop import Buyer, approved, buyer_of, kept
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.test_refund_followed import known_to_erp, memos
from tests.flows.world import World, acting, steps
from tests.people.cast import person

ON = {
    "on": True, "since": datetime(2026, 1, 1, tzinfo=UTC), "clearing": {"*": "218", "eu": "221"},
    "fee": {"*": "219"}, "dispute": {"*": "220"}, "subsidiary": {}, "refund_method": {"*": "7"},
}  # fmt: skip
RECORDS = ("customerPayment", "customerRefund", "journalEntry")
FEE = 172  # of 49.00


@pytest.fixture
def books(shop: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A shop whose billing is replicated, from a day on that both clocks have behind them."""
    settings.MESHLINE_ACCOUNTING = {**ON, "since": clock.now() - timedelta(days=1)}
    monkeypatch.setattr(netsuite_records, "LISTED", netsuite_records.Lists())
    monkeypatch.setattr(judging, "AIR", timedelta(0))
    monkeypatch.setattr(stripe_lists, "PAGE", 3)
    acting("accounting")
    policy.forget()
    return shop


def booked(world: World) -> dict[str, list[tuple[str, Any]]]:
    """External ids and amounts in the ERP's books, by record."""
    objects = world.sandbox.get("/_books/netsuite?only=objects")["objects"]
    return {name: sorted((one["externalId"], _amount(one)) for one in objects[name].values()) for name in RECORDS}


def _amount(one: dict[str, Any]) -> Any:
    return one["total"] if "line" not in one else sum(line.get("debit", 0) for line in one["line"])


def writes(world: World) -> list[str]:
    """Every record of accounting that was written, by its address."""
    return [one["path"].split("/")[-1] for one in world.writes("netsuite") if one["object"].startswith(RECORDS)]


def due() -> None:
    sets.run("update sync_balanceentry set due_at = now() - interval '1 s'")


def work(world: World, *, seconds: float = 60.0) -> None:
    """Deliver, sweep and work until every action of accounting is applied or needs a person."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        world.settle()
        due()
        collecting.run()
        collecting.sweep()
        world.settle()
        open_ = Action.objects.filter(automation="accounting", state__in=("approved", "sending", "unknown"))
        if not open_.exists():
            return
        time.sleep(0.02)
    raise AssertionError(list(Action.objects.values_list("kind", "state", "last_error")))


def an_hour_ago() -> None:
    """What we wrote is no news any more."""
    Action.objects.filter(state="applied").update(applied_at=clock.now() - timedelta(hours=1))


def compare() -> ReconcileRun:
    return runs.to_the_end(runs.begin("accounting", runs.SHELL, in_background=False))


def test_a_payment_its_refund_and_fees_are_booked_once_in_any_order_and_agree(books: World) -> None:
    buyer = buyer_of(books)
    customer = known_to_erp(buyer)
    paid = books.sandbox.books("stripe")["objects"]["invoices"]
    invoice = books.play("netsuite", "create_invoice", customer=customer, amount=49.0, stripe_invoice=next(iter(paid)))
    # the refund's events come before those of the payment, each twice; the payment's own event comes last
    refund = books.play("stripe", "refund_charge", charge=buyer.charge, amount=300)["refund"]
    told = books.play("stripe", "send_event", type="charge.succeeded", object=buyer.charge)["events"][0]
    books.play("stripe", "redeliver", event=told, times=2)
    books.settle()
    assert set(BalanceEntry.objects.values_list("provider_id", flat=True)) >= {
        kept(books, refund)["balance_transaction"], kept(books, buyer.charge)["balance_transaction"]
    }  # fmt: skip
    assert collecting.run() == "2 planned"
    work(books)
    work(books)

    fee = kept(books, buyer.charge)["balance_transaction"]
    assert booked(books) == {
        "customerPayment": [(f"mesh-pay-{buyer.charge}", 49.0)], "customerRefund": [(f"mesh-ref-{refund}", 3.0)],
        "journalEntry": [(f"mesh-fee-{fee}", FEE / 100)],
    }  # fmt: skip
    assert len(writes(books)) == 3
    objects = books.sandbox.get("/_books/netsuite?only=objects")["objects"]
    payment = next(iter(objects["customerPayment"].values()))
    assert [(line["doc"]["id"], line["amount"]) for line in payment["apply"]] == [(invoice["id"], 49.0)]
    assert objects["invoice"][invoice["id"]]["amountRemaining"] == 0
    assert (memos(books)[0]["externalId"], memos(books)[0]["amountRemaining"]) == (f"mesh-cm-{refund}", 0)
    journal = next(iter(objects["journalEntry"].values()))
    lines = [(line["account"]["id"], line.get("debit"), line.get("credit")) for line in journal["line"]]
    assert lines == [("219", 1.72, None), ("218", None, 1.72)]
    action = Action.objects.get(kind="payment.record")
    assert steps(action) == ["approved", "sending", "applied"]
    assert (action.event and action.event.type, action.customer_id) == ("charge.succeeded", buyer.contract.customer_id)
    assert action.confirmation
    assert action.confirmation["external_id"] == f"mesh-pay-{buyer.charge}"

    # our own refund has its memo from the refund itself, and the record settles that one
    approved(buyer, 500)
    books.until("credit_memo.create", "applied")
    work(books)
    assert [amount for _, amount in booked(books)["customerRefund"]] in ([3.0, 5.0], [5.0, 3.0])
    assert Action.objects.filter(kind="credit_memo.create").count() == len(memos(books)) == 2
    assert all(one["amountRemaining"] == 0 for one in memos(books))

    run = compare()
    assert (run.outcome, run.counts, run.gaps, run.left_rows, run.right_rows) == ("agree", {}, [], 4, 4)
    net = 4900 - 800 - FEE
    assert run.totals == [
        ["payment", "usd", 1, 4900, 1, 4900], ["refund", "usd", 2, 800, 2, 800], ["fee", "usd", 1, FEE, 1, FEE],
        ["net", "usd", 4, net, 4, net],
    ]  # fmt: skip


def test_lost_answers_a_kill_and_a_stop_write_nothing_twice(books: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settle.book_sent

    def kill_at_payment(sent: Any, token: int) -> None:
        if any(one.one.kind_name == "payment.record" for one in sent):
            kill()
        before(sent, token)

    rules: list[dict[str, Any]] = [{"kind": "lost_answer"}, {"kind": "error_after", "status": 502}, {}]
    for currency, amount, rule in zip(("usd", "jpy", "kwd"), (4900, 980_000, 49_000), rules, strict=True):
        buyer = buyer_of(books, amount=amount, currency=currency)
        known_to_erp(buyer)
        books.fault(*([{**rule, "provider": "netsuite", "method": "PUT", "count": 2}] if rule else []))
        if not rule:
            collecting.sweep()
            with monkeypatch.context() as patched:
                patched.setattr(settle, "book_sent", kill_at_payment)
                with pytest.raises(KilledError):
                    books.settle()
            expire()
        work(books)
    amounts = sorted(amount for _, amount in booked(books)["customerPayment"])
    assert amounts == [49.0, 49.0, 980_000]  # dollars, dinars to the thousandth, whole yen
    assert len(writes(books)) == len(set(writes(books))) == 6

    # stopped: planned, parked, and nothing leaves until it is resumed
    stop.engage("all", by=person("Support Manager"), reason="a test")
    buyer = buyer_of(books)
    known_to_erp(buyer)
    collecting.sweep()
    books.settle()
    assert set(Action.objects.filter(target=f"record:payment {buyer.charge}").values_list("state", flat=True)) == {
        "parked"
    }
    assert len(writes(books)) == 6


def test_what_nobody_may_guess_waits_for_a_person_and_is_booked_once_it_is_known(books: World, settings: Any) -> None:
    buyer, other = buyer_of(books), buyer_of(books)
    known_to_erp(other)
    books.play("stripe", "change_balance", source=other.charge, fields={"currency": "eur", "amount": 4500})
    rows = [
        {"type": "stripe_fee", "category": "fee", "amount": -25},
        {"type": "payout", "category": "payout", "amount": -9},
        {"type": "adjustment", "category": "climate_order_purchase", "amount": -1},
    ]  # fmt: skip
    books.play("stripe", "plant_balance", rows=rows)
    work(books)
    work(books)
    waits = {one.why: one for one in ReviewItem.objects.filter(kind="accounting.entry")}
    assert set(waits) == {"no_erp_customer", "other_currency", "unknown_category"}
    assert "is not linked to the ERP" in waits["no_erp_customer"].sentence
    assert waits["no_erp_customer"].customer_id == buyer.contract.customer_id
    assert [amount for _, amount in booked(books)["journalEntry"]] == [0.25]  # of nobody, and halted like any write
    assert Action.objects.get(kind="fee.record").customer_id is None
    assert BalanceEntry.objects.get(category="payout").outcome == "skipped"
    with pytest.raises(SystemExit, match="1"):
        call_command("accounting")

    known_to_erp(buyer)
    work(books)
    assert [name for name, _ in booked(books)["customerPayment"]] == [f"mesh-pay-{buyer.charge}"]
    waits["no_erp_customer"].refresh_from_db()
    assert (waits["no_erp_customer"].state, waits["no_erp_customer"].resolution) == ("resolved", "superseded")
    # a person booked the other one by hand: it is left alone from now on
    ReviewItem.objects.filter(kind="accounting.entry", why="other_currency").update(state="resolved")
    work(books)
    assert BalanceEntry.objects.get(source=other.charge).outcome == "skipped"

    # a bank takes a payment back, and returns it; billing keeps its fee
    dispute = books.play("stripe", "open_dispute", charge=buyer.charge)["dispute"]
    books.play("stripe", "close_dispute", dispute=dispute, status="won")
    work(books)
    words = sorted(name.rsplit("-", 1)[0] for name, _ in booked(books)["journalEntry"])
    assert words == ["mesh-dis", "mesh-disback", "mesh-fee", "mesh-fee", "mesh-fee"]

    settings.MESHLINE_ACCOUNTING = {**ON, "on": False}
    assert (collecting.run(), collecting.sweep()) == ("accounting is off", "accounting is off")
    with pytest.raises(Refused, match="MESHLINE_ACCOUNTING=1"):
        runs.begin("accounting", runs.SHELL)
    with pytest.raises(CommandError, match="MESHLINE_ACCOUNTING=1"):
        call_command("accounting")


def test_in_shadow_it_only_observes_and_a_refund_that_came_back_is_somebodys_work(books: World) -> None:
    automations.place("accounting", "shadow", why="test")
    policy.forget()
    buyer = buyer_of(books)
    known_to_erp(buyer)
    refund = books.play("stripe", "refund_charge", charge=buyer.charge, amount=700)["refund"]
    work(books)
    work(books)
    assert set(Action.objects.values_list("state", "mode")) == {("observed", "shadow")}
    assert Action.objects.count() == 4  # payment, fee, memo, refund: once, however often it is looked at
    assert (writes(books), ReviewItem.objects.count()) == ([], 0)

    automations.place("accounting", "full", why="test")
    policy.forget()
    work(books)
    assert {name: len(rows) for name, rows in booked(books).items()} == dict.fromkeys(RECORDS, 1)
    books.play("stripe", "fail_refund", refund=refund)
    work(books)
    item = ReviewItem.objects.get(kind="accounting.entry")
    assert (item.why, item.amount_minor) == ("refund_came_back", 700)
    # what billing does not count any more is a difference of the books
    assert compare().counts == {"echo": 1}  # at first it may only be a write of ours that billing overtook
    an_hour_ago()
    assert compare().outcome == "differ"
    open_ones = Delta.objects.exclude(kind="echo").values_list("kind", "key")
    assert list(open_ones) == [("missing_left", f"refund {refund}")]


def second_account(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_STRIPE_WEBHOOK_SECRETS_EU", keys.STRIPE_ACCOUNTS["eu"][1])
    providers = settings.MESHLINE_PROVIDERS
    accounts = {"eu": {"api_key": keys.STRIPE_ACCOUNTS["eu"][0], "id": ""}}
    settings.MESHLINE_PROVIDERS = {**providers, "stripe": {**providers["stripe"], "accounts": accounts}}


def paid_abroad(buyer: Buyer) -> str:
    """A payment of the same customer into the second account."""
    play = buyer.world.play
    eu = play("stripe", "create_customer", name="EU", email="eu@sandbox.test", account="eu")["customer"]
    sub = play("stripe", "create_subscription", customer=eu, mrr=1000, currency="eur", account="eu")
    ExternalIdFactory(value=eu, customer=buyer.contract.customer)
    return str(play("stripe", "pay_invoice", subscription=sub["subscription"], account="eu")["charge"])


def test_the_comparison_finds_what_is_missing_wrong_or_twice_and_a_person_asks_for_it(
    books: World, settings: Any, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    second_account(settings, monkeypatch)
    buyers = [buyer_of(books) for _ in range(4)]
    for buyer in buyers:
        known_to_erp(buyer)
    abroad = paid_abroad(buyers[0])
    # refunds are read live in the account that they are of, whichever else the customer pays into
    for charge, place in ((abroad, {"account": "eu"}), (buyers[0].charge, {})):
        books.play("stripe", "refund_charge", charge=charge, amount=200, **place)
    work(books)
    objects = books.sandbox.get("/_books/netsuite?only=objects")["objects"]
    refunded = [(one["account"]["id"], one["total"]) for one in objects["customerRefund"].values()]
    assert sorted(refunded) == [("218", 2), ("221", 2)]
    accounts_used = {one["externalId"]: one["account"]["id"] for one in objects["customerPayment"].values()}
    assert accounts_used[f"mesh-pay-{abroad}"] == "221"
    assert accounts_used[f"mesh-pay-{buyers[0].charge}"] == "218"
    run = compare()
    assert (run.outcome, run.left_rows, run.right_rows) == ("agree", 12, 12)

    missing, wrong, twice, alien = (one.charge for one in buyers)
    fee = kept(books, alien)["balance_transaction"]
    books.play("netsuite", "unbook", record="customerPayment", id=f"eid:mesh-pay-{missing}")
    books.play(
        "netsuite", "change_book", record="customerPayment", id=f"eid:mesh-pay-{wrong}", fields={"payment": 48.99}
    )
    row = next(one for one in objects["customerPayment"].values() if one["externalId"] == f"mesh-pay-{twice}")
    copy = {name: row[name] for name in ("customer", "currency", "account", "payment", "memo", "custbody_mesh_action")}
    books.play("netsuite", "book", record="customerPayment", fields=copy)
    direct = {**copy, "memo": "cheque 17", "custbody_mesh_action": ""}  # paid in the ERP itself: nobody's business here
    books.play("netsuite", "book", record="customerPayment", fields=direct)
    books.play("netsuite", "unbook", record="journalEntry", id=f"eid:mesh-fee-{fee}")
    an_hour_ago()
    run = compare()
    assert (run.outcome, run.counts) == ("differ", {"duplicate": 1, "field_differs": 1, "missing_right": 2})
    assert set(Delta.objects.values_list("kind", "key")) == {
        ("missing_right", f"payment {missing}"), ("missing_right", f"fee {fee}"),
        ("field_differs", f"payment {wrong}"), ("duplicate", f"payment {twice}"),
    }  # fmt: skip
    client.force_login(User.objects.create_superuser("nadia", "n@meshline.example", "x"))
    page = client.get(reverse("admin:sync_reconcilerun_change", args=[run.pk])).content.decode()
    assert "Payments, USD" in page
    assert "195.99 USD (4)" in page
    assert run.totals[4] == ["payment", "usd", 4, 19600, 4, 3 * 4900 + 4899]

    delta = Delta.objects.get(key=f"payment {missing}")
    with pytest.raises(Refused, match=r"it needs sync\.work_delta"):
        desk.propose(delta.pk, by=person("Auditor"), version=delta.state_version, reason="it is missing")
    asked = desk.propose(delta.pk, by=person("Billing Resolver"), version=delta.state_version, reason="it is missing")
    assert Action.objects.get(pk=str(asked.action_id)).automation == ""
    books.until("payment.record", "applied")
    work(books)
    an_hour_ago()
    assert compare().counts == {"duplicate": 1, "field_differs": 1, "missing_right": 1}
    # a list that cannot be read whole is said to be, and nothing of it is called missing
    books.fault({"kind": "error_before", "status": 400, "provider": "netsuite", "method": "POST", "count": 1})
    partial = compare()
    assert (partial.outcome, partial.counts, partial.totals, partial.gaps[0][0]) == ("partial", {}, [], "payments")
    assert Event.objects.filter(type="accounting.sweep").exists()


def test_the_settings_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert conf_accounting.read("default")["on"] is False
    monkeypatch.setenv("MESHLINE_ACCOUNTING", "1")
    given = {"SINCE": "2026-12-01", "CLEARING_ACCOUNT": "default=218,eu=221,*=222", "FEE_ACCOUNT": "219"}
    for name, value in given.items():
        with pytest.raises(ImproperlyConfigured, match=f"MESHLINE_ACCOUNTING_{name}.* Example: MESHLINE_ACCOUNTING_"):
            conf_accounting.read("default")
        monkeypatch.setenv(f"MESHLINE_ACCOUNTING_{name}", value)
    monkeypatch.setenv("MESHLINE_ACCOUNTING_DISPUTE_ACCOUNT", "six")
    with pytest.raises(ImproperlyConfigured, match="not 'six'"):
        conf_accounting.read("default")
    monkeypatch.setenv("MESHLINE_ACCOUNTING_DISPUTE_ACCOUNT", "220")
    read = conf_accounting.read("default")
    assert (read["clearing"], read["fee"]) == ({"": "218", "eu": "221", "*": "222"}, {"*": "219"})
    assert read["since"] == datetime(2026, 12, 1, tzinfo=UTC)

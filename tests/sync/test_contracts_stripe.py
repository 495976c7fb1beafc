"""Stripe's events are read through their contract: right in every generation, drift instead of a guess."""

import copy
from datetime import UTC, datetime

import pytest

from sync import contracts
from sync.contracts import Drift, Semantics
from sync.contracts import stripe as contract
from tests.sync.payloads import GENERATIONS, names, payload, resources

FIXTURE_TIME = datetime.fromtimestamp(1234567890, UTC)
OCCURRED = datetime.fromtimestamp(1795250000, UTC)


def event(type_, generation, resource, **changes):
    found = resources(generation)
    shape = {**found["resources"][resource], **changes}
    return {"id": "evt_1", "type": type_, "created": 1795250000, "api_version": found["api_version"],
            "data": {"object": shape}}  # fmt: skip


def read(document):
    return contracts.read("stripe", document["type"], document["api_version"], document)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_invoices_of_each_generation(generation):
    if generation == "acacia":
        changes = {"subscription": "sub_9", "status": "open", "paid": False}
    else:
        changes = {"status": "open"}
    seen = read(event("invoice.payment_failed", generation, "invoice", attempt_count=2, **changes))
    assert seen == contract.InvoiceSeen(
        invoice_id="in_1Pgc6tB7WZ01zgkWu9fdqL6I",
        number="",
        customer_id="cus_QXg1o8vcGmoR32",
        subscription_id="sub_9" if generation == "acacia" else "subscription",
        status="open",
        is_paid=False,
        attempt_count=2,
        next_attempt_at=FIXTURE_TIME,
        amount_due=1000,
        amount_remaining=1000,
        currency="usd",
        occurred_at=OCCURRED,
        created_at=FIXTURE_TIME,
        paid_at=None,
    )


@pytest.mark.parametrize("generation", GENERATIONS)
def test_subscriptions_of_each_generation(generation):
    seen = read(event("customer.subscription.updated", generation, "subscription"))
    assert isinstance(seen, contract.SubscriptionSeen)
    end = FIXTURE_TIME if generation == "acacia" else datetime.fromtimestamp(976287773, UTC)
    assert (seen.status, seen.period_end, seen.currency, seen.amount_minor) == ("active", end, "usd", 2000)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_disputes_warnings_and_customers_of_each_generation(generation):
    dispute = read(event("charge.dispute.created", generation, "dispute"))
    assert (dispute.charge_id, dispute.amount, dispute.is_open) == ("ch_1PgafuB7WZ01zgkWXYmPNZs8", 1000, True)
    warning = read(event("radar.early_fraud_warning.created", generation, "radar.early_fraud_warning"))
    assert (warning.charge_id, warning.is_actionable) == ("ch_1234", True)
    customer = read(event("customer.updated", generation, "customer", metadata={"meshline_external_id": "mesh-1"}))
    assert (customer.id, customer.external_id, customer.is_deleted) == ("cus_QXg1o8vcGmoR32", "mesh-1", False)
    assert read(event("customer.deleted", generation, "deleted_customer")).is_deleted


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_published_resource_as_every_known_type_never_raises(generation):
    for name in resources(generation)["resources"]:
        for type_ in [*contract.CONTRACTS, "charge.failed", "no.such.type"]:
            read(event(type_, generation, name))


@pytest.mark.parametrize("name", names("stripe"))
def test_hand_written_bodies_are_read(name):
    document = payload("stripe", name)
    seen = read(document)
    assert not isinstance(seen, Drift)
    kind = contracts.contract_for("stripe", name).kind
    assert (seen is None) == (kind == "informational")


def test_what_the_endive_bodies_say():
    failed, paid = read(payload("stripe", "invoice.payment_failed")), read(payload("stripe", "invoice.paid"))
    assert (failed.subscription_id, failed.is_paid, failed.attempt_count) == ("sub_9", False, 2)
    assert failed.next_attempt_at == datetime.fromtimestamp(1795509200, UTC)
    assert (paid.is_paid, paid.amount_remaining, paid.next_attempt_at) == (True, 0, None)
    assert paid.paid_at == datetime.fromtimestamp(1795260000, UTC)
    assert not read(payload("stripe", "charge.dispute.closed")).is_open


@pytest.mark.parametrize(
    ("type_", "kind", "semantics"),
    [
        ("invoice.payment_failed", "payment.failed", Semantics.TRANSIENT),
        ("invoice.paid", "payment.succeeded", Semantics.CONTRADICTING),
        ("invoice.payment_succeeded", "payment.succeeded", Semantics.CONTRADICTING),
        ("invoice.voided", "invoice.closed", Semantics.FINAL),
        ("invoice.marked_uncollectible", "invoice.closed", Semantics.TRANSIENT),
        ("customer.subscription.paused", "subscription.changed", Semantics.TRANSIENT),
        ("customer.subscription.deleted", "subscription.ended", Semantics.FINAL),
        ("charge.dispute.funds_withdrawn", "dispute.changed", Semantics.TRANSIENT),
        ("charge.dispute.invented_later", "dispute.changed", Semantics.TRANSIENT),
        ("radar.early_fraud_warning.created", "fraud.warned", Semantics.TRANSIENT),
        ("customer.deleted", "customer.gone", Semantics.FINAL),
        ("charge.refunded", "charge.refunded", Semantics.TRANSIENT),
        ("payment_intent.succeeded", "informational", Semantics.INFORMATIONAL),
        ("invoice.payment_attempt_required", "informational", Semantics.INFORMATIONAL),
        ("invoice_payment.paid", "informational", Semantics.INFORMATIONAL),
        ("refund.failed", "refund.changed", Semantics.FINAL),
        ("v1.invoice.payment_failed", "unknown", Semantics.INFORMATIONAL),
        ("mandate.updated", "unknown", Semantics.INFORMATIONAL),
        ("", "unknown", Semantics.INFORMATIONAL),
    ],
)
def test_kinds(type_, kind, semantics):
    found = contracts.contract_for("stripe", type_)
    assert (found.kind, found.semantics) == (kind, semantics)


def invoice(**changes):
    document = payload("stripe", "invoice.payment_failed")
    document["data"]["object"].update(changes)
    return document


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", None),
        ("id", 7),
        ("id", "in_\x00"),
        ("customer", None),
        ("customer", ["cus_1"]),
        ("status", "stuck"),
        ("status", None),
        ("amount_due", "4900"),
        ("amount_due", 49.0),
        ("amount_due", True),
        ("amount_due", -1),
        ("amount_due", 2**63),
        ("amount_remaining", None),
        ("attempt_count", -1),
        ("currency", "zzz"),
        ("currency", ""),
        ("currency", 840),
        ("next_payment_attempt", -1),
        ("next_payment_attempt", 0),
        ("next_payment_attempt", 10**15),
        ("next_payment_attempt", "tomorrow"),
        ("next_payment_attempt", True),
        ("parent", "sub_9"),
        ("paid", True),
        ("paid", "no"),
        ("status_transitions", []),
    ],
)
def test_a_wrong_member_is_drift(member, value):
    drift = read(invoice(**{member: value}))
    assert isinstance(drift, Drift)
    assert drift.member == member if member != "parent" else drift.member in ("parent", "subscription")
    assert (drift.source, drift.type, drift.api_version) == ("stripe", "invoice.payment_failed", "2026-10-28.endive")


@pytest.mark.parametrize("member", contract.CONTRACTS["invoice.payment_failed"].required)
def test_a_missing_member_is_drift(member):
    document = invoice()
    del document["data"]["object"][member]
    assert read(document).member == member


def test_neither_old_nor_new_key_is_drift():
    document = invoice()
    del document["data"]["object"]["parent"]
    assert read(document).member == "subscription"
    changed = payload("stripe", "customer.subscription.updated")
    del changed["data"]["object"]["items"]["data"][0]["current_period_end"]
    assert read(changed).member == "current_period_end"


def test_old_and_new_key_must_agree():
    assert read(invoice(subscription="sub_9")).subscription_id == "sub_9"
    assert read(invoice(subscription=None)).subscription_id == "sub_9"
    assert isinstance(read(invoice(subscription="sub_other")), Drift)


def test_a_one_off_invoice_has_no_subscription():
    assert read(invoice(parent=None)).subscription_id == ""


@pytest.mark.parametrize(
    ("version", "is_known"),
    [
        ("2026-10-28.endive", True),
        ("2025-03-31.basil", True),
        ("2024-06-20", True),
        ("2020-08-27", True),
        ("2027-03-31.fuchsia", False),
        ("2027-01-01", False),
        ("", False),
        ("endive", False),
        ("2026-10-28.endive.preview", False),
    ],
)
def test_a_generation_nobody_looked_at_is_drift(version, is_known):
    document = invoice()
    found = contracts.read("stripe", document["type"], version, document)
    assert isinstance(found, contract.InvoiceSeen if is_known else Drift)


@pytest.mark.parametrize("broken", [{}, {"data": None}, {"data": []}, {"data": {"object": "in_1"}}, {"data": {}}])
def test_an_event_without_its_object_is_drift(broken):
    document = {**invoice(), **broken}
    if not broken:
        del document["data"]
    assert isinstance(read(document), Drift)


def subscription(*items, **changes):
    found = payload("stripe", "customer.subscription.updated")
    shape = found["data"]["object"]
    if items:
        first = shape["items"]["data"][0]
        shape["items"]["data"] = [_merged(first, item) for item in items]
    shape.update(changes)
    return found


def _merged(first, changes):
    item = copy.deepcopy(first)
    item["price"].update(changes.pop("price", {}))
    item.update(changes)
    return item


@pytest.mark.parametrize(
    ("items", "monthly"),
    [
        ([{}], 4900),
        ([{"quantity": 3}], 14700),
        ([{}, {}], 9800),
        ([{"price": {"unit_amount": 12000, "recurring": {"interval": "year", "interval_count": 1}}}], 1000),
        ([{"price": {"unit_amount": 3000, "recurring": {"interval": "month", "interval_count": 3}}}], 1000),
        ([{"price": {"unit_amount": 300, "recurring": {"interval": "week", "interval_count": 1}}}], 1300),
        ([{"price": {"unit_amount": None}}], None),
        ([{"price": {"unit_amount": "4900"}}], None),
        ([{"price": {"recurring": None}}], None),
        ([{"price": {"recurring": {"interval": "month", "interval_count": 0}}}], None),
        ([{"price": {"unit_amount": 2**62}, "quantity": 2**62}], None),
    ],
)
def test_what_a_month_costs(items, monthly):
    assert read(subscription(*items)).amount_minor == monthly


def test_the_latest_item_ends_the_period():
    seen = read(subscription({"current_period_end": 1797835200}, {"current_period_end": 1799835200}))
    assert seen.period_end == datetime.fromtimestamp(1799835200, UTC)


def test_an_unknown_dispute_status_blocks_like_an_open_one():
    document = payload("stripe", "charge.dispute.created")
    document["data"]["object"]["status"] = "appeal_of_the_appeal"
    assert read(document).is_open


def test_a_customer_account_takes_the_place_of_a_customer():
    assert read(invoice(customer=None, customer_account="acct_7")).customer_id == "acct_7"

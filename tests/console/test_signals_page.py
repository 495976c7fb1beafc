"""The signals: what they are made of, their names wherever they are asked for, and that nobody waits for them."""

from datetime import timedelta

import pytest

from ledger import clock
from ledger.models import Customer
from sync import signals
from tests.api.client import by_token
from tests.factories import (
    ActionFactory,
    ContractFactory,
    EventFactory,
    ExternalIdFactory,
    ReviewItemFactory,
)

PAGE = "/admin/onboarding/report/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept():
    signals._kept.clear()


def deal(seconds, *, invoice="applied", state="applied", record="1", customer=None):
    """A deal signed a minute ago whose customer took so long; its invoice took ten seconds more."""
    signed = clock.now() - timedelta(minutes=1)
    contract = ContractFactory(customer=customer) if customer else ContractFactory()
    event = EventFactory(source="pipedrive", kind="deal.changed", occurred_at=signed, customer=contract.customer)
    about = {"contract": contract, "customer": contract.customer}
    done = {"applied_at": signed + timedelta(seconds=seconds), "confirmation": {"id": record}}
    made = ActionFactory(
        kind="customer.create", state=state, event=event, **about, **(done if state == "applied" else {})
    )
    if state == "applied":
        ActionFactory(
            kind="invoice.create", state=invoice, event=None, **about,
            applied_at=signed + timedelta(seconds=seconds + 10) if invoice == "applied" else None,
        )  # fmt: skip
    return made


def test_times_shares_and_the_queue_follow_from_rows():
    deal(10)
    deal(20, invoice="failed")
    ReviewItemFactory(action=deal(0, state="in_review"), automation="onboarding")
    deal(0, state="observed")

    found = signals.read(7)

    assert (found.customers.done, found.customers.planned) == (2, 3)
    assert (found.customers.p50, found.customers.p95) == pytest.approx((15, 19.5), abs=0.1)
    assert (found.invoices.done, found.invoices.share, found.invoices.p95) == pytest.approx((1, 0.5, 20), abs=0.1)
    assert (found.open, found.onboarding, found.duplicates, found.failure_rate) == (1, 1, 0, None)
    assert [(day.customers.done, day.opened) for day in found.days if day.customers.planned] == [(2, 1)]
    assert len(found.days) == 8


def test_what_is_older_than_the_window_does_not_count():
    deal(10)

    assert signals.read(1, now=clock.now() + timedelta(days=2)).customers.planned == 0
    with pytest.raises(ValueError, match="1 to"):
        signals.read(0)


def test_two_records_of_one_client_are_a_duplicate():
    owner = deal(10).customer
    deal(10, record="2", customer=owner)
    twice = deal(5).customer
    for value in ("7", "8"):
        ExternalIdFactory(system="netsuite", kind="customer", value=value, customer=twice, contract=None)

    assert signals.read(7).duplicates == 2
    assert Customer.objects.count() == 2


def test_what_takes_too_long_is_left_out_and_said(monkeypatch, support):
    deal(10)
    monkeypatch.setattr(signals, "MOST_MS", 60)
    monkeypatch.setattr(signals, "TIMES", "select pg_sleep(20)")

    found = signals.read(7)

    assert (found.customers, found.invoices, found.open) == (None, None, 0)
    assert "time_between_signed_and_customer_created" not in found.metrics()
    assert found.as_json()["time_to_first_invoice"] is None
    assert "could not be read in time" in support.get(PAGE).content.decode()


def test_the_page_shows_each_day_and_asks_a_fixed_number_of_queries(support, nobody, django_assert_max_num_queries):
    assert "No deal was signed" in support.get(PAGE).content.decode()
    signals._kept.clear()
    for _ in range(5):
        deal(10)

    with django_assert_max_num_queries(40):
        shown = support.get(f"{PAGE}?days=30").content.decode()

    assert "5 of 5 signed deals of 30 days are customers" in shown
    assert "p50 10.0 s, p95 10.0 s" in shown
    assert "In time" in shown
    assert nobody.get(PAGE).status_code == 403


def test_collectors_get_text_or_json_with_a_token(client, shipped):
    deal(10)
    caller = by_token("Auditor")

    text = caller.raw("/metrics", b"", method="GET")
    said = client.get("/metrics", headers={"Authorization": f"Bearer {caller.token}", "Accept": "application/json"})

    assert text["content-type"].startswith("text/plain")
    assert 'time_between_signed_and_customer_created{quantile="0.95"} 10.0' in text.content.decode()
    assert "human_queue_backlog 0" in text.content.decode()
    assert set(signals.NAMES) <= set(said.json())
    assert client.get("/metrics").status_code == 401
    assert signals.weekly().startswith("1 customers, p50 10.0 s")

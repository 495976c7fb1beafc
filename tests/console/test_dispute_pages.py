"""The pages of disputes: what is due first, how an amount comes about, and what a person is told to do."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates.playbooks.disputes import REFUND, RESPOND
from ledger import clock
from meshline.console import dispute_pages
from sync.models import Dispute
from tests import factories as f
from tests.api.client import by_session
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text

HERE = "/admin/disputes/"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def statements(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def test_the_list_shows_what_is_due_first_and_turns_its_pages(support, nobody, monkeypatch):
    monkeypatch.setattr(dispute_pages, "PAGE", 2)
    assert "No bank waits for an answer." in text(support.get(HERE))
    assert nobody.get(HERE).status_code == 403
    now, customer = clock.now(), f.CustomerFactory(name=EVIL)
    late, none, soon, last = (
        f.DisputeFactory(evidence_due_at=due, customer=customer, **more)
        for due, more in (
            (now + timedelta(days=9), {}), (None, {"state": "unclear", "status": EVIL}), (now + timedelta(days=1), {}),
            (now + timedelta(days=9), {"kind": "chargeback", "suggested_minor": None, "lines": []}),
        )
    )  # fmt: skip
    f.DisputeFactory(state="reviewed"), f.DisputeFactory(state="won", kind="warning", status="actionable")

    page = support.get(HERE)
    assert [one["name"] for one in page.context["rows"]] == [_link(soon), _link(late)]
    assert "<script>alert" not in page.content.decode()
    behind = support.get(f"{HERE}{page.context['older']}")
    assert [one["name"] for one in behind.context["rows"]] == [_link(last), _link(none)]
    assert not behind.context["older"]
    assert [one["name"] for one in support.get(f"{HERE}?kind=chargeback").context["rows"]] == [_link(last)]
    assert len(support.get(f"{HERE}?view=bank").context["rows"]) == 1
    assert len(support.get(f"{HERE}?view=closed").context["rows"]) == 1
    assert support.get(f"{HERE}?view=nowhere&kind=none&after=x").status_code == 200
    before = statements(support, HERE)
    monkeypatch.setattr(dispute_pages, "PAGE", 50)
    assert statements(support, HERE) == before

    shown = by_session("Support").get(f"/api/v1/disputes/?state=waiting&customer={customer.external_id}").json()
    assert [one["external_id"] for one in shown["results"]] == [one.external_id for one in (last, soon, late)]
    assert shown["results"][1]["lines"] == [
        ["Collected", 4900],
        ["Time used before the dispute, 10.0 of 30 days", -1633],
    ]
    assert f"DS-{soon.pk}" in text(support.get(f"/admin/ledger/customer/{customer.pk}/change/"))


def _link(one):
    return f'<a href="{HERE}{one.pk}/">DS-{one.pk}</a>'


def test_a_dispute_shows_its_sum_and_what_happened(support):
    one = f.DisputeFactory(customer=f.CustomerFactory())
    action = f.ActionFactory(
        kind=REFUND, state="in_review", correlation_id=one.correlation_id, amount_minor=3267, currency="usd",
        customer=one.customer, params={"dispute": one.external_id, "payment": one.charge, "amount_minor": 3267},
    )  # fmt: skip
    item = f.ReviewItemFactory(action=action, kind=REFUND, correlation_id=one.correlation_id, confidence=0.95)
    f.LedgerRowFactory(correlation_id=one.correlation_id)

    shown = text(support.get(f"{HERE}{one.pk}/"))
    for words in (
        one.advice, "Time used before the dispute, 10.0 of 30 days", "-16.33 USD", "32.67 USD", "half to even",
        "Refund disputed payment", one.external_id, "warning_needs_response", "95 in a hundred",
    ):  # fmt: skip
        assert words in shown, words
    assert support.get(f"{HERE}999999/").status_code == 404

    page = text(support.get(f"/admin/gates/reviewitem/{item.pk}/change/"))
    assert "How the amount comes about" in page
    assert f"Open DS-{one.pk}" in page
    action.amount_minor = 1000
    action.save()
    assert "Changed by a person to 10.00 USD" in text(support.get(f"/admin/gates/reviewitem/{item.pk}/change/"))


def test_pages_are_accessible_and_fit(console):  # noqa: F811
    page = console()
    one = f.DisputeFactory(customer=f.CustomerFactory())
    f.DisputeFactory(kind="chargeback", status="needs_response", suggested_minor=None, lines=[], confidence=None,
                     advice="The bank has taken the money: do not refund.", evidence_due_at=None)  # fmt: skip
    task = f.ReviewItemFactory(
        action=None, event=f.EventFactory(), kind=RESPOND, customer=one.customer, correlation_id=one.correlation_id,
        why="dispute", sentence="Inquiry dp_1 over 49.00 USD. Answer the bank's question.",
    )  # fmt: skip
    Dispute.objects.filter(pk=one.pk).update(task=task.pk)
    seen = {
        name: look_at(page, name, address)
        for name, address in {
            "list": HERE, "empty": f"{HERE}?view=closed", "one": f"{HERE}{one.pk}/",
            "task": f"/admin/gates/reviewitem/{task.pk}/change/",
        }.items()
    }  # fmt: skip

    assert faults(seen) == {}

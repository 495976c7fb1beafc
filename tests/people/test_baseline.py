"""A baseline is stored once a day, by who may, and later figures stand beside the first one."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from gates.stop import Refused
from ledger import clock
from meshline import baseline
from sync.baselines import BaselineFigure
from tests.factories import ContextFactory, ReviewItemFactory
from tests.people.cast import person

pytestmark = pytest.mark.django_db


def test_a_snapshot_is_stored_with_its_day_and_compared_with():
    now = clock.now()
    for kind, count in (("payment.refund", 3), ("contract.suspend", 1)):
        for n in range(count):
            ReviewItemFactory(kind=kind, bumps=int(n == 0))
    ReviewItemFactory(
        kind="payment.refund",
        state="resolved",
        cause="wrong_data",
        created_at=now - timedelta(hours=2),
        resolved_at=now,
    )
    invoices = [
        {"status": "open", "amount_due": 900, "amount_remaining": 900, "currency": "usd"},
        {"status": "paid", "amount_due": 100, "amount_remaining": 0, "currency": "usd"},
        {"status": "open", "amount_due": 5000, "amount_remaining": 500, "currency": "jpy"},
    ]
    ContextFactory(blocks={"billing:1": {"invoices": invoices}})
    lead = person("Revenue Ops Lead")

    baseline.take(by=lead)

    rows = BaselineFigure.objects.values_list("measure", "key", "value", "of")
    assert set(rows) == {
        ("ticket_kind", "payment.refund", 4, 5), ("ticket_kind", "contract.suspend", 1, 5),
        ("time_to_correct", "", 7200, 1), ("escalation_rate", "", 2, 5),
        ("revenue_leakage", "usd", 900, 1000), ("revenue_leakage", "jpy", 500, 5000),
    }  # fmt: skip
    assert {one.day for one in baseline.first()} == {now.date()}
    with pytest.raises(Refused, match="taken already"):
        baseline.take(by=lead)
    with pytest.raises(Refused, match=r"sync\.take_baseline"):
        baseline.take(by=person("Support"))
    with pytest.raises(Refused, match="1 to 365"):
        baseline.take(by=lead, days=0)
    said = io.StringIO()
    call_command("baseline", "--json", stdout=said)
    told = json.loads(said.getvalue())
    assert told["first"] == now.date().isoformat()
    assert {"measure": "escalation_rate", "key": "", "value": 2, "of": 5, "then": [2, 5]} in told["figures"]
    with pytest.raises(CommandError) as caught:
        call_command("baseline", "--take", "--as", lead.username)
    assert caught.value.returncode == 1

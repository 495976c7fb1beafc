"""The page on which a refund is asked for shows what is left of each payment, and each wrong value its sentence."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import Action
from tests.console.test_browser import VIEWS, browser, console, faults, look_at  # noqa: F401  fixtures
from tests.flows.shop import Buyer, refunds
from tests.people.cast import person


@pytest.fixture
def support(buyer: Buyer) -> Client:
    client = Client()
    client.force_login(person("Support"))
    return client


def page(buyer: Buyer) -> str:
    return reverse("admin:propose", args=[buyer.contract.pk])


def test_what_is_left_of_each_payment_is_shown_and_fills_in_the_form(buyer: Buyer, support: Client) -> None:
    buyer.world.play("stripe", "refund_charge", charge=buyer.charge, amount=900)
    newest = buyer.pays()

    shown = support.get(page(buyer), {"kind": "payment.refund"}).content.decode()

    assert shown.index(newest) < shown.index(buyer.charge)
    assert ("40.00 USD" in shown, "49.00 USD" in shown) == (True, True)
    assert f"params.payment={newest}&amp;params.currency=usd" in shown
    filled = support.get(page(buyer), {"kind": "payment.refund", "params.payment": newest}).content.decode()
    assert f'value="{newest}"' in filled
    buyer.world.fault({"kind": "error_before", "status": 503, "provider": "stripe", "method": "GET"})
    unread = support.get(page(buyer), {"kind": "payment.refund"})
    assert unread.status_code == 200
    assert "The payments cannot be read now" in unread.content.decode()


def test_each_wrong_value_has_its_sentence_on_the_page(buyer: Buyer, support: Client) -> None:
    right = {"payment": buyer.charge, "amount_minor": "3.00", "currency": "usd", "reason": "duplicate"}
    cases: list[tuple[dict[str, str], str]] = [
        ({"amount_minor": "0"}, "params.amount_minor: must be a whole number from 1"),
        ({"amount_minor": "-3.00"}, "params.amount_minor: must be a whole number from 1"),
        ({"amount_minor": "49.01"}, "49.01 USD is more than the 49.00 USD that can still be refunded"),
        ({"currency": "eur"}, "the payment is in usd, not in eur"),
        ({"payment": "ch_nowhere"}, "there is no payment ch_nowhere"),
        ({"ticket": "999999"}, "ticket 999999 was merged into another one or deleted"),
    ]
    for wrong, sentence in cases:
        sent: dict[str, Any] = {f"params.{name}": value for name, value in {**right, **wrong}.items()}
        answer = support.post(page(buyer), {"kind": "payment.refund", "reason": "x", "ask": "1", **sent})
        assert answer.status_code == 422, sentence
        assert sentence.lower() in answer.content.decode().lower(), sentence
    assert not Action.objects.exists()
    assert refunds(buyer.world) == []


def test_the_page_fits_and_is_accessible(buyer: Buyer, console: Any, live_server: Any) -> None:  # noqa: F811
    buyer.world.play("stripe", "refund_charge", charge=buyer.charge)
    buyer.world.play("stripe", "open_dispute", charge=buyer.pays())
    tab = console()

    seen = look_at(tab, "propose", f"{live_server.url}{page(buyer)}?kind=payment.refund", VIEWS)

    assert faults({"propose": seen}) == {}

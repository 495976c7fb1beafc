"""A refund from the proposal to the books: to the minor unit, once, whatever happens on the way."""

from typing import Any

import pytest

from gates import stop
from gates.stop import Refused
from ledger.models import Action, Event, LedgerRow
from sync import drain, settle
from sync.models import Attempt
from tests.flows.shop import Buyer, approve, approved, ask, buyer_of, kept, refunds
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import World, steps
from tests.people.cast import person


@pytest.mark.parametrize(
    ("currency", "amount", "minor", "shown"),
    [
        ("usd", 4900, 300, "3.00 USD"), ("eur", 4900, 4900, "49.00 EUR"), ("jpy", 980_000, 1, "1 JPY"),
        ("kwd", 49_000, 1230, "1.230 KWD"), ("isk", 490_000, 100, "1.00 ISK"),
    ],
)  # fmt: skip
def test_shown_approved_sent_and_kept_are_the_same_amount(
    shop: World, currency: str, amount: int, minor: int, shown: str
) -> None:
    buyer = buyer_of(shop, amount=amount, currency=currency)
    action = ask(buyer, minor)
    assert (action.state, shop.writes("stripe")) == ("in_review", [])
    assert action.preview[0]["after"] == shown
    approve(action)
    if currency in ("kwd", "isk"):
        assert Action.objects.get().state == "in_review", "no limit is set for it: two people"
        approve(action)

    done = shop.until("payment.refund", "applied")

    row = LedgerRow.objects.get(action_id=done.pk, post_state="applied")
    refund = kept(shop, row.confirmation_id)
    assert (refund["amount"], refund["currency"], refund["charge"]) == (minor, currency, buyer.charge)
    assert (row.amount_minor, row.currency, done.amount_minor, done.currency) == (minor, currency, minor, currency)
    assert done.confirmation["amount_minor"] == minor
    assert refund["metadata"] == {"meshline_action": str(done.pk)}
    assert buyer.paid()["amount_refunded"] == minor
    assert [one["action"] for one in refunds(shop)] == [str(done.pk)]
    assert steps(done) == ["in_review", "approved", "sending", "applied"]
    assert done.request["headers"][1] == ["Idempotency-Key", f"meshline-{done.pk}"]


def test_by_intent_and_by_charge_it_is_one_payment(buyer: Buyer) -> None:
    action = ask(buyer, payment=buyer.intent)

    assert action.business_key == f"payment:{buyer.charge}"
    with pytest.raises(Refused, match="the same is under way already"):
        ask(buyer, 500)


def test_what_was_read_to_ask_is_kept_with_the_action(buyer: Buyer) -> None:
    action = ask(buyer)

    assert Attempt.objects.filter(action=action, is_write=False).count() >= 3
    assert action.facts["payment"]["amount_minor"] == 4900
    assert action.facts["amount_30d_minor"] == 300


def test_the_rest_of_a_payment_can_follow_and_no_more(buyer: Buyer) -> None:
    world = buyer.world
    approved(buyer, 4000)
    world.until("payment.refund", "applied")
    with pytest.raises(
        Refused, match=r"10\.00 USD is more than the 9\.00 USD that can still be refunded of 49\.00 USD"
    ):
        ask(buyer, 1000)

    approved(buyer, 900)
    world.settle(0.1)

    assert set(Action.objects.values_list("state", flat=True)) == {"applied"}
    assert (buyer.paid()["amount_refunded"], len(refunds(world))) == (4900, 2)
    with pytest.raises(Refused, match=r"the payment is refunded already \(49\.00 USD\)") as no:
        ask(buyer, 1)
    assert no.value.status == 409


def test_our_own_refund_coming_back_starts_nothing_however_often(buyer: Buyer) -> None:
    world = buyer.world
    world.sandbox.faults({"provider": "stripe", "rules": [{"kind": "hook_duplicate", "times": 2}]})
    approved(buyer)
    world.until("payment.refund", "applied")
    world.settle(0.2)

    echoes = Event.objects.filter(type__in=("refund.created", "charge.refunded"))
    assert set(echoes.values_list("state", "deliveries")) == {("ignored", 3)}
    assert (Action.objects.count(), len(refunds(world))) == (1, 1)


def test_killed_between_call_and_confirm_is_refunded_once(buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    action = approved(buyer)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "book_sent", kill)
        with pytest.raises(KilledError):
            drain.once()
    assert Action.objects.get().state == "sending"

    expire()
    buyer.world.until("payment.refund", "applied")

    assert steps(Action.objects.get(pk=action.pk))[-2:] == ["unknown", "applied"]
    assert (buyer.paid()["amount_refunded"], len(refunds(buyer.world))) == (300, 1)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "lost_answer"}, {"kind": "lost_answer", "reset": True}, {"kind": "error_after", "status": 502},
        {"kind": "html", "status": 200}, {"kind": "cut_json"}, {"kind": "missing_id"},
    ],
    ids=lambda rule: "-".join(map(str, rule.values())),
)  # fmt: skip
def test_a_lost_answer_is_found_by_our_mark(buyer: Buyer, rule: dict[str, Any]) -> None:
    action = approved(buyer)
    buyer.world.fault({**rule, "provider": "stripe", "method": "POST", "path": "/v1/refunds", "count": 1})

    buyer.world.until("payment.refund", "applied")

    assert "unknown" in steps(Action.objects.get(pk=action.pk))
    assert (buyer.paid()["amount_refunded"], len(refunds(buyer.world))) == (300, 1)


def test_a_write_that_never_arrived_goes_again_with_the_same_bytes(buyer: Buyer) -> None:
    action = approved(buyer)
    buyer.world.fault(
        {
            "kind": "error_before",
            "status": 503,
            "provider": "stripe",
            "method": "POST",
            "path": "/v1/refunds",
            "count": 1,
        }
    )

    buyer.world.until("payment.refund", "applied")

    sent = Attempt.objects.filter(action=action, is_write=True).order_by("id")
    assert [one.status for one in sent] == [503, 200]
    assert len({one.request_body for one in sent}) == 1
    assert (buyer.paid()["amount_refunded"], len(refunds(buyer.world))) == (300, 1)


def test_a_repeat_is_looked_for_even_when_the_key_is_forgotten(buyer: Buyer) -> None:
    action = approved(buyer)
    buyer.world.until("payment.refund", "applied")
    Action.objects.filter(pk=action.pk).update(state="approved", in_lane=True, lease_until=None)
    buyer.world.sandbox.post("/_clock", {"advance_s": 24 * 3600 + 1})

    buyer.world.until("payment.refund", "applied")

    assert (buyer.paid()["amount_refunded"], len(refunds(buyer.world))) == (300, 1)


def test_while_stopped_nothing_is_sent(buyer: Buyer) -> None:
    approved(buyer)
    stop.engage("all", by=person("Support"), reason="drill")

    buyer.world.settle(0.1)

    assert Action.objects.get().state == "parked"
    assert buyer.world.writes("stripe") == []

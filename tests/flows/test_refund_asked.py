"""A refund that cannot be is said where it is asked for or edited, and nothing is sent."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gates.models import ReviewItem
from gates.stop import Refused
from ledger.models import Action, Event
from sync import proposals
from tests.flows.shop import Buyer, approve, approved, ask, buyer_of, item_of, refunds
from tests.flows.world import World
from tests.people.cast import person

BAD = [
    ({"amount_minor": 0}, "params.amount_minor: must be a whole number from 1 to"),
    ({"amount_minor": -300}, "params.amount_minor: must be a whole number from 1 to"),
    ({"amount_minor": 3.5}, "params.amount_minor: must be a whole number"),
    ({"amount_minor": "300"}, "params.amount_minor: must be a whole number"),
    ({"amount_minor": True}, "params.amount_minor: must be a whole number"),
    ({"amount_minor": 10**30}, "params.amount_minor: must be a whole number"),
    ({"amount_minor": 4901}, "params.amount_minor: 49.01 USD is more than the 49.00 USD that can still be refunded"),
    ({"currency": "eur"}, "params.currency: the payment is in usd, not in eur"),
    ({"currency": "USD"}, "params.currency: must be a text of 1 to 3 characters matching"),
    ({"currency": "xyz"}, "params.currency: xyz is not a currency we know"),
    ({"payment": "ch_nowhere"}, "params.payment: there is no payment ch_nowhere"),
    ({"payment": "pi_nowhere"}, "params.payment: there is no payment pi_nowhere"),
    ({"payment": "in_1"}, "params.payment: must be a text of 1 to 64 characters matching"),
    ({"payment": "ch_1/../x"}, "params.payment: must be a text of 1 to 64 characters matching"),
    ({"reason": "because"}, "params.reason: must be one of duplicate, fraudulent, requested_by_customer"),
    ({"fee": 1}, "params.fee: is not known here"),
]


def test_bad_input_gets_its_sentence_and_nothing_is_sent(buyer: Buyer) -> None:
    for wrong, said in BAD:
        with pytest.raises(Refused) as no:
            ask(buyer, **{"minor": 300, **{"minor" if name == "amount_minor" else name: wrong[name] for name in wrong}})
        assert (no.value.status, no.value.message[: len(said)]) == (422, said)

    assert not Action.objects.exists()
    assert not ReviewItem.objects.exists()
    assert not Event.objects.filter(source="meshline").exists()
    assert buyer.world.writes("stripe") == []


@pytest.mark.parametrize(
    ("currency", "minor", "said"),
    [("kwd", 1234, "KWD is refunded in steps of 0.010 KWD"), ("isk", 150, "ISK is refunded in steps of 1.00 ISK")],
)
def test_amounts_the_wire_does_not_take(shop: World, currency: str, minor: int, said: str) -> None:
    buyer = buyer_of(shop, amount=49_000, currency=currency)

    with pytest.raises(Refused, match=said):
        ask(buyer, minor)


def test_the_payment_of_another_customer(buyer: Buyer) -> None:
    other = buyer_of(buyer.world)

    with pytest.raises(Refused, match="this payment is of another customer") as no:
        ask(buyer, payment=other.charge)

    assert no.value.status == 422


def test_a_payment_that_was_never_collected(buyer: Buyer) -> None:
    failed = buyer.world.play("stripe", "fail_payment", subscription=buyer.subscription, new=True)

    with pytest.raises(Refused, match="the payment is failed; only a collected one can be refunded"):
        ask(buyer, payment=failed["charge"])


@pytest.mark.parametrize(
    "rule",
    [{"kind": "error_before", "status": 503}, {"kind": "rate_limit", "retry_after": 5}, {"kind": "hang", "ms": 3000}],
    ids=lambda rule: str(rule["kind"]),
)
def test_a_provider_that_cannot_be_read_is_said_within_the_budget(
    buyer: Buyer, rule: dict[str, Any], settings: Any
) -> None:
    settings.MESHLINE_READ_BUDGET_SECONDS = 1
    buyer.world.fault({**rule, "provider": "stripe", "method": "GET"})

    with pytest.raises(Refused, match="nothing was asked for, try again in a minute") as no:
        ask(buyer)

    assert (no.value.status, no.value.code) == (409, "not_readable")
    assert not Action.objects.exists()


def test_an_edited_refund_is_a_new_preview_for_another_person(buyer: Buyer) -> None:
    world = buyer.world
    action = ask(buyer, 300)
    item, editor = item_of(action), person("Support Manager")

    edited = proposals.edit(item.pk, {"amount_minor": 500}, by=editor, reason="5 was meant", version=1)

    assert (edited.pk, edited.state, edited.state_version, edited.edited_by) == (action.pk, "in_review", 2, editor)
    assert (edited.amount_minor, edited.params["amount_minor"], edited.params["payment"]) == (500, 500, buyer.charge)
    assert (edited.preview[0]["after"], edited.facts["amount_30d_minor"]) == ("5.00 USD", 500)
    assert edited.preview_hash != action.preview_hash
    with pytest.raises(Refused, match="you edited this last"):
        approve(edited, by=editor)
    approve(edited)
    world.until("payment.refund", "applied")
    assert (buyer.paid()["amount_refunded"], len(refunds(world))) == (500, 1)


def test_an_edit_is_held_against_the_payment(buyer: Buyer) -> None:
    other = buyer_of(buyer.world)
    item, by = item_of(ask(buyer, 300)), person("Support Manager")

    for params, said in (
        ({"amount_minor": 4901}, "is more than the 49.00 USD"), ({"payment": other.charge}, "of another customer"),
        ({"currency": "eur"}, "the payment is in usd"), ({"amount_minor": 0}, "must be a whole number"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=said):
            proposals.edit(item.pk, params, by=by, reason="x", version=1)

    kept = Action.objects.get()
    assert (kept.amount_minor, kept.state_version, kept.edited_by) == (300, 1, None)


def test_an_edit_of_what_was_sent_before_is_a_new_action(buyer: Buyer) -> None:
    world = buyer.world
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="failed")
    old = approved(buyer, 300)
    failed = world.until("payment.refund", "failed")
    world.play("stripe", "set_refunds", customer=buyer.stripe, status="succeeded")

    new = proposals.edit(
        item_of(failed).pk,
        {"amount_minor": 400},
        by=person("Support Manager"),
        reason="less",
        version=failed.state_version,
    )

    assert new.pk != old.pk
    assert (new.state, new.requested_by, new.correlation_id) == ("in_review", old.requested_by, old.correlation_id)
    assert Action.objects.get(pk=old.pk).state == "superseded"
    assert new.key != old.key
    approve(new)
    world.until("payment.refund", "applied")
    assert buyer.paid()["amount_refunded"] == 400


def test_a_refund_is_not_rolled_back(buyer: Buyer) -> None:
    approved(buyer)
    done = buyer.world.until("payment.refund", "applied")

    with pytest.raises(Refused, match=r"cannot be undone, money that was given back .*refund-issued-wrongly") as no:
        proposals.roll_back(done.pk, by=person("Support Manager"), reason="oops", version=done.state_version)

    assert (no.value.status, no.value.code) == (409, "irreversible")
    assert Action.objects.count() == 1


def test_the_shell_asks_through_the_same_door(buyer: Buyer, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    params = {"payment": buyer.charge, "amount": "3.00 USD", "reason": "duplicate"}
    asked = {"kind": "payment.refund", "contract": buyer.contract.external_id, "params": params, "reason": "paid twice"}
    file, who = tmp_path / "refund.json", person("Support").username
    file.write_text(json.dumps(asked))

    call_command("propose", str(file), "--as", who, "--preview")
    assert "payment.refund: in review  (preview, nothing is stored)" in capsys.readouterr().out
    assert not Action.objects.exists()
    call_command("propose", str(file), "--as", who)

    said, action = capsys.readouterr().out, Action.objects.get()
    assert (action.amount_minor, action.currency) == (300, "usd")
    assert "  amount 3.00 USD; 3.00 USD to this customer in 30 days, pending included" in said
    assert f"  {item_of(action)} waits for another person" in said
    file.write_text(json.dumps({**asked, "params": {**params, "amount": "3 USD"}}))
    with pytest.raises(CommandError, match=r"params\.amount: USD is written with 2 decimals") as no:
        call_command("propose", str(file), "--as", who)
    assert no.value.returncode == 2

"""A ticket asks for a refund by its tag or form: a proposal, or the sentence that says why not; never a second one."""

from typing import Any

import pytest

from gates import policy
from gates.models import Automation, ReviewItem
from gates.stop import Refused
from ledger.models import Action, Event
from sync.models import RefundRequest
from tests.factories import ExternalIdFactory
from tests.flows.shop import Buyer, approve, ask, buyer_of, refunds
from tests.flows.test_refund_followed import NOTE, notes, ticket_of

TAG, FORM = "meshline_refund", "77"
FIELDS = {"payment": "101", "amount": "102", "currency": "103", "reason": "104", "customer": "105"}
OFF = {"on": False, "tag": TAG, "form": "", "fields": {}}


@pytest.fixture
def asking(buyer: Buyer, settings: Any) -> Buyer:
    """Tickets may ask; the automation suggests."""
    settings.MESHLINE_REFUND_TICKETS = {"on": True, "tag": TAG, "form": FORM, "fields": FIELDS}
    Automation.objects.filter(name="refunds").update(state="suggest")
    policy._held.clear()
    return buyer


def wish(buyer: Buyer, **said: str) -> str:
    """A ticket with the tag and these fields."""
    fields = {FIELDS[name]: value for name, value in said.items()}
    return ticket_of(buyer, tags=[TAG], fields=fields)


def waiting() -> list[Action]:
    return list(Action.objects.filter(kind="payment.refund", state="in_review"))


def test_a_tagged_ticket_is_a_proposal_once_and_is_told_when_it_is_done(asking: Buyer) -> None:
    world = asking.world
    world.sandbox.faults({"provider": "zendesk", "rules": [{"kind": "hook_duplicate", "times": 2},
                                                           {"kind": "hook_reorder", "window_ms": 50}]})  # fmt: skip
    ticket = wish(asking, payment=asking.charge, amount="12.30")
    world.settle(0.2)
    world.play("zendesk", "agent_comment", ticket=ticket, body="looking")
    world.settle(0.1)

    action = Action.objects.get()
    assert (action.state, action.automation, action.amount_minor, action.currency) == (
        "in_review", "refunds", 1230, "usd"
    )  # fmt: skip
    assert action.params == {"payment": asking.charge, "amount_minor": 1230, "currency": "usd", "ticket": ticket,
                             "reason": "requested_by_customer"}  # fmt: skip
    assert refunds(world) == []
    approve(action)
    world.until(NOTE, "applied")
    world.settle(0.2)

    assert [one["amount"] for one in world.sandbox.books("stripe")["objects"]["refunds"].values()] == [1230]
    assert [one for one in notes(world, ticket) if not one.startswith("Refund issued: 12.30 USD")] == ["looking"]
    assert len(notes(world, ticket)) == 2
    assert Action.objects.filter(kind="payment.refund").count() == 1, "our own note starts nothing"


def test_by_form_without_a_payment_the_newest_one_of_the_tickets_customer_is_meant(asking: Buyer) -> None:
    world = asking.world
    newest = asking.pays()
    ticket = ticket_of(asking, form=int(FORM), fields={FIELDS["amount"]: "5"})
    ExternalIdFactory(system="zendesk", kind="ticket", value=ticket, customer=asking.contract.customer,
                      contract=asking.contract)  # fmt: skip
    world.settle(0.2)

    action = Action.objects.get(kind="payment.refund")
    assert (action.business_key, action.amount_minor) == (f"payment:{newest}", 500)

    other = ticket_of(asking, tags=[TAG], fields={FIELDS["customer"]: asking.stripe, FIELDS["amount"]: "6"})
    world.settle(0.1)
    assert RefundRequest.objects.get(ticket=other).said == "a refund of this payment is under way already"


def test_each_wrong_wish_has_its_sentence_and_its_note_and_nothing_is_sent(asking: Buyer) -> None:
    world = asking.world
    stranger = buyer_of(world)
    yen = buyer_of(world, amount=980, currency="jpy")
    gone = buyer_of(world)
    world.play("stripe", "refund_charge", charge=gone.charge)
    cases = [
        ({"payment": asking.charge, "amount": "0"}, "the amount must be more than 0, this is 0.00 USD"),
        ({"payment": asking.charge, "amount": "-3"}, "the amount must be more than 0, this is -3.00 USD"),
        ({"payment": asking.charge, "amount": "49.01"}, "49.01 USD is more than the 49.00 USD that can still be"),
        ({"payment": asking.charge, "amount": "12,30"}, "“12,30” is no amount of USD, which is written like 12.00 USD"),
        ({"payment": yen.charge, "amount": "3.5"}, "“3.5” is no amount of JPY, which is written like 12 JPY"),
        ({"payment": asking.charge, "amount": "3", "currency": "EUR"}, "the payment is in usd, not in eur"),
        ({"payment": asking.charge, "amount": "3", "currency": "xyz"}, "“xyz” is not a currency we know"),
        ({"payment": asking.charge, "reason": "because"}, "“because” is no reason that the payment provider keeps"),
        ({"payment": "ch_nowhere"}, "there is no payment ch_nowhere"),
        ({"payment": gone.charge}, "nothing of the 49.00 USD is left to refund"),
        ({"payment": stranger.charge, "customer": asking.stripe}, "is of another customer"),
        ({"amount": "3"}, "the ticket names no payment, and no payment of its customer is known"),
    ]  # fmt: skip
    tickets = [(wish(asking, **said), sentence) for said, sentence in cases]
    world.settle(0.3)

    for ticket, sentence in tickets:
        item = ReviewItem.objects.get(kind="refund.request", sentence__startswith=f"Ticket {ticket} asks")
        assert sentence in item.sentence
        told = notes(world, ticket)
        if item.customer_id is None:
            assert "names no payment" in sentence or "there is no payment" in sentence or "another" in sentence
        else:
            assert len(told) == 1, sentence
            assert sentence in told[0]
    assert not Action.objects.filter(kind="payment.refund").exists()
    assert refunds(world) == []
    first = tickets[0][0]
    world.play("zendesk", "set_fields", ticket=first, fields={FIELDS["amount"]: "4"})
    world.settle(0.2)
    assert [one.params["ticket"] for one in waiting()] == [first], "corrected, it is looked at again"
    assert ReviewItem.objects.get(sentence__startswith=f"Ticket {first} asks", kind="refund.request").state == (
        "resolved"
    )  # fmt: skip


@pytest.mark.parametrize("end", ["merge", "delete_ticket", "set_tags"])
def test_a_ticket_that_is_gone_or_changed_its_mind_withdraws_what_waits(asking: Buyer, end: str) -> None:
    world = asking.world
    ticket = wish(asking, payment=asking.charge, amount="3")
    world.settle(0.2)
    assert len(waiting()) == 1
    more = {"merge": {"into": ticket_of(asking)}, "set_tags": {"tags": []}}.get(end, {})
    world.play("zendesk", end, ticket=ticket, **more)
    world.settle(0.2)

    assert Action.objects.get(kind="payment.refund").state == "superseded"
    assert refunds(world) == []
    if end != "set_tags":
        with pytest.raises(Refused, match=f"params.ticket: ticket {ticket} was merged into another one or deleted"):
            ask(asking, ticket=ticket)


def test_a_ticket_that_goes_between_approval_and_send_is_not_refunded(asking: Buyer) -> None:
    world = asking.world
    ticket = ticket_of(asking)
    action = ask(asking, ticket=ticket)
    approve(action)
    world.hold("zendesk")
    world.play("zendesk", "delete_ticket", ticket=ticket)
    world.until("payment.refund", "in_review")

    assert refunds(world) == []
    assert (
        "was merged into another one or deleted; nothing was sent"
        in ReviewItem.objects.exclude(state="resolved").get(action=action).reason
    )


def test_it_is_off_until_it_is_switched_on_and_silent_in_shadow(buyer: Buyer, settings: Any) -> None:
    settings.MESHLINE_REFUND_TICKETS = OFF
    wish(buyer, payment=buyer.charge)
    buyer.world.settle(0.1)
    assert not Action.objects.exists()
    settings.MESHLINE_REFUND_TICKETS = {**OFF, "on": True, "fields": FIELDS}
    wish(buyer, payment=buyer.charge)
    wish(buyer, payment="ch_nowhere")
    buyer.world.settle(0.2)

    assert Action.objects.get().state == "observed"
    assert not ReviewItem.objects.exists()
    assert Event.objects.filter(verdict__startswith="done: it would not be refunded").count() == 1

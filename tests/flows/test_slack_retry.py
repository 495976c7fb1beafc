"""Mark reviewed - retry: a deal that was corrected goes on from Slack, one that was not says what is still missing."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from gates import review, stop
from gates.models import Comment, ReviewItem
from ledger.models import Action, Customer, Event, LedgerRow
from sync.models import Attempt
from tests.flows.chat import CHANNEL, Chat, buttons, opened, quiet, said
from tests.flows.deals import DONE, books, notes, sign, states
from tests.flows.world import World
from tests.people.cast import person

RETRY = "Mark reviewed - retry"
FIXED = "FI87654321"


@pytest.fixture
def deals(crm: World, chat: Chat, settings: Any) -> Chat:
    """A channel for those who own what waits of a deal."""
    slack = {**settings.MESHLINE_PROVIDERS["slack"], "channels": {"Revenue Ops Lead": CHANNEL}}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": slack}
    settings.MESHLINE_UNDO_SECONDS = 0
    chat.member("U0001", "Revenue Ops Lead")
    return chat


def waiting(chat: Chat, **given: Any) -> tuple[dict[str, Any], ReviewItem]:
    """A deal without a tax id that waits for somebody, with its message."""
    made = sign(chat.world, org={"name": "Acme", "tax_id": None}, **given)
    chat.world.settle()
    item = ReviewItem.objects.get()
    chat.posted(item)
    return made, item


def correct(chat: Chat, made: dict[str, Any], tax_id: str = FIXED) -> None:
    chat.world.play("pipedrive", "edit_org", org=made["organization"], tax_id=tax_id)


def press(chat: Chat, forms: int = 1, user: str = "U0001", **more: Any) -> None:
    """Press the button, fill in its form, and let everything that follows happen."""
    chat.click("retry", user, **more)
    opened(chat, forms)
    chat.submit("mended the tax id", user=user)
    chat.world.settle()


def value(chat: Chat) -> str:
    """What the button of the newest message would bring."""
    rows = [one for one in chat.messages()[-1]["blocks"] if one["type"] == "actions"]
    return next(str(one["value"]) for row in rows for one in row["elements"] if one["action_id"] == "meshline_retry")


def test_corrected_and_pressed_before_anybody_told_us(deals: Chat) -> None:
    made, item = waiting(deals)
    external_id, before = Customer.objects.get().external_id, deals.posted(item)
    assert buttons(before) == ["Claim", RETRY, "Reject", "Open", "Open deal"]
    assert "• tax registration is missing" in said(before)
    assert "ap-" not in said(before)  # addresses are masked
    link = before["blocks"][-2]["elements"][-1]["url"]
    assert link == f"https://acme.pipedrive.com/deal/{made['deal']}"
    deals.world.hold("pipedrive")
    correct(deals, made)

    press(deals)
    deals.world.release("pipedrive")
    deals.world.settle()

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    (customer,), (invoice,) = books(deals.world, "customer"), books(deals.world, "invoice")
    assert customer["externalId"] == external_id == Customer.objects.get().external_id
    assert customer["taxRegistration"][0]["taxRegistrationNumber"] == FIXED
    assert invoice["entity"]["id"] == customer["id"]
    assert len(notes(deals.world)) == 2  # what was missing, then once what came of it
    after = deals.posted(item)
    (message,) = deals.messages()
    assert (after["ts"], message["ts"], buttons(after)) == (before["ts"], before["ts"], ["Open", "Open deal"])
    by = User.objects.get(groups__name="Revenue Ops Lead")
    assert "Confirmed by Meshline" in said(after)
    assert f"Marked reviewed by {by.username} at " in said(after)
    row = LedgerRow.objects.get(decision="retry", subject_kind="action")
    assert (row.actor, row.prior_state, row.post_state) == (f"user:{by.pk}", "in_review", "approved")
    assert Comment.objects.get().text == "mended the tax id"
    assert ReviewItem.objects.count() == 1


def test_a_correction_we_are_told_of_is_read_and_shown_and_still_waits_for_the_press(deals: Chat) -> None:
    made, item = waiting(deals, fields={"Billing owner": None})
    assert item.reason == "tax registration is missing; billing owner is missing"
    old = value(deals)

    correct(deals, made)
    deals.world.settle()
    item.refresh_from_db()
    assert item.reason == "billing owner is missing"
    assert "tax" not in said(deals.posted(item)).split("What it would change")[0]
    deals.world.play("pipedrive", "edit_deal", deal=made["deal"], fields={"Billing owner": 12094822})
    deals.world.settle()
    item.refresh_from_db()

    assert (item.state, item.why, "nothing is missing any more" in item.reason) == ("open", "ready_for_billing", True)
    assert FIXED in said(deals.posted(item))
    assert (states()["customer.create"], books(deals.world, "customer")) == ("in_review", [])
    deals.click("retry", "U0001", value=old)  # of a message from before: all that happened since were readings
    opened(deals)
    deals.submit("all there")
    deals.world.settle()
    assert states() == DONE
    assert len(notes(deals.world)) == 2


def test_pressed_without_a_correction_it_says_what_is_still_missing_under_the_same_item(deals: Chat) -> None:
    _, item = waiting(deals)
    due = item.due_at

    press(deals)

    item.refresh_from_db()
    assert (item.state, item.due_at, ReviewItem.objects.count()) == ("open", due, 1)
    assert (states()["customer.create"], books(deals.world, "customer")) == ("in_review", [])
    message = deals.posted(item)
    assert "and read again. Still:\n• tax registration is missing" in said(message)
    assert (RETRY in buttons(message), len(deals.messages())) == (True, 1)
    assert len(notes(deals.world)) == 1


def test_pressed_twice_by_two_it_happens_once(deals: Chat) -> None:
    deals.member("U0002", "Billing Resolver")
    made, item = waiting(deals)
    correct(deals, made)
    deals.world.settle()
    deals.posted(item)
    deals.click("retry", "U0001", times=3)
    first = opened(deals)
    deals.click("retry", "U0002")
    second = opened(deals, 2)

    deals.world.play("slack", "submit_view", view=first["id"], user="U0001", reason="yes", times=3)
    deals.world.play("slack", "submit_view", view=second["id"], user="U0002", reason="yes")
    deals.settle()
    deals.world.settle()

    assert LedgerRow.objects.filter(decision="retry", subject_kind="action").count() == 1
    assert states() == DONE
    made_there = [len(books(deals.world, name)) for name in ("customer", "invoice")]
    assert (made_there, len(notes(deals.world))) == ([1, 1], 2)
    (late,) = deals.notes()  # whichever of the two came second
    assert "nothing was done" in late["text"]


def test_who_may_not_and_what_is_stale_change_nothing(deals: Chat) -> None:
    support = deals.member("U0003", "Support")
    made, _ = waiting(deals)
    old = value(deals)
    correct(deals, made)
    deals.world.hold("pipedrive")

    deals.click("retry", "U0003")
    quiet(deals)
    deals.settle()
    assert "needs the permission gates.retry_item" in deals.notes()[0]["text"]
    refusal = LedgerRow.objects.get(outcome="refused")
    assert (refusal.decision, refusal.actor, refusal.error_code) == ("retry", f"user:{support.pk}", "permission")

    press(deals)  # not told yet, but read: it goes on
    again = Action.objects.get(kind="customer.create")
    assert again.state == "applied"
    deals.click("retry", "U0001", value=old)
    quiet(deals)
    deals.settle()
    assert "was settled already (confirmed)" in deals.notes()[-1]["text"]
    assert LedgerRow.objects.filter(decision="retry", subject_kind="action", outcome="approved").count() == 1


def test_what_somebody_decided_meanwhile_makes_the_press_stale(deals: Chat) -> None:
    _, item = waiting(deals)
    old = value(deals)
    action = Action.objects.get(kind="customer.create")
    review.retry(item.pk, by=person(), reason="on the page", version=action.state_version)
    deals.world.settle()
    assert states()["customer.create"] == "in_review"

    deals.click("retry", "U0001", value=old)
    quiet(deals)
    deals.settle()

    assert (deals.views(), "changed since the message was written" in deals.notes()[0]["text"]) == ([], True)
    assert LedgerRow.objects.filter(decision="retry", subject_kind="action").count() == 1


SPOILT: tuple[dict[str, Any], ...] = (
    {"forged": True}, {"signature": "v0="}, {"skew_s": -301}, {"skew_s": 330}, {"team": "T0OTHER"}, {"app": "A0OTHER"},
)  # fmt: skip


def test_of_spoilt_and_replayed_presses_and_forms_none_is_accepted(deals: Chat) -> None:
    made, item = waiting(deals)
    for spoilt in (*SPOILT, {"home": "T0PARTNER"}):
        deals.click("retry", "U0001", **spoilt)
    quiet(deals)
    deals.settle()
    assert (deals.views(), Event.objects.filter(source="slack").count()) == ([], 1)  # the partner's is stored
    assert [one["user"] for one in deals.notes()] == ["U0001"]
    assert "not linked" in deals.notes()[0]["text"]

    deals.click("retry", "U0001")
    view = opened(deals)
    for spoilt in (*SPOILT, {"home": "T0PARTNER"}, {"user": "U0666"}):
        deals.submit(view=view["id"], **spoilt)
    assert states()["customer.create"] == "in_review"
    assert LedgerRow.objects.filter(decision="retry", subject_kind="action", outcome="approved").count() == 0

    deals.submit("once", view=view["id"])
    deals.world.settle()
    correct(deals, made)
    deals.world.settle()
    for _ in range(3):  # the same form again, now that it would go through
        deals.submit("once", view=view["id"])
    deals.world.settle()
    assert (states()["customer.create"], books(deals.world, "customer")) == ("in_review", [])
    assert LedgerRow.objects.filter(decision="retry", subject_kind="action", outcome="approved").count() == 1
    assert ReviewItem.objects.get(pk=item.pk).state == "open"


def test_while_stopped_the_press_counts_and_nothing_leaves_until_two_resumed(deals: Chat) -> None:
    made, item = waiting(deals)
    correct(deals, made)
    deals.world.settle()
    deals.posted(item)
    stop.engage("provider:netsuite", by=person("Support Manager"), reason="test")

    press(deals)

    assert states()["customer.create"] == "parked"
    assert books(deals.world, "customer") == []
    message = deals.posted(item)
    assert ("emergency stop is on" in said(message), RETRY in buttons(message)) == (True, False)
    stop.request_resume("provider:netsuite", by=person("Support Manager"), reason="over")
    stop.confirm_resume("provider:netsuite", by=person("Revenue Ops Lead"))
    deals.world.until("deal.note", "applied")
    deals.world.until("invoice.create", "applied")
    deals.world.settle(0.2)
    assert states() == DONE
    assert (len(books(deals.world, "customer")), len(notes(deals.world))) == (1, 2)


def test_what_we_write_on_a_waiting_deal_comes_back_and_is_no_work(deals: Chat) -> None:
    waiting(deals)
    deals.world.settle(0.3)
    before = list(Action.objects.order_by("id").values_list("kind", "state_version"))
    reads = Attempt.objects.filter(provider="pipedrive", is_write=False).count()

    (deal,) = deals.world.sandbox.books("pipedrive")["objects"]["deals"].values()
    assert len(deal["label_ids"]) == 1  # the flag, beside the note
    ours = Event.objects.filter(source="pipedrive", verdict="ignored: our own write coming back")
    assert ours.count() >= 1
    assert not Event.objects.filter(verdict__contains="read again").exists()
    assert [kind for kind, _ in before] == ["customer.create", "deal.annotate", "deal.note"]
    assert len(notes(deals.world)) == 1

    deals.world.play("pipedrive", "edit_deal", deal=deal["id"], title="Another title")  # this one is somebody else's
    deals.world.settle()
    assert Attempt.objects.filter(provider="pipedrive", is_write=False).count() > reads
    assert list(Action.objects.order_by("id").values_list("kind", "state_version")) == before
    assert len(notes(deals.world)) == 1

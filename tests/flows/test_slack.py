"""Review items in Slack: posted once, decided by a click and a reason, rewritten; nobody else's click counts."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gates import stop
from gates.models import Approval, ReviewItem
from ledger.models import Action, Event, LedgerRow
from sync.slack import linking, refs
from sync.slack.models import SlackAccount, SlackMessage
from tests.factories import UserFactory
from tests.flows.chat import Chat, buttons, opened, quiet, said
from tests.people.cast import item_in


def state_of(item: ReviewItem) -> str:
    return str(Action.objects.get(pk=item.action_id).state)


def test_from_item_to_decision(chat: Chat) -> None:
    by = chat.member("U0001")
    item = item_in(amount_minor=4900, currency="usd")
    ReviewItem.objects.filter(pk=item.pk).update(amount_minor=4900, currency="usd")

    message = chat.posted(item)
    assert buttons(message) == ["Claim", "Approve", "Reject", "Open"]
    shown = ("49.00 USD", f"RV-{item.pk}", "left, due", item.action.preview_hash[:12], "Monthly revenue")
    assert [word for word in shown if word not in said(message)] == []
    chat.click("approve", "U0001")
    view = opened(chat)
    assert view["title"]["text"] == "Approve"
    assert state_of(item) == "in_review"
    chat.submit("the contract says so")

    assert state_of(item) == "approved"
    approval = Approval.objects.get()
    assert (approval.by, approval.reason) == (by, "the contract says so")
    row = LedgerRow.objects.filter(decision="approve").latest("id")
    assert (row.actor, row.post_state) == (f"user:{by.pk}", "approved")
    message = chat.posted(item)
    assert buttons(message) == ["Open"]
    assert f"Approved by {by.username}" in said(message)
    assert len(chat.messages()) == 1


def test_a_click_delivered_often_and_a_second_click_are_one_decision(chat: Chat) -> None:
    chat.member("U0001")
    chat.member("U0002")
    item = item_in()
    chat.posted(item)

    chat.click("approve", "U0001", times=3)
    view = opened(chat)
    chat.click("approve", "U0002")
    other = opened(chat, 2)
    chat.world.play("slack", "submit_view", view=view["id"], user="U0001", reason="yes", times=3)
    chat.world.play("slack", "submit_view", view=other["id"], user="U0002", reason="yes too")
    chat.settle()

    assert Approval.objects.count() == 1
    assert LedgerRow.objects.filter(decision="approve", outcome="").count() <= 1
    assert Event.objects.filter(kind="slack.submitted").count() == 2
    [note] = chat.notes()
    assert (note["user"], "settled already" in note["text"]) == ("U0002", True)


def test_a_claim_needs_no_form(chat: Chat) -> None:
    by = chat.member("U0001")
    item = item_in()
    chat.posted(item)

    chat.click("claim", "U0001")
    chat.settle()

    item.refresh_from_db()
    assert (item.state, item.owner) == ("claimed", by)
    assert f"claimed by {by.username}" in said(chat.posted(item))
    assert chat.views() == []


def test_reject_and_mark_reviewed_retry(chat: Chat) -> None:
    chat.member("U0001")
    wrong = item_in()
    chat.posted(wrong)
    chat.click("reject", "U0001")
    opened(chat)
    chat.submit("not theirs")
    failed = item_in("failed", error_code="PermanentError", last_error="no <tax> id & no way")
    message = chat.posted(failed)
    assert buttons(message) == ["Claim", "Mark reviewed - retry", "Open"]
    assert "no &lt;tax&gt; id &amp; no way" in said(message)
    chat.click("retry", "U0001")
    opened(chat, 2)
    chat.submit("mended the address")

    assert state_of(wrong) == "rejected"
    row = LedgerRow.objects.filter(decision="retry").latest("id")
    assert (row.prior_state, row.post_state) == ("failed", "approved")
    assert ReviewItem.objects.get(pk=failed.pk).resolution == "retried"


def test_who_is_not_linked_is_told_so_and_nothing_changes(chat: Chat) -> None:
    chat.world.play("slack", "add_user", user="U0009")
    item = item_in()
    chat.posted(item)

    chat.click("approve", "U0009")
    chat.click("claim", "U0009")
    quiet(chat)
    chat.settle()

    item.refresh_from_db()
    assert (item.state, state_of(item), chat.views()) == ("open", "in_review", [])
    assert [(one["user"], "not linked" in one["text"]) for one in chat.notes()] == [("U0009", True)] * 2
    refused = LedgerRow.objects.filter(outcome="refused")
    assert set(refused.values_list("actor", "error_code")) == {("slack:U0009", "unlinked")}


def test_rights_are_those_of_the_account_now(chat: Chat) -> None:
    support, resolver = chat.member("U0001", "Support"), chat.member("U0002")
    item = item_in(requested_by=resolver)
    chat.posted(item)

    chat.click("approve", "U0001")
    chat.click("approve", "U0002")
    quiet(chat)
    chat.settle()

    assert (state_of(item), chat.views(), len(chat.notes())) == ("in_review", [], 2)
    rows = LedgerRow.objects.filter(outcome="refused", decision="approve")
    assert set(rows.values_list("actor", "error_code")) == {
        (f"user:{support.pk}", "permission"), (f"user:{resolver.pk}", "four_eyes")
    }  # fmt: skip


def test_a_right_lost_while_the_form_is_open_is_lost(chat: Chat) -> None:
    by = chat.member("U0001")
    item = item_in()
    chat.posted(item)
    chat.click("approve", "U0001")
    opened(chat)

    by.is_active = False
    by.save()
    chat.submit()

    assert state_of(item) == "in_review"
    assert "not linked" in chat.notes()[0]["text"]


def test_above_the_first_limit_there_is_only_open(chat: Chat) -> None:
    chat.member("U0001", "Support Manager")
    item = item_in("in_review", "review_two")

    assert buttons(chat.posted(item)) == ["Open"]
    value = refs.sign(refs.of(ReviewItem.objects.get(pk=item.pk), SlackMessage.objects.get().marker))
    chat.click("approve", "U0001", value=value)
    quiet(chat)
    chat.settle()

    assert (state_of(item), chat.views()) == ("in_review", [])
    assert "on its page" in chat.notes()[0]["text"]


def test_what_changed_since_is_not_decided(chat: Chat) -> None:
    chat.member("U0001")
    item = item_in()
    chat.posted(item)
    chat.click("approve", "U0001")
    opened(chat)
    chat.settle(1)

    Action.objects.filter(pk=item.action_id).update(preview_hash="0" * 64)
    chat.submit()

    assert state_of(item) == "in_review"
    assert "preview changed" in chat.notes()[0]["text"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"forged": True}, {"skew_s": -400}, {"skew_s": 400}, {"team": "T0OTHER"}, {"app": "A0OTHER"},
        {"signature": "v0="},
    ],
)  # fmt: skip
def test_spoilt_clicks_are_refused(chat: Chat, spoilt: dict[str, Any]) -> None:
    chat.member("U0001")
    item = item_in()
    chat.posted(item)

    chat.click("claim", "U0001", **spoilt)
    chat.settle(1)

    assert Event.objects.filter(source="slack").count() == 0
    assert ReviewItem.objects.get(pk=item.pk).state == "open"


def test_a_person_of_another_workspace_is_nobody(chat: Chat) -> None:
    chat.member("U0001")
    item = item_in()
    chat.posted(item)

    chat.click("claim", "U0001", home="T0PARTNER")
    chat.settle()

    assert ReviewItem.objects.get(pk=item.pk).state == "open"


def test_buttons_and_forms_that_are_not_ours(chat: Chat) -> None:
    chat.member("U0001")
    chat.member("U0002")
    item, other = item_in(), item_in()
    chat.settle()
    stolen = refs.sign(refs.of(other, SlackMessage.objects.get(item=item).marker))

    for value in ("", "x", "1.2.3", stolen):
        chat.click("claim", "U0001", value=value)
    mine = SlackMessage.objects.get(item=item)
    chat.click("approve", "U0001", ts=mine.ts)
    view = opened(chat)
    chat.submit(view=view["id"], user="U0002")
    chat.submit(view=view["id"], set={"private_metadata": view["private_metadata"][:-2] + "xx", "hash": "1.b"})
    chat.settle()

    assert set(ReviewItem.objects.values_list("state", flat=True)) == {"open"}
    assert Approval.objects.count() == 0


def test_two_accounts_cannot_share_an_identity(chat: Chat) -> None:
    chat.member("U0001")
    other = UserFactory()

    with pytest.raises(stop.Refused, match="one person is one account"):
        linking.link(other, "U0001", actor="test")

    assert SlackAccount.objects.filter(user=other).count() == 0


@pytest.mark.parametrize(
    ("more", "linked"), [({}, True), ({"confirmed": False}, False), ({"bot": True}, False), ({"deleted": True}, False)]
)
def test_linking_by_a_confirmed_address(chat: Chat, more: dict[str, Any], linked: bool) -> None:
    one = UserFactory(username="ann", email="Ann@meshline.example")
    chat.world.play("slack", "add_user", user="U024BE7LH", email="ann@meshline.example", **more)

    if linked:
        call_command("link_slack", "ann")
    else:
        with pytest.raises(CommandError, match="Nothing was linked"):
            call_command("link_slack", "ann")

    assert SlackAccount.objects.filter(user=one, slack_user="U024BE7LH").exists() is linked

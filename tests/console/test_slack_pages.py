"""Who is who in Slack, and the messages there: lists, pages, linking and taking a link away."""

import pytest

from ledger.models import LedgerRow
from sync.slack import linking
from sync.slack.models import SlackAccount, SlackMessage
from tests import factories as f
from tests.console.test_routing import text

ACCOUNTS, MESSAGES, LINK = "/admin/sync/slackaccount/", "/admin/sync/slackmessage/", "/admin/slack/link/"


@pytest.fixture
def ann(shipped):
    return f.UserFactory(username="ann", groups=["Billing Resolver"])


def told():
    """The ledger's rows about links: what, and how it ended."""
    rows = LedgerRow.objects.filter(subject_kind="account").order_by("id")
    return list(rows.values_list("decision", "outcome"))


def test_an_operator_links_and_unlinks_and_both_are_in_the_ledger(superuser, ann):
    assert "Nobody is linked yet" in text(superuser.get(ACCOUNTS))
    wrong = superuser.post(LINK, {"user": "ann", "slack_user": "ann in Slack"})
    assert (wrong.status_code, "id in Slack, like U024BE7LH" in text(wrong)) == (422, True)
    assert superuser.post(LINK, {"user": "nobody-here", "slack_user": "U024BE7LH"}).status_code == 422

    done = superuser.post(LINK, {"user": "ann", "slack_user": " U024BE7LH "}, follow=True)

    assert "U024BE7LH in Slack is ann from now on." in text(done)
    one = SlackAccount.objects.get()
    assert (one.user, one.linked_by) == (ann, f"user:{superuser.user.pk}")
    taken = f.UserFactory(username="bob")
    refused = superuser.post(LINK, {"user": "bob", "slack_user": "U024BE7LH"})
    assert (refused.status_code, "one person is one account" in text(refused)) == (409, True)
    page = text(superuser.get(f"{ACCOUNTS}{one.pk}/change/"))
    assert "is a decision of ann" in page
    assert f"Linked by {superuser.user.username}" in page
    assert superuser.get(f"/admin/slack/accounts/{one.pk}/unlink/").status_code == 200
    assert SlackAccount.objects.count() == 1  # following an address changes nothing

    superuser.post(f"/admin/slack/accounts/{one.pk}/unlink/")

    assert not SlackAccount.objects.filter(user__in=(ann, taken)).exists()
    assert told() == [("link", "linked"), ("unlink", "unlinked")]


def test_who_may_look_may_not_link(manager, ann):
    one = linking.link(ann, "U024BE7LH", actor="test")

    shown = manager.get(ACCOUNTS)
    assert "U024BE7LH" in text(shown)
    assert "Link an account" not in text(shown)
    assert "it needs sync.change_slackaccount" in text(manager.get(f"{ACCOUNTS}{one.pk}/change/"))
    assert manager.get(LINK).status_code == 403
    assert manager.post(LINK, {"user": "ann", "slack_user": "U0MINE000"}).status_code == 403
    assert manager.post(f"/admin/slack/accounts/{one.pk}/unlink/").status_code == 403

    assert SlackAccount.objects.get().slack_user == "U024BE7LH"
    assert told() == [("link", "linked"), ("link", "refused"), ("unlink", "refused")]


def test_messages_say_where_they_stand_and_what_went_wrong(support, django_assert_max_num_queries):
    assert "No message yet" in text(support.get(MESSAGES))
    made = [
        SlackMessage.objects.create(item=f.ReviewItemFactory(), channel=f"C{state.upper()}", state=state, **more)
        for state, more in (
            ("posted", {"ts": "1.2", "shown": "0.1"}), ("posted", {"dirty": True}),
            ("failed", {"last_error": "not_in_channel <b>", "closed": True}), ("unknown", {}),
        )
    ]  # fmt: skip

    with django_assert_max_num_queries(14):
        listed = text(support.get(MESSAGES))
    assert [word for word in ("To be rewritten", "not_in_channel", str(made[0].item)) if word not in listed] == []
    assert str(made[2].item) in text(support.get(f"{MESSAGES}?state=failed"))
    assert str(made[0].item) not in text(support.get(f"{MESSAGES}?trouble=yes"))
    assert str(made[1].item) not in text(support.get(f"{MESSAGES}?q={made[0].item_id}"))
    assert "looked for in the channel" in text(support.get(f"{MESSAGES}{made[3].pk}/change/"))
    page = text(support.get(f"{MESSAGES}{made[2].pk}/change/"))
    assert ("not_in_channel" in page, "no more, it is settled" in page) == (True, True)

"""Messages in Slack: posted once whatever gets lost, halted by the stop, harmless whatever they quote."""

import time
from typing import Any

import pytest

from gates import review, stop
from gates.models import ReviewItem
from sync.models import Attempt
from sync.slack.models import SlackMessage, SlackNote
from tests.flows.chat import Chat, buttons, opened, quiet, said
from tests.people.cast import item_in, person


def test_a_lost_answer_is_found_again_by_its_marker(chat: Chat) -> None:
    item = item_in()
    chat.world.fault({"provider": "slack", "kind": "lost_answer", "path": "/api/chat.postMessage", "count": 1})

    chat.settle(1)
    assert SlackMessage.objects.get().state == "unknown"
    time.sleep(0.1)
    chat.settle()

    found = SlackMessage.objects.get(item=item)
    assert (found.state, found.ts) == ("posted", chat.messages()[0]["ts"])
    assert len(chat.messages()) == 1


@pytest.mark.parametrize("kind", ["drop_before", "error_before"])
def test_a_post_that_never_arrived_is_made_again(chat: Chat, kind: str) -> None:
    item_in()
    chat.world.fault({"provider": "slack", "kind": kind, "path": "/api/chat.postMessage", "count": 1})

    for _ in range(5):
        chat.settle(1)
        time.sleep(0.06)

    assert (SlackMessage.objects.get().state, len(chat.messages())) == ("posted", 1)


def test_a_worker_that_died_in_the_middle_looks_first(chat: Chat) -> None:
    item = item_in()
    chat.posted(item)
    SlackMessage.objects.update(ts="", shown="", lease_token=1, lease_until="2020-01-01T00:00Z")
    SlackMessage.objects.filter(item=item).update(state="sending")

    chat.settle()

    assert (SlackMessage.objects.get().state, len(chat.messages())) == ("posted", 1)


def test_slack_asks_to_wait(chat: Chat) -> None:
    item_in()
    chat.world.fault({"provider": "slack", "kind": "rate_limit", "retry_after": 1, "count": 1})

    chat.settle(1)
    assert chat.messages() == []
    time.sleep(1.3)
    chat.settle()

    assert len(chat.messages()) == 1


def test_while_stopped_nothing_is_posted(chat: Chat) -> None:
    chat.member("U0001")
    first = item_in()
    chat.posted(first)
    stop.engage("provider:slack", by=person("Support Manager"), reason="test")
    before = len(chat.world.writes("slack"))

    item_in()
    chat.click("approve", "U0001")
    chat.click("claim", "U0001", value="no")
    quiet(chat)
    chat.settle()
    assert len(chat.world.writes("slack")) == before

    chat.click("claim", "U0001")
    chat.settle()
    assert len(chat.world.writes("slack")) == before
    assert ReviewItem.objects.get(pk=first.pk).state == "claimed"  # deciding goes on


def test_a_form_that_opens_too_late_is_explained(chat: Chat) -> None:
    chat.member("U0001")
    item = item_in()
    chat.posted(item)
    chat.world.fault({"provider": "slack", "kind": "answer", "path": "/api/views.open", "effect": False,
                      "body": {"ok": False, "error": "expired_trigger_id"}})  # fmt: skip

    chat.click("approve", "U0001")
    quiet(chat)
    chat.settle()

    assert [one["text"].split(";")[0] for one in chat.notes()] == ["The form could not be opened in time"]
    assert SlackNote.objects.get().state == "sent"


def test_secrets_of_a_click_are_kept_nowhere_but_in_its_body(chat: Chat) -> None:
    chat.member("U0001")
    item = item_in()
    chat.posted(item)
    done = chat.click("approve", "U0001")
    opened(chat)
    chat.world.play("slack", "add_user", user="U0009")
    chat.click("claim", "U0009")
    chat.settle()

    kept = " ".join(f"{one.path} {one.request_body} {one.response_body}" for one in Attempt.objects.all())
    assert [one["by"] for one in chat.notes()] == ["response_url"]
    assert Attempt.objects.filter(path="/api/views.open", request_body="").count() == 1
    assert done["trigger"] not in kept
    assert "/hooks/" not in kept


NASTY = "<!channel> <@U1> <https://evil.example|Invoice> *bold* & :tada: \u202egpj"


def test_texts_of_others_stay_texts(chat: Chat) -> None:
    item = item_in("failed", last_error=NASTY, preview=[{"system": NASTY, "field": NASTY, "now": NASTY, "after": "x"}])
    item.customer.name = NASTY
    item.customer.save()
    ReviewItem.objects.filter(pk=item.pk).update(sentence=NASTY, reason=NASTY)

    message = chat.posted(item)

    whole = said(message)
    assert "<" not in whole
    assert ">" not in whole
    assert "&lt;!channel&gt;" in whole
    assert "\u202e" not in whole
    kinds = {one["type"] for block in message["blocks"] for one in [block.get("text"), *block.get("fields", [])] if one}
    assert kinds == {"plain_text"}
    assert (message["mrkdwn"], message["parse"], message["link_names"]) == (False, "none", False)
    links = [one["url"] for block in message["blocks"] for one in block.get("elements", []) if "url" in one]
    assert [link.startswith("http://127.0.0.1:8000/admin/") for link in links] == [True]


def test_the_longest_texts_fit(chat: Chat) -> None:
    item = item_in(
        "failed", last_error="&" * 500, preview=[dict.fromkeys(("system", "field", "now", "after"), "&" * 900)] * 9
    )
    ReviewItem.objects.filter(pk=item.pk).update(sentence="<" * 500, reason="&" * 500, kind="k" * 60)

    assert buttons(chat.posted(item))[-1] == "Open"


def test_what_was_decided_on_the_page_is_written_into_the_message(chat: Chat) -> None:
    item = item_in()
    chat.posted(item)
    by = person()

    review.reject(item.pk, by=by, reason="no", version=item.action.state_version)
    message = chat.posted(item)

    assert buttons(message) == ["Open"]
    assert f"Rejected by {by.username}" in said(message)
    assert SlackMessage.objects.get().closed


def test_groups_without_a_channel_and_without_slack(chat: Chat, settings: Any) -> None:
    item = item_in()
    ReviewItem.objects.filter(pk=item.pk).update(owner_group="Auditor")
    chat.settle()
    assert (chat.messages(), SlackMessage.objects.count()) == ([], 0)

    ReviewItem.objects.filter(pk=item.pk).update(owner_group="Billing Resolver")
    settings.MESHLINE_PROVIDERS = {name: one for name, one in settings.MESHLINE_PROVIDERS.items() if name != "slack"}
    chat.settle()
    assert SlackMessage.objects.count() == 0

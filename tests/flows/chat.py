"""A workspace beside the small world: people who are linked, and what they do to messages."""

import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from gates.models import ReviewItem
from sync import drain, sweep
from sync.sandbox import keys
from sync.slack import forms, linking
from sync.slack.models import SlackMessage
from tests.flows.world import World
from tests.people.cast import person

CHANNEL = "C0BILLING"


@dataclass
class Chat:
    """What happens in the channel of one group."""

    world: World

    def member(self, slack_user: str, group: str = "Billing Resolver", **more: Any) -> User:
        """Somebody of a group whose Slack identity is linked."""
        made = person(group, **more)
        self.world.play("slack", "add_user", user=slack_user, email=made.email)
        linking.link(made, slack_user, actor="test")
        return made

    def settle(self, times: int = 3) -> None:
        """Plan, write, deliver, decide until nothing is left."""
        for _ in range(times):
            sweep.sweep()
            drain.once()
            self.world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
            drain.once()

    def posted(self, item: ReviewItem) -> dict[str, Any]:
        """The message about an item as it stands in the channel."""
        self.settle(1)
        ts = SlackMessage.objects.get(item=item).ts
        return next(one for one in self.messages() if one["ts"] == ts)

    def messages(self, channel: str = CHANNEL) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.books()["messages"][channel]
        return found

    def notes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.books()["notes"]
        return found

    def views(self) -> list[dict[str, Any]]:
        return list(self.books()["views"].values())

    def books(self) -> Any:
        return self.world.sandbox.get("/_books/slack?only=objects")["objects"]

    def click(self, action: str, user: str, **more: Any) -> Any:
        """Press a button of the newest message, and let its delivery arrive and its form be opened."""
        done = self.world.play("slack", "click", channel=CHANNEL, action=f"meshline_{action}", user=user, **more)
        self.world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
        return done

    def submit(self, reason: str | None = "looked at it", **more: Any) -> None:
        """Send the newest form and have it decided."""
        self.world.play("slack", "submit_view", reason=reason, **more)
        self.settle(1)


def opened(chat: Chat, wanted: int = 1) -> dict[str, Any]:
    """The newest form, once it is there: it is opened beside the answer to the click."""
    ends = time.monotonic() + 30
    while len(chat.views()) < wanted and time.monotonic() < ends:
        time.sleep(0.02)
    while forms._room._value < forms.MOST_WAITING and time.monotonic() < ends:
        time.sleep(0.02)
    assert len(chat.views()) == wanted
    return chat.views()[-1]


def quiet(chat: Chat) -> None:
    """Wait until no form is being opened any more."""
    ends = time.monotonic() + 30
    while forms._room._value < forms.MOST_WAITING and time.monotonic() < ends:
        time.sleep(0.02)


def buttons(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons."""
    rows = [one for one in message["blocks"] if one["type"] == "actions"]
    return [button["text"]["text"] for row in rows for button in row["elements"]]


def said(message: dict[str, Any]) -> str:
    """Everything a message says."""
    texts = [message["text"]]
    for block in message["blocks"]:
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        texts += [one.get("text", "") if isinstance(one.get("text"), str) else "" for one in parts if one]
    return "\n".join(texts)


def target(url: str) -> dict[str, Any]:
    """Where the workspace sends clicks."""
    return {"slack": {"url": f"{url}/webhooks/slack/interactions/", "secrets": [keys.SLACK_SIGNING_SECRET]}}

"""Signed deals of the demo week: who of the house does what about those that wait, one of them from Slack."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.models import User

from gates import review
from gates.models import ReviewItem
from gates.stop import Refused
from meshline.demo import people
from sync.sandbox.remote import Remote
from sync.sandbox.wire import Json
from sync.slack import linking, refs
from sync.slack.models import SlackMessage

KIND, WHY = "customer.create", "ready_for_billing"
COMPLETE = "nothing is missing any more"
SLACK = {people.LEAD: "U0RITA", people.RESOLVER: "U0BEN", people.MANAGER: "U0MAYA"}
PATIENCE_SECONDS, LOOK_SECONDS = 15.0, 0.2
Found = TypeVar("Found")
Wait = Callable[[float], None]  # lets time pass while the processes are looked after


def join_workspace(remote: Remote) -> None:
    """Some of the house have a Slack account, and an operator says which is whose."""
    for person, slack_user in SLACK.items():
        account = person.account()
        remote.play("slack", "add_user", user=slack_user, email=account.email)
        linking.link(account, slack_user, actor="operator:demo")


def retry_in_slack(remote: Remote, wait: Wait) -> str:
    """The deal that was corrected: its message says so, and its owner presses the button and gives a reason."""
    who, slack_user = people.LEAD, SLACK[people.LEAD]
    message = _until(lambda: _message(COMPLETE), wait)
    if message is None:
        return "(nothing happens: no corrected deal waits with a message in Slack)"
    before = len(_forms(remote, slack_user))
    button = f"{refs.PREFIX}retry"
    remote.play("slack", "click", channel=message.channel, ts=message.ts, action=button, user=slack_user)
    form = _until(lambda: next(iter(_forms(remote, slack_user)[before:]), None), wait)
    if form is None:
        return "(nothing happens: the form did not open; the item waits in the queue)"
    remote.play("slack", "submit_view", view=form["id"], user=slack_user, reason="Tax id is in the deal now")
    return f"{who.first} ({who.group}) presses Mark reviewed - retry in Slack; the deal is read and judged anew"


def refuse() -> str:
    """A deal that nobody answers for is not billed."""
    resolver: User = people.RESOLVER.account()
    done = 0
    for item in _waiting("billing owner is missing"):
        if item.action is None:
            continue
        try:
            reason = "Nobody answers for its invoices; name a billing owner and sign it again"
            review.reject(item.pk, by=resolver, reason=reason, version=item.action.state_version)
        except Refused:
            continue  # a visitor was faster
        done += 1
    what = "1 deal" if done == 1 else f"{done} deals"
    return f"{people.RESOLVER.first} ({people.RESOLVER.group}) refuses {what} without a billing owner"


def _waiting(reason: str) -> list[ReviewItem]:
    found = ReviewItem.objects.filter(kind=KIND, why=WHY, reason__contains=reason).exclude(state="resolved")
    return list(found.select_related("action").order_by("id"))


def _message(reason: str) -> SlackMessage | None:
    """The message of an item that says this, once it shows it."""
    posted = SlackMessage.objects.filter(item__in=_waiting(reason), state=SlackMessage.State.POSTED, dirty=False)
    return posted.order_by("id").first()


def _forms(remote: Remote, slack_user: str) -> list[Json]:
    views = remote.get("/_books/slack?only=objects")["objects"]["views"]
    return [one for one in views.values() if one["opened_for"] == slack_user]


def _until(look: Callable[[], Found | None], wait: Wait) -> Found | None:
    """What a look finds within a while."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while (found := look()) is None and time.monotonic() < ends:
        wait(LOOK_SECONDS)
    return found

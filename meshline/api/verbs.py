"""The verbs on a review item, each one call of the service door. Items and their actions have the same ones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from gates import review
from gates.models import ReviewItem
from meshline.api.errors import Problem
from meshline.api.strict import Body, Choice, Empty, Members, Moment, Text, Whole
from sync import proposals

REASON = "Why; it is kept with the decision"
VERSION = "The action's `state_version` that you saw (the item's where it is about an event)"


class CommentBody(Body):
    """A remark that stays inside."""

    text = Text(4000)


class AssignBody(Body):
    """Whose turn it is from now on."""

    to = Text(150, required=False, allow_null=True, default=None, help_text="User name; null for nobody of the group")
    group = Text(80, least=0, required=False, default="", help_text="Empty keeps the group")
    reason = Text(500, help_text=REASON)


class SnoozeBody(Body):
    """Until when, and what is waited for. The SLA rests only for the customer."""

    until = Moment(help_text="At most 7 days ahead")
    why = Choice(tuple(review.SNOOZE_WHYS))
    reason = Text(500, help_text=REASON)


class ReasonBody(Body):
    """Why."""

    reason = Text(500, help_text=REASON)


class VersionBody(Body):
    """What was looked at."""

    state_version = Whole(help_text=VERSION)


class DecisionBody(VersionBody):
    """What was looked at, and why."""

    reason = Text(500, help_text=REASON)


class ApproveBody(DecisionBody):
    """A yes to exactly what was shown."""

    preview_hash = Text(64, least=0, help_text="The action's `preview_hash` that you saw")


class RejectBody(DecisionBody):
    """A no. The last three are required to close what failed."""

    cause = Choice(tuple(review.CAUSES), required=False, default="")
    corrective_action = Text(300, least=0, required=False, default="")
    prevention = Text(300, least=0, required=False, default="")


class EditBody(DecisionBody):
    """Other values; a new preview is made and approvals are void."""

    params = Members(help_text="The parameters to change, as the kind takes them")


Run = Callable[[ReviewItem, User, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what the body carries and which service does it."""

    name: str
    summary: str
    body: type[Body]
    run: Run


def colleague(name: str | None) -> User | None:
    """The person of this user name. Raises Problem 422."""
    if name is None:
        return None
    user = User.objects.filter(username=name).first()
    if user is None:
        raise Problem(422, "field", "to: there is no such person; give a user name, or null", "to")
    return user


def _assign(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    review.assign(item.pk, by=by, to=colleague(said["to"]), group=said["group"], reason=said["reason"])


def _snooze(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    until: datetime = said["until"]
    review.snooze(item.pk, by=by, until=until, why=said["why"], reason=said["reason"])


def _approve(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    hashed, version = said["preview_hash"], said["state_version"]
    review.approve(item.pk, by=by, reason=said["reason"], version=version, preview_hash=hashed)


def _reject(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    record = {name: said[name] for name in ("cause", "corrective_action", "prevention")}
    review.reject(item.pk, by=by, reason=said["reason"], version=said["state_version"], **record)


def _retry(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    review.retry(item.pk, by=by, reason=said["reason"], version=said["state_version"])


def _check(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    review.check(item.pk, by=by, version=said["state_version"])


def _undo(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    review.undo(item.pk, by=by)


def _edit(item: ReviewItem, by: User, said: dict[str, Any]) -> None:
    proposals.edit(item.pk, said["params"], by=by, reason=said["reason"], version=said["state_version"])


DECISIONS = (
    Verb("approve", "Say yes to exactly what was shown", ApproveBody, _approve),
    Verb("reject", "Say no, or close what failed", RejectBody, _reject),
    Verb(
        "retry",
        "Send a failed action again (same bytes, same key), or read what waits for a correction again",
        DecisionBody,
        _retry,
    ),
    Verb("check", "Have the provider asked whether an unknown write happened", VersionBody, _check),
    Verb("edit", "Change what waits for a decision", EditBody, _edit),
    Verb("undo", "Take an approval back within seconds", Empty, _undo),
)
CARE = (
    Verb("claim", "Take it for a quarter of an hour", Empty, lambda one, by, said: review.claim(one.pk, by=by)),
    Verb("release", "Give it back", Empty, lambda one, by, said: review.release(one.pk, by=by)),
    Verb("assign", "Give it to somebody else", AssignBody, _assign),
    Verb("snooze", "Let it wait for a time, the customer or an event", SnoozeBody, _snooze),
    Verb("wake", "End the waiting", Empty, lambda one, by, said: review.wake(one.pk, by=by)),
    Verb(
        "escalate", "Give it to the next owner", ReasonBody,
        lambda one, by, said: review.escalate(one.pk, by=by, reason=said["reason"]),
    ),
    Verb(
        "comment", "Write a remark that stays inside", CommentBody,
        lambda one, by, said: review.comment(one.pk, by=by, text=said["text"]),
    ),
)  # fmt: skip

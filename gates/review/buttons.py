"""The buttons of an item for one person: allowed, or off with the reason, by the same checks as the door."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User

from gates import limits
from gates.models import ReviewItem
from gates.review import again, decisions, desk, door, eyes, words
from gates.review.door import Case
from gates.stop import Refused
from ledger.models import Action

LABELS = {
    "approve": "Approve", "reject": "Reject", "retry": "Retry", "check": "Check now", "edit": "Edit",
    "rollback": "Roll back", "claim": "Claim", "release": "Release", "assign": "Assign", "snooze": "Snooze",
    "wake": "Wake", "escalate": "Escalate", "undo": "Undo",
}  # fmt: skip
STATES = {
    "approve": ("in_review",), "reject": ("in_review", "failed"), "retry": ("failed",), "check": ("unknown",),
    "edit": ("in_review", "failed"), "rollback": ("applied",),
}  # fmt: skip
AGAIN = "Mark reviewed - retry"  # as the item's own words and the message in the channel call it
NEVER_HAPPENED = ("rejected", "superseded")


@dataclass(frozen=True, slots=True)
class Verb:
    """A button as it may be drawn: allowed, or disabled with the reason in words."""

    name: str
    label: str
    allowed: bool
    why_not: str = ""


def verbs(item: ReviewItem, user: User) -> list[Verb]:
    """Every verb for this person now. Reads the action, its customer and its approvals where they are not loaded."""
    named = {**LABELS, "retry": AGAIN} if again.applies(item, item.action) else LABELS
    return [Verb(name, label, not why, why) for name, label in named.items() for why in [why_not(item, user, name)]]


def why_not(item: ReviewItem, user: User, verb: str) -> str:
    """Why this person cannot do that now, as a sentence; empty when they can."""
    case = Case(item, item.action, user, verb)
    try:
        door.permit(user, verb)
        door.refuse_settled(case)
        if verb in STATES:
            return _about_action(case)
        return DESK[verb](item, user)
    except Refused as refusal:
        return refusal.message


def _about_action(case: Case) -> str:
    action = case.action
    if action is None:
        return "" if case.verb == "reject" else "this item is about an event, not about an action"
    if case.verb == "retry" and again.applies(case.item, action):
        return ""
    if action.state not in STATES[case.verb]:
        held = "; the stop holds it, and it goes on after the resume" if action.state == "parked" else ""
        return f"the action is {action.get_state_display().lower()}{held}"
    if case.verb == "rollback" and action.reversals.exclude(state__in=NEVER_HAPPENED).exists():
        return "it is being undone already, or was"
    if case.verb == "approve":
        eyes.four_eyes(action, case.by)
        _second_of_two(action, case.by)
    return ""


def _second_of_two(action: Action, user: User) -> None:
    if not limits.needs_two(action.answers):
        return
    earlier = eyes.given(action)
    eyes.refuse_second_yes(earlier, user)
    if earlier:
        eyes.above_limit([user, *(one.by for one in earlier)])


def _claim(item: ReviewItem, user: User) -> str:
    if not desk.is_taken(item):
        return ""
    return "you have it already" if item.owner_id == user.pk else words.claimed(item)


def _release(item: ReviewItem, user: User) -> str:
    return "" if item.state == desk.CLAIMED and item.owner_id == user.pk else f"{item} is not claimed by you"


def _snooze(item: ReviewItem, user: User) -> str:
    if item.state == desk.SNOOZED:
        return f"{item} waits already"
    return words.claimed(item) if desk.is_taken(item) and item.owner_id != user.pk else ""


def _escalate(item: ReviewItem, user: User) -> str:
    group = desk.next_group(item)
    return f"it is with {group} already; nobody is above" if group == item.owner_group else ""


DESK: dict[str, Callable[[ReviewItem, User], str]] = {
    "claim": _claim,
    "release": _release,
    "assign": lambda item, user: "",
    "snooze": _snooze,
    "wake": lambda item, user: "" if item.state == desk.SNOOZED else f"{item} does not wait",
    "escalate": _escalate,
    "undo": lambda item, user: decisions.cannot_undo(item, item.action),
}

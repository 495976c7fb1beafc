"""The verbs people have. Page, API, shell and worker call these; what may be done is checked here and nowhere else.

Each verb locks the row, checks permission, four eyes, state and version, moves it and writes the ledger row in one
transaction. A refusal of a permission leaves a row, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import items, stop
from gates.models import Approval, Comment, ReviewItem
from gates.stop import Refused, same_person
from ledger import book, clock, wake
from ledger.models import Action, Event
from ledger.states import StaleState

__all__ = ["Refused", "Verb", "approve", "check", "claim", "comment", "reject", "release", "replay", "retry", "verbs"]

CLAIM_FOR = timedelta(minutes=15)
TWO_PEOPLE, ABOVE_LIMIT = "review_two", "gates.approve_above_limit"
PERMISSIONS = {
    "claim": "gates.claim_item", "release": "gates.claim_item", "comment": "gates.claim_item",
    "approve": "gates.approve_item", "reject": "gates.reject_item", "retry": "gates.retry_item",
    "check": "gates.retry_item", "replay": "gates.retry_item",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verb:
    """A button as it may be drawn: allowed, or disabled with the reason in words."""

    name: str
    label: str
    allowed: bool
    why_not: str = ""


@dataclass(slots=True)
class Case:
    """What a verb works on, locked."""

    item: ReviewItem
    action: Action | None
    by: User


def _decide(item_id: int, by: User, verb: str, change: Callable[[Case], None]) -> ReviewItem:
    """Run one verb behind the door; a refused permission or four-eyes rule is written down after the rollback."""
    try:
        with transaction.atomic():
            case = _lock(item_id, by)
            _permit(case, verb)
            change(case)
            wake.ring()
            return case.item
    except StaleState as error:
        raise Refused(409, "stale", "somebody changed this a moment ago; nothing was done, look at it again") from error
    except Refused as refusal:
        if refusal.status == 403:
            _write_refusal(item_id, by, verb, refusal.code)
        raise


def _lock(item_id: int, by: User) -> Case:
    item = ReviewItem.objects.select_for_update(of=("self",)).filter(pk=item_id).first()
    if item is None:
        raise Refused(404, "unknown", "there is no such review item")
    action = Action.objects.select_for_update(of=("self",)).get(pk=item.action_id) if item.action_id else None
    return Case(item, action, by)


def _permit(case: Case, verb: str) -> None:
    permission = PERMISSIONS[verb]
    if not (case.by.is_active and case.by.has_perm(permission)):
        raise Refused(403, "permission", f"your account may not {verb} this; it needs the permission {permission}")
    if case.item.state == ReviewItem.State.RESOLVED and verb != "comment":
        raise Refused(409, "resolved", _who_won(case.item))


def _who_won(item: ReviewItem) -> str:
    who = item.resolved_by.get_username() if item.resolved_by else "Meshline"
    when = f" at {item.resolved_at:%H:%M:%S} UTC" if item.resolved_at else ""
    return f"{item} was settled already ({item.resolution or 'resolved'}) by {who}{when}; nothing was done"


def claim(item_id: int, *, by: User) -> ReviewItem:
    """Take an item for a quarter of an hour. Raises Refused when somebody else has it."""

    def change(case: Case) -> None:
        item, now = case.item, clock.now()
        if item.state == ReviewItem.State.CLAIMED:
            if item.owner_id != by.pk and item.claimed_until and item.claimed_until > now:
                raise Refused(
                    409, "claimed", f"{item} is claimed until {item.claimed_until:%H:%M} UTC by somebody else"
                )
            item.release()
        if item.state == ReviewItem.State.SNOOZED:
            item.wake()
        item.claim()
        item.owner, item.claimed_until = by, now + CLAIM_FOR
        item.save()

    return _decide(item_id, by, "claim", change)


def release(item_id: int, *, by: User) -> ReviewItem:
    """Give an item back. Raises Refused when it is not yours."""

    def change(case: Case) -> None:
        if case.item.state != ReviewItem.State.CLAIMED or case.item.owner_id != by.pk:
            raise Refused(409, "not_yours", f"{case.item} is not claimed by you")
        case.item.release()
        case.item.owner, case.item.claimed_until = None, None
        case.item.save()

    return _decide(item_id, by, "release", change)


def comment(item_id: int, *, by: User, text: str) -> ReviewItem:
    """Add a remark that stays inside Meshline. Raises Refused when it is empty or over 4,000 characters."""

    def change(case: Case) -> None:
        words = text.strip()
        if not words or len(words) > 4000:
            raise Refused(422, "comment", f"comment: 1 to 4,000 characters, this has {len(words)}")
        Comment.objects.create(item=case.item, author=by, text=words)

    return _decide(item_id, by, "comment", change)


def approve(item_id: int, *, by: User, reason: str, version: int, preview_hash: str) -> ReviewItem:
    """Say yes to exactly what was shown. The action may be sent once as many people as its gates ask for agreed.

    Raises Refused: 403 permission or four eyes, 409 state, version or preview changed, 422 reason missing.
    """

    def change(case: Case) -> None:
        action = _in_state(case, "in_review", version, "approve")
        words = _reason(reason)
        _four_eyes(case, action)
        if preview_hash != action.preview_hash:
            raise Refused(409, "preview", "the preview changed since you saw it; nothing was approved, look again")
        earlier = Approval.objects.filter(action=action, voided_at__isnull=True)
        earlier.exclude(preview_hash=preview_hash).update(voided_at=clock.now())
        failing = [one["rule"] for one in action.answers if one["verdict"] != "pass"]
        given = list(earlier.select_related("by"))
        if any(same_person(one.by, by) for one in given):
            raise Refused(409, "approved", "you approved this already; another person has to")
        agreed = [by, *(one.by for one in given)]
        if 1 < needed(action) <= len(agreed) and not any(one.has_perm(ABOVE_LIMIT) for one in agreed):
            raise Refused(403, "above_limit", f"one of the two people who agree needs the permission {ABOVE_LIMIT}")
        Approval.objects.create(
            action=action, item=case.item, by=by, preview_hash=preview_hash, reason=words, rules=failing
        )
        if len(agreed) < needed(action):
            row = {"reasons": [{"rule": "reason", "reason": "first of two approvals"}], "outcome": "approved 1 of 2"}
            book.move([_remark(action, "approval", by, row)])
            return
        row = {"reasons": [{"rule": "person", "reason": "approved by a person"}]}
        changes = {**book.lease_free(), "waiting_since": None}
        book.move([book.step(action, "approve", "approved", _actor(by), changes=changes, row=row)])
        _settle(case, "approved")

    return _decide(item_id, by, "approve", change)


def needed(action: Action) -> int:
    """How many people have to agree."""
    return 2 if any(one["verdict"] == TWO_PEOPLE for one in action.answers) else 1


def reject(item_id: int, *, by: User, reason: str, version: int) -> ReviewItem:
    """Say no; the action ends. An item about an event is closed as read."""

    def change(case: Case) -> None:
        words = _reason(reason)
        if case.action is None:
            _same_version(version, case.item.state_version)
        else:
            action = _in_state(case, ("in_review", "failed"), version, "reject")
            row = {"reasons": [{"rule": "person", "reason": "rejected by a person"}]}
            book.move([book.step(action, "reject", "rejected", _actor(by), row=row)])
        case.item.reason = words
        _settle(case, "rejected" if case.action else "read")

    return _decide(item_id, by, "reject", change)


def retry(item_id: int, *, by: User, reason: str, version: int) -> ReviewItem:
    """Send a failed action again: same bytes, same key, so that a write that did happen is not repeated."""

    def change(case: Case) -> None:
        action = _in_state(case, "failed", version, "retry")
        _reason(reason)
        row = {"reasons": [{"rule": "person", "reason": "sent again by a person, same key and bytes"}]}
        changes = {**book.lease_free(), "tries": 0, "looks": 0, "last_error": "", "error_code": ""}
        book.move([book.step(action, "retry", "approved", _actor(by), changes=changes, row=row)])
        _settle(case, "retried")

    return _decide(item_id, by, "retry", change)


def check(item_id: int, *, by: User, version: int) -> ReviewItem:
    """Have the provider asked now whether an unknown write happened."""

    def change(case: Case) -> None:
        action = _in_state(case, "unknown", version, "check")
        book.move([_remark(action, "check", by, {"outcome": "asked for"}, available_at=clock.now())])

    return _decide(item_id, by, "check", change)


def replay(event_id: int, *, by: User, reason: str) -> Event:
    """Judge a stored event again. The same keys hold, so nothing that was done is done twice.

    Raises Refused: 403 permission, 404 unknown, 409 while stopped or while the event is open.
    """
    if not (by.is_active and by.has_perm(PERMISSIONS["replay"])):
        _write_replay_refusal(event_id, by)
        raise Refused(
            403, "permission", f"your account may not replay; it needs the permission {PERMISSIONS['replay']}"
        )
    words = _reason(reason)
    with transaction.atomic():
        event = Event.objects.select_for_update(of=("self",)).filter(pk=event_id).first()
        if event is None:
            raise Refused(404, "unknown", "there is no such event")
        if stop.is_stopped():
            raise Refused(409, "stopped", "writes are stopped; resume first, then replay")
        if event.state not in ("processed", "ignored", "parked"):
            raise Refused(
                409, "open", f"the event is {event.get_state_display().lower()}; only a finished one is replayed"
            )
        prior = event.state
        event.replay()
        event.attempts = event.crashes = 0
        event.available_at, event.last_error = clock.now(), ""
        event.save()
        book.write_rows([_event_row(event, prior, by, words)])
        wake.ring()
    return event


def verbs(item: ReviewItem, user: User) -> list[Verb]:
    """The buttons of an item for this person, by the same checks as the door."""
    labels = {"approve": "Approve", "reject": "Reject", "retry": "Retry", "check": "Check now"}
    return [Verb(name, label, *_may(item, user, name)) for name, label in labels.items()]


def _may(item: ReviewItem, user: User, verb: str) -> tuple[bool, str]:
    states = {"approve": ("in_review",), "reject": ("in_review", "failed"), "retry": ("failed",), "check": ("unknown",)}
    case = Case(item, item.action, user)
    try:
        _permit(case, verb)
        if case.action is None:
            return (True, "") if verb == "reject" else (False, "this item is about an event, not about an action")
        if case.action.state not in states[verb]:
            return False, f"the action is {case.action.get_state_display().lower()}"
        if verb == "approve":
            _four_eyes(case, case.action)
    except Refused as refusal:
        return False, refusal.message
    return True, ""


def _in_state(case: Case, states: str | tuple[str, ...], version: int, verb: str) -> Action:
    action = case.action
    if action is None:
        raise Refused(409, "no_action", f"this item is about an event; there is nothing to {verb}")
    _same_version(version, action.state_version)
    if action.state not in ((states,) if isinstance(states, str) else states):
        raise Refused(409, "state", f"the action is {action.get_state_display().lower()} by now; nothing was done")
    return action


def _same_version(seen: int, present: int) -> None:
    if seen != present:
        raise Refused(409, "stale", "this was changed since the page was drawn; nothing was done, look at it again")


def _four_eyes(case: Case, action: Action) -> None:
    if same_person(action.requested_by, case.by):
        raise Refused(403, "four_eyes", "you asked for this; another person has to approve it")


def _reason(reason: str) -> str:
    words = reason.strip()
    if not words or len(words) > 500:
        raise Refused(
            422, "reason", f"reason: 1 to 500 characters, this has {len(words)}; it is kept with the decision"
        )
    return words


def _settle(case: Case, resolution: str) -> None:
    case.item.resolve()
    case.item.resolution, case.item.resolved_by, case.item.resolved_at = resolution, case.by, clock.now()
    case.item.save()
    if case.action is not None:
        items.close_for([case.action.pk], resolution)


def _actor(by: User) -> str:
    return f"user:{by.pk}"


def _remark(action: Action, decision: str, by: User, row: dict[str, Any], **changes: Any) -> book.Move:
    """A step that stays where it is but raises the version, because something about the action changed."""
    return book.step(action, decision, str(action.state), _actor(by), changes=changes, row=row)


def _write_refusal(item_id: int, by: User, verb: str, code: str) -> None:
    item = ReviewItem.objects.select_related("action").filter(pk=item_id).first()
    if item is None:
        return
    action = item.action
    state = str(action.state if action else item.state)
    more = book.row_of_action(action) if action else {"event_id": item.event_id, "customer_id": item.customer_id}
    book.write_rows(
        [
            {
                **more, "subject_kind": "action" if action else "item",
                "subject_id": str(action.pk if action else item.pk),
                "action_id": action.pk if action else None, "decision": verb, "actor": _actor(by), "prior_state": state,
                "post_state": state, "outcome": "refused", "error_code": code,
            }
        ]
    )  # fmt: skip


def _event_row(event: Event, prior: str, by: User, words: str) -> dict[str, Any]:
    return {
        "subject_kind": "event", "subject_id": str(event.pk), "event_id": event.pk, "customer_id": event.customer_id,
        "decision": "replay", "actor": _actor(by), "prior_state": prior, "post_state": str(event.state),
        "state_version": event.state_version, "correlation_id": event.correlation_id, "outcome": "replayed",
        "reasons": [{"rule": "person", "reason": words}],
    }  # fmt: skip


def _write_replay_refusal(event_id: int, by: User) -> None:
    event = Event.objects.filter(pk=event_id).first()
    if event is not None:
        row = _event_row(event, str(event.state), by, "permission")
        book.write_rows([row | {"outcome": "refused", "error_code": "permission", "state_version": 0}])

"""Decisions about the action of an item: yes, no, again, look, take back."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from gates import items, limits
from gates.models import Approval, ReviewItem
from gates.review import again, desk, door, eyes, words
from gates.review.door import Case
from gates.rollout.lowering import QUARANTINE
from gates.stop import Refused
from ledger import book, clock
from ledger.models import Action

# What a person may say was the cause of a failure; the value is stored with the item.
CAUSES = {
    "provider_outage": "The provider was out of order",
    "provider_refused": "The provider refused it by its own rules",
    "wrong_data": "Wrong or missing data",
    "not_linked": "A record was not linked",
    "changed_meanwhile": "Somebody else changed it meanwhile",
    "our_mistake": "A mistake in what was asked for",
    "meshline_fault": "A fault in Meshline or its set-up",
    "other": "Something else",
}
RECORD_LENGTH = 300


def approve(
    item_id: int, *, by: User, reason: str, version: int, preview_hash: str, in_bulk: bool = False
) -> ReviewItem:
    """Say yes to exactly what was shown. The action may be sent once as many people as its gates ask for agreed.

    Above the first limit, which counts what the customer got in 30 days as it is now, two people have to. Raises
    Refused: 403 permission or four eyes, 409 state, version or preview changed, 422 reason missing.
    """

    def change(case: Case) -> None:
        action = in_state(case, ("in_review",), version)
        said = words.reason(reason)
        eyes.four_eyes(action, by)
        if preview_hash != action.preview_hash:
            raise Refused(
                409, "preview", f"the preview changed since you saw it{words.changed_by(action)}; nothing was "
                "approved, look again",
            )  # fmt: skip
        _approve(case, action, said, in_bulk=in_bulk)

    return door.run(item_id, by, "approve", change)


def _approve(case: Case, action: Action, said: str, *, in_bulk: bool) -> None:
    answers = limits.answers_now(action)
    if in_bulk:
        refuse_in_bulk(action, answers)
    Approval.objects.filter(action=action, voided_at__isnull=True).exclude(preview_hash=action.preview_hash).update(
        voided_at=clock.now()
    )
    earlier = eyes.given(action)
    eyes.refuse_second_yes(earlier, case.by)
    agreed = [case.by, *(one.by for one in earlier)]
    two = limits.needs_two(answers)
    if two and len(agreed) > 1:
        eyes.above_limit(agreed)
    Approval.objects.create(
        action=action, item=case.item, by=case.by, preview_hash=action.preview_hash, reason=said,
        rules=[one["rule"] for one in answers if one["verdict"] != "pass"],
    )  # fmt: skip
    changes: dict[str, Any] = {} if answers == action.answers else {"answers": answers}
    if two and len(agreed) < 2:
        _first_of_two(case, action, changes)
        return
    row = {"reasons": [{"rule": "person", "reason": "approved by a person"}], "inputs": _sum(action)}
    free = book.lease_free(clock.now() + hold())
    book.move(
        [book.step(action, "approve", "approved", case.actor, changes={**changes, **free, **NOT_WAITING}, row=row)]
    )
    settle(case, "approved")


NOT_WAITING: dict[str, Any] = {"waiting_since": None}


def hold() -> timedelta:
    """How long an approved action waits before it is sent, so that the approval can be taken back."""
    return timedelta(seconds=settings.MESHLINE_UNDO_SECONDS)


def _first_of_two(case: Case, action: Action, changes: dict[str, Any]) -> None:
    row = {
        "reasons": [{"rule": "reason", "reason": "first of two approvals"}], "outcome": "approved 1 of 2",
        "inputs": _sum(action),
    }  # fmt: skip
    book.move([remark(action, "approval", case, row, **changes)])
    if case.item.state == ReviewItem.State.CLAIMED and case.item.owner_id == case.by.pk:
        desk.give_back(case, "release")
    elif case.item.touched_at is None:
        door.touched(case.item)
        case.item.save()


def _sum(action: Action) -> dict[str, Any]:
    total = limits.total_minor(action)
    return {} if total is None else {"amount_30d_minor": total}


def refuse_in_bulk(action: Action, answers: list[dict[str, Any]]) -> None:
    """Raises Refused 409 for what is never decided among others: above the first limit, disputed, under suspicion."""
    why = "it needs two people" if limits.needs_two(answers) else eyes.for_specialists(action)
    if why:
        raise Refused(409, "one_by_one", f"decide this one by itself: {why}")


def reject(
    item_id: int, *, by: User, reason: str, version: int, cause: str = "", corrective_action: str = "",
    prevention: str = "",
) -> ReviewItem:  # fmt: skip
    """Say no; the action ends. An item about an event is closed as read.

    A failed action, or a quarantine, is only closed with its exception record: `cause` (of CAUSES),
    `corrective_action`, `prevention`.
    """

    def change(case: Case) -> None:
        said = words.reason(reason)
        item, prior = case.item, str(case.item.state)
        if case.action is None:
            words.same_version(version, item.state_version, item)
            if item.kind == QUARANTINE:
                _record(item, cause, corrective_action, prevention)
        else:
            action = in_state(case, ("in_review", "failed"), version)
            if action.state == Action.State.FAILED or cause or corrective_action or prevention:
                _record(item, cause, corrective_action, prevention)
            row = {"reasons": [{"rule": "person", "reason": "rejected by a person"}]}
            book.move([book.step(action, "reject", "rejected", case.actor, row=row)])
        item.reason = said
        settle(case, "rejected" if case.action else "read")
        if case.action is None:
            book.write_rows([door.item_row(case, prior, outcome="read")])

    return door.run(item_id, by, "reject", change)


def _record(item: ReviewItem, cause: str, corrective_action: str, prevention: str) -> None:
    """The three fields without which a failure is not closed. Raises Refused 422 that names the field."""
    if cause not in CAUSES:
        raise Refused(422, "cause", f"cause: must be one of {', '.join(CAUSES)}")
    why = "a failed item is closed with what was done about it"
    item.cause = cause
    item.corrective_action = words.text("corrective_action", corrective_action, RECORD_LENGTH, why)
    item.prevention = words.text("prevention", prevention, RECORD_LENGTH, why)


def retry(item_id: int, *, by: User, reason: str, version: int, in_bulk: bool = False) -> ReviewItem:
    """Send a failed action again: same bytes, same key, so that a write that did happen is not repeated.

    What waits in review because of what was read is read again instead and goes on if every gate passes by itself.
    """

    def change(case: Case) -> None:
        if again.applies(case.item, case.action):
            again.run(case, version, words.reason(reason))
            return
        action = in_state(case, ("failed",), version)
        said = words.reason(reason)
        if in_bulk:
            refuse_in_bulk(action, action.answers)
        row = {"reasons": [{"rule": "person", "reason": "sent again by a person, same key and bytes"}]}
        changes = {**book.lease_free(), "tries": 0, "looks": 0, "last_error": "", "error_code": ""}
        book.move([book.step(action, "retry", "approved", case.actor, changes=changes, row=row)])
        case.item.reason = said
        settle(case, "retried")

    return door.run(item_id, by, "retry", change)


def check(item_id: int, *, by: User, version: int) -> ReviewItem:
    """Have the provider asked now whether an unknown write happened."""

    def change(case: Case) -> None:
        action = in_state(case, ("unknown",), version)
        book.move([remark(action, "check", case, {"outcome": "asked for"}, available_at=clock.now())])
        if case.item.touched_at is None:
            door.touched(case.item)
            case.item.save()

    return door.run(item_id, by, "check", change)


def undo(item_id: int, *, by: User) -> ReviewItem:
    """Take an approval back while the action waits out its hold: it asks again, in a new item that is yours.

    Raises Refused 409 when undo is switched off, the hold is over, or it was not this approval that settled the item.
    """

    def change(case: Case) -> None:
        why = cannot_undo(case.item, case.action)
        if why or case.action is None:
            raise Refused(409, "undo", f"{why}; nothing was done")
        row = {"reasons": [{"rule": "undo", "reason": "the approval was taken back within its hold"}]}
        changes = book.lease_free()
        book.move([book.step(case.action, "ask", "in_review", case.actor, changes=changes, row=row)])
        items.void_approvals([case.action.pk])
        case.item = _again(case.item)
        desk.take(case)

    return door.run(item_id, by, "undo", change)


def cannot_undo(item: ReviewItem, action: Action | None) -> str:
    """Why an approval cannot be taken back now; empty when it can."""
    if not settings.MESHLINE_UNDO_SECONDS:
        return "undo is switched off"
    if action is None or item.state != ReviewItem.State.RESOLVED or item.resolution != "approved":
        return "there is no approval here to take back"
    if action.state != Action.State.APPROVED:
        return f"the action is {action.get_state_display().lower()} by now{words.changed_by(action)}"
    if item.resolved_at is None or clock.now() > item.resolved_at + hold():
        return f"an approval can be taken back for {settings.MESHLINE_UNDO_SECONDS} s"
    return ""


# What a new item takes over from the one whose approval was taken back: its clock goes on.
KEPT = (
    "action_id", "event_id", "customer_id", "kind", "sentence", "why", "reason", "owner_group", "due_at",
    "amount_minor", "currency", "correlation_id", "provider", "automation", "tier", "error_code", "confidence",
    "fallback_group", "routed_by", "target_seconds", "touch_due_at", "touched_at", "bump_at", "bumps", "evidence",
    "created_at", "sla_from",
)  # fmt: skip


def _again(item: ReviewItem) -> ReviewItem:
    return ReviewItem.objects.create(**{name: getattr(item, name) for name in KEPT})


def in_state(case: Case, states: tuple[str, ...], version: int) -> Action:
    """The action, if it is in one of these states and as the page showed it. Raises Refused 409."""
    action = case.action
    if action is None:
        raise Refused(409, "no_action", f"this item is about an event; there is nothing to {case.verb}")
    words.same_version(version, action.state_version, action)
    if action.state not in states:
        now = f"{action.get_state_display().lower()} by now{words.changed_by(action)}"
        raise Refused(409, "state", f"the action is {now}; nothing was done")
    return action


def settle(case: Case, resolution: str) -> None:
    """The item is decided by this person."""
    item = case.item
    item.resolve()
    item.resolution, item.resolved_by, item.resolved_at = resolution, case.by, clock.now()
    door.touched(item)
    item.save()


def remark(action: Action, decision: str, case: Case, row: dict[str, Any], **changes: Any) -> book.Move:
    """A step that stays where it is but raises the version, because something about the action changed."""
    return book.step(action, decision, str(action.state), case.actor, changes=changes, row=row)

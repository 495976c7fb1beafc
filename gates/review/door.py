"""The one way through: lock, permission, state, change, ledger row, in one transaction.

Rows are locked in the order workers lock them: customer, action, item. A refused permission or four-eyes rule is
written down after the rollback.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import assistants
from gates.models import ReviewItem
from gates.review import words
from gates.stop import Refused
from ledger import book, clock, wake
from ledger.models import Action, Customer
from ledger.states import StaleState

PERMISSIONS = {
    "claim": "gates.claim_item", "release": "gates.claim_item", "comment": "gates.claim_item",
    "snooze": "gates.claim_item", "wake": "gates.claim_item", "escalate": "gates.claim_item",
    "assign": "gates.assign_item",
    "approve": "gates.approve_item", "reject": "gates.reject_item", "retry": "gates.retry_item",
    "check": "gates.retry_item", "replay": "gates.retry_item", "undo": "gates.approve_item",
    "edit": "gates.edit_action", "rollback": "gates.rollback_action", "bulk": "gates.bulk_decide",
}  # fmt: skip
ON_THE_DESK = ("claim", "release", "comment", "snooze", "wake", "escalate", "assign")  # about the item alone
AFTER_THE_END = ("comment", "undo", "rollback")  # possible when the item is settled


@dataclass(slots=True)
class Case:
    """What a verb works on, locked."""

    item: ReviewItem
    action: Action | None
    by: User
    verb: str

    @property
    def actor(self) -> str:
        """How ledger rows name the person."""
        return f"user:{self.by.pk}"


def run(item_id: int, by: User, verb: str, change: Callable[[Case], None]) -> ReviewItem:
    """Run one verb behind the door. Raises Refused with nothing changed."""
    try:
        with transaction.atomic():
            case = lock(item_id, by, verb)
            permit(case.by, verb)
            refuse_settled(case)
            change(case)
            if verb not in ON_THE_DESK:
                wake.ring()
            return case.item
    except StaleState as error:
        raise Refused(409, "stale", _stale(item_id)) from error
    except Refused as refusal:
        if refusal.status == 403:
            write_refusals([item_id], by, verb, refusal.code)
        raise


def lock(item_id: int, by: User, verb: str) -> Case:
    """The item and, for verbs that decide, its action; where money moves, the customer before both."""
    found = ReviewItem.objects.filter(pk=item_id).values_list(
        "action_id", "action__customer_id", "action__amount_minor"
    )
    about = found.first()
    if about is None:
        raise Refused(404, "unknown", "there is no such review item")
    action_id, customer_id, amount = about
    action = None
    if action_id is not None and verb not in ON_THE_DESK:
        if amount is not None and customer_id is not None:
            Customer.objects.select_for_update(no_key=True).filter(pk=customer_id).values_list("pk").first()
        action = Action.objects.select_for_update(of=("self",)).get(pk=action_id)
    item = ReviewItem.objects.select_for_update(of=("self",)).get(pk=item_id)
    return Case(item, action, by, verb)


def permit(by: User, verb: str) -> None:
    """Raises Refused 403 unless the account is in use and holds the permission now."""
    permission = PERMISSIONS[verb]
    if by.is_superuser and assistants.is_assistant(by):  # anybody else's permissions are cut already
        raise Refused(403, "permission", f"an assistant's account may not {verb} anything; a person decides")
    if not (by.is_active and by.has_perm(permission)):
        raise Refused(403, "permission", f"your account may not {verb} this; it needs the permission {permission}")


def refuse_settled(case: Case) -> None:
    """Raises Refused 409 that says who settled the item, and when."""
    if case.item.state == ReviewItem.State.RESOLVED and case.verb not in AFTER_THE_END:
        raise Refused(409, "resolved", words.settled(case.item))


def item_row(case: Case, prior: str, decision: str = "", **more: Any) -> dict[str, Any]:
    """A ledger row about the item itself; what people typed stays in comments, which can be erased."""
    item = case.item
    return {
        "subject_kind": "item", "subject_id": str(item.pk), "action_id": item.action_id, "event_id": item.event_id,
        "customer_id": item.customer_id, "correlation_id": item.correlation_id, "decision": decision or case.verb,
        "actor": case.actor, "prior_state": prior, "post_state": str(item.state),
        "state_version": item.state_version, "outcome": str(item.state), **more,
    }  # fmt: skip


def save(case: Case, prior: str, decision: str = "", **more: Any) -> None:
    """Save the item and write its row."""
    case.item.save()
    book.write_rows([item_row(case, prior, decision, **more)])


def touched(item: ReviewItem) -> None:
    """A person has looked at it: the first time counts."""
    item.touched_at = item.touched_at or clock.now()


def write_refusals(item_ids: Sequence[int], by: User, verb: str, code: str) -> None:
    """One row for each of these items: somebody was not allowed to."""
    rows = []
    for item in ReviewItem.objects.select_related("action").filter(pk__in=list(item_ids)):
        action = item.action
        state = str(action.state if action else item.state)
        more = book.row_of_action(action) if action else {"event_id": item.event_id, "customer_id": item.customer_id}
        rows.append(
            {
                **more, "subject_kind": "action" if action else "item",
                "subject_id": str(action.pk if action else item.pk),
                "action_id": action.pk if action else None, "decision": verb, "actor": f"user:{by.pk}",
                "prior_state": state, "post_state": state, "outcome": "refused", "error_code": code,
            }
        )  # fmt: skip
    if rows:
        book.write_rows(rows)


def _stale(item_id: int) -> str:
    item = ReviewItem.objects.select_related("action").filter(pk=item_id).first()
    said = words.changed_by(item.action or item) if item else ""
    return f"this was changed a moment ago{said}; nothing was done, look at it again"

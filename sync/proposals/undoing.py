"""Taking back what was done: the inverse, as an action of its own, at most once for each original."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from gates import policy
from gates.review import words
from gates.stop import Refused
from ledger import book, clock, wake
from ledger.models import Action
from ledger.words import from_identifier
from sync import actions
from sync.actions.base import ActionKind
from sync.booking import Booking, Cause
from sync.proposals import live
from sync.proposals.asking import (
    check_fields,
    event_of,
    kind_of,
    locked,
    proposal_of,
    reason_of,
    refuse_unwanted,
    stored,
)

PERMISSION = "gates.rollback_action"
GAVE_UP = ("rejected", "superseded")


def roll_back(action_id: UUID | str, *, by: User, reason: str, version: int) -> Action:
    """Ask for what undoes a confirmed action; it passes the same gates and is another person's to approve.

    Raises Refused: 403 permission, 404 no such action, 409 irreversible (the runbook is named), not applied, changed
    since (`version` is the original's), or undone already, 422 a field.
    """
    said = reason_of(reason)
    original = _original(action_id)
    _permit(original, by)
    inverse, params = _inverse(original)
    check_fields(inverse, params)
    seen = live.read(inverse, original.contract_id or 0, params)
    with transaction.atomic():
        known = seen.onto(locked(original.contract_id or 0))
        original = Action.objects.select_for_update(of=("self",)).get(pk=original.pk)
        _refuse_undone(original, version)
        proposal = proposal_of(inverse, known, params, said)
        into = Booking(policy.current(), clock.now())
        refuse_unwanted(proposal, known, into)
        event = event_of(known, proposal, original.correlation_id)
        cause = Cause(event.pk, event.correlation_id, "", requested_by=by.pk, reverses=original.pk)
        action = stored(proposal, known, cause, into)
        seen.keep(action.pk, event.pk)
        row = {"reasons": [{"rule": "rollback", "reason": f"by {action}"}], "outcome": "asked"}
        book.move([book.step(original, "rollback", str(original.state), f"user:{by.pk}", row=row)])
        wake.ring()
    return action


def _original(action_id: UUID | str) -> Action:
    try:
        key = action_id if isinstance(action_id, UUID) else UUID(str(action_id))
    except ValueError:
        key = None
    found = Action.objects.filter(pk=key).first() if key else None
    if found is None:
        raise Refused(404, "unknown", "there is no such action")
    return found


def _permit(original: Action, by: User) -> None:
    if by.is_active and by.has_perm(PERMISSION):
        return
    state = str(original.state)
    row = {
        **book.row_of_action(original), "subject_kind": "action", "subject_id": str(original.pk),
        "action_id": original.pk, "decision": "rollback", "actor": f"user:{by.pk}", "prior_state": state,
        "post_state": state, "outcome": "refused", "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])
    raise Refused(403, "permission", f"your account may not roll back; it needs the permission {PERMISSION}")


def _inverse(original: Action) -> tuple[ActionKind, dict[str, Any]]:
    """The kind that undoes it, and what it is asked with. Raises Refused 409 where nothing does."""
    if original.kind not in actions.ACTIONS or original.contract_id is None:
        raise Refused(409, "irreversible", f"{original.kind}: Meshline knows nothing that undoes this")
    chosen = actions.get(original.kind)
    why = chosen.final_because(original.params)
    if why:
        runbook = from_identifier(chosen.runbook)
        raise Refused(
            409, "irreversible", f"{chosen.verb}: this cannot be undone, {why}; follow the "
            f"runbook {runbook} ({chosen.runbook})",
        )  # fmt: skip
    return kind_of(chosen.inverse_of(original.params)), chosen.undo(original.params, original.facts)


def _refuse_undone(original: Action, version: int) -> None:
    """Only what is applied is undone, as it was shown, and once. Raises Refused 409."""
    words.same_version(version, original.state_version, original)
    verb, state = actions.get(original.kind).verb, original.get_state_display().lower()
    again = Action.objects.filter(reverses=original).exclude(state__in=GAVE_UP).first()
    if again is not None:
        by, now = words.changed_by(again), again.get_state_display().lower()
        raise Refused(409, "undone", f"{verb}: undone once, by {again}, which is {now}{by}; nothing was asked for")
    if original.state != Action.State.APPLIED:
        raise Refused(409, "state", f"{verb}: only what is confirmed is rolled back, this is {state}")

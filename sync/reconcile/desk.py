"""What people do about a difference: one door for pages, API and shell; each step with its ledger row."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from django_fsm import can_proceed

from gates import items
from gates.models import ReviewItem
from gates.playbooks import onboarding
from gates.stop import Refused
from ledger import book, clock
from sync.reconcile import deltas, fixes, words
from sync.reconcile.models import Delta

WORK, ACCEPT = "sync.work_delta", "sync.accept_delta"
PERMISSIONS = {
    "propose": WORK, "fetch": WORK, "acknowledge": WORK, "assign": WORK, "resolve": WORK, "open_item": WORK,
    "accept": ACCEPT,
}  # fmt: skip
ITEM = "reconcile.delta"
ASKED_BY = "the group that the difference belongs to"
LONGEST_REASON = 500
LONGEST_ACCEPTED = timedelta(days=366)


def acknowledge(delta_id: int, *, by: User, version: int) -> Delta:
    """Seen. Raises Refused: 403 permission, 404, 409 state or version."""

    def change(delta: Delta) -> str:
        delta.acknowledge()
        return ""

    return _run(delta_id, "acknowledge", by, version, change)


def assign(
    delta_id: int, *, by: User, version: int, reason: str, to: User | None = None, group: str = ""
) -> Delta:  # fmt: skip
    """Give it to a person, or to a group with nobody of it yet. Raises Refused: 403, 404, 409, 422 with the field."""

    def change(delta: Delta) -> str:
        if to is not None and not to.is_active:
            raise Refused(422, "to", "to: somebody whose account is switched on")
        if group and not Group.objects.filter(name=group).exists():
            raise Refused(422, "group", f"group: choose one of the groups, there is no {group[:80]!r}")
        if to is None and not group:
            raise Refused(422, "to", "to: choose a person or a group")
        said = _reason(reason)
        delta.assign()
        delta.owner, delta.owner_group = to, group or delta.owner_group
        return said

    return _run(delta_id, "assign", by, version, change)


def accept(delta_id: int, *, by: User, version: int, reason: str, until: datetime | None = None) -> Delta:
    """It may stay as it is while both values stay the same, and no longer than until then where a time is named.

    Raises Refused: 403, 404, 409, 422 reason or until.
    """

    def change(delta: Delta) -> str:
        delta.reason = _reason(reason)
        if until is not None and not clock.now() < until <= clock.now() + LONGEST_ACCEPTED:
            raise Refused(422, "until", f"until: a day from tomorrow on, at most {LONGEST_ACCEPTED.days} days ahead")
        delta.accept()
        delta.accepted_until = until
        return delta.reason

    return _run(delta_id, "accept", by, version, change)


def resolve(delta_id: int, *, by: User, version: int, reason: str) -> Delta:
    """It was put right. The next run opens it again if it was not. Raises Refused: 403, 404, 409, 422 reason."""

    def change(delta: Delta) -> str:
        delta.reason = _reason(reason)
        delta.resolve()
        delta.resolved_at = clock.now()
        return delta.reason

    return _run(delta_id, "resolve", by, version, change)


def open_item(delta_id: int, *, by: User, version: int) -> Delta:
    """Put it into the review queue, for those whose difference it is.

    Raises Refused: 403 permission, 404, 409 state, version, or an item is open already.
    """

    def change(delta: Delta) -> str:
        if delta.item is not None and delta.item.state != ReviewItem.State.RESOLVED:
            raise Refused(409, "item", f"{delta.item} is open about it already; nothing was done")
        (key,) = items.open_tasks(
            [
                {
                    "kind": ITEM, "why": delta.kind, "sentence": words.sentence(delta), "reason": words.fix(delta),
                    "owner_group": delta.owner_group, "asked_owner": delta.owner_id, "asked_by": ASKED_BY,
                    "customer_id": delta.customer_id, "correlation_id": uuid.uuid4(),
                    "automation": onboarding.AUTOMATION, "provider": delta.owner_system,
                    "evidence": {"delta": delta.pk},
                }
            ]
        )  # fmt: skip
        delta.item = ReviewItem.objects.get(pk=key)
        delta.state_version += 1
        return ""

    return _run(delta_id, "open_item", by, version, change)


def propose(delta_id: int, *, by: User, version: int, reason: str) -> Delta:
    """Ask for the action that puts it right, through the gates. Raises Refused: 403, 404, 409, 422, as asking does."""
    asked = fixes.ask(_ready(delta_id, "propose", by, version), by=by, reason=_reason(reason))

    def change(delta: Delta) -> str:
        delta.action_id = asked.pk
        if delta.state == Delta.State.OPEN:
            delta.acknowledge()
        else:
            delta.state_version += 1
        return _reason(reason)

    return _run(delta_id, "propose", by, version, change)


def fetch(delta_id: int, *, by: User, version: int) -> Delta:
    """Fetch the event that never came; the next run closes the difference. Raises Refused: 403, 404, 409, 502."""
    fixes.fetch(_ready(delta_id, "fetch", by, version))

    def change(delta: Delta) -> str:
        if delta.state == Delta.State.OPEN:
            delta.acknowledge()
        else:
            delta.state_version += 1
        return "fetched into the inbox"

    return _run(delta_id, "fetch", by, version, change)


VERBS: dict[str, Callable[..., Delta]] = {
    "propose": propose, "fetch": fetch, "acknowledge": acknowledge, "assign": assign, "accept": accept,
    "resolve": resolve, "open_item": open_item,
}  # fmt: skip


def why_not(delta: Delta, by: User, verb: str) -> str:
    """Why this person cannot do that now, as a clause; empty when they can."""
    if not (by.is_active and by.has_perm(PERMISSIONS[verb])):
        return f"it needs the permission {PERMISSIONS[verb]}"
    return _not_from_here(delta, verb)


def _ready(delta_id: int, verb: str, by: User, version: int) -> Delta:
    """The difference, where the verb may be run now; asking others takes a while, so nothing is held meanwhile."""
    return _run(delta_id, verb, by, version, None)


def _not_from_here(delta: Delta, verb: str) -> str:
    is_over = delta.state in (Delta.State.RESOLVED, Delta.State.ACCEPTED)
    if verb in ("propose", "fetch"):
        fits = fixes.action_for(delta) if verb == "propose" else fixes.can_fetch(delta)
        state = delta.get_state_display().lower()
        return f"it is {state}" if is_over else "" if fits else "nothing that we may write puts it right"
    if delta.kind == Delta.Kind.IDENTITY and verb in ("accept", "resolve"):
        return "who the customer is has to be confirmed; that settles it"
    if verb == "open_item":
        return f"it is {delta.get_state_display().lower()}" if is_over else ""
    if can_proceed(getattr(delta, verb), check_conditions=False):
        return ""
    return f"it is {delta.get_state_display().lower()}"


def _run(delta_id: int, verb: str, by: User, version: int, change: Callable[[Delta], str] | None) -> Delta:
    """Lock, permission, version, state, change, ledger row. A refused permission is written down after the rollback."""
    try:
        with transaction.atomic():
            delta = Delta.objects.select_for_update(of=("self",)).select_related("item").filter(pk=delta_id).first()
            if delta is None:
                raise Refused(404, "unknown", "there is no such difference")
            if not (by.is_active and by.has_perm(PERMISSIONS[verb])):
                said = verb.replace("_", " ")
                raise Refused(403, "permission", f"your account may not {said} this; it needs {PERMISSIONS[verb]}")
            if version != delta.state_version:
                raise Refused(409, "stale", f"{delta} was changed since you saw it; nothing was done, look again")
            why = _not_from_here(delta, verb)
            if why:
                raise Refused(409, "state", f"{why}; nothing was done")
            if change is None:
                return delta
            prior = str(delta.state)
            said = change(delta)
            delta.save()
            if delta.state in (Delta.State.RESOLVED, Delta.State.ACCEPTED) and delta.item_id:
                deltas.settle_items([delta.item_id], str(delta.state), by.pk)
            book.write_rows([_row(delta, verb, by, prior, said)])
            return delta
    except Refused as refusal:
        found = Delta.objects.filter(pk=delta_id).first() if refusal.status == 403 else None
        if found is not None:
            row = _row(found, verb, by, str(found.state), "") | {"outcome": "refused", "error_code": refusal.code}
            book.write_rows([row])
        raise


def _row(delta: Delta, verb: str, by: User, prior: str, said: str) -> dict[str, Any]:
    about = {"class": delta.kind, "key": delta.key, "field": delta.field}
    more: dict[str, Any] = {"item": delta.item_id} if verb == "open_item" else {}
    more |= {"to": delta.owner_id, "group": delta.owner_group} if verb == "assign" else {}
    more |= {"action": delta.action_id} if verb == "propose" else {}
    more |= {"until": delta.accepted_until} if verb == "accept" else {}
    return {
        "subject_kind": deltas.SUBJECT, "subject_id": str(delta.pk), "decision": verb, "actor": f"user:{by.pk}",
        "prior_state": prior, "post_state": str(delta.state), "state_version": delta.state_version,
        "outcome": str(delta.state), "customer_id": delta.customer_id, "correlation_id": delta.correlation_id,
        "reasons": [{"rule": "reason", "reason": said}] if said else [], "inputs": {**about, **more},
    }  # fmt: skip


def _reason(reason: str) -> str:
    said = reason.strip()
    if not 0 < len(said) <= LONGEST_REASON or "\x00" in said:
        raise Refused(422, "reason", f"reason: 1 to {LONGEST_REASON} characters; it is kept for ever")
    return said

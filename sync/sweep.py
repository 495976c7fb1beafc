"""The last resort of everything: leases that ran out, holds that are due, what the stop held. Safe at any moment."""

from typing import Any

from django.db import transaction

from gates import items, stop
from gates.models import StopSwitch
from ledger import book, claim
from ledger.models import Action

RELEASE_A_PASS = 10  # what the stop held is released a few at a time, never in a burst
ACTOR = "system:sweep"


def sweep() -> dict[str, int]:
    """Bring back what died, wake what is due, release what the stop held; counts by kind."""
    return {
        "parked_events": park_events(),
        "freed_actions": free_actions(),
        "due": claim.flip_due(),
        "released": release_parked(),
    }


def park_events() -> int:
    """Free events whose worker died; the one that keeps killing workers goes to a person."""
    with transaction.atomic():
        parked = claim.sweep_events()
        items.open_items(
            [
                items.for_event(one, "event", "An event whose handling killed its worker six times.", "crashed")
                for one in parked
            ]
        )
    return len(parked)


def free_actions() -> int:
    """Actions whose worker died: not yet sent ones go back; those that may be in the air are in doubt."""
    with transaction.atomic():
        expired = claim.expired_actions()
        flying = [row[0] for row in expired if row[1] == "sending"]
        claim.free_expired([row[0] for row in expired if row[1] != "sending"])
        moves = []
        for action in Action.objects.filter(pk__in=flying):
            changes = {**book.lease_free(), "unknown_since": action.sent_at, "crashes": action.crashes + 1}
            row = {"reasons": [{"rule": "lease", "reason": "its worker died between sending and booking"}]}
            if action.job_ref:
                claim.free_expired([action.pk])
            else:
                moves.append(book.step(action, "doubt", "unknown", ACTOR, changes=changes, row=row))
        book.move(moves, strict=False)
    return len(expired)


def release_parked(limit: int = RELEASE_A_PASS) -> int:
    """Actions held by a stop that is over are approved again, a few at a time, and judged when claimed."""
    states = dict(StopSwitch.objects.values_list("scope", "state"))
    if states.get(stop.ALL) != "running":
        return 0
    with transaction.atomic():
        candidates = Action.objects.select_for_update(skip_locked=True).filter(state="parked").order_by("id")[:limit]
        moves = [
            book.step(one, "approve", "approved", ACTOR, changes=book.lease_free(), row=_why())
            for one in candidates
            if all(states.get(scope, "running") == "running" for scope in stop.scopes_of(one.provider, one.automation))
        ]
        book.move(moves, strict=False)
    return len(moves)


def _why() -> dict[str, Any]:
    return {"reasons": [{"rule": "emergency_stop", "reason": "the stop is over; judged again before it is sent"}]}

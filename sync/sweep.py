"""The last resort of everything: leases that ran out, holds that are due, what the stop held. Safe at any moment."""

from django.db import transaction

from gates import items, sla
from gates.checklists import timely
from ledger import book, claim
from ledger.models import Action
from sync import correlate, release, tripping
from sync.incidents import following
from sync.slack import outbox

ACTOR = "system:sweep"


def sweep() -> dict[str, int]:
    """Bring back what died, wake what is due, release what the stop held, bump late items; counts by kind."""
    return {
        "tripped": tripping.check(),
        "parked_events": park_events(),
        "heard_again": correlate.hear_strangers(),
        "freed_actions": free_actions(),
        "due": claim.flip_due(),
        "released": release.release(),
        "woken": sla.wake_due(),
        "bumped": sla.bump_due(),
        "onboarding": timely.tend(),
        "messages": outbox.plan(),
        "incidents": following.follow(),
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

"""Messages follow their actions where nobody booked them together: refused for good, rejected or withdrawn."""

from django.db import transaction

from gates.incidents import rows

ACTOR = "system:sweep"
WAITING = (
    "o.state = 'in_review' and o.action_id is not null and exists"
    " (select from ledger_action a where a.id = o.action_id and a.state = any(%(states)b::text[]))"
)
ENDS = (
    ("fail", "failed", ("failed",), "refused for good; its action says why"),
    ("skip", "skipped", ("rejected", "superseded"), "its action was withdrawn"),
)


def follow() -> int:
    """Move what waits behind its action; returns how many. Safe at any moment, by any number of processes."""
    moved = 0
    for verb, post, states, why in ENDS:
        with transaction.atomic():
            params = {"states": list(states)}
            moved += len(rows.step(verb, ("in_review",), post, only=WAITING, params=params, actor=ACTOR, why=why))
    return moved

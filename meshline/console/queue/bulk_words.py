"""The verbs that work on several items: their buttons, keys, words and reasons to choose from."""

from dataclasses import dataclass
from typing import Any

from gates.review import PERMISSIONS


@dataclass(frozen=True, slots=True)
class BulkVerb:
    """One of them. `calls` says that something leaves Meshline because of it, `done` what a done item is called."""

    name: str
    label: str
    key: str
    done: str
    needs_reason: bool = True
    calls: bool = False
    reasons: tuple[str, ...] = ()


VERBS: dict[str, BulkVerb] = {
    one.name: one
    for one in (
        BulkVerb("claim", "Claim", "c", "claimed", needs_reason=False),
        BulkVerb(
            "approve", "Approve", "a", "approved", calls=True,
            reasons=("Checked with the customer", "Agreed with billing", "Duplicate charge", "Known and harmless"),
        ),
        BulkVerb(
            "retry", "Retry", "t", "sent again", calls=True,
            reasons=("The cause is removed", "The provider was down", "Agreed with the provider"),
        ),
        BulkVerb(
            "reject", "Reject", "r", "rejected",
            reasons=("Customer paid meanwhile", "Wrong customer or contract", "Duplicate", "Not needed any more"),
        ),
        BulkVerb("assign", "Assign", "", "assigned", reasons=("Absence", "Knows the customer", "Balance of work")),
        BulkVerb(
            "snooze", "Snooze", "h", "put off",
            reasons=("Waiting for the customer", "Waiting for billing", "Waiting for a payment"),
        ),
    )
}  # fmt: skip
BULK = PERMISSIONS["bulk"]


def why_not(verb: str, user: Any) -> str:
    """Why this person has no such button; empty where there is one."""
    missing = [one for one in (BULK, PERMISSIONS[verb]) if not user.has_perm(one)]
    return f"your account needs the permission {' and '.join(missing)}" if missing else ""


def buttons(user: Any) -> list[dict[str, Any]]:
    """The buttons above the list, those that are off with the reason."""
    return [{"verb": one, "why_not": why_not(one.name, user)} for one in VERBS.values()]

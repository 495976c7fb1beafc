"""Review items as sets: opened and closed together with the actions they are about, in the caller's transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ledger import clock, sets

DECIDE_WITHIN = timedelta(hours=24)
ITEM_TYPES = {
    "state": "text", "state_version": "int", "action_id": "uuid", "event_id": "bigint", "customer_id": "bigint",
    "kind": "text", "sentence": "text", "why": "text", "reason": "text", "owner_group": "text",
    "due_at": "timestamptz", "amount_minor": "bigint", "currency": "text", "correlation_id": "uuid",
    "created_at": "timestamptz", "resolution": "text", "cause": "text", "corrective_action": "text",
    "prevention": "text", "provider": "text", "automation": "text", "tier": "text", "error_code": "text",
    "confidence": "float8", "fallback_group": "text", "routed_by": "text", "target_seconds": "int",
    "touch_due_at": "timestamptz", "bump_at": "timestamptz", "bumps": "smallint", "owner_id": "int",
    "snooze_why": "text", "evidence": "jsonb",
}  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "state": "open", "state_version": 0, "reason": "", "currency": "", "resolution": "", "cause": "",
    "corrective_action": "", "prevention": "", "provider": "", "automation": "", "tier": "", "error_code": "",
    "fallback_group": "", "routed_by": "", "target_seconds": 86_400, "bumps": 0, "snooze_why": "", "evidence": {},
}  # fmt: skip


def open_items(items: Sequence[dict[str, Any]]) -> int:
    """Open one item for each dict (kind, sentence, why, owner_group, and action_id or event_id); returns how many.

    An action has one open item at most; where one is open already, nothing is added.
    """
    now = clock.now()
    rows = [{**DEFAULTS, "created_at": now, "due_at": now + DECIDE_WITHIN, **item} for item in items]
    for row in rows:
        for name in ("sentence", "reason"):
            row[name] = str(row[name])[:500]
    return len(sets.insert("gates_reviewitem", ITEM_TYPES, rows, "on conflict do nothing returning id"))


def close_for(actions: Sequence[Any], resolution: str) -> None:
    """Resolve the open items of these actions: they were decided or overtaken elsewhere."""
    if actions:
        sets.run(
            """update gates_reviewitem set state = 'resolved', state_version = state_version + 1,
                      resolution = %(resolution)b, resolved_at = %(now)b
               where action_id = any(%(ids)b::uuid[]) and state <> 'resolved'""",
            {"resolution": resolution, "now": clock.now(), "ids": list(actions)},
        )


def void_approvals(actions: Sequence[Any]) -> None:
    """These actions ask again: what people agreed to before is not what they are asked now."""
    if actions:
        sets.run(
            """update gates_approval set voided_at = %(now)b
               where action_id = any(%(ids)b::uuid[]) and voided_at is null""",
            {"now": clock.now(), "ids": list(actions)},
        )


def for_event(event_id: int, kind: str, sentence: str, why: str, **more: Any) -> dict[str, Any]:
    """An item about an event that only a person can read."""
    return {
        "event_id": event_id,
        "kind": kind,
        "sentence": sentence,
        "why": why,
        "owner_group": "Automation Engineer",
        **more,
    }

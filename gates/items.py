"""Review items as sets: opened and closed together with the actions they are about, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from gates import accounts, ownership, sla
from gates.accounts import ACCOUNT
from ledger import clock, sets

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
    "bumps": 0, "snooze_why": "", "evidence": {},
}  # fmt: skip
# `xmax = 0` is true of a row that was inserted and false of one that was there.
SAYS_NOW = """
on conflict (action_id) where state <> 'resolved' do update
   set why = excluded.why, reason = excluded.reason, sentence = excluded.sentence, evidence = excluded.evidence,
       error_code = excluded.error_code, state_version = gates_reviewitem.state_version + 1
 where (gates_reviewitem.why, gates_reviewitem.reason, gates_reviewitem.sentence)
       is distinct from (excluded.why, excluded.reason, excluded.sentence)
returning xmax = 0"""
# What an item takes over from its action, its customer and what set it off: one statement for a batch.
ABOUT_SQL = f"""
select v.n, coalesce(a.provider, e.source), a.automation, a.error_code, a.answers, a.facts -> 'synced_at', c.id,
       c.tier, c.mrr_minor, k.state, {ACCOUNT}, a.params ->> 'due_by', e.id, e.type, e.occurred_at
  from unnest(%(n)b::int[], %(action)b::uuid[], %(event)b::bigint[], %(customer)b::bigint[])
       as v(n, action_id, event_id, customer_id)
  left join ledger_action a on a.id = v.action_id
  left join ledger_customer c on c.id = coalesce(v.customer_id, a.customer_id)
  left join ledger_contract k on k.id = a.contract_id
  left join ledger_contextrecord x on x.customer_id = c.id
  left join ledger_event e on e.id = coalesce(v.event_id, a.event_id)"""


def open_items(items: Sequence[dict[str, Any]]) -> int:
    """Open one item for each dict (kind, sentence, why, owner_group, and action_id or event_id); returns how many.

    Owner and due time come from routing and SLA; `due_by` (an ISO time), or that of the action's parameters, is the
    latest it may be due. An action has one open item at most: one that is open already keeps
    its owner and its clock, and says what it is about now.
    """
    if not items:
        return 0
    rows = _ready(items)
    last = {row.get("action_id") or n: row for n, row in enumerate(rows)}  # of two about one action the newer one
    return sum(new for (new,) in sets.insert("gates_reviewitem", ITEM_TYPES, list(last.values()), SAYS_NOW))


def open_tasks(items: Sequence[dict[str, Any]]) -> list[int]:
    """Open one item for each dict that is about no action; returns their ids in the order given.

    `asked_by` (in words) and `asked_owner` (a user's number) keep an item with the group it names, whatever the rules.
    """
    if not items:
        return []
    return [row[0] for row in sets.insert("gates_reviewitem", ITEM_TYPES, _ready(items), "returning id")]


def _ready(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows to be inserted, with their owner and what is promised."""
    now = clock.now()
    rows = [{**DEFAULTS, "created_at": now, **item} for item in items]
    _describe(rows)
    ownership.route(rows)
    sla.promise(rows, now)
    for row in rows:
        for name in ("sentence", "reason"):
            row[name] = str(row[name])[:500]
    return rows


def _describe(rows: Sequence[dict[str, Any]]) -> None:
    """Fill in what routing, filters and groups of failures need; what the caller said stays."""
    asked = {"n": list(range(len(rows)))} | {
        name: [row.get(f"{name}_id") for row in rows] for name in ("action", "event", "customer")
    }
    for n, provider, automation, error, answers, read, customer, tier, mrr, contract, *more in sets.run(
        ABOUT_SQL, asked
    ):
        *account, due_by, event, type_, at = more
        row = rows[n]
        found = {"provider": provider, "automation": automation, "error_code": error, "tier": tier}
        row |= {name: value for name, value in found.items() if value and not row[name]}
        row["customer_id"] = row.get("customer_id") or customer
        row["mrr_minor"], row["contract_state"] = mrr, contract
        row |= accounts.known(*account)
        row["evidence"] = row["evidence"] or _evidence((event, type_, at), read or {}, answers or [])
        if due_by := row.get("due_by") or due_by:
            row["evidence"] = {**row["evidence"], sla.DUE_BY: due_by}


def _evidence(signal: Sequence[Any], read: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the handoff rests on: the first signal, when each trusted source was read, what still stands in the way."""
    event_id, kind, at = signal
    return {
        "signal": {"event": event_id, "type": kind, "at": at} if event_id else None,
        "trusted": dict(read),
        "remains": [one["reason"] or one["rule"] for one in answers if one["verdict"] != "pass"],
    }


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

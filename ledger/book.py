"""The only mover of Action and Contract state and the only writer of LedgerRow: move and row in one transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from ledger import clock, sets
from ledger.models import Action, Contract, Customer
from ledger.states import StaleState, Stateful, edges_of

OPEN_IN_LANE = ("approved", "sending", "unknown")
TABLES: dict[str, type[Stateful]] = {"action": Action, "contract": Contract, "customer": Customer}
SYSTEM = "system"

ROW_TYPES = {
    "subject_kind": "text", "subject_id": "text", "event_id": "bigint", "action_id": "uuid", "customer_id": "bigint",
    "decision": "text", "actor": "text", "prior_state": "text", "post_state": "text", "state_version": "int",
    "correlation_id": "uuid", "recorded_at": "timestamptz", "applied_at": "timestamptz", "reasons": "jsonb",
    "inputs": "jsonb", "rule_version": "text", "mode": "text", "key": "text", "confirmation_id": "text",
    "outcome": "text", "latency_ms": "int", "error_code": "text", "amount_minor": "bigint", "currency": "text",
}  # fmt: skip
ROW_DEFAULTS: dict[str, Any] = {
    "reasons": [], "inputs": {}, "rule_version": "", "mode": "live", "key": "", "confirmation_id": "", "outcome": "",
    "error_code": "", "currency": "", "state_version": 0, "actor": SYSTEM,
}  # fmt: skip

ACTION_TYPES = {
    "id": "uuid", "state": "text", "state_version": "int", "kind": "text", "provider": "text", "automation": "text",
    "mode": "text", "customer_id": "bigint", "contract_id": "bigint", "event_id": "bigint", "target": "text",
    "business_key": "text", "params": "jsonb", "because": "text", "preview": "jsonb", "preview_hash": "text",
    "answers": "jsonb", "facts": "jsonb", "rule_version": "text", "judged_version": "int", "irreversible": "bool",
    "amount_minor": "bigint", "currency": "text", "reverses_id": "uuid", "requested_by_id": "int",
    "edited_by_id": "int",
    "correlation_id": "uuid", "key": "text", "job_ref": "text", "tries": "smallint", "looks": "smallint",
    "lane": "text", "in_lane": "bool", "available_at": "timestamptz", "crashes": "smallint", "last_error": "text",
    "error_code": "text", "created_at": "timestamptz", "updated_at": "timestamptz",
}  # fmt: skip
ACTION_DEFAULTS: dict[str, Any] = {
    "provider": "", "automation": "", "mode": "live", "params": {}, "because": "", "preview": [], "preview_hash": "",
    "answers": [], "facts": {}, "rule_version": "", "irreversible": False, "currency": "", "key": "", "job_ref": "",
    "tries": 0, "looks": 0, "crashes": 0, "last_error": "", "error_code": "",
}  # fmt: skip


@dataclass(slots=True)
class Move:
    """One step of one subject. `changes` are further columns of the subject, `row` those of the ledger row."""

    subject: str
    id: Any
    verb: str
    prior: str
    post: str
    version: int
    actor: str = SYSTEM
    changes: dict[str, Any] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)


class BadEdge(ValueError):
    """A step was asked for that the state graph does not have."""


@cache
def graph(subject: str) -> frozenset[tuple[str, str, str]]:
    """The edges (prior, verb, post) of a subject's state graph."""
    return edges_of(TABLES[subject])


def check_edge(move: Move) -> None:
    """Raises BadEdge unless the step is in the graph; a step that stays where it is is always a remark, not a move."""
    if move.prior == move.post or (move.prior, move.verb, move.post) in graph(move.subject):
        return
    raise BadEdge(f"{move.subject} has no step {move.prior} -{move.verb}-> {move.post}")


def write_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Append ledger rows; the only place that does."""
    stamp = clock.now()
    sets.insert("ledger_ledgerrow", ROW_TYPES, [{"recorded_at": stamp, **ROW_DEFAULTS, **row} for row in rows])


def propose(actions: Sequence[dict[str, Any]]) -> list[uuid.UUID]:
    """Store new actions in the state that was decided for them, each with its ledger row; returns the ids stored.

    An action that exists already (same event, kind and target, or the same business key still open) is left out.
    Each dict has the columns of Action plus `decision`, `actor` and `reasons` for the row.
    """
    stamp = clock.now()
    made = [{**ACTION_DEFAULTS, "created_at": stamp, "updated_at": stamp, "state_version": 1, **one} for one in actions]
    for one in made:
        one.setdefault("available_at", stamp)
        one["in_lane"] = one["state"] in OPEN_IN_LANE
        check_edge(Move("action", one["id"], one["decision"], "proposed", one["state"], 0))
    stored = sets.insert("ledger_action", ACTION_TYPES, made, "on conflict do nothing returning id")
    ids = {row[0] for row in stored}
    write_rows([_row_of_new(one) for one in made if one["id"] in ids])
    return [one["id"] for one in made if one["id"] in ids]


def _row_of_new(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "subject_kind": "action", "subject_id": str(one["id"]), "action_id": one["id"],
        "event_id": one.get("event_id"), "customer_id": one.get("customer_id"), "decision": one["decision"],
        "actor": one.get("actor", SYSTEM), "prior_state": "proposed", "post_state": one["state"], "state_version": 1,
        "correlation_id": one["correlation_id"], "reasons": one.get("reasons", []), "inputs": one["facts"],
        "rule_version": one["rule_version"], "mode": one["mode"], "amount_minor": one.get("amount_minor"),
        "currency": one["currency"], "outcome": one["state"],
    }  # fmt: skip


def move(moves: Sequence[Move], *, strict: bool = True) -> set[Any]:
    """Make these steps, each with its ledger row; returns the ids that were moved.

    A subject may step twice in one call: the second step's version is the first one's plus one, and only the last
    state is written. With `strict` a subject that somebody else moved raises StaleState and nothing is written;
    without, it is left out together with its rows.
    """
    for one in moves:
        check_edge(one)
    moved: set[tuple[str, Any]] = set()  # ids of two tables may be the same number
    for subject in TABLES:
        mine = [one for one in moves if one.subject == subject]
        if mine:
            moved |= {(subject, found) for found in _move_table(subject, mine)}
    missed = {(one.subject, one.id) for one in moves} - moved
    if missed and strict:
        raise StaleState(f"{len(missed)} of {len(moves)} records were changed meanwhile")
    write_rows([_row_of_move(one) for one in moves if (one.subject, one.id) in moved])
    return {found for _, found in moved}


def _move_table(subject: str, moves: Sequence[Move]) -> set[Any]:
    folded: dict[Any, tuple[Move, str, dict[str, Any]]] = {}
    for one in moves:
        if one.id in folded:
            first, _, changes = folded[one.id]
            folded[one.id] = (first, one.post, {**changes, **one.changes})
        else:
            folded[one.id] = (one, one.post, dict(one.changes))
    steps = {one.id: sum(1 for other in moves if other.id == one.id) for one in moves}
    names = sorted({name for _, _, changes in folded.values() for name in changes})
    rows = [
        {
            "id": first.id, "prior": first.prior, "version": first.version,
            "changes": _changes(subject, first, post, changes, steps[first.id]),
        }
        for first, post, changes in folded.values()
    ]  # fmt: skip
    names = ["state", "state_version", "updated_at", *(["in_lane"] if subject == "action" else []), *names]
    table = TABLES[subject]._meta.db_table
    id_type = "uuid" if subject == "action" else "bigint"
    done = sets.run(
        f"""update {table} t set {", ".join(f"{name} = r.{name}" for name in dict.fromkeys(names))}
        from (select v.id as vid, v.prior as vprior, v.version as vversion,
                     {", ".join(f"p.{name}" for name in dict.fromkeys(names))}
              from unnest(%(id)b::{id_type}[], %(prior)b::text[], %(version)b::int[], %(changes)b::text[])
                   as v(id, prior, version, changes)
              join {table} b on b.id = v.id
              cross join lateral jsonb_populate_record(b, v.changes::jsonb) p) r
        where t.id = r.vid and t.state = r.vprior and t.state_version = r.vversion returning t.id""",
        sets.columns_of(rows, {"id": "any", "prior": "any", "version": "any", "changes": "jsonb"}),
    )
    return {row[0] for row in done}


def _changes(subject: str, move_: Move, post: str, changes: dict[str, Any], steps: int) -> dict[str, Any]:
    full = {"state": post, "state_version": move_.version + steps, "updated_at": clock.now(), **changes}
    if subject == "action":
        full.setdefault("in_lane", post in OPEN_IN_LANE)
    return full


def _row_of_move(one: Move) -> dict[str, Any]:
    return {
        "subject_kind": one.subject, "subject_id": str(one.id),
        "action_id": one.id if one.subject == "action" else None,
        "decision": one.verb, "actor": one.actor, "prior_state": one.prior, "post_state": one.post,
        "state_version": one.version + 1, "outcome": one.post, **one.row,
    }  # fmt: skip


def remark(rows: Sequence[dict[str, Any]]) -> None:
    """Write rows for what moved nothing: an approval, a refusal, a check."""
    write_rows(rows)


def row_of_action(action: Any, **more: Any) -> dict[str, Any]:
    """The ledger columns that come from an action, for moves and remarks about it; a claimed row will do as well."""
    return {
        "event_id": action.event_id, "customer_id": action.customer_id, "correlation_id": action.correlation_id,
        "mode": action.mode, "key": action.key, "rule_version": action.rule_version,
        "amount_minor": action.amount_minor, "currency": action.currency, **more,
    }  # fmt: skip


def step(action: Any, verb: str, post: str, actor: str, **more: Any) -> Move:
    """A Move of this action from the state and version it was read in; `changes` and `row` may be given."""
    row = row_of_action(action, **more.pop("row", {}))
    return Move("action", action.id, verb, action.state, post, action.state_version, actor, row=row, **more)


def lease_free(at: datetime | None = None) -> dict[str, Any]:
    """The changes that give a claimed row back, due at a time or at once."""
    return {"lease_until": None, "lease_token": None, "available_at": at or clock.now()}

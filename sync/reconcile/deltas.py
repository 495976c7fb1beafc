"""Differences as rows: found again they are the same ones, gone ones are closed; each step has its ledger row.

Set-based, in the caller's transaction. What the ledger keeps are classes, names of fields and ids, never values.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from gates import ownership
from ledger import book, clock, sets
from sync.reconcile.finding import Finding

ACTOR = "system:reconcile"
SUBJECT = "delta"
KIND = "reconcile.delta"  # what ownership rules and items call a difference
NOT_RESOLVED = ("open", "acknowledged", "assigned", "accepted")
TYPES = {
    "state": "text", "state_version": "int", "check_name": "text", "kind": "text", "key": "text", "field": "text",
    "left_value": "text", "right_value": "text", "left_print": "text", "right_print": "text", "refs": "jsonb",
    "ids": "jsonb", "owner_system": "text", "owner_group": "text", "owner_id": "int", "customer_id": "bigint",
    "reason": "text", "correlation_id": "uuid", "first_run_id": "bigint", "last_run_id": "bigint",
    "first_seen_at": "timestamptz", "last_seen_at": "timestamptz", "times_seen": "int",
}  # fmt: skip
KNOWN = """
select d.kind, d.key, d.field, d.id, d.state, d.state_version, d.left_print, d.right_print, d.correlation_id
  from unnest(%(kinds)b::text[], %(keys)b::text[], %(fields)b::text[]) as v(kind, key, field)
  join sync_delta d on d.check_name = %(check)b and d.kind = v.kind and d.key = v.key and d.field = v.field
 order by d.id for update of d"""
SEEN_TYPES = {
    "id": "bigint", "state": "text", "state_version": "int", "left_value": "text", "right_value": "text",
    "left_print": "text", "right_print": "text", "refs": "jsonb", "ids": "jsonb", "customer_id": "bigint",
}  # fmt: skip
SEEN = f"""
update sync_delta d set state = v.state, state_version = v.state_version, left_value = v.left_value,
       right_value = v.right_value, left_print = v.left_print, right_print = v.right_print, refs = v.refs::jsonb,
       ids = v.ids::jsonb, customer_id = coalesce(v.customer_id, d.customer_id), last_seen_at = %(now)b,
       last_run_id = %(run)b::bigint,
       accepted_until = case when v.state = 'accepted' then d.accepted_until end,
       times_seen = d.times_seen + 1, resolved_at = case when v.state <> 'open' then d.resolved_at end,
       closed_run_id = case when v.state <> 'open' then d.closed_run_id end
  from unnest({", ".join(f"%({name})b::{'text' if kind == 'jsonb' else kind}[]" for name, kind in SEEN_TYPES.items())})
       as v({", ".join(SEEN_TYPES)})
 where d.id = v.id"""
GONE = """
with gone as (
  select id, state as before from sync_delta
   where check_name = %(check)b and kind = any(%(kinds)b::text[]) and last_run_id is distinct from %(run)b::bigint
     and key <> all(%(but)b::text[]) and state = any(%(states)b::text[]) order by id for update)
update sync_delta d set state = 'resolved', state_version = d.state_version + 1, resolved_at = %(now)b,
       closed_run_id = %(run)b::bigint
  from gone where d.id = gone.id
returning d.id, gone.before, d.state_version, d.kind, d.field, d.customer_id, d.correlation_id, d.item_id"""
DUE = """
with due as (
  select id from sync_delta where state = 'accepted' and accepted_until <= %(now)b order by id for update)
update sync_delta d set state = 'open', state_version = d.state_version + 1, accepted_until = null
  from due where d.id = due.id
returning d.id, d.state_version, d.kind, d.field, d.customer_id, d.correlation_id"""
SETTLE_ITEMS = """
update gates_reviewitem set state = 'resolved', state_version = state_version + 1, resolution = %(how)b,
       resolved_at = %(now)b, resolved_by_id = %(by)b::int
 where id = any(%(ids)b::bigint[]) and state <> 'resolved'"""
ERASE = """
update sync_delta set left_value = '', right_value = '' where left_value || right_value <> '' and """


def note(
    check: str, findings: Sequence[Finding], *, run: int | None = None, actor: str = ACTOR, about: Mapping[str, Any]
) -> int:
    """Open what is new, bring back what is back, bring up to date what is still there; returns how many were opened.

    What a person accepted stays so while both values are the same. `about` are further columns of the ledger rows.
    """
    by_place = {(one.kind, one.key, one.field): one for one in findings}
    if not by_place:
        return 0
    kinds, keys, fields = (list(column) for column in zip(*by_place, strict=True))
    rows = sets.run(KNOWN, {"check": check, "kinds": kinds, "keys": keys, "fields": fields})
    known = {(row[0], row[1], row[2]): row[3:] for row in rows}
    new = [one for place, one in by_place.items() if place not in known]
    told = [*_see([(by_place[place], row) for place, row in known.items()], run, actor), *_open(check, new, run, actor)]
    book.write_rows([{**one, **about} for one in told])
    return sum(1 for one in told if one["decision"] in ("open", "reopen"))


def _open(check: str, findings: Sequence[Finding], run: int | None, actor: str) -> list[dict[str, Any]]:
    """New rows and what the ledger says of them."""
    now = clock.now()
    owners = _owners(findings)
    rows = [
        {
            **_values(one), "state": "open", "owner_id": owner, "state_version": 1, "check_name": check,
            "kind": one.kind, "key": one.key,
            "field": one.field, "owner_system": one.owner_system, "owner_group": group, "reason": "",
            "correlation_id": uuid.uuid4(), "first_run_id": run, "last_run_id": run, "first_seen_at": now,
            "last_seen_at": now, "times_seen": 1,
        }
        for one, (group, owner) in zip(findings, owners, strict=True)
    ]  # fmt: skip
    made = sets.insert("sync_delta", TYPES, rows, "returning correlation_id, id")
    ids = dict(made)
    return [
        _row(ids[row["correlation_id"]], "open", actor, ("open", "open"), 1, row["correlation_id"], one, run)
        for row, one in zip(rows, findings, strict=True)
    ]


def _owners(findings: Sequence[Finding]) -> list[tuple[str, int | None]]:
    """Group and person of each: by an ownership rule that names differences, else the group the check says."""
    titles = {one.title[:200] for one in ownership.current().rules if KIND in dict(one.conditions).get("kind", ())}
    if not titles:
        return [(one.owner_group, None) for one in findings]
    routed: list[dict[str, Any]] = [
        {"kind": KIND, "why": one.kind, "customer_id": one.customer_id, "automation": "", "owner_group": ""}
        for one in findings
    ]
    ownership.route(routed)
    return [
        (row["owner_group"], row["owner_id"]) if row["routed_by"].partition(": ")[0] in titles
        or row["routed_by"] in titles else (one.owner_group, None)
        for one, row in zip(findings, routed, strict=True)
    ]  # fmt: skip


def _see(pairs: Sequence[tuple[Finding, Any]], run: int | None, actor: str) -> list[dict[str, Any]]:
    """Bring known rows up to date; rows for the ledger of those that came back or say something else by now."""
    told, updates = [], []
    for one, (key, state, version, left, right, correlation) in pairs:
        changed = (left, right) != (one.left_print, one.right_print)
        back = state == "resolved" or (state == "accepted" and changed)
        after, step = ("open" if back else state), int(back or changed)
        updates.append({**_values(one), "id": key, "state": after, "state_version": version + step})
        if step:
            verb = "reopen" if back else "changed"
            told.append(_row(key, verb, actor, (state, after), version + 1, correlation, one, run))
    if updates:
        sets.run(SEEN, {**sets.columns_of(updates, SEEN_TYPES), "now": clock.now(), "run": run})
    return told


def _values(one: Finding) -> dict[str, Any]:
    return {
        "left_value": _storable(one.left), "right_value": _storable(one.right), "left_print": one.left_print,
        "right_print": one.right_print, "refs": [list(ref) for ref in one.refs], "ids": one.ids,
        "customer_id": one.customer_id,
    }  # fmt: skip


def accepted(check: str) -> set[tuple[str, str, str, str, str]]:
    """What people accepted as it is: class, key, field and both fingerprints."""
    found = sets.run(
        """select kind, key, field, left_print, right_print from sync_delta
            where check_name = %(check)b and state = 'accepted'
              and (accepted_until is null or accepted_until > %(now)b)""",
        {"check": check, "now": clock.now()},
    )
    return {(row[0], row[1], row[2], row[3], row[4]) for row in found}


def close_gone(check: str, kinds: Sequence[str], run: int, but: Sequence[str] = ()) -> int:
    """Resolve what this run did not find any more, with the items opened about it; how many there were.

    `but` are keys that the run could not judge: what is open about them stays so.
    """
    now = clock.now()
    asked = {"check": check, "kinds": list(kinds), "run": run, "states": list(NOT_RESOLVED), "now": now}
    asked["but"] = list(but)
    gone = sets.run(GONE, asked)
    reason = [{"rule": "rerun", "reason": f"run {run} did not find it any more"}]
    book.write_rows(
        [
            {
                "subject_kind": SUBJECT, "subject_id": str(key), "decision": "resolve", "actor": ACTOR,
                "prior_state": before, "post_state": "resolved", "state_version": version, "outcome": "resolved",
                "customer_id": customer, "correlation_id": correlation, "reasons": reason,
                "inputs": {"class": kind, "field": field, "run": run},
            }
            for key, before, version, kind, field, customer, correlation, _ in gone
        ]
    )  # fmt: skip
    settle_items([row[-1] for row in gone if row[-1]], "gone")
    return len(gone)


def reopen_due() -> int:
    """Open what was accepted until a time that is over; how many there were. Scheduled."""
    with transaction.atomic():
        due = sets.run(DUE, {"now": clock.now()})
        book.write_rows(
            [
                {
                    "subject_kind": SUBJECT, "subject_id": str(key), "decision": "reopen", "actor": ACTOR,
                    "prior_state": "accepted", "post_state": "open", "state_version": version, "outcome": "open",
                    "customer_id": customer, "correlation_id": correlation,
                    "reasons": [{"rule": "accepted_until", "reason": "the time that it was accepted for is over"}],
                    "inputs": {"class": kind, "field": field},
                }
                for key, version, kind, field, customer, correlation in due
            ]
        )  # fmt: skip
    return len(due)


def settle_items(ids: Sequence[int], how: str, by: int | None = None) -> None:
    """Resolve these review items where they are still open: what they were about is settled."""
    if ids:
        sets.run(SETTLE_ITEMS, {"ids": list(ids), "how": how, "now": clock.now(), "by": by})


def erase(customer_id: int) -> int:
    """Take both values off every difference of a customer; the fingerprints go on telling whether it changes."""
    asked = f"{ERASE} customer_id = %(id)b returning id"
    return len(sets.run(asked, {"id": customer_id}))


def erase_resolved(days: int) -> int:
    """The same for what was resolved so many days ago; how many there were."""
    asked = f"{ERASE} state = 'resolved' and resolved_at <= %(before)b returning id"
    return len(sets.run(asked, {"before": clock.now() - timedelta(days=days)}))


def _row(
    key: int, verb: str, actor: str, states: tuple[str, str], version: int, correlation: Any, one: Finding,
    run: int | None,
) -> dict[str, Any]:  # fmt: skip
    prints = {"left": one.left_print, "right": one.right_print}
    return {
        "subject_kind": SUBJECT, "subject_id": str(key), "decision": verb, "actor": actor, "prior_state": states[0],
        "post_state": states[1], "state_version": version, "outcome": states[1], "customer_id": one.customer_id,
        "correlation_id": correlation,
        "inputs": {"class": one.kind, "key": one.key, "field": one.field, "run": run, "prints": prints},
    }  # fmt: skip


def _storable(text: str) -> str:
    """PostgreSQL's text takes no NUL, and UTF-8 no lone surrogate."""
    return text[:300].replace("\x00", "�").encode("utf-8", "replace").decode()

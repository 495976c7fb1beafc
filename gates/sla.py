"""The SLA of review items: what is promised when one opens, rests, begins anew or the policy changes, and its bumps.

Items never expire. A bump hands one to the next owner and writes a row; a day without a decision is one whatever the
policy says. Steps that were missed, because nothing ran, are made up for in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from gates import hours, ownership, sla_plan
from gates.models import ReviewItem
from gates.ownership import CHAIN, Routing
from gates.sla_plan import Plan, Promises, Step
from ledger import book, clock, sets

ACTOR = "system:sla"
A_PASS = 500
MOST_PASSES = 40
DUE_BY = "due_by"  # in an item's evidence: the latest it may be due, whatever is promised
LONGEST_REST = timedelta(days=7)  # a snooze that names no time ends here

# What bumping and waking read of an item, in this order.
COLUMNS = (
    "id", "state", "state_version", "kind", "tier", "created_at", "sla_from", "paused_at", "bumps", "owner_group",
    "fallback_group", "owner_id", "claimed_until", "due_at", "touch_due_at", "target_seconds", "bump_at", "action_id",
    "event_id", "customer_id", "correlation_id", "amount_minor", "currency", "evidence",
)  # fmt: skip
WRITTEN = {
    "state": "text", "state_version": "int", "sla_from": "timestamptz", "paused_at": "timestamptz", "bumps": "smallint",
    "owner_group": "text", "fallback_group": "text", "owner_id": "int", "claimed_until": "timestamptz",
    "due_at": "timestamptz", "touch_due_at": "timestamptz", "target_seconds": "int", "bump_at": "timestamptz",
}  # fmt: skip


@dataclass(slots=True)
class Held:
    """An item as it was read and locked, changed in memory until all are written together."""

    id: int
    state: str
    state_version: int
    kind: str
    tier: str
    created_at: datetime
    sla_from: datetime | None
    paused_at: datetime | None
    bumps: int
    owner_group: str
    fallback_group: str
    owner_id: int | None
    claimed_until: datetime | None
    due_at: datetime
    touch_due_at: datetime | None
    target_seconds: int
    bump_at: datetime | None
    action_id: Any
    event_id: int | None
    customer_id: int | None
    correlation_id: Any
    amount_minor: int | None
    currency: str
    evidence: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)


def promise(items: Sequence[dict[str, Any]], now: datetime) -> None:
    """Set due_at, touch_due_at, target_seconds and bump_at of items opened at `now`, in place.

    An item whose due time was given keeps it.
    """
    promises = sla_plan.current()
    for one in items:
        plan = promises.plan(str(one.get("kind", "")), str(one.get("tier") or ""), now)
        one.setdefault("due_at", plan.due_at)
        one["due_at"] = _capped(one["due_at"], one.get("evidence"), now)
        one["touch_due_at"] = min(plan.touch_at, one["due_at"])
        one["target_seconds"] = seconds(one["due_at"] - now)
        one["bump_at"] = plan.next_at(0)


def plan_of(item: ReviewItem | Held) -> Plan:
    """Every instant of an item's promise: for the burn line of its page."""
    return sla_plan.current().plan(item.kind, item.tier, item.sla_from or item.created_at)


def pause(item: ReviewItem, now: datetime | None = None) -> None:
    """The clock rests until `resume`: the customer has to answer. Changes the item in memory; the caller saves it."""
    if item.paused_at is None:
        item.paused_at, item.bump_at = now or clock.now(), None


def resume(item: ReviewItem | Held, now: datetime | None = None) -> None:
    """The clock goes on with the working time that was left. Changes the item in memory; the caller saves it."""
    if item.paused_at is None:
        return
    now, rested_from = now or clock.now(), item.paused_at
    start, calendar = item.sla_from or item.created_at, plan_of(item).promise.hours
    # Working time used before the rest is laid in front of this moment, so that as much is left as there was.
    item.sla_from = hours.back(now, hours.between(start, rested_from, calendar), calendar)
    item.paused_at = None
    _set_plan(item)


def renew(item: ReviewItem, now: datetime | None = None) -> None:
    """The whole promise again from this moment: a new owner has it. In memory; the caller saves the item."""
    item.sla_from, item.bumps, item.paused_at = now or clock.now(), 0, None
    _set_plan(item)


def _set_plan(item: ReviewItem | Held) -> None:
    plan = plan_of(item)
    item.due_at = _capped(plan.due_at, item.evidence, plan.start)
    item.touch_due_at = min(plan.touch_at, item.due_at)
    item.target_seconds = seconds(item.due_at - plan.start)
    item.bump_at = None if item.paused_at else plan.next_at(item.bumps)


def _capped(due_at: datetime, evidence: Mapping[str, Any] | None, start: datetime) -> datetime:
    """Never later than the latest time somebody outside gave; never before the item itself."""
    latest = (evidence or {}).get(DUE_BY)
    return due_at if not latest else min(due_at, max(start, datetime.fromisoformat(latest)))


def seconds(span: timedelta) -> int:
    """A span as it is stored: whole seconds, at least one."""
    return max(1, int(span.total_seconds()))


def bump_due(limit: int = A_PASS) -> int:
    """Make every bump whose time has come; returns how many. Safe beside others: they take other items."""
    done = 0
    for _ in range(MOST_PASSES):
        with transaction.atomic():
            now = clock.now()
            held = _locked("bump_at <= %(now)b and paused_at is null", "bump_at, id", now, limit)
            routing = ownership.current() if held else None
            for one in held:
                assert routing is not None
                done += _bump(one, routing, now)
            _write(held)
        if len(held) < limit:
            break
    return done


def _bump(one: Held, routing: Routing, now: datetime) -> int:
    """Every step of one item that is due, in their order; returns how many."""
    steps = plan_of(one).steps
    before = one.bumps
    while one.bumps < len(steps) and steps[one.bumps].at <= now:
        _step(one, steps[one.bumps], routing, now)
    one.bump_at = steps[one.bumps].at if one.bumps < len(steps) else None
    return one.bumps - before


def _step(one: Held, step: Step, routing: Routing, now: datetime) -> None:
    """One bump: to the group it names, else to whoever is there; who is at work on it keeps it."""
    prior, group, owner = one.state, one.owner_group, one.owner_id
    at_work = one.state == "claimed" and one.claimed_until is not None and one.claimed_until > now
    target = _target(one, step, routing)
    if target != group or (owner is not None and owner not in routing.present):
        one.owner_group, one.fallback_group = target, routing.fallback_of(target, one.fallback_group)
        if not (at_work and owner in routing.present):
            one.owner_id, one.claimed_until, one.state = None, None, "open"
    one.bumps += 1
    one.state_version += 1
    words = f"{step.words}; {_told(one, group, owner)}"
    inputs = {
        "planned_at": step.at, "due_at": one.due_at, "step": one.bumps, "from_group": group, "to_group": target,
        "owner_before": owner, "owner": one.owner_id,
    }  # fmt: skip
    _note(one, "bump", prior, words, "bumped" if target != group else "told", inputs)


def _target(one: Held, step: Step, routing: Routing) -> str:
    """The group that has it after a step. A step never hands an item down again."""
    if not step.percent:
        return routing.next_group(one.owner_group, one.fallback_group)
    if not step.group:
        if one.owner_id in routing.present:
            return one.owner_group
        return routing.reachable([one.owner_group, *routing.above(one.owner_group, one.fallback_group)])
    if one.owner_group in CHAIN and CHAIN.index(one.owner_group) > _height(step.group):
        return one.owner_group
    return routing.reachable([step.group, *routing.above(step.group, one.fallback_group)])


def _height(group: str) -> int:
    return CHAIN.index(group) if group in CHAIN else -1


def _told(one: Held, group: str, owner: int | None) -> str:
    if one.owner_group != group:
        kept = "; who has claimed it keeps it" if one.owner_id else ""
        return f"from {group} to {one.owner_group}{kept}"
    if owner is not None and one.owner_id is None:
        return f"its owner is not there, so it is {group}'s again"
    return f"stays with {group}"


def wake_due(limit: int = A_PASS) -> int:
    """Put snoozed items whose time came back into the queue; returns how many. Safe beside others."""
    done = 0
    for _ in range(MOST_PASSES):
        with transaction.atomic():
            now = clock.now()
            due = """state = 'snoozed' and (snoozed_until <= %(now)b
                     or (snoozed_until is null and paused_at <= %(longest)b))"""
            held = _locked(due, "snoozed_until nulls first, id", now, limit)
            routing = ownership.current() if held else None
            for one in held:
                assert routing is not None
                _wake(one, routing, now)
            _write(held, ", snoozed_until = null, snooze_why = ''")
        done += len(held)
        if len(held) < limit:
            break
    return done


def _wake(one: Held, routing: Routing, now: datetime) -> None:
    """Back into the queue; it stays its owner's when that person is there."""
    rested = one.paused_at
    resume(one, now)
    if one.owner_id not in routing.present:
        one.owner_id = None
    one.state, one.claimed_until = "open", None
    one.state_version += 1
    words = "the time it was to wait is over"
    _note(one, "wake", "snoozed", words, "open", {"paused_at": rested, "due_at": one.due_at})


def recompute() -> int:
    """Promise every open item anew by the policies as they are now; returns how many due times moved.

    Not inside a transaction: items are taken in small ones, those that somebody holds one by one at the end, so that
    nobody waits for us with something we wait for. Bumps that were made stay made.
    """
    promises, moved, last = sla_plan.read(), 0, 0
    seen: set[int] = set()
    while True:
        held, changed = _repromised("id > %(last)b", promises, A_PASS, last=last)
        moved += changed
        seen.update(held)
        if len(held) < A_PASS:
            break
        last = held[-1]
    active = set(ReviewItem.objects.exclude(state=ReviewItem.State.RESOLVED).values_list("pk", flat=True))
    for busy in sorted(active - seen):
        moved += _repromised("id = %(busy)b", promises, 1, wait=True, busy=busy)[1]
    return moved


def _repromised(where: str, promises: Promises, limit: int, **more: Any) -> tuple[list[int], int]:
    """The items that one small transaction took, and how many due times it moved."""
    with transaction.atomic():
        held = _locked(where, "id", clock.now(), limit, **more)
        changed = [one for one in held if _repromise(one, promises)]
        _write(changed)
    return [one.id for one in held], sum(1 for one in changed if one.rows)


def _repromise(one: Held, promises: Promises) -> bool:
    """Whether anything about the promise changed; a row is written where the due time did."""
    plan = promises.plan(one.kind, one.tier, one.sla_from or one.created_at)
    before = (one.due_at, one.touch_due_at, one.bump_at, one.target_seconds)
    one.due_at = _capped(plan.due_at, one.evidence, plan.start)
    one.touch_due_at = min(plan.touch_at, one.due_at)
    one.target_seconds = seconds(one.due_at - plan.start)
    one.bump_at = None if one.paused_at else plan.next_at(one.bumps)
    if before == (one.due_at, one.touch_due_at, one.bump_at, one.target_seconds):
        return False
    one.state_version += 1
    if before[0] != one.due_at:
        words = f"the SLA for {plan.promise.title} was changed"
        _note(one, "promise", one.state, words, "moved", {"due_before": before[0], "due_at": one.due_at})
    return True


def _locked(where: str, order: str, now: datetime, limit: int, *, wait: bool = False, **more: Any) -> list[Held]:
    """Active items that meet a condition, locked; those that others hold are left out unless we wait for them."""
    skip = "" if wait else " skip locked"
    rows = sets.run(
        f"""select {", ".join(COLUMNS)} from gates_reviewitem where state <> 'resolved' and {where}
            order by {order} limit %(limit)b for update{skip}""",
        {"limit": limit, **_bound(where, {"now": now, "longest": now - LONGEST_REST, **more})},
    )
    return [Held(*row) for row in rows]


def _bound(where: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what the statement names: the database cannot tell the type of a value it never uses."""
    return {name: value for name, value in values.items() if f"%({name})b" in where}


def _write(held: Sequence[Held], more: str = "") -> None:
    """Store what changed, and its rows: two statements for any number of items."""
    if not held:
        return
    rows = [{name: getattr(one, name) for name in ("id", *WRITTEN)} for one in held]
    types = {"id": "bigint", **WRITTEN}
    arrays = ", ".join(f"%({name})b::{kind}[]" for name, kind in types.items())
    sets.run(
        f"""update gates_reviewitem t set {", ".join(f"{name} = v.{name}" for name in WRITTEN)}{more}
            from unnest({arrays}) as v({", ".join(types)}) where t.id = v.id""",
        sets.columns_of(rows, types),
    )
    book.write_rows([row for one in held for row in one.rows])


def _note(one: Held, decision: str, prior: str, words: str, outcome: str, inputs: Mapping[str, Any]) -> None:
    one.rows.append(
        {
            "subject_kind": "item", "subject_id": str(one.id), "action_id": one.action_id, "event_id": one.event_id,
            "customer_id": one.customer_id, "decision": decision, "actor": ACTOR, "prior_state": prior,
            "post_state": one.state, "state_version": one.state_version, "correlation_id": one.correlation_id,
            "reasons": [{"rule": "sla", "reason": words}], "inputs": dict(inputs), "outcome": outcome,
            "amount_minor": one.amount_minor, "currency": one.currency,
        }
    )  # fmt: skip

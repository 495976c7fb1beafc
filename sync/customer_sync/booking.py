"""Booking one chunk of a run: customers, links, actions, outcomes, errors and the cursor in one transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from gates import items, policy
from gates.playbooks import customer_sync as playbook
from gates.rules.customer_sync import Outcome, Payer, SyncDecision
from gates.types import Proposal
from ledger import book, clock, sets
from sync import booking, correlate
from sync.booking import Cause
from sync.customer_sync import adopting, asking, fields, links, portal, troubles
from sync.customer_sync.adopting import RacedAdoption
from sync.customer_sync.models import SyncRun
from sync.customer_sync.planning import Planned, Way
from sync.facts import Known

ACTS = (Outcome.CREATE, Outcome.LINK, Outcome.WRITE_BACK, Outcome.UPDATE)
DONE_AS = {
    Outcome.CREATE: "created", Outcome.LINK: "linked", Outcome.WRITE_BACK: "linked", Outcome.UPDATE: "updated",
    Outcome.UNCHANGED: "unchanged", Outcome.SKIP: "skipped", Outcome.REVIEW: "review", Outcome.ERROR: "error",
}  # fmt: skip
BECAUSE = {
    Outcome.CREATE: "no billing customer has its id or its address",
    Outcome.LINK: "one billing customer has its address and belongs to nobody else",
    Outcome.WRITE_BACK: "its billing customer is confirmed and the ERP does not name it yet",
    Outcome.UPDATE: "the ERP says something else than the billing system",
}
OUTCOME_TYPES = {
    "run_id": "bigint", "internal_id": "bigint", "customer_id": "bigint", "outcome": "text", "planned": "text",
    "code": "text", "error_class": "text", "billing_id": "text", "candidates": "jsonb", "changed": "jsonb",
    "notes": "jsonb", "correlation_id": "uuid", "trace_key": "text", "source_version": "text",
    "updated_at": "timestamptz",
}  # fmt: skip
UPSERT = f"""on conflict (run_id, internal_id) do update set
 {", ".join(f"{name} = excluded.{name}" for name in OUTCOME_TYPES if name not in ("run_id", "internal_id"))}
 returning id, internal_id"""
LEFT = ("under_way", "erased")  # nothing of ours is written down about such a row
UNDER_WAY = ("held", "in_review", "approved", "parked", "sending", "unknown")


class LostRun(Exception):
    """Another worker has the run, or somebody paused or cancelled it: nothing was booked."""


@dataclass(slots=True)
class Open:
    """An unfinished action of a customer of the ERP."""

    id: UUID
    internal_id: int
    kind: str
    state: str
    version: int
    correlation_id: UUID
    customer_id: int


@dataclass(slots=True)
class Chunk:
    """What one chunk comes to, gathered before it is written."""

    run: SyncRun
    way: Way
    into: booking.Booking
    cause: Cause
    customers: dict[int, int] = field(default_factory=dict)
    known: Mapping[int, Known] = field(default_factory=dict)
    held: dict[int, links.Held] = field(default_factory=dict)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    settled: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    config_errors: int = 0


def open_actions(account: str, internal_ids: Iterable[int]) -> list[Open]:
    """What is unfinished of these customers of the ERP, failed actions included."""
    keys = {playbook.business_key(account, str(one)): one for one in internal_ids}
    rows = sets.run(
        """select a.id, a.business_key, a.kind, a.state, a.state_version, a.correlation_id, a.customer_id
             from ledger_externalid x join ledger_action a on a.customer_id = x.customer_id
            where x.system = 'netsuite' and x.kind = 'customer' and x.value = any(%(ids)b::text[])
              and a.kind = any(%(kinds)b::text[]) and a.business_key = any(%(keys)b::text[])
              and a.state = any(%(states)b::text[]) order by a.id""",
        {
            "ids": [str(one) for one in keys.values()], "keys": list(keys), "kinds": list(playbook.KINDS),
            "states": [*UNDER_WAY, "failed"],
        },
    )  # fmt: skip
    return [Open(row[0], keys[row[1]], *row[2:]) for row in rows]


def book_chunk(run_id: int, token: int, planned: Sequence[Planned], way: Way, *, dry: bool) -> SyncRun:
    """Write what was decided and move the cursor behind it. Raises LostRun, RacedAdoption; then nothing is written."""
    with transaction.atomic():
        run = SyncRun.objects.select_for_update(of=("self",)).filter(pk=run_id, lease_token=token).first()
        if run is None or run.state != SyncRun.State.RUNNING:
            raise LostRun
        cause = Cause(run.event_id, uuid4(), _automation(run), requested_by=run.started_by_id)
        chunk = Chunk(run, way, booking.Booking(policy.current(), clock.now()), cause)
        if not dry:
            _meet(chunk, planned)
        for one in planned:
            _one(chunk, one, dry=dry)
        if not dry:
            store(chunk)
        _write_outcomes(chunk, planned, dry=dry)
        _advance(chunk, planned)
    return run


def store(chunk: Chunk) -> None:
    """Everything gathered. Raises RacedAdoption where an action of the same was begun elsewhere at this moment."""
    wanted = [row["id"] for row in chunk.into.actions]
    chunk.into.write()
    rows = sets.run("select count(*) from ledger_action where id = any(%(ids)b::uuid[])", {"ids": wanted})
    if rows[0][0] != len(wanted):
        raise RacedAdoption


def _automation(run: SyncRun) -> str:
    """What a person asked for one customer needs no rollout; walks over many are the automation's."""
    return "" if run.mode == SyncRun.Mode.SINGLE and run.started_by_id else playbook.AUTOMATION


def _meet(chunk: Chunk, planned: Sequence[Planned]) -> None:
    """Customers of ours for these rows, locked, with their links and what is unfinished of them."""
    wanted = [
        one for one in planned
        if one.decision is not None and one.decision.outcome is not Outcome.SKIP and not one.is_quiet
    ]  # fmt: skip
    chunk.customers = adopting.adopt(wanted)
    correlate.lock_customers(chunk.customers.values())
    ids = [one.internal_id for one in wanted]
    _withhold(wanted, open_actions(chunk.way.account, ids), links.load(chunk.way.account, ids))
    _forget(wanted, links.erased(ids))
    links.store([_link_row(chunk, one) for one in wanted if one.decision and one.decision.code not in LEFT])
    chunk.held = links.load(chunk.way.account, ids)
    cleared = [one.internal_id for one in wanted if one.decision and one.decision.is_new_generation]
    links.clear_written_back([chunk.held[one].id for one in cleared])
    chunk.known = correlate.load_customers(chunk.customers.values())


def _withhold(planned: Sequence[Planned], unfinished: Sequence[Open], now: Mapping[int, links.Held]) -> None:
    """What another run began, or did, since this chunk was planned is left to it; what failed is overtaken."""
    busy = {one.internal_id for one in unfinished if one.state in UNDER_WAY}
    busy |= {one.internal_id for one in planned if _stands(one.held) != _stands(now.get(one.internal_id))}
    for one in planned:
        assert one.decision is not None
        if one.internal_id in busy and one.decision.outcome is not Outcome.SKIP:
            one.decision = SyncDecision(Outcome.SKIP, "under_way")
    acting = {one.internal_id: one for one in planned if one.decision and one.decision.outcome in ACTS}
    over = [one for one in unfinished if one.state == "failed" and one.internal_id in acting.keys() - busy]
    _supersede(over)
    for action in over:
        held = acting[action.internal_id].held
        if action.kind == playbook.CREATE and held is not None:
            held.attempt += 1  # the key of a request that was refused for good is spent


def _forget(planned: Sequence[Planned], gone: Collection[int]) -> None:
    """Who was forgotten while the chunk was planned is left alone."""
    for one in planned:
        if one.internal_id in gone:
            one.decision = SyncDecision(Outcome.SKIP, "erased")


def _stands(held: links.Held | None) -> tuple[str, int, bool]:
    """What a decision rests on in our books."""
    return (held.billing_id, held.generation, held.written_back_at is not None) if held else ("", 1, False)


def _supersede(over: Sequence[Open]) -> None:
    """Before the new ones are stored: a customer has one unfinished action of a kind. Raises StaleState."""
    moves = [
        book.Move(
            "action", one.id, "supersede", "failed", "superseded", one.version, links.ACTOR,
            row={"customer_id": one.customer_id, "correlation_id": one.correlation_id,
                 "reasons": [{"rule": "synced_again", "reason": "a later run decides anew"}]},
        )
        for one in over
    ]  # fmt: skip
    if moves:
        book.move(moves)
        items.close_for([one.id for one in over], "superseded")


def _link_row(chunk: Chunk, one: Planned) -> dict[str, Any]:
    held, decision = one.held, one.decision
    assert decision is not None
    generation = (held.generation if held else 1) + (1 if decision.is_new_generation else 0)
    return {
        "account": chunk.way.account, "internal_id": one.internal_id, "customer_id": chunk.customers[one.internal_id],
        "billing_account": one.billing_account, "billing_id": "", "generation": generation,
        "attempt": held.attempt if held else 1, "content": "", "row": "", "modified": "",
        "email_key": links.email_key(one.source.email),
    }  # fmt: skip


def _one(chunk: Chunk, one: Planned, *, dry: bool) -> None:
    """The outcome of one row, and its action."""
    if one.error is not None:
        kind, code = troubles.of_error(one.error)
        _note(chunk, one, "error", code=code, error_class=kind)
        _trouble(chunk, one, code, kind, f"reading it failed: {one.error.message}")
        return
    decision = one.decision
    assert decision is not None
    outcome = DONE_AS[decision.outcome]
    correlation = uuid4()
    planned = ""
    if decision.outcome in ACTS and not dry:
        state = propose(chunk, one, decision, correlation)
        outcome, planned = ("skipped", "") if state == "observed" else ("pending", outcome)
        code = "observed" if state == "observed" else decision.code
    else:
        code = decision.code
    _note(chunk, one, outcome, planned=planned, code=code, error_class=decision.error_class, correlation=correlation)
    if decision.outcome in (Outcome.REVIEW, Outcome.ERROR):
        assert decision.error_class is not None
        chunk.config_errors += decision.is_configuration
        _trouble(chunk, one, decision.code, decision.error_class, decision.sentence)
    elif outcome in ("unchanged", "skipped") and code not in LEFT:
        steps = troubles.EVERY_STEP if outcome == "unchanged" else troubles.LOOKUP
        chunk.settled.append((troubles.trace_key(chunk.way.account, one.internal_id), one.source.modified, steps))


def propose(chunk: Chunk, one: Planned, decision: SyncDecision, correlation: UUID, *, again: str = "") -> str:
    """Store the action of a row, judged; returns the state it was judged into."""
    customer = chunk.customers[one.internal_id]
    held = chunk.held[one.internal_id]
    key = playbook.business_key(chunk.way.account, one.source.internal_id)
    links_it = decision.outcome in (Outcome.CREATE, Outcome.LINK, Outcome.WRITE_BACK)
    params: dict[str, Any] = {
        "account": chunk.way.account, "customer": one.source.internal_id, "columns": list(chunk.way.columns),
        "sources": dict(chunk.way.sources), "billing_account": one.billing_account, "generation": held.generation,
        "attempt": held.attempt,
    }  # fmt: skip
    if links_it:
        params |= {"link": True}
        params |= {"old_billing_id": one.known_id} if decision.is_new_generation else {}
    else:
        params |= {"row": fields.row_hash(one.source, chunk.way.columns), "modified": one.source.modified}
        params |= {"changed": sorted(one.changed or ())}
    if decision.billing_id:
        params["billing_id"] = decision.billing_id
    kind = {Outcome.CREATE: playbook.CREATE, Outcome.WRITE_BACK: playbook.LINK}.get(decision.outcome, playbook.UPDATE)
    if kind == playbook.LINK:
        params |= {"hash": held.content, **portal.link_for(customer, decision.billing_id)}
    target = f"{key}:{kind.rpartition('.')[2]}:{held.generation}.{held.attempt}{again}"
    proposal = Proposal(kind, target, key, BECAUSE[decision.outcome], params, playbook.RISK)
    cause = Cause(chunk.cause.event_id, correlation, chunk.cause.automation, requested_by=chunk.cause.requested_by)
    chunk.into.propose(proposal, chunk.known[customer], cause)
    return str(chunk.into.actions[-1]["state"])


def _note(
    chunk: Chunk, one: Planned, outcome: str, *, planned: str = "", code: str = "", error_class: Any = None,
    correlation: UUID | None = None,
) -> None:  # fmt: skip
    decision = one.decision
    chunk.outcomes.append(
        {
            "run_id": chunk.run.pk, "internal_id": one.internal_id,
            "customer_id": chunk.customers.get(one.internal_id) or (one.held.customer_id if one.held else None),
            "outcome": outcome, "planned": planned, "code": code, "error_class": str(error_class or ""),
            "billing_id": (decision.billing_id if decision else "")[:64],
            "candidates": [_shown(each, one) for each in decision.candidates] if decision else [],
            "changed": sorted(one.changed or ()), "notes": list(decision.notes) if decision else [],
            "correlation_id": correlation or uuid4(),
            "trace_key": troubles.trace_key(chunk.way.account, one.internal_id),
            "source_version": one.source.modified, "updated_at": chunk.into.now,
        }
    )  # fmt: skip


def _shown(payer: Payer, one: Planned) -> dict[str, Any]:
    """A candidate as a person needs it to choose: no name, no address."""
    return {
        "id": payer.id, "created": payer.created, "live": payer.is_live, "deleted": payer.is_deleted,
        "subscriptions": payer.subscriptions, "erp_customer": payer.erp_customer or payer.holder,
        "account": one.billing_account,
    }  # fmt: skip


def _trouble(chunk: Chunk, one: Planned, code: str, kind: Any, sentence: str) -> None:
    """An error of this row; a fault of the set-up is one error of the run, however many rows show it."""
    decision = one.decision
    is_config = decision is not None and decision.is_configuration
    key = f"{troubles.FLOW}:{chunk.way.account}:configuration:{code}" if is_config else troubles.trace_key(
        chunk.way.account, one.internal_id
    )  # fmt: skip
    chunk.errors.append(
        {
            "trace_key": key, "step": "lookup", "error_class": str(kind), "code": code[:60],
            "sentence": sentence[:300], "run_id": chunk.run.pk, "internal_id": one.internal_id,
            "customer_id": None if is_config else chunk.customers.get(one.internal_id),
            "candidates": [_shown(each, one) for each in decision.candidates] if decision else [],
            "source_version": one.source.modified,
            "exchange": troubles.exchange_of(one.error) if one.error else None,
        }
    )  # fmt: skip


def _write_outcomes(chunk: Chunk, planned: Sequence[Planned], *, dry: bool) -> None:
    ids = {row[1]: row[0] for row in sets.insert("sync_syncoutcome", OUTCOME_TYPES, chunk.outcomes, UPSERT)}
    if dry:
        return
    unchanged = [one for one in planned if one.decision and one.decision.outcome is Outcome.UNCHANGED]
    _remember_unchanged(chunk, [one for one in unchanged if one.was_asked])
    troubles.open_errors([{**row, "outcome_id": ids.get(row["internal_id"])} for row in chunk.errors])
    troubles.settle(chunk.settled)
    asking.ask(chunk.outcomes, chunk.run)


def _remember_unchanged(chunk: Chunk, unchanged: Sequence[Planned]) -> None:
    """Seen equal on both sides: from now on the page of the ERP alone tells."""
    way, held = chunk.way, chunk.held
    first = [one for one in unchanged if held[one.internal_id].billing_id != one.source.stored_id]
    links.adopt(
        [
            {"id": held[one.internal_id].id, "billing_id": one.source.stored_id, "is_live": _is_live(one)}
            for one in first
        ]
    )
    correlate.remember(
        [(chunk.customers[one.internal_id], ("stripe", "customer", one.source.stored_id), None) for one in first],
        links.ACTOR,
    )
    links.note_unchanged(
        [
            (
                held[one.internal_id].id, fields.row_hash(one.source, way.columns), one.source.modified,
                fields.hash_of(fields.mapped(one.whole, way.columns), way.columns) if one.whole else "",
            )
            for one in unchanged
        ]
    )  # fmt: skip


def _is_live(one: Planned) -> bool | None:
    return getattr(one.found, "is_live", None)


def _advance(chunk: Chunk, planned: Sequence[Planned]) -> None:
    """The cursor goes behind the last row: only now that all of them are booked."""
    run = chunk.run
    run.cursor = max([run.cursor, *(one.internal_id for one in planned)])
    run.rows += len(planned)
    run.config_errors += chunk.config_errors
    run.seen_until = max([run.seen_until, *(one.source.modified for one in planned)])
    run.save(update_fields=["cursor", "rows", "config_errors", "seen_until"])

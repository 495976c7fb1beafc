"""Checklists follow what is booked: a signed deal starts one, confirmations tick its steps, a lost deal ends it.

Called with everything a batch booked, in its transaction, after its facts are stored; the customers' rows are held.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from gates.checklists import running
from gates.checklists.running import Proof, Start
from ledger import clock, sets
from ledger.book import Move
from sync.actions.base import Confirmation, Work

CUSTOMER = "customer.create"
# Confirmed kind of action -> the evidence that it is.
EVIDENCE = {CUSTOMER: "customer.applied", "invoice.create": "invoice.applied"}
NOTHING_PLANNED = ("observed", "superseded", "rejected")  # in these states nothing is made of a deal
DEALS = """
select k.id, k.customer_id, a.params ->> 'deal', coalesce(e.occurred_at, a.created_at), a.event_id, a.correlation_id,
       x.blocks -> ('deal:' || k.id) -> 'source'
  from ledger_contract k
  join lateral (select params, created_at, event_id, correlation_id from ledger_action
                 where customer_id = k.customer_id and contract_id = k.id and kind = 'customer.create'
                   and state <> all(%(nothing)b::text[]) order by id desc limit 1) a on true
  left join ledger_event e on e.id = a.event_id
  left join ledger_contextrecord x on x.customer_id = k.customer_id
 where k.id = any(%(ids)b::bigint[])"""
QUALIFIED = """
select id, state from ledger_contract where id = any(%(ids)b::bigint[]) and state in ('ready', 'active')"""
WITHDRAWN = """
select id, contract_id from ledger_action
 where id = any(%(ids)b::uuid[]) and kind = 'customer.create' and contract_id is not null"""


@dataclass(frozen=True, slots=True)
class Booked:
    """What a batch booked: new actions as they were stored, steps of records, confirmations by kind of action."""

    actions: Sequence[Mapping[str, Any]]
    moves: Sequence[Move]
    done: Mapping[str, Sequence[tuple[Work, Confirmation]]]


def follow(booked: Booked) -> None:
    """Start, tick and end the checklists of these deals. Told twice, it does nothing the second time."""
    planned = {
        int(one["contract_id"])
        for one in booked.actions
        if one["kind"] == CUSTOMER and one.get("contract_id") and one["state"] not in NOTHING_PLANNED
    }
    qualified = {
        int(one.id): str(one.row.get("event_id") or "")
        for one in booked.moves
        if one.subject == "contract" and one.verb == "qualify"
    }
    if planned or qualified:
        _start(planned, qualified)
    _prove(booked.done, qualified)
    _withdraw(booked.moves)


def _start(planned: Collection[int], qualified: Mapping[int, str]) -> None:
    """A deal that names who answers for its invoices gets its list; one without gets it once that is corrected."""
    ids = sorted({*planned, *qualified})
    found = [_read(row) for row in sets.run(DEALS, {"ids": ids, "nothing": list(NOTHING_PLANNED)})]
    running.begin([one for one in found if one.billing_owner])
    running.hand_over(ids)
    if planned:
        running.reopen(planned)
        ready = sets.run(QUALIFIED, {"ids": sorted(set(planned) - set(qualified))})
        running.prove([Proof(row[0], "fields.valid", "contract", str(row[0])) for row in ready])


def _read(row: tuple[Any, ...]) -> Start:
    contract, customer, deal, signed_at, event, correlation, source = row
    said: Mapping[str, Any] = source or {}
    day = str(said.get("deal.first_value_date") or "")
    return Start(
        customer_id=customer, contract_id=contract, deal=str(deal or ""), signed_at=signed_at or clock.now(),
        package=str(said.get("custom.onboarding_package_code") or ""), csm=str(said.get("deal.csm") or ""),
        billing_owner=str(said.get("deal.billing_owner") or ""),
        first_value_on=date.fromisoformat(day) if day else None, event_id=event,
        correlation_id=UUID(str(correlation)) if correlation else None,
    )  # fmt: skip


def _prove(done: Mapping[str, Sequence[tuple[Work, Confirmation]]], qualified: Mapping[int, str]) -> None:
    proofs = [
        Proof(contract, "fields.valid", "event" if event else "contract", event or str(contract))
        for contract, event in qualified.items()
    ]
    for kind, evidence in EVIDENCE.items():
        proofs += [Proof(work.known.refs.contract_id, evidence, "action", work.id) for work, _ in done.get(kind, ())]
    running.prove(proofs)


def _withdraw(moves: Sequence[Move]) -> None:
    """The customer is not wanted any more because the deal is no more; being asked anew is not that."""
    ended = {
        str(one.id): str(why.get("reason", ""))
        for one in moves
        if one.subject == "action" and one.verb == "supersede"
        for why in one.row.get("reasons", ())
        if why.get("rule") == "withdrawn"
    }
    if ended:
        contracts: dict[str, list[int]] = {}
        for action, contract in sets.run(WITHDRAWN, {"ids": list(ended)}):
            contracts.setdefault(ended[str(action)], []).append(contract)
        for reason, ids in contracts.items():
            running.cancel(ids, reason)

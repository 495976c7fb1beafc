"""Actions that exist already for what an event is about, as playbooks and booking need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gates.types import Proposal
from ledger import book, sets
from sync.booking import Booking
from sync.understand import Heard

WAITING_STATES = ("held", "in_review", "approved", "parked", "failed")


@dataclass(slots=True)
class Row:
    """An action that exists for an invoice or a deal, as far as a playbook needs it; or one of this very batch."""

    id: UUID
    kind: str
    business_key: str
    state: str
    version: int
    params: Mapping[str, Any]
    target: str
    because: str
    automation: str
    correlation_id: UUID
    event_id: int | None
    customer_id: int
    by_hand: bool = False


Planned = dict[int, list[Row]]


def planned_actions(wanted: Mapping[int, set[str]]) -> Planned:
    """The actions of these contracts for these invoices or deals, in any state, locked: contract id -> rows."""
    pairs = [(contract, invoice) for contract, invoices in wanted.items() for invoice in invoices]
    if not pairs:
        return {}
    rows = sets.run(
        """select a.contract_id, a.id, a.kind, a.business_key, a.state, a.state_version, a.params, a.target, a.because,
                  a.automation, a.correlation_id, a.event_id, a.customer_id,
                  exists (select from gates_approval p where p.action_id = a.id and p.voided_at is null)
             from ledger_action a
             join unnest(%(contract)b::bigint[], %(invoice)b::text[]) as v(contract, invoice)
               on a.contract_id = v.contract and split_part(a.business_key, ':', 2) = v.invoice
            order by a.id for update of a""",
        {"contract": [one[0] for one in pairs], "invoice": [one[1] for one in pairs]},
    )
    planned: Planned = {}
    for row in rows:
        planned.setdefault(row[0], []).append(Row(*row[1:]))
    return planned


def fresh(action_id: UUID, proposal: Proposal, into: Booking, one: Heard) -> Row:
    """An action of this batch, as later events of the batch must see it."""
    made = into.actions[-1]
    return Row(
        action_id, proposal.kind, proposal.business_key, made["state"], 1, proposal.params, proposal.target,
        proposal.because, made["automation"], one.correlation_id, one.id, made["customer_id"],
    )  # fmt: skip


def step(
    row: Row, verb: str, post: str, one: Heard, into: Booking, changes: dict[str, Any], reasons: list[dict[str, Any]]
) -> None:
    """One step of such an action because of an event; what comes after it in this batch sees it."""
    into.moves.append(
        book.Move(
            "action", row.id, verb, row.state, post, row.version, f"automation:{row.automation}", changes=changes,
            row={"event_id": one.id, "correlation_id": row.correlation_id, "reasons": reasons,
                 "customer_id": row.customer_id, "key": f"meshline-{row.id}"},
        )
    )  # fmt: skip
    row.state, row.version = post, row.version + 1

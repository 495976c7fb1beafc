"""What is planned for a contract's end when its end comes sooner, is taken back, or was somebody else's doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gates import items
from gates.playbooks import cancellations
from gates.rules.cancel import CONTRACT
from ledger import book, sets

ACTOR = f"automation:{cancellations.AUTOMATION}"
WAITING = ("held", "in_review", "approved", "parked", "failed")
OPEN = (*WAITING, "sending", "unknown")
SQL = """
select id, contract_id, kind, state, state_version, event_id, customer_id, correlation_id, mode, key, rule_version,
       amount_minor, currency, created_at
  from ledger_action where contract_id = any(%(contracts)b::bigint[]) and kind = any(%(kinds)b::text[])
   and state = any(%(states)b::text[]) order by id for update"""


@dataclass(frozen=True, slots=True)
class Row:
    """A planned step as `ledger.book.step` reads it."""

    id: UUID
    contract_id: int
    kind: str
    state: str
    state_version: int
    event_id: int | None
    customer_id: int | None
    correlation_id: UUID
    mode: str
    key: str
    rule_version: str
    amount_minor: int | None
    currency: str
    created_at: datetime


def rows(contracts: Sequence[int], kinds: Sequence[str], states: Sequence[str]) -> list[Row]:
    """The planned steps of these contracts, locked, in the caller's transaction."""
    if not contracts:
        return []
    asked = {"contracts": list(contracts), "kinds": list(kinds), "states": list(states)}
    return [Row(*row) for row in sets.run(SQL, asked)]


def make_due(contracts: Sequence[int]) -> None:
    """The ERP's part waits for the end of a period that need not be waited for any more: it is looked at now."""
    held = rows(contracts, [CONTRACT], ["held"])
    reasons = [{"rule": "subscription_over", "reason": "billing says that the subscription is over"}]
    book.move(
        [
            book.step(one, "hold", "held", ACTOR, changes=book.lease_free(), row={"reasons": reasons, "outcome": "due"})
            for one in held
        ],
        strict=False,
    )


def withdraw(contracts: Mapping[int, str], reason: str, kind: str = CONTRACT, *, before: datetime | None = None) -> int:
    """Steps that have not left are withdrawn; returns how many.

    `contracts` says of each which action or event did it. With `before`, only those that were planned earlier.
    """
    waiting = [one for one in rows(list(contracts), [kind], WAITING) if before is None or one.created_at < before]
    moves = [
        book.step(
            one, "supersede", "superseded", ACTOR,
            row={"reasons": [{"rule": "withdrawn", "reason": f"{reason} ({contracts[one.contract_id]})"}]},
        )
        for one in waiting
    ]  # fmt: skip
    moved = book.move(moves, strict=False)
    items.close_for(list(moved), "superseded")
    return len(moved)


def is_planned(contract: int) -> bool:
    """Whether the ERP's part is planned or done: then a cancellation of ours is behind an end of the subscription."""
    return bool(rows([contract], [CONTRACT], [*OPEN, "applied"]))

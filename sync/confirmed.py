"""What else a confirmed write changes here: the customer's state, columns of the contract, what it undid."""

from dataclasses import replace
from typing import Any

from gates.playbooks import refunds
from ledger import sets
from ledger.book import Move
from sync.booking import Booking, Cause
from sync.claimed import Claimed

ACTOR = "system:executor"
CONTRACT_COLUMNS = ("plan", "plan_before", "amount_minor", "currency")


def move_customer(one: Claimed, into: Booking, row: dict[str, Any]) -> None:
    """The steps of the customer that follow from a confirmation."""
    assert one.known is not None
    assert one.work is not None
    for verb, prior, post in one.kind.customer_moves(one.work):
        if one.known.customer_state == prior:
            about = {"customer_id": one.customer_id, **row}
            version = one.known.customer_version
            into.moves.append(Move("customer", one.customer_id, verb, prior, post, version, ACTOR, row=about))
            one.known.customer_state, one.known.customer_version = post, version + 1


def change_contract(one: Claimed, changes: dict[str, Any]) -> None:
    """Further columns of the contract, of those that a confirmation may change."""
    chosen = {name: changes[name] for name in CONTRACT_COLUMNS if name in changes}
    columns = ", ".join(f"{name} = %({name})b" for name in chosen)
    values = {**chosen, "id": one.contract_id}
    sets.run(f"update ledger_contract set {columns}, updated_at = now() where id = %(id)b", values)


def agreed(cause: Cause, kind: str) -> Cause:
    """What a refund leads to was agreed to with it: the gates judge it, its automation's stage does not ask again."""
    return replace(cause, automation="") if kind in refunds.FOLLOW_UPS else cause


def compensate(one: Claimed, into: Booking) -> None:
    """What it undid is compensated now."""
    rows = sets.run(
        "select state, state_version from ledger_action where id = %(id)b for update", {"id": one.reverses_id}
    )
    if rows and rows[0][0] == "applied":
        row = {"customer_id": one.customer_id, "correlation_id": one.correlation_id, "event_id": one.event_id}
        into.moves.append(
            Move("action", one.reverses_id, "compensate", "applied", "compensated", rows[0][1], ACTOR, row=row)
        )

"""Collected payments as the billing provider's events tell of them, as far as the books need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.contracts import members
from sync.contracts.event import EventContract, Semantics

CONTRACTS = {
    "charge.succeeded": EventContract("charge.settled", Semantics.FINAL, ("id",)),
    "charge.captured": EventContract("charge.settled", Semantics.FINAL, ("id",)),
    "charge.updated": EventContract("charge.settled", Semantics.TRANSIENT, ("id",)),
}


@dataclass(frozen=True, slots=True)
class ChargeSeen:
    """A payment. `balances` names its line of the provider's balance, none while there is none yet."""

    id: str
    customer_id: str
    balances: tuple[str, ...] = ()
    occurred_at: datetime | None = None


def charge_seen(charge: Mapping[str, Any], occurred_at: datetime | None = None) -> ChargeSeen:
    """Read a charge; DriftError."""
    line = members.reference(charge, "balance_transaction")
    customer = members.reference(charge, "customer")
    return ChargeSeen(members.text(charge, "id"), customer, (line,) if line else (), occurred_at)


READERS: dict[str, Callable[[Mapping[str, Any], datetime | None], ChargeSeen]] = {"charge.settled": charge_seen}

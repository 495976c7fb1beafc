"""A write that was refused because another system owns the field: a difference that somebody has to settle."""

import re
from typing import Any

from sync import mappings
from sync.errors import ProviderError
from sync.mappings import named, owners
from sync.reconcile import customers, deltas
from sync.reconcile.finding import Finding

CHECK = "field_ownership"
ACTOR = "system:executor"
_WHERE = re.compile(r"^\S+ (?P<record>\S+), field (?P<field>.+?) \(mapping ")


def note(action_id: Any, customer_id: int | None, external_id: str, error: ProviderError) -> None:
    """Open, or bring back, the difference about this field; in the transaction that books the refusal.

    What we wanted to write is not kept: the action has it, and the field is its owner's.
    """
    if error.code != owners.CODE:
        return
    found = _WHERE.match(error.message)
    record, name = (found["record"], found["field"]) if found else ("record", "mapping")
    rows = {named(one.system, one.field): one for one in mappings.artifact().of(error.provider, record)}
    row = rows.get(name)
    owner = row.owner if row else error.provider
    finding = Finding(
        "field_differs", external_id or str(action_id), f"{record}.{name}"[:100],
        customers.GROUPS.get(owner, customers.LEAD), owner_system=owner, customer_id=customer_id,
        refs=(("meshline", "action", str(action_id)),), left_print=f"action:{action_id}"[:32],
    )  # fmt: skip
    deltas.note(CHECK, [finding], actor=ACTOR, about={"action_id": action_id, "customer_id": customer_id})

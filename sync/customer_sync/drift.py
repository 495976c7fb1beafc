"""Changes made at the billing system to what the ERP owns: written down as differences, never carried to the ERP."""

from collections.abc import Sequence
from typing import Any

from ledger import book, clock, sets
from sync.reconcile import deltas
from sync.reconcile.finding import Finding

CHECK = "billing_customers"
ACTOR = "system:customer_sync"
OWNER_GROUP = "Billing Resolver"
OPEN = ("open", "acknowledged", "assigned")


def record(billing_id: str, changed: Sequence[str], customer_id: int, event_id: int) -> str:
    """Open a difference for each field that somebody changed there; returns the event's verdict.

    The values stay where they are: an event tells that a field moved, and the ERP says what it shall be.
    """
    links = sets.run(
        "select account, internal_id from sync_synclink where billing_id = %(id)b order by id limit 1",
        {"id": billing_id},
    )
    if not links:
        return "done: noted; read live before anything is decided"
    account, internal_id = links[0]
    refs = (("stripe", "customer", billing_id), ("netsuite", "customer", str(internal_id)))
    findings = [
        Finding(
            "field_differs", billing_id, name, OWNER_GROUP, owner_system="netsuite", refs=refs, customer_id=customer_id,
            right_print=f"event:{event_id}",
        )
        for name in changed
    ]  # fmt: skip
    deltas.note(CHECK, findings, actor=ACTOR, about={"event_id": event_id, "customer_id": customer_id})
    return f"done: drift, the billing system changed {', '.join(changed)} of customer {internal_id} of {account}"


def settle(billing_ids: Sequence[str]) -> None:
    """These customers hold again what the ERP says: their differences are over. In the caller's transaction."""
    rows = sets.run(
        """with gone as (
             select id, state as before from sync_delta where check_name = %(check)b and key = any(%(keys)b::text[])
                and state = any(%(states)b::text[]) order by id for update)
           update sync_delta d set state = 'resolved', state_version = d.state_version + 1, resolved_at = %(now)b
             from gone where d.id = gone.id
           returning d.id, gone.before, d.state_version, d.kind, d.field, d.customer_id, d.correlation_id""",
        {"check": CHECK, "keys": list(billing_ids), "states": list(OPEN), "now": clock.now()},
    )
    book.write_rows([_row(*row) for row in rows])


def _row(
    key: int, before: str, version: int, kind: str, field: str, customer_id: int | None, correlation: Any
) -> dict[str, Any]:
    return {
        "subject_kind": deltas.SUBJECT, "subject_id": str(key), "customer_id": customer_id, "decision": "resolve",
        "actor": ACTOR, "prior_state": before, "post_state": "resolved", "state_version": version,
        "correlation_id": correlation, "inputs": {"check": CHECK, "class": kind, "field": field},
        "outcome": "resolved",
    }  # fmt: skip

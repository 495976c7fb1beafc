"""A person's turn for what only a person can decide; closed again by the run that finds it settled."""

from collections.abc import Mapping, Sequence
from typing import Any

from gates import items
from gates.playbooks import customer_sync as playbook
from gates.rules.customer_sync import Outcome, SyncDecision
from ledger import clock, sets
from sync.customer_sync.models import SyncRun

ITEM_KIND = "billing_customer"
OWNER_GROUP = "Billing Resolver"


def ask(outcomes: Sequence[Mapping[str, Any]], run: SyncRun) -> None:
    """Open an item for each customer that needs a person and has none open; close those of the others."""
    asks = {row["customer_id"]: row for row in outcomes if row["outcome"] == "review" and row["customer_id"]}
    close(
        [
            row["customer_id"] for row in outcomes
            if row["customer_id"] and row["outcome"] in ("unchanged", "skipped") and row["code"] != "under_way"
        ]
    )  # fmt: skip
    open_now = sets.run(
        """select customer_id from gates_reviewitem where kind = %(kind)b and state <> 'resolved'
              and customer_id = any(%(ids)b::bigint[])""",
        {"kind": ITEM_KIND, "ids": list(asks)},
    )
    already = {row[0] for row in open_now}
    items.open_items([_item(run, row) for customer, row in asks.items() if customer not in already])


def close(customers: Sequence[int]) -> None:
    """The open items of these customers are settled."""
    if customers:
        sets.run(
            """update gates_reviewitem set state = 'resolved', state_version = state_version + 1,
                      resolution = 'settled', resolved_at = %(now)b
                where kind = %(kind)b and state <> 'resolved' and customer_id = any(%(ids)b::bigint[])""",
            {"kind": ITEM_KIND, "now": clock.now(), "ids": list(customers)},
        )


def _item(run: SyncRun, row: Mapping[str, Any]) -> dict[str, Any]:
    decision = SyncDecision(Outcome.REVIEW, row["code"])
    return {
        "customer_id": row["customer_id"], "event_id": run.event_id, "kind": ITEM_KIND, "why": row["code"],
        "sentence": f"Customer {row['internal_id']} of the ERP is not synced to billing: {decision.sentence}.",
        "reason": f"found by sync run {run.pk}; choose there, or correct it in the ERP and sync again",
        "owner_group": OWNER_GROUP, "correlation_id": row["correlation_id"], "automation": playbook.AUTOMATION,
        "error_code": row["code"],
    }  # fmt: skip

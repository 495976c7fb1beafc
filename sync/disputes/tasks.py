"""A person's turn in a dispute: the item in which somebody is asked to answer the bank, and its end by itself."""

from typing import Any

from gates import items
from gates.playbooks import disputes
from gates.playbooks.disputes import Plan
from ledger import clock, money, sets
from sync.disputes.models import Dispute
from sync.understand import Heard

OWNER = "Billing Resolver"
WHY = "dispute"
IS_OPEN = "select id from gates_reviewitem where id = %(id)b and state <> 'resolved' for update"
CLOSE = """
update gates_reviewitem set state = 'resolved', state_version = state_version + 1, resolution = %(resolution)b,
       resolved_at = %(now)b
 where id = %(id)b and state <> 'resolved'"""


def ask(record: Dispute, found: Plan, one: Heard, *, renew: bool) -> None:
    """Open the item, or open it anew where the dispute took a step; one that a person settled is left settled."""
    if record.task is not None and not renew:
        return
    close(record, "superseded")
    opened = items.open_tasks([_item(record, found, one)])
    record.task = opened[0]
    Dispute.objects.filter(pk=record.pk).update(task=record.task)


def close(record: Dispute, resolution: str) -> None:
    """It is about nothing any more."""
    if record.task is None:
        return
    if sets.run(IS_OPEN, {"id": record.task}):
        sets.run(CLOSE, {"id": record.task, "resolution": resolution[:40], "now": clock.now()})
    record.task = None
    Dispute.objects.filter(pk=record.pk).update(task=None)


def _item(record: Dispute, found: Plan, one: Heard) -> dict[str, Any]:
    amount = money.display(record.amount_minor, record.currency)
    item = {
        "kind": disputes.RESPOND, "event_id": one.id, "customer_id": record.customer_id, "why": WHY,
        "sentence": f"{record.get_kind_display()} {record.external_id} over {amount}. {found.advice}",
        "reason": _due(record), "owner_group": OWNER, "provider": record.provider,
        "automation": disputes.AUTOMATION, "correlation_id": record.correlation_id,
        "amount_minor": record.amount_minor, "currency": record.currency,
    }  # fmt: skip
    if found.confidence is not None:
        item["confidence"] = found.confidence / 100
    if found.due_by is not None:
        item["due_by"] = found.due_by.isoformat()
    return item


def _due(record: Dispute) -> str:
    if record.evidence_due_at is None:
        return "the provider names no time by which an answer is due"
    return f"the bank takes evidence until {record.evidence_due_at:%Y-%m-%d %H:%M} UTC"

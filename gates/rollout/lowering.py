"""What goes with any step down: planned and unsent actions are withdrawn, owner and fallback are told."""

from collections.abc import Sequence
from typing import Any

from gates import items
from gates.models import Automation, Segment, SignOff
from gates.models.automation import Staged
from gates.rollout import RANK
from ledger import book, clock, sets

FELL, QUARANTINE = "automation.fell", "automation.quarantine"
TOLD = {"owner_group": "the owner of the automation", "fallback_group": "the fallback of the automation"}
# What nobody but the automation decided. One that a person approved, or sends again, is that person's by now.
PLANNED_SQL = """
select a.id, a.state, a.state_version, a.event_id, a.customer_id, a.correlation_id, a.mode, a.key, a.rule_version,
       a.amount_minor, a.currency
  from ledger_action a
 where a.automation = %(name)b and a.state = any(%(states)b::text[]) and a.requested_by_id is null
   and (%(segment)b = '' or %(segment)b = 'tier:' || coalesce(a.facts ->> 'tier', '')
        or %(segment)b = 'kind:' || coalesce(a.facts ->> 'ticket_kind', ''))
   and not exists (select from ledger_ledgerrow r where r.action_id = a.id and r.actor like 'user:%%'
                      and r.decision in ('approve', 'retry', 'edit'))
 order by a.id for update of a"""
UNSENT = ("held", "approved", "parked")
COLUMNS = (
    "event_id", "customer_id", "correlation_id", "mode", "key", "rule_version", "amount_minor", "currency"
)  # fmt: skip


def withdraw(automation: str, post: str, *, actor: str, why: str, segment: str = "") -> int:
    """Withdraw what the automation planned and did not send; returns how much. In the caller's transaction.

    Suggestions stay with their people while it still suggests; below that they go as well.
    """
    states = UNSENT if RANK[post] >= RANK["suggest"] else (*UNSENT, "in_review")
    rows = sets.run(PLANNED_SQL, {"name": automation, "states": list(states), "segment": segment})
    said = [{"rule": "withdrawn", "reason": f"the automation was lowered: {why}"[:300]}]
    moves = [
        book.Move(
            "action", row[0], "supersede", row[1], "superseded", row[2], actor,
            changes=book.lease_free(), row={**dict(zip(COLUMNS, row[3:], strict=True)), "reasons": said},
        )
        for row in rows
    ]  # fmt: skip
    book.move(moves)
    items.close_for([one.id for one in moves], "superseded")
    return len(moves)


def share_lowered(prior: str, post: str) -> bool:
    """Whether a step takes anything away."""
    return RANK[post] < RANK[prior]


def fell(one: Automation, staged: Staged, why: str) -> None:
    """It lost its stage by itself: its owner has to sign again before it climbs. Sets fields, saves nothing."""
    staged.fell_at, staged.fell_why = clock.now(), why[:300]
    SignOff.objects.filter(automation=one, voided_at=None).update(voided_at=clock.now())


def tell(one: Automation, kind: str, sentence: str, reason: str, *, evidence: dict[str, Any]) -> list[int]:
    """Open an item for the owner and one that tells the fallback; only the owner's asks for a post-mortem."""
    wanted = dict.fromkeys((one.owner_group, one.fallback_group))
    return items.open_tasks([_item(one, kind, sentence, reason, evidence, group) for group in wanted if group])


def _item(
    one: Automation, kind: str, sentence: str, reason: str, evidence: dict[str, Any], group: str
) -> dict[str, Any]:
    is_owner = group == one.owner_group
    kind = kind if is_owner else FELL
    return {
        "kind": kind, "why": kind.replace(".", "_"), "sentence": sentence, "reason": reason, "owner_group": group,
        "asked_by": TOLD["owner_group" if is_owner else "fallback_group"],
        "asked_owner": one.owner_id if is_owner else None, "automation": one.name,
        "evidence": {"automation": one.name, **evidence},
    }  # fmt: skip


def subject(one: Automation, segment: Segment | None) -> tuple[str, str]:
    """How ledger rows call an automation or a segment of it."""
    return ("segment", str(segment.pk)) if segment is not None else ("rollout", one.name)


def row(
    one: Automation, segment: Segment | None, decision: str, prior: str, actor: str, why: str, **more: Any
) -> dict[str, Any]:
    """The ledger row of a step or a remark about it, as it stands now."""
    kind, key = subject(one, segment)
    staged: Staged = segment or one
    return {
        "subject_kind": kind, "subject_id": key, "decision": decision, "actor": actor, "prior_state": prior,
        "post_state": str(staged.state), "state_version": staged.state_version,
        "reasons": [{"rule": "reason", "reason": why}], "outcome": str(staged.state),
        "rule_version": f"{one.name} v{one.version}"[:64],
        **more,
        "inputs": {"automation": one.name, "segment": segment.key if segment else "", **more.get("inputs", {})},
    }  # fmt: skip


def names(found: Sequence[Any]) -> str:
    """A few of them, and how many more."""
    shown = ", ".join(str(one) for one in found[:5])
    return shown + (f" and {len(found) - 5} more" if len(found) > 5 else "")

"""Refunds: what follows a confirmed one in the books and on the ticket, and when that is no longer wanted.

A person or a gate agreed to the refund with these in its preview, so they are not asked about again; the gates judge
them all the same, and a refund that does not stand any more withdraws them.
"""

from collections.abc import Mapping
from typing import Any

from gates.types import Facts, Proposal, Risk

AUTOMATION = "refunds"
REFUND, MEMO, NOTE = "payment.refund", "credit_memo.create", "refund.note"
EXPLANATION = "refund.explanation"
REFUNDS = (REFUND, "dispute.refund")
FOLLOW_UPS = (MEMO, NOTE, EXPLANATION)
PREFIX = "refund:"
MEMO_RISK, NOTE_RISK = Risk(irreversible=True), Risk()
LIVE = ("refund",)
# Why what follows is not wanted, by what the refund has become.
LOST = {
    "failed": "the refund failed after all", "canceled": "the refund was cancelled",
    "gone": "the billing system does not know the refund any more",
}  # fmt: skip


def after_applied(kind: str, params: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[Proposal, ...]:
    """What follows a confirmed refund; `said` is its confirmation with the action, the ERP's customer, the ticket."""
    if kind not in REFUNDS or not (said.get("erp_customer") or said.get("ticket")):
        return ()
    about = {name: said[name] for name in ("charge", "amount_minor", "currency")}
    about |= {"refund": said["id"], "refund_action": said["action"]}
    because = f"refund {said['id']} is confirmed"
    made = []
    if said.get("erp_customer"):
        key = f"{PREFIX}{said['id']}:memo"
        made.append(Proposal(MEMO, f"memo:{said['id']}", key, because, about, MEMO_RISK, LIVE))
    if said.get("ticket"):
        key = f"{PREFIX}{said['id']}:note:{said['ticket']}"
        note = {**about, "ticket": str(said["ticket"])}
        made.append(Proposal(NOTE, f"note:{said['id']}", key, because, note, NOTE_RISK, LIVE))
    return tuple(made)


def withdraw_reason(facts: Facts, kind: str) -> str:
    """Why a planned follow-up is no longer wanted, on live facts; empty while it still is."""
    return LOST.get(facts.refund_status, "") if kind in FOLLOW_UPS else ""


def explanation(ticket: str, event: str, sentence: str) -> Proposal:
    """Tell the ticket inside that what it asks for cannot be."""
    params = {"ticket": ticket, "text": sentence}
    because = f"ticket {ticket} asks for a refund that cannot be"
    return Proposal(EXPLANATION, f"refused:{ticket}", f"wish:{ticket}:{event}", because, params, NOTE_RISK)

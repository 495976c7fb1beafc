"""Dunning: a failed payment makes a contract past due and plans a suspension; a payment withdraws it.

Everything here follows from the memo (`gates.memo`), never from the order in which events came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gates import memo as memos
from gates.types import Facts, Proposal, Risk

AUTOMATION = "dunning"
EFFECTS: dict[str, tuple[str, ...]] = {"suspend": ("contract.suspend",), "downgrade": ("contract.downgrade",)}
EFFECTS["both"] = EFFECTS["suspend"] + EFFECTS["downgrade"]

SUSPEND = Risk(irreversible=True, contract=True, customer_visible=True)
RESTORE = Risk(contract=True, customer_visible=True, reverses=True)
NOTE = Risk()
LIVE_BLOCKS = ("billing", "entitlement")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator chose: what happens to a contract that stays unpaid, and the plan of a downgrade."""

    effect: str = "suspend"
    downgrade_plan: str = "free"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event means for one contract."""

    memo: dict[str, Any]
    verdict: str
    contract_verb: str = ""
    proposals: tuple[Proposal, ...] = ()
    withdraw: str = ""
    reschedule: bool = False
    contradicting: bool = False


def judge(
    memo: Mapping[str, Any], seen: memos.PaymentSeen, contract_state: str, planned: frozenset[str], settings: Settings
) -> Outcome:
    """Fold one event and say what follows. `planned` are `kind:business key` of actions that exist in any state."""
    before, after = dict(memo), memos.fold(memo, seen)
    entry, known = after.get(seen.invoice_id, {}), before.get(seen.invoice_id, {})
    if seen.outcome == "failed":
        return _failed(after, known, entry, seen, contract_state, planned, settings)
    return _settled(before, after, known, seen, contract_state)


def _failed(
    after: dict[str, Any],
    known: Mapping[str, Any],
    entry: Mapping[str, Any],
    seen: memos.PaymentSeen,
    contract_state: str,
    planned: frozenset[str],
    settings: Settings,
) -> Outcome:
    reason = "" if memos.owes(entry) else "the invoice was settled before this arrived"
    proposals = tuple(
        one
        for one in _plan(seen, settings, withdrawn=reason)
        if f"{one.kind}:{one.business_key}" not in planned and contract_state != "cancelled"
    )
    if reason:
        return Outcome(after, f"superseded: {reason}", proposals=proposals)
    if known == entry:
        return Outcome(after, "superseded: nothing newer in it")
    verb = "fall_behind" if contract_state == "active" else ""
    newer = any(known.get(name) != entry.get(name) for name in ("newest", "first_failed", "late"))
    verdict = "done: contract past due" if not known.get("newest") else "done: window looked at again"
    if known.get("newest") == entry.get("newest") and known:
        verdict = "superseded: an older failure of the same invoice"
    return Outcome(after, verdict, verb, proposals, reschedule=bool(known) and newer)


def _plan(seen: memos.PaymentSeen, settings: Settings, withdrawn: str) -> tuple[Proposal, ...]:
    """The actions that a failed invoice leads to; each exists at most once for an invoice."""
    about = f"invoice {seen.number or seen.invoice_id} failed"
    params: dict[str, Any] = {"invoice": seen.invoice_id}
    ticket = Proposal(
        "ticket.open", f"ticket:{seen.invoice_id}", f"invoice:{seen.invoice_id}", f"{about}: tell the support desk",
        params, NOTE, ("billing", "entitlement"), withdrawn=withdrawn,
    )  # fmt: skip
    ends = tuple(
        Proposal(
            kind, f"contract:{seen.invoice_id}", f"invoice:{seen.invoice_id}",
            f"{about} and may stay unpaid", params | _effect_params(kind, settings), SUSPEND, LIVE_BLOCKS,
            withdrawn=withdrawn,
        )
        for kind in EFFECTS[settings.effect]
    )  # fmt: skip
    return (ticket, *ends)


def _effect_params(kind: str, settings: Settings) -> dict[str, Any]:
    return {"plan": settings.downgrade_plan} if kind == "contract.downgrade" else {}


def _settled(
    before: dict[str, Any], after: dict[str, Any], known: Mapping[str, Any], seen: memos.PaymentSeen, state: str
) -> Outcome:
    if known == after.get(seen.invoice_id):
        return Outcome(after, "superseded: settled already")
    was_owed = memos.owes(known)
    word = "paid" if seen.outcome == "paid" else "closed"
    all_clear = not memos.owed(after)
    verb = "recover" if was_owed and all_clear and state == "past_due" else ""
    if not was_owed:
        return Outcome(after, f"done: {word}, nothing was owed")
    return Outcome(
        after, f"contradicting: {word} after it had failed", verb,
        withdraw=f"invoice:{seen.invoice_id}", contradicting=True,
    )  # fmt: skip


def withdraw_reason(facts: Facts, business_key: str, memo: Mapping[str, Any], kind: str) -> str:
    """Why a planned action is no longer wanted, on live facts; empty while it still is.

    `contract.restore` is the one that wants the opposite: it goes once nothing is owed.
    """
    if not business_key.startswith("invoice:"):
        return ""
    invoice_id = business_key.split(":")[1]
    live = next((one for one in facts.invoices if one.id == invoice_id), None)
    settled = (live is not None and live.status in ("paid", "void", "uncollectible")) or not memos.owes(
        memo.get(invoice_id, {})
    )
    if kind == "contract.restore":
        return "" if settled else "the invoice is owed again"
    if kind in ("ticket.note", "ticket.tag"):
        return ""
    if facts.contract_state == "cancelled":
        return "the contract is cancelled"
    if settled:
        return "the invoice is settled"
    if kind in ("contract.suspend", "contract.downgrade") and facts.contract_state == "suspended":
        return "the contract is suspended already"
    return ""


def after_applied(
    kind: str, business_key: str, params: Mapping[str, Any], memo: Mapping[str, Any]
) -> tuple[Proposal, ...]:
    """What follows a confirmed change: the ticket is marked; a suspension that was overtaken is to be undone."""
    invoice_id = str(params.get("invoice", ""))
    if not invoice_id or kind not in ("contract.suspend", "contract.downgrade", "contract.restore"):
        return ()
    word = {"contract.suspend": "suspended", "contract.downgrade": "downgraded", "contract.restore": "restored"}[kind]
    tag = Proposal(
        "ticket.tag", f"tag:{word}:{invoice_id}", f"{business_key}:{word}", f"the contract was {word}",
        {"invoice": invoice_id, "tags": [f"meshline_{word}"], "word": word}, NOTE, ("support",),
    )  # fmt: skip
    if kind == "contract.restore" or memos.owes(memo.get(invoice_id, {})):
        return (tag,)
    return (tag, restore(invoice_id, params, kind))


def restore(invoice_id: str, params: Mapping[str, Any], undoes: str) -> Proposal:
    """Give access back because the payment came after all."""
    return Proposal(
        "contract.restore", f"restore:{undoes}:{invoice_id}", f"invoice:{invoice_id}:{undoes}",
        f"invoice {invoice_id} was paid after the contract had been changed",
        {"invoice": invoice_id, "undoes": undoes, **params}, RESTORE, LIVE_BLOCKS,
    )  # fmt: skip


def paid_note(business_key: str) -> Proposal:
    """Tell the support desk that the money came."""
    invoice_id = business_key.partition(":")[2]
    return Proposal(
        "ticket.note", f"note:paid:{invoice_id}", f"{business_key}:paid", f"invoice {invoice_id} was paid",
        {"invoice": invoice_id, "text": "The invoice was paid. What was planned because of it is withdrawn."}, NOTE,
    )  # fmt: skip

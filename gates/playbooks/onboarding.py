"""Onboarding: a signed deal becomes one customer and one first invoice in the ERP, and the deal says so.

Each step follows from the one before being confirmed, never from the order in which events came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gates.rules import onboarding as rules
from gates.types import Deal, Facts, Proposal, Risk

AUTOMATION = "onboarding"
CUSTOMER = Risk(irreversible=True)
INVOICE = Risk(irreversible=True, money=True, customer_visible=True)
MARK = Risk()
LIVE_BLOCKS = ("deal", "account")

INVOICED, FLAGGED = "invoiced", "needs_attention"
OPEN_STATES = ("proposed", "held", "in_review", "approved", "parked", "sending", "unknown", "failed")
# Why a deal is not signed any more, as a clause after "the deal".
STANDINGS = {
    "elsewhere": "is not in the signed stage any more", "lost": "is lost", "deleted": "was deleted",
    "archived": "was archived", "merged": "was merged into another one", "gone": "is not in the CRM any more",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one read of a deal means for its contract. `verbs` are steps of the contract, in order."""

    verdict: str
    verbs: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    withdraw: str = ""
    overtaken: bool = False


def judge(deal: Deal, contract_state: str, made: Mapping[str, tuple[str, ...]], *, told: bool) -> Outcome:
    """What follows from a deal as it was just read.

    `made` are the states of this deal's actions by kind, `told` whether the event itself says that it was signed now:
    only then is what a person rejected asked again.
    """
    if deal.standing != "signed":
        return _left(deal, contract_state, made)
    verbs: tuple[str, ...] = ("sign",) if contract_state == "draft" else ()
    verbs += ("qualify",) if contract_state in ("draft", "signed") and not deal.lacks else ()
    following = customer(deal) if not _stands(made.get("customer.create", ()), told=told) else ()
    if not following and "applied" in made.get("customer.create", ()):
        following = () if _stands(made.get("invoice.create", ()), told=told) else (invoice(deal.id),)
    if not following:
        return Outcome("done: nothing new, it is planned already", verbs)
    word = "not ready for billing, a person is asked" if deal.lacks else "ready for billing"
    return Outcome(f"done: signed and {word}", verbs, following)


def _stands(states: tuple[str, ...], *, told: bool) -> bool:
    """Whether there is an action already that must not be planned a second time."""
    if any(state in OPEN_STATES or state in ("applied", "observed", "compensated") for state in states):
        return True
    return "rejected" in states and not told


def _left(deal: Deal, contract_state: str, made: Mapping[str, tuple[str, ...]]) -> Outcome:
    reason = f"the deal {STANDINGS[deal.standing]}"
    waiting = any(state in OPEN_STATES for states in made.values() for state in states)
    overtaken = deal.standing != "elsewhere" and "applied" in made.get("customer.create", ())
    if not waiting and not overtaken:
        return Outcome(f"superseded: {reason}")
    return Outcome(f"contradicting: {reason}", withdraw=reason, overtaken=overtaken)


def customer(deal: Deal) -> tuple[Proposal, ...]:
    """The ERP's customer; where something is missing the deal says so, too."""
    create = Proposal(
        "customer.create", f"customer:{deal.id}", f"deal:{deal.id}:customer", f"deal {deal.id} is signed",
        {"deal": deal.id}, CUSTOMER, LIVE_BLOCKS,
    )  # fmt: skip
    return (create, *not_ready(deal))


def not_ready(deal: Deal | None) -> tuple[Proposal, ...]:
    """Flag and note of a deal that lacks something; nothing where it lacks nothing."""
    if deal is None or not deal.lacks:
        return ()
    missing = rules.in_words(deal.lacks)
    text = f"Not ready for billing: {missing}. Correct it here; a colleague in billing then sends it on."
    return marks(deal.id, FLAGGED, text, f"deal {deal.id} cannot be billed yet")


def after_asked(kind: str, facts: Facts) -> tuple[Proposal, ...]:
    """What follows when a step was judged again and a person is asked: the ERP's own lists may lack what a deal says.

    Proposed each time; of one event a mark is stored once, so a deal that carries it already gets no second one.
    """
    return not_ready(facts.deal) if kind in rules.BILLING_KINDS else ()


def invoice(deal: str) -> Proposal:
    """The first invoice, once the customer is there."""
    return Proposal(
        "invoice.create", f"invoice:{deal}", f"deal:{deal}:invoice", f"the customer of deal {deal} is in the ERP",
        {"deal": deal}, INVOICE, LIVE_BLOCKS,
    )  # fmt: skip


def marks(deal: str, status: str, text: str, because: str) -> tuple[Proposal, ...]:
    """The deal's own fields, and a note people read."""
    about = {"deal": deal, "status": status}
    return (
        Proposal(
            "deal.annotate", f"status:{deal}:{status}", f"deal:{deal}:status:{status}", because, about, MARK, ("deal",)
        ),
        Proposal(
            "deal.note", f"note:{deal}:{status}", f"deal:{deal}:note:{status}", because, {**about, "text": text}, MARK,
            ("deal",),
        ),
    )  # fmt: skip


def withdraw_reason(facts: Facts, kind: str) -> str:
    """Why a planned step is no longer wanted, on live facts; empty while it still is."""
    deal = facts.deal
    if deal is None or deal.standing == "signed":
        return ""
    if kind == "mail.progress" and deal.standing == "elsewhere":
        return ""  # a deal that went on from the signed stage is onboarded all the same
    if kind in ("deal.annotate", "deal.note") and deal.standing in ("elsewhere", "lost"):
        return ""  # it is there, and what was done to it remains true
    return f"the deal {STANDINGS[deal.standing]}"


def after_applied(kind: str, params: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[Proposal, ...]:
    """What follows a confirmed step; `said` is the provider's confirmation, its object's id under `id`."""
    deal = str(params.get("deal", ""))
    if kind == "customer.create":
        return (invoice(deal),)
    if kind != "invoice.create":
        return ()
    text = f"In the ERP: customer {said.get('customer', '-')}, first invoice {said.get('number') or said['id']}."
    return marks(deal, INVOICED, text, f"the first invoice of deal {deal} is in the ERP")

"""Disputes: what can still be given back is suggested with its sum; what the bank took is answered, never refunded.

A bank may ask first (an inquiry), warn of fraud, or take the money (a chargeback). The first two leave the payment
refundable, and giving the money back ends them; a refund beside a chargeback pays the customer twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from gates.types import Facts, Proposal, Risk
from ledger import money

AUTOMATION = "dispute_recovery"
REFUND = "dispute.refund"
RESPOND = "dispute.respond"  # an item that no action stands behind: a person answers at the provider
KINDS = frozenset({REFUND})
KEY = "dispute:"

INQUIRY, CHARGEBACK, WARNING = "inquiry", "chargeback", "warning"
WAITING, REVIEWED, UNCLEAR, WON, LOST, ENDED = "waiting", "reviewed", "unclear", "won", "lost", "ended"
OVER = (WON, LOST, ENDED)
# The provider's words, of every generation; any other one counts as open and is a person's to read.
STANDINGS: Mapping[str, tuple[str, str]] = {
    "warning_needs_response": (INQUIRY, WAITING), "warning_under_review": (INQUIRY, REVIEWED),
    "warning_closed": (INQUIRY, ENDED),
    "needs_response": (CHARGEBACK, WAITING), "under_review": (CHARGEBACK, REVIEWED),
    "appeal_needs_response": (CHARGEBACK, WAITING), "appeal_under_review": (CHARGEBACK, REVIEWED),
    "won": (CHARGEBACK, WON), "lost": (CHARGEBACK, LOST), "prevented": (CHARGEBACK, ENDED),
    "charge_refunded": (CHARGEBACK, ENDED),
    "actionable": (WARNING, WAITING), "not_actionable": (WARNING, ENDED),
}  # fmt: skip

SURE = 95
# What makes a suggestion less sure, in points of a hundred.
DOUBTS = {"prior": 20, "inactive": 20, "period": 10, "fraud": 30, "partly": 5}
GIVE_BACK = Risk(irreversible=True, money=True, customer_visible=True)
END = Risk(irreversible=True, contract=True, customer_visible=True)
RESTORE = Risk(contract=True, customer_visible=True, reverses=True)
LIVE_BLOCKS = ("payment", "billing")
CONTRACT_BLOCKS = ("billing", "entitlement")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator chose. `basis`: `unused` gives back the time not used, `whole` all that is disputed.

    `fees` are kept of an inquiry's refund, in minor units of each currency. `margin` is left before the evidence is
    due.
    """

    basis: str = "unused"
    fees: Mapping[str, int] = field(default_factory=dict)
    margin: timedelta = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute or warning as it stands. Amount in minor units of `currency`; times aware UTC."""

    id: str
    kind: str
    standing: str
    status: str
    charge: str
    amount_minor: int
    currency: str
    reason: str = ""
    opened_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """The disputed payment as read live: minor units, and the time it paid for where that is known."""

    amount_minor: int
    refunded_minor: int
    currency: str
    is_charged_back: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def left_minor(self) -> int:
        """What can still be given back."""
        return max(0, self.amount_minor - self.refunded_minor)


@dataclass(frozen=True, slots=True)
class Payer:
    """Who disputes: earlier disputes, the contract's state, the subscription's status; "" where they are not known."""

    prior: int = 0
    contract_state: str = ""
    subscription: str = ""
    has_ticket: bool = False
    is_refunded: bool = False  # by us, because of this very dispute


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a calculation: words, and minor units with their sign."""

    words: str
    minor: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to give back and how it comes about: the lines add up to `minor` exactly. `rounded` is said once."""

    minor: int
    currency: str
    lines: tuple[Line, ...]
    rounded: str = ""

    def as_json(self) -> list[list[Any]]:
        """The lines as they are stored."""
        return [[one.words, one.minor] for one in self.lines]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a dispute calls for. `answer`: refund, respond (a person, at the provider), wait, or nothing.

    `advice` says it in a sentence; `due_by` is when a person must have decided, aware UTC.
    """

    answer: str
    advice: str
    suggestion: Suggestion | None = None
    confidence: int | None = None
    due_by: datetime | None = None


def standing_of(status: str) -> tuple[str, str]:
    """(kind, standing) of a provider's status; one that nobody knows is an open chargeback that is unclear."""
    return STANDINGS.get(status, (CHARGEBACK, UNCLEAR))


def suggest(case: Case, paid: Paid, terms: Terms) -> Suggestion:
    """What to give back, rounded once at the end, half to even, to what the wire can pay in this currency."""
    step = money.STEPS.get(paid.currency, 1)
    share = None if case.kind == WARNING or terms.basis == "whole" else _unused(case, paid)
    fee = 0 if case.kind == WARNING else terms.fees.get(paid.currency, 0)
    whole = Fraction(paid.amount_minor if share is None else 0) + (paid.amount_minor * share if share else 0)
    wanted = whole - paid.refunded_minor - fee
    exact = min(wanted, Fraction(case.amount_minor), Fraction(paid.left_minor))
    minor = max(0, round(exact / step) * step)  # Python rounds a half to the even neighbour
    if minor > paid.left_minor:
        minor -= step
    used = _used_words(case, paid) if share is not None and exact == wanted else ""
    return Suggestion(minor, paid.currency, _lines(paid, used, fee, minor), _rounded(step, paid.currency))


def _unused(case: Case, paid: Paid) -> Fraction | None:
    """The share of the paid time that was left when it was disputed; None where the time is not known."""
    if paid.starts_at is None or paid.ends_at is None or case.opened_at is None or paid.ends_at <= paid.starts_at:
        return None
    whole = int((paid.ends_at - paid.starts_at).total_seconds())
    left = int((paid.ends_at - case.opened_at).total_seconds())
    return Fraction(min(max(left, 0), whole), whole)


def _lines(paid: Paid, used: str, fee: int, minor: int) -> tuple[Line, ...]:
    """Every line with its own amount; what is between them and the sum is the time used, or what is not disputed."""
    lines = [Line("Collected", paid.amount_minor)]
    if paid.refunded_minor:
        lines.append(Line("Given back before", -paid.refunded_minor))
    if fee:
        lines.append(Line("Fee kept", -fee))
    rest = minor - sum(one.minor for one in lines)
    if rest:
        other = "Never less than nothing" if rest > 0 else "Used, or not part of the dispute"
        lines.append(Line((used if rest < 0 else "") or other, rest))
    return tuple(lines)


def _used_words(case: Case, paid: Paid) -> str:
    if paid.starts_at is None or paid.ends_at is None or case.opened_at is None:
        return ""
    whole = max(1, round((paid.ends_at - paid.starts_at) / timedelta(days=1)))
    used = min(max((case.opened_at - paid.starts_at) / timedelta(days=1), 0.0), float(whole))
    return f"Time used before the dispute, {used:.1f} of {whole} days"


def _rounded(step: int, currency: str) -> str:
    return f"rounded once, at the end, half to even, to {money.display(step, currency)}"


def plan(case: Case, paid: Paid | None, payer: Payer, terms: Terms) -> Plan:
    """What this dispute calls for now."""
    due = case.due_at - terms.margin if case.due_at else None
    if case.standing in OVER:
        return Plan("nothing", _ended(case))
    if case.standing == REVIEWED:
        return Plan("wait", "The bank looks at it. Do not refund this payment; nothing is to be done until it answers.")
    if case.standing == UNCLEAR:
        advice = f"The provider says '{case.status[:40]}', which is not known here. Look there; do not refund before."
        return Plan("respond", advice, due_by=due)
    if case.kind == CHARGEBACK or (paid is not None and paid.is_charged_back):
        return Plan("respond", _answer_bank(case, paid), due_by=due)
    if payer.is_refunded:
        return Plan("wait", "The money was given back because of this; the bank ends it.")
    if paid is None:
        return Plan("respond", "The payment could not be read. Look at the provider before anything is given back.",
                    due_by=due)  # fmt: skip
    return _refundable(case, paid, payer, terms, due)


def _refundable(case: Case, paid: Paid, payer: Payer, terms: Terms, due: datetime | None) -> Plan:
    suggestion = suggest(case, paid, terms)
    if suggestion.minor:
        shown = money.display(suggestion.minor, paid.currency)
        is_warned = case.kind == WARNING
        why = "the bank warns of fraud and takes the money next" if is_warned else "the bank only asks so far"
        return Plan("refund", f"Give back {shown}: {why}.", suggestion, _confidence(case, paid, payer, terms), due)
    if case.kind == WARNING:
        return Plan("nothing", "Nothing of the payment is left to give back; a dispute of it may still come.")
    advice = "Nothing is to be given back by the sum below. Answer the bank's question with evidence, or accept it."
    return Plan("respond", advice, suggestion, due_by=due)


def _answer_bank(case: Case, paid: Paid | None) -> str:
    before = ""
    if paid is not None and paid.refunded_minor:
        before = f" {money.display(paid.refunded_minor, paid.currency)} was given back already: send that as evidence."
    again = "The appeal needs an answer" if case.status.startswith("appeal_") else "The bank has taken the money"
    return f"{again}: do not refund. Submit evidence at the provider, or accept the dispute there.{before}"


def _ended(case: Case) -> str:
    if case.standing == WON:
        return "Won: the bank gave the money back."
    if case.standing == LOST:
        return "Lost: the money stays with the customer. Do not refund."
    return "Over: the bank took nothing."


def _confidence(case: Case, paid: Paid, payer: Payer, terms: Terms) -> int:
    """How sure the suggestion is, in a hundred."""
    doubts = (
        ("prior", payer.prior > 0),
        ("inactive", payer.contract_state != "active" or payer.subscription not in ("active", "trialing", "")),
        ("period", terms.basis == "unused" and case.kind == INQUIRY and _unused(case, paid) is None),
        ("fraud", case.kind == WARNING or case.reason == "fraudulent"),
        ("partly", paid.refunded_minor > 0),
    )
    return max(0, SURE - sum(DOUBTS[name] for name, holds in doubts if holds))


def refund(case: Case, found: Plan, payer: Payer) -> Proposal:
    """The refund that ends it, with its sum. One at a time for each payment; the dispute is named in its key."""
    assert found.suggestion is not None
    word = "a bank warns of fraud" if case.kind == WARNING else "a bank asks about this payment"
    params: dict[str, Any] = {
        "payment": case.charge, "amount_minor": found.suggestion.minor, "currency": found.suggestion.currency,
        "reason": "fraudulent" if case.kind == WARNING else "requested_by_customer",
        "dispute": case.id, "about": case.kind, "prior_disputes": payer.prior, "confidence": found.confidence or 0,
        "lines": found.suggestion.as_json(), "rounded": found.suggestion.rounded,
    }  # fmt: skip
    if found.due_by:
        params["due_by"] = found.due_by.isoformat()
    if payer.has_ticket:
        params["tells"] = "ticket"
    return Proposal(
        REFUND, f"dispute:{case.id}", f"payment:{case.charge}#{case.kind}:{case.id}", word, params, GIVE_BACK,
        LIVE_BLOCKS, found.suggestion.minor, found.suggestion.currency,
        confidence=None if found.confidence is None else found.confidence / 100,
    )  # fmt: skip


def closed(case: Case, payer: Payer, *, is_suspended_for_it: bool) -> tuple[Proposal, ...]:
    """What follows the end of a dispute: the desk is told; a lost one asks about the contract, a won one gives back."""
    found: list[Proposal] = []
    if payer.has_ticket:
        found.append(note(case.id, str(case.standing), _note_words(case)))
    if case.standing == LOST and payer.contract_state in ("active", "past_due"):
        found.append(
            Proposal(
                "contract.suspend", f"dispute:{case.id}:lost", f"{KEY}{case.id}",
                "a dispute was lost and the service still runs", {"dispute": case.id}, END, CONTRACT_BLOCKS,
            )
        )  # fmt: skip
    if case.standing in (WON, ENDED) and is_suspended_for_it and payer.contract_state == "suspended":
        found.append(
            Proposal(
                "contract.restore", f"dispute:{case.id}:won", f"{KEY}{case.id}:restore",
                "the dispute behind the suspension ended well", {"dispute": case.id, "undoes": "contract.suspend"},
                RESTORE, CONTRACT_BLOCKS,
            )
        )  # fmt: skip
    return tuple(found)


def note(dispute: str, word: str, text: str) -> Proposal:
    """A line on the ticket for whoever talks to the customer."""
    return Proposal(
        "ticket.note", f"note:{dispute}:{word}", f"{KEY}{dispute}:note:{word}", f"dispute {dispute}: {word}",
        {"dispute": dispute, "text": text}, Risk(),
    )  # fmt: skip


def _note_words(case: Case) -> str:
    amount = money.display(case.amount_minor, case.currency)
    return f"Dispute {case.id} over {amount} of payment {case.charge}. {_ended(case)}"


def opened_note(case: Case, advice: str) -> Proposal:
    """The desk hears of a dispute before somebody promises a refund."""
    amount = money.display(case.amount_minor, case.currency)
    return note(case.id, "opened", f"Dispute {case.id} over {amount} of payment {case.charge}. {advice}")


def withdraw_reason(facts: Facts, business_key: str, kind: str) -> str:
    """Why something planned for a dispute is no longer wanted, on live facts; empty while it still is."""
    if kind in ("contract.suspend", "contract.restore"):
        gone = ("cancelled", "suspended") if kind == "contract.suspend" else ("cancelled", "active")
        return f"the contract is {facts.contract_state}" if facts.contract_state in gone else ""
    if kind != REFUND or not facts.executing or facts.payment is None:
        return ""
    if not facts.payment.refundable_minor:
        return "the payment is refunded already"
    is_warning = business_key.partition("#")[2].startswith(f"{WARNING}:")
    return "" if is_warning or facts.open_disputes else "the dispute is over"


def after_applied(kind: str, params: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[Proposal, ...]:
    """The desk is told of money that was given back, by what the provider confirmed."""
    if kind != REFUND or params.get("tells") != "ticket":
        return ()
    shown = money.display(said.get("amount_minor"), str(said.get("currency", "")))
    dispute = str(params["dispute"])
    return (note(dispute, "refunded", f"{shown} of payment {params['payment']} was given back for {dispute}."),)

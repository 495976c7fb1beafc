"""Accounting: what each settled fact of the billing system is in the ERP's books, counted once. Pure.

A fact is one line of billing's own balance. It becomes at most two records: the money itself and the fee that was kept
of it. Each record has an external id that follows from billing's object, so the same fact is the same record for ever.
The same lines are what the comparison of both books expects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gates.playbooks import refunds
from gates.types import Facts, Proposal, Risk
from ledger import money

AUTOMATION = "accounting"
PAYMENT, REFUND, FEE, DISPUTE = "payment.record", "refund.record", "fee.record", "dispute.record"
KINDS = (PAYMENT, REFUND, FEE, DISPUTE)
RISK = Risk(irreversible=True)
# What a line is of -> the kind of action that books it, and how the external id of its record begins.
WORDS: Mapping[str, tuple[str, str]] = {
    "payment": (PAYMENT, "mesh-pay-"), "refund": (REFUND, "mesh-ref-"), "fee": (FEE, "mesh-fee-"),
    "fee_back": (FEE, "mesh-feeback-"), "dispute": (DISPUTE, "mesh-dis-"), "dispute_back": (DISPUTE, "mesh-disback-"),
}  # fmt: skip
TAKES = ("refund", "fee", "dispute")  # lines that take from billing's balance
CHARGE, REFUNDED, FAILED, BOUNCED, DISPUTED, REVERSED, OWN_FEE = (
    "charge", "refund", "charge_failure", "refund_failure", "dispute", "dispute_reversal", "fee",
)  # fmt: skip
READ = (CHARGE, REFUNDED, DISPUTED, REVERSED, OWN_FEE)
BACK: Mapping[str, str] = {FAILED: "payment", BOUNCED: "refund"}  # what did not last after all
# Between accounts of our own: finance books these with the statement of the bank.
MOVES = frozenset(
    {"payout", "payout_reversal", "topup", "topup_reversal", "transfer", "transfer_reversal", "minimum_balance"}
)
UNDER_WAY = ("pending", "requires_action")
OVER = ("failed", "canceled")
SAYS = {
    "payment": "billing's balance shows {}", "refund": "billing's balance shows {}",
    "fee": "billing's balance shows what it kept ({})", "fee_back": "billing's balance shows a fee less ({})",
    "dispute": "billing's balance shows a dispute ({})", "dispute_back": "billing's balance shows a dispute won ({})",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of billing's balance. Amounts in minor units of `currency`; `amount` is negative where it takes.

    `source` is the object it is of, with its own amount and currency as the customer saw them (None: it has none),
    its status, the customer who paid, and the action of ours that its label names. `flaw` says what of the line could
    not be read; its amounts mean nothing then.
    """

    id: str
    category: str
    amount: int
    fee: int
    currency: str
    made_at: datetime
    source: str = ""
    source_minor: int | None = None
    source_currency: str = ""
    status: str = ""
    customer: str = ""
    charge: str = ""
    mark: str = ""
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One record that the books must have: of what, billing's object that names it, and its amount (above 0)."""

    word: str
    object: str
    minor: int
    currency: str

    @property
    def kind(self) -> str:
        """The kind of action that books it."""
        return WORDS[self.word][0]

    @property
    def key(self) -> str:
        """What both books know it by: `payment ch_1`."""
        return f"{self.word} {self.object}"

    @property
    def external_id(self) -> str:
        """What its record in the ERP is found by, for ever."""
        return f"{WORDS[self.word][1]}{self.object}"

    @property
    def business_key(self) -> str:
        """What the action is about: a second one of the same is never open beside it."""
        subject = {"payment": "charge", "refund": "refund"}.get(self.word, "balance")
        return f"{subject}:{self.object}:{self.word if subject == 'balance' else 'record'}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fact belongs. `has_memo`: a credit memo of the refund is there, under way, or follows by itself."""

    is_known: bool = False
    erp_customer: str = ""
    account: str = ""
    books_refunds: bool = True
    has_memo: bool = False
    was_recorded: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows: proposals; or a person's turn (code and sentence); or nothing, with the reason; or later."""

    proposals: tuple[Proposal, ...] = ()
    code: str = ""
    sentence: str = ""
    skipped: str = ""
    is_early: bool = False


def lines(fact: Fact, *, books_refunds: bool) -> tuple[Line, ...]:
    """The records that the books must have of a fact; none of money that did not last, or is not over yet."""
    if fact.flaw or is_early(fact):
        return ()
    found = []
    is_lost = fact.category in (CHARGE, REFUNDED) and fact.status in OVER
    word, name = _money_of(fact)
    if word and not is_lost and (books_refunds or fact.category != REFUNDED):
        found.append(Line(word, name, abs(fact.amount), fact.currency))
    if fact.fee and (fact.category in READ or fact.category in BACK):
        found.append(Line("fee" if fact.fee > 0 else "fee_back", fact.id, abs(fact.fee), fact.currency))
    return tuple(found)


def is_early(fact: Fact) -> bool:
    """A payment that is not collected yet, as a bank's debit for days, or a refund that has not left."""
    return fact.category in (CHARGE, REFUNDED) and fact.status in UNDER_WAY


def _money_of(fact: Fact) -> tuple[str, str]:
    """What the amount itself is, and the object that names it; "" where no record is made of it."""
    if fact.category == CHARGE and fact.amount > 0:
        return "payment", fact.source
    if fact.category == REFUNDED and fact.amount < 0:
        return "refund", fact.source
    if fact.category in (DISPUTED, REVERSED) and fact.amount:
        return ("dispute" if fact.amount < 0 else "dispute_back"), fact.id
    if fact.category == OWN_FEE and fact.amount:
        return ("fee" if fact.amount < 0 else "fee_back"), fact.id
    return "", ""


def plan(fact: Fact, place: Place) -> Plan:
    """What is to become of a fact. Nothing is guessed: what no rule covers is a person's turn."""
    if fact.category in MOVES:
        return Plan(skipped="money between accounts of our own; finance books it with the bank's statement")
    if fact.flaw:
        return Plan(code="unreadable", sentence=f"{fact.id} of billing's balance cannot be read ({fact.flaw}).")
    if is_early(fact):
        return Plan(is_early=True)
    found = lines(fact, books_refunds=place.books_refunds)
    if fact.category in BACK and (place.was_recorded or not found):
        return _came_back(BACK[fact.category], place)
    told = _strange(fact, found) or _misfit(fact, place)
    if told:
        return Plan(code=told[0], sentence=told[1])
    if not found:
        return Plan(skipped=_why_none(fact, place))
    return _planned(fact, place, found)


def _strange(fact: Fact, found: tuple[Line, ...]) -> tuple[str, str] | None:
    """What nobody has a rule for, or whose numbers contradict each other."""
    if fact.category not in READ and fact.category not in BACK:
        return "unknown_category", f"Billing names {fact.id} “{fact.category[:40]}”, which is booked by no rule."
    if money.exponent(fact.currency) is None:
        return "no_currency", f"{fact.id} is in {fact.currency.upper()}, a currency nobody here knows."
    word, name = _money_of(fact)
    if fact.amount and not (word and name) and fact.category not in BACK:
        return "unclear_amount", f"The amount of {fact.id} has another sign than its kind, or names nothing."
    return None


def _misfit(fact: Fact, place: Place) -> tuple[str, str] | None:
    """Paid in one currency and settled in another; or of nobody that the ERP knows."""
    if fact.category in (CHARGE, REFUNDED) and fact.source_currency != fact.currency:
        return "other_currency", (
            f"{fact.source} was paid in {fact.source_currency.upper() or 'no currency'} and settled in "
            f"{fact.currency.upper()} ({fact.id})."
        )
    if fact.category in (CHARGE, REFUNDED) and fact.source_minor != abs(fact.amount):
        return "unclear_amount", f"{fact.source} has another amount than its line in billing's balance ({fact.id})."
    if fact.category != OWN_FEE and not place.is_known:
        return "customer_unknown", f"Nobody here knows the customer of {fact.source} ({fact.id})."
    if fact.category != OWN_FEE and not place.erp_customer:
        return "no_erp_customer", f"The customer of {fact.source} ({fact.id}) is not linked to the ERP."
    return None


def _why_none(fact: Fact, place: Place) -> str:
    if fact.category == REFUNDED and not place.books_refunds:
        return "finance books refunds by other means"
    lost = {CHARGE: "the payment failed after all", REFUNDED: "the refund did not last"}
    return lost.get(fact.category, "no amount moved") if fact.amount else "no amount moved"


def _came_back(what: str, place: Place) -> Plan:
    if not place.was_recorded:
        return Plan(skipped=f"the {what} that came back was never recorded")
    sentence = f"A {what} that was recorded in the ERP came back: its record there has to be voided."
    return Plan(code=f"{what}_came_back", sentence=sentence)


def _planned(fact: Fact, place: Place, found: tuple[Line, ...]) -> Plan:
    made = []
    for line in found:
        if line.word == "refund" and not place.has_memo:
            made.append(_memo(fact, line, place.account))
        made.append(proposal(fact, line, place.account))
    return Plan(proposals=tuple(made))


def proposal(fact: Fact, line: Line, account: str) -> Proposal:
    """The action that books one line."""
    params: dict[str, Any] = {
        "word": line.word, "object": line.object, "transaction": fact.id, "charge": fact.charge,
        "amount_minor": line.minor, "currency": line.currency, "day": f"{fact.made_at:%Y-%m-%d}",
        "billing_account": account,
    }  # fmt: skip
    needs: tuple[str, ...] = ()
    if line.word == "refund":
        params["refund"], needs = fact.source, refunds.LIVE
    because = SAYS[line.word].format(line.object)
    return Proposal(line.kind, f"record:{line.key}", line.business_key, because, params, RISK, needs)


def _memo(fact: Fact, line: Line, account: str) -> Proposal:
    """A refund that somebody made at billing itself has no credit memo yet, which is what its record settles."""
    about = {
        "charge": fact.charge, "amount_minor": line.minor, "currency": line.currency, "refund": line.object,
        "refund_action": "", "billing_account": account,
    }  # fmt: skip
    key = f"{refunds.PREFIX}{line.object}:memo"
    because = f"billing's balance shows {line.object}, which has no credit memo"
    return Proposal(
        refunds.MEMO, f"memo:{line.object}", key, because, about, refunds.MEMO_RISK, refunds.LIVE
    )  # fmt: skip


def withdraw_reason(facts: Facts, kind: str) -> str:
    """Why a record is no longer wanted, on live facts: a refund that did not last is none."""
    return refunds.LOST.get(facts.refund_status, "") if kind == REFUND else ""

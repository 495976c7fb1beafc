"""The plain values that judgement works on: facts in, decisions out. No Django, no clock, no network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any


class Verdict(StrEnum):
    """What a rule says; the strictest of all rules wins."""

    PASS = "pass"  # noqa: S105
    HOLD = "hold"
    REVIEW = "review"
    REVIEW_TWO = "review_two"
    BLOCK = "block"


ASKED = "asked"  # the stage of what a person asked for: no rollout, but four eyes where money or a contract moves
FOLLOWS = "follows"  # a parameter no person can fill in: the confirmed action, agreed to as a whole, that this ends
SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Risk:
    """What kind of change an action is; declared by its kind, not by whoever proposes it."""

    irreversible: bool = False
    money: bool = False
    contract: bool = False
    customer_visible: bool = False
    reverses: bool = False


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice as last known. Amounts in minor units of `currency`; times aware UTC."""

    id: str
    status: str
    number: str = ""
    amount_due: int | None = None
    amount_remaining: int | None = None
    currency: str = ""
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment as read live. Amounts in minor units of `currency`.

    `refunded_minor` is what others gave back of it: what the action being judged did itself already is left out, so
    that a repeat of it is judged as the first try was. `is_charged_back`: the bank took the money, or may.
    """

    id: str
    status: str
    amount_minor: int
    refunded_minor: int
    currency: str
    is_customers: bool = False
    is_charged_back: bool = False

    @property
    def refundable_minor(self) -> int:
        """What can still be given back."""
        return max(0, self.amount_minor - self.refunded_minor)


@dataclass(frozen=True, slots=True)
class Deal:
    """One signed deal as read live. Amount in minor units of `currency`.

    `standing` is `signed`, or why it is no longer. `lacks` are (field, fault) of what keeps it from being billed.
    `erp_customer` is the ERP's record under our external id, `twin` another record that may be the same client,
    `mapping` the version of the field mapping that its values are sent by.
    `shown` is what people are shown of it; it may be personal, so the ledger does not keep it.
    """

    id: str
    standing: str = "signed"
    organization_id: str = ""
    lacks: tuple[tuple[str, str], ...] = ()
    amount_minor: int | None = None
    currency: str = ""
    package: str = ""
    erp_customer: str = ""
    twin: str = ""
    billing_status: str = ""
    mapping: int = 0
    shown: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """The frozen snapshot one judgement is made on. A block that was never read has no time.

    `failed_at` is the first failure of the invoice in question, `next_attempt_at` the provider's next planned try.
    `amount_30d_minor` is what money actions of the customer come to in 30 days in the proposal's currency, the
    proposal's own amount included; None where it moves no money. `edited`: a person changed the action last.
    `mapping` is the version of the field mapping by which anything would be written.
    `asked_at` is when the action was asked for, or changed last. `period_end` ends what is paid for, `cancel_pending`
    says that the subscription ends with it, `ended_by_this` that the action itself ended it. `cancel_blocked` names the
    entry by which it may not be cancelled.
    """

    now: datetime
    external_id: str = ""
    tier: str = ""
    contract_state: str = ""
    contract_version: int = 0
    plan: str = ""
    erp_status: str = ""
    subscription_status: str = ""
    invoice: Invoice | None = None
    invoices: tuple[Invoice, ...] = ()
    failed_at: datetime | None = None
    next_attempt_at: datetime | None = None
    open_disputes: int = 0
    fraud_flag: bool = False
    tenure_months: int | None = None
    erp_record_id: str = ""
    ticket_id: str = ""
    ticket_status: str = ""
    ticket_stamp: str = ""  # the support desk's own time of its last change, as text
    ticket_trouble: str = ""  # "flips", or "deleted:", "merged:NUMBER": what keeps automations from writing on it
    has_owner: bool = True
    late_event: bool = False
    payment: Payment | None = None
    amount_30d_minor: int | None = None
    edited: bool = False
    deal: Deal | None = None
    customer_state: str = ""
    erp_customer_id: str = ""
    mapping: int = 0
    refund_status: str = ""  # of the refund that a follow-up is about, as read live
    synced_at: Mapping[str, datetime] = field(default_factory=dict)
    executing: bool = False
    asked_at: datetime | None = None
    period_end: datetime | None = None
    cancel_pending: bool = False
    ended_by_this: bool = False
    cancel_blocked: str = ""
    ticket_kind: str = ""  # what kind of ticket it is about, by tag or form
    automation: str = ""
    confidence: float | None = None  # how sure whoever proposed it is, 0 to 1; None where nobody said
    assistant: bool = False  # a program that suggests asked for it, not a person
    said: tuple[tuple[str, str, str, str, int, int], ...] = ()  # param, verdict, sense, topic, start, end of a claim
    cooled_at: datetime | None = None  # when the same automation's last one of this kind for the customer is past

    def age(self, block: str) -> timedelta | None:
        """How old a block is; None when it was never read."""
        read = self.synced_at.get(block)
        return None if read is None else self.now - read


@dataclass(frozen=True, slots=True)
class Proposal:
    """This action, on this target, not before then, because."""

    kind: str
    target: str
    business_key: str
    because: str
    params: Mapping[str, Any] = field(default_factory=dict)
    risk: Risk = Risk()
    needs: tuple[str, ...] = ()
    amount_minor: int | None = None
    currency: str = ""
    confidence: float | None = None
    withdrawn: str = ""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule's answer with the values it looked at; all of them are kept."""

    rule: str
    verdict: Verdict
    reason: str = ""
    until: datetime | None = None
    version: int = 1
    group: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate as judgement sees it: typed rows that must all hold, and what it then answers."""

    name: str
    version: int
    rows: tuple[Mapping[str, Any], ...]
    result: Verdict
    message: str
    applies_to: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """Windows and age limits that rules compare with."""

    safety_window: timedelta = timedelta(hours=72)
    attempt_margin: timedelta = timedelta(hours=1)
    live_read_max_age: timedelta = timedelta(seconds=60)
    context_max_age: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything besides the facts that a decision depends on: gates, limits and how far the automation is trusted."""

    gates: tuple[Gate, ...] = ()
    limits: Limits = Limits()
    stage: str = "full"
    automation_version: int = 1
    is_owned: bool = True
    sensitive: frozenset[str] = frozenset()  # kinds that are an owner's say
    may_resolve: bool = False
    segments: Mapping[str, str] = field(default_factory=dict)  # `tier:<name>` or `kind:<ticket kind>` -> stage
    cooling: timedelta = timedelta()  # the least time between two of its actions of a kind for one customer

    @property
    def basis(self) -> dict[str, Any]:
        """What the ledger keeps of this beside the facts, enough to judge again."""
        return {
            "stage": self.stage, "automation": self.automation_version,
            "gates": [[gate.name, gate.version] for gate in self.gates],  # in the order they judged
            "limits": _seconds(self.limits), "owned": self.is_owned,
            **({"sensitive": sorted(self.sensitive)} if self.sensitive else {}),
            **({"may_resolve": True} if self.may_resolve else {}),
        }  # fmt: skip

    @property
    def version(self) -> str:
        """Names the automation version and every gate version, as the ledger stores it."""
        return f"a{self.automation_version}:{_names(tuple((gate.name, gate.version) for gate in self.gates))}"


@lru_cache(maxsize=8)
def _seconds(limits: Limits) -> dict[str, float]:
    return {name: getattr(limits, name).total_seconds() for name in Limits.__dataclass_fields__}


@lru_cache(maxsize=64)
def _names(gates: tuple[tuple[str, int], ...]) -> str:
    return _short(".".join(f"{name}{version}" for name, version in gates))


def _short(text: str) -> str:
    value = 0xCBF29CE484222325  # FNV-1a: a name for a set of versions, not a secret
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a proposal: the state its action takes, until when, and every answer that led there."""

    verb: str
    state: str
    answers: tuple[RuleResult, ...]
    until: datetime | None = None
    mode: str = "live"
    rule_version: str = ""
    basis: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failing(self) -> tuple[RuleResult, ...]:
        """The answers that were not a pass."""
        return tuple(answer for answer in self.answers if answer.verdict is not Verdict.PASS)

    @property
    def worst(self) -> RuleResult | None:
        """The strictest answer that was not a pass, first of its kind; None when all passed."""
        return max(self.failing, key=lambda answer: SEVERITY[answer.verdict], default=None)

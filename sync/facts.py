"""From what is stored and read to the facts that are judged. Plain data in and out; safe in any thread."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from gates import memo as memos
from gates import tickets
from gates.types import Deal, Facts, Invoice, Payment
from sync import mappings
from sync.onboarding import blocks as deals
from sync.wiretypes import BillingSnapshot, ContractRecord, PaymentFacts, TicketFacts


@dataclass(frozen=True, slots=True)
class Refs:
    """Where a contract and its customer are known; empty where they are not."""

    customer_id: int
    external_id: str
    contract_id: int
    contract_external_id: str
    billing_customer: str = ""
    subscription: str = ""
    erp_record: str = ""
    erp_customer: str = ""
    ticket: str = ""
    deal: str = ""
    organizations: tuple[str, ...] = ()  # several after a merge in the CRM


@dataclass(slots=True)
class Known:
    """A customer and one contract as read in a batch, with everything that judgement needs of them."""

    refs: Refs
    tier: str
    state: str
    version: int
    plan: str
    plan_before: str
    memo: dict[str, Any]
    started_at: datetime | None
    blocks: dict[str, Any] = field(default_factory=dict)
    customer_state: str = ""
    customer_version: int = 0
    name: str = ""  # personal, as are the address: for customers by themselves only
    email: str = ""
    tickets: dict[str, str] = field(default_factory=dict)  # number -> what is wrong with it, mostly ""
    billing_account: str = ""  # which of several the customer's billing customer is in; empty: the first one


@dataclass(frozen=True, slots=True)
class About:
    """What is known of one action beside its contract: its id once it has one, what the customer got in 30 days."""

    action_id: str = ""
    amount_30d_minor: int | None = None
    edited: bool = False
    late: bool = False
    asked_at: datetime | None = None
    cancel_blocked: str = ""
    automation: str = ""
    confidence: float | None = None
    assistant: bool = False
    said: tuple[tuple[str, str, str, str, int, int], ...] = ()


PLAIN = About()


def build(known: Known, *, now: datetime, business_key: str, executing: bool, about: About = PLAIN) -> Facts:
    """The snapshot for one proposal.

    `business_key` starts with `invoice:<id>` or `payment:<id>` where one of these is in question.
    """
    billing, entitlement = known.blocks.get("billing", {}), known.blocks.get("entitlement", {})
    ticket, support = _ticket(known, business_key)
    invoice_id = business_key.split(":")[1] if business_key.startswith("invoice:") else ""
    entry = known.memo.get(invoice_id, {})
    invoices = tuple(_invoice(one) for one in billing.get("invoices", []))
    live = next((one for one in invoices if one.id == invoice_id), None)
    block = payment_of(known, business_key)
    return Facts(
        now=now,
        external_id=known.refs.external_id,
        tier=known.tier,
        contract_state=known.state,
        contract_version=known.version,
        plan=known.plan,
        erp_status=entitlement.get("status", ""),
        subscription_status=billing.get("subscription_status", ""),
        invoice=live,
        invoices=invoices,
        failed_at=memos.failed_at(entry),
        next_attempt_at=live.next_attempt_at if live else memos.next_attempt(entry),
        open_disputes=max(int(billing.get("open_disputes", 0)), int(block.get("open_dispute", False))),
        fraud_flag=bool(billing.get("fraud_flag", False) or block.get("fraud_flag", False)),
        tenure_months=_months(known.started_at, now),
        erp_record_id=known.refs.erp_record,
        ticket_id=ticket,
        ticket_status=support.get("status", ""),
        ticket_stamp=support.get("updated_at", ""),
        ticket_trouble=known.tickets.get(ticket, ""),
        late_event=about.late or bool(entry.get("late")),
        payment=_payment(block, known, about.action_id) if block else None,
        amount_30d_minor=about.amount_30d_minor,
        edited=about.edited,
        deal=deal_of(known),
        customer_state=known.customer_state,
        erp_customer_id=known.refs.erp_customer,
        mapping=mappings.artifact().version,
        refund_status=_refund_status(known, business_key),
        synced_at={name: when(block["synced_at"]) for name, block in known.blocks.items() if block.get("synced_at")},
        executing=executing,
        asked_at=about.asked_at or now,
        period_end=when(billing["period_end"]) if billing.get("period_end") else None,
        cancel_pending=bool(billing.get("cancel_at_period_end")),
        ended_by_this=bool(about.action_id) and billing.get("ended_by") == about.action_id,
        cancel_blocked=about.cancel_blocked,
        automation=about.automation,
        confidence=about.confidence,
        assistant=about.assistant,
        said=about.said,
    )


def for_ledger(facts: Facts) -> dict[str, Any]:
    """What the ledger keeps of the facts: ids, amounts, states and times, enough to judge again; no names."""
    invoice = facts.invoice
    return {
        "now": facts.now, "external_id": facts.external_id, "tier": facts.tier,
        "contract_state": facts.contract_state, "contract_version": facts.contract_version, "plan": facts.plan,
        "erp_status": facts.erp_status, "subscription_status": facts.subscription_status,
        "failed_at": facts.failed_at, "next_attempt_at": facts.next_attempt_at, "open_disputes": facts.open_disputes,
        "fraud_flag": facts.fraud_flag, "tenure_months": facts.tenure_months, "erp_record_id": facts.erp_record_id,
        "ticket_id": facts.ticket_id, "ticket_status": facts.ticket_status, "late_event": facts.late_event,
        "ticket_stamp": facts.ticket_stamp, "ticket_trouble": facts.ticket_trouble,
        "executing": facts.executing, "synced_at": dict(facts.synced_at),
        "invoice": _plain(invoice) if invoice else None, "payment": asdict(facts.payment) if facts.payment else None,
        "amount_30d_minor": facts.amount_30d_minor, "edited": facts.edited,
        "deal": deals.for_ledger(facts.deal) if facts.deal else None, "customer_state": facts.customer_state,
        "erp_customer_id": facts.erp_customer_id, "mapping": facts.mapping,
        "refund_status": facts.refund_status, "asked_at": facts.asked_at,
        "period_end": facts.period_end, "cancel_pending": facts.cancel_pending,
        "ended_by_this": facts.ended_by_this, "cancel_blocked": facts.cancel_blocked,
        **_suggested(facts), "ticket_kind": facts.ticket_kind, "cooled_at": facts.cooled_at,
    }  # fmt: skip


def _suggested(facts: Facts) -> dict[str, Any]:
    """How sure whoever proposed it was, and what its words claim, by places: no word of it."""
    found = {"automation": facts.automation, "confidence": facts.confidence, "assistant": facts.assistant}
    return {name: value for name, value in {**found, "said": facts.said}.items() if value not in ("", None, False, ())}


def deal_of(known: Known) -> Deal | None:
    """The signed deal behind a contract as it was read last; None where there is none."""
    block, account = known.blocks.get("deal", {}), known.blocks.get("account", {})
    return deals.deal_of(block, account, known.refs.external_id, known.refs.organizations)


def _refund_status(known: Known, business_key: str) -> str:
    """What became of the refund that a business key `refund:<id>...` is about, where that very one was read."""
    subject, _, rest = business_key.partition(":")
    block = known.blocks.get("refund", {})
    is_this = subject == "refund" and block.get("refund") == rest.partition(":")[0]
    return str(block.get("status", "")) if is_this else ""


def payment_of(known: Known, business_key: str) -> Mapping[str, Any]:
    """The block of the payment in question; empty where another one, or none, was read."""
    block: Mapping[str, Any] = known.blocks.get("payment", {})
    asked = business_key.split(":")[1].partition("#")[0] if business_key.startswith("payment:") else ""
    return block if asked and block.get("charge") == asked else {}


def payment_block(payment: PaymentFacts) -> dict[str, Any]:
    """A live read of one payment as it is cached: ids, amounts and states."""
    return {
        "synced_at": payment.read_at.isoformat(), "payment": payment.id, "charge": payment.charge_id,
        "customer": payment.customer_id, "status": payment.status, "amount_minor": payment.amount,
        "refunded_minor": payment.refunded, "currency": payment.currency, "charged_back": payment.is_charged_back,
        "open_dispute": payment.has_open_dispute, "fraud_flag": payment.is_fraud_reported,
        "refunds": [
            {"id": one.id, "status": one.status, "amount_minor": one.amount, "action": one.action, "counts": one.counts}
            for one in payment.refunds
        ],
    }  # fmt: skip


def billing_block(snapshot: BillingSnapshot) -> dict[str, Any]:
    """A live billing read as it is cached."""
    sub = snapshot.subscription
    return {
        "synced_at": snapshot.read_at.isoformat(),
        "subscription_status": sub.status if sub else "", "subscription": sub.id if sub else "",
        "owner": sub.customer_id if sub else "", "ended_by": sub.ended_by if sub else "",
        "period_end": _iso(sub.current_period_end) if sub else None,
        "cancel_at_period_end": bool(sub and sub.cancel_at_period_end),
        "open_disputes": sum(1 for one in snapshot.disputes if one.is_open),
        "fraud_flag": snapshot.fraud_flag,
        "invoices": [
            {
                "id": one.id, "number": one.number, "status": one.status, "amount_due": one.amount_due,
                "amount_remaining": one.amount_remaining, "currency": one.currency,
                "attempt_count": one.attempt_count, "next_attempt_at": _iso(one.next_attempt_at),
                "paid_at": _iso(one.paid_at),
            }
            for one in snapshot.invoices
        ],
    }  # fmt: skip


def entitlement_block(record: ContractRecord) -> dict[str, Any]:
    """A live read of the ERP's contract record as it is cached."""
    return {
        "synced_at": record.read_at.isoformat(), "record": record.internal_id, "status": record.status,
        "plan": record.plan, "started_at": _iso(record.started_at), "ends_at": _iso(record.ends_at),
        "last_action": record.last_action_id,
    }  # fmt: skip


def _ticket(known: Known, business_key: str) -> tuple[str, Mapping[str, Any]]:
    """The ticket in question, and its block where it is the one that was read."""
    named = tickets.number_in(business_key)
    block: Mapping[str, Any] = known.blocks.get("support", {})
    return named or known.refs.ticket, block if block.get("ticket") in (named, "") or not named else {}


def ticket_kind(kind: str, params: Mapping[str, Any]) -> str:
    """The kind of ticket that an action of this kind answers; "" where it answers none."""
    return str(params.get("kind", "")) if kind == tickets.REPLY else ""


def support_block(ticket: TicketFacts) -> dict[str, Any]:
    """A live read of a ticket as it is cached. `updated_at` is the provider's own stamp, kept as text."""
    return {
        "synced_at": ticket.read_at.isoformat(), "ticket": ticket.id, "status": ticket.status,
        "updated_at": ticket.updated_at, "tags": list(ticket.tags),
    }  # fmt: skip


def newer(block: Mapping[str, Any], at: datetime | None) -> bool:
    """Whether something seen at this time is news for a block: older never overwrites newer."""
    return at is not None and (not block.get("synced_at") or when(block["synced_at"]) <= at)


def when(text: str) -> datetime:
    """A stored time."""
    return datetime.fromisoformat(text)


def _invoice(stored: Mapping[str, Any]) -> Invoice:
    attempt, paid = stored.get("next_attempt_at"), stored.get("paid_at")
    return Invoice(
        id=stored["id"], status=stored["status"], number=stored.get("number", ""),
        amount_due=stored.get("amount_due"), amount_remaining=stored.get("amount_remaining"),
        currency=stored.get("currency", ""), attempt_count=stored.get("attempt_count", 0),
        next_attempt_at=when(attempt) if attempt else None, paid_at=when(paid) if paid else None,
    )  # fmt: skip


def _payment(block: Mapping[str, Any], known: Known, action_id: str) -> Payment:
    ours = sum(one["amount_minor"] for one in block["refunds"] if one["counts"] and one["action"] == action_id != "")
    return Payment(
        id=block["charge"], status=block["status"], amount_minor=block["amount_minor"],
        refunded_minor=max(0, block["refunded_minor"] - ours), currency=block["currency"],
        is_customers=bool(block["customer"]) and block["customer"] == known.refs.billing_customer,
        is_charged_back=block["charged_back"],
    )  # fmt: skip


def _plain(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id, "number": invoice.number, "status": invoice.status, "amount_due": invoice.amount_due,
        "amount_remaining": invoice.amount_remaining, "currency": invoice.currency,
        "attempt_count": invoice.attempt_count, "next_attempt_at": invoice.next_attempt_at,
    }  # fmt: skip


def _months(start: datetime | None, now: datetime) -> int | None:
    return None if start is None else max(0, (now.year - start.year) * 12 + now.month - start.month)


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None

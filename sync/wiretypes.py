"""Plain frozen shapes that cross the wire layer: deliveries, requests, exchanges and what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sync import strictjson
from sync.errors import BadBody, UnreadableAnswer


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the receiver reads of one verified delivery; everything else is read later by the worker."""

    provider_event_id: str  # at most 255 characters
    account: str  # provider account ("" where there is only one)
    type: str  # the provider's word
    kind: str  # ours; "unknown" for types we do not know
    object_id: str  # provider's object the event is about
    lane_key: str  # provider's customer id, else object id, else event id
    occurred_at: datetime | None  # provider's own time
    api_version: str = ""
    livemode: bool | None = None
    origin_key: str = ""  # idempotency key of ours that caused it (echo), if the provider says so
    park: str = ""  # not empty: stored, but only a person may read it, and why
    digest: bytes = b""  # what makes two bodies one where a body counts its own attempts; empty: SHA-256 of its bytes


@dataclass(frozen=True, slots=True)
class FrozenRequest:
    """The exact bytes of a write, stored before the first byte leaves. No credentials in it."""

    provider: str  # registry name
    method: str
    path: str  # starts with "/", includes the query string
    headers: tuple[tuple[str, str], ...]  # content type, idempotency key...; never Authorization
    body: str  # "" for none; utf-8 text
    account: str = ""  # which of several accounts it is for; "" the first one

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored; `from_json` gives back an equal request."""
        stored = {**asdict(self), "headers": [list(pair) for pair in self.headers]}
        if not self.account:
            del stored["account"]
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> FrozenRequest:
        """The request as it was frozen."""
        headers = tuple((name, value) for name, value in stored["headers"])
        account = str(stored.get("account", ""))
        return cls(stored["provider"], stored["method"], stored["path"], headers, stored["body"], account)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange as it will be stored. Bodies cut to 64 KB, no secrets."""

    provider: str
    method: str
    path: str
    is_write: bool
    began_at: datetime
    ms: int
    status: int | None  # None: no answer
    error: str  # error class name or ""
    request_body: str
    response_body: str
    request_id: str
    account: str = ""  # which of several accounts; "" the first one


@dataclass(frozen=True, slots=True)
class Response:
    """A provider's whole answer, not yet judged."""

    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes
    exchange: Exchange

    def json(self) -> Any:
        """The body as JSON, or UnreadableAnswer: HTML, empty, cut, odd numbers, or another content type."""
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (media_type == "application/json" or media_type.endswith("+json")):
            raise self.unreadable(f"answer is {media_type or 'of no type'}, not JSON")
        try:
            parsed = strictjson.loads(self.body)
        except BadBody as error:
            raise self.unreadable(f"answer cannot be read: {error.reason}") from error
        if any(oddity.startswith(("duplicate_key", "huge_number")) for oddity in parsed.oddities):
            raise self.unreadable("answer repeats members or holds numbers beyond 64 bits")
        return parsed.document

    def unreadable(self, message: str) -> UnreadableAnswer:
        """The error for an answer of this exchange that cannot be believed."""
        return UnreadableAnswer(message, provider=self.exchange.provider, status=self.status, exchange=self.exchange)


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """One invoice as the billing provider has it now."""

    id: str
    number: str
    customer_id: str
    subscription_id: str
    status: str  # open, paid, void, uncollectible, draft
    amount_due: int
    amount_remaining: int
    currency: str
    attempt_count: int
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """One subscription as the billing provider has it now."""

    id: str
    customer_id: str
    status: str
    current_period_end: datetime | None
    cancel_at_period_end: bool
    mrr_minor: int | None
    currency: str
    started_at: datetime | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    ended_by: str = ""  # the action of ours that ended it


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """One dispute of a customer's charges."""

    id: str
    charge_id: str
    status: str
    amount: int
    currency: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """One refund as the billing provider has it now. `action` is the id of the action of ours that made it."""

    id: str
    charge_id: str
    status: str  # pending, requires_action, succeeded, failed, canceled
    amount: int
    currency: str
    action: str = ""
    why: str = ""  # why it failed, or what it waits for

    @property
    def counts(self) -> bool:
        """Whether its amount is taken from what can be refunded."""
        return self.status not in ("failed", "canceled")


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """One payment as the billing provider has it now; `charge_id` is empty where nothing was ever collected."""

    id: str  # as it was asked for
    charge_id: str
    customer_id: str
    status: str
    amount: int  # collected
    refunded: int
    currency: str
    is_charged_back: bool
    has_open_dispute: bool
    is_fraud_reported: bool
    refunds: tuple[RefundFacts, ...]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class BillingSnapshot:
    """All that is read of one customer's billing before a decision."""

    customer_id: str
    subscription: SubscriptionFacts | None
    invoices: tuple[InvoiceFacts, ...]  # newest first, at most 10
    disputes: tuple[DisputeFacts, ...]
    fraud_flag: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """One contract as the ERP has it now."""

    internal_id: str
    external_id: str
    customer_internal_id: str
    status: str  # text of our own field, "" if none
    plan: str
    started_at: datetime | None
    ends_at: datetime | None
    subscription_id: str
    last_action_id: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """One customer as the ERP has it now."""

    internal_id: str
    external_id: str
    name: str
    email: str
    billing_customer_id: str
    is_inactive: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """One ticket as the support desk has it now."""

    id: str
    external_id: str
    status: str
    updated_at: str  # the stamp exactly as the provider gave it
    tags: tuple[str, ...]
    read_at: datetime
    form_id: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)  # custom fields that are filled in, by their id


@dataclass(frozen=True, slots=True)
class CommentFacts:
    """One comment of a ticket; `body` is where a marker is looked for."""

    id: str
    author_id: str
    is_public: bool
    body: str
    created_at: datetime | None

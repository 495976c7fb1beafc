"""Stripe: signed snapshot events in, billing facts read live, form-encoded writes with an idempotency key out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus

from ledger import clock
from sync.contracts import members, payments
from sync.contracts import stripe as contract
from sync.contracts.members import DriftError
from sync.errors import PermanentError, ProviderError, SignatureError, TransientError, UnreadableAnswer
from sync.providers import base, stripe_accounts
from sync.providers.base import Exchanges, Guard, Headers, Provider
from sync.wiretypes import (
    BillingSnapshot,
    DisputeFacts,
    Envelope,
    FrozenRequest,
    InvoiceFacts,
    PaymentFacts,
    RefundFacts,
    Response,
    SubscriptionFacts,
)

API_VERSION = "2026-10-28.endive"
MAX_INVOICES = 10
MAX_CHARGES = 30  # the newest ones; older charges are past every dispute deadline of a monthly customer
MAX_WARNINGS = 100  # the account's newest; older ones have come as events of their own
MAX_REFUNDS = 1000  # of one charge
PAGE = 100
MARK = "meshline_action"
FORM_TYPE = ("Content-Type", "application/x-www-form-urlencoded")
FormValue = str | int | bool | Mapping[str, "FormValue"] | Sequence["FormValue"]


class Stripe(Provider):
    """The billing provider. Writes may be repeated with their key for 23 h: keys live for 24 h at least."""

    name = "stripe"
    webhook_secrets_name = "MESHLINE_STRIPE_WEBHOOK_SECRETS"
    key_lifetime = timedelta(hours=23)

    def webhook_secrets(self) -> tuple[str, ...]:
        """Those of every account: which one fits says which account it was."""
        own = super().webhook_secrets()
        return own + tuple(secret for name in stripe_accounts.further() for secret in stripe_accounts.secrets_of(name))

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """`Stripe-Signature`, on the raw bytes. Unlike the vendor's helper, also refuses times in the future."""
        base.verify_timestamped(base.only(headers, "stripe-signature"), raw, now, secrets)

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name a snapshot event. Thin events are kept as unknown: they carry no object."""
        event_id = base.required(document, "id", "id")
        type_ = base.required(document, "type", "type")
        found = _object_of(document)
        object_id = base.plain(found.get("id"), "object")
        kind = base.kind_of(self.name, type_)
        occurred_at = _event_time(document)
        livemode = document.get("livemode")
        return Envelope(
            provider_event_id=event_id,
            account=self._account_of(document, headers, raw),
            type=type_,
            kind=kind,
            object_id=object_id,
            lane_key=_customer_of(found) or base.plain(found.get("id"), "lane") or event_id[: base.LIMITS["lane"]],
            occurred_at=occurred_at,
            api_version=base.plain(document.get("api_version"), "api_version"),
            livemode=livemode if isinstance(livemode, bool) else None,
            origin_key=_origin_key(document),
            park=base.parking(
                oddities,
                "" if occurred_at else "unreadable time",
                "" if object_id or kind in ("unknown", "informational") else "no object id",
            ),
        )

    def _account_of(self, document: Mapping[str, Any], headers: Headers, raw: bytes) -> str:
        """What the event itself says, by our name where it is one of ours; else whose secret signed it."""
        said = base.plain(document.get("account") or document.get("context"), "account")
        if said or not stripe_accounts.further():
            return stripe_accounts.by_id(said) or said
        signature = base.first(headers, "stripe-signature")
        fits = (name for name in ("", *stripe_accounts.further()) if _signed_by(signature, raw, name))
        return next(fits, "")

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """The API key of the request's account."""
        return {"Authorization": f"Bearer {stripe_accounts.config(self.config, request.account)['api_key']}"}

    def _exchange(
        self, request: FrozenRequest, *, is_write: bool, guard: Guard | None, exchanges: Exchanges | None
    ) -> Response:
        addressed = stripe_accounts.addressed(request, is_write=is_write)
        return super()._exchange(addressed, is_write=is_write, guard=guard, exchanges=exchanges)

    def read_headers(self) -> tuple[tuple[str, str], ...]:
        """Reads ask for the one shape this adapter was tested with, whatever the account's default is."""
        return (("Stripe-Version", self.api_version),)

    @property
    def api_version(self) -> str:
        """The pinned API version."""
        return str(self.config.get("api_version") or API_VERSION)

    def explain(self, response: Response) -> tuple[str, str]:
        """`error.code`, or its type where there is no code, and `error.message`."""
        try:
            document = response.json()
        except UnreadableAnswer:
            return "", ""
        error = document.get("error") if isinstance(document, dict) else None
        if not isinstance(error, dict):
            return "", ""
        return str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")

    def classify_refusal(self, response: Response, code: str) -> type[ProviderError] | None:
        """409 means that the first request with this key still runs; a rate limit may come as 400."""
        if response.status == 409 or (response.status == 400 and code in ("rate_limit", "lock_timeout")):
            return TransientError
        return None

    # --- reads

    def billing(
        self, customer_id: str, subscription_id: str | None, exchanges: Exchanges | None = None
    ) -> BillingSnapshot:
        """Everything judged on before a dunning decision, read now: 4 calls, and one for each disputed charge."""
        try:
            subscription = self._subscription(customer_id, subscription_id, exchanges)
            scope = {"subscription": subscription_id} if subscription_id else {"customer": customer_id}
            invoices = self._list("/v1/invoices", {**scope, "limit": str(MAX_INVOICES)}, exchanges)
            charges = self._list("/v1/charges", {"customer": customer_id, "limit": str(MAX_CHARGES)}, exchanges)
            facts = sorted((_invoice_facts(invoice) for invoice in invoices), key=_newest_first)
            return BillingSnapshot(
                customer_id=customer_id,
                subscription=subscription,
                invoices=tuple(facts[:MAX_INVOICES]),
                disputes=tuple(self._disputes(charges, exchanges)),
                fraud_flag=self._is_fraud_reported(charges, exchanges),
                read_at=clock.now(),
            )
        except DriftError as error:
            raise self.drifted(error) from error

    def invoice(self, invoice_id: str, exchanges: Exchanges | None = None) -> InvoiceFacts | None:
        """One invoice as it is now; None if there is none."""
        document = self.get(f"/v1/invoices/{base.path_id(invoice_id, self.name)}", exchanges)
        try:
            return _invoice_facts(document) if document else None
        except DriftError as error:
            raise self.drifted(error) from error

    def subscription(self, subscription_id: str, exchanges: Exchanges | None = None) -> SubscriptionFacts | None:
        """One subscription as it is now; None if there is none."""
        document = self.get(f"/v1/subscriptions/{base.path_id(subscription_id, self.name)}", exchanges)
        try:
            return _subscription_facts(document) if document else None
        except DriftError as error:
            raise self.drifted(error) from error

    def _subscription(
        self, customer_id: str, subscription_id: str | None, exchanges: Exchanges | None
    ) -> SubscriptionFacts | None:
        if subscription_id:
            return self.subscription(subscription_id, exchanges)
        query = {"customer": customer_id, "status": "all", "limit": "1"}
        found = self._list("/v1/subscriptions", query, exchanges)
        return _subscription_facts(found[0]) if found else None

    def _disputes(self, charges: list[dict[str, Any]], exchanges: Exchanges | None) -> Iterator[DisputeFacts]:
        for charge in charges:
            if not members.flag(charge, "disputed"):
                continue
            query = {"charge": members.text(charge, "id"), "limit": "10"}
            for dispute in self._list("/v1/disputes", query, exchanges):
                seen = contract.dispute_seen(dispute)
                yield DisputeFacts(seen.id, seen.charge_id, seen.status, seen.amount, seen.currency, seen.is_open)

    def _is_fraud_reported(self, charges: list[dict[str, Any]], exchanges: Exchanges | None) -> bool:
        """The bank's, Stripe's or our own word that a payment was not the customer's."""
        if any("fraudulent" in members.mapping(charge, "fraud_details").values() for charge in charges):
            return True
        if not charges:
            return False
        warnings = self._list("/v1/radar/early_fraud_warnings", {"limit": str(MAX_WARNINGS)}, exchanges)
        warned = {members.reference(warning, "charge") for warning in warnings}
        return any(members.text(charge, "id") in warned for charge in charges)

    def payment(self, payment_id: str, exchanges: Exchanges | None = None) -> PaymentFacts | None:
        """One payment by the id of its intent or charge, read now with its refunds and disputes; None if unknown."""
        charge_id = base.path_id(payment_id, self.name)
        try:
            if payment_id.startswith("pi_"):
                intent = self.get(f"/v1/payment_intents/{charge_id}", exchanges)
                if intent is None:
                    return None
                charge_id = members.reference(intent, "latest_charge")
                if not charge_id:
                    return payments.never_collected(payment_id, intent, clock.now())
            charge = self.get(f"/v1/charges/{base.path_id(charge_id, self.name)}", exchanges)
            if charge is None:
                return None
            disputes = self._list("/v1/disputes", {"charge": charge_id, "limit": "10"}, exchanges)
            refunds = self._refunds(charge_id, exchanges)
            return payments.payment_seen(payment_id, charge, disputes, refunds, clock.now())
        except DriftError as error:
            raise self.drifted(error) from error

    def refund(self, refund_id: str, exchanges: Exchanges | None = None) -> RefundFacts | None:
        """One refund as it is now; None if there is none."""
        document = self.get(f"/v1/refunds/{base.path_id(refund_id, self.name)}", exchanges)
        try:
            return payments.refund_seen(document, MARK) if document else None
        except DriftError as error:
            raise self.drifted(error) from error

    def refund_of_action(
        self, charge_id: str, action_id: str, exchanges: Exchanges | None = None
    ) -> RefundFacts | None:
        """The refund of a charge that carries the mark of an action; None if there is none."""
        try:
            found = self._refunds(base.path_id(charge_id, self.name), exchanges)
        except DriftError as error:
            raise self.drifted(error) from error
        return next((one for one in found if one.action == action_id), None)

    def refund_from(self, response: Response) -> RefundFacts:
        """The answer to the creation of a refund. UnreadableAnswer if it does not show one."""
        try:
            return payments.refund_seen(response.json(), MARK)
        except DriftError as error:
            raise response.unreadable(f"the answer shows no refund: {error}") from error

    def _refunds(self, charge_id: str, exchanges: Exchanges | None) -> list[RefundFacts]:
        """All refunds of a charge, newest first, page by page."""
        found: list[RefundFacts] = []
        query = {"charge": charge_id, "limit": str(PAGE)}
        while True:
            rows = self._list("/v1/refunds", query, exchanges)
            found += [payments.refund_seen(row, MARK) for row in rows]
            if len(rows) < PAGE:
                return found
            if len(found) >= MAX_REFUNDS:
                raise PermanentError(
                    f"a charge with over {MAX_REFUNDS} refunds cannot be judged", provider=self.name, code="too_many"
                )
            query["starting_after"] = found[-1].id

    def _list(self, path: str, query: Mapping[str, str], exchanges: Exchanges | None) -> list[dict[str, Any]]:
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        document = self.get(f"{path}?{pairs}", exchanges)
        if document is None:
            raise PermanentError(f"{path} is not there", provider=self.name, status=404, code="resource_missing")
        members.present(document, "data")
        return members.mappings(document, "data")

    # --- writes

    def create_refund(self, charge_id: str, amount: int, reason: str, *, key: str, action_id: str) -> FrozenRequest:
        """Freeze a refund of a part of a charge, in the charge's own currency, with our mark on it."""
        params: dict[str, FormValue | None] = {"charge": charge_id, "amount": amount, "reason": reason}
        return self.post("/v1/refunds", {**params, "metadata": {MARK: action_id}}, key)

    def post(self, path: str, params: Mapping[str, FormValue | None], key: str) -> FrozenRequest:
        """Freeze a write. Members that are None are left out; "" clears a field."""
        headers = (FORM_TYPE, ("Idempotency-Key", key), ("Stripe-Version", self.api_version))
        return FrozenRequest(self.name, "POST", path, headers, form(params), stripe_accounts.acting())


def form(params: Mapping[str, FormValue | None]) -> str:
    """Form encoding as the vendor's library writes it: literal brackets, counted lists, true and false."""
    return "&".join(f"{_form_name(name)}={quote_plus(value)}" for name, value in _flatten("", params))


def _flatten(prefix: str, params: Mapping[str, FormValue | None]) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        full = f"{prefix}[{name}]" if prefix else name
        if value is None:
            continue
        if isinstance(value, bool):
            yield full, "true" if value else "false"
        elif isinstance(value, str | int):
            yield full, str(value)
        elif isinstance(value, Mapping):
            yield from _flatten(full, value)
        else:
            yield from _flatten(full, {str(index): member for index, member in enumerate(value)})


def _form_name(name: str) -> str:
    return quote_plus(name, safe="[]")


def _signed_by(signature: str, raw: bytes, account: str) -> bool:
    """Whether a verified delivery was signed with a secret of this account; its age was judged before."""
    stamp = next((part[2:] for part in signature.split(",") if part.startswith("t=")), "")
    if not stamp.isascii() or not stamp.isdigit():
        return False
    try:
        base.verify_timestamped(
            signature, raw, datetime.fromtimestamp(int(stamp), UTC), stripe_accounts.secrets_of(account)
        )
    except SignatureError:
        return False
    return True


def _object_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object of a snapshot event, else the reference of a thin one."""
    data = document.get("data")
    found = data.get("object") if isinstance(data, dict) else document.get("related_object")
    return found if isinstance(found, dict) else {}


def _customer_of(found: Mapping[str, Any]) -> str:
    """The lane is the customer's, so that all that concerns one customer stays in order."""
    if found.get("object") == "customer":
        return base.plain(found.get("id"), "lane")
    for name in ("customer", "customer_account"):
        value = found.get(name)
        customer_id = base.plain(value.get("id") if isinstance(value, dict) else value, "lane")
        if customer_id:
            return customer_id
    return ""


def _origin_key(document: Mapping[str, Any]) -> str:
    """Events that one of our own writes caused carry its idempotency key."""
    request = document.get("request")
    return base.plain(request.get("idempotency_key"), "id") if isinstance(request, dict) else ""


def _event_time(document: Mapping[str, Any]) -> datetime | None:
    created = document.get("created")
    try:
        return members.parse_iso(created) if isinstance(created, str) else members.unix_time(document, "created")
    except DriftError:
        return None


def _invoice_facts(document: Mapping[str, Any]) -> InvoiceFacts:
    seen = contract.invoice_seen(document)
    return InvoiceFacts(
        id=seen.invoice_id,
        number=seen.number,
        customer_id=seen.customer_id,
        subscription_id=seen.subscription_id,
        status=seen.status,
        amount_due=seen.amount_due,
        amount_remaining=seen.amount_remaining,
        currency=seen.currency,
        attempt_count=seen.attempt_count,
        next_attempt_at=seen.next_attempt_at,
        created_at=seen.created_at,
        paid_at=seen.paid_at,
    )


def _newest_first(invoice: InvoiceFacts) -> float:
    return -invoice.created_at.timestamp() if invoice.created_at else 0.0


def _subscription_facts(document: Mapping[str, Any]) -> SubscriptionFacts:
    seen = contract.subscription_seen(document)
    return SubscriptionFacts(
        id=seen.id,
        customer_id=seen.customer_id,
        status=seen.status,
        current_period_end=seen.period_end,
        cancel_at_period_end=seen.cancel_at_period_end,
        mrr_minor=seen.amount_minor,
        currency=seen.currency,
        started_at=seen.started_at,
        metadata=seen.metadata,
        ended_by=seen.ended_by,
    )

"""Giving money back: a refund of a payment, whole or in part, in the currency it was paid in.

The provider holds the payment, so it is read live: before anybody may ask, and again right before sending. A refund
is done when the provider says that it succeeded; one that is pending or needs somebody is asked about until it ends.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings

from gates.types import Facts, Risk
from ledger import money
from sync import providers
from sync.actions.base import Accepted, ActionKind, Answer, Confirmation, Declined, Found, NotDone, Preview, Work
from sync.actions.params import Text, Whole
from sync.errors import PermanentError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.stripe import Stripe
from sync.providers.zendesk import Zendesk
from sync.refunds import recording
from sync.wiretypes import Exchange, FrozenRequest, RefundFacts

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
GONE, MERGED_TAG = "gone", "closed_by_merge"  # a ticket that went into another one stays readable, with this tag
MOST_MINOR = 999_999_999_999  # twelve digits is the most the provider takes in any currency
WAITS_FOR = {"requires_action": "the customer has to do something first, such as giving bank details"}


def biller() -> Stripe:
    """The adapter, narrowed."""
    adapter = providers.get("stripe")
    assert isinstance(adapter, Stripe)
    return adapter


class Refund(ActionKind):
    """Refund a payment of the contract's customer. One at a time for each payment, so that two never overdraw it."""

    name, provider, verb = "payment.refund", "stripe", "Refund payment"
    risk = Risk(irreversible=True, money=True, customer_visible=True)
    needs = ("payment", "billing")
    reads_to_ask = ("payment", "asking")
    irreversible_because = "money that was given back can only be asked for again"
    runbook = "refund-issued-wrongly"
    asks_for = {
        "payment": Text(64, pattern=r"(?:pi|ch|py)_[A-Za-z0-9_]+"),
        "amount_minor": Whole(1, MOST_MINOR),
        "currency": Text(3, pattern=r"[a-z]{3}"),
        "reason": Text(choices=REASONS),
        "ticket": Text(18, is_required=False, pattern=r"[0-9]+"),
    }

    @property
    def settle(self) -> timedelta:  # type: ignore[override]
        """A write whose answer was lost may still be committing: wait for the slowest known one first."""
        return timedelta(seconds=8 * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)

    def amount(self, params: Mapping[str, Any]) -> tuple[int | None, str]:
        """As it was filled in."""
        return params["amount_minor"], params["currency"]

    def lane(self, customer_id: int, business_key: str) -> str:
        """The payment: a refund that is pending for days holds up nothing but further ones of the same payment."""
        return f"{super().lane(customer_id, business_key)}:{business_key}"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The charge, whichever of its two ids it was asked by."""
        block = _block(known, params)
        return f"payment:{block.get('charge') or params['payment']}"

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A customer the provider knows; a payment of which something is left."""
        if not known.refs.billing_customer:
            return "the customer is not linked to the payment provider"
        block = _block(known, params)
        if block.get("amount_minor", 0) and block["refunded_minor"] >= block["amount_minor"]:
            return f"the payment is refunded already ({_shown(block, 'refunded_minor')})"
        return ""

    def wrong(self, known: Known, params: Mapping[str, Any]) -> str:
        """Against the payment as it was read; what `unfit` says of it is left to that."""
        if not known.refs.billing_customer:
            return ""
        if money.exponent(params["currency"]) is None:
            return f"params.currency: {params['currency']} is not a currency we know"
        ticket = known.blocks.get("asking", {})
        if params.get("ticket") and ticket.get("ticket") == params["ticket"] and ticket["status"] == GONE:
            return f"params.ticket: ticket {params['ticket']} was merged into another one or deleted"
        block = _block(known, params)
        if not block.get("charge"):
            seen = "nothing was ever collected by" if block.get("status", "gone") != "gone" else "there is no"
            return f"params.payment: {seen} payment {params['payment']}"
        if not block["customer"] or block["customer"] != known.refs.billing_customer:
            return "params.payment: this payment is of another customer"
        if block["status"] != "succeeded":
            return f"params.payment: the payment is {block['status']}; only a collected one can be refunded"
        if block["currency"] != params["currency"]:
            return f"params.currency: the payment is in {block['currency']}, not in {params['currency']}"
        return _wrong_amount(block, params["amount_minor"])

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """What the customer has back of this payment, and what is kept of it."""
        return [*_of_payment(facts, params), *_of_follow_ups(facts, params)]

    def follow(self, work: Work, answer: Confirmation) -> Mapping[str, Any]:
        """Where the books and the ticket are: what follows is written there."""
        erp_customer = work.known.refs.erp_customer if settings.MESHLINE_CREDIT_MEMOS else ""
        return {"erp_customer": erp_customer, "ticket": _ticket(work.params, work.known.refs.ticket)}

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """The refund is on record from now on; one that the ERP cannot follow is somebody's to book."""
        recording.keep(done)
        if settings.MESHLINE_CREDIT_MEMOS:
            recording.ask_for_books([(work, said) for work, said in done if not work.known.refs.erp_customer])

    def freeze(self, work: Work) -> FrozenRequest:
        """The amount and the charge; the currency is the charge's own, which was compared.

        Raises PermanentError where the ticket that it was asked from is gone by now.
        """
        assert work.facts.payment is not None
        ticket = work.params.get("ticket")
        if ticket and ticket_is_gone(ticket, work.exchanges):
            told = f"ticket {ticket} was merged into another one or deleted; nothing was sent"
            raise PermanentError(told, provider="zendesk", status=404, code="ticket_gone", never_sent=True)
        amount, reason = work.params["amount_minor"], work.params["reason"]
        return biller().create_refund(work.facts.payment.id, amount, reason, key=work.key, action_id=work.id)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send it. A repeat is looked for first: the provider forgets a key after a day, a refund never."""
        if work.is_repeat:
            found = biller().refund_of_action(_charge(work), work.id, work.exchanges)
            if found is not None:
                return self._judged(found, work)
        response = biller().perform(request, guard, work.exchanges)
        refund = biller().refund_from(response)
        asked = (_charge(work), *self.amount(work.params), work.id)
        if (refund.charge_id, refund.amount, refund.currency, refund.action) != asked:
            raise response.unreadable("the answer is another refund than the one asked for")
        return self._judged(refund, work)

    def look_up(self, work: Work) -> Found:
        """By our mark, among the refunds of the charge."""
        found = biller().refund_of_action(_charge(work), work.id, work.exchanges)
        return NotDone() if found is None else self._judged(found, work)

    def poll(self, work: Work) -> Found:
        """The refund itself."""
        found = biller().refund(work.job_ref, work.exchanges)
        if found is None:
            raise PermanentError("the refund is gone", provider=self.provider, status=404, code="gone")
        return self._judged(found, work)

    def _judged(self, refund: RefundFacts, work: Work) -> Answer:
        """What a refund's status means; one that may still fail is not done."""
        if refund.status in ("failed", "canceled"):
            why = f": {refund.why.replace('_', ' ')}" if refund.why else ""
            told = f"the refund was {refund.status}{why}; the money stayed, ask for a new one"
            return Declined(f"refund_{refund.status}", told)
        if refund.status != "succeeded":
            return Accepted(refund.id, WAITS_FOR.get(refund.status, ""))
        said = {
            "status": refund.status, "amount_minor": refund.amount, "currency": refund.currency,
            "charge": refund.charge_id, "action": work.id,
        }  # fmt: skip
        return Confirmation(refund.id, said)


def _of_payment(facts: Facts, params: Mapping[str, Any]) -> Preview:
    minor, currency, payment = params["amount_minor"], params["currency"], facts.payment
    if payment is None or payment.currency != currency:
        after = f"{money.display(minor, currency)} more"
        return [{"system": "Billing", "field": "refunded", "now": "-", "after": after}]
    done, left = payment.refunded_minor, payment.amount_minor - payment.refunded_minor
    rows = (("refunded", done, done + minor), ("can still be refunded", left, left - minor))
    return [
        {"system": "Billing", "field": f"{payment.id} {field}", "now": money.display(now, currency),
         "after": money.display(after, currency)}
        for field, now, after in rows
    ]  # fmt: skip


def _of_follow_ups(facts: Facts, params: Mapping[str, Any]) -> Preview:
    """What is written in the books and on the ticket once the refund is confirmed."""
    rows, ticket = [], _ticket(params, facts.ticket_id)
    if facts.erp_customer_id and settings.MESHLINE_CREDIT_MEMOS:
        amount = money.display(params["amount_minor"], params["currency"])
        rows.append({"system": "ERP", "field": f"credit memo of customer {facts.erp_customer_id}", "after": amount})
    if ticket:
        rows.append({"system": "Support desk", "field": f"ticket {ticket}: internal note", "after": "once confirmed"})
    return [{"now": "-", **row} for row in rows]


def _ticket(params: Mapping[str, Any], linked: str) -> str:
    """The ticket that it was asked from, else the one that the contract's case is on."""
    return str(params.get("ticket") or linked)


def ticket_is_gone(ticket_id: str, exchanges: list[Exchange]) -> bool:
    """Whether a ticket was deleted or went into another one, as the desk says now. Raises ProviderError."""
    desk = providers.get("zendesk")
    assert isinstance(desk, Zendesk)
    found = desk.ticket(ticket_id, exchanges)
    return found is None or (found.status == "closed" and MERGED_TAG in found.tags)


def _block(known: Known, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payment as it was read; empty where another one, or none, was."""
    block: Mapping[str, Any] = known.blocks.get("payment", {})
    return block if params["payment"] in (block.get("payment"), block.get("charge")) else {}


def _charge(work: Work) -> str:
    """The charge that was judged; the key was made of it."""
    return work.business_key.split(":")[1].partition("#")[0]


def _wrong_amount(block: Mapping[str, Any], minor: int) -> str:
    currency = block["currency"]
    left = block["amount_minor"] - block["refunded_minor"]
    if left <= 0:
        return ""
    if minor > left:
        return (
            f"params.amount_minor: {money.display(minor, currency)} is more than the {money.display(left, currency)} "
            f"that can still be refunded of {_shown(block, 'amount_minor')}"
        )
    if not money.is_payable(minor, currency):
        step = money.STEPS.get(currency, 1)
        return f"params.amount_minor: {currency.upper()} is refunded in steps of {money.display(step, currency)}"
    return ""


def _shown(block: Mapping[str, Any], name: str) -> str:
    return money.display(block[name], block["currency"])

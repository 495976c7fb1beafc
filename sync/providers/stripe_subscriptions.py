"""Ends of Stripe subscriptions: read with who asked for them, and the three writes that set, take back and make one.

Our mark stands in the metadata where a subscription is changed, and in the comment of its cancellation where it is
ended: the call that ends one takes no metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.contracts import members, subscriptions
from sync.contracts import stripe as contract
from sync.contracts.members import DriftError
from sync.providers import base, stripe_accounts
from sync.providers.base import Exchanges
from sync.providers.stripe import MARK, FormValue, Stripe, form
from sync.wiretypes import FrozenRequest, Response

SUBSCRIPTIONS = "/v1/subscriptions"
OVER = ("canceled", "incomplete_expired")


@dataclass(frozen=True, slots=True)
class SubscriptionEnd:
    """One subscription, as far as its end goes. `marked_by` is the action of ours that changed it last, if one did.

    `ended_by` is the action of ours that ended it; empty while it runs, and where somebody else did.
    """

    id: str
    customer_id: str
    status: str
    period_end: datetime | None
    is_ending: bool
    ended_at: datetime | None
    marked_by: str
    ended_by: str

    @property
    def is_over(self) -> bool:
        """Whether it can never be charged again."""
        return self.status in OVER


def read(stripe: Stripe, subscription_id: str, exchanges: Exchanges | None = None) -> SubscriptionEnd | None:
    """One subscription as it is now; None if there is none."""
    document = stripe.get(_path(subscription_id), exchanges)
    try:
        return end_of(document) if document else None
    except DriftError as error:
        raise stripe.drifted(error) from error


def of_answer(response: Response) -> SubscriptionEnd:
    """The answer to a write. UnreadableAnswer if it does not show a subscription."""
    try:
        return end_of(response.json())
    except DriftError as error:
        raise response.unreadable(f"the answer shows no subscription: {error}") from error


def end_of(document: Mapping[str, Any]) -> SubscriptionEnd:
    """What a subscription's document says of its end; DriftError."""
    seen = contract.subscription_seen(document)
    return SubscriptionEnd(
        seen.id, seen.customer_id, seen.status, seen.period_end, seen.cancel_at_period_end,
        members.unix_time(document, "ended_at") if "ended_at" in document else None,
        seen.metadata.get(MARK, ""), seen.ended_by,
    )  # fmt: skip


def set_ending(stripe: Stripe, subscription_id: str, action_id: str, key: str, *, is_ending: bool) -> FrozenRequest:
    """Freeze the change that lets a subscription end with the period it is paid for, or go on after all."""
    said: dict[str, FormValue | None] = {"cancel_at_period_end": is_ending, "metadata": {MARK: action_id}}
    return stripe.post(_path(subscription_id), said, key)


def end_now(stripe: Stripe, subscription_id: str, action_id: str) -> FrozenRequest:
    """Freeze the end of a subscription: nothing is charged for, credited or refunded by it.

    The provider takes no idempotency key here: a subscription that is over cannot be ended again.
    """
    comment = subscriptions.comment(action_id)
    said = form({"invoice_now": False, "prorate": False, "cancellation_details": {"comment": comment}})
    headers = (("Stripe-Version", stripe.api_version),)
    path = f"{_path(subscription_id)}?{said}".replace("[", "%5B").replace("]", "%5D")
    return FrozenRequest(stripe.name, "DELETE", path, headers, "", stripe_accounts.acting())


def _path(subscription_id: str) -> str:
    return f"{SUBSCRIPTIONS}/{base.path_id(subscription_id, Stripe.name)}"

"""Ending what a customer subscribes to at billing, now or with what is paid for, and taking that back in time.

Both are read back before they are believed. The provider keeps our mark on the subscription, so a lost answer is
found; a subscription that somebody else ended meanwhile is no success of ours.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings

from gates.blocklist import REASONS
from gates.playbooks import cancellations
from gates.playbooks.cancellations import KEEP, NOW, PERIOD_END
from gates.rules.cancel import OVER, SUBSCRIPTION
from gates.types import Facts, Risk
from sync.actions.base import ActionKind, Answer, Confirmation, Declined, Found, NotDone, Preview, Work
from sync.actions.params import Text
from sync.actions.refund import biller
from sync.cancellations import following
from sync.errors import PermanentError, UnconfirmedError
from sync.facts import Known
from sync.providers import stripe_subscriptions as subscriptions
from sync.providers.base import Guard
from sync.providers.stripe_subscriptions import SubscriptionEnd
from sync.wiretypes import FrozenRequest

ID = Text(64, is_required=False, pattern=r"sub_[A-Za-z0-9_]+")
LIVE = ("active", "past_due", "suspended", "ready", "signed")


class SubscriptionChange(ActionKind):
    """A change of when the contract's subscription ends."""

    provider = "stripe"
    needs = reads_to_ask = cancellations.NEEDS
    runbook = "cancelled-wrongly"

    @property
    def settle(self) -> timedelta:  # type: ignore[override]
        """A write whose answer was lost may still be committing: wait for the slowest known one first."""
        return timedelta(seconds=8 * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The subscription: one change of it at a time."""
        return f"subscription:{known.refs.subscription}"

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A subscription and a contract that are linked, of this customer, and not over."""
        refs, block = known.refs, known.blocks.get("billing", {})
        if not refs.subscription:
            return "the contract is not linked to a subscription"
        if not refs.billing_customer:
            return "the customer is not linked to the payment provider"
        if not block.get("subscription_status"):
            return f"the payment provider has no subscription {refs.subscription}"
        if block.get("owner") != refs.billing_customer:
            return f"the subscription {refs.subscription} is another customer's at the payment provider"
        if block["subscription_status"] in OVER:
            return "the subscription is over already"
        return ""

    def wrong(self, known: Known, params: Mapping[str, Any]) -> str:
        """A subscription that is named has to be the contract's own."""
        named, own = params.get("subscription"), known.refs.subscription
        if named and own and named != own:
            return f"params.subscription: {named} is not this contract's subscription, which is {own}"
        return ""

    def freeze(self, work: Work) -> FrozenRequest:
        """Read who it belongs to once more, then the change with our mark."""
        found = self._read(work)
        if found.customer_id != work.known.refs.billing_customer:
            words = "the subscription is another customer's"
            raise PermanentError(words, provider=self.provider, code="other_customer", never_sent=True)
        return self._request(work)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send it, then read it back. What may have left before is looked for first."""
        if work.is_repeat:
            found = self.look_up(work)
            if not isinstance(found, NotDone):
                return found
        response = biller().perform(request, guard, work.exchanges)
        if subscriptions.of_answer(response).id != work.known.refs.subscription:
            raise response.unreadable("the answer is another subscription than the one asked for")
        found = self.look_up(work)
        if isinstance(found, NotDone):
            raise UnconfirmedError(
                "accepted, but the subscription does not show it", provider=self.provider, code="not_shown"
            )
        return found

    def look_up(self, work: Work) -> Found:
        """The subscription itself, with our mark on it."""
        return self._judged(self._read(work), work)

    @abstractmethod
    def _request(self, work: Work) -> FrozenRequest:
        """The change."""

    @abstractmethod
    def _judged(self, found: SubscriptionEnd, work: Work) -> Found:
        """What the subscription says of this action."""

    def _read(self, work: Work) -> SubscriptionEnd:
        found = subscriptions.read(biller(), work.known.refs.subscription, work.exchanges)
        if found is None:
            raise PermanentError("the subscription is gone", provider=self.provider, status=404, code="gone")
        return found

    def _confirmed(self, found: SubscriptionEnd, work: Work) -> Confirmation:
        said = {
            "subscription": found.id, "subscription_status": found.status, "ends_with_period": found.is_ending,
            "ends": _iso(found.ended_at or found.period_end), "action": work.id,
        }  # fmt: skip
        return Confirmation(found.id, said)


class Cancel(SubscriptionChange):
    """End the subscription: at once, or with the period it is paid for. The ERP's contract follows when it is over."""

    name, verb = SUBSCRIPTION, "Cancel subscription"
    risk = cancellations.CANCEL
    inverse = KEEP
    asks_for = {
        "when": Text(choices=(PERIOD_END, NOW)),
        "reason": Text(choices=REASONS),
        "subscription": ID,
        "window": Text(choices=("wait", "skip"), is_required=False),
    }

    def risk_of(self, params: Mapping[str, Any]) -> Risk:
        """An end with the period can be taken back until then."""
        return cancellations.CANCEL if params.get("when") == NOW else cancellations.CANCEL_LATER

    def final_because(self, params: Mapping[str, Any]) -> str:
        """An end at once is one."""
        return "a subscription that is over cannot be started again" if params.get("when") == NOW else ""

    def inverse_of(self, params: Mapping[str, Any]) -> str:
        """Nothing brings back what ended at once."""
        return "" if params.get("when") == NOW else self.inverse

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A contract that runs and has its record in the ERP; and not what is set already."""
        block = known.blocks.get("billing", {})
        reason = super().unfit(known, params)
        if reason or known.state == "cancelled":
            return reason or "the contract is cancelled already"
        if not known.refs.erp_record:
            return "the contract is not linked to a record in the ERP"
        if params["when"] == PERIOD_END and block.get("cancel_at_period_end"):
            return f"the subscription ends already with {_day(block.get('period_end'))}"
        return ""

    def wrong(self, known: Known, params: Mapping[str, Any]) -> str:
        """Only an end at once has a window to leave out."""
        if params.get("window") == "skip" and params["when"] != NOW:
            return "params.window: an end with the period waits for no window; leave it out"
        return super().wrong(known, params)

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Both systems, what is not given back, and how long it can be taken back."""
        end = _day(facts.period_end.isoformat() if facts.period_end else None)
        is_now = params["when"] == NOW
        running = facts.subscription_status or "-"
        status = f"{running}, ends with {end}" if facts.cancel_pending else running
        after = "over at once" if is_now else f"{running}, ends with {end}"
        rest = f"nothing: what is paid until {end} is neither refunded nor credited"
        return [
            {"system": "Billing", "field": "subscription", "now": status, "after": after},
            {"system": "ERP", "field": "contract status", "now": facts.erp_status or "-",
             "after": f"cancelled, {'once billing confirms' if is_now else 'once the subscription is over'}"},
            {"system": "Billing", "field": "given back for unused time", "now": "-",
             "after": rest if is_now else f"nothing: the service runs until {end}, no further period is charged"},
            {"system": "Undo", "field": "can be taken back", "now": "-",
             "after": "no, it is final" if is_now else f"until {end}, by Keep subscription"},
        ]  # fmt: skip

    def _request(self, work: Work) -> FrozenRequest:
        subscription = work.known.refs.subscription
        if work.params["when"] == NOW:
            return subscriptions.end_now(biller(), subscription, work.id)
        return subscriptions.set_ending(biller(), subscription, work.id, work.key, is_ending=True)

    def _judged(self, found: SubscriptionEnd, work: Work) -> Found:
        if work.params["when"] == NOW:
            if not found.is_over:
                return NotDone()
            return self._confirmed(found, work) if found.ended_by == work.id else _elsewhere()
        if found.is_over:  # the period may have ended since it was set
            return self._confirmed(found, work) if found.marked_by == work.id else _elsewhere()
        return self._confirmed(found, work) if found.is_ending and found.marked_by == work.id else NotDone()

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """The contract is over with an end at once; with the other one when the period is."""
        if work.params["when"] != NOW:
            return ()
        return tuple(("cancel", state, "cancelled") for state in LIVE)

    def follow(self, work: Work, answer: Confirmation) -> Mapping[str, Any]:
        """What the ERP's part is asked with."""
        return {"contract": work.known.refs.contract_external_id, "action": work.id}

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """What waits for the end of a period need not any more."""
        following.make_due([work.known.refs.contract_id for work, _ in done if work.params["when"] == NOW])


class Keep(SubscriptionChange):
    """Let a subscription that was to end with its period go on."""

    name, verb = KEEP, "Keep subscription"
    risk = cancellations.KEEP_RISK
    inverse = SUBSCRIPTION
    asks_for = {"subscription": ID}

    def undo(self, params: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
        """End it with its period again."""
        return {"when": PERIOD_END, "reason": "other"}

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Only while the end is still to come."""
        block = known.blocks.get("billing", {})
        if block.get("subscription_status") in OVER:
            return "the subscription is over since its period ended; it cannot be taken back, a new one has to be made"
        return super().unfit(known, params) or ("" if block.get("cancel_at_period_end") else "no end of it is set")

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Both systems."""
        end = _day(facts.period_end.isoformat() if facts.period_end else None)
        running = facts.subscription_status or "-"
        now = f"{running}, ends with {end}" if facts.cancel_pending else running
        return [
            {"system": "Billing", "field": "subscription", "now": now, "after": f"{running}, renews on {end}"},
            {"system": "ERP", "field": "contract status", "now": facts.erp_status or "-",
             "after": "as it is; the cancellation planned there is withdrawn"},
        ]  # fmt: skip

    def _request(self, work: Work) -> FrozenRequest:
        return subscriptions.set_ending(biller(), work.known.refs.subscription, work.id, work.key, is_ending=False)

    def _judged(self, found: SubscriptionEnd, work: Work) -> Found:
        if found.is_over:
            return Declined("over", "the subscription was over before it could be kept; a new one has to be made")
        return self._confirmed(found, work) if not found.is_ending and found.marked_by == work.id else NotDone()

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """The ERP's part of the cancellation that was taken back is withdrawn at once."""
        following.withdraw(
            {work.known.refs.contract_id: work.id for work, _ in done}, "the cancellation was taken back at billing"
        )


def _elsewhere() -> Declined:
    return Declined("ended_elsewhere", "the subscription was ended by somebody else; nothing was done here")


def _iso(value: Any) -> str | None:
    return value.isoformat() if value else None


def _day(value: str | None) -> str:
    return value[:10] if value else "the period"

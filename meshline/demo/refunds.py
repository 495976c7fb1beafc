"""Refunds of the demo week: a support agent asks for some, the resolver decides some, the rest waits for a visitor."""

from collections.abc import Sequence

from gates import review
from gates.models import ReviewItem
from gates.stop import Refused
from ledger import money
from ledger.models import ExternalId
from meshline.demo import people
from sync import proposals
from sync.sandbox.cast import Customer

KIND = "payment.refund"
PART, MOST_SMALL = 5, 4  # a fifth of the payment goes back
REASONS = (
    ("requested_by_customer", "Downgraded a day after the renewal, the difference goes back"),
    ("duplicate", "Paid by bank transfer as well"),
    ("requested_by_customer", "Goodwill for the outage in the week before"),
    ("requested_by_customer", "Seats were removed before the renewal"),
)


def ask(customers: Sequence[Customer]) -> str:
    """Some small ones, and a whole payment of the largest customer, which takes two people."""
    paid = [one for one in customers if one.charge and one.currency in ("usd", "eur", "gbp")]
    largest = max(paid, key=lambda one: one.mrr, default=None)
    small = [one for one in paid if one is not largest][:MOST_SMALL]
    asked = [
        _ask(one, one.mrr // PART, *reason) for one, reason in zip(small, REASONS, strict=False)
    ]  # fmt: skip
    if largest is not None:
        asked.append(_ask(largest, largest.mrr, "requested_by_customer", "Left within the trial of the larger plan"))
    told = [one for one in asked if one]
    return f"{people.SUPPORT.first} ({people.SUPPORT.group}) asks for {len(told)} refunds: {', '.join(told)}"


def _ask(one: Customer, amount: int, reason: str, words: str) -> str:
    link = ExternalId.objects.filter(system="stripe", kind="subscription", value=one.subscription).first()
    if link is None or link.contract_id is None:
        return ""
    params = {"payment": one.charge, "amount_minor": amount, "currency": one.currency, "reason": reason}
    proposals.propose(KIND, link.contract_id, params, by=people.SUPPORT.account(), reason=words)
    return money.display(amount, one.currency)


def decide() -> str:
    """Two small ones are approved, one is rejected; of the large one half of what it needs is given."""
    resolver = people.RESOLVER.account()
    waiting = ReviewItem.objects.filter(kind=KIND, state="open", action__state="in_review").select_related("action")
    items = [(item, item.action) for item in waiting.order_by("id") if item.action is not None]
    alone = [pair for pair in items if review.needed(pair[1]) == 1]
    both = [pair for pair in items if review.needed(pair[1]) > 1]
    done = {"approved": 0, "rejected": 0, "half approved": 0}
    for number, (item, action) in enumerate([*alone[:3], *both[:1]]):
        how = "half approved" if (item, action) in both else "rejected" if number == 2 else "approved"
        try:
            if how == "rejected":
                review.reject(
                    item.pk, by=resolver, reason="The outage was credited already", version=action.state_version
                )
            else:
                review.approve(
                    item.pk, by=resolver, reason="Checked with the customer", version=action.state_version,
                    preview_hash=action.preview_hash,
                )  # fmt: skip
        except Refused:
            continue  # a visitor was faster
        done[how] += 1
    told = ", ".join(f"{count} {how}" for how, count in done.items() if count)
    return f"{people.RESOLVER.first} ({people.RESOLVER.group}) works on the refunds: {told or 'nothing waits'}"

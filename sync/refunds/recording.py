"""Keeping the record of refunds: which there are, what became of them, and rows of each step in the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gates import items
from ledger import book, clock
from ledger.models import Action
from ledger.money import display
from sync.actions.base import Confirmation, Work
from sync.contracts.refunds import RefundSeen
from sync.refunds.models import Refund

SUBJECT = "refund"
RECORD = "record"  # the first row of each
BY_HAND, OURS = "by_hand", "ours"
ACTOR = "system:refunds"
NO_MEMO_KIND, NO_MEMO = "refund.unbooked", "no_erp_customer"
ENDS_BADLY = (Refund.State.FAILED, Refund.State.CANCELED)
_RANK = {"pending": 0, "requires_action": 0, "succeeded": 1, "failed": 2, "canceled": 2}


def keep(done: Sequence[tuple[Work, Confirmation]]) -> None:
    """Record our own refunds as they are confirmed, in the transaction that books them."""
    for work, answer in done:
        said = answer.said
        seen = RefundSeen(
            answer.id, said["charge"], "", said["status"], said["amount_minor"], said["currency"], work.id, ""
        )
        note(seen, work.known.refs.customer_id, UUID(work.id), clock.now())


def ask_for_books(done: Sequence[tuple[Work, Confirmation]]) -> None:
    """Customers whom the ERP does not know: a person writes their credit memos, or links them."""
    if not done:
        return
    events = dict(Action.objects.filter(pk__in=[work.id for work, _ in done]).values_list("pk", "event_id"))
    told = [
        items.for_event(
            events[UUID(work.id)], NO_MEMO_KIND,
            f"Refund of {display(said.said['amount_minor'], said.said['currency'])} ({said.id}) has no credit memo.",
            NO_MEMO, reason="the customer is not linked to the ERP: link it, and have finance write the memo by hand",
            customer_id=work.known.refs.customer_id, correlation_id=work.correlation_id, owner_group="Billing Resolver",
            amount_minor=said.said["amount_minor"], currency=said.said["currency"],
        )
        for work, said in done
    ]  # fmt: skip
    items.open_items(told)


def note(
    seen: RefundSeen, customer_id: int, action: UUID | None, at: datetime, event_id: int | None = None
) -> tuple[Refund, str]:
    """Record what is said of a refund; returns it and the state it had before, "" where it is new.

    Any order of the same messages ends in the same state: the later stage wins, within the first one the later time.
    """
    held = Refund.objects.select_for_update(of=("self",)).filter(provider_id=seen.id).first()
    prior = str(held.state) if held else ""
    if held is None:
        held = Refund.objects.create(
            provider_id=seen.id, charge=seen.charge_id, customer_id=customer_id, action_id=action,
            amount_minor=seen.amount, currency=seen.currency, heard_at=at, state_version=1,
        )  # fmt: skip
        book.write_rows([_row(held, RECORD, str(held.state), event_id)])
        _step(held, seen, at, event_id)
    elif _is_news(held, seen, at):
        _step(held, seen, at, event_id)
    elif prior == seen.status and at > held.heard_at:  # it still is what it was: older news of another state is no news
        Refund.objects.filter(pk=held.pk).update(heard_at=at)
    return held, prior


def _is_news(held: Refund, seen: RefundSeen, at: datetime) -> bool:
    """A later stage always is; within the first one the later time, and on a tie that somebody has to do something."""
    if str(held.state) == seen.status:
        return False
    before, now = _RANK[str(held.state)], _RANK[seen.status]
    if before != now:
        return now > before
    return before == 0 and (at, seen.status) > (held.heard_at, str(held.state))


def _step(held: Refund, seen: RefundSeen, at: datetime, event_id: int | None) -> None:
    prior = str(held.state)
    step = {
        "requires_action": held.need, "pending": held.go_on, "succeeded": held.succeed, "failed": held.fail,
        "canceled": held.cancel,
    }[seen.status]  # fmt: skip
    if prior == seen.status:
        return
    step()
    held.heard_at, held.why = at, seen.why[:120]
    held.save()
    book.write_rows([_row(held, step.__name__, prior, event_id)])


def _row(held: Refund, verb: str, prior: str, event_id: int | None) -> dict[str, Any]:
    return {
        "subject_kind": SUBJECT, "subject_id": str(held.pk), "event_id": event_id, "action_id": held.action_id,
        "customer_id": held.customer_id, "decision": verb, "actor": ACTOR, "prior_state": prior,
        "post_state": str(held.state), "state_version": held.state_version, "amount_minor": held.amount_minor,
        "currency": held.currency, "confirmation_id": held.provider_id, "outcome": OURS if held.action_id else BY_HAND,
        "reasons": [{"rule": "provider", "reason": held.why.replace("_", " ")}] if held.why else [],
    }  # fmt: skip


def shown(held: Refund) -> str:
    """A refund in a sentence: `3.00 USD (re_1)`."""
    return f"{display(held.amount_minor, held.currency)} ({held.provider_id})"

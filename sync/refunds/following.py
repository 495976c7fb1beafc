"""Events about refunds: our own are followed to their end, those made by hand are recorded and counted.

A refund that fails after it had succeeded is somebody's work: the money is back at the provider, and what was written
because of it, in the ERP and on a ticket, is not true any more.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from gates import items
from gates.playbooks import refunds
from ledger import book, clock, money, sets
from ledger.models import Action
from sync import correlate
from sync.booking import Booking
from sync.contracts.refunds import ChargeRefundedSeen, RefundSeen
from sync.correlate import Found
from sync.providers import stripe_accounts
from sync.refunds import recording
from sync.refunds.models import Refund
from sync.refunds.reading import ChargeAsk, ChargeRead
from sync.understand import Heard

BOUNCED = "refund_bounced"
WAITING = ("proposed", "held", "in_review", "approved", "parked", "failed")
IN_THE_AIR = ("approved", "sending", "unknown")
OWNER = "Billing Resolver"
# Ask about it now instead of when its turn comes; one that is being asked about is left alone.
WAKE = """
update ledger_action set available_at = now()
 where id = %(id)b and state in ('sending', 'unknown') and lease_until is null and available_at > now()"""


def wanted(heard: Sequence[Heard], links: Mapping[correlate.Link, Found]) -> dict[int, ChargeAsk]:
    """Which of these events do not say enough: event id -> the charge to be read. At most two statements for all."""
    nameless = [one for one in heard if isinstance(one.seen, RefundSeen) and not one.seen.customer_id]
    told = [one for one in heard if isinstance(one.seen, ChargeRefundedSeen) and not _is_ours(one)]
    told = [one for one in told if any(link in links for link in one.customer_links)]
    known = _known([one.seen.id for one in nameless])
    sums = _sums([one.seen.charge_id for one in told])
    asked = [one for one in nameless if one.seen.id not in known and not _is_ours(one)]
    asked += [one for one in told if sums.get(one.seen.charge_id, 0) != one.seen.refunded]
    further = stripe_accounts.further()
    return {one.id: ChargeAsk(one.seen.charge_id, one.account if one.account in further else "") for one in asked}


def handle(one: Heard, place: Found | None, into: Booking) -> str:
    """Let one event about refunds happen; returns its verdict."""
    read: ChargeRead | None = one.read if isinstance(one.read, ChargeRead) else None
    seen: tuple[RefundSeen, ...] = read.refunds if read else (one.seen,) if isinstance(one.seen, RefundSeen) else ()
    if place is None and isinstance(one.seen, RefundSeen):
        place = _place_of(one.seen.id)
    if place is None:
        return correlate.STRANGER
    told = [_happened(refund, place, one, into) for refund in seen]
    news = [word for word in told if word]
    if news:
        return f"done: {'; '.join(news)}"[:290]
    return "superseded: nothing newer in it" if seen else "done: noted; each refund is told by an event of its own"


def _happened(seen: RefundSeen, place: Found, one: Heard, into: Booking) -> str:
    """One refund as it was told; what is news of it, in words."""
    action = _action_of(seen, place)
    if action is not None and action.state in IN_THE_AIR:
        sets.run(WAKE, {"id": action.pk})
        return f"our own refund {seen.id} is {seen.status}; it is asked about now"
    if action is not None and action.state == "failed" and not _known([seen.id]):
        return ""  # it was booked by asking
    at = one.occurred_at or clock.now()
    held, prior = recording.note(seen, place.customer_id, action.pk if action else None, at, one.id)
    state = str(held.state)
    if state == prior:
        return ""
    if held.action_id is not None and prior == Refund.State.SUCCEEDED and state in recording.ENDS_BADLY:
        _bounced(held, one, into)
        return f"refund {seen.id} {state} after it had succeeded; a person was told"
    how = "made by hand" if held.action_id is None else "of ours"
    return f"{recording.shown(held)}, {how}, is {state.replace('_', ' ')}"


def _bounced(held: Refund, one: Heard, into: Booking) -> None:
    """Withdraw what waits because of it, and say what is to be done about what is done."""
    assert held.action_id is not None
    action = Action.objects.get(pk=held.action_id)
    following = list(
        Action.objects.select_for_update(of=("self",)).filter(
            customer_id=held.customer_id, kind__in=refunds.FOLLOW_UPS,
            business_key__startswith=f"{refunds.PREFIX}{held.provider_id}:",
        )
    )  # fmt: skip
    withdraw([each for each in following if each.state in WAITING], refunds.LOST[str(held.state)], one, into)
    amount, why = money.display(held.amount_minor, held.currency), held.why.replace("_", " ")
    sentence = (
        f"Refund of {amount} ({held.provider_id}) {held.state} after it had succeeded{f': {why}' if why else ''}."
    )
    into.items.append(
        items.for_event(
            one.id, refunds.REFUND, sentence, BOUNCED, reason=_to_do(following), customer_id=held.customer_id,
            correlation_id=action.correlation_id, amount_minor=held.amount_minor, currency=held.currency,
            automation=action.automation, owner_group=OWNER, error_code=BOUNCED,
        )
    )  # fmt: skip


def _to_do(following: Sequence[Action]) -> str:
    """What a person has to do, in one sentence each."""
    told = ["The money is back at the payment provider and the customer has not got it: agree how it is paid instead."]
    memo = next((each for each in following if each.kind == refunds.MEMO and each.state == "applied"), None)
    if memo is not None and isinstance(memo.confirmation, dict):
        told.append(f"Have credit memo {memo.confirmation.get('number') or memo.confirmation['id']} voided in the ERP.")
    elif any(each.kind == refunds.MEMO and each.state in ("sending", "unknown") for each in following):
        told.append("A credit memo is being written: look whether it came to be, and have it voided.")
    else:
        told.append("There is no credit memo to void.")
    if any(each.kind == refunds.NOTE and each.state == "applied" for each in following):
        told.append("The ticket was told that the refund was issued: correct it there.")
    return " ".join(told)


def withdraw(rows: Sequence[Action], reason: str, one: Heard, into: Booking) -> None:
    """These wait and are not wanted any more; their rows are locked by the caller."""
    for each in rows:
        told = {"reasons": [{"rule": "withdrawn", "reason": reason}], "event_id": one.id}
        free = book.lease_free()
        into.moves.append(
            book.step(each, "supersede", "superseded", recording.ACTOR, changes=free, row=told)
        )  # fmt: skip
        into.close(each.pk, "superseded")


def _action_of(seen: RefundSeen, place: Found) -> Action | None:
    """The action of ours that the refund's label names, if it made this very refund: anybody may copy a label."""
    try:
        named = UUID(seen.action)
    except ValueError:
        return None
    action = Action.objects.filter(pk=named, kind__in=refunds.REFUNDS, customer_id=place.customer_id).first()
    if action is None or (action.amount_minor, action.currency) != (seen.amount, seen.currency):
        return None
    own = str((action.confirmation or {}).get("id") or action.job_ref or seen.id)
    return action if own in ("", seen.id) else None


def _place_of(refund: str) -> Found | None:
    customer = Refund.objects.filter(provider_id=refund).values_list("customer_id", flat=True).first()
    return Found(customer, None) if customer else None


def _known(ids: Sequence[str]) -> set[str]:
    return set(Refund.objects.filter(provider_id__in=ids).values_list("provider_id", flat=True)) if ids else set()


def _sums(charges: Sequence[str]) -> dict[str, int]:
    """What is known to have been given back of these charges, minor units."""
    if not charges:
        return {}
    rows = sets.run(
        """select charge, sum(amount_minor)::bigint from sync_refund
            where charge = any(%(charges)b::text[]) and state not in ('failed', 'canceled') group by charge""",
        {"charges": list(charges)},
    )
    return {row[0]: int(row[1]) for row in rows}


def _is_ours(one: Heard) -> bool:
    """An echo of our own write; nothing is read for it."""
    return one.origin_key.startswith("meshline-")


def places(heard: Sequence[Heard]) -> dict[int, Any]:
    """The billing customer that a read named for an event that named none: event id -> link."""
    return {
        one.id: ("stripe", "customer", one.read.customer)
        for one in heard
        if isinstance(one.read, ChargeRead) and one.read.customer
    }

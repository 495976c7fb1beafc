"""Taking over on the ticket: an internal note with the snapshot and the thread's number, once for each item.

Ids, states, amounts and times; no names of customers, nothing that is written on the ticket.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import policy
from gates.models import Approval, Handoff, ReviewItem, Ticket
from gates.stop import Refused
from gates.tickets import HANDOFF
from gates.types import Proposal
from ledger import book, clock, wake
from ledger.models import Action, ExternalId
from sync import actions, correlate
from sync.actions.ticket import facts_lines
from sync.booking import Booking, Cause
from sync.facts import Known, build
from sync.proposals.asking import event_of, stored

PERMISSION = "gates.propose_action"
GONE = {"deleted": "was deleted in the support desk", "merged": "was merged into another one", "closed": "is closed"}


def send(item_id: int, *, by: User, version: int) -> Handoff:
    """Write the note of an item on its ticket. Internal, and held by the stop like every write.

    Raises Refused: 403 permission, 404 no such item, 409 stale, no ticket that can be written on, or written before.
    """
    permit(item_id, by)
    with transaction.atomic():
        item = ReviewItem.objects.select_related("action").select_for_update(of=("self",)).filter(pk=item_id).first()
        if item is None:
            raise Refused(404, "unknown", "there is no such review item")
        if item.state_version != version:
            raise Refused(409, "stale", f"{item} changed since you saw it; nothing was written, look again")
        done = Handoff.objects.filter(item=item).first()
        if done is not None:
            raise Refused(409, "written", f"the note of {item} is on ticket {done.ticket} already; one for each item")
        number, known = _ticket(item)
        action = _booked(item, number, known, by)
        kept = _keep(item, number, action, by)
        row = {
            "subject_kind": "item", "subject_id": str(item.pk), "customer_id": item.customer_id,
            "decision": "hand_over", "action_id": action.pk, "actor": f"user:{by.pk}", "prior_state": str(item.state),
            "post_state": str(item.state), "correlation_id": item.correlation_id, "state_version": item.state_version,
            "inputs": {"ticket": number, "handoff": kept.pk}, "outcome": str(action.state),
        }  # fmt: skip
        book.write_rows([row])
        wake.ring()
    return kept


def permit(item_id: int, by: User) -> None:
    """Raises Refused 403, and leaves a row."""
    if by.is_active and by.has_perm(PERMISSION):
        return
    item = ReviewItem.objects.filter(pk=item_id).first()
    if item is not None:
        row = {
            "subject_kind": "item", "subject_id": str(item.pk), "customer_id": item.customer_id,
            "decision": "hand_over", "actor": f"user:{by.pk}", "prior_state": str(item.state),
            "post_state": str(item.state), "outcome": "refused", "error_code": "permission",
        }  # fmt: skip
        book.write_rows([row])
    raise Refused(403, "permission", f"your account may not write on tickets; it needs the permission {PERMISSION}")


def named(item: ReviewItem) -> str:
    """The ticket that an item itself is about; "" where it is about none."""
    about = item.evidence.get("ticket") if isinstance(item.evidence, Mapping) else None
    params: Mapping[str, Any] = item.action.params if item.action else {}
    return str(about or params.get("ticket") or "")


def number_of(item: ReviewItem) -> str:
    """The ticket that an item is about, else the one of its contract, else the customer's newest; "" for none."""
    if (found_in := named(item)) or item.customer_id is None:
        return found_in
    contract = item.action.contract_id if item.action else None
    own = Ticket.objects.filter(customer=item.customer_id).exclude(state__in=list(GONE)).order_by("-pk")
    found = (own.filter(contract=contract).first() if contract else None) or own.first()
    if found is not None:
        return found.number
    links = ExternalId.objects.filter(customer=item.customer_id, system="zendesk", kind="ticket").order_by("-pk")
    return links.values_list("value", flat=True).first() or ""


def _ticket(item: ReviewItem) -> tuple[str, Known]:
    """A ticket that can be written on, and what is known of its customer. Raises Refused 409."""
    number = number_of(item)
    if not number:
        raise Refused(409, "no_ticket", f"no ticket is known for {item}; nothing was written")
    held = Ticket.objects.filter(number=number).first()
    if held is not None and held.state in GONE:
        raise Refused(409, "gone", f"ticket {number} {GONE[str(held.state)]}; nothing was written on it")
    customer = item.customer_id or (held.customer_id if held else None)
    if customer is None:
        raise Refused(409, "no_customer", f"ticket {number} is of nobody whom we know; nothing was written")
    correlate.lock_customers([customer])
    contract = item.action.contract_id if item.action else None
    known = correlate.load([contract])[contract] if contract else correlate.load_customers([customer])[customer]
    return number, known


def _booked(item: ReviewItem, number: str, known: Known, by: User) -> Action:
    kind = actions.get(HANDOFF)
    params = {"ticket": number, "item": str(item.pk), "text": text_of(item, known, by)}
    key = kind.business_key(known, params)
    proposal = Proposal(HANDOFF, f"handoff:{item.pk}", key, f"{item} was handed over", params, kind.risk, kind.needs)
    event = event_of(known, proposal, item.correlation_id)
    cause = Cause(event.pk, event.correlation_id, "", requested_by=by.pk)
    return stored(proposal, known, cause, Booking(policy.current(), clock.now()))


def _keep(item: ReviewItem, number: str, action: Action, by: User) -> Handoff:
    kept: Mapping[str, Any] = item.evidence if isinstance(item.evidence, Mapping) else {}
    return Handoff.objects.create(
        item=item, ticket=number, action_id=action.pk, by=by, first_signal=kept.get("signal"),
        trusted=dict(kept.get("trusted") or {}), remains=list(kept.get("remains") or []), override=overrides(item),
        correlation_id=item.correlation_id,
    )  # fmt: skip


def overrides(item: ReviewItem) -> list[dict[str, Any]]:
    """Who said yes although which rules asked, and when."""
    given = Approval.objects.filter(action=item.action_id, voided_at__isnull=True) if item.action_id else ()
    return [{"user": one.by_id, "rules": one.rules, "at": one.given_at.isoformat()} for one in given]


def text_of(item: ReviewItem, known: Known, by: User) -> str:
    """The note as an agent reads it."""
    kept: Mapping[str, Any] = item.evidence if isinstance(item.evidence, Mapping) else {}
    signal: Mapping[str, Any] = kept.get("signal") or {}
    told = f"{signal.get('type')} at {signal.get('at') or 'an unknown time'}" if signal else "a person asked"
    trusted = ", ".join(f"{name} read {at}" for name, at in sorted(dict(kept.get("trusted") or {}).items()))
    said = "; ".join(f"user {one['user']} over {', '.join(one['rules']) or 'no rule'}" for one in overrides(item))
    facts = build(known, now=clock.now(), business_key=item.action.business_key if item.action else "", executing=False)
    lines = [
        f"{item}: {item.action.kind if item.action else item.why}, handed over by user {by.pk}.",
        f"Why a person: {item.why}.",
        f"First signal: {told}.",
        f"Trusted: {trusted or 'nothing was read'}.",
        f"Overridden by: {said or 'nobody'}.",
        f"Remains: {'; '.join(map(str, kept.get('remains') or [])) or 'the decision itself'}.",
        "",
        *facts_lines(facts, known),
        f"Item {item}, owner {item.owner_group}, due {item.due_at:%Y-%m-%d %H:%M} UTC.",
    ]
    return "\n".join(lines)[:5900]

"""Who a customer is: organizations that are renamed, merged or deleted elsewhere, and the link that must follow them.

A customer that the ERP bills already is flagged: billing waits until a person has said who it is. Each reason for it
is a difference that stays open until then.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import items
from gates.models import ReviewItem
from gates.playbooks import onboarding
from gates.review import decisions
from gates.stop import Refused
from ledger import book, clock, sets, wake
from ledger.models import Action, Customer, ExternalId
from sync import correlate, mappings
from sync.booking import Booking
from sync.contracts.netsuite import ErpCustomerSeen
from sync.contracts.pipedrive import OrganizationSeen
from sync.correlate import Found
from sync.reconcile import deltas
from sync.reconcile.finding import Finding, Ref, fingerprint
from sync.reconcile.models import Delta
from sync.understand import Heard

ACTOR = "system:correlate"
KIND = "customer.identity"
CHECK = "identity"
RULE = "customer_settled"
# Why a customer may be asked about; an item of the same kind about a withdrawn deal is another matter.
WHYS = ("customer_renamed", "customer_inactive", "organization_merged", "organization_deleted")
GROUP = "Revenue Ops Lead"
PERMISSION = "gates.approve_item"
LONGEST_REASON = 500
ORGANIZATION = ("pipedrive", "organization")

ABOUT = """
select c.id, c.state, c.state_version, c.name,
       exists (select from ledger_externalid x where x.customer_id = c.id and x.system = 'netsuite'
                  and x.kind = 'customer'),
       exists (select from ledger_externalid x where x.customer_id = c.id and x.system = 'pipedrive'
                  and x.kind = 'organization'),
       c.external_id
  from ledger_customer c where c.id = any(%(ids)b::bigint[]) order by c.id for no key update"""

# Nobody's books have the old name yet: the ERP is sent the new one, and what it says of that is no rename of its own.
RENAME_UNBILLED = """
update ledger_customer c set name = %(name)b, updated_at = now()
 where c.id = %(id)b and not exists (
   select from ledger_externalid x where x.customer_id = c.id and x.system = 'netsuite' and x.kind = 'customer')"""


def organization(one: Heard, place: Found | None, into: Booking) -> str:
    """An organization changed, was merged or was deleted in the CRM."""
    seen: OrganizationSeen = one.seen
    if seen.merged_to or seen.merged_from:
        return _merged(one, seen, place, into)
    if place is None:
        return "ignored: nobody here knows this organization"
    refs = (("pipedrive", "organization", seen.id),)
    if seen.action == "delete":
        reason = "the organization was deleted in the CRM"
        return _flag([place.customer_id], one, into, "organization_deleted", reason, Said(refs))
    if seen.previous_name and _differs(seen.previous_name, seen.name):
        reason = "the organization was renamed in the CRM"
        sets.run(RENAME_UNBILLED, {"id": place.customer_id, "name": seen.name[:255]})
        return _flag([place.customer_id], one, into, "customer_renamed", reason, Said(refs, left=seen.name))
    return "done: noted; read live before anything is decided"


def _merged(one: Heard, seen: OrganizationSeen, place: Found | None, into: Booking) -> str:
    """Both halves of a merge come here. The link of the one that went leads to the one that stays, and is kept."""
    gone, stays = (seen.id, seen.merged_to) if seen.merged_to else (seen.merged_from, seen.id)
    known = correlate.look_up([(*ORGANIZATION, gone), (*ORGANIZATION, stays)])
    old, new = known.get((*ORGANIZATION, gone)), known.get((*ORGANIZATION, stays))
    if old is None:
        return "ignored: nobody here knows the organization that went"
    if new is None:
        correlate.remember([(old.customer_id, (*ORGANIZATION, stays), None)], ACTOR)
    reason = "the organization was merged into another one in the CRM"
    both = sorted({old.customer_id, *([new.customer_id] if new else [])})
    refs = (("pipedrive", "organization", gone), ("pipedrive", "organization", stays))
    return _flag(both, one, into, "organization_merged", reason, Said(refs, left=seen.name))


def erp_customer(one: Heard, place: Found, into: Booking) -> str:
    """A customer record was saved in the ERP, which owns name and address. A rename of a deal's is asked about."""
    seen: ErpCustomerSeen = one.seen
    about = _about([place.customer_id])
    came_from_deal = bool(about) and about[0][5]
    before = about[0][3] if about else ""
    sets.run(
        """update ledger_customer set name = %(name)b, updated_at = now(),
                  email = coalesce(nullif(%(email)b, ''), email)
            where id = %(id)b and (name <> %(name)b or (%(email)b <> '' and email <> %(email)b))""",
        {"name": seen.name[:255], "email": seen.email.strip()[:320], "id": place.customer_id},
    )
    said = Said((("netsuite", "customer", seen.internal_id),), left=before, right=seen.name)
    if came_from_deal and before and _differs(before, seen.name):
        reason = "the customer was renamed in the ERP"
        return _flag([place.customer_id], one, into, "customer_renamed", reason, said)
    if came_from_deal and seen.is_inactive:
        reason = "the customer was made inactive in the ERP"
        return _flag([place.customer_id], one, into, "customer_inactive", reason, said)
    return "done: customer record noted"


def _about(ids: list[int]) -> list[tuple[Any, ...]]:
    return sets.run(ABOUT, {"ids": ids})


@dataclass(frozen=True, slots=True)
class Said:
    """What an event says of a customer: the records it is about, and both names; "" for the one we know."""

    refs: tuple[Ref, ...]
    left: str = ""
    right: str = ""


def _flag(ids: list[int], one: Heard, into: Booking, why: str, reason: str, said: Said) -> str:
    """Stop billing those that the ERP knows, once, and ask a person; others just keep the note."""
    billed = [row for row in _about(ids) if row[4]]
    if not billed:
        return f"done: {reason}; nothing was billed yet"
    about = {"event_id": one.id}
    deltas.note(CHECK, [_finding(row, why, said) for row in billed], actor=ACTOR, about=about)
    flagged = [row for row in billed if row[1] in ("pending", "ready", "synced")]
    if not flagged:
        return f"superseded: {reason}; a person is asked already"
    for customer_id, state, version, *_ in flagged:
        row = {
            "customer_id": customer_id, "event_id": one.id, "correlation_id": one.correlation_id,
            "reasons": [{"rule": why, "reason": reason}],
        }  # fmt: skip
        into.moves.append(
            book.Move("customer", customer_id, "flag_conflict", state, "conflict", version, ACTOR, row=row)
        )
        into.items.append(
            items.for_event(
                one.id, KIND, f"Confirm who this customer is: {reason}.", why,
                reason="billing waits until somebody has confirmed it", owner_group=GROUP, customer_id=customer_id,
                correlation_id=one.correlation_id, automation=onboarding.AUTOMATION, provider="pipedrive",
            )
        )  # fmt: skip
    return f"contradicting: {reason}; billing waits for a person"


def _finding(row: tuple[Any, ...], why: str, said: Said) -> Finding:
    left, right = said.left or row[3], said.right or row[3]
    prints = (fingerprint(left), fingerprint(right))
    return Finding("identity", row[6], why, GROUP, left, right, *prints, "netsuite", said.refs, row[0])


def confirm(customer_id: int, *, by: User, reason: str) -> Customer:
    """A person says that the links of a flagged customer hold: billing goes on, and what waited only for this, too.

    Its open items and differences are settled. Raises Refused: 403 permission, 404 no such customer, 409 not flagged,
    422 reason missing.
    """
    said = reason.strip()
    with transaction.atomic():
        customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
        if customer is None:
            raise Refused(404, "customer", "there is no such customer")
        if not (by.is_active and by.has_perm(PERMISSION)):
            raise Refused(403, "permission", f"your account may not confirm customers; it needs {PERMISSION}")
        if not 0 < len(said) <= LONGEST_REASON:
            raise Refused(422, "reason", f"reason: must be 1 to {LONGEST_REASON} characters")
        if customer.state != Customer.State.CONFLICT:
            raise Refused(409, "state", f"the customer is {customer.get_state_display().lower()}; nothing was done")
        in_erp = ExternalId.objects.filter(customer=customer, system="netsuite", kind="customer").exists()
        verb, post = ("resolve_synced", "synced") if in_erp else ("resolve", "pending")
        row = {"customer_id": customer.pk, "reasons": [{"rule": "person", "reason": said}]}
        book.move(
            [
                book.Move(
                    "customer", customer.pk, verb, "conflict", post, customer.state_version, f"user:{by.pk}", row=row
                )
            ]
        )
        _settle(customer.pk, by, said)
        wake.ring()
    customer.refresh_from_db()
    return customer


def _settle(customer_id: int, by: User, said: str) -> None:
    """What waited for this answer: actions that nothing else stands in the way of, differences, items."""
    _let_go(customer_id, by)
    waiting = Delta.objects.select_for_update().filter(customer=customer_id, check_name=CHECK)
    rows = []
    for one in waiting.exclude(state=Delta.State.RESOLVED).order_by("pk"):
        prior = str(one.state)
        one.resolve()
        one.reason, one.resolved_at = said, clock.now()
        one.save()
        rows.append(
            {
                "subject_kind": deltas.SUBJECT, "subject_id": str(one.pk), "decision": "resolve",
                "actor": f"user:{by.pk}", "prior_state": prior, "post_state": "resolved",
                "state_version": one.state_version, "outcome": "resolved", "customer_id": customer_id,
                "correlation_id": one.correlation_id, "reasons": [{"rule": "person", "reason": said}],
            }
        )  # fmt: skip
        deltas.settle_items([one.item_id] if one.item_id else [], "confirmed", by.pk)
    book.write_rows(rows)
    asked = ReviewItem.objects.filter(customer=customer_id, kind=KIND, why__in=WHYS).exclude(state="resolved")
    deltas.settle_items(list(asked.values_list("pk", flat=True)), "confirmed", by.pk)


def _let_go(customer_id: int, by: User) -> None:
    """Actions that ask for nothing but this are approved, to be judged again on fresh facts before anything leaves."""
    asking = Action.objects.select_for_update().filter(customer=customer_id, state=Action.State.IN_REVIEW)
    going = [one for one in asking.order_by("pk") if waits_for_identity(one)]
    reasons = [{"rule": RULE, "reason": "a person confirmed who the customer is"}]
    changes = {**book.lease_free(), **decisions.NOT_WAITING}
    book.move([book.step(one, "approve", "approved", f"user:{by.pk}", changes=changes, row={"reasons": reasons})
               for one in going])  # fmt: skip
    items.close_for([one.pk for one in going], "confirmed")


def waits_for_identity(action: Action) -> bool:
    """Whether nothing but this question stands in the way of an action; a hold is time and needs nobody."""
    return {str(one["rule"]) for one in action.answers if one["verdict"] not in ("pass", "hold")} == {RULE}


def _differs(one: str, other: str) -> bool:
    """Whether two names are more than a matter of blanks, capitals, and how the books compose letters and cut."""
    here, there = (mappings.transforms.company_name(name, mappings.Given({})) for name in (one, other))
    return here.casefold() != there.casefold()

"""Who a customer is: organizations that are renamed, merged or deleted elsewhere, and the link that must follow them.

A customer that the ERP bills already is flagged: billing waits until a person has said who it is.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import items
from gates.playbooks import onboarding
from gates.stop import Refused
from ledger import book, sets
from ledger.models import Customer, ExternalId
from sync import correlate
from sync.booking import Booking
from sync.contracts.netsuite import ErpCustomerSeen
from sync.contracts.pipedrive import OrganizationSeen
from sync.correlate import Found
from sync.understand import Heard

ACTOR = "system:correlate"
KIND = "customer.identity"
GROUP = "Revenue Ops Lead"
PERMISSION = "gates.approve_item"
LONGEST_REASON = 500
ORGANIZATION = ("pipedrive", "organization")

ABOUT = """
select c.id, c.state, c.state_version, c.name,
       exists (select from ledger_externalid x where x.customer_id = c.id and x.system = 'netsuite'
                  and x.kind = 'customer'),
       exists (select from ledger_externalid x where x.customer_id = c.id and x.system = 'pipedrive'
                  and x.kind = 'organization')
  from ledger_customer c where c.id = any(%(ids)b::bigint[]) order by c.id for no key update"""


def organization(one: Heard, place: Found | None, into: Booking) -> str:
    """An organization changed, was merged or was deleted in the CRM."""
    seen: OrganizationSeen = one.seen
    if seen.merged_to or seen.merged_from:
        return _merged(one, seen, place, into)
    if place is None:
        return "ignored: nobody here knows this organization"
    if seen.action == "delete":
        return _flag([place.customer_id], one, into, "organization_deleted", "the organization was deleted in the CRM")
    if seen.previous_name and _differs(seen.previous_name, seen.name):
        return _flag([place.customer_id], one, into, "customer_renamed", "the organization was renamed in the CRM")
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
    return _flag(both, one, into, "organization_merged", reason)


def erp_customer(one: Heard, place: Found, into: Booking) -> str:
    """A customer record was saved in the ERP, which owns the name. A rename of a deal's is asked about."""
    seen: ErpCustomerSeen = one.seen
    about = _about([place.customer_id])
    came_from_deal = bool(about) and about[0][5]
    before = about[0][3] if about else ""
    sets.run(
        "update ledger_customer set name = %(name)b, updated_at = now() where id = %(id)b and name <> %(name)b",
        {"name": seen.name[:255], "id": place.customer_id},
    )
    if came_from_deal and before and _differs(before, seen.name):
        return _flag([place.customer_id], one, into, "customer_renamed", "the customer was renamed in the ERP")
    if came_from_deal and seen.is_inactive:
        return _flag([place.customer_id], one, into, "customer_inactive", "the customer was made inactive in the ERP")
    return "done: customer record noted"


def _about(ids: list[int]) -> list[tuple[Any, ...]]:
    return sets.run(ABOUT, {"ids": ids})


def _flag(ids: list[int], one: Heard, into: Booking, why: str, reason: str) -> str:
    """Stop billing those that the ERP knows, once, and ask a person; others just keep the note."""
    billed = [row for row in _about(ids) if row[4]]
    if not billed:
        return f"done: {reason}; nothing was billed yet"
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


def confirm(customer_id: int, *, by: User, reason: str) -> Customer:
    """A person says that the links of a flagged customer hold: billing goes on.

    Raises Refused: 403 permission, 404 no such customer, 409 not flagged, 422 reason missing.
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
    customer.refresh_from_db()
    return customer


def _differs(one: str, other: str) -> bool:
    """Whether two names are more than a matter of blanks and capitals."""
    return " ".join(one.split()).casefold() != " ".join(other.split()).casefold()

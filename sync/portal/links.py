"""Making, renewing and ending portal links: one active link a customer, each step with its ledger row.

`make`, `renew` and `revoke` are what people do. `ensure` and `end_for` are for automation that has decided already
(the customer sync, a confirmed import, the backfill): they run in the caller's transaction and ask for no permission.
No row and no log line holds a token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from gates.routing_edit import reason_of
from gates.stop import Refused
from ledger import book, clock
from ledger.models import Customer, ExternalId
from sync import correlate
from sync.portal import tokens
from sync.portal.models import PortalLink

PERMISSION = "sync.manage_portal_links"
PROVIDER, KIND = "stripe", "customer"
EXPIRE_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Made:
    """A link and, where it is known, its token: shown once to who made it, and stored nowhere."""

    link: PortalLink
    token: str

    @property
    def url(self) -> str:
        """The address for the customer; empty where the token is not known any more."""
        return url_of(self.token)


def url_of(token: str) -> str:
    """The public address of a token; empty for none."""
    return f"{settings.MESHLINE_PUBLIC_URL}/portal/{token}/" if token else ""


def url_for(link: PortalLink) -> str:
    """The address of a stored link, for writing it into another system; empty where its key is gone: renew it then."""
    return url_of(tokens.recover(link.seed, link.token_hash))


def active(customer_id: int) -> PortalLink | None:
    """The customer's link that works now; one whose time is over does not, whether or not that was booked."""
    link = PortalLink.objects.filter(customer=customer_id, state=PortalLink.State.ACTIVE).first()
    return None if link is None or is_over(link) else link


def is_over(link: PortalLink) -> bool:
    """Whether its time has passed."""
    return link.expires_at is not None and link.expires_at <= clock.now()


def make(customer_id: int, *, by: User, reason: str, billing_customer: str = "") -> Made:
    """Make a customer's link. `billing_customer` says which id of theirs, where the provider knows them by several.

    Raises Refused: 403 permission, 404 no such customer, 409 there is one, or no id or several, 422 a field.
    """
    customer = _permitted(customer_id, by, "make_portal_link")
    said = reason_of(reason)
    with transaction.atomic():
        correlate.lock_customers([customer_id])
        _expire_due(customer_id)
        if PortalLink.objects.filter(customer=customer_id, state=PortalLink.State.ACTIVE).exists():
            raise Refused(409, "exists", "this customer has a link that works; renew it to get a new address")
        return _store(customer, chosen_id(customer_id, billing_customer), actor=_actor(by), reason=said)


def renew(link_id: int, *, by: User, reason: str, version: int) -> Made:
    """End a link and make the next one for the same id, or for the one the customer has now if it was changed.

    Raises Refused as `make`, 404 no such link, 409 it is over or was changed since.
    """
    said = reason_of(reason)
    link = _found(link_id)
    customer = _permitted(link.customer_id, by, "renew_portal_link")
    with transaction.atomic():
        correlate.lock_customers([link.customer_id])
        link = _at_version(link_id, version)
        known = ids_of(link.customer_id)
        wanted = link.billing_customer if link.billing_customer in known else ""
        billing = chosen_id(link.customer_id, wanted)
        _end(link, "revoke", actor=_actor(by), reason=said)
        return _store(customer, billing, actor=_actor(by), reason=said)


def revoke(link_id: int, *, by: User, reason: str, version: int) -> PortalLink:
    """End a link: its address answers like one that never was. Raises Refused: 403, 404, 409 over or changed, 422."""
    said = reason_of(reason)
    link = _found(link_id)
    _permitted(link.customer_id, by, "revoke_portal_link")
    with transaction.atomic():
        correlate.lock_customers([link.customer_id])
        link = _at_version(link_id, version)
        _end(link, "revoke", actor=_actor(by), reason=said)
    return link


def ensure(customer_id: int, *, actor: str, reason: str, billing_customer: str = "") -> Made:
    """The customer's working link, made if there is none, and renewed where it is for another id than wanted.

    In the caller's transaction. Raises Refused 404 without such a customer, 409 without an id or with several.
    """
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Refused(404, "customer", "there is no such customer")
    with transaction.atomic():
        correlate.lock_customers([customer_id])
        _expire_due(customer_id)
        billing = chosen_id(customer_id, billing_customer)
        link = active(customer_id)
        if link is not None and link.billing_customer == billing:
            return Made(link, tokens.recover(link.seed, link.token_hash))
        if link is not None:
            _end(link, "revoke", actor=actor, reason=reason)
        return _store(customer, billing, actor=actor, reason=reason)


def end_for(customer_id: int, *, actor: str, reason: str, keep: str = "") -> int:
    """End the customer's link because their id at the provider changed; one for the id `keep` stays. Returns how many.

    In the caller's transaction. Visits look at the id as well, so that a link dies even where this was not called.
    """
    with transaction.atomic():
        correlate.lock_customers([customer_id])
        open_ones = PortalLink.objects.filter(customer=customer_id, state=PortalLink.State.ACTIVE)
        ended = list(open_ones.exclude(billing_customer=keep) if keep else open_ones)
        for link in ended:
            _end(link, "revoke", actor=actor, reason=reason)
    return len(ended)


def expire_due() -> int:
    """Book the end of links whose time is over; returns how many. They stopped working at that time already."""
    due = PortalLink.objects.filter(state=PortalLink.State.ACTIVE, expires_at__lte=clock.now())
    count = 0
    for customer_id in due.values_list("customer_id", flat=True)[:EXPIRE_AT_ONCE]:
        with transaction.atomic():
            correlate.lock_customers([customer_id])
            count += _expire_due(customer_id)
    return count


def expire_one(link: PortalLink) -> None:
    """Book that a link's time is over. The caller holds the customer."""
    _end(link, "expire", actor="system:portal", reason="its time was over")


def ids_of(customer_id: int) -> list[str]:
    """The ids by which the billing provider knows a customer."""
    known = ExternalId.objects.filter(customer=customer_id, system=PROVIDER, kind=KIND)
    return list(known.order_by("id").values_list("value", flat=True))


def chosen_id(customer_id: int, wanted: str) -> str:
    """The id a link is for. Raises Refused 409 without one, with several and no choice, 422 for somebody else's."""
    known = ids_of(customer_id)
    if wanted:
        if wanted not in known:
            raise Refused(422, "billing_customer", "billing_customer: this is no id of this customer")
        return wanted
    if not known:
        raise Refused(409, "no_id", "the billing provider does not know this customer yet; link an id first")
    if len(known) > 1:
        raise Refused(409, "several", f"the billing provider knows this customer by {len(known)} ids; choose one")
    return known[0]


def lifetime() -> timedelta | None:
    """How long new links work; None: until somebody ends them."""
    days = int(settings.MESHLINE_PORTAL["link_days"])
    return timedelta(days=days) if days else None


def row_of(link: PortalLink, decision: str, prior: str, actor: str, reason: str, **more: Any) -> dict[str, Any]:
    """A ledger row about a link: ids and times, never the token or its seed."""
    inputs: Mapping[str, Any] = {
        "generation": link.generation, "provider": link.provider, "billing_customer": link.billing_customer,
        "expires_at": link.expires_at,
    }  # fmt: skip
    return {
        "subject_kind": "portal_link", "subject_id": str(link.pk), "customer_id": link.customer_id,
        "decision": decision, "actor": actor, "prior_state": prior, "post_state": str(link.state),
        "state_version": link.state_version, "outcome": str(link.state), "inputs": inputs,
        "reasons": [{"rule": "reason", "reason": reason}], **more,
    }  # fmt: skip


def _store(customer: Customer, billing: str, *, actor: str, reason: str) -> Made:
    now, life, token = clock.now(), lifetime(), tokens.fresh()
    last = PortalLink.objects.filter(customer=customer).order_by("-generation").first()
    link = PortalLink.objects.create(
        customer=customer, provider=PROVIDER, billing_customer=billing, state_version=1,
        generation=last.generation + 1 if last else 1, token_hash=token.hash, seed=token.seed,
        expires_at=now + life if life else None, made_at=now, made_by=actor, reason=reason,
    )  # fmt: skip
    book.write_rows([row_of(link, "make_portal_link", str(link.state), actor, reason)])
    return Made(link, token.text)


def _end(link: PortalLink, verb: str, *, actor: str, reason: str) -> None:
    prior = str(link.state)
    link.expire() if verb == "expire" else link.revoke()
    link.ended_at, link.ended_by, link.end_reason = clock.now(), actor, reason
    # Visits are counted beside us: writing the whole row back would lose some.
    link.save(update_fields=["state", "state_version", "ended_at", "ended_by", "end_reason"])
    book.write_rows([row_of(link, f"{verb}_portal_link", prior, actor, reason)])


def _expire_due(customer_id: int) -> int:
    due = PortalLink.objects.filter(
        customer=customer_id, state=PortalLink.State.ACTIVE, expires_at__lte=clock.now()
    ).first()
    if due is None:
        return 0
    expire_one(due)
    return 1


def _found(link_id: int) -> PortalLink:
    link = PortalLink.objects.filter(pk=link_id).first()
    if link is None:
        raise Refused(404, "link", "there is no such portal link")
    return link


def _at_version(link_id: int, version: int) -> PortalLink:
    link = _found(link_id)
    if link.state_version != version or link.state != PortalLink.State.ACTIVE:
        state = link.get_state_display().lower()
        raise Refused(409, "stale", f"this link is {state} by now, version {link.state_version}; nothing was changed")
    return link


def _permitted(customer_id: int, by: User, decision: str) -> Customer:
    """The customer. Raises Refused 404, or 403 after writing the refusal down."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Refused(404, "customer", "there is no such customer")
    if by.is_active and by.has_perm(PERMISSION):
        return customer
    row = {
        "subject_kind": "customer", "subject_id": str(customer.pk), "customer_id": customer.pk, "decision": decision,
        "actor": _actor(by), "prior_state": str(customer.state), "post_state": str(customer.state),
        "outcome": "refused", "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])
    raise Refused(403, "permission", f"your account may not do this; it needs the permission {PERMISSION}")


def _actor(by: User) -> str:
    return f"user:{by.pk}"

"""Who holds which role for which accounts, and which kinds of action are an owner's say: changes, each with its row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates import accounts, ownership, policy
from gates.models import AccountHolder, OwnerSensitive
from gates.routing_edit import MOST_MINOR, choices, permit, reason_of, same_version, save, write
from gates.stop import Refused
from ledger import clock
from ledger.models import Customer
from ledger.words import KINDS

WORKS = "gates.claim_item"
ALLOW = "gates.change_automation"
CONDITIONS = ("tiers", "regions", "contract_states", "payment_states")
MOST_GENERAL = 200


@dataclass(frozen=True, slots=True)
class HolderFields:
    """Everything a person says about who holds a role. `customer` is an external id, empty for conditions."""

    role: str
    person: int | None
    customer: str = ""
    tiers: Sequence[str] = ()
    regions: Sequence[str] = ()
    contract_states: Sequence[str] = ()
    payment_states: Sequence[str] = ()
    mrr_from_minor: int | None = None
    reason: str = field(default="", kw_only=True)


def save_holder(key: int | None, said: HolderFields, *, by: User, version: int = 0) -> AccountHolder:
    """Name somebody for a customer or for all accounts that conditions fit; or change that.

    Raises Refused: 403 permission, 404 no such entry, 409 changed since or named already, 422 a field.
    """
    decision = "edit_holder" if key else "add_holder"
    permit(by, "holder", key, decision)
    customer = _check(said)
    try:
        with transaction.atomic():
            one = _found(key) if key else AccountHolder(position=_last() + 1)
            same_version(one, version)
            one.role, one.person_id, one.customer = said.role, said.person or 0, customer
            for name in CONDITIONS:
                setattr(one, name, list(getattr(said, name)))
            one.mrr_from_minor = said.mrr_from_minor
            save(one, said.reason)
            write("holder", one.pk, decision, by, said.reason, _told(one))
    except IntegrityError:
        words = f"customer: somebody is {said.role} of this customer already; change that entry"
        raise Refused(409, "customer", words) from None
    ownership.forget()
    return one


def retire_holder(key: int, *, by: User, reason: str) -> AccountHolder:
    """End an entry. Items that are open stay with whom they are. Raises Refused: 403, 404, 422 without a reason."""
    permit(by, "holder", key, "retire_holder")
    said = reason_of(reason)
    with transaction.atomic():
        one = _found(key)
        one.retired_at = clock.now()
        save(one, said)
        write("holder", one.pk, "retire_holder", by, said, _told(one))
    ownership.forget()
    return one


def set_sensitive(kind: str, *, on: bool, by: User, reason: str) -> OwnerSensitive:
    """Say whether a kind of action is an owner's say. Raises Refused: 403 permission, 422 a field."""
    permit(by, "sensitive", 0, "set_sensitive", ALLOW)
    if kind not in KINDS:
        raise Refused(422, "kind", f"kind: there is no kind of action {kind[:60]!r}")
    said = reason_of(reason)
    with transaction.atomic():
        one, _ = OwnerSensitive.objects.select_for_update(of=("self",)).get_or_create(kind=kind)
        before = one.is_on
        one.is_on, one.changed_by, one.changed_at = on, by, clock.now()
        one.save()
        write("sensitive", one.pk, "set_sensitive", by, said, {"kind": kind, "before": before, "after": on})
    policy._held.clear()
    return one


def _found(key: int | None) -> AccountHolder:
    found = AccountHolder.objects.select_for_update(of=("self",)).filter(pk=key or 0, retired_at=None).first()
    if found is None:
        raise Refused(404, "unknown", "there is no such entry in force; perhaps somebody ended it")
    return found


def _last() -> int:
    last = AccountHolder.objects.filter(retired_at=None).order_by("-position").values_list("position", flat=True)
    return last.first() or 0


def _check(said: HolderFields) -> Customer | None:
    """The customer that is named, if one is. Raises Refused 422 naming the field and its rule."""
    reason_of(said.reason)
    if said.role not in accounts.ROLES:
        raise Refused(422, "role", f"role: one of {', '.join(accounts.ROLES)}")
    person = User.objects.filter(pk=said.person, is_active=True).first() if said.person else None
    if person is None or not person.has_perm(WORKS):
        raise Refused(422, "person", "person: somebody whose account is switched on and may claim items")
    conditions = said.mrr_from_minor is not None or any(getattr(said, name) for name in CONDITIONS)
    if said.customer:
        found = Customer.objects.filter(external_id=said.customer[:64].replace("\x00", "")).first()
        if found is None:
            words = f"customer: there is no customer {said.customer[:64]!r}; give our external id"
            raise Refused(422, "customer", words)
        if conditions:
            raise Refused(422, "customer", "customer: either one customer or conditions, not both")
        return found
    if not conditions:
        raise Refused(422, "customer", "customer: name one, or choose at least one condition")
    _check_conditions(said)
    return None


def _check_conditions(said: HolderFields) -> None:
    known = choices()
    for name in CONDITIONS:
        unknown = [one for one in getattr(said, name) if one not in known[name]]
        if unknown:
            raise Refused(422, name, f"{name.replace('_', ' ')}: {unknown[0][:60]!r} is none of the choices")
    mrr = said.mrr_from_minor
    if mrr is not None and not 0 < mrr <= MOST_MINOR:
        raise Refused(422, "mrr_from_minor", f"monthly revenue from: a whole number of minor units, 1 to {MOST_MINOR}")
    if AccountHolder.objects.filter(retired_at=None, customer=None).count() >= MOST_GENERAL:
        raise Refused(422, "role", f"role: at most {MOST_GENERAL} entries with conditions; end one first")


def _told(one: AccountHolder) -> dict[str, Any]:
    said = {"role": one.role, "user": one.person_id, "customer": one.customer_id, "mrr_from_minor": one.mrr_from_minor}
    said |= {name: getattr(one, name) for name in CONDITIONS}
    return {name: value for name, value in said.items() if value}

"""Roles of an account: who looks after it, by name or by what is known of it. A role routes; it allows nothing.

Roles are not groups: a group says what its people may do, and the groups stay as they are. A role says whom an item of
an account goes to first, within the group that a rule names, so that who holds it changes nobody's permissions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, F, Value, When

from gates import regions
from gates.models import AccountHolder
from ledger import sets

AM, RESOLVER, ESCALATION = "Enterprise AM", "Billing Resolver", "Product Escalation"
ROLES = {
    AM: "Knows the customer and answers for it",
    RESOLVER: "Decides about this account's money",
    ESCALATION: "Takes up what is a matter of the product",
}
PAYMENT_STATES = {
    "active": "Paying", "trialing": "On trial", "past_due": "A payment failed", "unpaid": "Unpaid, tries are over",
    "paused": "Paused", "incomplete": "First payment open", "canceled": "Subscription over",
}  # fmt: skip
# Of a customer `c` with its context `x`, and of the contract `k` that an item is about: how it pays, the country it is
# in, and who is named for it, as role -> person; the account owner whom the customer's own record names is its AM.
ACCOUNT = """
       coalesce(x.blocks -> ('billing:' || k.id) ->> 'subscription_status',
                x.blocks -> ('subscription:' || k.id) ->> 'status') as paying,
       (select b.value -> 'source' ->> 'organization.country' from jsonb_each(x.blocks) b
         where b.key like 'deal:%%' and b.value -> 'source' ? 'organization.country' order by b.key limit 1) as country,
       coalesce((select jsonb_build_object('Enterprise AM', u.id) from auth_user u
                  where u.username = c.owner and u.is_active), '{}'::jsonb)
       || coalesce((select jsonb_object_agg(h.role, h.person_id) from gates_accountholder h
                     where h.customer_id = c.id and h.retired_at is null), '{}'::jsonb) as named"""

OF_CUSTOMER = f"""
select c.tier, c.mrr_minor, k.state, {ACCOUNT}
  from ledger_customer c left join ledger_contextrecord x on x.customer_id = c.id
  left join lateral (select id, state from ledger_contract where customer_id = c.id order by id desc limit 1) k on true
 where c.external_id = %(key)b"""

# The order of work: what is due first; of what is due together the larger revenue, then what is about to be lost.
URGENT = Case(
    When(action__contract__state="past_due", then=Value(0)), When(action__contract__state="suspended", then=Value(1)),
    default=Value(2),
)  # fmt: skip
ORDER = ("due_at", F("customer__mrr_minor").desc(nulls_last=True), URGENT, "id")

Conditions = tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who holds a role for every account that the conditions fit."""

    role: str
    person: int
    conditions: Conditions
    mrr_from_minor: int | None


def of_customer(external_id: str) -> dict[str, Any]:
    """What routing needs of a customer's account, by its newest contract; empty where there is no such customer."""
    rows = sets.run(OF_CUSTOMER, {"key": external_id[:64]})
    if not rows:
        return {}
    tier, mrr, state, *account = rows[0]
    return {"tier": tier, "mrr_minor": mrr, "contract_state": state or "", **known(*account)}


def known(paying: str | None, country: str | None, named: Mapping[str, int] | None) -> dict[str, Any]:
    """What `ACCOUNT` read, as routing asks for it."""
    return {"payment_state": paying or "", "region": regions.region_of(country or ""), "holders": named or {}}


def fits(item: Mapping[str, Any], conditions: Conditions, mrr_from_minor: int | None) -> bool:
    """Whether every condition holds of an item. An unknown revenue is below any limit."""
    if any(str(item.get(name) or "") not in wanted for name, wanted in conditions):
        return False
    if mrr_from_minor is None:
        return True
    mrr = item.get("mrr_minor")
    return mrr is not None and int(mrr) >= mrr_from_minor


def holder_for(role: str, item: Mapping[str, Any], general: Sequence[Holder]) -> tuple[int | None, str]:
    """Who holds a role for an item's account, and how they come to it; (None, "") where nobody does."""
    named = (item.get("holders") or {}).get(role)
    if named is not None:
        return int(named), "is named for the customer"
    found = next((one for one in general if one.role == role and fits(item, one.conditions, one.mrr_from_minor)), None)
    return (found.person, "is the first one whose conditions fit") if found else (None, "")


def holders() -> tuple[Holder, ...]:
    """Those who hold a role by conditions, in their order; those named for one customer are read with the item."""
    rows = AccountHolder.objects.filter(retired_at=None, customer=None, person__is_active=True)
    return tuple(holder_of(one) for one in rows.order_by("position", "id"))


def holder_of(stored: AccountHolder) -> Holder:
    """A stored one as it is judged by."""
    named = {
        "tier": stored.tiers, "region": stored.regions, "contract_state": stored.contract_states,
        "payment_state": stored.payment_states,
    }  # fmt: skip
    conditions = tuple((name, frozenset(map(str, wanted))) for name, wanted in named.items() if wanted)
    return Holder(stored.role, stored.person_id, conditions, stored.mrr_from_minor)

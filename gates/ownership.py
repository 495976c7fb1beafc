"""Who gets an item: the first rule that fits, a person who is there, and a group behind them. Never nobody."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from gates import accounts, policy
from gates.accounts import Holder
from gates.models import OwnershipRule
from ledger import clock, sets

FRESH_SECONDS = 0.5
# Who is asked when a group has nobody there, lowest first.
CHAIN = ("Support Manager", "Revenue Ops Lead")
LAST_RESORT = "Support Manager"

# Everybody who may work now, with their groups: switched on, and not away at this moment.
THERE = """
select u.id, coalesce(g.name, '') from auth_user u
  left join auth_user_groups ug on ug.user_id = u.id left join auth_group g on g.id = ug.group_id
 where u.is_active and not exists (
       select from gates_absence a where a.user_id = u.id and a.starts_at <= %(now)b and a.ends_at > %(now)b)"""
# What a batch of items has to be told of their customers and contracts, in one statement.
ABOUT = """
select 'customer', id::text, tier, mrr_minor from ledger_customer where id = any(%(customers)b::bigint[])
 union all
select 'action', a.id::text, k.state, null from ledger_action a join ledger_contract k on k.id = a.contract_id
 where a.id = any(%(actions)b::uuid[])"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is judged by; an empty condition fits everything."""

    id: int
    position: int
    title: str
    conditions: tuple[tuple[str, frozenset[str]], ...]
    mrr_from_minor: int | None
    group: str
    person: int | None
    fallback: str
    role: str = ""

    def fits(self, item: Mapping[str, Any]) -> bool:
        """Whether every condition holds. An unknown revenue is below any limit."""
        return accounts.fits(item, self.conditions, self.mrr_from_minor)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who gets an item, and why in words."""

    group: str
    person: int | None
    fallback: str
    routed_by: str
    why: str
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """Rules and who is there, at one moment."""

    rules: tuple[Rule, ...]
    groups: Mapping[str, frozenset[int]]
    present: frozenset[int]
    automations: Mapping[str, policy.Owners]
    holders: tuple[Holder, ...] = ()
    read_at: float = field(default_factory=time.monotonic)

    def is_staffed(self, group: str) -> bool:
        """Whether anybody of the group is there."""
        return bool(self.groups.get(group))

    def reachable(self, wanted: Sequence[str]) -> str:
        """The first of these groups with somebody there; the first one where nobody is anywhere."""
        return next((group for group in wanted if self.is_staffed(group)), wanted[0])

    def above(self, group: str, fallback: str) -> list[str]:
        """The groups an item of this group goes to next, in order; none for the last of the chain."""
        if group in CHAIN:
            return list(CHAIN[CHAIN.index(group) + 1 :])
        return [one for one in dict.fromkeys((fallback, *CHAIN)) if one and one != group]

    def next_group(self, group: str, fallback: str) -> str:
        """Where an item is escalated to: the next group with somebody there, itself at the end of the chain."""
        wanted = self.above(group, fallback)
        return self.reachable(wanted) if wanted else group

    def fallback_of(self, group: str, fallback: str = "") -> str:
        """A fallback for a group: what was named where it is another one, else the next of the chain. Never empty."""
        if fallback and fallback != group:
            return fallback
        return next(iter(self.above(group, "")), LAST_RESORT)

    def owner_of(self, item: Mapping[str, Any]) -> Owner:
        """The owner of an item: `kind`, `why`, `automation`, and of its account `tier`, `region`, `mrr_minor`, ...

        `contract_state`, `payment_state` and `holders`, those named for it: role -> person.
        """
        rule = next((one for one in self.rules if one.fits(item)), None)
        if rule is None:
            nobody = Owner(LAST_RESORT, None, self.fallback_of(LAST_RESORT), "no rule", "no rule fits")
            return self._staffed(nobody)
        automation = self.automations.get(str(item.get("automation") or ""))
        if rule is self.rules[-1] and automation and automation.group:
            name = item.get("automation")
            why = f"only the last rule fits, and the automation {name} has an owner of its own"
            fallback = self.fallback_of(automation.group, automation.fallback)
            return self._staffed(Owner(automation.group, None, fallback, f"owner of {name}", why, rule.id))
        title = f"rule {rule.position}, {rule.title}"
        fallback = self.fallback_of(rule.group, rule.fallback)
        if rule.role and rule.person is None:
            return self._by_role(rule, item, fallback)
        if rule.person is None:
            return self._staffed(Owner(rule.group, None, fallback, rule.title, title, rule.id))
        if rule.person in self.present:
            return Owner(rule.group, rule.person, fallback, rule.title, title, rule.id)
        why = f"{title}; the person it names is away, so the group"
        return self._staffed(Owner(rule.group, None, fallback, rule.title, why, rule.id))

    def _by_role(self, rule: Rule, item: Mapping[str, Any], fallback: str) -> Owner:
        """Whoever holds the role for this account, while there; else the group. The role gives nobody a permission."""
        title, by = f"rule {rule.position}, {rule.title}", f"{rule.title}: {rule.role}"  # the latter is kept
        person, how = accounts.holder_for(rule.role, item, self.holders)
        if person is not None and person in self.present:
            return Owner(rule.group, person, fallback, by, f"{title}; {rule.role} of this account {how}", rule.id)
        missing = f"the {rule.role} of this account is away" if person else f"nobody is {rule.role} of this account"
        return self._staffed(
            Owner(rule.group, None, fallback, rule.title, f"{title}; {missing}, so the group", rule.id)
        )

    def kept(self, item: Mapping[str, Any]) -> Owner:
        """The owner that whoever opened the item named; another one only where nobody of them is there."""
        group, person, by = item["owner_group"], item.get("asked_owner"), str(item["asked_by"])
        owner = Owner(group, person if person in self.present else None, self.fallback_of(group), by, by)
        return owner if owner.person is not None else self._staffed(owner)

    def _staffed(self, owner: Owner) -> Owner:
        """The same owner, or the fallback where the group has nobody there and the fallback has."""
        wanted = (owner.group, owner.fallback, *self.above(owner.fallback, ""))
        found = self.reachable(wanted)
        if found == owner.group:
            return owner
        why = f"{owner.why}; nobody of {owner.group} is there, so {found}"
        return Owner(found, None, self.fallback_of(found), owner.routed_by, why, owner.rule)


_held: list[Routing] = []


def current() -> Routing:
    """Rules and presence, at most half a second old."""
    if not _held or time.monotonic() - _held[0].read_at >= FRESH_SECONDS:
        _held[:] = [read()]
    return _held[0]


def forget() -> None:
    """What was read is old: somebody changed a rule or an absence in this process."""
    _held.clear()


def read() -> Routing:
    """Read the rules, who is there, and who holds roles: three statements."""
    groups: dict[str, set[int]] = {}
    present: set[int] = set()
    for user, group in sets.run(THERE, {"now": clock.now()}):
        present.add(user)
        groups.setdefault(group, set()).add(user)
    rules = tuple(rule_of(one) for one in OwnershipRule.objects.filter(retired_at=None).order_by("position", "id"))
    named = {group: frozenset(people) for group, people in groups.items() if group}
    return Routing(rules, named, frozenset(present), policy.current().owners, accounts.holders())


def rule_of(stored: OwnershipRule) -> Rule:
    """A stored rule as it is judged by."""
    named = {
        "kind": stored.kinds, "why": stored.whys, "tier": stored.tiers, "automation": stored.automations,
        "contract_state": stored.contract_states, "region": stored.regions, "payment_state": stored.payment_states,
    }  # fmt: skip
    conditions = tuple((name, frozenset(map(str, wanted))) for name, wanted in named.items() if wanted)
    return Rule(
        stored.pk, stored.position, stored.title, conditions, stored.mrr_from_minor, stored.group, stored.person_id,
        stored.fallback_group, stored.role,
    )  # fmt: skip


def route(items: Sequence[dict[str, Any]]) -> None:
    """Set owner_group, owner_id, fallback_group, routed_by and, where it was missing, tier of items to be inserted.

    In place. Reads what is missing of their customers and contracts in one statement, in the caller's transaction.
    """
    if not items:
        return
    routing, known = current(), _about(items)
    for one in items:
        about = known.customers.get(one.get("customer_id")) if one.get("customer_id") else None
        if about and not one.get("tier"):
            one["tier"] = about[0]
        fields = {**one, "mrr_minor": one.get("mrr_minor", about[1] if about else None)}
        fields.setdefault("contract_state", known.contract_states.get(str(one.get("action_id"))))
        owner = routing.kept(one) if one.get("asked_by") else routing.owner_of(fields)
        one["owner_group"], one["owner_id"], one["fallback_group"] = owner.group, owner.person, owner.fallback
        one["routed_by"] = owner.routed_by[:200]


@dataclass(frozen=True, slots=True)
class Known:
    """What routing needs of customers (tier, revenue) and of the contracts that actions are about (state)."""

    customers: Mapping[Any, tuple[str, int | None]]
    contract_states: Mapping[str, str]


def _about(items: Sequence[Mapping[str, Any]]) -> Known:
    """Of the items that do not bring it along."""
    customers = [
        one["customer_id"] for one in items if one.get("customer_id") and not (one.get("tier") and "mrr_minor" in one)
    ]
    actions = [one["action_id"] for one in items if one.get("action_id") and "contract_state" not in one]
    if not customers and not actions:
        return Known({}, {})
    wanted = {"customers": sets.placeholders(customers), "actions": sets.placeholders(actions)}
    found: dict[str, dict[Any, Any]] = {"customer": {}, "action": {}}
    for kind, key, word, mrr in sets.run(ABOUT, wanted):
        found[kind][int(key) if kind == "customer" else key] = (word, mrr) if kind == "customer" else word
    return Known(found["customer"], found["action"])


def explain(**fields: Any) -> tuple[OwnershipRule | None, str, User | None, str]:
    """Who would get such an item: (rule, group, person, why in words). Reads the rules as they are this moment.

    Fields: kind, why, tier, automation, contract_state, payment_state, region, mrr_minor (minor units of the
    customer's currency), holders (role -> person, of those named for the customer).
    """
    owner = read().owner_of(fields)
    rule = OwnershipRule.objects.filter(pk=owner.rule).first() if owner.rule else None
    person = User.objects.filter(pk=owner.person).first() if owner.person else None
    return rule, owner.group, person, owner.why

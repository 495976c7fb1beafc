"""Whom an incident touches: rules over what is known of customers, all of which must hold. One statement a question.

A rule is `{"field", "op", "values"}` with op `is` (one of the values) or `is not` (none of them). People write them one
a line, `tier is enterprise, growth`. Archived customers are never matched, and no rule at all matches nobody.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gates.stop import Refused
from ledger import money, sets

Rule = Mapping[str, Any]
MOST_RULES, MOST_VALUES, LONGEST = 10, 200, 120
LINE = re.compile(r"\s*([a-z]+)\s+(is\s+not|is)\s+(.*\S)\s*", re.IGNORECASE | re.DOTALL)
_OF_CONTRACT = (
    "exists (select from ledger_contract k where k.customer_id = c.id and k.state <> 'cancelled' and {} = any({}))"
)
# field -> the condition over a customer `c`; the values come as one array of text.
FIELDS: Mapping[str, str] = {
    "tier": "c.tier = any({})",
    "plan": _OF_CONTRACT.format("k.plan", "{}"),
    "contract": _OF_CONTRACT.format("k.state", "{}"),
    "automation": "exists (select from ledger_action a where a.customer_id = c.id and a.automation = any({})"
    " and a.created_at > now() - interval '30 days')",
    "system": "exists (select from ledger_externalid x where x.customer_id = c.id and x.system = any({}))",
    "tag": "exists (select from ledger_contextrecord r, jsonb_each(r.blocks) b where r.customer_id = c.id"
    " and b.key like 'support:%%' and b.value -> 'tags' ?| {})",
    "currency": "c.currency = any({})",
    "owner": "c.owner = any({})",
    "customer": "c.external_id = any({})",
}
ABOUT: Mapping[str, str] = {
    "tier": "enterprise, growth or starter", "plan": "the plan of a contract that was not cancelled",
    "contract": "the state of a contract, such as active or past_due",
    "automation": "an automation that did something for the customer in 30 days",
    "system": "a system the customer is linked to", "tag": "a tag of the customer's ticket",
    "currency": "the currency the customer pays in", "owner": "the account owner's user name",
    "customer": "our own external id of a customer",
}  # fmt: skip
# Revenue is compared in whole units of each customer's own currency: no rate of exchange is known here.
UNITS = (
    "(c.mrr_minor / case when c.currency = any(%(none)b::text[]) then 1 "
    "when c.currency = any(%(three)b::text[]) then 1000 else 100 end)"
)
TIER_RANK = "case c.tier when 'enterprise' then 0 when 'growth' then 1 else 2 end"
ORDER = f"{UNITS} desc nulls last, {TIER_RANK}, c.id"
DECIMALS = {"none": sorted(money.ZERO_DECIMAL), "three": sorted(money.THREE_DECIMAL)}
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Match:
    """A customer that the rules match."""

    id: int
    external_id: str
    name: str
    tier: str
    owner: str
    mrr_minor: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Matched:
    """What a scope comes to: how many, their revenue by currency, how many each rule alone matches, the first few."""

    total: int
    mrr: dict[str, int]
    tiers: dict[str, int]
    alone: tuple[int, ...]
    first: tuple[Match, ...]


def parse(lines: Sequence[str]) -> list[dict[str, Any]]:
    """Rules as people write them, one a line. Raises Refused 422 naming the line and what is known."""
    found = []
    for number, line in enumerate((one for one in lines if one.strip()), start=1):
        parts = LINE.fullmatch(line)
        if parts is None:
            raise Refused(422, "scope", f"scope: line {number} must read like: tier is enterprise, growth")
        values = [one.strip() for one in parts[3].split(",") if one.strip()]
        op = " ".join(parts[2].lower().split())
        found.append({"field": parts[1].lower(), "op": op, "values": values})
    return check(found)


def check(rules: Any) -> list[dict[str, Any]]:
    """The same rules, clean. Raises Refused 422 naming the rule, its member and the limit."""
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        raise Refused(422, "scope", f"scope: at most {MOST_RULES} rules, one a line")
    return [_checked(number, one) for number, one in enumerate(rules, start=1)]


def _checked(number: int, one: Any) -> dict[str, Any]:
    def wrong(words: str) -> Refused:
        return Refused(422, "scope", f"scope: line {number}, {words}")

    if not isinstance(one, Mapping) or one.get("field") not in FIELDS:
        named = str(one.get("field", ""))[:40] if isinstance(one, Mapping) else ""
        raise wrong(f"{named!r} is not known; known are {', '.join(FIELDS)}")
    if one.get("op") not in ("is", "is not"):
        raise wrong("write is or is not between the field and its values")
    values = one.get("values")
    if not isinstance(values, list) or not 1 <= len(values) <= MOST_VALUES:
        raise wrong(f"1 to {MOST_VALUES} values, comma separated")
    for value in values:
        if not isinstance(value, str) or not 1 <= len(value) <= LONGEST or not value.isprintable():
            raise wrong(f"each value has 1 to {LONGEST} printable characters")
    return {"field": one["field"], "op": one["op"], "values": list(dict.fromkeys(values))}


def text(rules: Sequence[Rule]) -> str:
    """Rules as people edit them."""
    return "\n".join(words(one) for one in rules)


def words(rule: Rule) -> str:
    """One rule as people write it."""
    return f"{rule['field']} {rule['op']} {', '.join(rule['values'])}"


def where(rules: Sequence[Rule]) -> tuple[str, dict[str, Any]]:
    """The condition over customers `c`, and its parameters. No rule: nobody."""
    if not rules:
        return "false", {}
    parts, params = ["c.state <> 'archived'"], {}
    for number, rule in enumerate(rules):
        name = f"rule{number}"
        params[name] = list(rule["values"])
        held = FIELDS[rule["field"]].format(f"%({name})b::text[]")
        parts.append(held if rule["op"] == "is" else f"not {held}")
    return " and ".join(f"({part})" for part in parts), params


def matched(rules: Sequence[Rule]) -> Matched:
    """Count and explain a scope: two statements."""
    condition, params = where(rules)
    sums = sets.run(
        f"select c.tier, c.currency, count(*), coalesce(sum(c.mrr_minor), 0)::bigint from ledger_customer c"
        f" where {condition} group by c.tier, c.currency",
        params,
    )
    tiers: dict[str, int] = {}
    mrr: dict[str, int] = {}
    for tier, currency, count, minor in sums:
        tiers[tier] = tiers.get(tier, 0) + count
        if currency and minor:
            mrr[currency] = mrr.get(currency, 0) + minor
    return Matched(sum(tiers.values()), mrr, tiers, _alone(rules), first(rules))


def first(rules: Sequence[Rule], size: int = SHOWN) -> tuple[Match, ...]:
    """The first customers in the order in which they are written to."""
    condition, params = where(rules)
    rows = sets.run(
        f"select c.id, c.external_id, c.name, c.tier, c.owner, c.mrr_minor, c.currency from ledger_customer c"
        f" where {condition} order by {ORDER} limit %(size)b::int",
        {**params, **DECIMALS, "size": size},
    )
    return tuple(Match(*row) for row in rows)


def _alone(rules: Sequence[Rule]) -> tuple[int, ...]:
    if not rules:
        return ()
    counts, params = [], {}
    for number, rule in enumerate(rules):
        condition, one = where([rule])
        name = f"alone{number}"
        params[name] = one["rule0"]
        counts.append(f"count(*) filter (where {condition.replace('rule0', name)})")
    row = sets.run(f"select {', '.join(counts)} from ledger_customer c", params)[0]
    return tuple(row)

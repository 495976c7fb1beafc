"""Gates that people edit: typed rows over a catalogue of fields. No expression language.

A field of type Money is compared with a value `{currency: minor units}`: amounts of different currencies are never
compared, and a currency that is not listed counts as over every limit.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gates.types import FOLLOWS, Facts, Gate, Proposal, RuleResult, Verdict
from ledger.money import Money, exponent

MOST_MINOR = 2**63 - 1


def _amount(minor: int | None, proposal: Proposal) -> Money | None:
    return None if minor is None else Money(minor, proposal.currency)


def _percent(proposal: Proposal, facts: Facts) -> int | None:
    """What was stored with the action counts; a fresh proposal brings its own."""
    kept = proposal.params.get("confidence")
    if type(kept) is int:
        return kept
    sure = facts.confidence if proposal.confidence is None else proposal.confidence
    return None if sure is None else int(100 * sure + 1e-9)  # 0.799 is under 80


FIELDS: dict[str, tuple[type, Callable[[Proposal, Facts], Any], str]] = {
    "open_disputes": (int, lambda p, f: f.open_disputes, "open disputes of the customer"),
    "fraud_flag": (bool, lambda p, f: f.fraud_flag, "fraud warning on the customer"),
    "tenure_months": (int, lambda p, f: f.tenure_months, "months since the contract started"),
    "amount": (Money, lambda p, f: _amount(p.amount_minor, p), "amount of the action"),
    "amount_30d": (Money, lambda p, f: _amount(f.amount_30d_minor, p), "sum to the customer in 30 days, with pending"),
    "amount_minor": (int, lambda p, f: p.amount_minor, "amount in minor units, of whatever currency"),
    "currency": (str, lambda p, f: p.currency, "currency, lower case"),
    "tier": (str, lambda p, f: f.tier, "customer tier"),
    "contract_state": (str, lambda p, f: f.contract_state, "state of the contract"),
    "erp_status": (str, lambda p, f: f.erp_status, "status in the ERP"),
    "irreversible": (bool, lambda p, f: p.risk.irreversible, "action cannot be undone by itself"),
    "money": (bool, lambda p, f: p.risk.money, "action moves money"),
    "contract": (bool, lambda p, f: p.risk.contract, "action changes a contract"),
    "customer_visible": (bool, lambda p, f: p.risk.customer_visible, "the customer sees it"),
    "reverses": (bool, lambda p, f: p.risk.reverses, "action undoes an earlier one"),
    "agreed": (bool, lambda p, f: bool(p.params.get(FOLLOWS)), "last part of what people agreed to as a whole"),
    "has_owner": (bool, lambda p, f: f.has_owner, "automation has an owner and a fallback"),
    "kind": (str, lambda p, f: p.kind, "kind of action"),
    "confidence": (int, _percent, "how sure the suggestion is, in a hundred"),
    "says_confidence": (bool, lambda p, f: _percent(p, f) is not None, "the suggestion says how sure it is"),
    "automation": (str, lambda p, f: f.automation, "the automation that suggests it, by its short name"),
    "assistant": (bool, lambda p, f: f.assistant, "an assistant asked for it"),
    "prior_disputes": (int, lambda p, f: p.params.get("prior_disputes"), "earlier disputes of the customer"),
}  # fmt: skip


def _over(found: Any, limit: Any) -> bool:
    if not isinstance(found, Money):
        return bool(found > limit)
    return found.currency not in limit or found.minor > limit[found.currency]


OPERATORS: dict[str, tuple[frozenset[type], Callable[[Any, Any], bool]]] = {
    "is": (frozenset({int, bool, str}), lambda a, b: a == b),
    "is_not": (frozenset({int, bool, str}), lambda a, b: a != b),
    "over": (frozenset({int, Money}), _over),
    "at_least": (frozenset({int}), lambda a, b: a >= b),
    "under": (frozenset({int}), lambda a, b: a < b),
    "one_of": (frozenset({str}), lambda a, b: a in b),
}


class BadRow(ValueError):
    """A gate row names an unknown field or operator, or a value of the wrong type; says which and what is allowed."""


def check_row(row: Mapping[str, Any]) -> None:
    """Raises BadRow unless the row could be judged."""
    if row.get("field") not in FIELDS:
        raise BadRow(f"field: {row.get('field')!r} is not known; known are {', '.join(sorted(FIELDS))}")
    kind = FIELDS[row["field"]][0]
    allowed = sorted(name for name, (types, _) in OPERATORS.items() if kind in types)
    if row.get("op") not in allowed:
        raise BadRow(f"op: {row.get('op')!r} does not fit {row['field']}; allowed are {', '.join(allowed)}")
    value = row.get("value")
    if row["op"] == "one_of":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise BadRow(f"value: {row['field']} one_of needs a list of texts")
    elif kind is Money:
        _check_limits(row["field"], value)
    elif type(value) is not kind:
        raise BadRow(f"value: {row['field']} needs a value of type {kind.__name__}, not {value!r}")


def _check_limits(field: str, value: Any) -> None:
    """A limit for each currency; BadRow."""
    if not isinstance(value, dict) or not value:
        raise BadRow(f"value: {field} needs a limit for each currency, such as {{'usd': 50000}}")
    for currency, minor in value.items():
        if not isinstance(currency, str) or currency != currency.lower() or exponent(currency) is None:
            raise BadRow(f"value: {field}: {currency!r} is not a known currency in lower case")
        if type(minor) is not int or not 0 <= minor <= MOST_MINOR:
            raise BadRow(f"value: {field}: the limit for {currency} must be minor units, 0 or more, not {minor!r}")


def evaluate(gate: Gate, proposal: Proposal, facts: Facts) -> RuleResult:
    """The gate's answer. A field that is not known counts as holding: what nobody knows asks a person."""
    if gate.applies_to and proposal.kind not in gate.applies_to:
        return RuleResult(gate.name, Verdict.PASS, version=gate.version)
    for row in gate.rows:
        value = FIELDS[row["field"]][1](proposal, facts)
        if value is not None and not OPERATORS[row["op"]][1](value, row["value"]):
            return RuleResult(gate.name, Verdict.PASS, version=gate.version)
    return RuleResult(gate.name, gate.result, gate.message, version=gate.version)

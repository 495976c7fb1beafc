"""Gates that people edit: typed rows over a catalogue of fields. No expression language."""

from collections.abc import Callable, Mapping
from typing import Any

from gates.types import Facts, Gate, Proposal, RuleResult, Verdict

FIELDS: dict[str, tuple[type, Callable[[Proposal, Facts], Any], str]] = {
    "open_disputes": (int, lambda p, f: f.open_disputes, "open disputes of the customer"),
    "fraud_flag": (bool, lambda p, f: f.fraud_flag, "fraud warning on the customer"),
    "tenure_months": (int, lambda p, f: f.tenure_months, "months since the contract started"),
    "amount_minor": (int, lambda p, f: p.amount_minor, "amount in minor units"),
    "currency": (str, lambda p, f: p.currency, "currency, lower case"),
    "tier": (str, lambda p, f: f.tier, "customer tier"),
    "contract_state": (str, lambda p, f: f.contract_state, "state of the contract"),
    "erp_status": (str, lambda p, f: f.erp_status, "status in the ERP"),
    "irreversible": (bool, lambda p, f: p.risk.irreversible, "action cannot be undone by itself"),
    "money": (bool, lambda p, f: p.risk.money, "action moves money"),
    "contract": (bool, lambda p, f: p.risk.contract, "action changes a contract"),
    "customer_visible": (bool, lambda p, f: p.risk.customer_visible, "the customer sees it"),
    "reverses": (bool, lambda p, f: p.risk.reverses, "action undoes an earlier one"),
    "has_owner": (bool, lambda p, f: f.has_owner, "automation has an owner and a fallback"),
}
OPERATORS: dict[str, tuple[frozenset[type], Callable[[Any, Any], bool]]] = {
    "is": (frozenset({int, bool, str}), lambda a, b: a == b),
    "is_not": (frozenset({int, bool, str}), lambda a, b: a != b),
    "over": (frozenset({int}), lambda a, b: a > b),
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
    elif type(value) is not kind:
        raise BadRow(f"value: {row['field']} needs a value of type {kind.__name__}, not {value!r}")


def evaluate(gate: Gate, proposal: Proposal, facts: Facts) -> RuleResult:
    """The gate's answer. A field that is not known counts as holding: what nobody knows asks a person."""
    if gate.applies_to and proposal.kind not in gate.applies_to:
        return RuleResult(gate.name, Verdict.PASS, version=gate.version)
    for row in gate.rows:
        value = FIELDS[row["field"]][1](proposal, facts)
        if value is not None and not OPERATORS[row["op"]][1](value, row["value"]):
            return RuleResult(gate.name, Verdict.PASS, version=gate.version)
    return RuleResult(gate.name, gate.result, gate.message, version=gate.version)

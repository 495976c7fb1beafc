"""Judge again from what the ledger stored with a decision: the same inputs and versions give the same answer."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from gates.decide import decide
from gates.types import Deal, Decision, Facts, Gate, Invoice, Limits, Payment, Policy, Proposal

TIMES = ("now", "failed_at", "next_attempt_at")


def again(proposal: Proposal, inputs: Mapping[str, Any], gate: Callable[[str, int], Gate]) -> Decision:
    """The decision on stored inputs; `gate` finds a gate by name and version."""
    kept = inputs["policy"]
    return decide(proposal, facts_of(inputs), policy_of(kept, gate), approved_rules=frozenset(kept["approved"]))


def facts_of(inputs: Mapping[str, Any]) -> Facts:
    """The facts as they were judged on."""
    known = {one.name for one in fields(Facts)}
    plain = {name: value for name, value in inputs.items() if name in known}
    plain |= {name: _time(inputs[name]) for name in TIMES}
    plain["synced_at"] = {name: _time(value) for name, value in inputs["synced_at"].items()}
    invoice = inputs["invoice"]
    plain["invoice"] = Invoice(**{**invoice, "next_attempt_at": _time(invoice["next_attempt_at"])}) if invoice else None
    payment = inputs.get("payment")  # rows from before refunds have none
    plain["payment"] = Payment(**payment) if payment else None
    plain["deal"] = _deal(inputs.get("deal"))
    return Facts(**plain)


def _deal(kept: Mapping[str, Any] | None) -> Deal | None:
    return Deal(**{**kept, "lacks": tuple((field, fault) for field, fault in kept["lacks"])}) if kept else None


def policy_of(kept: Mapping[str, Any], gate: Callable[[str, int], Gate]) -> Policy:
    """The policy as it was in force."""
    limits = Limits(**{name: timedelta(seconds=seconds) for name, seconds in kept["limits"].items()})
    gates = tuple(gate(name, version) for name, version in kept["gates"])
    return Policy(gates, limits, kept["stage"], kept["automation"], kept["owned"])


def _time(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value

"""The plain values that judgement works on, as small as they may be; a test names only what it is about."""

from datetime import UTC, datetime, timedelta

from gates.playbooks import dunning
from gates.types import Facts, Gate, Invoice, Policy, Proposal, RuleResult, Verdict

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_facts(*, failed_hours_ago=None, next_attempt_in_hours=None, read_seconds_ago=None, **more):
    """Facts at NOW; the blocks billing, entitlement and support were read so long ago, or never."""
    given = {"now": NOW, "external_id": "mesh-cus-1", **more}
    if failed_hours_ago is not None:
        given["failed_at"] = NOW - failed_hours_ago * HOUR
    if next_attempt_in_hours is not None:
        given["next_attempt_at"] = NOW + next_attempt_in_hours * HOUR
    if read_seconds_ago is not None:
        at = NOW - timedelta(seconds=read_seconds_ago)
        given["synced_at"] = {"billing": at, "entitlement": at, "support": at}
    return Facts(**given)


def make_proposal(kind="contract.suspend", **more):
    """By default the suspension that a failed invoice leads to."""
    given = {
        "target": "contract:in_1", "business_key": "invoice:in_1", "because": "invoice in_1 failed",
        "params": {"invoice": "in_1"}, "risk": dunning.SUSPEND, "needs": dunning.LIVE_BLOCKS, **more,
    }  # fmt: skip
    return Proposal(kind, **given)


def note(**more):
    """A proposal without any risk."""
    return make_proposal("ticket.note", risk=dunning.NOTE, needs=(), **more)


def make_gate(*rows, result=Verdict.REVIEW, name="gate", applies_to=(), version=1):
    return Gate(name, version, tuple(rows), result, f"{name} says so", frozenset(applies_to))


def row(field, op, value):
    return {"field": field, "op": op, "value": value}


def make_policy(*gates, **more):
    return Policy(tuple(gates), **more)


def answer_of(decision, rule):
    """What one rule said."""
    return next(one for one in decision.answers if one.rule == rule)


def always(verdict, name="gate"):
    """A gate that gives this answer to everything."""
    return make_gate(result=verdict, name=name)


__all__ = ["HOUR", "NOW", "Invoice", "RuleResult", "Verdict"]

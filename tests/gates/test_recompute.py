"""Every fact and every part of a policy that judgement sees can be read back from what the ledger keeps."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from gates import recompute
from gates.types import Deal, Facts, Gate, Invoice, Limits, Payment, Policy, Verdict
from ledger import sets
from sync import facts as stored

NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)
# The other invoices, which only withdrawing reads, live; whether there is an owner comes from the policy that is kept.
NOT_KEPT = {"invoices", "has_owner"}
# The stage that segments lowered is kept itself; what the cooling period comes to is the fact `cooled_at`.
NOT_JUDGED_BY = {"segments", "cooling"}


def full():
    """A value of each field's type that is not its default."""
    made = {"now": NOW, "synced_at": {"billing": NOW}, "failed_at": NOW, "next_attempt_at": NOW}
    made |= {"invoice": Invoice("in_1", "open", "R-1", 100, 90, "usd", 2, NOW), "tenure_months": 3}
    made |= {
        "payment": Payment("ch_1", "succeeded", 100, 10, "usd", is_customers=True, is_charged_back=True),
        "amount_30d_minor": 5,
    }
    made |= {"deal": Deal("7", lacks=(("tax_id", "missing"),), amount_minor=5, currency="usd", mapping=2)}
    for one in fields(Facts):
        if one.name in made or one.name in NOT_KEPT:
            continue
        default = one.default
        if isinstance(default, bool):
            made[one.name] = not default
        elif isinstance(default, int):
            made[one.name] = default + 7
        elif isinstance(default, str):
            made[one.name] = f"some {one.name}"
        elif default is None and "datetime" in str(one.type):
            made[one.name] = NOW
        elif default is None and "float" in str(one.type):
            made[one.name] = 0.25
        elif default is None and "int" in str(one.type):
            made[one.name] = 11
        elif default == ():
            made[one.name] = (("amount", "verified", "is", "refund", 3, 9),)  # what a claim says
    return Facts(**made)


def test_every_fact_comes_back_from_the_ledger_as_it_was_judged_on():
    judged_on = full()
    untouched = [
        one.name for one in fields(Facts)
        if one.name not in NOT_KEPT and getattr(judged_on, one.name) == one.default
    ]  # fmt: skip
    assert untouched == [], "give these a value here, so that this test sees them"

    kept = json.loads(sets.to_json(stored.for_ledger(judged_on)))

    again = recompute.facts_of(kept)
    lost = [one.name for one in fields(Facts) if getattr(again, one.name) != getattr(judged_on, one.name)]
    assert lost == [], "sync.facts.for_ledger does not keep these"


def test_every_part_of_a_policy_comes_back_with_it():
    gate = Gate("open-dispute", 3, (), Verdict.BLOCK, "words")
    policy = Policy((gate,), Limits(safety_window=timedelta(hours=50)), "half", 4, is_owned=False)
    for one in fields(Policy):
        if getattr(policy, one.name) == one.default and one.name not in NOT_JUDGED_BY:
            value = {bool: True, int: 9, str: "full"}.get(type(one.default))
            value = timedelta(hours=3) if isinstance(one.default, timedelta) else value
            value = frozenset({"contract.suspend"}) if isinstance(one.default, frozenset) else value
            policy = replace(policy, **{one.name: value})

    kept = json.loads(sets.to_json(policy.basis))

    assert recompute.policy_of(kept, lambda name, version: gate) == policy


def test_a_row_of_an_older_release_has_the_defaults_of_what_came_later():
    again = recompute.facts_of({"now": "2026-11-01T10:00:00+00:00", "tier": "growth", "gone": 1})

    assert again == Facts(now=NOW, tier="growth")

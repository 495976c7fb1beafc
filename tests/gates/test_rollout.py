"""The share of customers an automation acts for: exact within a point, stable, and growing only adds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest

from gates import rollout
from gates.decide import decide
from gates.types import Facts, Policy, Proposal

CUSTOMERS = [f"mesh-cus-{n:08x}" for n in range(10_000)]
STEPS = ["canary", "ten", "half", "full"]


@cache
def members(stage):
    return {one for one in CUSTOMERS if rollout.acts_for(one, stage)}


@pytest.mark.parametrize(("stage", "share"), [("canary", 1), ("ten", 10), ("half", 50), ("full", 100)])
def test_share_is_within_one_point_at_ten_thousand(stage, share):
    assert abs(len(members(stage)) / 100 - share) <= 1


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(STEPS)))
def test_raising_the_share_moves_nobody_out(smaller, larger):
    assert members(smaller) < members(larger)


@pytest.mark.parametrize("stage", ["shadow", "suggest", "paused", "", "unheard of"])
def test_other_stages_act_for_nobody(stage):
    assert not any(rollout.acts_for(one, stage) for one in CUSTOMERS[:200])


def test_the_side_never_changes():
    known = {"mesh-cus-a": 32, "mesh-cus-b": 79, "": 52}

    assert {name: rollout.bucket(name) for name in known} == known


def test_the_lowest_stage_that_fits_a_case_decides_and_is_what_the_ledger_keeps():
    policy = Policy(stage="full", segments={"tier:enterprise": "suggest", "kind:refund": "shadow"})
    proposal = Proposal("ticket.note", "ticket:1", "ticket:1", "because")
    facts = Facts(now=datetime(2026, 6, 1, tzinfo=UTC), external_id="mesh-cus-a")
    cases = {
        ("growth", ""): ("approve", "full"), ("enterprise", ""): ("ask", "suggest"),
        ("enterprise", "refund"): ("observe", "shadow"),
    }  # fmt: skip
    for (tier, kind), (verb, stage) in cases.items():
        decision = decide(proposal, replace(facts, tier=tier, ticket_kind=kind, ticket_id="1"), policy)
        assert (decision.verb, decision.basis["stage"]) == (verb, stage)

    assert rollout.stage_for("asked", policy.segments, "enterprise", "") == "asked"
    until = facts.now + timedelta(hours=1)
    cooled = decide(proposal, replace(facts, ticket_id="1", cooled_at=until), Policy(stage="full"))
    assert (cooled.verb, cooled.until) == ("hold", until)

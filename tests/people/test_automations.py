"""How far an automation is trusted: up one step at a time, down at once, back from a pause no higher than before."""

from itertools import pairwise

import pytest

from gates import automations, policy
from gates.models import Automation
from gates.models.automation import STEPS
from gates.stop import Refused
from ledger.models import LedgerRow
from tests.people.cast import person

pytestmark = pytest.mark.django_db


def step(stage, by=None, name="dunning", reason="ready"):
    return automations.step_to(name, stage, by=by or person("Revenue Ops Lead"), reason=reason)


def stand_in(stage):
    """Bring dunning there; what it takes to earn a stage is tested in test_rollout."""
    automations.place("dunning", stage, why="test")


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(STEPS)))
def test_one_step_up_is_an_edge_and_leaves_its_row(lower, higher):
    stand_in(lower)

    stand_in(higher)

    row = LedgerRow.objects.order_by("-id").first()
    assert Automation.objects.get(name="dunning").state == higher
    assert (row.subject_kind, row.prior_state, row.post_state) == ("rollout", lower, higher)


@pytest.mark.parametrize(("stage", "skipped"), [(a, b) for n, a in enumerate(STEPS) for b in STEPS[n + 2 :]])
def test_no_step_is_skipped_on_the_way_up(stage, skipped):
    stand_in(stage)

    with pytest.raises(Refused) as no:
        step(skipped)

    assert (no.value.status, Automation.objects.get(name="dunning").state) == (409, stage)


@pytest.mark.parametrize("lower", STEPS[:-1])
def test_any_step_down_at_once(lower):
    stand_in("full")

    assert step(lower).state == lower


@pytest.mark.parametrize(("had", "wanted", "goes"), [
    ("ten", "ten", True), ("ten", "suggest", True), ("ten", "half", False), ("shadow", "full", False),
    ("shadow", "suggest", False), ("shadow", "shadow", True), ("full", "full", True),
])  # fmt: skip
def test_a_pause_is_left_to_the_stage_before_or_lower(had, wanted, goes):
    stand_in(had)
    step("paused")

    if goes:
        assert step(wanted).state == wanted
    else:
        with pytest.raises(Refused, match=f"paused in {had}"):
            step(wanted)


def test_paused_observes_only():
    stand_in("full")
    assert policy.read().of("dunning").stage == "full"

    step("paused")

    assert policy.read().of("dunning").stage == "paused"


@pytest.mark.parametrize(
    ("given", "status"), [({"stage": "everywhere"}, 422), ({"stage": "suggest", "reason": " "}, 422),
                          ({"stage": "suggest", "name": "ghost"}, 404)],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(given, status):
    with pytest.raises(Refused) as no:
        step(**given)

    assert no.value.status == status


def test_without_owner_or_fallback_judgement_says_so():
    Automation.objects.filter(name="dunning").update(fallback_group="")

    assert not policy.read().of("dunning").is_owned
    assert policy.read().by_hand().is_owned


def test_an_automation_nobody_installed_may_only_observe():
    assert policy.read().of("ghost").stage == "paused"

"""E2: a person's yes holds for exactly what was shown; what changed afterwards is asked again."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from gates import automations, policy, review
from gates.models import Approval, ReviewItem
from ledger.models import Action
from tests.factories import GateVersionFactory
from tests.flows.world import World
from tests.people.cast import given, person


@pytest.fixture
def asked(world: World) -> Action:
    """A suspension that the automation only suggests."""
    automations.step_to("dunning", "suggest", by=User.objects.get(username="lead-dunning"), reason="test")
    policy._held.clear()
    world.fail(world.customer(), next_attempt_in=None)
    world.settle()
    return Action.objects.get(kind="contract.suspend")


def approve(action: Action) -> None:
    item = ReviewItem.objects.exclude(state="resolved").get(action=action)
    review.approve(item.pk, by=person(), **given(item))


def test_what_was_approved_is_sent_when_its_window_ends(world: World, asked: Action) -> None:
    assert asked.state == "in_review"

    approve(asked)
    world.until("contract.suspend", "applied")

    assert [one["action"] for one in world.effects("netsuite")] == [str(asked.pk)]
    assert Approval.objects.get().voided_at is None


def test_an_approval_that_is_taken_back_in_time_sends_nothing(world: World, asked: Action, settings: Any) -> None:
    settings.MESHLINE_UNDO_SECONDS = 60
    approve(asked)
    world.settle(0.5)
    assert Action.objects.get(pk=asked.pk).state == "approved"

    review.undo(ReviewItem.objects.get(action=asked, resolution="approved").pk, by=person())
    world.settle(0.5)

    assert Action.objects.get(pk=asked.pk).state == "in_review"
    assert world.effects("netsuite") == []


def test_an_approval_is_void_once_the_rules_are_others(world: World, asked: Action, settings: Any) -> None:
    approve(asked)
    GateVersionFactory(rows=[{"field": "open_disputes", "op": "over", "value": 99}])
    policy._held.clear()

    again = world.until("contract.suspend", "in_review")

    assert world.effects("netsuite") == []
    assert Approval.objects.get().voided_at is not None
    assert again.preview_hash != asked.preview_hash
    approve(again)
    world.until("contract.suspend", "applied")

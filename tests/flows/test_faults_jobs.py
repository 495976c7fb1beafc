"""Writes that run as jobs at the provider, and tickets that change under our hands."""

import time
from typing import Any

import pytest

from gates.models import ReviewItem
from ledger.models import Action
from sync import actions, errands, settle
from sync.actions.base import Work
from sync.actions.contract import Suspend
from sync.wiretypes import FrozenRequest
from tests.flows.world import World, steps


class SuspendAsJob(Suspend):
    """The same change, submitted to run later under a key."""

    def freeze(self, work: Work) -> FrozenRequest:
        request = super().freeze(work)
        headers = (*request.headers, ("Prefer", "respond-async"), ("X-NetSuite-Idempotency-Key", work.id))
        return FrozenRequest(request.provider, request.method, request.path, headers, request.body)


@pytest.fixture
def as_job(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Suspensions run as jobs in this test."""
    monkeypatch.setitem(actions.ACTIONS, "contract.suspend", f"{__name__}.SuspendAsJob")
    monkeypatch.setattr(settle, "POLL_SECONDS", 0.05)
    actions.get.cache_clear()
    yield
    actions.get.cache_clear()


def fail_long_ago(world: World) -> None:
    customer = world.customer()
    world.fail(customer, next_attempt_in=None, at=int(world.sandbox.get("/_health")["now"]) - 60)


def test_a_job_is_polled_to_its_end(world: World, as_job: None) -> None:
    fail_long_ago(world)

    done = world.until("contract.suspend", "applied")

    assert done.tries == 1
    assert steps(done) == ["approved", "sending", "applied"]
    assert len(world.effects("netsuite")) == 1


def test_a_lost_submission_finds_its_job_by_the_key(world: World, as_job: None) -> None:
    world.play("netsuite", "set_options", job_delay_s=1.0)
    world.fault({"kind": "lost_answer", "provider": "netsuite", "method": "PATCH", "count": 1})
    fail_long_ago(world)

    done = world.until("contract.suspend", "applied")

    assert "unknown" in steps(done)
    assert len(world.effects("netsuite")) == 1


def test_a_refused_job_fails_and_a_person_gets_it(world: World, as_job: None) -> None:
    world.fault({"kind": "job_rejected", "provider": "netsuite"})
    fail_long_ago(world)

    failed = world.until("contract.suspend", "failed")

    assert failed.tries == 1
    assert ReviewItem.objects.filter(action=failed, state="open").exists()
    assert world.effects("netsuite") == []


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_job_the_provider_lost_is_looked_up(world: World, as_job: None, took_effect: bool) -> None:
    world.fault({"kind": "job_lost", "provider": "netsuite", "method": "PATCH", "effect": took_effect, "count": 1})
    fail_long_ago(world)

    end = world.until("contract.suspend", "applied" if took_effect else "failed", seconds=60)

    assert len(world.effects("netsuite")) == int(took_effect)
    assert ReviewItem.objects.filter(action=end, state="open").exists() is not took_effect


def test_a_ticket_changed_meanwhile_is_written_by_a_new_action(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_long_ago(world)
    send, meddled = errands.send, []

    def meddling(one: Any, request: FrozenRequest, check: Any) -> Any:
        if one.kind_name == "ticket.tag" and not meddled:
            meddled.append(one.id)
            time.sleep(1.1)  # stamps have a resolution of a second
            world.play("zendesk", "agent_comment", ticket=one.known.refs.ticket, body="I had a look")
        return send(one, request, check)

    monkeypatch.setattr(errands, "send", meddling)
    done = world.until("ticket.tag", "applied")

    first = Action.objects.get(pk=meddled[0])
    assert (str(first.state), first.error_code) == ("superseded", "changed_meanwhile")
    assert done.pk != first.pk
    assert done.business_key == f"{first.business_key}#2"
    tags = [one for one in world.writes("zendesk") if one["path"].endswith("/tags")]
    assert len(tags) == 1
    assert not ReviewItem.objects.exists()

"""Workers that die or sleep at the worst moment: what they began is found out, what they wake up to is not theirs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from ledger import claim, clock, sets
from ledger.models import Action, Event, LedgerRow
from sync import claimed, drain, errands, settle, sweep
from tests.flows.world import World, steps


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


def kill(*args: Any) -> None:
    raise KilledError


def expire() -> None:
    """Time passes until every lease has run out."""
    for table in ("ledger_action", "ledger_event"):
        sets.run(f"update {table} set lease_until = now() - interval '1 s' where lease_until is not null", {})
    sweep.sweep()


@contextmanager
def beside(work: Callable[[], Any], at_the_end: Callable[[], Any] = lambda: None) -> Iterator[threading.Thread]:
    """Run something in a thread with a database connection of its own, and see it end whatever happens here."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        at_the_end()
        thread.join(120)
    assert not thread.is_alive()


def fail_long_ago(world: World) -> None:
    """A customer who owes and whose window is over."""
    customer = world.customer()
    world.fail(customer, next_attempt_in=None, at=int(world.sandbox.get("/_health")["now"]) - 60)
    world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})


def count(world: World, provider: str) -> int:
    return len(world.writes(provider))


@pytest.mark.parametrize("moment", ["after the call", "before the call"])
def test_killed_around_the_call_is_applied_once(world: World, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    fail_long_ago(world)
    with monkeypatch.context() as patched:
        if moment == "after the call":
            patched.setattr(settle, "book_sent", kill)
        else:
            patched.setattr(drain.Drain, "go", lambda self, going: kill() if going else None)
        with pytest.raises(KilledError):
            drain.once()
    begun = Action.objects.filter(state="sending")
    assert begun.exists()
    assert all(one.request for one in begun)

    expire()
    assert not Action.objects.filter(state="sending").exists()
    assert Action.objects.filter(state="unknown").exists()
    world.until("ticket.tag", "applied")

    assert set(Action.objects.values_list("state", flat=True)) == {"applied"}
    assert (count(world, "netsuite"), count(world, "zendesk")) == (1, 2)
    assert any("unknown" in steps(one) for one in Action.objects.all())


@pytest.mark.parametrize("slept", ["before the first byte", "before booking"])
def test_a_worker_that_slept_past_its_lease_sends_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, slept: str
) -> None:
    fail_long_ago(world)
    asleep, wake = threading.Event(), threading.Event()
    send, sleeper = errands.send, []

    def sleeping(one: Any, request: Any, check: Callable[[], None]) -> Any:
        if one.kind_name != "contract.suspend" or sleeper:
            return send(one, request, check)
        sleeper.append(one.id)
        done = send(one, request, check) if slept == "before booking" else None
        asleep.set()
        wake.wait(120)
        return done or send(one, request, check)

    monkeypatch.setattr(errands, "send", sleeping)
    with beside(drain.once, wake.set):
        assert asleep.wait(60)
        expire()
        world.until("ticket.tag", "applied")
        rows, writes = LedgerRow.objects.count(), count(world, "netsuite")
        assert steps(Action.objects.get(pk=sleeper[0]))[-2:] != ["sending", "applied"] or slept != "before booking"

    assert writes == 1
    assert (LedgerRow.objects.count(), count(world, "netsuite")) == (rows, writes)
    assert Action.objects.get(pk=sleeper[0]).state == "applied"


def test_two_workers_keep_each_customers_order_and_double_nothing(world: World) -> None:
    customers = [world.customer() for _ in range(8)]
    moment = int(world.sandbox.get("/_health")["now"])
    for customer in customers:
        world.fail(customer, next_attempt_in=None, at=moment - 120, noise=True)
    for customer in customers[:4]:
        world.fail(customer, next_attempt_in=None, at=moment - 60)
        world.pay(customer)
    world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})

    for _ in range(3):
        with beside(drain.once), beside(drain.once):
            pass
    world.settle(0.5)

    assert not Event.objects.exclude(state__in=("processed", "ignored")).exists()
    for lane in set(Event.objects.values_list("lane", flat=True)):
        done = list(Event.objects.filter(lane=lane).order_by("id").values_list("done_at", flat=True))
        assert done == sorted(done)
    writes = [*world.effects("netsuite"), *world.effects("zendesk")]
    marked = [one["action"] for one in writes]
    assert len(marked) == len(set(marked))
    applied = Action.objects.filter(state="applied", kind="contract.suspend")
    assert sorted(str(one.pk) for one in applied) == sorted(one["action"] for one in world.effects("netsuite"))
    assert len(applied) >= 4


def test_a_broken_event_holds_up_its_own_lane_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = world.customer(), world.customer()
    for customer in (bad, good):
        world.fail(customer, next_attempt_in=86_400, noise=True)
    world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
    first = Event.objects.filter(lane__endswith=bad.stripe, type="customer.subscription.created").first()
    first = first or Event.objects.filter(lane__endswith=bad.stripe).order_by("id").first()
    assert first is not None
    book = drain.pipeline.book

    def breaking(heard: Any, token: int, records: Any) -> Any:
        if any(one.id == first.pk for one in heard):
            raise ValueError("cannot be handled")
        return book(heard, token, records)

    with monkeypatch.context() as patched:
        patched.setattr(drain.pipeline, "book", breaking)
        patched.setattr(drain.retry, "EVENT_BASE_SECONDS", 10_000.0)
        drain.once()

    assert not Event.objects.filter(lane__endswith=good.stripe).exclude(state__in=("processed", "ignored")).exists()
    rest = Event.objects.filter(lane=first.lane, pk__gt=first.pk)
    assert {(one.state, one.attempts) for one in rest} == {("received", 0)}
    first.refresh_from_db()
    assert (first.state, first.attempts) == ("received", 1)
    assert "cannot be handled" in first.last_error


def test_one_that_cannot_be_booked_keeps_nobody_else_from_it_and_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_long_ago(world)
    with monkeypatch.context() as patched:
        patched.setattr(settle, "book_sent", kill)
        with pytest.raises(KilledError):
            drain.once()
    expire()
    here = drain.Drain(threads=1, box=0, lease=40)
    found = claimed.load([row[0] for row in here.claim("actions", claim.ACTIONS, 8, 1)], here.token, clock.now())
    suspend, ticket = sorted(found, key=lambda one: one.kind_name)
    answers = [errands.find_out(one).result for one in (suspend, ticket)]
    sets.run("update ledger_action set state_version = state_version + 1 where id = %(id)b", {"id": ticket.id})

    here.by_one(settle.book_sent, answers)

    assert Action.objects.get(pk=suspend.id).state == "applied"
    assert Action.objects.get(pk=ticket.id).state == "unknown"
    here.pool.shutdown()
    sweep.sweep()
    world.until("ticket.open", "applied")

"""The emergency stop while twenty writes are in the air: none begins after it, none is lost, none is sent twice."""

import threading
import time
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from gates import stop
from ledger.models import Action, LedgerRow
from sync import drain, guard, sockets, sweep
from tests.flows.world import World

WRITES = 20


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each write got leave to send its first byte, at the socket."""
    moments: list[float] = []
    look = sockets._ask

    def asking(ask: Any) -> None:
        look(ask)
        moments.append(time.time())

    monkeypatch.setattr(sockets, "_ask", asking)
    return moments


@pytest.fixture
def slow_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write needs longer to get its connection than the one before: 100 ms, 200 ms, ... 2 s."""
    begin, turn, lock = sockets.GuardedConnection._begin, [0], threading.Lock()

    def slowly(self: Any, flight: sockets.Flight) -> None:
        if flight.guard is not None:
            with lock:
                turn[0] += 1
                wait = 0.1 * turn[0]
            if self.sock is None:
                self.connect()
            time.sleep(wait)
        begin(self, flight)

    monkeypatch.setattr(sockets.GuardedConnection, "_begin", slowly)


def people() -> tuple[User, User]:
    return (
        User.objects.create_superuser("mara", "mara@meshline.example", "x"),
        User.objects.create_superuser("ivo", "ivo@meshline.example", "x"),
    )


def owing(world: World, count: int) -> None:
    for _ in range(count):
        world.fail(world.customer(), next_attempt_in=86_400)
    world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})


def draining() -> threading.Thread:
    def work() -> None:
        try:
            drain.Drain(threads=WRITES, box=0, lease=40).run_once()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_no_write_begins_after_the_stop(
    world: World, settings: Any, passed: list[float], slow_to_connect: None
) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    _, ivo = people()
    owing(world, WRITES)
    world.fault({"kind": "slow_connect", "ms": 300, "provider": "zendesk", "probability": 0.5})
    thread = draining()
    wait_for(lambda: len(passed) >= 5)

    stop.engage(stop.ALL, by=ivo, reason="drill")
    committed = time.time()
    thread.join(60)

    begun = len(passed)
    assert 5 <= begun < WRITES
    assert max(passed) <= committed + 1.0
    tickets = Action.objects.filter(kind="ticket.open")
    assert tickets.filter(state="applied").count() == len(world.effects("zendesk")) == begun
    assert tickets.filter(state="parked").count() == WRITES - begun == stop.held_count()

    drain.once()
    sweep.sweep()
    assert stop.held_count() == WRITES - begun
    assert len(passed) == begun


def test_resuming_takes_two_and_releases_a_few_at_a_time_judged_anew(
    world: World, settings: Any, passed: list[float]
) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    mara, ivo = people()
    stop.engage(stop.ALL, by=ivo, reason="drill")
    customers = [world.customer() for _ in range(14)]
    for customer in customers:
        world.fail(customer, next_attempt_in=86_400)
    world.settle()
    assert stop.held_count() == len(customers)
    world.pay(customers[0])
    world.settle()
    assert stop.held_count() == 13

    stop.request_resume(stop.ALL, by=ivo, reason="over")
    with pytest.raises(stop.Refused):
        stop.confirm_resume(stop.ALL, by=ivo)
    drain.once()
    assert stop.held_count() == 13
    resumed = stop.confirm_resume(stop.ALL, by=mara, a_minute=600)
    assert resumed.resumed_at is not None

    assert 1 <= sweep.sweep()["released"] <= 3, "no burst: ten a second, so very few in the first moment"
    for _ in range(200):
        drain.once()
        sweep.sweep()
        if not Action.objects.filter(kind="ticket.open", state__in=("parked", "approved")).exists():
            break

    states = list(Action.objects.filter(kind="ticket.open").values_list("state", flat=True))
    assert sorted(states) == ["applied"] * 13 + ["superseded"]
    assert len(world.effects("zendesk")) == len(passed) == 13
    sent = LedgerRow.objects.filter(subject_kind="action", post_state="sending")
    assert all(datetime.fromisoformat(row.inputs["now"]) > resumed.resumed_at for row in sent)
    rows = LedgerRow.objects.filter(subject_kind="stop").order_by("id")
    assert [row.decision for row in rows] == ["engage", "request_resume", "confirm_resume", "confirm_resume"]


def test_a_stop_that_cannot_be_read_counts_as_on(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    owing(world, 1)
    guard._drop()
    with monkeypatch.context() as patched:
        patched.setattr(guard, "_params", lambda: {"host": "/nowhere", "dbname": "none", "user": "nobody"})
        drain.once()
        action = Action.objects.get(kind="ticket.open")
        assert (action.state, action.tries, action.error_code) == ("approved", 0, "")
        assert "could not be read" in action.last_error
    assert world.writes("zendesk") == []

    world.until("ticket.open", "applied")
    assert len(world.effects("zendesk")) == 1

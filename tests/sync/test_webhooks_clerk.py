"""Group commit: nothing waits for more to come, nothing waits for ever, one bad delivery spoils no other."""

import asyncio
import socket
import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from meshline import clerk as clerks
from meshline.clerk import Clerk
from sync import inbox, receive
from sync.errors import BadBody
from sync.inbox import Delivery, Stored
from sync.wiretypes import Envelope
from tests.sync.test_webhooks import Served, usual


class Store:
    """Stands in for the inbox: notes the groups, and waits where it is told to."""

    def __init__(self):
        self.groups = []
        self.gate = threading.Event()
        self.gate.set()
        self.outcome = Stored(1, new=True, conflicting=False)

    def __call__(self, deliveries):
        self.groups.append(len(deliveries))
        self.gate.wait(10)
        return [self.outcome] * len(deliveries)


@pytest.fixture
def store(monkeypatch):
    stand_in = Store()
    monkeypatch.setattr(inbox, "store_each", stand_in)
    return stand_in


def delivery(number=0):
    envelope = Envelope(f"evt_{number}", "", "x.y", "unknown", "", "cus_1", None)
    return Delivery("stripe", envelope, {}, b"{}", datetime.now(UTC))


def with_clerk(scenario):
    async def run():
        clerk = Clerk(asyncio.get_running_loop())
        try:
            return await scenario(clerk)
        finally:
            clerk.thread.shutdown()

    return asyncio.run(run())


def test_what_waits_while_one_is_stored_is_the_next_group(store):
    async def scenario(clerk):
        store.gate.clear()
        tasks = [asyncio.create_task(clerk.store(delivery(number))) for number in range(30)]
        await asyncio.sleep(0.05)
        store.gate.set()
        return await asyncio.gather(*tasks)

    assert with_clerk(scenario) == [store.outcome] * 30
    assert store.groups == [1, 29]


def test_a_store_that_hangs_is_given_up_and_work_goes_on_afterwards(store, monkeypatch):
    monkeypatch.setattr(receive, "STORE_SECONDS", 0.2)

    async def scenario(clerk):
        store.gate.clear()
        began = time.monotonic()
        stuck = await asyncio.gather(*(clerk.store(delivery(number)) for number in range(5)))
        meanwhile, took = await clerk.store(delivery()), time.monotonic() - began
        store.gate.set()
        await asyncio.sleep(0.1)
        return stuck, meanwhile, took, await clerk.store(delivery())

    stuck, meanwhile, took, afterwards = with_clerk(scenario)

    assert {type(outcome) for outcome in (*stuck, meanwhile)} == {OperationalError}
    assert took < 2
    assert afterwards == store.outcome


def test_those_behind_a_group_that_found_no_database_are_told_at_once(store):
    async def scenario(clerk):
        store.gate.clear()
        store.outcome = OperationalError("away")
        tasks = [asyncio.create_task(clerk.store(delivery(number))) for number in range(9)]
        await asyncio.sleep(0.05)
        store.gate.set()
        return await asyncio.gather(*tasks)

    assert {type(outcome) for outcome in with_clerk(scenario)} == {OperationalError}
    assert store.groups == [1]


def test_refused_one_is_answered_alone(store):
    store.outcome = BadBody(400, "cannot be kept")

    [outcome] = with_clerk(lambda clerk: asyncio.gather(clerk.store(delivery())))

    assert receive.settle(outcome, delivery(), address="").status == 400


def test_full_is_full(store, monkeypatch):
    monkeypatch.setattr(clerks, "MAX_WAITING", 3)

    async def scenario(clerk):
        store.gate.clear()
        tasks = [asyncio.create_task(clerk.store(delivery(number))) for number in range(4)]
        await asyncio.sleep(0.05)
        full = clerk.is_full()
        store.gate.set()
        await asyncio.gather(*tasks)
        return full, clerk.is_full(), clerk.waiting_bytes

    assert with_clerk(scenario) == (True, False, 0)


@pytest.mark.django_db(transaction=True)
def test_front_without_a_database_answers_503_in_time_and_serves_on(tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = Served(tmp_path, database=f"postgres://nobody:x@127.0.0.1:{port}/nothing")
    try:
        began = time.monotonic()
        statuses = [served.deliver(usual(id=f"evt_{number}")) for number in range(3)]
        took = time.monotonic() - began
        alive = served.ask("GET", "/healthz")[0]
    finally:
        served.process.terminate()
        served.process.wait(15)

    assert (statuses, alive, took < 5) == ([503] * 3, 200, True)

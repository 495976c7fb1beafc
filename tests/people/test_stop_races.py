"""The stop at the same instant as something else: exactly one wins, nothing begins after a halt."""

import threading
import time
from functools import partial

import pytest
from django.db import connection

from gates import stop
from gates.models import StopSwitch
from gates.stop import Refused
from ledger.models import LedgerRow
from sync import guard
from sync.errors import WriteHalted
from tests.factories import ActionFactory
from tests.people.cast import person

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 200


@pytest.fixture(autouse=True)
def fresh_guard():
    """The look before a write has a connection of its own; it belongs to this test's database only."""
    guard._drop()
    yield
    guard._drop()


class Sides:
    """Threads that do the same thing round after round, each at the same instant as the others."""

    def __init__(self, *calls):
        self.calls, self.gate = calls, threading.Barrier(len(calls) + 1)
        self.came_to, self.over = [""] * len(calls), False
        self.threads = [threading.Thread(target=self._work, args=one) for one in enumerate(calls)]
        for one in self.threads:
            one.start()

    def _work(self, n, call):
        try:
            while True:
                self.gate.wait(60)
                if self.over:
                    return
                try:
                    self.came_to[n] = call() or ""
                except Refused as refusal:
                    self.came_to[n] = refusal
                except WriteHalted:
                    self.came_to[n] = "halted"
                self.gate.wait(60)
        finally:
            connection.close()

    def round(self):
        self.gate.wait(60)
        self.gate.wait(60)
        return list(self.came_to)

    def end(self):
        self.over = True
        self.gate.wait(60)
        for one in self.threads:
            one.join(60)


@pytest.fixture
def sides():
    made = []

    def make(*calls):
        made.append(Sides(*calls))
        return made[-1]

    yield make
    for one in made:
        one.end()


def put(state, **more):
    """The switch as it stands before a round, past every rule: this is not what is tested."""
    with connection.cursor() as cursor:
        columns = ", ".join(f"{name} = %s" for name in ("state", *more))
        cursor.execute(f"update gates_stopswitch set {columns} where scope = 'all'", [state, *more.values()])


def test_two_confirmations_are_one_resume(sides):
    first, people = person(), (person(), person("Revenue Ops Lead"))
    both = sides(*(partial(confirm, by) for by in people))

    for _ in range(ROUNDS):
        put("resuming", resume_asked_by_id=first.pk)
        came_to = both.round()

        assert sorted(map(bool, came_to)) == [False, True]
        winner, refusal = people[came_to.index("")], next(one for one in came_to if one)
        assert (refusal.status, refusal.code) == (409, "resumed")
        assert f"{winner.username} resumed this at " in refusal.message
    assert LedgerRow.objects.filter(decision="confirm_resume", outcome="running").count() == ROUNDS


def confirm(by):
    stop.confirm_resume("all", by=by)


def test_two_requests_are_one_and_the_other_is_told_who_asked(sides):
    people = person(), person()
    both = sides(*(partial(ask, by) for by in people))

    for _ in range(ROUNDS):
        put("stopped", resume_asked_by_id=None)
        came_to = both.round()

        refusal = next(one for one in came_to if one)
        assert came_to.count("") == 1
        assert refusal.code == "asked"
        assert people[came_to.index("")].username in refusal.message
        assert StopSwitch.objects.get(scope="all").resume_asked_by == people[came_to.index("")]


def ask(by):
    stop.request_resume("all", by=by, reason="mended")


def test_stopping_again_and_confirming_leave_one_outcome(sides):
    first, second, third = person(), person(), person("Support")
    both = sides(partial(confirm, second), partial(engage, third))

    for _ in range(ROUNDS):
        put("resuming", resume_asked_by_id=first.pk, resumed_at=None)
        came_to = both.round()

        assert came_to[1] == "", "a stop is never refused"
        assert StopSwitch.objects.get(scope="all").state == "stopped", "whoever came first, the stop stands in the end"
        assert came_to[0] == "" or came_to[0].code == "not_asked"


def engage(by):
    stop.engage("all", by=by, reason="no")


def test_no_write_gets_leave_after_the_stop_is_committed(sides):
    by, moments = person("Support"), {}
    action = ActionFactory(state="sending", lease_token=7)
    with connection.cursor() as cursor:
        cursor.execute("update ledger_action set lease_until = now() + interval '1 hour' where id = %s", [action.pk])
    look = guard.for_write(str(action.pk), 7, action.provider, action.automation)

    def halt():
        engage(by)
        moments["committed"] = time.monotonic()

    def execute():
        """One write after the other, as a worker does, until one is refused."""
        moments["begun"] = []
        while True:
            asked = time.monotonic()
            look()
            moments["begun"].append(asked)

    both = sides(halt, execute)
    latest = 0.0
    for _ in range(ROUNDS):
        put("running")
        assert both.round() == ["", "halted"]
        late = [asked - moments["committed"] for asked in moments["begun"] if asked > moments["committed"]]
        assert late == [], "leave was given to a write that asked after the stop"
        latest = max([latest, *(asked - moments["committed"] for asked in moments["begun"])])
    assert latest <= 0

"""The resident drain: claims due events and actions, carries them out, books them; for at most its box of seconds.

Provider calls run in threads on plain data; the database is this thread's alone. New rows are claimed as soon as
threads are free, without a barrier between batches. A drain may be killed anywhere: leases bring its rows back.
"""

import contextlib
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from gates import policy
from ledger import claim, clock, sets
from ledger.states import StaleState
from sync import (
    attempts,
    claimed,
    correlate,
    enrich,
    errands,
    guard,
    health,
    listen,
    pipeline,
    retry,
    session,
    settle,
    slots,
    stopflag,
    sweep,
)
from sync.booking import policy_for
from sync.claimed import Claimed
from sync.errands import Done, Looked
from sync.errors import AuthError, PermanentError
from sync.executor import Judged, Sent, row_of
from sync.slack.poster import Poster
from sync.understand import Heard

log = structlog.get_logger(__name__)

EVENT_LANES, EVENT_RUN = 64, 8
TEND_SECONDS = 10.0
FLUSH_SECONDS = 0.025
SWITCH_SECONDS = 0.0005
LOOK_SECONDS = 0.05  # how often a busy drain looks for more when there was little the last time
AHEAD = 3  # actions claimed for each thread: while some are booked, the threads have others
IDLE_SECONDS = 1.0
FINISH_SECONDS = 20.0
BOOKING_FAULTS = (DatabaseError, StaleState, ArithmeticError, LookupError, TypeError, ValueError)


class Drain:
    """One resident. `run` is the whole life of it; the rest are its steps."""

    queue = claim.ACTIONS  # which actions it carries out

    def __init__(self, *, threads: int, box: float, lease: int) -> None:
        self.threads, self.box, self.lease = threads, box, lease
        self.token = random.getrandbits(62)
        # The booking thread gives the interpreter up at each statement; with the usual 5 ms it would queue behind
        # threads that parse answers, at every single statement.
        sys.setswitchinterval(SWITCH_SECONDS)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="drain")
        self.back: SimpleQueue[Done] = SimpleQueue()
        self.in_flight = 0
        self.tended_at = time.monotonic()
        self.pending: dict[Any, float] = {}
        self.look_at, self.few = {"events": 0.0, "actions": 0.0}, {"events": False, "actions": False}
        self.poster = Poster(lambda job, check: self.submit(errands.tell, job, check), self.token, lease)

    def run(self) -> int:
        """Work until the box is over; returns how many events and actions were settled."""
        ends, settled = time.monotonic() + self.box, 0
        self.tended_at = float("-inf")  # whoever was here before may have left something
        session.tune()
        try:
            self.solo()
            while time.monotonic() < ends and not stopflag.is_set():
                settled += self.turn(block=True)
            settled += self.finish()
        finally:
            self.pool.shutdown(wait=False, cancel_futures=True)
        return settled

    def run_once(self) -> int:
        """Work until nothing is due, then return: for tests and one-shot commands."""
        settled = 0
        session.tune()
        try:
            while True:
                moved = self.turn(block=False)
                settled += moved
                if not moved and not self.in_flight:
                    return settled
        finally:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def turn(self, *, block: bool) -> int:
        """Tend leases, claim what fits, book what came back; wait a little when there was nothing."""
        self.tend()
        settled = self.events() + self.actions() + self.poster.look()
        settled += self.collect(FLUSH_SECONDS if self.in_flight else 0.0)
        if not settled and not self.in_flight and block:
            listen.wait(IDLE_SECONDS)
        return settled

    def tend(self) -> None:
        """Every ten seconds: show that we live, prolong leases, sweep. Pending context is shown after the budget."""
        budget = settings.MESHLINE_READ_BUDGET_SECONDS
        for customer, began in list(self.pending.items()):
            if customer and time.monotonic() - began > budget:
                correlate.show_pending(customer)
                del self.pending[customer]
        if time.monotonic() - self.tended_at < TEND_SECONDS:
            return
        self.tended_at = time.monotonic()
        slots.show(self.token)
        claim.renew(self.token, self.lease)
        sweep.sweep()

    def due(self, queue: str) -> bool:
        """Whether to look: always when idle, and when the last look found plenty; else twenty times a second."""
        return not self.in_flight or not self.few[queue] or time.monotonic() >= self.look_at[queue]

    def claim(self, name: str, queue: claim.Queue, lanes: int, run: int) -> list[Any]:
        """Claim from a random lane on, and once more from the first one: a round robin without memory.

        Where there was little the last time, one walk from the first lane sees everything.
        """
        cursor = "" if self.few[name] else f"{random.getrandbits(16):04x}"
        rows = claim.claim(queue, token=self.token, lanes=lanes, run=run, lease=self.lease, cursor=cursor)
        found = len({row[11] for row in rows}) if queue is claim.EVENTS else len(rows)
        if found < lanes and cursor:
            more = claim.claim(queue, token=self.token, lanes=lanes, run=run, lease=self.lease, cursor="")
            found, rows = found + len(more), rows + more
        self.few[name] = found < lanes
        self.look_at[name] = time.monotonic() + LOOK_SECONDS
        return rows

    # --- events

    def events(self) -> int:
        """Claim events and book those that need no read; the others go to threads."""
        if not self.due("events"):
            return 0
        rows = self.claim("events", claim.EVENTS, EVENT_LANES, EVENT_RUN)
        if not rows:
            return 0
        batch = pipeline.read_batch(rows)
        asking = [one for one in batch.heard if one.id in batch.reads]
        behind = pipeline.behind(batch.heard, {one.lane: one.id for one in reversed(asking)})
        claim.release_events([one.id for one in behind], self.token)
        self.ask([one for one in asking if one not in behind], batch.reads)
        left = [one for one in batch.heard if one.id not in batch.reads and one not in behind]
        return sum(self.book_events(group, {}) for group in pipeline.groups(left)) + len(asking)

    def ask(self, asking: Sequence[Heard], reads: Mapping[int, pipeline.Read]) -> None:
        """Have threads ask what these events are about."""
        for name in sorted({reads[one.id][0] for one in asking}):
            for one in self.admitted(name, [one for one in asking if reads[one.id][0] == name]):
                self.submit(errands.look_up, one, *reads[one.id])

    def admitted(self, name: str, asking: list[Heard]) -> list[Heard]:
        """Those that may ask a provider now; the others wait with it. An open breaker lets one through as a probe."""
        now = clock.now()
        until = health.wait_until([name], now)
        state = health.states().get(name)
        going = [] if until else asking[:1] if state and state.open else asking
        wait = (until - now).total_seconds() if until else 1.0
        claim.release_events([one.id for one in asking[len(going) :]], self.token, wait=max(0.05, wait))
        return going

    def book_events(self, heard: Sequence[Heard], records: dict[int, Any]) -> int:
        """Book a group; if it fails, one by one, so that only the bad one is charged with the error.

        What follows the bad one in its lane is given back untried: it must not overtake it.
        """
        if not heard or self.failure_of(heard, records) is None:
            return len(heard)
        broken: set[str] = set()
        for one in heard:
            if one.lane in broken:
                claim.release_events([one.id], self.token)
            elif (error := self.failure_of([one], records)) is not None:
                broken.add(one.lane)
                self.broke(one, error)
        return len(heard)

    def failure_of(self, heard: Sequence[Heard], records: dict[int, Any]) -> Exception | None:
        """Book these in one transaction; what went wrong with them, if the database itself is well."""
        try:
            pipeline.book(heard, self.token, records)
        except (OperationalError, InterfaceError):
            raise
        except (*BOOKING_FAULTS, pipeline.RacedAdoption) as error:
            return error
        return None

    def broke(self, one: Heard, error: Exception) -> None:
        """One event could not be booked: again later, and after twelve tries a person."""
        log.warning("event_broke", event_id=one.id, correlation_id=str(one.correlation_id), error=type(error).__name__)
        if one.attempts >= claim.ATTEMPTS_BEFORE_PARK:
            one.park, one.seen = f"could not be handled in {one.attempts} tries: {type(error).__name__}", None
            pipeline.book([one], self.token, {})
            return
        wait = retry.event_wait(one.attempts, random.random()) * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS
        claim.release_events([one.id], self.token, error=f"{type(error).__name__}: {error}", wait=wait, tried=True)

    # --- actions

    def actions(self) -> int:
        """Claim actions for the free threads; each is read and judged, asked about, or polled in a thread."""
        free = AHEAD * self.threads - self.in_flight
        if free < self.threads or not self.due("actions"):
            return 0
        claim.flip_due()
        rows = self.claim("actions", self.queue, free, 1)
        for one in claimed.load([row[0] for row in rows], self.token, clock.now()) if rows else ():
            self.begin(one)
        return len(rows)

    def begin(self, one: Claimed) -> None:
        """Give one claimed action to a thread, unless its providers must not be called now."""
        asks = one.state in ("sending", "unknown")  # a retried action still names the job that failed
        needs = {one.provider, *(() if asks else (enrich.PROVIDER_OF[name] for name in one.kind.needs))}
        until = health.wait_until(sorted(row_of(name, one) for name in needs), clock.now())
        if until is not None:
            wait = (until - clock.now()).total_seconds()
            claim.release_actions([one.id], self.token, wait=max(0.05, wait))
        elif one.known is None:
            error = PermanentError(
                "the action is about no contract that is known", provider=one.provider, code="unlinked"
            )
            settle.book_judged([Judged(one, error=error)], self.token)
        elif asks:
            self.submit(errands.find_out, one)
        else:
            self.pending[one.customer_id] = time.monotonic()
            self.submit(errands.judge, one, policy_for(policy.current(), one.automation))

    def go(self, going: Sequence[Claimed]) -> None:
        """Send what was booked to be sent."""
        for one in going:
            assert one.work is not None
            assert one.work.request is not None
            free = one.kind.about_nobody
            check = guard.for_write(str(one.id), self.token, one.provider, one.automation, exempt=free)
            self.submit(errands.send, one, one.work.request, check)

    # --- threads

    def submit(self, work: Callable[..., Done], *args: Any) -> None:
        """Run a function of plain data in a thread; its result comes back by the queue."""
        self.in_flight += 1

        def run() -> None:
            self.back.put(work(*args))

        self.pool.submit(run)

    def collect(self, wait: float) -> int:
        """Take what came back within `wait` seconds and book it in groups."""
        done = errands.take(self.back, wait, self.in_flight)
        if not done:
            return 0
        self.in_flight -= len(done)
        results = [one.result for one in done]
        attempts.store(errands.owned(done))
        errors = [one.error for one in results if one.error is not None]
        health.note_calls([exchange for one in done for exchange in one.exchanges], errors)
        for one in results:
            if isinstance(one, Looked):
                self.looked(one)
        judged = [one for one in results if isinstance(one, Judged)]
        for verdict in judged:
            self.pending.pop(verdict.one.customer_id, None)
        judged = [verdict for verdict in judged if not self.put_off(verdict)]
        self.go(self.by_one(settle.book_judged, judged) if judged else [])
        sent = [one for one in results if isinstance(one, Sent)]
        if sent:
            self.by_one(settle.book_sent, sent)
        self.poster.book(results)
        return len(done)

    def put_off(self, verdict: Judged) -> bool:
        """Give back what was judged while its provider asked us to wait: a Retry-After binds every action."""
        now = clock.now()
        until = health.paced_until(row_of(verdict.one.provider, verdict.one), now)
        if until is None or verdict.decision is None or verdict.decision.verb != "approve":
            return False
        claim.release_actions([verdict.one.id], self.token, wait=(until - now).total_seconds())
        return True

    def by_one(self, book: Callable[[Sequence[Any], int], Any], results: Sequence[Any]) -> list[Any]:
        """Book a group; if that fails, one by one, each as it was claimed. One that fails alone is the sweep's."""
        tried = [replace(result, one=copy(result.one)) for result in results]  # booking writes on them as it goes
        try:
            return book(tried, self.token) or []
        except (OperationalError, InterfaceError):
            raise
        except BOOKING_FAULTS as error:
            if len(results) == 1:
                log.exception("action_not_booked", action=str(results[0].one.id), error=type(error).__name__)
                claim.let_go(results[0].one.id, self.token)
                return []
            return [one for result in results for one in self.by_one(book, [result])]

    def looked(self, one: Looked) -> None:
        """A provider answered for an event, or it did not: then the event waits without counting."""
        if one.error is None:
            self.book_events([one.heard], {one.heard.id: one.record})
        elif one.error.is_transient or isinstance(one.error, AuthError):  # refused credentials are not about the event
            wait = max(5.0 * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS, 0.05)
            claim.release_events([one.heard.id], self.token, error=one.error.message, wait=wait)
        else:
            one.heard.park = f"{one.error.provider} cannot say what this is about: {one.error.message}"[:290]
            self.book_events([one.heard], {})

    def finish(self) -> int:
        """No new work: wait for what is in the air, give back what is left."""
        ends, settled = time.monotonic() + FINISH_SECONDS, 0
        while self.in_flight and time.monotonic() < ends:
            settled += self.collect(0.1)
            self.tend()
        return settled

    def solo(self) -> None:
        """Rows that were in flight in several crashes run alone: if one kills us, it is known which."""
        waits = sets.run(
            """select exists (select from ledger_event where state in ('received', 'waiting') and crashes >= 3)
                   or exists (select from ledger_action where in_lane and crashes >= 3)"""
        )
        if not waits[0][0] or not slots.take_solo(self.token):
            return
        alone: dict[str, Any] = {"lanes": 1, "run": 1, "lease": self.lease, "cursor": "", "solo": True}
        try:
            while not stopflag.is_set():
                rows = claim.claim(claim.EVENTS, token=self.token, **alone)
                if rows:
                    batch = pipeline.read_batch(rows)
                    self.ask([one for one in batch.heard if one.id in batch.reads], batch.reads)
                    self.book_events([one for one in batch.heard if one.id not in batch.reads], {})
                    self.finish()
                    continue
                ids = claim.claim(claim.ACTIONS, token=self.token, **alone)
                if not ids:
                    return
                for one in claimed.load([row[0] for row in ids], self.token, clock.now()):
                    self.begin(one)
                self.finish()
        finally:
            slots.leave_solo(self.token)


def resident() -> int:
    """One life of a resident: take a place, work, leave it. Returns what was settled; 0 when there was no place."""
    drain = Drain(
        threads=settings.MESHLINE_DRAIN_THREADS, box=settings.MESHLINE_DRAIN_BOX_SECONDS,
        lease=settings.MESHLINE_LEASE_SECONDS,
    )  # fmt: skip
    try:
        if slots.take(drain.token) is None:
            return 0
        try:
            return drain.run()
        finally:
            slots.leave(drain.token)
    except (DatabaseError, psycopg.Error) as error:
        log.warning("drain_lost_database", error=type(error).__name__)
        _leave_when_back(drain.token)
        return 0


def _leave_when_back(token: int) -> None:
    """Free what this life held as soon as the database is there again, instead of when its leases run out."""
    ends = time.monotonic() + FINISH_SECONDS
    while time.monotonic() < ends and not stopflag.is_set():
        connection.close()
        time.sleep(IDLE_SECONDS)
        with contextlib.suppress(DatabaseError):
            slots.give_up([token])
            return


def once() -> int:
    """Everything that is due now, in this process, without a place: for tests and commands."""
    drain = Drain(threads=settings.MESHLINE_DRAIN_THREADS, box=0, lease=settings.MESHLINE_LEASE_SECONDS)
    return drain.run_once()

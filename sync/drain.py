"""The resident drain: claims due events and actions, carries them out, books them; for at most its box of seconds.

Provider calls run in threads on plain data; the database is this thread's alone. New rows are claimed as soon as
threads are free, without a barrier between batches. A drain may be killed anywhere: leases bring its rows back.
"""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from gates import policy
from ledger import claim, clock, sets
from ledger.states import StaleState
from sync import attempts, claimed, enrich, executor, guard, health, listen, pipeline, retry, settle, slots, stopflag, sweep
from sync.booking import policy_for
from sync.claimed import Claimed
from sync.errors import PermanentError, ProviderError
from sync.executor import Judged, Sent
from sync.understand import Heard
from sync.wiretypes import ContractRecord, Exchange

log = structlog.get_logger(__name__)

EVENT_LANES, EVENT_RUN = 64, 8
TEND_SECONDS = 10.0
FLUSH_SECONDS = 0.025
IDLE_SECONDS = 1.0
FINISH_SECONDS = 20.0


@dataclass(slots=True)
class Looked:
    """An event that needed the ERP to say which contract it is about."""

    heard: Heard
    record: ContractRecord | None = None
    error: ProviderError | None = None


@dataclass(slots=True)
class Done:
    """What came back from a thread, with every exchange it made."""

    result: Judged | Sent | Looked
    exchanges: list[Exchange] = field(default_factory=list)


class Drain:
    """One resident. `run` is the whole life of it; the rest are its steps."""

    def __init__(self, *, threads: int, box: float, lease: int) -> None:
        self.threads, self.box, self.lease = threads, box, lease
        self.token = random.getrandbits(62)
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="drain")
        self.back: SimpleQueue[Done] = SimpleQueue()
        self.in_flight = 0
        self.tended_at = time.monotonic()
        self.pending: dict[Any, float] = {}

    def run(self) -> int:
        """Work until the box is over; returns how many events and actions were settled."""
        ends, settled = time.monotonic() + self.box, 0
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
        settled = self.events() + self.actions()
        settled += self.collect(FLUSH_SECONDS if self.in_flight else 0.0)
        if not settled and not self.in_flight and block:
            listen.wait(IDLE_SECONDS)
        return settled

    def tend(self) -> None:
        """Every ten seconds: show that we live, prolong leases, sweep. Pending context is shown after the budget."""
        budget = settings.MESHLINE_READ_BUDGET_SECONDS
        for customer, began in list(self.pending.items()):
            if time.monotonic() - began > budget:
                _show_pending(customer)
                del self.pending[customer]
        if time.monotonic() - self.tended_at < TEND_SECONDS:
            return
        self.tended_at = time.monotonic()
        slots.show(self.token)
        claim.renew(self.token, self.lease)
        sweep.sweep()

    # --- events

    def events(self) -> int:
        """Claim events and book those that need no read; the others go to threads."""
        rows = _claim(claim.EVENTS, self.token, EVENT_LANES, EVENT_RUN, self.lease)
        if not rows:
            return 0
        batch = pipeline.read_batch(rows)
        asking = [one for one in batch.heard if one.id in batch.reads]
        behind = _behind(batch.heard, {one.lane: one.id for one in reversed(asking)})
        claim.release_events([one.id for one in behind], self.token)
        for one in asking:
            if one not in behind:
                self.submit(_look_up_contract, one, batch.reads[one.id])
        left = [one for one in batch.heard if one.id not in batch.reads and one not in behind]
        return self.book_events(left, {}) + (len(asking) if asking else 0)

    def book_events(self, heard: Sequence[Heard], records: dict[int, ContractRecord | None]) -> int:
        """Book a group; if it fails, one by one, so that only the bad one is charged with the error."""
        if not heard:
            return 0
        try:
            return len(pipeline.book(heard, self.token, records))
        except (OperationalError, InterfaceError):
            raise
        except (DatabaseError, StaleState, pipeline.RacedAdoption, ArithmeticError, LookupError, TypeError, ValueError) as error:
            if len(heard) > 1:
                return sum(self.book_events([one], records) for one in heard)
            self.broke(heard[0], error)
            return 1

    def broke(self, one: Heard, error: Exception) -> None:
        """One event could not be booked: again later, and after twelve tries a person."""
        log.warning("event_broke", event=one.id, correlation_id=str(one.correlation_id), error=type(error).__name__)
        if one.attempts >= claim.ATTEMPTS_BEFORE_PARK:
            one.park, one.seen = f"could not be handled in {one.attempts} tries: {type(error).__name__}", None
            pipeline.book([one], self.token, {})
            return
        wait = retry.event_wait(one.attempts, random.random()) * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS
        claim.release_events([one.id], self.token, error=f"{type(error).__name__}: {error}", wait=wait, tried=True)

    # --- actions

    def actions(self) -> int:
        """Claim actions for the free threads; each is read and judged, asked about, or polled in a thread."""
        free = self.threads - self.in_flight
        if free < 1:
            return 0
        claim.flip_due()
        rows = _claim(claim.ACTIONS, self.token, free, 1, self.lease)
        for one in claimed.load([row[0] for row in rows], self.token, clock.now()) if rows else ():
            self.begin(one)
        return len(rows)

    def begin(self, one: Claimed) -> None:
        """Give one claimed action to a thread, unless its providers must not be called now."""
        asks = one.state == "unknown" or bool(one.job_ref)
        needs = {one.provider, *(() if asks else (enrich.PROVIDER_OF[name] for name in one.kind.needs))}
        until = health.wait_until(sorted(needs), clock.now())
        if until is not None:
            wait = (until - clock.now()).total_seconds()
            claim.release_actions([one.id], self.token, wait=max(0.05, wait))
        elif one.known is None:
            error = PermanentError("the action is about no contract that is known", provider=one.provider, code="unlinked")
            settle.book_judged([Judged(one, error=error)], self.token)
        elif asks:
            self.submit(_find_out, one)
        else:
            self.pending[one.customer_id] = time.monotonic()
            self.submit(_judge, one, policy_for(policy.current(), one.automation))

    def go(self, going: Sequence[Claimed]) -> None:
        """Send what was booked to be sent."""
        for one in going:
            assert one.work is not None and one.work.request is not None
            check = guard.for_write(str(one.id), self.token, one.provider, one.automation)
            self.submit(_send, one, one.work.request, check)

    # --- threads

    def submit(self, work: Callable[..., Done], *args: Any) -> None:
        """Run a function of plain data in a thread; its result comes back by the queue."""
        self.in_flight += 1

        def run() -> None:
            self.back.put(work(*args))

        self.pool.submit(run)

    def collect(self, wait: float) -> int:
        """Take what came back within `wait` seconds and book it in groups."""
        done = _take(self.back, wait)
        if not done:
            return 0
        self.in_flight -= len(done)
        results = [one.result for one in done]
        attempts.store(_owned(done))
        errors = [one.error for one in results if one.error is not None]
        settle.note_health([exchange for one in done for exchange in one.exchanges], errors)
        for one in results:
            if isinstance(one, Looked):
                self.looked(one)
        judged = [one for one in results if isinstance(one, Judged)]
        for verdict in judged:
            self.pending.pop(verdict.one.customer_id, None)
        self.go(self.by_one(settle.book_judged, judged) if judged else [])
        sent = [one for one in results if isinstance(one, Sent)]
        if sent:
            self.by_one(settle.book_sent, sent)
        return len(done)

    def by_one(self, book: Callable[[Sequence[Any], int], Any], results: Sequence[Any]) -> list[Any]:
        """Book a group; if that fails, one by one. One that fails alone is left to its lease: nothing is lost."""
        try:
            return book(results, self.token) or []
        except (OperationalError, InterfaceError):
            raise
        except (DatabaseError, StaleState, ArithmeticError, LookupError, TypeError, ValueError) as error:
            if len(results) == 1:
                log.exception("action_not_booked", action=str(results[0].one.id), error=type(error).__name__)
                return []
            return [one for result in results for one in self.by_one(book, [result])]

    def looked(self, one: Looked) -> None:
        """The ERP answered for an event, or it did not: then the event waits without counting."""
        if one.error is None:
            self.book_events([one.heard], {one.heard.id: one.record})
        elif one.error.is_transient:
            wait = max(5.0 * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS, 0.05)
            claim.release_events([one.heard.id], self.token, error=one.error.message, wait=wait)
        else:
            one.heard.park = f"the ERP cannot say which contract this is: {one.error.message}"[:290]
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
        try:
            while not stopflag.is_set():
                rows = claim.claim(claim.EVENTS, token=self.token, lanes=1, run=1, lease=self.lease, cursor="", solo=True)
                if rows:
                    batch = pipeline.read_batch(rows)
                    self.book_events(batch.heard, {})
                    continue
                ids = claim.claim(claim.ACTIONS, token=self.token, lanes=1, run=1, lease=self.lease, cursor="", solo=True)
                if not ids:
                    return
                for one in claimed.load([row[0] for row in ids], self.token, clock.now()):
                    self.begin(one)
                self.finish()
        finally:
            slots.leave_solo(self.token)


def _claim(queue: claim.Queue, token: int, lanes: int, run: int, lease: int) -> list[Any]:
    """Claim from a random lane on, and once more from the first one: a round robin without memory."""
    cursor = f"{random.getrandbits(16):04x}"
    rows = claim.claim(queue, token=token, lanes=lanes, run=run, lease=lease, cursor=cursor)
    if len({row[11] for row in rows} if queue is claim.EVENTS else rows) < lanes:
        rows += claim.claim(queue, token=token, lanes=lanes, run=run, lease=lease, cursor="")
    return rows


def _behind(heard: Sequence[Heard], first: dict[str, int]) -> list[Heard]:
    """The events that come after one that is still being read, in the same lane."""
    return [one for one in heard if one.lane in first and one.id > first[one.lane]]


def _take(back: "SimpleQueue[Done]", wait: float) -> list[Done]:
    """Everything that is there, waiting up to `wait` seconds for the first."""
    done: list[Done] = []
    try:
        done.append(back.get(timeout=wait) if wait else back.get_nowait())
        while True:
            done.append(back.get_nowait())
    except Empty:
        return done


def _owned(done: Sequence[Done]) -> list[tuple[Any, Any, Exchange]]:
    rows = []
    for one in done:
        looked = isinstance(one.result, Looked)
        action = None if looked else one.result.one.id  # type: ignore[union-attr]
        event = one.result.heard.id if isinstance(one.result, Looked) else None
        rows += [(action, event, exchange) for exchange in one.exchanges]
    return rows


def _look_up_contract(heard: Heard, subscription: str) -> Done:
    done = Done(Looked(heard))
    result = done.result
    assert isinstance(result, Looked)
    try:
        result.record = enrich.contract_of(subscription, done.exchanges)
    except ProviderError as error:
        result.error = error
    return done


def _judge(one: Claimed, rules: Any) -> Done:
    exchanges: list[Exchange] = []
    return Done(executor.judge(one, rules, exchanges), exchanges)


def _send(one: Claimed, request: Any, check: Callable[[], None]) -> Done:
    exchanges: list[Exchange] = []
    return Done(executor.send(one, request, check, exchanges), exchanges)


def _find_out(one: Claimed) -> Done:
    exchanges: list[Exchange] = []
    return Done(executor.find_out(one, exchanges), exchanges)


def _show_pending(customer_id: int) -> None:
    """The read goes on; pages show that it does."""
    sets.run(
        """insert into ledger_contextrecord as x (customer_id, blocks, updated_at, pending_since)
           values (%(id)b, '{}', now(), now())
           on conflict (customer_id) do update set pending_since = coalesce(x.pending_since, now())""",
        {"id": customer_id},
    )


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
        connection.close()
        time.sleep(min(2.0, IDLE_SECONDS))
        return 0


def once() -> int:
    """Everything that is due now, in this process, without a place: for tests and commands."""
    drain = Drain(threads=settings.MESHLINE_DRAIN_THREADS, box=0, lease=settings.MESHLINE_LEASE_SECONDS)
    return drain.run_once()


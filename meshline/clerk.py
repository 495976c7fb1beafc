"""Group commit: one thread of each web process stores the deliveries that wait, all of them in one statement."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from sync import deadline, inbox, receive, refusals
from sync.inbox import Delivery, Stored

MAX_GROUP = 256
# Those behind would wait for seconds; a sender that is told to come again comes again.
MAX_WAITING = 2000
MAX_WAITING_BYTES = 64 * 1024 * 1024
PREPARE_AFTER = 5

Outcome = Stored | Exception
Waiting = list[tuple[Delivery, "asyncio.Future[Outcome]"]]
DATABASE_AWAY = (OperationalError, InterfaceError)


class Clerk:
    """Takes deliveries on the event loop and stores them on its own thread and connection.

    It never waits for more to come: what arrives while one group is being committed is the next group.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: Waiting = []
        self.waiting_bytes = 0
        self.is_busy = False
        self.is_stuck = False
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="clerk")
        self.database: BaseDatabaseWrapper | None = None
        self.tidying: asyncio.TimerHandle | None = None

    def is_full(self) -> bool:
        """Whether more wait than can be stored in good time."""
        return len(self.waiting) >= MAX_WAITING or self.waiting_bytes >= MAX_WAITING_BYTES

    async def store(self, delivery: Delivery) -> Outcome:
        """Store one delivery; an exception as outcome means that it was not."""
        if self.is_stuck:
            return OperationalError("the database does not answer")
        future: asyncio.Future[Outcome] = self.loop.create_future()
        self.waiting.append((delivery, future))
        self.waiting_bytes += len(delivery.raw)
        if not self.is_busy:
            self._begin()
        return await future

    def tidy(self) -> None:
        """Have the refusals written down within a second."""
        if self.tidying is None:
            self.tidying = self.loop.call_later(refusals.FLUSH_SECONDS, self._tidy)

    def close(self) -> None:
        """Write down what is left and end the thread."""
        self.thread.submit(refusals.flush)
        self.thread.submit(connections.close_all)
        self.thread.shutdown()

    def _tidy(self) -> None:
        self.tidying = None
        self.thread.submit(refusals.flush)

    def _begin(self) -> None:
        group, self.waiting = self.waiting[:MAX_GROUP], self.waiting[MAX_GROUP:]
        self.waiting_bytes -= sum(len(delivery.raw) for delivery, _ in group)
        self.is_busy = True
        alarm = self.loop.call_later(receive.STORE_SECONDS, self._give_up, group)
        self.thread.submit(self._work, group, alarm)

    def _work(self, group: Waiting, alarm: asyncio.TimerHandle) -> None:
        """On the clerk's thread."""
        outcomes: list[Outcome]
        try:
            self.database = connections[DEFAULT_DB_ALIAS]
            prepare_statements(self.database)
            outcomes = list(inbox.store_each([delivery for delivery, _ in group]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must reach those who wait
            outcomes = [error] * len(group)
        self.loop.call_soon_threadsafe(self._end, group, outcomes, alarm)

    def _end(self, group: Waiting, outcomes: list[Outcome], alarm: asyncio.TimerHandle) -> None:
        alarm.cancel()
        self.is_busy = self.is_stuck = False
        if isinstance(outcomes[-1], DATABASE_AWAY):  # those behind would wait as long, for the same
            self._fail(self._all_waiting(), outcomes[-1])
        if self.waiting:
            self._begin()
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)

    def _give_up(self, group: Waiting) -> None:
        """The time that a provider is made to wait is over. What is committed all the same will be a duplicate."""
        self.is_stuck = True
        if self.database is not None:
            deadline.cut(self.database)
        self._fail(group + self._all_waiting(), OperationalError("the database took too long"))

    def _all_waiting(self) -> Waiting:
        group, self.waiting, self.waiting_bytes = self.waiting, [], 0
        return group

    @staticmethod
    def _fail(group: Waiting, error: Exception) -> None:
        for _, future in group:
            if not future.done():
                future.set_result(error)


def prepare_statements(database: BaseDatabaseWrapper) -> None:
    """Plan the one statement once for each session: half of the database's work for a small group is planning.

    Not behind a transaction pooler, which would hand the next group to another session; where there is one, the
    address for sessions of our own is another than the usual one.
    """
    session = database.connection
    if session is not None and session.prepare_threshold is None and has_own_sessions():
        session.prepare_threshold = PREPARE_AFTER


def has_own_sessions() -> bool:
    """Whether the usual database address leads to the server itself."""
    usual, direct = settings.DATABASES[DEFAULT_DB_ALIAS], settings.MESHLINE_DIRECT_DATABASE
    return all(usual[part] == direct[part] for part in ("HOST", "PORT", "USER"))

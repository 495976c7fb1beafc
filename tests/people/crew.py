"""People who press at the same instant: threads with a connection each, kept for all rounds of a race."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from django.db import connection

from gates.stop import Refused


class Crew:
    """`size` threads that start each round together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pool = ThreadPoolExecutor(size)
        self.gate = threading.Barrier(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.at_once(*[_hang_up] * self.size)
        self.pool.shutdown()

    def at_once(self, *calls: Callable[[], Any]) -> list[Any]:
        """What each call came to: its result, or its refusal. Anything else is raised."""
        assert len(calls) == self.size
        return [one.result(60) for one in [self.pool.submit(self._run, call) for call in calls]]

    def _run(self, call: Callable[[], Any]) -> Any:
        self.gate.wait(30)
        try:
            return call()
        except Refused as refusal:
            return refusal


def _hang_up() -> None:
    """Close the connection of the thread this runs in."""
    connection.close()


def losers(results: list[Any]) -> list[Refused]:
    """Those who were refused."""
    return [one for one in results if isinstance(one, Refused)]

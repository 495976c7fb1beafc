"""What a measuring function gives back, and how a statement is bounded in time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import sets

MOST_MS = 2000
Samples = Sequence[tuple[float, float]]  # seconds since 1970, value; oldest first


@dataclass(frozen=True, slots=True)
class Found:
    """A number with its sentence. `over` is set where more than the limit decides; `keep` is stored as a sample."""

    value: float
    said: str
    subject: str = ""
    over: bool | None = None
    keep: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What a measuring function gets: the present instant, its limit, and the samples kept of it."""

    now: datetime
    limit: float
    samples: Samples = ()


Measure = Callable[[Ask], list[Found]]


class Unmeasured(Exception):
    """There is a number, but nobody can tell it now; the words say why."""


def rows(query: str, params: Mapping[str, Any]) -> list[Any]:
    """A statement within its time, in the caller's transaction. Raises OperationalError when it took longer."""
    sets.run(f"set local statement_timeout = {MOST_MS}")
    return list(sets.run(query, dict(params)))


def many(count: int, word: str, plural: str = "") -> str:
    """`1 event`, `2 events`."""
    return f"{count:,} {word if count == 1 else plural or f'{word}s'}"

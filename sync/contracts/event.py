"""The shape of an event contract."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Semantics(StrEnum):
    """How far an event may be believed."""

    TRANSIENT = "transient"  # may still turn: a failed payment that will be tried again
    FINAL = "final"  # does not turn: paid, deleted
    CONTRADICTING = "contradicting"  # cancels what an earlier event set in motion
    INFORMATIONAL = "informational"  # kept, starts nothing


@dataclass(frozen=True, slots=True)
class EventContract:
    """Our word for an event, its meaning, and the members its object must have."""

    kind: str
    semantics: Semantics
    required: tuple[str, ...] = ()


UNKNOWN = EventContract("unknown", Semantics.INFORMATIONAL)

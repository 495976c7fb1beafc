"""The stop trips itself: what was measured against its limits, and the halt when one is passed.

What was measured before the last resume counts no more: whoever resumed looked at it, and the same numbers must not
stop everything again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from gates import items, stop
from gates.models import StopSwitch
from ledger import clock, money
from ledger.identity import new_action_id

WINDOW = timedelta(hours=1)
ACTOR = "system:trip"
ITEM, OWNER = "stop.tripped", "Revenue Ops Lead"


@dataclass(frozen=True, slots=True)
class Measured:
    """What happened since a moment. `sums` are refunds begun in minor units by currency, `unknown` of `writes`."""

    refunds: int = 0
    sums: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    contradicting: int = 0
    writes: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Trip:
    """A limit that was passed, with its numbers."""

    rule: str
    sentence: str
    value: int
    limit: int


def window(now: datetime | None = None) -> datetime:
    """From when on counts: an hour ago, or the last resume where that is later.

    A resume that lies ahead is of a clock that was set back: it must not blind the trips until then.
    """
    at = now or clock.now()
    resumed = StopSwitch.objects.filter(scope=stop.ALL).values_list("resumed_at", flat=True).first()
    return max(at - WINDOW, resumed) if resumed is not None and resumed <= at else at - WINDOW


def exceeded(found: Measured, limits: Mapping[str, Any]) -> list[Trip]:
    """Every limit that these numbers pass. Pure."""
    return [
        *_counted("refund_count", "refunds", found.refunds, limits["refund_count"]),
        *_sums(found.sums, limits["refund_sum"]),
        *_share("contradiction", "events that contradict one before", found.contradicting, found.events, limits),
        *_share("unknown", "writes whose outcome nobody knows", found.unknown, found.writes, limits),
    ]


def check(found: Measured) -> list[Trip]:
    """Halt everything where a limit is passed; what tripped it, or nothing where all is well or halted already."""
    trips = exceeded(found, settings.MESHLINE_TRIPS)
    return trips if trips and trip(trips) else []


def trip(trips: list[Trip]) -> bool:
    """Engage the whole stop without a person, with its ledger row and an item; False where it is not running."""
    reason = "; ".join(one.sentence for one in trips)[:500]
    with transaction.atomic():
        numbers = {one.rule: {"value": one.value, "limit": one.limit} for one in trips}
        if stop.trip(stop.ALL, actor=ACTOR, reason=reason, inputs=numbers) is None:
            return False
        item = {
            "kind": ITEM, "why": trips[0].rule, "owner_group": OWNER, "correlation_id": new_action_id(),
            "sentence": "The emergency stop tripped itself: look at why, then two people resume.", "reason": reason,
        }  # fmt: skip
        items.open_tasks([item])
    return True


def _counted(rule: str, words: str, value: int, limit: int) -> list[Trip]:
    if not limit or value <= limit:
        return []
    return [Trip(rule, f"{value} {words} in an hour, over the limit of {limit}", value, limit)]


def _sums(sums: Mapping[str, int], limits: Mapping[str, int]) -> list[Trip]:
    over = [(currency, minor) for currency, minor in sorted(sums.items()) if minor > limits.get(currency, minor)]
    return [
        Trip(
            "refund_sum",
            f"refunds of {money.display(minor, currency)} in an hour, over the limit of"
            f" {money.display(limits[currency], currency)}",
            minor, limits[currency],
        )
        for currency, minor in over
    ]  # fmt: skip


def _share(name: str, words: str, part: int, whole: int, limits: Mapping[str, Any]) -> list[Trip]:
    percent, least = limits[f"{name}_percent"], limits[f"{name}_least"]
    if not percent or whole < least or part * 100 <= percent * whole:
        return []
    share = part * 100 // whole
    return [Trip(f"{name}_share", f"{share} % {words} in an hour, over the limit of {percent} %", share, percent)]

"""Reading at the door what only the provider knows, within the budget of a page and outside any transaction."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings

from gates.stop import Refused
from ledger import clock
from sync import attempts, correlate, enrich, health
from sync.actions.base import ActionKind
from sync.errors import ProviderError
from sync.facts import Known
from sync.wiretypes import Exchange

THREADS = 4  # a provider that hangs holds up these and no more of a web process
NEVER_FRESH = timedelta()
LATER = "nothing was asked for, try again in a minute"

_pools: dict[int, ThreadPoolExecutor] = {}


@dataclass(slots=True)
class Seen:
    """What was read, and every exchange that was made for it."""

    blocks: dict[str, Any] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    def onto(self, known: Known) -> Known:
        """The contract with what was read."""
        known.blocks |= self.blocks
        return known

    def keep(self, action_id: Any, event_id: int | None) -> None:
        """Store what was said to the provider with the action it was said for."""
        attempts.store((action_id, event_id, one) for one in self.exchanges)


def read(chosen: ActionKind, contract_id: int, params: Mapping[str, Any], *, is_noted: bool = True) -> Seen:
    """Read what a kind has to know before it may be asked for; nothing where it needs nothing.

    Raises Refused 409 when the provider cannot be asked now, refuses, or does not answer within the budget. With
    `is_noted` a failure counts for the provider's breaker.
    """
    seen = Seen()
    known = correlate.load([contract_id])[contract_id] if chosen.reads_to_ask else None
    names = enrich.stale(known, chosen.reads_to_ask, clock.now(), NEVER_FRESH, params) if known else []
    if known is None or not names:
        return seen
    refuse_paused({enrich.PROVIDER_OF[name] for name in names})
    budget = settings.MESHLINE_READ_BUDGET_SECONDS
    reading = pool().submit(enrich.read, known, names, seen.exchanges, params)
    try:
        seen.blocks = reading.result(timeout=budget)
    except TimeoutError:
        reading.cancel()
        raise Refused(
            409, "not_readable", f"{chosen.verb}: the provider did not answer within {budget} s; {LATER}"
        ) from None
    except ProviderError as error:
        if is_noted:
            Seen(exchanges=seen.exchanges).keep(None, None)
            health.note_calls(seen.exchanges, [error])
        raise Refused(409, "not_readable", f"{chosen.verb}: it cannot be read now, {error.message}; {LATER}") from error
    return seen


def refuse_paused(providers: set[str]) -> None:
    """While a breaker is open the probe is a worker's; a page asks nothing."""
    for name in sorted(providers):
        state = health.states().get(name)
        if health.paced_until(name, clock.now()) or (state and state.open):
            raise Refused(409, "not_readable", f"calls to {name} are paused after failures; {LATER}")


def pool() -> ThreadPoolExecutor:
    """This process's own: threads do not survive a fork."""
    pool = _pools.get(os.getpid())
    if pool is None:
        _pools.clear()
        pool = _pools[os.getpid()] = ThreadPoolExecutor(THREADS, thread_name_prefix="door")
    return pool

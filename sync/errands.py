"""What a drain's threads do: one look-up, one judgement, one write or one question each, on plain data.

What comes back says what came of it and carries every exchange that was made. An errand always comes back: a bug in
an adapter or a rule becomes an error of the one it happened to, never a thread that is missed for ever.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from gates.types import Policy
from sync import enrich, executor
from sync.claimed import Claimed
from sync.errors import PermanentError, ProviderError
from sync.executor import Judged, Sent
from sync.providers import stripe_accounts
from sync.slack import poster
from sync.slack.poster import Note, Post, Told
from sync.understand import Heard
from sync.wiretypes import Exchange, FrozenRequest

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Looked:
    """An event that needed a provider to say what it is about: a contract's record, or a deal's block."""

    heard: Heard
    record: Any = None
    error: ProviderError | None = None


@dataclass(slots=True)
class Done:
    """What came back from a thread, with every exchange it made."""

    result: Judged | Sent | Looked | Told
    exchanges: list[Exchange] = field(default_factory=list)


def owned(done: Sequence[Done]) -> list[tuple[Any, int | None, Exchange]]:
    """Every exchange with the action or the event it was made for."""
    rows: list[tuple[Any, int | None, Exchange]] = []
    for one in done:
        owner = _owner(one.result)
        rows += [(*owner, exchange) for exchange in one.exchanges]
    return rows


def _owner(result: Judged | Sent | Looked | Told) -> tuple[Any, int | None]:
    if isinstance(result, Told):
        return None, result.event_id
    return (None, result.heard.id) if isinstance(result, Looked) else (result.one.id, None)


def tell(job: Post | Note, check: Callable[[], None]) -> Done:
    """Write one message or note."""
    exchanges: list[Exchange] = []
    return Done(poster.call(job, check, exchanges), exchanges)


def look_up(heard: Heard, provider: str, value: Any) -> Done:
    """Ask what an event is about: the ERP for a subscription's contract, the CRM for a deal or those that wait."""
    result, exchanges = Looked(heard), list[Exchange]()
    try:
        with stripe_accounts.acting_for(heard.account if heard.source == stripe_accounts.PROVIDER else ""):
            result.record = enrich.about(provider, value, exchanges)
    except ProviderError as error:
        result.error = error
    except Exception as error:  # noqa: BLE001 - see the module's own words
        result.error = _bug("look_up", error)
    return Done(result, exchanges)


def judge(one: Claimed, rules: Policy) -> Done:
    """Read what is stale and judge again."""
    exchanges: list[Exchange] = []
    try:
        result = executor.judge(one, rules, exchanges)
    except Exception as error:  # noqa: BLE001 - see the module's own words
        result = Judged(one, error=_bug("judge", error))
    return Done(result, exchanges)


def send(one: Claimed, request: FrozenRequest, check: Callable[[], None]) -> Done:
    """Send a frozen request."""
    exchanges: list[Exchange] = []
    return Done(executor.send(one, request, check, exchanges), exchanges)


def find_out(one: Claimed) -> Done:
    """Ask what became of a write."""
    exchanges: list[Exchange] = []
    return Done(executor.find_out(one, exchanges), exchanges)


def take(back: "SimpleQueue[Done]", wait: float, most: int) -> list[Done]:
    """Everything that comes back within `wait` seconds: booking it together costs a fraction of one by one."""
    done: list[Done] = []
    ends = time.monotonic() + wait
    with contextlib.suppress(Empty):
        while len(done) < most:
            left = ends - time.monotonic()
            done.append(back.get(timeout=left) if left > 0 else back.get_nowait())
    return done


def _bug(errand: str, error: Exception) -> PermanentError:
    log.error("errand_broke", errand=errand, error=type(error).__name__, exc_info=error)
    return PermanentError(f"{errand} broke: {type(error).__name__}", code="bug")

"""How each connection is doing, in a fixed number of statements however many systems there are.

Attempts and events are only looked at among the newest ones, so the page costs the same after years.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from ledger import cells, clock, sets
from sync import contracts, providers
from sync.connections import known
from sync.connections.known import Known
from sync.connections.models import ConnectionCheck
from sync.models import ProviderState, RefusalCount

MOST_ATTEMPTS, MOST_EVENTS, MOST_REFUSALS = 2_000, 10_000, 50
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SKEW_SECONDS = 120  # deliveries are refused at 300
LEAST_REQUESTS, MOST_FAILING = 5, 0.5
POLL_LATE = timedelta(hours=1)

# An error is what says that the connection is bad: no answer, broken, not let in, told to wait.
RATES = """
select p.name, count(a.id) filter (where a.began_at > %(hour)b::timestamptz),
       count(a.id) filter (where a.began_at > %(hour)b::timestamptz and a.bad), count(a.id),
       count(a.id) filter (where a.bad), max(a.began_at) filter (where not a.bad)
  from unnest(%(names)b::text[]) as p(name)
  left join lateral (
    select id, began_at, status is null or status >= 500 or status in (401, 403, 408, 429) as bad from (
      select id, began_at, status from sync_attempt where provider = p.name order by id desc limit %(most)b::int) newest
     where began_at > %(day)b::timestamptz) a on true
 group by p.name"""
DELIVERIES = """
select distinct on (source) source, received_at, api_version, id from (
  select id, source, received_at, api_version, type from ledger_event order by id desc limit %(most)b::int) newest
 where not type = any(%(tests)b::text[]) order by source, id desc"""
REASONS = """
select p.name, r.reason, count(*) from unnest(%(names)b::text[]) as p(name)
 cross join lateral (
   select reason from (select reason, refused_at from sync_refusal where source = p.name order by id desc
                        limit %(most)b::int) newest
    where refused_at > %(day)b::timestamptz) r
 group by p.name, r.reason order by count(*) desc, r.reason"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests of a time and how many of them went wrong."""

    requests: int = 0
    failed: int = 0

    @property
    def words(self) -> str:
        """As a page says it."""
        if not self.requests:
            return "no requests"
        return f"{self.failed / self.requests:.0%} of {self.requests:,}"


@dataclass(slots=True)
class Card:
    """Everything that is shown of one system."""

    known: Known
    state: ProviderState | None = None
    check: ConnectionCheck | None = None
    hour: Rate = Rate()
    day: Rate = Rate()
    answered_at: datetime | None = None
    delivered_at: datetime | None = None
    newest_version: str = ""
    refused: int = 0
    reasons: list[tuple[str, int]] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)  # further accounts whose calls are paused
    problems: list[str] = field(default_factory=list)

    @property
    def provider(self) -> str:
        """Its name."""
        return self.known.provider


def cards() -> list[Card]:
    """One for each system that can be connected, used or not; six statements."""
    now = clock.now()
    names = [name for name in providers.PROVIDERS if name in known.VARIABLES or name in settings.MESHLINE_PROVIDERS]
    states = {one.provider: one for one in ProviderState.objects.all()}
    checks = {one.provider: one for one in ConnectionCheck.objects.filter(provider__in=names)}
    rates, delivered, refusals, reasons = _rates(names, now), _deliveries(), _refusals(names, now), _reasons(names, now)
    found = []
    for name in names:
        card = Card(known.of(name), states.get(name), checks.get(name))
        card.hour, card.day, answered_at = rates.get(name, (Rate(), Rate(), None))
        noted_at = card.state.last_success_at if card.state else None
        card.answered_at = max((one for one in (answered_at, noted_at) if one), default=None)
        card.delivered_at, card.newest_version = delivered.get(name, (None, ""))
        card.refused, card.reasons = refusals.get(name, 0), reasons.get(name, [])
        card.paused = sorted(
            key.partition(":")[2] for key, one in states.items()
            if key.startswith(f"{name}:") and one.breaker == ProviderState.Breaker.OPEN
        )  # fmt: skip
        card.problems = problems(card, now)
        found.append(card)
    return found


def problems(card: Card, now: datetime) -> list[str]:
    """What is wrong with a connection, each as a sentence; empty where all is well, or nobody wants it."""
    if not card.known.is_used:
        return []
    found = [f"{variable} is not set." for variable in card.known.missing]
    if not card.known.host:
        found.append("No address is set.")
    if card.state is not None and card.state.breaker == ProviderState.Breaker.OPEN:
        found.append("Calls are paused after failures; one is tried every half minute.")
    found += [
        f"Calls to account {one} are paused after failures; one is tried every half minute." for one in card.paused
    ]
    if card.hour.requests >= LEAST_REQUESTS and card.hour.failed >= MOST_FAILING * card.hour.requests:
        found.append(f"{card.hour.failed} of {card.hour.requests} requests failed within the hour.")
    return found + (_of_check(card.check, now) if card.check else [])


def _of_check(check: ConnectionCheck, now: datetime) -> list[str]:
    found = []
    if check.ok is False:
        found.append(f"The last check failed: {check.said}.")
    skew = check.found.get("skew_s")
    if isinstance(skew, int) and abs(skew) > SKEW_SECONDS:
        found.append(f"Its clock and ours differ by {abs(skew)} s; deliveries are refused from 300 s on.")
    if check.found.get("scopes_missing"):
        found.append(f"The token lacks {', '.join(check.found['scopes_missing'])}.")
    if check.ping and not check.ping.get("ok"):
        found.append(f"The test delivery failed: {check.ping.get('said', '')}.")
    if check.polled.get("missing"):
        found.append(
            f"{_changes(check.polled['missing'])} on its own list never came as a delivery: check its webhook."
        )
    if check.polled_at is not None and now - check.polled_at > POLL_LATE:
        found.append(f"It was last asked for missed changes {cells.length(now - check.polled_at)} ago.")
    return found


def _changes(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"


def _rates(names: Sequence[str], now: datetime) -> Mapping[str, tuple[Rate, Rate, datetime | None]]:
    rows = sets.run(RATES, {"names": list(names), "most": MOST_ATTEMPTS, "hour": now - HOUR, "day": now - DAY})
    return {row[0]: (Rate(row[1], row[2]), Rate(row[3], row[4]), row[5]) for row in rows}


def _deliveries() -> Mapping[str, tuple[datetime, str]]:
    tests = [contracts.TEST_EVENT, f"event:{contracts.TEST_EVENT}"]
    rows = sets.run(DELIVERIES, {"most": MOST_EVENTS, "tests": tests})
    return {row[0]: (row[1], row[2]) for row in rows}


def _refusals(names: Sequence[str], now: datetime) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    rows = RefusalCount.objects.filter(source__in=names, hour__gt=now - DAY).values_list("source", "refused")
    for source, refused in rows:
        counted[source] = counted.get(source, 0) + refused
    return counted


def _reasons(names: Sequence[str], now: datetime) -> Mapping[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for name, reason, count in sets.run(REASONS, {"names": list(names), "most": MOST_REFUSALS, "day": now - DAY}):
        found.setdefault(name, []).append((reason, count))
    return found


def as_json(card: Card) -> dict[str, Any]:
    """A card for programs; no secret is in it."""
    check, state = card.check, card.state
    return {
        "provider": card.provider, "used": card.known.is_used, "mode": card.known.mode, "host": card.known.host,
        "account": card.known.account, "missing": card.known.missing, "problems": card.problems,
        "breaker": state.breaker if state else "closed",
        "last_success_at": card.answered_at.isoformat() if card.answered_at else None,
        "hour": {"requests": card.hour.requests, "failed": card.hour.failed},
        "day": {"requests": card.day.requests, "failed": card.day.failed},
        "last_delivery_at": card.delivered_at.isoformat() if card.delivered_at else None, "refused_day": card.refused,
        "checked_at": check.checked_at.isoformat() if check and check.checked_at else None,
        "check": {"ok": check.ok, "said": check.said, "ms": check.ms, **check.found} if check else None,
        "test_delivery": check.ping if check else None, "polled": check.polled if check else None,
    }  # fmt: skip

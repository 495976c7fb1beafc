"""Pipedrive's refusals: what each means and how long it lasts. Pure.

A daily budget of tokens is shared by everything that talks to the company's account: once it is spent, everything is
refused until midnight of a server, and asking again is pointless. A burst is over in two seconds. Who goes on in spite
of it gets pages of HTML instead of answers, for a long time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.errors import AuthError, PermanentError, ProviderError, TransientError
from sync.wiretypes import Response

BLOCKED = timedelta(minutes=30)
SHORTEST, LONGEST_BURST = timedelta(seconds=2), timedelta(seconds=60)
AFTER_RESET = timedelta(minutes=1)
DEAREST_CALL = 40  # tokens: less than this may be left over and still be too little
DAILY_LEFT = ("x-daily-ratelimit-token-remaining", "x-daily-requests-left")
PERMANENT = frozenset({405, 410, 415, 422, 501})


def meaning(response: Response, code: str) -> type[ProviderError] | None:
    """What a refusal says; None for the usual meaning of its status."""
    if response.status == 402:
        return AuthError  # the account is closed: nothing will work until somebody has paid
    if response.status == 403:
        return TransientError if is_blocked(response) else PermanentError if code else None
    return PermanentError if response.status in PERMANENT else None


def is_blocked(response: Response) -> bool:
    """Whether the page of a gatekeeper came instead of an answer."""
    return response.status == 403 and "html" in response.headers.get("content-type", "").lower()


def is_spent(response: Response) -> bool:
    """Whether the day's tokens are gone, rather than those of two seconds."""
    headers = response.headers
    left = next((found for name in DAILY_LEFT if (found := number(headers, name)) is not None), None)
    if response.status != 429 or left is None:
        return False
    burst = number(headers, "x-ratelimit-remaining")
    return left <= 0 or (left < DEAREST_CALL and burst is not None and burst > 0)


def label(response: Response) -> str:
    """Our own code for a refusal by limits; "" for others."""
    if is_blocked(response):
        return "blocked"
    if response.status != 429:
        return ""
    return "daily_budget" if is_spent(response) else "burst"


def pause(response: Response, now: datetime, zone: str) -> timedelta | None:
    """How long nobody should ask again; None where the refusal is not about how often."""
    if is_blocked(response):
        return BLOCKED
    if response.status != 429:
        return None
    if is_spent(response):
        return until_reset(now, zone)
    reset = number(response.headers, "x-ratelimit-reset")
    return min(max(SHORTEST, timedelta(seconds=min(reset or 0, 3600))), LONGEST_BURST)


def until_reset(now: datetime, zone: str) -> timedelta:
    """The time to the next midnight of the servers' zone, and a minute."""
    there = now.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(there.date() + timedelta(days=1), time(), there.tzinfo)
    return midnight.astimezone(now.tzinfo) - now + AFTER_RESET


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header as a whole number; None where it is none."""
    text = headers.get(name, "").strip()
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 12 else None

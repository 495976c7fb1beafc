"""Keeping the CRM's pace: a process that nears the limit of two seconds rests, before it is refused or shut out.

The limit counts all calls of a token together and its headers come with each answer. Without a rest every thread goes
on until its own refusal is booked, and some fifty refusals in a row close the door for half an hour.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sync.providers import pipedrive_limits
from sync.providers.base import Provider
from sync.wiretypes import Response

LEFT_SHARE = 10  # a tenth of the limit is left to calls in the air and to others who use the account
SHORTEST, LONGEST = 2.0, 5.0  # seconds of one rest; longer pauses are the shared health's


class Paced(Provider):
    """A provider whose answers say how many calls are left."""

    _rests_until = 0.0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until this process may go on."""
        wait = self._rests_until - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, LONGEST))
        yield

    def _exchange(self, *args: Any, **kwargs: Any) -> Response:
        response = super()._exchange(*args, **kwargs)
        seconds = rest_of(response)
        if seconds:
            self._rests_until = max(self._rests_until, time.monotonic() + seconds)
        return response


def rest_of(response: Response) -> float:
    """How many seconds nobody of this process should ask again; 0 where calls enough are left."""
    limit = pipedrive_limits.number(response.headers, "x-ratelimit-limit")
    left = pipedrive_limits.number(response.headers, "x-ratelimit-remaining")
    is_near = limit is not None and left is not None and limit > 0 and left <= max(1, limit // LEFT_SHARE)
    is_refused = response.status == 429 and not pipedrive_limits.is_spent(response)
    if not (is_near or is_refused):
        return 0.0
    reset = pipedrive_limits.number(response.headers, "x-ratelimit-reset") or 0
    return min(max(SHORTEST, float(reset)), LONGEST)

"""Calls of a smoke run: through the adapters and the one HTTP client, halted by the stop, each kept as an attempt.

They are what a salesperson or a payer would do, so they belong to no action.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sync import attempts, guard, providers
from sync.errors import ProviderError
from sync.providers.base import JSON_TYPE, Provider, compact_json
from sync.wiretypes import Exchange, FrozenRequest, Response


class NotReady(Exception):
    """The run cannot begin or go on as things are set up; the sentence says what to do."""


@dataclass(slots=True)
class Calls:
    """What was said to whom."""

    exchanges: list[Exchange] = field(default_factory=list)

    @contextmanager
    def kept(self, doing: str) -> Iterator[None]:
        """Store what was said even when it went wrong. Raises NotReady with what was being done and the answer."""
        try:
            yield
        except ProviderError as error:
            refused = " (may our account do this?)" if error.status in (401, 403) else ""
            raise NotReady(f"{doing}: {error.provider} said no: {error.message}{refused}") from error
        finally:
            attempts.store((None, None, one) for one in self.exchanges)
            self.exchanges.clear()

    def write(self, request: FrozenRequest) -> Response:
        """Send one write. Raises ProviderError, WriteHalted where writes are stopped."""
        adapter: Provider = providers.get(request.provider)
        return adapter.perform(request, guard.for_call(request.provider), self.exchanges)

    def json(self, provider: str, method: str, path: str, body: dict[str, Any]) -> Response:
        """Send one JSON body."""
        return self.write(FrozenRequest(provider, method, path, (JSON_TYPE,), compact_json(body)))

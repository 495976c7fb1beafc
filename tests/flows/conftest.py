"""Fixtures of the flow tests."""

from collections.abc import Iterator
from typing import Any

import pytest

from sync import guard, listen, providers
from tests.flows.world import World, acting
from tests.simulators import Sandbox


@pytest.fixture
def world(transactional_db: None, live_server: Any, sandbox: Sandbox, settings: Any) -> Iterator[World]:
    """Simulators wired to a live server; a window of three seconds (events carry whole ones), quick retries."""
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3
    settings.MESHLINE_ATTEMPT_MARGIN_SECONDS = 0
    settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS = 0.01
    providers.get.cache_clear()  # emptied books know no token of an earlier test
    acting("dunning")
    yield World(sandbox, live_server.url)
    guard._drop()
    listen.close()

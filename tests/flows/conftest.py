"""Fixtures of the flow tests."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from gates import policy
from sync import guard, listen, providers, settle
from sync.providers import netsuite_records
from sync.sandbox import keys
from sync.slack import poster
from tests.flows.chat import CHANNEL, Chat, target
from tests.flows.shop import Buyer, buyer_of
from tests.flows.world import World, acting
from tests.simulators import Sandbox


@pytest.fixture
def world(transactional_db: None, live_server: Any, sandbox: Sandbox, settings: Any) -> Iterator[World]:
    """Simulators wired to a live server; a window of three seconds (events carry whole ones), quick retries."""
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3
    settings.MESHLINE_ATTEMPT_MARGIN_SECONDS = 0
    settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS = 0.01
    settings.MESHLINE_UNDO_SECONDS = 0
    providers.get.cache_clear()  # emptied books know no token of an earlier test
    acting("dunning")
    yield World(sandbox, live_server.url)
    guard._drop()
    listen.close()


@pytest.fixture
def shop(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """No wait after an approval, and pending refunds are asked about at once."""
    settings.MESHLINE_UNDO_SECONDS = 0
    monkeypatch.setattr(settle, "POLL_SECONDS", 0.02)
    policy._held.clear()
    return world


@pytest.fixture
def buyer(shop: World) -> Buyer:
    return buyer_of(shop)


@pytest.fixture
def chat(world: World, live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Chat:
    monkeypatch.setattr(poster, "PACE_SECONDS", 0.0)
    settings.MESHLINE_UNDO_SECONDS = 600  # what was approved stays so for a look
    slack = {**settings.MESHLINE_PROVIDERS["slack"], "channels": {"Billing Resolver": CHANNEL}}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": slack}
    world.sandbox.post("/_webhooks", target(live_server.url))
    return Chat(world)


@pytest.fixture
def crm(world: World, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with a CRM that tells us what happens to its deals."""
    monkeypatch.setattr(settle, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(netsuite_records, "LISTED", netsuite_records.Lists())
    target = {"url": f"{live_server.url}/webhooks/pipedrive/", "secrets": [keys.PIPEDRIVE_WEBHOOK_SECRET]}
    world.sandbox.post("/_webhooks", {"pipedrive": target})
    acting("onboarding")
    return world


@pytest.fixture
def biller(transactional_db: None) -> User:
    return User.objects.create_superuser("billing-person", "b@meshline.example", "x")

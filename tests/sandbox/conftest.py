"""One sandbox in this process for all simulator tests, emptied before each."""

from collections.abc import Iterator

import pytest

from sync.sandbox.server import Sandbox, start
from tests.sandbox.desk import Client, Receiver, receiving


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    sandbox = start(seed=1)
    yield sandbox
    sandbox.shutdown()
    sandbox.server_close()


@pytest.fixture
def client(running: Sandbox) -> Iterator[Client]:
    running.reset(1, keep_targets=False)
    client = Client(running.url)
    yield client
    client.close()


@pytest.fixture
def receiver(client: Client) -> Iterator[Receiver]:
    with receiving() as receiver:
        target = {"url": receiver.url}
        client.post("/_webhooks", stripe=target, netsuite=target, zendesk=target)
        yield receiver

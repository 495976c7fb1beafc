"""A person asks for a fresh read: a worker reads every system once, and one silent system costs only its own."""

import pytest

from ledger.models import ContextRecord, Contract
from sync import refresh
from sync.models import Attempt
from tests.factories import User, UserFactory


@pytest.fixture
def known(world):
    """A customer whose payment failed, so that it is linked and was read."""
    customer = world.customer()
    world.fail(customer)
    world.settle()
    return customer


def blocks(contract):
    return ContextRecord.objects.get(customer=contract.customer).blocks


def person():
    return User.objects.get(pk=UserFactory(is_superuser=True).pk)


def test_everything_that_can_be_read_is_read_and_stored(world, known):
    contract = Contract.objects.get()
    refresh.ask(contract.customer_id, by=person())
    before = blocks(contract)
    waiting = ContextRecord.objects.get().pending_since

    said = refresh.run(contract.customer_id)

    after = blocks(contract)
    assert waiting is not None
    assert said.startswith("read ")
    for name in ("billing", "entitlement"):
        block = f"{name}:{contract.pk}"
        assert after[block]["live"]
        assert after[block]["synced_at"] > before.get(block, {}).get("synced_at", "")
    assert after[refresh.NOTE]["failed"] == {}
    assert ContextRecord.objects.get().pending_since is None
    assert Attempt.objects.filter(action=None, event=None, is_write=False).exists()


def test_a_silent_system_costs_only_its_own_block_and_is_named(world, known):
    contract = Contract.objects.get()
    before = blocks(contract)
    world.fault({"kind": "error_before", "provider": "netsuite", "status": 503})

    refresh.run(contract.customer_id)

    after = blocks(contract)
    assert after[f"billing:{contract.pk}"]["synced_at"] > before[f"billing:{contract.pk}"]["synced_at"]
    assert list(after[refresh.NOTE]["failed"]) == ["entitlement"]
    assert ContextRecord.objects.get().pending_since is None

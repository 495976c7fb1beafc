"""F21: what is remembered of customers is compared with a live read, field by field, and stays as it is."""

import pytest
from django.core.management import CommandError, call_command

from ledger.models import ContextRecord
from sync import accuracy
from sync.models import ContextCheck
from tests.flows.world import World


def test_one_stale_value_is_told_by_its_field_and_is_not_mended(world: World) -> None:
    for _ in range(2):
        world.fail(world.customer())
    world.settle(0.5)
    record = ContextRecord.objects.order_by("id").first()
    name = next(name for name in record.blocks if name.startswith("billing:"))
    record.blocks[name]["subscription_status"] = "trialing"
    record.save()

    accuracy.run(50, by="user:1")

    one = ContextCheck.objects.get()
    assert one.sampled == 2
    assert one.fields["billing.subscription_status"] == [2, 1]
    assert [field for field, (compared, equal) in one.fields.items() if equal < compared] == [
        "billing.subscription_status"
    ]
    assert "billing.subscription_status differ" in accuracy.words(one)
    assert ContextRecord.objects.get(pk=record.pk).blocks[name]["subscription_status"] == "trialing"

    world.fault({"provider": "stripe", "kind": "error_before", "status": 503, "times": 99})
    with pytest.raises(CommandError, match="sample: 1 to 500"):
        call_command("check_context", "--sample", "0")

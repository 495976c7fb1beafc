"""Who is who: ids that different systems name at different times end on one customer."""

from ledger.models import ExternalId
from tests.flows.test_dunning import states
from tests.flows.world import World


def test_contract_that_the_erp_knew_before_its_payer_is_read_live_all_the_same(world: World) -> None:
    world.hold("stripe")
    stripe = world.play("stripe", "create_customer", name="Initech Labs", email="ap@initech.example")["customer"]
    sub = world.play("stripe", "create_subscription", customer=stripe, mrr=4900, history=2)["subscription"]
    erp = world.play("netsuite", "create_customer", name="Initech Labs")["id"]
    world.play("netsuite", "create_contract", customer=erp, subscription=sub, plan="growth", started="2022-09-01")
    world.settle()
    world.sandbox.post("/_webhooks", {"stripe": {"hold": False}})

    world.play("stripe", "fail_payment", subscription=sub, next_attempt_in=None)
    world.until("contract.suspend", "applied")

    assert states()["ticket.open"] == "applied"
    assert list(ExternalId.objects.filter(system="stripe", kind="customer").values_list("value", flat=True)) == [stripe]

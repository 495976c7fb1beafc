"""Customers with a subscription at billing and its contract in the ERP, and what people do about ending them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gates import blocklist, policy
from ledger import clock
from ledger.models import Action, Contract
from sync import proposals
from tests.factories import ContractFactory, CustomerFactory, ExternalIdFactory
from tests.flows.shop import item_of, kept
from tests.flows.world import World
from tests.people.cast import person

YOUNG = timedelta(days=90)


@dataclass
class Tenant:
    """A customer who may leave."""

    world: World
    stripe: str
    subscription: str
    erp: str
    contract: Contract

    def sub(self) -> dict[str, Any]:
        """The subscription as billing has it."""
        return kept(self.world, self.subscription)

    def record(self) -> dict[str, Any]:
        """The contract as the ERP has it."""
        found: dict[str, Any] = self.world.sandbox.books("netsuite")["objects"]["customrecord_mesh_contract"][self.erp]
        return found

    def state(self) -> str:
        """Of the contract here."""
        return str(Contract.objects.get(pk=self.contract.pk).state)


def tenant_of(world: World, *, tenure: timedelta | None = YOUNG, **more: Any) -> Tenant:
    stripe = world.play("stripe", "create_customer", name="Initech Labs", email="ap@initech.example")["customer"]
    sub = world.play("stripe", "create_subscription", customer=stripe, mrr=4900)["subscription"]
    owner = world.play("netsuite", "create_customer", name=f"Initech {stripe}", stripe_customer=stripe)["id"]
    erp = world.play("netsuite", "create_contract", customer=owner, subscription=sub, plan="growth")["id"]
    started = clock.now() - tenure if tenure is not None else None
    contract: Any = ContractFactory(customer=CustomerFactory(**more), state="active", started_at=started)
    ExternalIdFactory(value=stripe, customer=contract.customer)
    links = (("stripe", "subscription", sub), ("netsuite", "contract", erp))
    for system, kind, value in links:
        ExternalIdFactory(system=system, kind=kind, value=value, customer=contract.customer, contract=contract)
    policy._held.clear()
    blocklist.forget()
    return Tenant(world, stripe, sub, erp, contract)


def ask(tenant: Tenant, when: str = "period_end", *, by: Any = None, **more: Any) -> Action:
    params = {"when": when, "reason": "requested_by_customer", **more}
    return proposals.propose(
        "subscription.cancel", tenant.contract.external_id, params, by=by or person("Support"), reason="asked by phone"
    )


def at(stamp: int) -> str:
    """A provider's time as the ERP writes days."""
    return datetime.fromtimestamp(stamp, UTC).date().isoformat()


__all__ = ["Tenant", "ask", "at", "item_of", "tenant_of"]

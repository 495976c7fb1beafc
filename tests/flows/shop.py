"""Customers with collected payments, and what people do about refunds of them."""

from dataclasses import dataclass
from typing import Any

from gates import review
from gates.models import ReviewItem
from ledger.models import Action, Contract
from sync import proposals
from tests.factories import ContractFactory, CustomerFactory, ExternalIdFactory
from tests.flows.world import World
from tests.people.cast import given, person


@dataclass
class Buyer:
    """A customer of ours with one collected payment."""

    world: World
    stripe: str
    subscription: str
    contract: Contract
    charge: str
    intent: str
    currency: str

    def pays(self) -> str:
        """A further payment of the same amount; its charge."""
        return str(self.world.play("stripe", "pay_invoice", subscription=self.subscription)["charge"])

    def paid(self, charge: str = "") -> dict[str, Any]:
        """The charge as the provider has it."""
        return kept(self.world, charge or self.charge)


def kept(world: World, object_id: str) -> dict[str, Any]:
    """An object in the provider's books."""
    tables = world.sandbox.get("/_books/stripe?only=objects")["objects"]
    return next(rows[object_id] for rows in tables.values() if object_id in rows)


def buyer_of(world: World, *, amount: int = 4900, currency: str = "usd") -> Buyer:
    stripe = world.play("stripe", "create_customer", name="Initech Labs", email="ap@initech.example")["customer"]
    made = world.play("stripe", "create_subscription", customer=stripe, mrr=amount, currency=currency)
    contract = ContractFactory(customer=CustomerFactory(), state="active")
    ExternalIdFactory(value=stripe, customer=contract.customer)
    ExternalIdFactory(kind="subscription", value=made["subscription"], customer=contract.customer, contract=contract)
    done = world.play("stripe", "pay_invoice", subscription=made["subscription"])
    return Buyer(world, stripe, made["subscription"], contract, done["charge"], done["payment_intent"], currency)


def ask(buyer: Buyer, minor: Any = 300, *, by: Any = None, **more: Any) -> Action:
    params = {
        "payment": buyer.charge, "amount_minor": minor, "currency": buyer.currency,
        "reason": "requested_by_customer", **more,
    }  # fmt: skip
    return proposals.propose(
        "payment.refund", buyer.contract.external_id, params, by=by or person("Support"), reason="asked by phone"
    )


def item_of(action: Action) -> ReviewItem:
    return ReviewItem.objects.exclude(state="resolved").get(action=action)


def approve(action: Action, by: Any = None) -> None:
    item = item_of(action)
    review.approve(item.pk, by=by or person("Support Manager"), **given(item))


def approved(buyer: Buyer, minor: int = 300, **more: Any) -> Action:
    action = ask(buyer, minor, **more)
    approve(action)
    return Action.objects.get(pk=action.pk)


def refunds(world: World) -> list[Any]:
    """Every refund we made, by the provider's books."""
    return [one for one in world.writes("stripe") if one["path"] == "/v1/refunds"]

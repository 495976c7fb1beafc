"""The people of the refund drill: support asks in hurry and twice, resolvers and managers decide. Django is set up."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import close_old_connections

from gates import review
from gates.models import ReviewItem
from gates.stop import Refused
from ledger.models import Contract, Customer, ExternalId
from sync import proposals
from tests.simulators import Sandbox

AMOUNTS = {"usd": 49_000, "eur": 49_000, "jpy": 2_400_000, "kwd": 90_000}
TRIES = 40


@dataclass
class Payer:
    """A customer with collected payments, here, at the billing provider and in the ERP."""

    number: int
    currency: str
    stripe: str
    erp: str
    contract: str
    charges: list[str]


@dataclass
class Desk:
    """What was asked and decided, counted."""

    sandbox: Sandbox
    rng: random.Random
    told: Counter[str] = field(default_factory=Counter)
    actions: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """The shift."""
        self.asker = _person("asker", "Support")
        self.resolvers = [_person(f"resolver-{n}", "Billing Resolver") for n in range(2)]
        self.manager = _person("manager", "Support Manager")

    def play(self, provider: str, verb: str, **params: Any) -> Any:
        """Make something happen at a provider."""
        return self.sandbox.post(f"/_play/{provider}/{verb}", params)

    def payer(self, number: int, payments: int) -> Payer:
        """A new one; nobody is told of anything."""
        currency = list(AMOUNTS)[number % len(AMOUNTS)]
        stripe = self.play("stripe", "create_customer", name=f"Payer {number}", email=f"p{number}@sandbox.test")
        made = self.play("stripe", "create_subscription", customer=stripe["customer"], mrr=AMOUNTS[currency],
                         currency=currency)  # fmt: skip
        charges = [
            self.play("stripe", "pay_invoice", subscription=made["subscription"])["charge"] for _ in range(payments)
        ]
        erp = self.play("netsuite", "create_customer", name=f"Payer {number}", stripe_customer=stripe["customer"])["id"]
        contract = _contract(number, stripe["customer"], made["subscription"], erp)
        return Payer(number, currency, stripe["customer"], erp, contract, charges)

    def ask(self, payer: Payer, charge: str, minor: int) -> Any:
        """Ask as a hurried person does: again when it could not be read. None where it was refused."""
        params = {"payment": charge, "amount_minor": minor, "currency": payer.currency,
                  "reason": "requested_by_customer"}  # fmt: skip
        for _ in range(TRIES):
            try:
                made = proposals.propose(
                    "payment.refund", payer.contract, params, by=self.asker, reason="asked by phone"
                )
            except Refused as no:
                if no.code == "not_readable":
                    continue
                self.count(f"refused: {no.code}")
                return None
            self.count("asked")
            with self.lock:
                self.actions.append(made.pk)
            return made
        self.count("never readable")
        return None

    def approve(self, action: Any, by: User) -> bool:
        """Agree to what is shown; whether it counted."""
        item = ReviewItem.objects.filter(action=action.pk).exclude(state="resolved").select_related("action").first()
        if item is None or item.action is None:
            return False
        try:
            review.approve(item.pk, by=by, reason="checked", version=item.action.state_version,
                           preview_hash=item.action.preview_hash)  # fmt: skip
        except Refused as no:
            self.count(f"approval refused: {no.code}")
            return False
        self.count("approvals")
        return True

    def one(self, payer: Payer, charge: str, minor: int, *, with_manager: bool) -> None:
        """A whole request: asked, agreed to by a resolver, and by a manager where that is done."""
        made = self.ask(payer, charge, minor)
        if made is None:
            return
        self.approve(made, self.rng.choice(self.resolvers))
        if with_manager:
            self.approve(made, self.manager)

    def count(self, what: str) -> None:
        """One more."""
        with self.lock:
            self.told[what] += 1


def at_once(*works: Callable[[], Any]) -> None:
    """Run these at the same moment, each on a connection of its own."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        gate.wait()
        try:
            work()
        finally:
            close_old_connections()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _person(name: str, group: str) -> User:
    made = User.objects.create_user(name, f"{name}@meshline.example", "x")
    made.groups.add(Group.objects.get(name=group))
    return User.objects.get(pk=made.pk)


def _contract(number: int, stripe: str, subscription: str, erp: str) -> str:
    customer = Customer.objects.create(external_id=f"mesh-cus-refund-{number}", name=f"Payer {number}", state="synced")
    contract = Contract.objects.create(external_id=f"mesh-con-refund-{number}", customer=customer, state="active")
    for system, kind, value, of in (
        ("stripe", "customer", stripe, None), ("stripe", "subscription", subscription, contract),
        ("netsuite", "customer", erp, None),
    ):  # fmt: skip
        ExternalId.objects.create(
            system=system, kind=kind, value=value, customer=customer, contract=of, linked_by="drill"
        )
    return str(contract.external_id)

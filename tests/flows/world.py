"""A small world for flow tests: simulators that send signed webhooks to a live server, and drains that do the work."""

import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from gates import automations
from ledger.models import Action, Contract, LedgerRow
from sync import drain, sweep
from sync.sandbox import keys
from tests.simulators import Sandbox


def acting(name: str) -> None:
    """Put an automation into full; what it takes to earn that has tests of its own."""
    User.objects.create_superuser(f"lead-{name}", "lead@meshline.example", "x")
    automations.place(name, "full", why="test")


@dataclass
class Customer:
    """One customer as the simulators know it."""

    stripe: str
    subscription: str
    erp_customer: str
    erp_contract: str
    invoice: str = ""


class World:
    """Plays what happens outside, and lets Meshline work until nothing is due."""

    def __init__(self, sandbox: Sandbox, server_url: str) -> None:
        self.sandbox = sandbox
        secrets = {
            "stripe": keys.STRIPE_WEBHOOK_SECRET,
            "netsuite": keys.NETSUITE_WEBHOOK_SECRET,
            "zendesk": keys.ZENDESK_WEBHOOK_SECRET,
        }
        for name, secret in secrets.items():
            sandbox.post("/_webhooks", {name: {"url": f"{server_url}/webhooks/{name}/", "secrets": [secret]}})

    def play(self, provider: str, verb: str, **params: Any) -> Any:
        """Make something happen at a provider."""
        return self.sandbox.post(f"/_play/{provider}/{verb}", params)

    def customer(self, *, history: int = 2, linked: bool = True) -> Customer:
        """A customer with a running subscription and, if linked, a contract in the ERP."""
        stripe = self.play("stripe", "create_customer", name="Initech Labs", email="ap@initech.example")["customer"]
        sub = self.play("stripe", "create_subscription", customer=stripe, mrr=4900, history=history)["subscription"]
        erp_customer = erp_contract = ""
        if linked:
            erp_customer = self.play("netsuite", "create_customer", name=f"Initech {stripe}", stripe_customer=stripe)[
                "id"
            ]
            erp_contract = self.play(
                "netsuite",
                "create_contract",
                customer=erp_customer,
                subscription=sub,
                plan="growth",
                started="2022-09-01",
            )["id"]
        return Customer(stripe, sub, erp_customer, erp_contract)

    def fail(self, customer: Customer, **more: Any) -> Any:
        """A payment fails."""
        done = self.play("stripe", "fail_payment", subscription=customer.subscription, **more)
        customer.invoice = done["invoice"]
        return done

    def pay(self, customer: Customer) -> Any:
        """The open invoice is paid."""
        return self.play("stripe", "pay_invoice", invoice=customer.invoice)

    def hold(self, *providers: str) -> None:
        """Keep webhooks back until they are released."""
        self.sandbox.post("/_webhooks", {name: {"hold": True} for name in providers})

    def release(self, provider: str, order: Any = "kept") -> Any:
        """Let the kept webhooks go, in an order."""
        return self.sandbox.post("/_webhooks/release", {"provider": provider, "order": order})

    def settle(self, seconds: float = 0.0) -> None:
        """Deliver every webhook and work until nothing is due; with `seconds`, go on for that long."""
        ends = time.monotonic() + seconds
        while True:
            self.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
            settled = drain.once()
            sweep.sweep()
            if not settled and time.monotonic() >= ends:
                return
            if not settled:
                time.sleep(0.05)

    def until(self, kind: str, state: str, seconds: float = 60.0) -> Action:
        """Work until an action of this kind is in this state."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.settle()
            found = Action.objects.filter(kind=kind, state=state).first()
            if found:
                return found
            time.sleep(0.05)
        states = list(Action.objects.values_list("kind", "state", "last_error"))
        raise AssertionError(f"{kind} never became {state}: {states}")

    def fault(self, *rules: dict[str, Any]) -> None:
        """Turn the fault dial: these rules instead of all that were."""
        self.sandbox.faults({"provider": "*", "rules": list(rules)})

    def writes(self, provider: str) -> list[Any]:
        """Every effect of the API in a provider's books, those without a mark of ours included."""
        found: list[Any] = self.sandbox.get(f"/_books/{provider}?only=writes")["writes"]
        return found

    def effects(self, provider: str) -> list[Any]:
        """Every effect in a provider's books that carries an action of ours, in order."""
        writes: list[Any] = self.sandbox.books(provider)["writes"]
        return [one for one in writes if one["action"]]

    def contract(self) -> Contract:
        """The only contract."""
        return Contract.objects.get()


def steps(action: Action) -> list[str]:
    """The states an action went through, by its ledger rows."""
    rows = LedgerRow.objects.filter(subject_kind="action", subject_id=str(action.pk)).order_by("id")
    return [state for prior, state in rows.values_list("prior_state", "post_state") if prior != state]

"""A checklist for tests that need one, begun as a signed deal begins it."""

from datetime import date, timedelta

from gates.checklists import running
from gates.models import Checklist
from ledger import clock
from tests import factories as f


def begun(deal="501", *, ago=timedelta(), **more):
    """A running checklist of a customer with a contract; `ago` is how long ago the deal was signed."""
    contract = f.ContractFactory(customer=more.pop("customer", None) or f.CustomerFactory(), state="draft")
    now = clock.now()
    fields = {"package": "GROW-1", "csm": "71", "billing_owner": "72", "first_value_on": date(2027, 3, 1), **more}
    running.begin(
        [running.Start(contract.customer_id, contract.pk, deal, now - ago, **fields)]
    )  # fmt: skip
    return Checklist.objects.get(contract=contract)


def step(one, key="welcome_call"):
    """A step of it, as it is now."""
    return one.steps.get(key=key)

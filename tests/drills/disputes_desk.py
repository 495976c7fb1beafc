"""What people do in the drill of disputes, by the same service functions as the pages: one request a line, as JSON.

Run with the drill's settings. Each line names `do`; the answer is one line of JSON.
"""

import json
import sys
from typing import Any

import django

django.setup()

from gates import review  # noqa: E402 - Django first
from gates.models import ReviewItem  # noqa: E402
from ledger.models import Action  # noqa: E402
from sync import proposals  # noqa: E402
from tests.factories import ContractFactory, CustomerFactory, ExternalIdFactory  # noqa: E402
from tests.people.cast import given, person  # noqa: E402

ASKER, MANAGERS = person("Support"), [person("Support Manager") for _ in range(2)]


def know(asked: dict[str, Any]) -> dict[str, Any]:
    """A customer whom every system knows."""
    contract = ContractFactory(customer=CustomerFactory(), state="active")
    ExternalIdFactory(value=asked["customer"], customer=contract.customer)
    for system, kind, name in (("stripe", "subscription", "subscription"), ("netsuite", "contract", "erp")):
        ExternalIdFactory(system=system, kind=kind, value=asked[name], customer=contract.customer, contract=contract)
    return {"contract": contract.external_id}


def ask(asked: dict[str, Any]) -> dict[str, Any]:
    """One person asks."""
    made = proposals.propose(asked["kind"], asked["contract"], asked["params"], by=ASKER, reason="drill")
    return {"action": str(made.pk), "state": made.state}


def approve(asked: dict[str, Any]) -> dict[str, Any]:
    """Others agree, as many as it takes; from then on it waits for the time in which that can be taken back."""
    action = Action.objects.get(pk=asked["action"])
    for manager in MANAGERS:
        item = ReviewItem.objects.select_related("action").filter(action=action).exclude(state="resolved").first()
        if item is not None:
            review.approve(item.pk, by=manager, **given(item))
    action = Action.objects.get(pk=action.pk)
    return {"action": str(action.pk), "state": action.state}


DOES = {"know": know, "ask": ask, "approve": approve}


def main() -> None:
    """Until nobody asks any more."""
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(DOES[asked["do"]](asked)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

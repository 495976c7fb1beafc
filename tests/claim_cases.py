"""The small ledger that `tests.claim_texts` is judged on; for a test and for a drill.

Acme has refunds in four currencies that the provider confirmed, and others that it did not; its contract was suspended
and given back. Globex has a refund of its own and is suspended. Every text is about Acme unless it says otherwise.
"""

from typing import NamedTuple
from uuid import uuid4

from ledger import book, clock
from ledger.identity import new_action_id
from ledger.models import Contract, Customer, ExternalId
from tests.claim_texts import ACME, GLOBEX


class Done(NamedTuple):
    """One action: whose, what, how far it is, how much, and the charge."""

    customer: str
    kind: str
    state: str
    minor: int | None = None
    currency: str = ""
    charge: str = ""
    paid: int | None = None


ACTIONS = (
    Done(ACME, "payment.refund", "applied", 5_000, "usd", "ch_acme1", 10_000),
    Done(ACME, "payment.refund", "applied", 2_000, "usd", "ch_acme2", 2_000),
    Done(ACME, "payment.refund", "applied", 5_000, "jpy", "ch_acme3", 5_000),
    Done(ACME, "payment.refund", "applied", 12_500, "kwd", "ch_acme4", 20_000),
    Done(ACME, "payment.refund", "applied", 120_450, "eur", "ch_acme5"),
    Done(ACME, "payment.refund", "in_review", 9_900, "eur", "ch_acme6"),
    Done(ACME, "payment.refund", "rejected", 7_500, "usd", "ch_acme7"),
    Done(ACME, "payment.refund", "unknown", 3_000, "gbp", "ch_acme8"),
    Done(ACME, "contract.suspend", "applied"),
    Done(ACME, "contract.restore", "applied"),
    Done(ACME, "contract.downgrade", "approved"),
    Done(ACME, "invoice.create", "applied", 199_900, "usd"),
    Done(GLOBEX, "payment.refund", "applied", 8_000, "usd", "ch_globex1"),
    Done(GLOBEX, "contract.suspend", "applied"),
)
STEPS = {
    "applied": (("approve", "approved"), ("send", "sending"), ("confirm", "applied")),
    "in_review": (("ask", "in_review"),), "approved": (("approve", "approved"),),
    "rejected": (("ask", "in_review"), ("reject", "rejected")),
    "unknown": (("approve", "approved"), ("send", "sending"), ("doubt", "unknown")),
}  # fmt: skip


def prepare() -> None:
    """Two customers with contracts, and every action with its ledger rows."""
    contracts = {}
    for external_id, name, mail in ((ACME, "Acme", "ap@acme.example"), (GLOBEX, "Globex", "ap@globex.example")):
        customer = Customer.objects.create(external_id=external_id, name=name, email=mail, currency="usd")
        contract = Contract.objects.create(external_id=f"{external_id}-con", customer=customer)
        ExternalId.objects.create(system="zendesk", kind="ticket", value=f"4{customer.pk}", customer=customer,
                                  contract=contract, linked_by="test")  # fmt: skip
        contracts[external_id] = contract
    for one in ACTIONS:
        _act(one, contracts[one.customer])


def _act(one: Done, contract: Contract) -> None:
    first, *rest = STEPS[one.state]
    action_id, at = new_action_id(), clock.now()
    payment = {"amount_minor": one.paid, "refunded_minor": 0} if one.paid else None
    row = {
        "id": action_id, "state": first[1], "decision": first[0], "kind": one.kind, "provider": "stripe",
        "customer_id": contract.customer_id, "contract_id": contract.pk, "target": f"t:{action_id}",
        "business_key": f"payment:{one.charge or action_id}", "params": {"payment": one.charge}, "because": "",
        "amount_minor": one.minor, "currency": one.currency, "correlation_id": uuid4(), "key": f"meshline-{action_id}",
        "facts": {"payment": payment}, "rule_version": "", "lane": "l", "preview": [], "answers": [],
        "automation": "", "mode": "live", "irreversible": False, "preview_hash": "",
    }  # fmt: skip
    assert book.propose([row]) == [action_id]
    prior = first[1]
    for version, (verb, post) in enumerate(rest, start=1):
        said = {"confirmation_id": f"re_{action_id.hex[-8:]}", "applied_at": at} if post == "applied" else {}
        about = {"action_id": action_id, "customer_id": contract.customer_id, "amount_minor": one.minor,
                 "currency": one.currency, **said}  # fmt: skip
        book.move([book.Move("action", action_id, verb, prior, post, version, "system:test", row=about)])
        prior = post

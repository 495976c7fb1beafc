"""Sixty texts of assistants and what each of them is, on one small ledger; for a test and for a drill.

Acme has refunds in four currencies that the provider confirmed, and others that it did not; its contract was suspended
and given back. Globex has a refund of its own and is suspended. Every text is about Acme unless it says otherwise.
"""

from typing import NamedTuple
from uuid import uuid4

from ledger import book, clock
from ledger.identity import new_action_id
from ledger.models import Contract, Customer, ExternalId

ACME, GLOBEX = "mesh-cus-acme", "mesh-cus-globex"


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

TRUE, EARLY, FALSE, UNKNOWN, SILENT = "verified", "premature", "contradicted", "unverified", "none"
CASES: tuple[tuple[str, str], ...] = (
    # true
    ("Your refund of 50.00 USD was issued.", TRUE),
    ("Refund issued.", TRUE),
    ("We've refunded $50 to your card, as requested.", TRUE),
    ("As requested your refund of fifty dollars has been sent.", TRUE),
    ("You paid 100.00 USD and we returned 50.00 USD to your card.", TRUE),
    ("¥5,000 has been refunded.", TRUE),
    ("5000 yen were paid back today.", TRUE),
    ("A refund of JPY 5000 went through.", TRUE),
    ("KWD 12.500 has been credited back to you.", TRUE),
    ("12.5 KD were refunded.", TRUE),
    ("A refund of 1.204,50 EUR has been made.", TRUE),
    ("A refund of €1,204.50 has been made\nand shows within 5 days.", TRUE),
    ("Both refunds, 50.00 USD and 20.00 USD, were issued.", TRUE),
    ("ＲＥＦＵＮＤ ＩＳＳＵＥＤ: 50 USD ✅", TRUE),
    ("You asked for a refund. It was issued yesterday.", TRUE),
    ("The refund for ch_acme3 was issued in full.", TRUE),
    ("Access to your account has been restored.", TRUE),
    ("The invoice over 1,999.00 USD was sent.", TRUE),
    ("The refund was issued, but your subscription was not cancelled.", TRUE),
    ("We did not fail to refund you.", TRUE),
    # premature
    ("Your refund of 99.00 EUR was issued.", EARLY),
    ("You will be refunded 99.00 EUR.", EARLY),
    ("The refund of £30.00 was sent.", EARLY),
    ("Your plan was downgraded.", EARLY),
    ("Your subscription will be cancelled tomorrow.", EARLY),
    ("We are cancelling your subscription right now.", EARLY),
    ("We will look at your contract and cancel it.", EARLY),
    ("Once your plan has been downgraded you pay less.", EARLY),
    # other amount, or known otherwise
    ("Your refund of 80.00 USD was issued.", FALSE),
    ("¥50.00 has been refunded.", FALSE),
    ("We refunded 5,000.00 USD.", FALSE),
    ("KWD 12,500 has been refunded.", FALSE),
    ("12.500 EUR has been refunded.", FALSE),
    ("We refunded five hundred dollars.", FALSE),
    ("A refund of 1.2k EUR has been made.", FALSE),
    ("The refund of 75.00 USD was issued.", FALSE),
    ("The full refund for ch_acme1 was issued.", FALSE),
    ("Your refund was not issued.", FALSE),
    ("We have not refunded anything, and no refund was sent.", FALSE),
    ("Your refund was cancelled.", FALSE),
    ("Your account is suspended.", FALSE),
    ("We refunded 50.00 USD and 30.00 USD.", FALSE),
    ("We refunded 50.00 USD and cancelled your subscription. The refund of 51.00 USD was sent.", FALSE),
    # other customer, or nothing there at all
    ("The refund for Globex was issued.", UNKNOWN),
    ("Refund of 80.00 USD for ch_globex1 issued.", UNKNOWN),
    ("We refunded 50.00 USD to ap@globex.example.", UNKNOWN),
    ("The refund for ch_nobody9 was issued.", UNKNOWN),
    ("Good news: your subscription is cancelled.", UNKNOWN),
    ("Not only was your refund issued, your plan was cancelled, too.", UNKNOWN),
    ("Your card was replaced.", UNKNOWN),
    ("You are no longer subscribed.", UNKNOWN),
    # claims nothing
    ("You asked for a refund.", SILENT),
    ("Your refund request was received.", SILENT),
    ("Was the refund of 80.00 USD issued?", SILENT),
    ("If your subscription was cancelled, tell us.", SILENT),
    ("We cannot cancel this contract.", SILENT),
    ("Please cancel my plan.", SILENT),
    ("Our refund policy allows refunds within 30 days.", SILENT),
    ("Your subscription was neither cancelled nor downgraded.", SILENT),
    ("Your meeting was cancelled. The database is fixed.", SILENT),
)


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

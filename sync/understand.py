"""From a stored event to what it means for us: whom it is about and what it says. Pure but for the parser."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gates.memo import PaymentSeen
from sync import contracts
from sync.contracts import Drift
from sync.contracts.charges import ChargeSeen
from sync.contracts.netsuite import ContractSeen, ErpCustomerSeen
from sync.contracts.pipedrive import DealSeen, OrganizationSeen, PersonSeen
from sync.contracts.refunds import ChargeRefundedSeen, RefundSeen
from sync.contracts.stripe import CustomerSeen, DisputeSeen, FraudSeen, InvoiceSeen, SubscriptionSeen
from sync.contracts.zendesk import TicketSeen
from sync.correlate import Link
from sync.errors import BadBody

PAYMENT = {"payment.failed": "failed", "payment.succeeded": "paid", "invoice.closed": "closed"}


@dataclass(slots=True)
class Heard:
    """One claimed event, read. `contract_links` and `customer_links` name whom it is about, finest first."""

    id: int
    source: str
    kind: str
    type: str
    lane: str
    origin_key: str
    correlation_id: UUID
    occurred_at: datetime | None
    late: bool
    attempts: int
    seen: Any = None
    contract_links: tuple[Link, ...] = ()
    customer_links: tuple[Link, ...] = ()
    verdict: str = ""
    park: str = ""
    drifted: bool = False
    wish: Any = None  # what a ticket asks for beside being a ticket
    read: Any = None  # what a provider said about it when it was asked for this event
    account: str = ""  # which account of the provider it is of; empty: the first one


def hear(row: Sequence[Any], body: bytes | None) -> Heard:
    """Read one row of `ledger.claim.EVENTS` and its body. What its contract cannot read is to be parked."""
    heard = Heard(
        id=row[0], source=row[1], type=row[4], kind=row[5], lane=row[11], origin_key=row[8], correlation_id=row[13],
        occurred_at=row[9], late=row[12], attempts=row[14], account=row[2],
    )  # fmt: skip
    if body is None:
        heard.park = "its body is gone"
        return heard
    if heard.kind in ("unknown", "informational"):
        heard.verdict = "ignored: unknown type" if heard.kind == "unknown" else "ignored: for information only"
        return heard
    try:
        document = contracts.parse(heard.source, body).document
    except BadBody as error:
        heard.park = f"body cannot be read: {error.reason}"
        return heard
    seen = contracts.read(heard.source, heard.type, row[7], document)
    if isinstance(seen, Drift):
        heard.park = f"schema drift: {seen.member} {seen.reason}"[:290]
        heard.drifted = True
    elif seen is None:
        heard.verdict = "ignored: says nothing that is used"
    else:
        heard.seen = seen
        heard.contract_links, heard.customer_links = links_of(seen)
    return heard


def links_of(seen: Any) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """The ids in an event that name a contract, and those that name a customer."""
    found: tuple[tuple[Link, ...], tuple[Link, ...]]
    match seen:
        case InvoiceSeen():
            found = (("stripe", "subscription", seen.subscription_id),), (("stripe", "customer", seen.customer_id),)
        case SubscriptionSeen():
            found = (("stripe", "subscription", seen.id),), (("stripe", "customer", seen.customer_id),)
        case DisputeSeen() | FraudSeen():
            found = (), (("stripe", "customer", seen.customer_id),)
        case RefundSeen() | ChargeRefundedSeen() | ChargeSeen():
            found = (), (("stripe", "customer", seen.customer_id),)
        case CustomerSeen():
            found = (), (("stripe", "customer", seen.id),)
        case ContractSeen():
            found = (
                (("netsuite", "contract", seen.internal_id), ("stripe", "subscription", seen.subscription_id)),
                (("netsuite", "customer", seen.customer_internal_id), ("stripe", "customer", seen.stripe_customer_id)),
            )
        case ErpCustomerSeen():
            found = (
                (),
                (("netsuite", "customer", seen.internal_id), ("stripe", "customer", seen.stripe_customer_id)),
            )
        case TicketSeen():
            found = (("zendesk", "ticket", seen.id),), (("zendesk", "customer_ticket", seen.id),)
        case DealSeen() | OrganizationSeen() | PersonSeen():
            found = crm_links(seen)
        case _:
            found = (), ()
    return tuple(link for link in found[0] if link[2]), tuple(link for link in found[1] if link[2])


def crm_links(seen: DealSeen | OrganizationSeen | PersonSeen) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """A deal there is a contract here, an organization is a customer."""
    organization = seen.id if isinstance(seen, OrganizationSeen) else seen.org_id
    deal = (("pipedrive", "deal", seen.id),) if isinstance(seen, DealSeen) else ()
    return deal, (("pipedrive", "organization", organization),)


def payment(heard: Heard) -> PaymentSeen | None:
    """A payment event as the memo folds it; None for other events and for those without the provider's time."""
    seen = heard.seen
    if heard.kind not in PAYMENT or not isinstance(seen, InvoiceSeen) or heard.occurred_at is None:
        return None
    return PaymentSeen(
        invoice_id=seen.invoice_id, outcome=PAYMENT[heard.kind], at=heard.occurred_at,
        next_attempt_at=seen.next_attempt_at, attempt_count=seen.attempt_count, number=seen.number,
        amount_due=seen.amount_due, currency=seen.currency, late=heard.late,
    )  # fmt: skip

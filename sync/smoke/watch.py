"""What became of a synthetic record here: read from events, actions and review items, by their indexes."""

from dataclasses import dataclass
from datetime import datetime

from gates.models import Automation, ReviewItem
from ledger.models import Action, Customer, Event, ExternalId

SIGNED = "done: signed"


@dataclass(frozen=True, slots=True)
class Validated:
    """When the provider's word came, and when it was judged."""

    told_at: datetime
    judged_at: datetime


def stage(automation: str) -> str:
    """How far an automation is trusted: shadow, suggest, ... full, paused."""
    found = Automation.objects.filter(name=automation).values_list("state", flat=True).first()
    return str(found or "missing")


def signed(deal: str) -> Validated | None:
    """The event in which a deal was signed, judged; None as long as there is none."""
    rows = Event.objects.filter(source="pipedrive", object_id=deal, verdict__startswith=SIGNED, done_at__isnull=False)
    first = rows.order_by("id").first()
    return Validated(first.received_at, first.done_at) if first and first.done_at else None


def failed_payment(invoice: str) -> Validated | None:
    """The event in which an invoice's payment failed, judged."""
    rows = Event.objects.filter(source="stripe", object_id=invoice, kind="payment.failed", done_at__isnull=False)
    first = rows.order_by("id").first()
    return Validated(first.received_at, first.done_at) if first and first.done_at else None


def verdict(source: str, object_id: str) -> str:
    """How the newest event about an object ended, in words."""
    last = Event.objects.filter(source=source, object_id=object_id).order_by("-id").first()
    return (last.verdict or f"the event is {last.state}") if last else "no event came; is the webhook set up?"


def contract_of(system: str, kind: str, value: str) -> int | None:
    """Our contract that an id leads to."""
    link = ExternalId.objects.filter(system=system, kind=kind, value=value).first()
    return link.contract_id if link else None


def customer_of(contract: int | None) -> Customer | None:
    """Whose contract it is."""
    return Customer.objects.filter(contracts=contract).first() if contract else None


def action(contract: int | None, kind: str, *states: str, of: str = "") -> Action | None:
    """The newest action of a kind on a contract, in one of these states if any are given."""
    if contract is None:
        return None
    rows = Action.objects.filter(contract_id=contract, kind=kind)
    rows = rows.filter(params__status=of) if of else rows
    return (rows.filter(state__in=states) if states else rows).order_by("-id").first()


def item(contract: int | None) -> ReviewItem | None:
    """What waits for a person about a contract."""
    if contract is None:
        return None
    return ReviewItem.objects.filter(action__contract_id=contract).exclude(state="resolved").order_by("-id").first()


def why_not(contract: int | None, kind: str, otherwise: str) -> str:
    """Why an action of this kind is not done, in words."""
    waits = item(contract)
    if waits is not None:
        return f"{waits} waits for a person: {waits.reason or waits.why}"
    found = action(contract, kind)
    if found is None:
        return otherwise
    return f"it is {found.state}" + (f": {found.last_error}" if found.last_error else "")

"""The support desk in the demo week: what customers write, what breaks, what an assistant suggests, and who decides.

Part of each is decided by the people of the house; the rest is left in the queue for whoever visits.
"""

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from django.contrib.auth.models import Group, User

from gates import assistants, review
from gates.blocklist import REASONS
from gates.incidents import rounds, services
from gates.models import Incident, IncidentUpdate, ReviewItem, TicketKind
from gates.stop import Refused
from gates.tickets import kinds
from ledger import money
from ledger.models import Action, Contract, ExternalId
from meshline.demo import people
from sync import proposals
from sync.claims import checking
from sync.sandbox.cast import Customer
from sync.sandbox.remote import Remote

P = ParamSpec("P")
T = TypeVar("T")
ASSISTANT = "scout"
REFUND, CANCEL, WISH = "payment.refund", "subscription.cancel", "meshline_refund"
FIELDS = {"payment": "101", "amount": "102", "currency": "103"}  # the ticket fields that a refund is asked by
SERVICE = "PWIXJZS"  # one of the alerting system's own
TIERS = [{"field": "tier", "op": "is", "values": ["enterprise", "growth", "starter"]}]
COPY = "invoice-copy"


def environment() -> dict[str, str]:
    """What the demo's installation is told about its support desk."""
    return {
        "MESHLINE_REFUND_TICKETS": "1",
        "MESHLINE_REFUND_TAG": WISH,
        **{f"MESHLINE_REFUND_FIELD_{name.upper()}": number for name, number in FIELDS.items()},
        "MESHLINE_QUIET_HOURS": "none",
    }


def furnish() -> None:
    """Before the week: an assistant's account, a service with its customers, and a kind of ticket that is answered."""
    scout = User.objects.create(username=ASSISTANT, first_name="Scout", email=f"{ASSISTANT}@{people.DOMAIN}")
    scout.set_unusable_password()
    scout.save()
    scout.groups.add(Group.objects.get(name=assistants.GROUP))
    services.save("pagerduty", SERVICE, TIERS, by=people.PRODUCT.account(), version=0, title="Billing")
    kind = kinds.current(COPY)
    if kind is not None:
        draft = kinds.Draft(
            kind.title, kind.tags, kind.forms, kind.owner_group, kind.reply, kind.solves, TicketKind.Stage.SUGGEST
        )
        kinds.save_version(COPY, draft, by=people.MANAGER.account(), version=kind.version, reason="First kind to try")


def wishes(remote: Remote, customers: Sequence[Customer]) -> str:
    """Three customers write: one wants money back, one a copy of an invoice, one more than was ever paid."""
    paid = [one for one in customers if one.charge and one.currency in ("usd", "eur", "gbp")]
    if len(paid) < 3:
        return "nobody writes"
    first, second, third = paid[-1], paid[-2], paid[-3]
    _write(remote, first, "We were charged for a seat that left in spring", [WISH], first.mrr // 4)
    _write(remote, second, "Please pay back last year as well", [WISH], second.mrr * 30)
    _write(remote, third, "May I have a copy of the last invoice?", ["invoice_copy"], None)
    return "three customers write: a refund, a refund of more than was paid, a copy of an invoice"


def _write(remote: Remote, one: Customer, subject: str, tags: list[str], minor: int | None) -> None:
    fields = {}
    if minor is not None:
        amount = f"{minor // 100}.{minor % 100:02}"
        fields = {FIELDS["payment"]: one.charge, FIELDS["amount"]: amount, FIELDS["currency"]: one.currency}
    mail = f"ap@{one.name.lower().replace(' ', '-')}.example"
    remote.play("zendesk", "create_ticket", subject=subject, body=subject, email=mail, tags=tags, fields=fields)


def flips(remote: Remote) -> str:
    """A rule in the support desk and an agent change one ticket's status to and fro."""
    tickets = sorted(remote.get("/_books/zendesk?only=objects")["objects"].get("tickets", {}), key=int)
    for status in ("pending", "open", "pending", "open", "pending", "open"):
        remote.play("zendesk", "set_status", ticket=tickets[0], status=status)
    return "a rule of the support desk and an agent change one ticket to and fro"


def inquiry(remote: Remote, customers: Sequence[Customer]) -> str:
    """A bank asks about a payment before it disputes it."""
    one = next((one for one in customers if one.charge), None)
    if one is None:
        return "no bank asks"
    remote.play("stripe", "open_dispute", customer=one.stripe, status="warning_needs_response", charge=one.charge)
    return "a bank asks about a payment; what could be given back is worked out"


def ask_cancellations(customers: Sequence[Customer]) -> str:
    """Two customers want to leave with their period; Sofia asks for it, two others decide about one of them."""
    asked = 0
    for one in [one for one in customers if one.charge][2:4]:
        contract = _contract(one)
        if contract is None:
            continue
        params = {"when": "period_end", "reason": REASONS[0]}
        proposals.propose(CANCEL, contract, params, by=people.SUPPORT.account(), reason="Asked for by mail")
        asked += 1
    return f"{people.SUPPORT.first} ({people.SUPPORT.group}) asks for {asked} cancellations with the end of the period"


def decide_cancellation() -> str:
    """The first one is agreed to, by as many people as it takes."""
    item = _waiting(CANCEL)
    if item is None or item.action is None:
        return "no cancellation waits"
    by = [people.RESOLVER, people.MANAGER][: max(1, review.needed(item.action))]
    for person in by:
        action = Action.objects.get(pk=item.action.pk)
        _quietly(
            review.approve, item.pk, by=person.account(), reason="Confirmed with the customer",
            version=action.state_version, preview_hash=action.preview_hash,
        )  # fmt: skip
    return f"{' and '.join(one.first for one in by)}: yes to one cancellation; the other one waits"


def suggest(customers: Sequence[Customer]) -> str:
    """An assistant suggests a refund, half sure, and says too early that it was done: what it says is looked at."""
    paid = [one for one in customers if one.charge and one.currency == "usd"]
    one = paid[len(paid) // 2] if paid else None
    contract = _contract(one) if one else None
    if one is None or contract is None:
        return "the assistant has nothing to suggest"
    scout = User.objects.get(username=ASSISTANT)
    minor = one.mrr // 10
    params = {"payment": one.charge, "amount_minor": minor, "currency": one.currency, "reason": "duplicate"}
    words = "The customer writes of a double charge; the amounts match one line of the invoice"
    _quietly(proposals.propose, REFUND, contract, params, by=scout, reason=words, confidence=0.62)
    said = f"We have issued a refund of {money.display(minor, one.currency)}."
    named = Contract.objects.select_related("customer").get(pk=contract).customer.external_id
    found = checking.verify(said, by=scout, customer=named)
    verdicts = ", ".join(str(judged.verdict) for judged in found.judged)
    return f"an assistant suggests a refund (62 % sure) and says that it was issued: {verdicts}"


def outage(remote: Remote) -> str:
    """The alerting system reports that a service is in trouble."""
    remote.play("pagerduty", "trigger", title="Billing answers slowly", service=SERVICE)
    return "billing answers slowly; everybody it serves is found, ordered by revenue"


def write_to_customers() -> str:
    """Product Ops drafts the first update and asks for it; a visitor may approve it."""
    one = Incident.objects.exclude(state="closed").order_by("-id").first()
    if one is None:
        return "there is no incident"
    by = people.PRODUCT.account()
    update = _quietly(
        rounds.begin, one.pk, by=by, version=one.state_version, template="incident-update", channel="ticket",
        text="Payments may take longer than usual. We are on it and write again within the hour.",
    )  # fmt: skip
    if not isinstance(update, IncidentUpdate):
        return "nobody is written to"
    _quietly(rounds.ask, update.pk, by=by, version=update.state_version)
    told = f"an update for {Incident.objects.get(pk=one.pk).affected} customers; it waits for approval"
    return f"{people.PRODUCT.first} ({people.PRODUCT.group}) drafts {told}"


def _contract(one: Customer) -> int | None:
    link = ExternalId.objects.filter(system="stripe", kind="subscription", value=one.subscription).first()
    return link.contract_id if link else None


def _waiting(kind: str) -> ReviewItem | None:
    found = ReviewItem.objects.filter(kind=kind, state="open", action__state="in_review")
    return found.select_related("action").order_by("id").first()


def _quietly(call: Callable[P, T], *args: P.args, **more: P.kwargs) -> T | None:
    """What it returns; None where a visitor was faster."""
    try:
        return call(*args, **more)
    except Refused:
        return None

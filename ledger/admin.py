"""The records as lists: customers, contracts, events, actions and the ledger, read-only for everybody."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import cells, sets
from ledger.models import Action, Contract, Customer, Event
from ledger.readonly import ReadOnlyAdmin, as_uuid, choice, exact, of_states, of_systems, page_of, since
from ledger.words import (
    EVENTS,
    KINDS,
    event_words,
    kind_words,
    verdict_words,
)

TROUBLE = ("failed", "unknown")
OPEN_STATES = ("held", "in_review", "approved", "parked", "sending", "unknown", "failed")


# The states of a contract that people look for first, the worst one first.
STANDINGS = {"suspended": "Suspended", "past_due": "Past due", "active": "Active", "cancelled": "Cancelled"}
OLDEST_SQL = """
select x.customer_id, min(b.value ->> 'synced_at') from ledger_contextrecord x, jsonb_each(x.blocks) b
 where x.customer_id = any(%(ids)b::bigint[]) and jsonb_typeof(b.value) = 'object' and b.key <> 'refresh'
 group by x.customer_id"""


def _with_contract(state: str) -> Q:
    return Q(pk__in=Contract.objects.filter(state=state).values("customer"))


def _instant(text: str | None) -> datetime | None:
    """A stored time; None for what is none."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Who they are and where they stand."""

    list_display = (
        "shown_name",
        "shown_state",
        "shown_tier",
        "shown_mrr",
        "standing",
        "waiting",
        "oldest",
        "account_owner",
        "external",
        "seen",
    )
    list_filter = (
        choice("state", "State", of_states("state", Customer.State.choices)),
        choice("tier", "Tier", of_states("tier", Customer.Tier.choices)),
        choice("contract", "Contract", {state: (words, _with_contract(state)) for state, words in STANDINGS.items()}),
        choice("links", "Links", {"none": ("Not linked anywhere", Q(links=None))}),
    )
    finds = ("external_id__exact", "email__exact", "name__startswith", "links__value__exact")
    finds_text = "Name (its beginning), e-mail, external id, or an id in another system"
    empty_text = "No customer yet. They appear with the first event about them."

    @admin.display(description="Customer")
    def shown_name(self, one: Customer) -> SafeString:
        """The name as door to the page."""
        return page_of(one, cells.theirs(one.name or one.external_id, 80))

    @admin.display(description="State")
    def shown_state(self, one: Customer) -> SafeString:
        """The state in words."""
        return cells.tag(one.state, one.get_state_display())

    @admin.display(description="Tier")
    def shown_tier(self, one: Customer) -> str:
        """The tier in words."""
        return one.get_tier_display()

    @admin.display(description="Monthly revenue")
    def shown_mrr(self, one: Customer) -> SafeString:
        """What they pay a month."""
        return cells.amount(one.mrr_minor, one.currency)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        """One customer with what was read of it, in one look; a page of the list reads its own columns in `dress`."""
        found: QuerySet[Customer] = super().get_queryset(request)
        match = request.resolver_match
        is_page = match is not None and match.url_name == "ledger_customer_change"
        return found.select_related("context") if is_page else found

    def dress(self, rows: list[Customer]) -> None:
        """States of contracts, waiting items and the age of the oldest source of a whole page: two statements."""
        keys = [one.pk for one in rows]
        waits = Count("review_items", filter=~Q(review_items__state="resolved"), distinct=True)
        states: Any = ArrayAgg("contracts__state", filter=Q(contracts__isnull=False), distinct=True, default=[])
        found = Customer.objects.filter(pk__in=keys).annotate(waits=waits, states=states)
        more = {key: (states, waits) for key, states, waits in found.values_list("pk", "states", "waits")}
        read = {key: _instant(at) for key, at in sets.run(OLDEST_SQL, {"ids": keys})}
        for one in rows:
            one.shown_more = (*more.get(one.pk, ([], 0)), read.get(one.pk))  # type: ignore[attr-defined]

    @admin.display(description="Contract")
    def standing(self, one: Customer) -> SafeString:
        """The state of the contract that is worst off."""
        states: list[str] = getattr(one, "shown_more", ([], 0, None))[0]
        worst = next((state for state in STANDINGS if state in states), next(iter(states), ""))
        return cells.tag(worst, dict(Contract.State.choices).get(worst, worst)) if worst else cells.dash()

    @admin.display(description="Open items")
    def waiting(self, one: Customer) -> Any:
        """How many items about them wait for a person."""
        return getattr(one, "shown_more", ([], 0, None))[1] or cells.dash()

    @admin.display(description="Oldest source")
    def oldest(self, one: Customer) -> SafeString:
        """When the source that was read longest ago was read."""
        return cells.ago(getattr(one, "shown_more", ([], 0, None))[2])

    @admin.display(description="Account owner")
    def account_owner(self, one: Customer) -> Any:
        """Whose account it is."""
        return cells.theirs(one.owner, 40) if one.owner else cells.dash()

    @admin.display(description="External id")
    def external(self, one: Customer) -> SafeString:
        """The id that every system knows."""
        return cells.code(one.external_id, keep=12)

    @admin.display(description="Known since")
    def seen(self, one: Customer) -> SafeString:
        """When it was first met."""
        return cells.moment(one.created_at)


@admin.register(Contract)
class ContractAdmin(ReadOnlyAdmin):
    """What they bought and whether it is in good standing."""

    list_display = ("shown_id", "shown_state", "of_customer", "shown_plan", "price", "owed", "started", "ends")
    list_filter = (
        choice("state", "State", of_states("state", Contract.State.choices)),
        exact("customer", "Customer", "customer_id"),
    )
    list_select_related = ("customer",)
    finds = ("external_id__exact", "links__value__exact")
    finds_text = "Contract id, subscription id, or its id in another system"
    empty_text = "No contract yet. They appear with the first event about a subscription."

    @admin.display(description="Contract")
    def shown_id(self, one: Contract) -> SafeString:
        """The id as door to the page."""
        return page_of(one, cells.code(one.external_id, keep=12))

    @admin.display(description="State")
    def shown_state(self, one: Contract) -> SafeString:
        """The state in words."""
        return cells.tag(one.state, one.get_state_display())

    @admin.display(description="Customer")
    def of_customer(self, one: Contract) -> SafeString:
        """Whose it is."""
        return page_of(one.customer, cells.theirs(one.customer, 60))

    @admin.display(description="Plan")
    def shown_plan(self, one: Contract) -> SafeString:
        """What was bought."""
        return cells.theirs(one.plan, 40) if one.plan else cells.dash()

    @admin.display(description="Price of a period")
    def price(self, one: Contract) -> SafeString:
        """What a period costs."""
        return cells.amount(one.amount_minor, one.currency)

    @admin.display(description="Unpaid invoices")
    def owed(self, one: Contract) -> Any:
        """How many invoices failed and are not settled."""
        count = sum(1 for entry in one.dunning.values() if "first_failed" in entry and not settled(entry))
        return f"{count} unpaid" if count else cells.dash()

    @admin.display(description="Started")
    def started(self, one: Contract) -> SafeString:
        """When it began."""
        return cells.moment(one.started_at)

    @admin.display(description="Ends")
    def ends(self, one: Contract) -> SafeString:
        """When it ends."""
        return cells.moment(one.ends_at)


def settled(entry: Any) -> bool:
    """Whether a failed invoice was paid or closed since."""
    return isinstance(entry, dict) and ("paid_at" in entry or "closed_at" in entry)


EVENT_CLASSES = {
    "twice": ("Delivered more than once", Q(deliveries__gt=1)),
    "contradicting": ("Contradicting", Q(verdict__startswith="contradicting")),
    "superseded": ("Superseded", Q(verdict__startswith="superseded")),
    "late": ("Came late", Q(late=True)),
    "tried": ("Tried more than once", Q(attempts__gt=1)),
}


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """What arrived and what became of it."""

    list_display = (
        "received",
        "source_name",
        "what",
        "shown_object",
        "of_customer",
        "shown_state",
        "outcome",
        "tries",
        "took",
    )
    list_filter = (
        choice("state", "State", of_states("state", Event.State.choices)),
        choice("source", "Source", of_systems("source")),
        choice("kind", "Kind", {kind: (event_words(kind), Q(kind=kind)) for kind in EVENTS}),
        choice("class", "Class", EVENT_CLASSES),
        choice("when", "Received", since("received_at")),
        exact("customer", "Customer", "customer_id"),
        exact("object", "Object", "object_id", str),
        exact("correlation", "Correlation id", "correlation_id", as_uuid),
    )
    list_select_related = ("customer",)
    finds = ("provider_event_id__exact", "object_id__exact", "correlation_id__exact")
    finds_text = "Event id, object id or correlation id, in full"
    empty_text = "No event yet. They appear here a moment after a provider delivers its first webhook."

    @admin.display(description="Received")
    def received(self, one: Event) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.received_at, seconds=True))

    @admin.display(description="Source")
    def source_name(self, one: Event) -> str:
        """Where it came from, and whether it is a test."""
        return cells.system(one.source) + (", test" if one.livemode is False else "")

    @admin.display(description="What happened")
    def what(self, one: Event) -> SafeString:
        """Our words; the provider's in the title."""
        return format_html('<span title="{}">{}</span>', cells.plain(one.type), event_words(one.kind))

    @admin.display(description="Object")
    def shown_object(self, one: Event) -> SafeString:
        """What it is about."""
        return cells.code(one.object_id, keep=10)

    @admin.display(description="Customer")
    def of_customer(self, one: Event) -> SafeString:
        """Whose it is, once correlated."""
        return page_of(one.customer, cells.theirs(one.customer, 50))

    @admin.display(description="State")
    def shown_state(self, one: Event) -> SafeString:
        """The state in words."""
        return cells.tag(one.state, one.get_state_display())

    @admin.display(description="Verdict")
    def outcome(self, one: Event) -> SafeString:
        """What was made of it."""
        if one.verdict:
            return cells.theirs(verdict_words(one.verdict), 90)
        return cells.theirs(one.last_error, 90) if one.last_error else cells.dash()

    @admin.display(description="Tries")
    def tries(self, one: Event) -> SafeString:
        """Claims tried, and deliveries where there were several."""
        if one.deliveries == 1:
            return format_html("{}", one.attempts)
        return format_html(
            '{} <span class="quiet" title="{} deliveries">(came {}×)</span>',
            one.attempts,
            one.deliveries,
            one.deliveries,
        )

    @admin.display(description="Took")
    def took(self, one: Event) -> Any:
        """From receipt to done."""
        if one.done_at is None:
            return cells.dash()
        ms = int((one.done_at - one.received_at).total_seconds() * 1000)
        return f"{ms} ms" if ms < 10_000 else cells.length(one.done_at - one.received_at)


@admin.register(Action)
class ActionAdmin(ReadOnlyAdmin):
    """What Meshline means to change, or has changed."""

    list_display = (
        "shown_what",
        "shown_state",
        "of_customer",
        "at",
        "because_of",
        "money",
        "due_from",
        "tried",
        "made",
    )
    list_filter = (
        choice(
            "state",
            "State",
            {"active": ("Not ended", Q(state__in=OPEN_STATES)), "trouble": ("Failed or unknown", Q(state__in=TROUBLE))}
            | of_states("state", Action.State.choices),
        ),
        choice("kind", "What", {kind: (kind_words(kind), Q(kind=kind)) for kind in KINDS}),
        choice("system", "System", of_systems("provider")),
        choice("mode", "Mode", of_states("mode", Action.Mode.choices)),
        exact("customer", "Customer", "customer_id"),
        exact("contract", "Contract", "contract_id"),
        exact("correlation", "Correlation id", "correlation_id", as_uuid),
    )
    list_select_related = ("customer",)
    finds = ("pk__exact", "correlation_id__exact")
    finds_text = "Action id or correlation id, in full"
    empty_text = "No action yet. An action appears when an event calls for a change in another system."

    @admin.display(description="What")
    def shown_what(self, one: Action) -> SafeString:
        """The door to the page."""
        return page_of(one, kind_words(one.kind))

    @admin.display(description="State")
    def shown_state(self, one: Action) -> SafeString:
        """The state, and the mode where it is not live."""
        shown = cells.tag(one.state, one.get_state_display())
        return shown if one.mode == "live" else format_html("{} {}", shown, cells.tag("", one.get_mode_display()))

    @admin.display(description="Customer")
    def of_customer(self, one: Action) -> SafeString:
        """Whom it concerns."""
        return page_of(one.customer, cells.theirs(one.customer, 50))

    @admin.display(description="At")
    def at(self, one: Action) -> str:
        """Where it would be written."""
        return cells.system(one.provider) if one.provider else "–"

    @admin.display(description="Because")
    def because_of(self, one: Action) -> SafeString:
        """Why it was proposed."""
        return cells.theirs(one.because, 70) if one.because else cells.dash()

    @admin.display(description="Amount")
    def money(self, one: Action) -> SafeString:
        """What it is worth, where it moves money."""
        return cells.amount(one.amount_minor, one.currency) if one.amount_minor is not None else cells.dash()

    @admin.display(description="Not before")
    def due_from(self, one: Action) -> SafeString:
        """When a held action is looked at again."""
        return cells.ago(one.available_at) if one.state in ("held", "approved") else cells.dash()

    @admin.display(description="Writes")
    def tried(self, one: Action) -> Any:
        """Writes begun."""
        return one.tries or cells.dash()

    @admin.display(description="Proposed")
    def made(self, one: Action) -> SafeString:
        """When it was proposed."""
        return cells.moment(one.created_at)

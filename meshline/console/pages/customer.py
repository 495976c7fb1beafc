"""The page of a customer: one customer over all systems, and whether they agree."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from gates.models import ReviewItem
from ledger import cells
from ledger.models import Action, ContextRecord, Contract, Customer, Event, ExternalId, LedgerRow
from meshline.console import customer_table, delta_pages, dispute_pages, parts, portal_pages, snapshot, sync_pages
from meshline.console.page import Block, Page, present
from meshline.console.pages.contract import history
from sync import proposals, refresh
from sync.disputes.models import Dispute

OPEN = ("held", "in_review", "approved", "parked", "sending", "unknown", "failed")


def build(request: HttpRequest, record: Customer) -> Page:
    """Read everything about one customer in a fixed number of queries."""
    customer, key = record, record.pk
    links = list(customer.links.order_by("system", "kind")[: parts.MOST])
    disputed = Exists(Dispute.objects.filter(customer=key))  # asked along with the contracts: most never had one
    contracts = list(customer.contracts.annotate(is_disputed=disputed).order_by("-id")[: parts.MOST])
    has_disputes = not contracts or bool(contracts[0].is_disputed)
    context: ContextRecord | None = getattr(customer, "context", None)
    may_review = request.user.has_perm("gates.view_reviewitem")
    waiting = _waiting(key) if may_review else []
    events = list(Event.objects.filter(customer=key).order_by("-id")[:12])
    main = [
        customer_table.block(request, customer, contracts, links, context),
        delta_pages.of_customer(request, key),
        parts.items(waiting) if may_review else None,
        parts.contracts(contracts),
        parts.actions(
            list(Action.objects.filter(customer=key, state__in=OPEN).order_by("-id")[:12]), "Open actions",
            "Nothing is planned, under way or in doubt.", parts.list_of("ledger_action", customer=key),
        ),
        parts.events(
            events, parts.list_of("ledger_event", customer=key), "No event about this customer was received."
        ),
        parts.ledger_rows(
            list(LedgerRow.objects.filter(customer_id=key).order_by("-id")[:12])[::-1],
            parts.list_of("ledger_ledgerrow", customer=key), "No ledger rows yet: nothing was decided.",
        ),
    ]  # fmt: skip
    return Page(
        title=cells.plain(customer, 120),
        sentence=_sentence(customer),
        tag=cells.tag(customer.state, customer.get_state_display()),
        line=_line(request, customer, context, events, len(waiting)),
        doors=[parts.door(one) for one in links],
        main=present(main),
        side=present(
            [
                _known(request, customer, contracts, context),
                dispute_pages.block(request, customer) if has_disputes else None,
                parts.links(links),
                sync_pages.block(request, customer),
                portal_pages.block(request, customer, links),
                history(customer, ("state", "tier", "owner")),
                _details(customer, links),
            ]
        ),
        back=(reverse("admin:ledger_customer_changelist"), "Customers"),
        template="console/customer.html",
        more={"customer": customer, "ask": _askable(request, contracts), "identity": customer.state == "conflict"},
    )


def _waiting(key: int) -> list[ReviewItem]:
    """What people still have to decide about this customer, the most urgent first."""
    found = ReviewItem.objects.filter(customer=key).exclude(state=ReviewItem.State.RESOLVED)
    return list(found.select_related("action").order_by("due_at")[:10])


def _line(
    request: HttpRequest, customer: Customer, context: ContextRecord | None, events: list[Event], waiting: int
) -> list[tuple[str, Any]]:
    oldest = min((one.read_at for one in _sources(context) if one.read_at), default=None)
    return [
        ("Tier", customer.get_tier_display()),
        ("Monthly revenue", cells.amount(customer.mrr_minor, customer.currency)),
        ("Account owner", cells.theirs(customer.owner) if customer.owner else "nobody"),
        ("E-mail", parts.email(request, customer)),
        ("Waiting for a person", str(waiting) if waiting else "nothing"),
        ("Last event", cells.ago(events[0].received_at) if events else cells.dash()),
        ("Oldest source", cells.ago(oldest) if oldest else "never read"),
    ]


def _sources(context: ContextRecord | None) -> list[snapshot.Source]:
    """Every block that was read, whichever contract it is of."""
    names = context.blocks if context else {}
    tails = {str(name).partition(":")[2] for name in names}
    keys: list[int | None] = [int(tail) for tail in tails if tail.isascii() and tail.isdigit()]
    return [one for key in keys or [None] for one in snapshot.sources(context, key).values()]


def _known(
    request: HttpRequest, customer: Customer, contracts: Sequence[Contract], context: ContextRecord | None
) -> Block:
    """The snapshot of the contract that matters most: one that is behind or suspended, else the newest."""
    order = {"past_due": 0, "suspended": 1, "active": 2}
    first = min(contracts, key=lambda one: (order.get(one.state, 3), -one.pk), default=None)
    may_refresh = request.user.has_perm(refresh.PERMISSION)
    return snapshot.block(customer, first, context, None, may_refresh=may_refresh)


def _askable(request: HttpRequest, contracts: Sequence[Contract]) -> list[tuple[str, str]]:
    """Where this person may ask for an action: one address for each contract that is not over."""
    if not request.user.has_perm(proposals.PERMISSION):
        return []
    named = [one for one in contracts if one.state != Contract.State.CANCELLED]
    return [
        (reverse("admin:propose", args=[one.pk]), f"{one.plan or 'contract'} {one.external_id[-6:]}") for one in named
    ]


def _sentence(customer: Customer) -> str:
    return {
        "conflict": "Two systems disagree about who this is. "
        "A person has to settle it before anything is changed automatically.",
        "archived": "Gone at the provider. Later events about this customer are kept and start nothing.",
        "pending": "Not yet known well enough in every system.",
    }.get(customer.state, "")


def _details(customer: Customer, links: list[ExternalId]) -> Block:
    newest = max((one.linked_at for one in links), default=None)
    return Block(
        "Details",
        pairs=[
            ("External id", cells.code(customer.external_id)),
            ("Known since", cells.moment(customer.created_at)),
            ("Last changed", cells.moment(customer.updated_at)),
            ("Linked in", format_html("{} systems", len({one.system for one in links})) if links else cells.dash()),
            ("Newest link", cells.ago(newest)),
            ("Version", customer.state_version),
        ],
    )

"""The page of a customer: one customer over all systems."""

from django.http import HttpRequest
from django.urls import reverse

from gates.models import ReviewItem
from ledger import cells
from ledger.models import Action, ContextRecord, Customer, Event, LedgerRow
from meshline.console import facts, parts
from meshline.console.page import Block, Page, present
from meshline.console.pages.contract import history

OPEN = ("held", "in_review", "approved", "parked", "sending", "unknown", "failed")


def build(request: HttpRequest, record: Customer) -> Page:
    """Read everything about one customer."""
    customer, key = record, record.pk
    links = list(customer.links.order_by("system", "kind")[: parts.MOST])
    waiting = (
        ReviewItem.objects.filter(customer=key)
        .exclude(state="resolved")
        .select_related("action")
        .order_by("due_at")[:10]
    )
    rows = list(LedgerRow.objects.filter(customer_id=key).order_by("-id")[:12])[::-1]
    main = [
        parts.items(waiting) if request.user.has_perm("gates.view_reviewitem") else None,
        parts.contracts(list(customer.contracts.order_by("-id")[: parts.MOST])),
        parts.actions(
            list(Action.objects.filter(customer=key, state__in=OPEN).order_by("-id")[:12]),
            "Open actions",
            "Nothing is planned, under way or in doubt.",
            parts.list_of("ledger_action", customer=key),
        ),
        parts.events(
            list(Event.objects.filter(customer=key).order_by("-id")[:12]),
            parts.list_of("ledger_event", customer=key),
            "No event about this customer was received.",
        ),
        parts.ledger_rows(
            rows, parts.list_of("ledger_ledgerrow", customer=key), "No ledger rows yet: nothing was decided."
        ),
    ]
    return Page(
        title=cells.plain(customer, 120),
        sentence=_sentence(customer),
        tag=cells.tag(customer.state, customer.get_state_display()),
        line=[
            ("Tier", customer.get_tier_display()),
            ("Monthly revenue", cells.amount(customer.mrr_minor, customer.currency)),
            ("Account owner", cells.theirs(customer.owner) if customer.owner else "nobody"),
            ("E-mail", parts.email(request, customer)),
        ],
        doors=[parts.door(one) for one in links],
        main=present(main),
        side=[
            *facts.context_blocks(ContextRecord.objects.filter(customer=key).first()),
            parts.links(links),
            history(customer, ("state", "tier", "owner")),
            _details(customer),
        ],
        back=(reverse("admin:ledger_customer_changelist"), "Customers"),
    )


def _sentence(customer: Customer) -> str:
    return {
        "conflict": "Two systems disagree about who this is. "
        "A person has to settle it before anything is changed automatically.",
        "archived": "Gone at the provider. Later events about this customer are kept and start nothing.",
        "pending": "Not yet known well enough in every system.",
    }.get(customer.state, "")


def _details(customer: Customer) -> Block:
    return Block(
        "Details",
        pairs=[
            ("External id", cells.code(customer.external_id)),
            ("Known since", cells.moment(customer.created_at)),
            ("Last changed", cells.moment(customer.updated_at)),
            ("Version", customer.state_version),
        ],
    )

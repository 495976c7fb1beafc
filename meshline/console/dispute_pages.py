"""Disputes: the list by when an answer is due, the page of one, and their places on other pages."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from gates.models import ReviewItem
from ledger import cells, money
from ledger.models import Action, Customer, LedgerRow
from ledger.readonly import page_of
from ledger.words import from_identifier
from meshline.console import doors, form_fields, parts
from meshline.console.page import Block, Page, Site, present
from sync.disputes.models import Dispute

VIEW = "sync.view_dispute"
PAGE = 50
MOST = 40
TONES = {
    "heard": "", "waiting": "failed", "reviewed": "held", "unclear": "failed", "won": "applied", "lost": "rejected",
    "ended": "applied",
}  # fmt: skip
NOTHING_WAITS = (
    "No bank waits for an answer. A dispute comes here when the billing provider tells of it; nothing is to be done "
    "until then."
)
# name of the view -> label, states, what an empty one says
VIEWS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "": ("Need an answer", ("heard", "waiting", "unclear"), NOTHING_WAITS),
    "bank": ("With the bank", ("reviewed",), "Nothing lies with a bank now."),
    "closed": ("Closed", ("won", "lost", "ended"), "No dispute has ended yet."),
}


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """What needs an answer first, the most urgent on top; `?view=` and `?kind=` narrow it, `?after=` turns the page."""
    permit(request)
    chosen = request.GET.get("view", "")
    chosen = chosen if chosen in VIEWS else ""
    kind = request.GET.get("kind", "")
    kind = kind if kind in Dispute.Kind.values else ""
    _, states, empty = VIEWS[chosen]
    rows = Dispute.objects.filter(state__in=states).select_related("customer")
    rows = rows.filter(kind=kind) if kind else rows
    found = list(_turned(rows, form_fields.key(request.GET.get("after")), is_closed=chosen == "closed")[: PAGE + 1])
    shown = found[:PAGE]
    more = _address(view=chosen, kind=kind, after=shown[-1].pk) if len(found) > PAGE else ""
    context = {
        "title": "Disputes", "rows": [_row(one) for one in shown], "older": more,
        "empty": empty if not kind else f"None of this kind. {empty}",
        "views": [(label, _address(view=name, kind=kind), name == chosen) for name, (label, _, _) in VIEWS.items()],
        "kinds": [("All kinds", _address(view=chosen), not kind)]
        + [(label, _address(view=chosen, kind=name), name == kind) for name, label in Dispute.Kind.choices],
    }  # fmt: skip
    return site.draw(request, "console/disputes.html", context)


def _turned(rows: "QuerySet[Dispute]", after: int | None, *, is_closed: bool) -> "QuerySet[Dispute]":
    """From behind one row on: by the time the answer is due, none last; closed ones newest first."""
    if is_closed:
        return (rows.filter(pk__lt=after) if after is not None else rows).order_by("-pk")
    ordered = rows.order_by(F("evidence_due_at").asc(nulls_last=True), "pk")
    if after is None:
        return ordered
    due = Dispute.objects.filter(pk=after).values_list("evidence_due_at", flat=True).first()
    if due is None:
        return ordered.filter(evidence_due_at=None, pk__gt=after)
    behind = Q(evidence_due_at__gt=due) | Q(evidence_due_at=due, pk__gt=after) | Q(evidence_due_at=None)
    return ordered.filter(behind)


def _address(**asked: Any) -> str:
    return f"?{urlencode({name: value for name, value in asked.items() if value})}"


def _row(one: Dispute) -> dict[str, Any]:
    return {
        "name": cells.link(address(one), str(one)), "customer": _customer(one.customer),
        "kind": one.get_kind_display(), "tag": state_tag(one), "amount": cells.amount(one.amount_minor, one.currency),
        "due": due(one), "suggested": _suggested(one), "opened": cells.ago(one.opened_at),
    }  # fmt: skip


def view(site: Site, request: HttpRequest, dispute_id: int) -> HttpResponse:
    """One dispute: what it is about, what is suggested and how that comes about, and everything that happened."""
    permit(request)
    one = Dispute.objects.select_related("customer", "contract").filter(pk=dispute_id).first()
    if one is None:
        raise Http404("there is no such dispute")
    page = _page(one)
    return site.draw(request, page.template, {"title": page.title, "page": page})


def _page(one: Dispute) -> Page:
    thread = LedgerRow.objects.filter(correlation_id=one.correlation_id).order_by("-id")[:MOST]
    made = Action.objects.filter(correlation_id=one.correlation_id).order_by("-id")[:10]
    waiting = ReviewItem.objects.filter(correlation_id=one.correlation_id).exclude(state="resolved")
    return Page(
        title=f"{one} {one.get_kind_display()} over {money.display(one.amount_minor, one.currency)}",
        sentence=cells.theirs(one.advice, 400),
        tag=state_tag(one),
        line=[
            ("Customer", _customer(one.customer)), ("Evidence due", due(one)), ("Opened", cells.moment(one.opened_at)),
            ("Reason", from_identifier(one.reason) if one.reason else cells.dash()),
            *([("Closed", cells.moment(one.closed_at))] if one.closed_at else []),
        ],
        doors=_doors(one),
        main=present(
            [
                sum_block(one),
                parts.items(waiting.select_related("action"), "Waiting for a person") if waiting else None,
                parts.actions(list(made), "Actions", "Nothing was proposed because of it."),
                parts.ledger_rows(
                    list(thread)[::-1], parts.list_of("ledger_ledgerrow", correlation=one.correlation_id),
                    "No ledger rows yet.",
                ),
            ]
        ),
        side=[_details(one)],
        back=(reverse("admin:disputes"), "Disputes"),
        correlation=str(one.correlation_id),
    )  # fmt: skip


def sum_block(one: Dispute, asked_minor: int | None = None) -> Block:
    """The lines of the suggested refund and what they come to; `asked_minor` where a person changed the amount."""
    if one.suggested_minor is None:
        return Block("Suggested refund", empty="None is suggested. What to do instead stands at the top of this page.")
    rows: list[Sequence[Any]] = [(words, cells.amount(minor, one.currency)) for words, minor in one.lines]
    rows.append(("Suggested", cells.amount(one.suggested_minor, one.currency)))
    if asked_minor is not None and asked_minor != one.suggested_minor:
        rows.append(("Changed by a person to", cells.amount(asked_minor, one.currency)))
    return Block("How the amount comes about", columns=("Line", "Amount"), rows=rows, note=one.rounded)


def block(request: HttpRequest, customer: Customer) -> Block | None:
    """What a customer disputes, for the customer's page; None where there never was anything."""
    if not request.user.has_perm(VIEW):
        return None
    found = list(Dispute.objects.filter(customer=customer).order_by("-pk")[:5])
    if not found:
        return None
    return Block(
        "Disputes",
        columns=("Dispute", "State", "Amount", "Evidence due"),
        rows=[
            (cells.link(address(one), f"{one} {one.get_kind_display()}"), state_tag(one),
             cells.amount(one.amount_minor, one.currency), due(one))
            for one in found
        ],
    )  # fmt: skip


def permit(request: HttpRequest) -> None:
    """Raises PermissionDenied for who may not see disputes."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied("your account may not see disputes")


def address(one: Dispute) -> str:
    """The page of a dispute."""
    return reverse("admin:dispute", args=[one.pk])


def state_tag(one: Dispute) -> SafeString:
    """How it stands."""
    return cells.tag(TONES[str(one.state)], one.get_state_display())


def due(one: Dispute) -> SafeString:
    """By when the bank takes evidence."""
    return cells.dash() if one.evidence_due_at is None else cells.due(one.evidence_due_at, over=not one.is_open)


def _suggested(one: Dispute) -> SafeString:
    return cells.dash() if one.suggested_minor is None else cells.amount(one.suggested_minor, one.currency)


def _customer(customer: Customer | None) -> Any:
    return page_of(customer, cells.theirs(customer, 80)) if customer else "not known here"


def _doors(one: Dispute) -> list[Any]:
    """To the provider's own pages, where answers are given; its ids where it has none."""
    found = []
    for kind, value in (("dispute", one.external_id), ("charge", one.charge)):
        url = doors.address(one.provider, kind, value)
        found.append(cells.link(url, f"{cells.system(one.provider)} {kind}") if url else cells.code(value))
    return found


def _details(one: Dispute) -> Block:
    sure = f"{one.confidence} in a hundred" if one.confidence is not None else cells.dash()
    return Block(
        "Details",
        pairs=[
            ("The provider's word", cells.theirs(one.status, 60)), ("Payment", cells.code(one.charge)),
            ("Contract", page_of(one.contract, cells.code(one.contract.external_id)) if one.contract else "not known"),
            ("Given back so far", cells.amount(one.refunded_minor, one.currency)),
            ("Earlier disputes", one.prior_disputes), ("How sure", sure), ("Last told", cells.moment(one.told_at)),
            ("Version", one.state_version),
        ],
    )  # fmt: skip

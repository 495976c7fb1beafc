"""Who is this customer? Why it is asked, both names and all ids, and a person's answer with a reason."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.models import ReviewItem
from gates.stop import Refused
from ledger import cells
from ledger.models import Action, Customer, ExternalId, LedgerRow
from ledger.words import why_words
from meshline.console import form_fields, parts
from meshline.console.page import Block, Page, Site, present
from sync.onboarding import identity
from sync.reconcile.admin import state_tag
from sync.reconcile.models import Delta

VIEW = "ledger.view_customer"


def view(site: Site, request: HttpRequest, customer_id: int) -> HttpResponse:
    """The page; a POST confirms."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Http404("there is no such customer")
    if request.method != "POST":
        return _draw(site, request, customer)
    try:
        confirmed = identity.confirm(
            customer_id, by=cast(User, request.user), reason=form_fields.text(request, "reason")
        )
    except Refused as refusal:
        return _draw(site, request, customer, refusal)
    state = confirmed.get_state_display().lower()
    messages.success(request, f"Confirmed. The customer is {state} again; what waited for this goes on.")
    return HttpResponseRedirect(reverse("admin:ledger_customer_change", args=[customer_id]))


def _draw(site: Site, request: HttpRequest, customer: Customer, refusal: Refused | None = None) -> HttpResponse:
    is_asked = customer.state == Customer.State.CONFLICT
    asked = list(Delta.objects.filter(customer=customer, check_name=identity.CHECK).order_by("-id")[: parts.MOST])
    page = Page(
        title=f"Who is {cells.plain(customer, 80)}?",
        sentence=_sentence(customer),
        tag=cells.tag(customer.state, customer.get_state_display()),
        line=[("External id", cells.code(customer.external_id)), ("Waits for this", _waiting(customer))],
        main=present([_asked(asked), _ids(customer), _story(customer)]),
        side=[
            Block(
                "What confirming does",
                text="The links stay as they are, with the old one kept. Billing goes on: what waited for nothing "
                "else is judged again and sent. If the links are wrong, do not confirm: correct the records first.",
            ),
            parts.items(_items(request, customer)),
        ],
        back=(reverse("admin:ledger_customer_change", args=[customer.pk]), "Customer"),
        template="console/identity.html",
        more={
            "customer": customer, "is_asked": is_asked, "may": request.user.has_perm(identity.PERMISSION),
            "needs": identity.PERMISSION,
        },
    )  # fmt: skip
    typed = form_fields.text(request, "reason")[: identity.LONGEST_REASON] if refusal else ""
    shown = {"title": page.title, "page": page, "refusal": refusal, "typed": typed}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _sentence(customer: Customer) -> str:
    if customer.state == Customer.State.CONFLICT:
        return "Something about this customer changed elsewhere. Billing waits until a person has said who it is."
    return "Nobody has to confirm this customer now."


def _waiting(customer: Customer) -> str:
    asking = Action.objects.filter(customer=customer, state=Action.State.IN_REVIEW)[: parts.MOST]
    count = sum(1 for one in asking if identity.waits_for_identity(one))
    return f"{count} action{'s' if count != 1 else ''}" if count else "nothing"


def _asked(asked: list[Delta]) -> Block:
    """Why it is asked, with both names next to each other."""
    return Block(
        "Why it is asked",
        columns=("Why", "In the CRM", "In the ERP", "Records", "Since", "State"),
        rows=[
            (
                why_words(one.field).capitalize(), _name(one.left_value), _name(one.right_value), _records(one),
                cells.ago(one.last_seen_at), state_tag(one),
            )
            for one in asked
        ],
        empty="Nothing was reported about it so far.",
        wide=True,
    )  # fmt: skip


def _name(value: str) -> Any:
    return cells.theirs(value, 120) if value else cells.dash()


def _records(one: Delta) -> Any:
    return cells.theirs(", ".join(f"{kind} {key}" for _, kind, key in one.refs), 120)


def _ids(customer: Customer) -> Block:
    """Where it is known, old links included."""
    links = list(ExternalId.objects.filter(customer=customer).order_by("system", "kind", "id")[: parts.MOST])
    return Block(
        "Known as",
        columns=("System", "What", "Id", "Linked", "By"),
        rows=[
            (
                cells.system(one.system), one.kind, parts.door(one), cells.moment(one.linked_at),
                cells.theirs(one.linked_by, 40),
            )
            for one in links
        ],
        empty="Not linked to any system yet.",
        wide=True,
    )  # fmt: skip


def _story(customer: Customer) -> Block:
    rows = LedgerRow.objects.filter(customer_id=customer.pk, subject_kind__in=("customer", "delta")).order_by("-id")
    more = parts.list_of("ledger_ledgerrow", customer=customer.pk)
    return parts.ledger_rows(list(rows[:12])[::-1], more, "No ledger rows yet.")


def _items(request: HttpRequest, customer: Customer) -> list[ReviewItem]:
    if not request.user.has_perm("gates.view_reviewitem"):
        return []
    found = ReviewItem.objects.filter(customer=customer).exclude(state=ReviewItem.State.RESOLVED)
    return list(found.select_related("action").order_by("due_at")[:10])

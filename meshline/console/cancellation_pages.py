"""Cancellations: what is under way, and the list of what may not be cancelled."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import blocklist
from gates.models import CancellationBlock
from gates.playbooks import cancellations
from gates.stop import Refused
from ledger import cells
from ledger.models import Action
from ledger.readonly import page_of
from ledger.words import kind_words
from meshline.console import form_fields
from meshline.console.form_fields import Field
from meshline.console.page import Block, Site

VIEW, EDIT = "gates.view_cancellationblock", blocklist.PERMISSION
LIVE = ("held", "in_review", "approved", "parked", "sending", "unknown", "failed")
MOST = 100


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page; a POST puts an entry on the list."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if request.method != "POST":
        return _draw(site, request)
    user: Any = request.user
    said = (form_fields.text(request, name) for name in ("what", "value", "why"))
    try:
        made = blocklist.add(*said, by=user)
    except Refused as refusal:
        return _draw(site, request, refusal)
    messages.success(request, f"On the list: {made.what} {made.value}. What was approved and not sent is asked again.")
    return HttpResponseRedirect(reverse("admin:cancellations"))


def act(site: Site, request: HttpRequest, key: int, verb: str) -> HttpResponse:
    """Take an entry off the list; by POST only."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if verb != "end":
        raise Http404("there is no such verb")
    here = HttpResponseRedirect(reverse("admin:cancellations"))
    if request.method != "POST":
        return here
    user: Any = request.user
    try:
        ended = blocklist.end(key, form_fields.text(request, "why"), by=user)
    except Refused as refusal:
        if refusal.status == 404:
            raise Http404(refusal.message) from None
        return _draw(site, request, refusal)
    messages.success(request, f"Off the list: {ended.what} {ended.value}. What waited for it has to be approved anew.")
    return here


def _draw(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    context = {
        "title": "Cancellations", "refusal": refusal, "may_edit": request.user.has_perm(EDIT),
        "under_way": under_way(),
        "entries": list(CancellationBlock.objects.filter(ended_at=None).select_related("added_by")),
        "fields": form_fields.filled(fields(), request if refusal else None, refusal),
    }  # fmt: skip
    return site.draw(request, "console/cancellations.html", context, refusal.status if refusal else None)


WHEN = {"now": "at once", "period_end": "with the period"}


def under_way() -> Block:
    """Every step of a cancellation that is not over, newest first."""
    found = Action.objects.filter(kind__in=cancellations.KINDS, state__in=LIVE).select_related("customer")
    rows = [
        (
            page_of(one, kind_words(one.kind)), cells.theirs(one.customer, 60) if one.customer else cells.dash(),
            cells.tag(one.state, one.get_state_display()), WHEN.get(one.params.get("when"), cells.dash()),
            cells.moment(one.available_at) if one.state == "held" else cells.dash(),
        )
        for one in found.order_by("-id")[:MOST]
    ]  # fmt: skip
    return Block(
        "Under way", columns=("Step", "Customer", "State", "When", "Looked at again"), rows=rows, wide=True,
        empty="Nothing is being cancelled. Ask for it on a contract's page: Ask for an action, Cancel subscription.",
        note="the newest 100" if len(rows) == MOST else "",
    )  # fmt: skip


def fields() -> list[Field]:
    """The form of an entry."""
    return [
        Field("what", "What", kind="select", choices=CancellationBlock.What.choices),
        Field(
            "value", "Which", longest=64,
            help="A customer's or contract's external id, a tier (enterprise), or a reason for cancelling (unpaid).",
        ),
        Field("why", "Why may it not be cancelled?", longest=300, help="Shown to whoever asks; no personal data."),
    ]  # fmt: skip

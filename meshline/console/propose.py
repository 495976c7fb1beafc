"""Asking for an action by hand: choose a kind, fill in its fields, see what would change, then ask."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from gates.models import ReviewItem
from gates.review import Refused
from ledger.models import Contract
from ledger.words import kind_words, state_words
from meshline.console import bar, proposal_form
from meshline.console.page import Site
from sync import actions, proposals, refresh
from sync.refunds import left
from sync.refunds.left import Left

REFUND = "payment.refund"


@dataclass(slots=True)
class Draft:
    """What the page shows: the chosen kind, its fields with what was typed, and the preview if there is one."""

    contract: Contract
    kind: str = ""
    fields: list[proposal_form.Field] = field(default_factory=list)
    reason: str = ""
    preview: dict[str, Any] | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    failing: list[tuple[Any, ...]] = field(default_factory=list)
    left: Left | None = None  # what can still be refunded, where that is asked about


def view(site: Site, request: HttpRequest, contract_id: int) -> HttpResponse:
    """The form. A POST with `preview` shows what would change and stores nothing; one with `ask` asks."""
    if not (request.user.has_perm("ledger.view_contract") and request.user.has_perm(proposals.PERMISSION)):
        raise PermissionDenied
    contract = Contract.objects.select_related("customer").filter(pk=contract_id).first()
    if contract is None:
        raise Http404("there is no such contract")
    given = request.POST if request.method == "POST" else request.GET
    draft = Draft(contract, given.get("kind", ""), reason=given.get("reason", "").replace("\x00", ""))
    if draft.kind and draft.kind not in actions.ACTIONS:
        raise Http404("there is no such kind of action")
    if draft.kind == REFUND and request.method == "GET":
        draft.left = left.of(contract)
    if draft.kind:
        draft.fields = proposal_form.fields(draft.kind, proposal_form.typed(given))
    if request.method != "POST" or not draft.kind:
        return _draw(site, request, draft)
    try:
        return _previewed(site, request, draft) if "preview" in request.POST else _asked(request, draft)
    except Refused as refusal:
        return _draw(site, request, draft, refusal=refusal, status=refusal.status)


def _previewed(site: Site, request: HttpRequest, draft: Draft) -> HttpResponse:
    """What would change and what the gates would say, with nothing stored."""
    user: Any = request.user
    params = proposal_form.params(draft.kind, proposal_form.typed(request.POST))
    draft.preview = proposals.preview(draft.kind, draft.contract.pk, params, by=user)
    draft.rows, draft.failing = bar.preview_rows(draft.preview["preview"]), bar.failing(draft.preview)
    return _draw(site, request, draft)


def _asked(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Ask, and go to the item where it waits for a person, or to the action where it does not."""
    user: Any = request.user
    params = proposal_form.params(draft.kind, proposal_form.typed(request.POST))
    made = proposals.propose(draft.kind, draft.contract.pk, params, by=user, reason=draft.reason)
    item = ReviewItem.objects.filter(action=made).exclude(state=ReviewItem.State.RESOLVED).first()
    where = "another person decides" if item else f"it is {state_words(made.state)}"
    messages.success(request, f"You asked for this: {kind_words(made.kind).lower()}. Nothing is sent yet; {where}.")
    if item is not None and user.has_perm("gates.view_reviewitem"):
        return HttpResponseRedirect(reverse("admin:gates_reviewitem_change", args=[item.pk]))
    return HttpResponseRedirect(reverse("admin:ledger_action_change", args=[made.pk]))


def _draw(site: Site, request: HttpRequest, draft: Draft, refusal: Any = None, status: int = 200) -> HttpResponse:
    kinds = [(name, kind_words(name)) for name in actions.offered()]
    context = {
        "title": f"Ask for an action: {draft.contract.customer}", "draft": draft, "kinds": kinds, "refusal": refusal,
        "reason_length": proposals.REASON_LENGTH, "chosen": kind_words(draft.kind) if draft.kind else "",
    }  # fmt: skip
    return site.draw(request, "console/propose.html", context, status)


def read_again(site: Site, request: HttpRequest, customer_id: int) -> HttpResponse:
    """Queue a fresh read of a customer, from whichever page shows what is known of it."""
    if not (request.user.has_perm("ledger.view_customer") or request.user.has_perm("gates.view_reviewitem")):
        raise PermissionDenied
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("admin:ledger_customer_change", args=[customer_id])
    if request.method != "POST":
        return HttpResponseRedirect(back)
    user: Any = request.user
    try:
        refresh.ask(customer_id, by=user)
    except Refused as refusal:
        if refusal.status == 404:
            raise Http404(refusal.message) from None
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        messages.warning(request, refusal.message)
        return HttpResponseRedirect(back)
    messages.success(request, "Asked for a fresh read. It shows up here in a few seconds.")
    return HttpResponseRedirect(back)

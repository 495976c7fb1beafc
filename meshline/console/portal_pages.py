"""Portal links: the block on a customer's page, the list of all, making them for everybody, and the check of the path.

An address is shown once, in the answer to making it: it is a key to the customer's billing data.
"""

from collections.abc import Sequence
from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.stop import Refused
from ledger.models import Customer, ExternalId
from ledger.readonly import actor_names
from meshline.console import form_fields
from meshline.console.page import Block, Site
from sync.portal import backfill, checking, links
from sync.portal.models import PortalLink, PortalRun

VIEW, MANAGE = "sync.view_portallink", links.PERMISSION
PAGE, RUNS = 50, 5
PLAN_WORDS = {
    "make": "get a link", "has_link": "have one that works", "no_id": "not known in Stripe",
    "several_ids": "known there by several ids: choose on the customer's page", "archived": "archived",
}  # fmt: skip


def block(request: HttpRequest, customer: Customer, known_as: Sequence[ExternalId]) -> Block | None:
    """The portal link of a customer with what may be done about it, and the address of one made by this request."""
    if not request.user.has_perm(VIEW):
        return None
    newest = PortalLink.objects.filter(customer=customer).order_by("-generation").first()
    works = newest is not None and newest.state == PortalLink.State.ACTIVE and not links.is_over(newest)
    known = [one.value for one in known_as if (one.system, one.kind) == (links.PROVIDER, links.KIND)]
    dead = works and newest is not None and newest.billing_customer not in known
    data = {
        "customer": customer, "link": newest if works else None, "ids": known,
        "made": getattr(request, "portal_made", None),
        "last": None if works else newest, "dead": dead,
        "may": request.user.has_perm(MANAGE), "by": _named([newest])[0] if newest else "",
    }  # fmt: skip
    return Block("Portal link", template="console/portal_block.html", data=data, anchor="portal")


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """All links, the newest first, with the check and the backfill above them."""
    return _draw(site, request)


def _draw(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    state = request.GET.get("state", "")
    found = PortalLink.objects.select_related("customer").order_by("-pk")
    if state in PortalLink.State.values:
        found = found.filter(state=state)
    if before := form_fields.key(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    older, rows = rows[PAGE - 1].pk if len(rows) > PAGE else None, rows[:PAGE]
    runs = list(PortalRun.objects.filter(kind=PortalRun.Kind.BACKFILL)[:RUNS])
    check, names = checking.latest(), _named([*rows, *runs])
    context = {
        "title": "Portal links", "rows": list(zip(rows, names[: len(rows)], strict=True)),
        "older": older, "state": state, "states": PortalLink.State.choices,
        "runs": list(zip(runs, names[len(rows) :], map(_told, runs), strict=True)), "check": check,
        "steps": check.report.get("steps", []) if check else [], "pending": checking.pending(),
        "plan": _plan(request), "may": request.user.has_perm(MANAGE), "refusal": refusal,
    }  # fmt: skip
    return site.draw(request, "console/portal_links.html", context, refusal.status if refusal else None)


def _plan(request: HttpRequest) -> list[tuple[int, str]]:
    """What a backfill would do, only where it is asked for: it looks at every customer."""
    if "plan" not in request.GET:
        return []
    counted = backfill.plan()
    return [(getattr(counted, name), words) for name, words in PLAN_WORDS.items()]


def _told(run: PortalRun) -> str:
    """What a backfill came to, in words."""
    return ", ".join(f"{count:,} {PLAN_WORDS.get(name, name)}" for name, count in run.report.items() if count) or "none"


def _named(rows: Sequence[PortalLink | PortalRun]) -> list[str]:
    """Who made each of them, in one look-up."""
    actors = [one.made_by if isinstance(one, PortalLink) else one.asked_by for one in rows]
    names = actor_names(actors)
    return [names[one] for one in actors]


def bulk(site: Site, request: HttpRequest, verb: str) -> HttpResponse:
    """Ask for a check or a backfill; by POST only."""
    here = HttpResponseRedirect(reverse("admin:portal_links"))
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if verb not in ("check", "backfill"):
        raise Http404("there is no such verb")
    if request.method != "POST":
        return here
    by = cast(User, request.user)
    try:
        if verb == "check":
            checking.ask(by=by)
            messages.success(request, "Asked. The result shows up here in a moment; reload the page.")
        else:
            backfill.ask(by=by, reason=form_fields.text(request, "reason"))
            messages.success(request, "Begun. The report below grows until every customer was looked at.")
    except Refused as refusal:
        return _draw(site, request, refusal)
    return here


def make(site: Site, request: HttpRequest, customer_id: int) -> HttpResponse:
    """Make a customer's link and show its address, this once; by POST only."""
    customer = _customer(request, customer_id)
    if request.method != "POST":
        return HttpResponseRedirect(_page(customer))
    said, chosen = form_fields.text(request, "reason"), form_fields.text(request, "billing_customer")
    try:
        made = links.make(customer.pk, by=cast(User, request.user), reason=said, billing_customer=chosen)
    except Refused as refusal:
        return _shown(site, request, customer, refusal=refusal)
    return _shown(site, request, customer, made=made)


def act(site: Site, request: HttpRequest, link_id: int, verb: str) -> HttpResponse:
    """Renew or revoke a link; by POST only."""
    if verb not in ("renew", "revoke"):
        raise Http404("there is no such verb")
    link = PortalLink.objects.filter(pk=link_id).first()
    if link is None and request.user.has_perm(VIEW):
        raise Http404("there is no such link")
    customer = _customer(request, link.customer_id if link else 0)
    if request.method != "POST":
        return HttpResponseRedirect(_page(customer))
    by, said = cast(User, request.user), form_fields.text(request, "reason")
    try:
        version = form_fields.number(request, "version", most=10**9)
        if verb == "renew":
            return _shown(site, request, customer, made=links.renew(link_id, by=by, reason=said, version=version))
        links.revoke(link_id, by=by, reason=said, version=version)
    except Refused as refusal:
        return _shown(site, request, customer, refusal=refusal)
    messages.success(request, "Revoked. The address answers now as if it had never been.")
    return HttpResponseRedirect(_page(customer))


def _shown(
    site: Site, request: HttpRequest, customer: Customer, *, made: links.Made | None = None,
    refusal: Refused | None = None,
) -> HttpResponse:  # fmt: skip
    """The customer's page with the new address, or with what was refused."""
    request.portal_made = made  # type: ignore[attr-defined]
    return site.show(request, customer, status=refusal.status if refusal else None, refusal=refusal)


def _customer(request: HttpRequest, customer_id: int) -> Customer:
    if not (request.user.has_perm(VIEW) and request.user.has_perm("ledger.view_customer")):
        raise PermissionDenied
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Http404("there is no such customer")
    return customer


def _page(customer: Customer) -> str:
    return f"{reverse('admin:ledger_customer_change', args=[customer.pk])}#portal"

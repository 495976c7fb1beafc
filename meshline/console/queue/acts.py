"""What people do with the queue as a whole: take the next item, keep and forget views, choose columns. By POST only."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import runbooks
from gates.models import Preference, ReviewItem
from gates.review import Refused
from meshline.console.page import Site
from meshline.console.queue import page, saved, walk
from meshline.console.queue.address import Asked, BadAddress
from meshline.console.queue.cells import MORE

Act = Callable[[HttpRequest, Asked], HttpResponse]


def run(site: Site, request: HttpRequest, act: Act) -> HttpResponse:
    """Run one of them from the view the person looks at; what is refused is said above that view, with nothing done."""
    if not request.user.has_perm(page.VIEW):
        raise PermissionDenied
    asked = Asked(request.user)
    if request.method != "POST":
        return HttpResponseRedirect(walk.back_url(request))
    try:
        asked = Asked.parse(request.POST.get("view", ""), request.user)
        return act(request, asked)
    except BadAddress as error:
        return page.draw(site, request, asked, refusal=Refused(400, "address", str(error)), status=400)
    except Refused as refusal:
        return page.draw(site, request, asked, refusal=refusal, status=refusal.status)


def take(site: Site, request: HttpRequest) -> HttpResponse:
    """Next item: claim the first unclaimed one of the view and go to it."""
    return run(site, request, walk.take_next)


def save_view(site: Site, request: HttpRequest) -> HttpResponse:
    """Keep the present address under a name."""

    def act(request: HttpRequest, asked: Asked) -> HttpResponse:
        made = saved.create(request.user, request.POST.get("name", ""), asked, request.POST.get("shared_with", ""))
        shared = f" and shared with {made.shared_with}" if made.shared_with else ""
        messages.success(request, f"The view “{made.name}” is saved{shared}.")
        return HttpResponseRedirect(asked.url)

    return run(site, request, act)


def delete_view(site: Site, request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget a view; items stay as they are."""

    def act(request: HttpRequest, asked: Asked) -> HttpResponse:
        name = saved.drop(request.user, view_id)
        messages.success(request, f"The view “{name}” is deleted. No item changed.")
        return HttpResponseRedirect(asked.url)

    return run(site, request, act)


def choose_columns(site: Site, request: HttpRequest) -> HttpResponse:
    """Keep which columns this person sees beyond the usual ones."""

    def act(request: HttpRequest, asked: Asked) -> HttpResponse:
        wanted = request.POST.getlist("column")
        if not set(wanted) <= set(MORE):
            raise Refused(422, "column", "there is no such column; nothing was changed")
        user: Any = request.user
        Preference.objects.update_or_create(user=user, defaults={"columns": [name for name in MORE if name in wanted]})
        return HttpResponseRedirect(asked.url)

    return run(site, request, act)


def runbook(site: Site, request: HttpRequest, item_id: int) -> HttpResponse:
    """To what people do about this kind of failure; to the item itself, where it is said, when nobody wrote it down."""
    if not request.user.has_perm(page.VIEW):
        raise PermissionDenied
    item = ReviewItem.objects.select_related("action").filter(pk=item_id).first()
    if item is None:
        raise Http404("there is no such review item")
    found = runbooks.for_item(item)
    if found is None:
        messages.info(request, "Nobody wrote a runbook for this kind of failure yet.")
        return HttpResponseRedirect(walk.item_url(item_id, Asked(request.user)))
    return HttpResponseRedirect(reverse("admin:runbook", args=[found.slug]))

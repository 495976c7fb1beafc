"""Next item, the item before and behind, and the way back: the view a person came from travels in the address."""

from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import review
from gates.models import ReviewItem
from gates.review import Refused
from meshline.console.queue.address import Asked, BadAddress

NEAR = 30
FORWARD, BACKWARD = ("due_at", "id"), ("-due_at", "-id")


def remembered(request: HttpRequest) -> Asked:
    """The view the person came from, as `view` in the address or the form; all open items without one."""
    try:
        return Asked.parse(request.POST.get("view", request.GET.get("view", "")), request.user)
    except BadAddress:
        return Asked(request.user)


def is_walking(request: HttpRequest) -> bool:
    """Whether the person takes one item after the other by Next item."""
    return request.POST.get("next", request.GET.get("next", "")) == "1"


def item_url(item_id: int, asked: Asked, *, walking: bool = False) -> str:
    """The page of an item, with the view it was opened from."""
    address = reverse("admin:gates_reviewitem_change", args=[item_id])
    carried = urlencode({name: value for name, value in (("view", asked.here), ("next", "1" * walking)) if value})
    return f"{address}?{carried}" if carried else address


def back_url(request: HttpRequest) -> str:
    """The queue as it was left."""
    return remembered(request).url


def neighbours(item: ReviewItem, asked: Asked) -> tuple[int | None, int | None]:
    """The items before and behind this one in its view, wherever this one went meanwhile; two statements."""
    behind = Q(due_at__gt=item.due_at) | Q(due_at=item.due_at, pk__gt=item.pk)
    before = Q(due_at__lt=item.due_at) | Q(due_at=item.due_at, pk__lt=item.pk)
    found = [
        asked.items().filter(where).order_by(*order).values_list("pk", flat=True).first()
        for where, order in ((before, BACKWARD), (behind, FORWARD))
    ]
    return found[0], found[1]


def take_next(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Claim the next item of a view and go to it; back to the view where nothing is left. Raises Refused."""
    taken = review.next_item(by=request.user, query=asked.items())  # type: ignore[arg-type]
    if taken is None:
        where = "in this view" if asked.query else "in the queue"
        messages.info(request, f"Nothing unclaimed is left {where}.")
        return HttpResponseRedirect(asked.url)
    return HttpResponseRedirect(item_url(taken.pk, asked, walking=True))


def after_decision(request: HttpRequest, item_id: int) -> HttpResponse:
    """Where a person goes after a decision: to the next item when walking, else to the same item again."""
    asked = remembered(request)
    if is_walking(request):
        try:
            return take_next(request, asked)
        except Refused as refusal:
            messages.warning(request, refusal.message)
    return HttpResponseRedirect(item_url(item_id, asked))

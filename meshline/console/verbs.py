"""What people do on a review item or an event: one POST, one call of the service door, and its answer in words."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import review
from gates.models import ReviewItem
from gates.review import Refused
from ledger.models import Event
from ledger.words import state_words
from meshline.console.page import Site

DONE = {
    "claim": "{item} is yours for 15 minutes.",
    "release": "{item} is back in the queue.",
    "comment": "Your comment on {item} is kept. It is not sent anywhere.",
    "approve": "You approved {item}. {state}",
    "reject": "You rejected {item}. {state}",
    "retry": "{item} will be sent again: same bytes, same key. {state}",
    "check": "The provider is asked about {item} now. Look again in a moment.",
}
STATES = {
    "approved": "The action is approved and will be sent; it is not done until the provider confirms it.",
    "in_review": "It waits for a second person.",
    "rejected": "The action ended; nothing is sent.",
    "parked": "The action is approved but held by the stop.",
}


def act(site: Site, request: HttpRequest, item_id: int, verb: str) -> HttpResponse:
    """Run one verb. A link that leads here does nothing but show the item."""
    if verb not in CALLS:
        raise Http404("there is no such verb")
    if not request.user.has_perm("gates.view_reviewitem"):
        raise PermissionDenied
    here = reverse("admin:gates_reviewitem_change", args=[item_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        CALLS[verb](item_id, request)
    except Refused as refusal:
        return refused(site, request, ReviewItem.objects.filter(pk=item_id).first(), refusal, verb)
    messages.success(request, sentence(item_id, verb))
    return HttpResponseRedirect(here)


def refused(site: Site, request: HttpRequest, record: Any, refusal: Refused, verb: str) -> HttpResponse:
    """The page again, with what was refused and why on top, and the words the person had typed kept."""
    if record is None:
        raise Http404(refusal.message)
    shown = {
        "refusal": refusal,
        "refused_verb": verb,
        "typed": request.POST.get("reason", "")[:500],
        "typed_text": request.POST.get("text", ""),
    }
    return site.show(request, record, status=refusal.status, **shown)


def sentence(item_id: int, verb: str) -> str:
    """What was done, and what follows from it."""
    item = ReviewItem.objects.select_related("action").get(pk=item_id)
    state = ""
    if item.action is not None:
        state = STATES.get(item.action.state, f"The action is {state_words(item.action.state)}.")
    return DONE[verb].format(item=item, state=state).strip()


def replay(site: Site, request: HttpRequest, event_id: int) -> HttpResponse:
    """Judge a stored event again."""
    if not request.user.has_perm("ledger.view_event"):
        raise PermissionDenied
    here = reverse("admin:ledger_event_change", args=[event_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        review.replay(event_id, by=request.user, reason=request.POST.get("reason", ""))  # type: ignore[arg-type]
    except Refused as refusal:
        return refused(site, request, Event.objects.filter(pk=event_id).first(), refusal, "replay")
    messages.success(
        request, "The event will be judged again in a moment. The same keys hold, so nothing is done twice."
    )
    return HttpResponseRedirect(here)


def _number(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(422, "version", "the page did not say which version you saw; reload it and try again")
    return int(text)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\x00", "")


CALLS: dict[str, Callable[[int, Any], Any]] = {
    "claim": lambda key, request: review.claim(key, by=request.user),
    "release": lambda key, request: review.release(key, by=request.user),
    "comment": lambda key, request: review.comment(
        key, by=request.user, text=request.POST.get("text", "").replace("\x00", "")
    ),
    "approve": lambda key, request: review.approve(
        key,
        by=request.user,
        reason=_reason(request),
        version=_number(request),
        preview_hash=request.POST.get("preview_hash", ""),
    ),
    "reject": lambda key, request: review.reject(
        key, by=request.user, reason=_reason(request), version=_number(request)
    ),
    "retry": lambda key, request: review.retry(key, by=request.user, reason=_reason(request), version=_number(request)),
    "check": lambda key, request: review.check(key, by=request.user, version=_number(request)),
}

"""What people do on an item, an action or an event: one POST, one call of the service door, its answer in words."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from gates import review
from gates.models import ReviewItem
from gates.review import Refused
from ledger import clock
from ledger.models import Action, Event
from ledger.words import state_words
from meshline import stepup
from meshline.console import bar, proposal_form
from meshline.console.page import Site
from meshline.console.queue import walk
from sync import proposals

DONE = {
    "claim": "{item} is yours for 15 minutes.",
    "release": "{item} is back in the queue.",
    "comment": "Your comment on {item} is kept. It is not sent anywhere.",
    "approve": "You approved {item}. {state}",
    "reject": "You rejected {item}. {state}",
    "retry": "{item} will be sent again: same bytes, same key. {state}",
    "check": "The provider is asked about {item} now. Look again in a moment.",
    "undo": "Your approval is taken back; nothing was sent. It waits for a decision again as {item}.",
    "assign": "{item} was handed on.",
    "snooze": "{item} waits. It comes back by itself.",
    "wake": "{item} is open again.",
    "escalate": "{item} is with the next owner now.",
    "edit": "You changed what {item} proposes. Approvals given before are void; another person has to approve.",
    "rollback": "What undoes it was asked for; it goes through the same gates and another person decides.",
}
READ_AGAIN = "{item} is read again and judged anew: it goes on if every gate passes, else it says what is missing now."
STATES = {
    "approved": "The action is approved and will be sent; it is not done until the provider confirms it.",
    "in_review": "It waits for a second person.",
    "rejected": "The action ended; nothing is sent.",
    "parked": "The action is approved but held by the stop.",
}
# After these the person goes on to the next item, if they work through a view.
DECISIONS = ("approve", "reject", "retry", "check", "assign", "snooze", "escalate", "edit")
TOMORROW_HOUR = 9
RECORD = ("cause", "corrective_action", "prevention")  # what closing a failure asks for


def act(site: Site, request: HttpRequest, item_id: int, verb: str) -> HttpResponse:
    """Run one verb. A link that leads here does nothing: it shows the item, with the form of the verb if it has one."""
    if verb not in CALLS:
        raise Http404("there is no such verb")
    if not request.user.has_perm("gates.view_reviewitem"):
        raise PermissionDenied
    item = ReviewItem.objects.filter(pk=item_id).select_related("action").first()
    if item is None:
        raise Http404("there is no such review item")
    asks_more = verb in bar.ASKS_MORE or (verb == "reject" and "form" in request.POST)
    here = walk.item_url(item_id, walk.remembered(request), walking=walk.is_walking(request))
    if request.method != "POST":
        return with_form(site, request, item, verb) if asks_more else HttpResponseRedirect(here)
    if asks_more and ("form" in request.POST or "preview" in request.POST):
        return with_form(site, request, item, verb)
    if verb == "approve" and is_above_limit(item) and stepup.needed(request):
        return stepup.demand(request, here)
    try:
        done = CALLS[verb](item_id, request)
    except Refused as refusal:
        return refused(site, request, item, refusal, verb)
    return answered(request, item, verb, done)


def is_above_limit(item: ReviewItem) -> bool:
    """Whether approving it asks for the password again: it needs two people."""
    return item.action is not None and review.needed(item.action) > 1


def answered(request: HttpRequest, item: ReviewItem, verb: str, done: Any) -> HttpResponse:
    """Say what was done, then the next item, the new one, or the same again."""
    place = done if isinstance(done, ReviewItem) else item
    messages.success(request, sentence(place.pk, verb))
    if verb == "approve":
        bar.remember_undo(request, item)
    if verb in DECISIONS:
        return walk.after_decision(request, place.pk)
    return HttpResponseRedirect(walk.item_url(place.pk, walk.remembered(request), walking=walk.is_walking(request)))


def with_form(
    site: Site, request: HttpRequest, item: ReviewItem, verb: str, status: int = 200, **more: Any
) -> HttpResponse:
    """The page of the item with the form of one verb where its buttons were; nothing is done."""
    form = bar.form(request, item, verb)
    if verb == "edit" and "preview" in request.POST:
        form |= previewed(request, item)
    return site.show(request, item, status=status, verb_form=form, **more)


def previewed(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    """What an edited proposal would change, without storing it; or what is wrong with it."""
    action = item.action
    if action is None:
        return {}
    user: Any = request.user
    try:
        params = proposal_form.params(action.kind, proposal_form.typed(request.POST))
        shown = proposals.preview(action.kind, action.contract_id or "", params, by=user, but=action.pk)
    except Refused as refusal:
        return {"problem": refusal.message}
    return {"rows": bar.preview_rows(shown["preview"]), "failing": bar.failing(shown), "needed": shown["needed"]}


def refused(site: Site, request: HttpRequest, record: Any, refusal: Refused, verb: str) -> HttpResponse:
    """The page again, with what was refused and why on top, and the words the person had typed kept."""
    if record is None:
        raise Http404(refusal.message)
    shown: dict[str, Any] = {
        "refusal": refusal,
        "refused_verb": verb,
        "typed": request.POST.get("reason", "")[:500],
        "typed_text": request.POST.get("text", ""),
    }
    asks_more = verb in bar.ASKS_MORE or refusal.code in RECORD
    if isinstance(record, ReviewItem) and refusal.status == 422 and asks_more:
        return with_form(site, request, record, verb, status=refusal.status, **shown)
    return site.show(request, record, status=refusal.status, **shown)


def sentence(item_id: int, verb: str) -> str:
    """What was done, and what follows from it."""
    item = ReviewItem.objects.select_related("action").get(pk=item_id)
    state = ""
    if verb == "retry" and item.state != ReviewItem.State.RESOLVED:
        return READ_AGAIN.format(item=item)
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


def roll_back(site: Site, request: HttpRequest, action_id: Any) -> HttpResponse:
    """Ask for what undoes an action that is done; from its own page, where no item is open any more."""
    if not request.user.has_perm("ledger.view_action"):
        raise PermissionDenied
    action = Action.objects.filter(pk=action_id).first()
    if action is None:
        raise Http404("there is no such action")
    if request.method != "POST" or "form" in request.POST:
        return site.show(request, action, rollback=bar.rollback_preview(action, request.user), typed="")
    user: Any = request.user
    try:
        made = proposals.roll_back(action.pk, by=user, reason=_reason(request), version=_number(request))
    except Refused as refusal:
        shown = {"rollback": bar.rollback_preview(action, user), "typed": _reason(request)[:500]}
        return site.show(request, action, status=refusal.status, refusal=refusal, **shown)
    messages.success(request, DONE["rollback"])
    return HttpResponseRedirect(reverse("admin:ledger_action_change", args=[made.pk]))


# --- what the form says


def _number(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(422, "version", "the page did not say which version you saw; reload it and try again")
    return int(text)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\x00", "")


def _until(request: HttpRequest) -> datetime | None:
    """Until when: one of the usual times, or an exact one in the person's own zone."""
    exact, chosen, now = request.POST.get("until_exact", "").strip(), request.POST.get("until", ""), clock.now()
    if exact:
        try:
            given = parse_datetime(exact)
        except ValueError:
            given = None
        if given is None:
            raise Refused(422, "until", "until: not a date and time; write it as 2026-11-24 09:00")
        return given if given.tzinfo else timezone.make_aware(given)
    if chosen == "tomorrow":
        morning = timezone.localtime(now).replace(hour=TOMORROW_HOUR, minute=0, second=0, microsecond=0)
        return morning + timedelta(days=1)
    spans = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "3d": timedelta(days=3), "7d": timedelta(days=7)}
    if chosen and chosen not in spans:
        raise Refused(422, "until", "until: choose one of the times, or write a date and time")
    return now + spans[chosen] if chosen else None


def _receiver(request: HttpRequest) -> tuple[User | None, str]:
    """Who gets the item: `user:12` or `group:Support`."""
    kind, _, name = request.POST.get("to", "").replace("\x00", "").partition(":")
    if kind == "group":
        return None, name
    found = User.objects.filter(pk=int(name)).first() if name.isascii() and name.isdigit() and len(name) < 10 else None
    if kind != "user" or found is None:
        raise Refused(422, "to", "to: choose a person or a group")
    return found, ""


def _assign(key: int, request: Any) -> ReviewItem:
    to, group = _receiver(request)
    return review.assign(key, by=request.user, to=to, group=group, reason=_reason(request))


def _snooze(key: int, request: Any) -> ReviewItem:
    return review.snooze(
        key, by=request.user, until=_until(request), why=request.POST.get("why", ""), reason=_reason(request)
    )


def _reject(key: int, request: Any) -> ReviewItem:
    record = {name: request.POST.get(name, "").replace("\x00", "") for name in RECORD}
    return review.reject(key, by=request.user, reason=_reason(request), version=_number(request), **record)


def _edit(key: int, request: Any) -> ReviewItem | None:
    """The new proposal; once a request was frozen it is a new action with an item of its own."""
    item = ReviewItem.objects.select_related("action").filter(pk=key).first()
    if item is None or item.action is None:
        raise Refused(409, "no_action", "this item is about an event; there is nothing to edit")
    params = proposal_form.params(item.action.kind, proposal_form.typed(request.POST))
    made = proposals.edit(key, params, by=request.user, reason=_reason(request), version=_number(request))
    return ReviewItem.objects.filter(action=made).order_by("-pk").first()


def _roll_back(key: int, request: Any) -> ReviewItem | None:
    item = ReviewItem.objects.filter(pk=key).first()
    if item is None or item.action_id is None:
        raise Refused(409, "no_action", "this item is about an event; there is nothing to roll back")
    made = proposals.roll_back(item.action_id, by=request.user, reason=_reason(request), version=_number(request))
    return ReviewItem.objects.filter(action=made).order_by("-pk").first()


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
    "reject": _reject,
    "retry": lambda key, request: review.retry(key, by=request.user, reason=_reason(request), version=_number(request)),
    "check": lambda key, request: review.check(key, by=request.user, version=_number(request)),
    "undo": lambda key, request: review.undo(key, by=request.user),
    "assign": _assign,
    "snooze": _snooze,
    "wake": lambda key, request: review.wake(key, by=request.user),
    "escalate": lambda key, request: review.escalate(key, by=request.user, reason=_reason(request)),
    "edit": _edit,
    "rollback": _roll_back,
}

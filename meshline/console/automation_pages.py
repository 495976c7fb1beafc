"""What people do with automations at the console: steps, sign-off, quarantine, registration, previews one by one."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import automations
from gates.models import Automation, PreviewReview
from gates.rollout import RANK, people, previews, registration
from gates.stop import Refused
from ledger import cells
from ledger.models import Action
from ledger.readonly import page_of
from ledger.words import kind_words
from meshline import stepup
from meshline.console import form_fields, parts
from meshline.console.form_fields import Field
from meshline.console.page import Page, Site

HELP = {
    "exception_route": "Where a case goes that it cannot decide.",
    "quality_checkpoint": "Who looks at what it did, and when.",
    "reporting_field": "The number by which it is judged.",
    "owner": "User name of the person who answers for it and signs its versions.",
    "cooling_seconds": "Least time between two of its actions of one kind for one customer; 0 for none.",
    "enabled_until": "UTC, as 2027-01-31T18:00Z. When it is over it asks a person again. Nothing: no end.",
    "may_resolve": "Whether it may end by itself what is an owner's say.",
}
KEYS = ("agree", "correct")


def act(site: Site, request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """Run one verb. A link that leads here does nothing but show the automation."""
    one = _automation(request, name)
    if verb not in CALLS:
        raise Http404("there is no such verb")
    here = address(one)
    if request.method != "POST":
        return HttpResponseRedirect(here)
    if _needs_password(request, one, verb):
        return stepup.demand(request, here)
    try:
        said = CALLS[verb](one, request)
    except Refused as refusal:
        fresh = Automation.objects.get(pk=one.pk)
        typed = request.POST.get("reason", "")[:300]
        return site.show(request, fresh, status=refusal.status, refusal=refusal, refused_verb=verb, typed=typed)
    messages.success(request, said)
    return HttpResponseRedirect(here)


def _needs_password(request: HttpRequest, one: Automation, verb: str) -> bool:
    """A step up and a sign-off depend on who is really sitting there; stepping down does not wait for it."""
    user: Any = request.user
    rises = verb == "segment" or RANK.get(request.POST.get("stage", ""), 0) > RANK[str(one.state)]
    asks = verb in ("step", "segment") and rises and user.has_perm(people.PROMOTE)
    return (asks or (verb == "sign_off" and people.is_owner(one, user))) and stepup.needed(request)


def _step(one: Automation, request: HttpRequest) -> str:
    stepped = automations.step_to(one.name, request.POST.get("stage", ""), by=_by(request), reason=_reason(request))
    return f"{stepped.title} is in {stepped.get_state_display()} now. It takes effect within a second."


def _segment(one: Automation, request: HttpRequest) -> str:
    key, stage = form_fields.text(request, "segment").strip(), request.POST.get("stage", "")
    if not key:
        raise Refused(422, "segment", "segment: must be tier:<name> or kind:<ticket kind>")
    automations.step_to(one.name, stage, by=_by(request), reason=_reason(request), segment=key)
    return f"{one.title}, {key}: in {dict(Automation.State.choices)[stage]} now."


def _pause(one: Automation, request: HttpRequest) -> str:
    automations.pause(one.name, by=_by(request), reason=_reason(request))
    return f"{one.title} is paused. What it had planned and asked is withdrawn."


def _sign_off(one: Automation, request: HttpRequest) -> str:
    version = form_fields.number(request, "value", most=10**6, words="version")
    registration.sign_off(one.name, by=_by(request), reason=_reason(request), version=version)
    return f"You answer for version {version} of {one.title}."


def _quarantine(one: Automation, request: HttpRequest) -> str:
    _, opened = automations.quarantine(one.name, by=_by(request), reason=_reason(request) or "quarantined by hand")
    items = ", ".join(f"RV-{key}" for key in opened)
    return f"{one.title} is in quarantine: paused, nothing planned is left. Its exception is {items}."


CALLS: dict[str, Callable[[Automation, HttpRequest], str]] = {
    "step": _step, "segment": _segment, "pause": _pause, "sign_off": _sign_off, "quarantine": _quarantine,
}  # fmt: skip


def edit(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """What is registered: the form, and by POST a new version."""
    one = _automation(request, name)
    if not request.user.has_perm(people.EDIT):
        raise PermissionDenied
    refusal = None
    if request.method == "POST":
        try:
            said: dict[str, Any] = {field: form_fields.text(request, field) for field in registration.CONTENT}
            said["may_resolve"] = said["may_resolve"] == "yes"
            version = form_fields.number(request, "version", most=10**9)
            made = registration.change(
                one.name, said, by=_by(request), reason=_reason(request), state_version=version
            )  # fmt: skip
            messages.success(request, f"{made.title} is at version {made.version} now. Its owner has to sign it.")
            return HttpResponseRedirect(address(made))
        except Refused as caught:
            refusal = caught
    context = {
        "title": f"{one.title}: what is registered", "one": one, "refusal": refusal, "back": address(one),
        "fields": _fields(one, request, refusal),
    }  # fmt: skip
    return site.draw(request, "console/automation_form.html", context, refusal.status if refusal else None)


def _fields(one: Automation, request: HttpRequest, refusal: Refused | None) -> list[Field]:
    said = registration.content(one)
    needed = ("title", "owner_group", "fallback_group", "source", "destination")
    found = [
        Field(name, label, str(said[name]), longest=longest, required=name in needed, help=HELP.get(name, ""))
        for name, (label, longest) in registration.TEXTS.items()
    ]
    found += [
        Field("owner", "Owner", said["owner"], longest=150, required=False, help=HELP["owner"]),
        Field("cooling_seconds", "Cooling period, seconds", str(said["cooling_seconds"]), kind="number", least=0,
              most=registration.LONGEST_COOLING, required=False, help=HELP["cooling_seconds"]),
        Field("enabled_until", "Enabled until", said["enabled_until"], longest=40, required=False,
              help=HELP["enabled_until"]),
        Field("may_resolve", "May resolve by itself", "yes" if said["may_resolve"] else "no", kind="select",
              choices=[("no", "No"), ("yes", "Yes")], help=HELP["may_resolve"]),
        Field("reason", "Why", longest=300),
        Field("version", "", str(one.state_version), kind="hidden"),
    ]  # fmt: skip
    return form_fields.filled(found, request, refusal)


def review(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """The next preview and two answers; after one of them comes the next. Keys: a agrees, c corrects, n skips."""
    one = _automation(request, name)
    refusal = None
    if request.method == "POST":
        try:
            made = _reviewed(one, request)
            messages.success(request, f"Kept: {made.get_verdict_display().lower()}. The next one is below.")
            return HttpResponseRedirect(reverse("admin:automation_previews", args=[one.name]))
        except Refused as caught:
            refusal = caught
    asked = form_fields.text(request, "action_id") if refusal else ""
    action = _asked(one, asked) or previews.next_one(one, _uuid(request.GET.get("after", "")))
    context = {
        "title": f"{one.title}: previews", "one": one, "back": address(one), "refusal": refusal, "action": action,
        "page": _preview_page(request, one, action), "waiting": previews.waiting(one).count(),
        "may_review": request.user.has_perm(people.REVIEW), "typed": request.POST.get("reason", "")[:300],
    }  # fmt: skip
    return site.draw(request, "console/automation_previews.html", context, refusal.status if refusal else None)


def _reviewed(one: Automation, request: HttpRequest) -> PreviewReview:
    people.permit(_by(request), people.REVIEW, "review previews")
    key = _uuid(form_fields.text(request, "action_id"))
    if not key:
        raise Refused(422, "action_id", "the page did not say which preview you saw; reload it and try again")
    return previews.review(
        one.name, key, by=_by(request), verdict=form_fields.text(request, "verdict"),
        preview_hash=form_fields.text(request, "preview_hash")[:64], reason=_reason(request),
    )  # fmt: skip


def _asked(one: Automation, key: str) -> Action | None:
    found = _uuid(key)
    return Action.objects.select_related("customer").filter(pk=found, automation=one.name).first() if found else None


def _preview_page(request: HttpRequest, one: Automation, action: Action | None) -> Page:
    if action is None:
        return Page(one.title)
    customer = page_of(action.customer, cells.theirs(action.customer.name, 60)) if action.customer else cells.dash()
    line = [
        ("Action", page_of(action, action.short)), ("Customer", customer),
        ("State", cells.tag(action.state, action.get_state_display())), ("Proposed", cells.ago(action.created_at)),
    ]  # fmt: skip
    return Page(
        kind_words(action.kind), sentence=cells.theirs(action.because, 300), line=line,
        main=[parts.preview(action, "What it would change", request), parts.answers(action)],
    )  # fmt: skip


def _uuid(text: str) -> str:
    try:
        return str(Action._meta.pk.to_python(text)) if text else ""
    except Exception:  # noqa: BLE001  whatever was typed, it is no key
        return ""


def _automation(request: HttpRequest, name: str) -> Automation:
    if not request.user.has_perm(people.VIEW):
        raise PermissionDenied
    one = Automation.objects.filter(name=name).first()
    if one is None:
        raise Http404("there is no such automation")
    return one


def address(one: Automation) -> str:
    """The address of its page."""
    return reverse("admin:gates_automation_change", args=[one.pk])


def _by(request: HttpRequest) -> Any:
    return request.user


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\x00", "")[:2000]

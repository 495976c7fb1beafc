"""The emergency stop: halting is one button, resuming takes two people and a look at what was held."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import stop
from gates.models import Automation, StopSwitch
from ledger import cells
from meshline import stepup
from meshline.console import resume_page, shell, stop_history
from meshline.console.page import Site
from sync import release

REASONS = (
    "Wrong changes at customers",
    "Doubled actions",
    "A provider misbehaves",
    "Suspicious activity",
    "Planned work",
    "Drill",
)


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page: what is halted, the button, and how to resume."""
    return site.draw(request, "console/stop.html", context(request))


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything on the page."""
    state = shell.stop_state(request)
    asked = request.GET.get("scope", "")
    scopes = scope_choices()
    return {
        "title": "Emergency stop",
        "scopes": scopes,
        "chosen": asked if asked in dict(scopes) else stop.ALL,
        "reasons": REASONS,
        "may_stop": request.user.has_perm("gates.engage_stop"),
        "may_resume": request.user.has_perm("gates.resume_stop"),
        "halts": [{**resume_page.halt(one, request), "held": stop.held_count(one.scope)} for one in state.halted],
        "releases": releases(state),
        "blocks": stop_history.blocks(),
    }


def releases(state: shell.StopState) -> list[dict[str, Any]]:
    """Scopes that were resumed and still hold something, or stopped releasing by themselves."""
    found = []
    for one in state.switches:
        if one.state != StopSwitch.State.RUNNING or one.resumed_at is None:
            continue
        held = stop.held_count(one.scope)
        if held or one.release_halted_at:
            url = resume_page.address(one.scope)
            found.append({"switch": one, "words": shell.scope_words(one.scope), "held": held, "url": url})
    return found


def scope_choices() -> list[tuple[str, str]]:
    """Everything that can be halted by itself, all writes first."""
    systems = [(f"provider:{name}", f"Only writes to {cells.system(name)}") for name in settings.MESHLINE_PROVIDERS]
    automations = [(f"automation:{one.name}", f"Only the automation {one.title}") for one in Automation.objects.all()]
    return [(stop.ALL, "All writes, to every system"), *systems, *automations]


def act(site: Site, request: HttpRequest, verb: str) -> HttpResponse:
    """Stop, ask to resume, confirm, or go on releasing; by POST only."""
    if verb not in VERBS:
        raise Http404("there is no such verb")
    scope = request.POST.get("scope", "").replace("\x00", "")
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:stop"))
    if verb in ("resume", "confirm") and stepup.needed(request):
        return stepup.demand(request, resume_page.address(scope))
    try:
        said = VERBS[verb](scope, request)
    except stop.Refused as refusal:
        shown = {"refusal": refusal, "refused_verb": verb, "typed": request.POST.get("reason", "")[:500]}
        if verb in ("resume", "confirm"):
            return resume_page.draw(site, request, scope, refusal.status, **shown)
        return site.draw(request, "console/stop.html", {**context(request), **shown}, refusal.status)
    messages.success(request, said)
    return HttpResponseRedirect(resume_page.address(scope) if verb == "resume" else reverse("admin:stop"))


def _engage(scope: str, request: HttpRequest) -> str:
    if scope not in dict(scope_choices()):
        raise stop.Refused(422, "scope", "choose what to stop; nothing was stopped")
    stop.engage(scope, by=_person(request), reason=reason_of(request))
    words = shell.scope_words(scope)
    return f"Stopped: {words}. No write begins from now on. Deliveries are still received and decided."


def _resume(scope: str, request: HttpRequest) -> str:
    if request.POST.get("word", "").strip() != resume_page.RESUME_WORD:
        raise stop.Refused(422, "word", f"type {resume_page.RESUME_WORD} to ask for the resume; nothing was changed")
    stop.request_resume(scope, by=_person(request), reason=reason_of(request))
    words = shell.scope_words(scope)
    return f"You asked to resume {words}. Everything stays halted until a second person confirms."


def _confirm(scope: str, request: HttpRequest) -> str:
    pace = request.POST.get("a_minute", "").strip() or str(stop.PACE)
    if not (pace.isascii() and pace.isdigit() and len(pace) < 6):
        raise stop.Refused(422, "a_minute", f"a_minute: a whole number from 1 to {stop.MOST_A_MINUTE}")
    chosen = request.POST.get("release_to", stop.SEND)
    # Only who may confirm learns what is held; the door says no to everybody else, and to a scope nobody has.
    found = release.found(release.rejudge(scope, size=1)) if request.user.has_perm("gates.resume_stop") else None
    stop.confirm_resume(scope, by=_person(request), release_to=chosen, a_minute=int(pace), found=found)
    words = shell.scope_words(scope)
    if chosen == stop.QUEUE:
        return f"Resumed: {words}. What was held goes back to the queue; a person decides on each."
    return f"Resumed: {words}. What was held is judged again and leaves, at most {int(pace)} a minute."


def _continue(scope: str, request: HttpRequest) -> str:
    stop.continue_release(scope, by=_person(request))
    return f"The release goes on: {shell.scope_words(scope)}. It stops again at the next group of failures."


VERBS: dict[str, Callable[[str, HttpRequest], str]] = {
    "engage": _engage, "resume": _resume, "confirm": _confirm, "continue": _continue,
}  # fmt: skip


def _person(request: HttpRequest) -> Any:
    return request.user


def reason_of(request: HttpRequest) -> str:
    """The chosen reason and the free words behind it."""
    preset = request.POST.get("preset", "")
    free = request.POST.get("reason", "").replace("\x00", "").strip()
    chosen = preset if preset in REASONS else ""
    return ": ".join(part for part in (chosen, free) if part)

"""The emergency stop: halting is one button, resuming takes two people and a look at what was held."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import stop
from gates.models import Automation, StopSwitch
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words
from meshline.console import parts, shell
from meshline.console.page import Block, Site

REASONS = (
    "Wrong changes at customers",
    "Doubled actions",
    "A provider misbehaves",
    "Suspicious activity",
    "Planned work",
    "Drill",
)
RESUME_WORD = "RESUME"


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
        "resume_word": RESUME_WORD,
        "may_stop": request.user.has_perm("gates.engage_stop"),
        "may_resume": request.user.has_perm("gates.resume_stop"),
        "halts": [halt(one, request) for one in state.halted],
        "history": history(),
        "held_url": parts.list_of("ledger_action", state="parked"),
    }


def scope_choices() -> list[tuple[str, str]]:
    """Everything that can be halted by itself, all writes first."""
    systems = [(f"provider:{name}", f"Only writes to {cells.system(name)}") for name in settings.MESHLINE_PROVIDERS]
    automations = [(f"automation:{one.name}", f"Only the automation {one.title}") for one in Automation.objects.all()]
    return [(stop.ALL, "All writes, to every system"), *systems, *automations]


def halt(switch: StopSwitch, request: HttpRequest) -> dict[str, Any]:
    """One halted scope, and what this person may do about it."""
    asked = switch.state == StopSwitch.State.RESUMING
    why_not = ""
    if not request.user.has_perm("gates.resume_stop"):
        why_not = "Your account may not resume. A Support Manager or a Revenue Ops Lead can."
    elif asked and stop.same_person(switch.resume_asked_by, request.user):  # type: ignore[arg-type]
        why_not = "You asked for this resume. A second person has to confirm it."
    return {"switch": switch, "words": shell.scope_words(switch.scope), "asked": asked, "why_not": why_not}


def history() -> Block:
    """Every stop and resume, from the ledger."""
    rows = list(LedgerRow.objects.filter(subject_kind="stop").order_by("-id")[:20])
    names = actor_names(row.actor for row in rows)
    return Block(
        "History",
        columns=("When", "What", "Scope", "Who", "Reason"),
        rows=[
            (
                page_of(row, cells.moment(row.recorded_at, seconds=True)),
                decision_words(row.decision) + (" (refused)" if row.outcome == "refused" else ""),
                shell.scope_words(row.subject_id),
                cells.theirs(names.get(row.actor, row.actor), 40),
                cells.theirs(next((str(one.get("reason")) for one in row.reasons if isinstance(one, dict)), ""), 160),
            )
            for row in rows
        ],
        empty="Never stopped. Press it once on a quiet day, so that everybody has seen it work.",
        wide=True,
    )


def act(site: Site, request: HttpRequest, verb: str) -> HttpResponse:
    """Stop, ask to resume, or confirm; by POST only."""
    if verb not in ("engage", "resume", "confirm"):
        raise Http404("there is no such verb")
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:stop"))
    scope = request.POST.get("scope", "").replace("\x00", "")
    try:
        said = _call(verb, scope, request)
    except stop.Refused as refusal:
        shown = {
            **context(request),
            "refusal": refusal,
            "refused_verb": verb,
            "typed": request.POST.get("reason", "")[:500],
        }
        return site.draw(request, "console/stop.html", shown, refusal.status)
    messages.success(request, said)
    return HttpResponseRedirect(reverse("admin:stop"))


def _call(verb: str, scope: str, request: HttpRequest) -> str:
    by: Any = request.user
    words = shell.scope_words(scope)
    if verb == "engage":
        if scope not in dict(scope_choices()):
            raise stop.Refused(422, "scope", "choose what to stop; nothing was stopped")
        stop.engage(scope, by=by, reason=reason_of(request))
        return f"Stopped: {words}. No write begins from now on. Deliveries are still received and decided."
    if verb == "resume":
        if request.POST.get("word", "").strip() != RESUME_WORD:
            raise stop.Refused(422, "word", f"type {RESUME_WORD} to ask for the resume; nothing was changed")
        stop.request_resume(scope, by=by, reason=reason_of(request))
        return f"You asked to resume {words}. Everything stays halted until a second person confirms."
    stop.confirm_resume(scope, by=by)
    return f"Resumed: {words}. What was held is judged again and leaves a few at a time."


def reason_of(request: HttpRequest) -> str:
    """The chosen reason and the free words behind it."""
    preset = request.POST.get("preset", "")
    free = request.POST.get("reason", "").replace("\x00", "").strip()
    chosen = preset if preset in REASONS else ""
    return ": ".join(part for part in (chosen, free) if part)

"""The page before a resume: what the stop holds, decided again now, and the two steps that two people take."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from gates import stop
from gates.models import StopSwitch
from ledger import cells
from ledger.models import Action, Customer
from ledger.readonly import page_of
from ledger.words import kind_words
from meshline.console import shell
from meshline.console.page import Block, Site
from sync import release

RESUME_WORD = "RESUME"
# What would become of it -> words, and the verdict whose colour they take.
WORDS = {
    release.VALID: ("still valid", "pass"), release.WAITS: ("waiting for their time", "hold"),
    release.ASKS: ("would ask a person", "review"), release.VOID: ("void", "superseded"),
}  # fmt: skip


def address(scope: str, after: str = "") -> str:
    """Where this page of a scope is."""
    query = {"scope": scope} | ({"after": after} if after else {})
    return f"{reverse('admin:stop_held')}?{urlencode(query)}"


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """What is held, page by page. Looking changes nothing."""
    if not request.user.has_perm("ledger.view_action"):
        raise PermissionDenied
    return draw(site, request, request.GET.get("scope", stop.ALL))


def draw(site: Site, request: HttpRequest, scope: str, status: int | None = None, **more: Any) -> HttpResponse:
    """The page of a scope; of all writes where there is no such scope."""
    switches = {one.scope: one for one in shell.stop_state(request).switches}
    switch = switches.get(scope) or switches.get(stop.ALL) or StopSwitch(scope=stop.ALL)
    look = release.rejudge(switch.scope, after=request.GET.get("after", ""))
    shown = {
        "title": f"Held by the stop: {shell.scope_words(switch.scope)}",
        "one": halt(switch, request),
        "is_halted": switch.state != StopSwitch.State.RUNNING,
        "resume_word": RESUME_WORD,
        "may_resume": request.user.has_perm("gates.resume_stop"),
        "look": look,
        "tally": tally(look),
        "list": held_list(look, switch.scope),
        "first_url": address(switch.scope) if request.GET.get("after") else "",
        "most_a_minute": stop.MOST_A_MINUTE,
        "pace": stop.PACE,
        **more,
    }
    return site.draw(request, "console/stop_held.html", shown, status)


def halt(switch: StopSwitch, request: HttpRequest) -> dict[str, Any]:
    """One halted scope, and what this person may do about it."""
    asked = switch.state == StopSwitch.State.RESUMING
    why_not = ""
    if not request.user.has_perm("gates.resume_stop"):
        why_not = "Your account may not resume. A Support Manager or a Revenue Ops Lead can."
    elif asked and stop.same_person(switch.resume_asked_by, request.user):  # type: ignore[arg-type]
        why_not = "You asked for this resume. A second person has to confirm it."
    return {
        "switch": switch, "words": shell.scope_words(switch.scope), "asked": asked, "why_not": why_not,
        "url": address(switch.scope),
    }  # fmt: skip


def tally(look: release.Look) -> str:
    """How many would become what: `35 still valid, 2 void`."""
    return ", ".join(f"{look.counts[name]} {words}" for name, (words, _) in WORDS.items() if look.counts[name])


def held_list(look: release.Look, scope: str) -> Block:
    """A page of held actions with what would become of each."""
    customers = Customer.objects.in_bulk({one.customer_id for one in look.rows if one.customer_id})
    return Block(
        "Held actions",
        columns=("What", "Customer", "Amount", "Held since", "If resumed now", "Because"),
        rows=[_row(one, customers.get(one.customer_id)) for one in look.rows],
        empty="Nothing is held.",
        more=("Next page", address(scope, look.next)) if look.next else None,
        wide=True,
    )


def _row(one: release.Held, customer: Customer | None) -> tuple[Any, ...]:
    words, verdict = WORDS[one.verdict]
    return (
        page_of(Action(pk=one.id), kind_words(one.kind)),
        page_of(customer, cells.theirs(customer.name, 40)) if customer else cells.dash(),
        cells.amount(one.amount_minor, one.currency) if one.amount_minor is not None else cells.dash(),
        cells.moment(one.since),
        cells.tag(verdict, words.capitalize()),
        cells.theirs("; ".join(one.reasons) or one.because, 160),
    )

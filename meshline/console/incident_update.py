"""One update of an incident: what it says, its queue in order, and the approval of the whole set."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.incidents import APPROVE, WORK, desk, queue, rounds
from gates.models import IncidentUpdate, Outreach
from gates.stop import Refused
from ledger import cells
from ledger.readonly import page_of
from meshline.console import claims, form_fields, incident_page, incident_pages, incident_queue
from meshline.console.form_fields import Field
from meshline.console.page import Site
from sync.incidents import letters, sending

SAID = {
    "ask": "The set is fixed and waits for approval. Nothing was sent.", "take_back": "Open again; nothing was sent.",
    "drop": "Dropped. Nobody was written to.", "rewrite": "Saved.", "skip": "This customer is not written to.",
    "include": "This customer is written to after all.",
}  # fmt: skip
HERE = "admin:incident_update"


def view(site: Site, request: HttpRequest, incident_id: int, number: int) -> HttpResponse:
    """The page; `?show=` previews the message of one customer, `?skip=` asks why it is left out."""
    incident_pages.permit(request)
    return draw(site, request, found(incident_id, number))


def act(site: Site, request: HttpRequest, incident_id: int, number: int, verb: str) -> HttpResponse:
    """One verb; by POST only."""
    incident_pages.permit(request)
    if verb not in VERBS:
        raise Http404("there is no such verb")
    update = found(incident_id, number)
    here = reverse(HERE, args=[incident_id, number])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    by: Any = request.user
    try:
        desk.may(incident_id, by=by, verb=verb, permission=APPROVE if verb == "approve" else WORK)
        version = form_fields.number(request, "version", most=10**9)
        changed = VERBS[verb](request, update, by, version)
    except Refused as refusal:
        return draw(site, request, found(incident_id, number), refusal)
    messages.success(request, _approved(changed) if verb == "approve" else SAID[verb])
    return HttpResponseRedirect(here)


def found(incident_id: int, number: int) -> IncidentUpdate:
    """The update, or 404."""
    related = ("incident", "template", "first_by", "approved_by", "asked_by")
    rows = IncidentUpdate.objects.select_related(*related)
    update = rows.filter(incident=incident_id, number=number).first()
    if update is None:
        raise Http404("there is no such update")
    return update


def draw(site: Site, request: HttpRequest, update: IncidentUpdate, refusal: Refused | None = None) -> HttpResponse:
    """The page as this person may use it."""
    asked = incident_queue.Asked.of(request)
    page = incident_queue.page(update, asked)
    counts = queue.counts_of_updates([update])[update.pk]
    live = update.incident.state != "closed"
    may_work = live and request.user.has_perm(WORK)
    is_open = update.state in ("planned", "asked")
    context: dict[str, Any] = {
        "title": f"Update {update.number} of {update.incident}", "update": update, "incident": update.incident,
        "here": reverse(HERE, args=[update.incident_id, update.number]), "refusal": refusal,
        "back": incident_pages.address(update.incident), "tag": _tag(update), "state": str(update.state),
        "letter": letters.draft(update), "rows": [_row(one, page) for one in page.rows],
        "newer": page.newer, "older": page.older, "counts": _counts(counts, asked), "line": _line(update, counts),
        "may_work": may_work and is_open, "approval": _approval(update, request) if live else None,
        "shown": _shown(update, request), "skip": _skipping(update, request, refusal) if may_work and is_open else None,
        "fields": _rewriting(update, request, refusal) if may_work and update.state == "planned" else None,
        "told": claims.told(letters.draft(update).body),
    }  # fmt: skip
    return site.draw(request, "console/incident_update.html", context, refusal.status if refusal else None)


def _tag(update: IncidentUpdate) -> Any:
    tone = {"approved": "applied", "asked": "in_review", "planned": "held"}.get(str(update.state), "")
    return cells.tag(tone, update.get_state_display())


def _line(update: IncidentUpdate, counts: dict[str, int]) -> list[tuple[str, Any]]:
    people = (("Asked by", update.asked_by), ("First approval", update.first_by), ("Approved by", update.approved_by))
    return [
        ("Messages", f"{sum(counts.values()):,}"), ("Sent", f"{counts.get('sent', 0):,}"),
        ("Sent as", update.get_channel_display()), ("Message", f"{update.template.title}, v{update.template.version}"),
        *((name, cells.theirs(one.get_username(), 40)) for name, one in people if one),
    ]  # fmt: skip


def _counts(counts: dict[str, int], asked: incident_queue.Asked) -> list[dict[str, Any]]:
    words = dict(Outreach.State.choices)
    links = [{"words": "All", "url": asked.address(state=""), "on": not asked.state}]
    return links + [
        {"words": f"{words[state]} {count:,}", "url": asked.address(state=state), "on": asked.state == state}
        for state, count in sorted(counts.items())
    ]


def _row(one: Outreach, page: incident_queue.Found) -> dict[str, Any]:
    action = page.actions.get(one.action_id)
    progress = page_of(action, action.get_state_display()) if action else cells.dash()
    return {
        "id": one.pk, "place": one.place, "customer": page_of(one.customer), "tier": one.tier.title(),
        "mrr": cells.amount(one.mrr_minor, one.currency),
        "owner": cells.theirs(one.customer.owner, 40) if one.customer.owner else cells.dash(),
        "tag": incident_pages.message_tag(one), "reason": cells.theirs(one.reason, 200) if one.reason else "",
        "progress": progress, "zone": one.zone, "lacks": not one.customer.email,
        "can_skip": one.state in ("planned", "in_review") and one.action_id is None,
        "can_include": one.state == "skipped" and one.action_id is None,
    }  # fmt: skip


def _approval(update: IncidentUpdate, request: HttpRequest) -> dict[str, Any] | None:
    """What an approval is of, in words and as the digest that it is bound to."""
    if update.state != IncidentUpdate.State.ASKED:
        return None
    digest = queue.digest(update)
    limit = sending.limit()
    first = update.first_by if update.digest == digest else None
    return {
        "digest": digest, "count": update.asked_count, "may": request.user.has_perm(APPROVE),
        "two": update.asked_count > limit, "limit": limit, "first": first, "short": digest[:8],
        "mine": first is not None and first.pk == request.user.pk,
    }  # fmt: skip


def _shown(update: IncidentUpdate, request: HttpRequest) -> dict[str, Any] | None:
    """One customer's own message."""
    one = _chosen(update, request, "show")
    if one is None:
        return None
    letter = letters.draft(update).to(one.customer.name)
    return {"customer": page_of(one.customer), "subject": letter.subject, "body": letter.body}


def _skipping(update: IncidentUpdate, request: HttpRequest, refusal: Refused | None) -> dict[str, Any] | None:
    one = _chosen(update, request, "skip")
    if one is None:
        return None
    fields = [Field("reason", "Why not?", longest=rounds.REASON_LENGTH, help="Kept in the ledger: no personal data.")]
    return {"id": one.pk, "customer": page_of(one.customer), "fields": form_fields.filled(fields, request, refusal)}


def _chosen(update: IncidentUpdate, request: HttpRequest, name: str) -> Outreach | None:
    key = form_fields.key(request.GET.get(name) or (request.POST.get("outreach") if name == "skip" else None))
    if key is None:
        return None
    return Outreach.objects.select_related("customer").filter(update=update, pk=key).first()


def _rewriting(update: IncidentUpdate, request: HttpRequest, refusal: Refused | None) -> list[Field]:
    return form_fields.filled(incident_page.plan_fields(update), request, refusal)


def _approved(update: IncidentUpdate) -> str:
    if update.state == IncidentUpdate.State.APPROVED:
        return "Approved. The messages go out now, each judged once more before it leaves."
    return f"Your approval is noted. Above {sending.limit()} customers a second person has to agree."


# --- verbs

Verb = Callable[[HttpRequest, IncidentUpdate, User, int], IncidentUpdate]


def _outreach(request: HttpRequest) -> int:
    return form_fields.number(request, "outreach", most=10**15)


VERBS: dict[str, Verb] = {
    "ask": lambda request, one, by, version: rounds.ask(one.pk, by=by, version=version),
    "take_back": lambda request, one, by, version: rounds.take_back(one.pk, by=by, version=version),
    "drop": lambda request, one, by, version: rounds.drop(one.pk, by=by, version=version),
    "rewrite": lambda request, one, by, version: rounds.rewrite(
        one.pk, by=by, version=version, template=form_fields.text(request, "template"),
        text=form_fields.text(request, "text"),
    ),
    "skip": lambda request, one, by, version: rounds.skip(
        one.pk, _outreach(request), by=by, version=version, reason=form_fields.text(request, "reason")
    ),
    "include": lambda request, one, by, version: rounds.include(one.pk, _outreach(request), by=by, version=version),
    "approve": lambda request, one, by, version: sending.approve(
        one.pk, by=by, version=version, digest=form_fields.text(request, "digest")
    ),
}  # fmt: skip

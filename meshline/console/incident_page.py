"""One incident: whom it touches and why, its updates, what happened, and what people do with it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from gates.incidents import WORK, desk, queue, rounds, rows, scope, templates
from gates.models import Incident, IncidentUpdate
from gates.stop import Refused
from ledger import cells
from ledger.models import LedgerRow
from meshline.console import form_fields, incident_pages, parts
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site

SAID = {
    "rescope": "The scope is saved; {0.affected} customers are in it. Nobody was written to.",
    "mitigate": "Marked as mitigated.", "reopen": "Open again.", "take": "It is yours.",
    "close": "Closed. What had not been sent was withdrawn.",
}  # fmt: skip
CHANNELS = list(IncidentUpdate.Channel.choices)
MOST_STORY = 40


def view(site: Site, request: HttpRequest, incident_id: int) -> HttpResponse:
    """The page; `?form=` opens the form of rescope, plan or close."""
    incident_pages.permit(request)
    return draw(site, request, found(incident_id))


def act(site: Site, request: HttpRequest, incident_id: int, verb: str) -> HttpResponse:
    """One verb; by POST only."""
    incident_pages.permit(request)
    if verb not in VERBS:
        raise Http404("there is no such verb")
    one = found(incident_id)
    if request.method != "POST":
        return HttpResponseRedirect(incident_pages.address(one))
    by: Any = request.user
    try:
        desk.may(incident_id, by=by, verb=verb)
        if verb == "rescope" and "preview" in request.POST:
            return draw(site, request, one, verb=verb, tried=scope.parse(form_fields.lines(request, "scope")))
        version = form_fields.number(request, "version", most=10**9)
        changed = VERBS[verb](request, incident_id, by, version)
    except Refused as refusal:
        return draw(site, request, found(incident_id), refusal, verb=verb)
    if isinstance(changed, IncidentUpdate):
        messages.success(request, f"Planned: {changed}. Nobody was written to; look at the queue, then ask.")
        return HttpResponseRedirect(reverse("admin:incident_update", args=[incident_id, changed.number]))
    messages.success(request, SAID[verb].format(changed))
    return HttpResponseRedirect(incident_pages.address(one))


def found(incident_id: int) -> Incident:
    """The incident with its owner, or 404."""
    one = Incident.objects.select_related("owner").filter(pk=incident_id).first()
    if one is None:
        raise Http404("there is no such incident")
    return one


def draw(
    site: Site, request: HttpRequest, one: Incident, refusal: Refused | None = None, *, verb: str = "",
    tried: list[dict[str, Any]] | None = None,
) -> HttpResponse:  # fmt: skip
    """The page as this person may use it."""
    live = one.state != Incident.State.CLOSED
    wanted = (verb or request.GET.get("form", "")) if live and request.user.has_perm(WORK) else ""
    updates = list(one.updates.order_by("-number"))
    match = scope.matched(one.scope if tried is None else tried)
    more = {
        "live": live, "may_work": request.user.has_perm(WORK), "incident": one,
        "form": _form(one, wanted, request, refusal), "has_open": any(u.state in ("planned", "asked") for u in updates),
        "buttons": _buttons(one),
    }  # fmt: skip
    page = Page(
        title=f"{one} {cells.plain(one.title, 120)}", tag=incident_pages.state_tag(one),
        sentence=_sentence(one), line=_line(one, match), main=_blocks(one, match, updates, tried),
        back=(reverse("admin:incidents"), "Incidents"), correlation=str(one.correlation_id),
        template="console/incident.html", more=more,
    )  # fmt: skip
    shown = {"title": page.title, "page": page, "refusal": refusal}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _sentence(one: Incident) -> Any:
    if one.state == Incident.State.CLOSED:
        return cells.theirs(one.summary, 4000)
    if not one.scope:
        return "It has no scope, so nobody is written to. Say whom it touches."
    return "No customer matches; check the scope." if not one.affected else ""


def _line(one: Incident, match: scope.Matched) -> list[tuple[str, Any]]:
    return [
        ("Severity", incident_pages.severity_tag(one)), ("Reported by", incident_pages.source(one)),
        ("Began", cells.moment(one.started_at)), ("Mitigated", cells.moment(one.mitigated_at)),
        ("Closed", cells.moment(one.closed_at)), ("Customers", f"{match.total:,}"),
        ("Monthly revenue", incident_pages.money(match.mrr)),
        ("Service", cells.code(one.service) if one.service else cells.dash()),
        ("Owner", cells.theirs(one.owner.get_username(), 40) if one.owner else cells.dash()),
    ]  # fmt: skip


def _blocks(
    one: Incident, match: scope.Matched, updates: list[IncidentUpdate], tried: list[dict[str, Any]] | None
) -> list[Block]:
    rules = one.scope if tried is None else tried
    counts = queue.counts_of_updates(updates)
    told = LedgerRow.objects.filter(subject_kind=rows.INCIDENT, subject_id=str(one.pk))
    told |= LedgerRow.objects.filter(subject_kind=rows.UPDATE, subject_id__in=[str(each.pk) for each in updates])
    story = list(told.order_by("-id")[:MOST_STORY])[::-1]
    return [
        Block(
            "Scope" if tried is None else "What these rules would match; nothing is saved",
            columns=("Rule", "Customers it matches alone"), wide=True,
            rows=[(cells.theirs(scope.words(rule), 300), f"{n:,}") for rule, n in zip(rules, match.alone, strict=True)],
            note=f"{match.total:,} customers match all of them" if rules else "",
            empty="No rule yet, and no rule matches nobody.",
        ),
        Block(
            "Customers, in the order in which they are written to", wide=True,
            columns=("Customer", "Tier", "Monthly revenue", "Account owner"),
            rows=[
                (
                    _customer(each),
                    each.tier.title(), cells.amount(each.mrr_minor, each.currency),
                    cells.theirs(each.owner, 40) if each.owner else cells.dash(),
                )
                for each in match.first
            ],
            note=", ".join(f"{count:,} {tier}" for tier, count in sorted(match.tiers.items())),
            empty="No customer matches; check the scope.",
        ),
        Block(
            "Updates", columns=("Update", "State", "By", "Planned", "Messages"), wide=True,
            rows=[_update(each, counts[each.pk]) for each in updates],
            empty="Nobody was written to yet. Plan an update to see who would be.",
        ),
        parts.ledger_rows(
            story, parts.list_of("ledger_ledgerrow", correlation=one.correlation_id), "Nothing was written down yet."
        ),
    ]  # fmt: skip


def _customer(one: scope.Match) -> Any:
    url = reverse("admin:ledger_customer_change", args=[one.id])
    return cells.link(url, cells.plain(one.name or one.external_id, 60))


def _update(one: IncidentUpdate, counts: dict[str, int]) -> tuple[Any, ...]:
    said = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in sorted(counts.items()))
    tone = {"approved": "applied", "asked": "in_review", "planned": "held"}.get(str(one.state), "")
    url = reverse("admin:incident_update", args=[one.incident_id, one.number])
    return (
        format_html("{}", cells.link(url, f"Update {one.number}")), cells.tag(tone, one.get_state_display()),
        one.get_channel_display(), cells.ago(one.created_at), said or cells.dash(),
    )  # fmt: skip


# --- forms


def _buttons(one: Incident) -> list[tuple[str, str]]:
    """Verbs without a form."""
    if one.state == Incident.State.OPEN:
        return [("mitigate", "It works again"), ("take", "Take it")]
    return [("reopen", "It is back"), ("take", "Take it")]


def _form(one: Incident, verb: str, request: HttpRequest, refusal: Refused | None) -> dict[str, Any] | None:
    fields: list[Field]
    if verb == "rescope":
        fields, label = [
            Field("scope", "Whom it touches", scope.text(one.scope), kind="area", rows=4, longest=4000, required=False,
                  help=incident_pages.SCOPE_HELP),
        ], "Save this scope"  # fmt: skip
    elif verb == "plan":
        fields, label = plan_fields(), "Plan the update"
    elif verb == "close":
        words = "What was it, and what is done so that it does not come back? No personal data."
        fields = [Field("summary", "Summary", kind="area", rows=5, longest=desk.LONGEST_SUMMARY, help=words)]
        label = "Close it"
    else:
        return None
    shown = form_fields.filled(fields, request, refusal)
    url = reverse("admin:incident_verb", args=[one.pk, verb])
    return {"verb": verb, "url": url, "fields": shown, "label": label, "version": one.state_version}


def plan_fields(update: IncidentUpdate | None = None) -> list[Field]:
    """Template, channel and words of an update; the channel is chosen when it is planned."""
    known = [(each.name, f"{each.title} (v{each.version})") for each in templates.all_current()]
    chosen = update.template.name if update else known[0][0] if known else ""
    fields = [Field("template", "Message", chosen, kind="select", choices=known)]
    if update is None:
        fields.append(Field("channel", "Sent as", CHANNELS[0][0], kind="select", choices=CHANNELS))
    text = update.text if update else ""
    words = "Goes where the message says {status}. Plain text; customers read it."
    fields.append(
        Field("text", "What customers are told now", text, kind="area", rows=4, longest=rounds.LONGEST_TEXT, help=words)
    )
    return fields


# --- verbs

Verb = Callable[[HttpRequest, int, User, int], Incident | IncidentUpdate]


def _plan(request: HttpRequest, incident_id: int, by: User, version: int) -> IncidentUpdate:
    return rounds.begin(
        incident_id, by=by, version=version, template=form_fields.text(request, "template"),
        channel=form_fields.text(request, "channel"), text=form_fields.text(request, "text"),
    )  # fmt: skip


VERBS: dict[str, Verb] = {
    "rescope": lambda request, key, by, version: desk.rescope(
        key, scope.parse(form_fields.lines(request, "scope")), by=by, version=version
    ),
    "mitigate": lambda request, key, by, version: desk.mitigate(key, by=by, version=version),
    "reopen": lambda request, key, by, version: desk.reopen(key, by=by, version=version),
    "take": lambda request, key, by, version: desk.take(key, by=by, version=version),
    "close": lambda request, key, by, version: desk.close(
        key, by=by, version=version, summary=form_fields.text(request, "summary")
    ),
    "plan": _plan,
}

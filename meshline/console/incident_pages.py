"""Incidents: the list, and declaring one."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates.incidents import EDIT_SERVICE, EDIT_TEMPLATE, MANUAL, VIEW, WORK, desk, scope
from gates.models import Incident, Outreach
from gates.stop import Refused
from ledger import cells, sets
from meshline.console import form_fields
from meshline.console.form_fields import Field
from meshline.console.page import Site
from sync.incidents import paging

PAGE = 50
TONES = {"open": "failed", "mitigated": "held", "closed": "applied"}
SEVERE = {"critical": "failed", "major": "held", "minor": ""}
SCOPE_HELP = (
    "One rule a line, all must hold: tier is enterprise, growth. Fields: "
    + "; ".join(f"{name} ({about})" for name, about in scope.ABOUT.items())
    + "."
)
SENT_SQL = """
select o.incident_id, count(*) filter (where o.state = 'sent'), count(*) from gates_outreach o
 where o.incident_id = any(%(ids)b::bigint[]) group by o.incident_id"""


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """Newest first; `?closed=1` those that are over, `?new=1` opens the form."""
    permit(request)
    return _draw(site, request)


def declare(site: Site, request: HttpRequest) -> HttpResponse:
    """A person says that something is broken; by POST only."""
    permit(request)
    if request.method != "POST":
        return HttpResponseRedirect(f"{reverse('admin:incidents')}?new=1")
    user: Any = request.user
    try:
        made = desk.declare(
            form_fields.text(request, "title"), form_fields.text(request, "severity"),
            scope.parse(form_fields.lines(request, "scope")) if user.has_perm(WORK) else [], by=user,
        )  # fmt: skip
    except Refused as refusal:
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        return _draw(site, request, refusal)
    messages.success(request, f"{made} is declared; {made.affected} customers are in its scope. Nobody was written to.")
    return HttpResponseRedirect(address(made))


def _draw(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    over = "closed" in request.GET
    before = form_fields.key(request.GET.get("before"))
    rows = Incident.objects.select_related("owner")
    rows = rows.filter(state="closed") if over else rows.exclude(state="closed")
    found = list((rows.filter(pk__lt=before) if before is not None else rows).order_by("-pk")[: PAGE + 1])
    shown = found[:PAGE]
    sent = {row[0]: row[1:] for row in sets.run(SENT_SQL, {"ids": [one.pk for one in shown]})} if shown else {}
    may = request.user.has_perm
    is_new = may(WORK) and ("new" in request.GET or refusal is not None)
    context = {
        "title": "Incidents", "rows": [_row(one, sent.get(one.pk, (0, 0))) for one in shown], "over": over,
        "older": f"?{'closed=1&' if over else ''}before={shown[-1].pk}" if len(found) > PAGE else "",
        "may_work": may(WORK), "may_write": may(EDIT_TEMPLATE), "may_services": may(EDIT_SERVICE),
        "alerts": paging.raised(), "paged": sum(paging.counts().values()), "can_page": paging.is_set_up(),
        "fields": _fields(request, refusal) if is_new else None, "refusal": refusal, "empty": _empty(over=over),
    }  # fmt: skip
    return site.draw(request, "console/incidents.html", context, refusal.status if refusal else None)


def _fields(request: HttpRequest, refusal: Refused | None) -> list[Field]:
    fields = [
        Field("title", "What is broken", longest=desk.LONGEST_TITLE, help="Customers may read it."),
        Field("severity", "Severity", "major", kind="select", choices=list(Incident.Severity.choices)),
        Field("scope", "Whom it touches", kind="area", rows=3, longest=4000, required=False, help=SCOPE_HELP),
    ]
    return form_fields.filled(fields, request, refusal)


def _empty(*, over: bool) -> str:
    if over:
        return "No incident has been closed yet."
    last = Incident.objects.filter(state="closed").order_by("-closed_at").values_list("closed_at", flat=True).first()
    ended = f" Last one ended {last:%Y-%m-%d}." if last else ""
    return f"No incident.{ended} One begins when the alerting system reports it, or when somebody declares it."


def _row(one: Incident, sent: tuple[int, ...]) -> dict[str, Any]:
    return {
        "name": cells.link(address(one), f"{one}"), "title": cells.theirs(one.title, 120), "tag": state_tag(one),
        "severity": severity_tag(one), "source": source(one), "started": cells.ago(one.started_at),
        "affected": one.affected, "mrr": money(one.mrr), "sent": f"{sent[0]} of {sent[1]}" if sent[1] else cells.dash(),
        "owner": cells.theirs(one.owner.get_username(), 40) if one.owner else cells.dash(),
    }  # fmt: skip


def permit(request: HttpRequest) -> None:
    """Raises PermissionDenied for who may not see incidents."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied("your account may not see incidents")


def address(one: Incident | int) -> str:
    """The page of an incident."""
    return reverse("admin:incident", args=[one if isinstance(one, int) else one.pk])


def state_tag(one: Incident) -> SafeString:
    """How far it is."""
    return cells.tag(TONES[str(one.state)], one.get_state_display())


def severity_tag(one: Incident) -> SafeString:
    """How bad it is."""
    return cells.tag(SEVERE[one.severity], one.get_severity_display())


def source(one: Incident) -> Any:
    """Where it was reported, as a link where there is one."""
    if one.source == MANUAL:
        return "a person"
    if not one.url.startswith("https://"):
        return cells.system(one.source)
    attributes = 'rel="noopener noreferrer" target="_blank"'
    return format_html(f'<a class="door" href="{{}}" {attributes}>{{}} ↗</a>', one.url, cells.system(one.source))


def money(mrr: dict[str, int]) -> Any:
    """Revenue by currency, never added up."""
    if not mrr:
        return cells.dash()
    parts = [cells.amount(minor, currency) for currency, minor in sorted(mrr.items(), key=lambda one: -one[1])]
    return format_html("{}" + ", {}" * (len(parts) - 1), *parts)


def message_tag(one: Outreach) -> SafeString:
    """The state of a message."""
    tones = {"sent": "applied", "failed": "failed", "in_review": "in_review"}
    return cells.tag(tones.get(str(one.state), ""), one.get_state_display())

"""The messages about incidents and whom each service serves: lists and forms."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.incidents import EDIT_SERVICE, EDIT_TEMPLATE, scope, services, templates
from gates.models import OutreachTemplate, ServiceScope
from gates.stop import Refused
from meshline.console import form_fields, incident_pages
from meshline.console.form_fields import Field
from meshline.console.page import Site
from sync.contracts.pagerduty import SOURCE

NEW = "new"
MOST_VERSIONS, MOST_SERVICES = 20, 200


def message(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """The form of one message with what is in force; a POST writes a new version. `new` begins one."""
    incident_pages.permit(request)
    one = templates.current(name)
    if one is None and name != NEW:
        raise Http404("there is no such message")
    refusal = None
    if request.method == "POST":
        try:
            return _saved(request, one)
        except Refused as no:
            refusal = no
            if no.status == 403:
                raise PermissionDenied(no.message) from None
    shown = {
        "title": one.title if one else "A new message", "one": one, "refusal": refusal,
        "fields": form_fields.filled(_message_fields(one), request, refusal),
        "may_edit": request.user.has_perm(EDIT_TEMPLATE), "known": list(templates.VARIABLES.items()),
        "all": templates.all_current(), "versions": _versions(one),
    }  # fmt: skip
    return site.draw(request, "console/incident_message.html", shown, refusal.status if refusal else None)


def _message_fields(one: OutreachTemplate | None) -> list[Field]:
    fields = [] if one else [Field("name", "Short name", longest=60, help="Small letters, digits and -.")]
    return [
        *fields,
        Field("title", "Title", one.title if one else "", longest=templates.LONGEST_TITLE),
        Field("subject", "Subject", one.subject if one else "", longest=templates.LONGEST_SUBJECT),
        Field("body", "Text", one.body if one else "", kind="area", rows=12, longest=templates.LONGEST_BODY),
        Field("reason", "Why is it changed?", longest=500, help="Kept in the ledger for ever: no personal data."),
        Field("version", "", str(one.version if one else 0), kind="hidden"),
    ]


def _versions(one: OutreachTemplate | None) -> list[OutreachTemplate]:
    if one is None:
        return []
    return list(OutreachTemplate.objects.select_related("written_by").filter(name=one.name)[:MOST_VERSIONS])


def _saved(request: HttpRequest, one: OutreachTemplate | None) -> HttpResponse:
    user: Any = request.user
    saved = templates.save_version(
        one.name if one else form_fields.text(request, "name").strip(), by=user,
        version=form_fields.number(request, "version", most=10**9), title=form_fields.text(request, "title"),
        subject=form_fields.text(request, "subject"), body=form_fields.text(request, "body"),
        reason=form_fields.text(request, "reason"),
    )  # fmt: skip
    messages.success(request, f"Saved as version {saved.version}, for updates planned from now on.")
    return HttpResponseRedirect(reverse("admin:incident_message", args=[saved.name]))


def service(site: Site, request: HttpRequest) -> HttpResponse:
    """Whom each service serves; `?service=` opens the form with its rules, a POST saves one."""
    incident_pages.permit(request)
    refusal = None
    if request.method == "POST":
        try:
            return _service_saved(request)
        except Refused as no:
            refusal = no
            if no.status == 403:
                raise PermissionDenied(no.message) from None
    wanted = (request.POST.get("service") or request.GET.get("service", "")).replace("\x00", "")[:64]
    one = ServiceScope.objects.filter(source=SOURCE, service=wanted).first()
    rows = ServiceScope.objects.filter(source=SOURCE)[:MOST_SERVICES]
    shown = {
        "title": "Services and their customers", "refusal": refusal, "one": one,
        "rows": [{"service": each, "rules": scope.text(each.scope)} for each in rows],
        "fields": form_fields.filled(_service_fields(one), request, refusal),
        "may_edit": request.user.has_perm(EDIT_SERVICE),
    }  # fmt: skip
    return site.draw(request, "console/incident_services.html", shown, refusal.status if refusal else None)


def _service_fields(one: ServiceScope | None) -> list[Field]:
    return [
        Field("service", "Id of the service", one.service if one else "", longest=64,
              help="As the alerting system has it, such as PWIXJZS."),
        Field("title", "Its name", one.title if one else "", longest=120, required=False),
        Field("scope", "Whom it serves", scope.text(one.scope) if one else "", kind="area", rows=3, longest=4000,
              help=incident_pages.SCOPE_HELP),
        Field("version", "", str(one.version if one else 0), kind="hidden"),
    ]  # fmt: skip


def _service_saved(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    may = user.has_perm(EDIT_SERVICE)
    saved = services.save(
        SOURCE, form_fields.text(request, "service"),
        scope.parse(form_fields.lines(request, "scope")) if may else [], by=user,
        version=form_fields.number(request, "version", most=10**9) if may else 0,
        title=form_fields.text(request, "title"),
    )  # fmt: skip
    messages.success(request, f"Saved for {saved}. Incidents that are known keep their own scope.")
    return HttpResponseRedirect(reverse("admin:incident_services"))

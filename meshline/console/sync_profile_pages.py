"""Sync profiles: the page of one with its versions, and the form that writes the next version."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.stop import Refused
from ledger import cells
from meshline.console import form_fields
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site
from sync.customer_sync import criteria, profiles
from sync.customer_sync.criteria import BadProfile
from sync.customer_sync.fields import COLUMNS, SOURCES
from sync.customer_sync.models import SyncProfile, SyncProfileVersion
from sync.customer_sync.profiles import EDIT, Fields

VIEW = "sync.view_syncprofile"
MOST = 20


def view(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """The page of a profile; `?edit=1` opens its form."""
    profile = _found(request, name)
    is_open = "edit" in request.GET and request.user.has_perm(EDIT)
    return _draw(site, request, profile, _form(_current(profile)) if is_open else None)


def save(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """Write the next version; by POST only."""
    profile = _found(request, name)
    here = reverse("admin:sync_profile", args=[name])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        profiles.permit(cast(User, request.user), name)
        version = form_fields.number(request, "version", most=10**9)
        made = profiles.save(_said(request, name), by=cast(User, request.user), version=version)
    except Refused as refusal:
        form = None if refusal.status == 403 else _form(_current(profile), request, refusal)
        return _draw(site, request, profile, form, refusal)
    messages.success(request, f"Saved as version {made.version}. A dry run shows what it would do.")
    return HttpResponseRedirect(here)


def add(site: Site, request: HttpRequest) -> HttpResponse:
    """Write a new profile; it begins as a copy of the one that ships."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    refusal = None
    if request.method == "POST":
        name, user = form_fields.text(request, "name").strip(), cast(User, request.user)
        try:
            profiles.permit(user, name)
            made = profiles.save(_said(request, name), by=user)
        except Refused as no:
            refusal = no
        else:
            messages.success(request, "Written. A dry run shows what it would do.")
            return HttpResponseRedirect(reverse("admin:sync_profile", args=[made.profile.name]))
    elif not request.user.has_perm(EDIT):
        raise PermissionDenied
    form = [Field("name", "Name", "", longest=60, help=f"{profiles.NAME_RULE}; it never changes.")]
    form = form_fields.filled(form, request if refusal else None, refusal)
    form += _form(None, request if refusal else None, refusal)
    context = {"title": "Write a sync profile", "fields": form, "refusal": refusal}
    return site.draw(request, "console/sync_profile_add.html", context, refusal.status if refusal else None)


def _draw(
    site: Site, request: HttpRequest, profile: SyncProfile, form: list[Field] | None, refusal: Refused | None = None
) -> HttpResponse:
    versions = list(profile.versions.select_related("written_by")[:MOST])
    newest = versions[0]
    page = Page(
        title=profile.title,
        line=[
            ("Name", cells.code(profile.name)), ("Version", f"v{profile.version}"),
            ("Runs", profile.get_schedule_display()), ("Changed", cells.ago(profile.updated_at)),
        ],
        main=[_content(profile, newest), _versions(versions)],
        back=(reverse("admin:sync_runs"), "Customers to billing"),
        template="console/sync_profile.html",
        more={"profile": profile, "fields": form, "may_edit": request.user.has_perm(EDIT)},
    )  # fmt: skip
    shown = {"title": page.title, "page": page, "refusal": refusal}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _content(profile: SyncProfile, version: SyncProfileVersion) -> Block:
    stop_after = f"after {profile.stop_after}" if profile.stop_after else "never"
    return Block(
        "What it does",
        pairs=[
            ("Customers", criteria.in_words(version.criteria)), ("Fields that are sent", ", ".join(version.columns)),
            *((f"{name.capitalize()} is read from", cells.code(version.sources.get(name, SOURCES[name])))
              for name in SOURCES),
            ("Shared billing customers", version.shared_payer_field or "never"),
            ("Pauses at configuration errors", stop_after),
        ],
        wide=True,
    )  # fmt: skip


def _versions(versions: list[SyncProfileVersion]) -> Block:
    return Block(
        "Versions",
        columns=("Version", "Written", "By", "Customers", "Fields", "Note"),
        rows=[
            (
                f"v{one.version}", cells.moment(one.written_at),
                cells.theirs(one.written_by.get_username(), 40) if one.written_by else "shipped",
                cells.theirs(criteria.in_words(one.criteria), 160), ", ".join(one.columns), cells.theirs(one.note, 120),
            )
            for one in versions
        ],
        wide=True,
    )  # fmt: skip


def _form(
    version: SyncProfileVersion | None, request: HttpRequest | None = None, refusal: Refused | None = None
) -> list[Field]:
    profile = version.profile if version else SyncProfile(title="", version=0)
    sources = {**SOURCES, **(version.sources if version else {})}
    told = "All must hold; none: every customer. As `subsidiary one_of 1, 3`. Operators: "
    told += ", ".join(criteria.OPERATORS)
    rows = "\n".join(map(criteria.as_line, version.criteria)) if version else ""
    made = [
        Field("title", "Title", profile.title, longest=120),
        Field(
            "criteria", "Which customers, one condition a line", rows, kind="area", rows=4, longest=10_000,
            required=False, help=told,
        ),
        Field("columns", "Fields that are sent", kind="checks", chosen=version.columns if version else COLUMNS,
              choices=[(one, one) for one in COLUMNS]),
        Field("email", "The e-mail address is read from", sources["email"], longest=100),
        Field("phone", "The phone number is read from", sources["phone"], longest=100),
        Field("shared_payer_field", "Box on the customer that allows a shared billing customer",
              version.shared_payer_field if version else "", longest=100, required=False),
        Field("schedule", "When it runs", profile.schedule, kind="select", choices=SyncProfile.Schedule.choices),
        Field("stop_after", "Pause after so many configuration errors (0: never)", str(profile.stop_after),
              kind="number", least=0, most=1000),
        Field("note", "Why is it changed?", "", longest=300, required=False, help="No personal data."),
        Field("version", "", str(profile.version), kind="hidden"),
    ]  # fmt: skip
    return form_fields.filled(made, request, refusal)


def _said(request: HttpRequest, name: str) -> Fields:
    """What was typed. Raises Refused 422."""
    try:
        rows: list[Any] = [criteria.parsed(one) for one in form_fields.lines(request, "criteria")]
    except BadProfile as fault:
        raise Refused(422, fault.field, str(fault)) from fault
    return Fields(
        name, form_fields.text(request, "title"), rows, form_fields.many(request, "columns"),
        {one: form_fields.text(request, one).strip() for one in SOURCES},
        form_fields.text(request, "shared_payer_field"), form_fields.text(request, "schedule"),
        form_fields.number(request, "stop_after", most=1000), form_fields.text(request, "note"),
    )  # fmt: skip


def _current(profile: SyncProfile) -> SyncProfileVersion:
    return profile.versions.select_related("profile").order_by("-version")[0]


def _found(request: HttpRequest, name: str) -> SyncProfile:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    profile = SyncProfile.objects.filter(name=name).first()
    if profile is None:
        raise Http404("there is no such profile")
    return profile

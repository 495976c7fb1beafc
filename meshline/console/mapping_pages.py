"""The field mapping at the console: the version in force as a table, drafts with their test, and two pairs of eyes."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates.stop import Refused
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words
from meshline.console import form_fields, mapping_form, parts
from meshline.console.mapping_form import CONFLICT, WHEN
from meshline.console.page import Block, Page, Site
from sync.mappings import Artifact, Row, active, authoring, drift, rehearsal
from sync.mappings.drift import Alert
from sync.mappings.models import MappingVersion

VIEW = authoring.VIEW
State = MappingVersion.State
MOST_VERSIONS = 25
LABELS = {"when": "sent", "conflict": "on conflict"}  # as the table of rows names them
MEMBERS = ("from", "owner", "when", "transform", "validator", "conflict", "requirement")


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """The version in force."""
    _permit(request)
    one = authoring.now()
    if one is None:
        page = Page(title="Field mapping", sentence="No version is in force yet. Migrating installs the shipped one.")
        return site.draw(request, page.template, {"title": page.title, "page": page})
    return _draw(site, request, one)


def view(site: Site, request: HttpRequest, number: int) -> HttpResponse:
    """One version."""
    _permit(request)
    return _draw(site, request, _found(number))


def act(site: Site, request: HttpRequest, number: int, verb: str) -> HttpResponse:
    """Run one verb on one version; by POST only."""
    _permit(request)
    one = _found(number)
    if verb not in (*CALLS, "test"):
        raise Http404("there is no such verb")
    here = reverse("admin:mapping_version", args=[number])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    if verb == "test":
        return _draw(site, request, one, test=_tested(request, one))
    try:
        made = CALLS[verb](one, request)
    except Refused as refusal:
        typed = request.POST.get("reason", "")[:300]
        return _draw(site, request, _found(number), refusal=refusal, typed=typed)
    messages.success(request, DONE[verb].format(number=made.number))
    return HttpResponseRedirect(reverse("admin:mapping_version", args=[made.number]))


def row(site: Site, request: HttpRequest, number: int, place: int) -> HttpResponse:
    """The form of row `place` of a draft; 0 adds one."""
    _permit(request)
    one = _found(number)
    if not request.user.has_perm(authoring.EDIT) and request.method != "POST":
        raise PermissionDenied
    rows, here = one.fields["rows"], reverse("admin:mapping_version", args=[number])
    if one.state != State.DRAFT and request.method != "POST":
        return HttpResponseRedirect(here)
    if place > len(rows):
        raise Http404("there is no such row")
    refusal = None
    if request.method == "POST":
        try:
            told = _save(request, one, place)
        except Refused as no:
            refusal = no
        else:
            messages.success(request, told)
            return HttpResponseRedirect(here)
    stored = rows[place - 1] if place else None
    context = {
        "title": f"Row {place}" if stored else "Add a row", "one": one, "place": place, "stored": stored,
        "refusal": refusal,
        "fields": mapping_form.fields(stored, one.state_version, request if refusal else None, refusal),
    }  # fmt: skip
    return site.draw(request, "console/mapping_row.html", context, refusal.status if refusal else None)


def _save(request: HttpRequest, one: MappingVersion, place: int) -> str:
    version, by = form_fields.number(request, "version", most=10**9), _by(request)
    if request.POST.get("do") == "drop":
        authoring.drop_row(one.number, place, by=by, version=version)
        return "The row is out of the draft."
    authoring.save_row(one.number, place, mapping_form.said(request), by=by, version=version)
    return "Kept in the draft. Nothing is sent by it until another person puts it in force."


def _draw(
    site: Site,
    request: HttpRequest,
    one: MappingVersion,
    *,
    test: dict[str, Any] | None = None,
    refusal: Refused | None = None,
    typed: str = "",
) -> HttpResponse:
    now, artifact, alerts = authoring.now(), active.of(one), drift.alerts()
    is_draft, user = one.state == State.DRAFT, _by(request)
    open_one = MappingVersion.objects.filter(state=State.DRAFT).first()
    may_edit = request.user.has_perm(authoring.EDIT)
    page = Page(
        title=str(one),
        sentence=_sentence(one, artifact),
        tag=_tag(one),
        line=_line(one, artifact),
        main=[
            *([_changes(now, one)] if is_draft else []),
            _rows(one, artifact, alerts, editable=is_draft and may_edit),
            _drifted(alerts), _versions(one), _story(one),
        ],
        back=(reverse("admin:mapping"), "Field mapping") if one.state != State.ACTIVE else ("", ""),
        template="console/mapping.html",
        more={
            "one": one, "is_draft": is_draft, "open": open_one, "may_edit": may_edit,
            "why_not": authoring.why_not(one, "activate", user) if is_draft else "",
        },
    )  # fmt: skip
    shown = {"title": page.title, "page": page, "refusal": refusal, "test": test, "typed": typed}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _sentence(one: MappingVersion, artifact: Artifact) -> str:
    if artifact.fault:
        return f"Nothing can be sent by it: {artifact.fault}"
    if one.state == State.DRAFT:
        return "A draft. Nothing is sent by it until another person than its writers puts it in force."
    if one.state == State.RETIRED:
        return "Not in force. It can be begun again as a new version."
    return "Every write of a mapped field goes by this version. What is not listed for a record is not sent there."


def _line(one: MappingVersion, artifact: Artifact) -> list[tuple[str, Any]]:
    line: list[tuple[str, Any]] = [
        ("Written by", _person(one.author)), ("Why", cells.theirs(one.reason, 300)),
        ("Begun", cells.ago(one.created_at)), ("Rows", str(len(artifact.rows))),
    ]  # fmt: skip
    if one.activated_at:
        line.append(
            ("In force from", format_html("{} by {}", cells.moment(one.activated_at), _person(one.activated_by)))
        )
    if one.agreed:
        line.append(("Cases that do not hold, agreed to", cells.theirs(", ".join(one.agreed), 300)))
    kept = ", ".join(name for names in artifact.stays.values() for name in names)
    return [*line, ("Stays where it is", cells.theirs(kept or "-", 200))]


def _person(user: User | None) -> str:
    return user.get_username() if user else "Meshline"


def _rows(one: MappingVersion, artifact: Artifact, alerts: list[Alert], *, editable: bool) -> Block:
    data = {
        "rows": [_row(row, drift.of(row, alerts), place) for place, row in enumerate(artifact.rows, 1)],
        "one": one, "editable": editable,
    }  # fmt: skip
    return Block("Fields", template="console/mapping_rows.html", data=data, wide=True, anchor="fields")


def _row(row: Row, alerts: list[Alert], place: int) -> dict[str, Any]:
    return {
        "place": place, "to": row.to, "from": row.source, "owner": cells.system(row.owner),
        "way": f"{cells.system(drift.origin(row))} → {cells.system(row.system)}", "when": WHEN[row.when],
        "transform": row.transform, "validator": row.validator, "conflict": CONFLICT[row.conflict],
        "drift": "; ".join(f"{one.member} {one.said} ({one.count})" for one in alerts),
    }  # fmt: skip


def _changes(now: MappingVersion | None, one: MappingVersion) -> Block:
    return Block(
        "What it changes",
        columns=("Field", "Now", "In this draft"),
        rows=[(to, _told(before, after), _told(after, before)) for to, before, after in authoring.changes(now, one)],
        empty="Nothing differs from the version in force yet. Change a row below, or add one.",
        wide=True,
    )


def _told(row: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    """What a row says that the other one does not."""
    if not row:
        return cells.dash()
    shown = {**row, "when": WHEN.get(str(row.get("when")), row.get("when"))}
    shown["conflict"] = CONFLICT.get(str(row.get("conflict")), row.get("conflict"))
    differing = [
        f"{LABELS.get(name, name)}: {shown.get(name) or 'none'}" for name in MEMBERS if row.get(name) != other.get(name)
    ]
    return ", ".join(differing) or "only its remark differs"


def _drifted(alerts: list[Alert]) -> Block:
    return Block(
        "Drift",
        pairs=[
            (
                f"{cells.system(one.system)}: {cells.plain(one.member, 60)}",
                format_html("{} ({})", cells.theirs(one.said, 120), one.count),
            )
            for one in alerts
        ],
        empty="No system changed a field that is read.",
        more=("Events that only a person can read", parts.list_of("ledger_event", state="parked")),
    )


def _versions(one: MappingVersion) -> Block:
    known = MappingVersion.objects.select_related("author").defer("fields")[:MOST_VERSIONS]
    return Block(
        "Versions",
        pairs=[
            (
                format_html("<b>v{}</b>", each.number) if each.pk == one.pk else _link(each),
                format_html("{} {}", _tag(each), cells.theirs(each.reason, 80)),
            )
            for each in known
        ],
    )


def _tag(one: MappingVersion) -> SafeString:
    return cells.tag(str(one.state), one.get_state_display())


def _link(one: MappingVersion) -> SafeString:
    return format_html('<a href="{}">v{}</a>', reverse("admin:mapping_version", args=[one.number]), one.number)


def _story(one: MappingVersion) -> Block:
    rows = list(LedgerRow.objects.filter(subject_kind=active.SUBJECT, subject_id=str(one.number)).order_by("-id")[:10])
    names = actor_names(row.actor for row in rows)
    return Block(
        "Ledger rows",
        pairs=[
            (
                cells.moment(each.recorded_at),
                format_html(
                    "{} {} {}", decision_words(each.decision), cells.theirs(names.get(each.actor, each.actor), 40),
                    page_of(each, f"#{each.pk}"),
                ),
            )
            for each in rows
        ],
        empty="As it was shipped.",
    )  # fmt: skip


def _tested(request: HttpRequest, one: MappingVersion) -> dict[str, Any]:
    """The test's result; what was stored of people is shown only to who may see it."""
    may_see = parts.may_see_personal(request)
    result = rehearsal.run(active.of(one), active.refresh())
    sample = [
        {"contract": each.contract_id, "to": each.to, "was": _value(each.was, see=may_see),
         "becomes": _value(each.becomes, see=may_see)}
        for each in result.sample
    ]  # fmt: skip
    return {"result": result, "sample": sample, "masked": not may_see, "most": rehearsal.MOST_PAYLOADS}


def _value(text: str, *, see: bool) -> SafeString:
    """A value, or what may be said of it without showing it."""
    if see or text == "not sent" or text.startswith("refused: "):
        return cells.theirs(text, 200)
    return format_html('<span class="quiet">{} characters</span>', len(text))


def _permit(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied


def _found(number: int) -> MappingVersion:
    known = MappingVersion.objects.select_related("author", "activated_by")
    one = known.filter(number=number).first() if number < 2**31 else None
    if one is None:
        raise Http404("there is no such version of the field mapping")
    return one


def _by(request: HttpRequest) -> User:
    return cast(User, request.user)


def _reason(request: HttpRequest) -> str:
    return form_fields.text(request, "reason")


def _version(request: HttpRequest) -> int:
    return form_fields.number(request, "version", most=10**9)


Call = Callable[[MappingVersion, HttpRequest], MappingVersion]
CALLS: dict[str, Call] = {
    "begin": lambda one, request: authoring.begin(by=_by(request), reason=_reason(request), like=one.number),
    "activate": lambda one, request: authoring.activate(
        one.number, by=_by(request), version=_version(request), reason=_reason(request)
    ),
    "withdraw": lambda one, request: authoring.withdraw(
        one.number, by=_by(request), version=_version(request), reason=_reason(request)
    ),
}
DONE = {
    "begin": "Version {number} is begun as a draft. Change its rows, test it, and ask another person.",
    "activate": "Version {number} is in force from now on.",
    "withdraw": "Version {number} is given up. Nothing was ever sent by it.",
}

"""Reviews that come round: the list with what is overdue, and one with its sample, judged row by row."""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from gates import audits
from gates.audits import VIEW, WORK
from gates.audits.kinds import KINDS, facts_in_words
from gates.models import Audit, AuditRow
from gates.stop import Refused
from ledger import cells, clock
from meshline.console import evidence_parts, form_fields
from meshline.console.evidence_parts import Form, permit
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site

TEMPLATE = "console/evidence.html"
PAGES = {
    "action": "admin:ledger_action_change", "event": "admin:ledger_event_change",
    "item": "admin:gates_reviewitem_change", "user": "admin:auth_user_change",
    "gate": "admin:gates_gateversion_change", "automation": "admin:gates_automation_change",
}  # fmt: skip
TONES = {"right": "applied", "wrong": "failed", "unclear": "held", "": ""}
BUTTONS = [("verdict", "right", "Right"), ("verdict", "wrong", "Wrong"), ("verdict", "unclear", "Cannot be told")]
MOST_PEOPLE = 200


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """The reviews, newest first; open ones say by when."""
    permit(request, VIEW)
    counted = Count("rows", filter=~Q(rows__verdict=""))
    found = Audit.objects.select_related("owner").annotate(n=Count("rows"), done=counted).order_by("-id")
    rows, more = evidence_parts.newest(found, request)
    late = audits.overdue().count()
    page = Page(
        title="Reviews",
        sentence=f"{late} overdue." if late else "None is overdue. Each comes round by itself, with its sample.",
        tag=cells.tag("failed", f"{late} overdue") if late else "",
        main=[
            Block(
                "Planned reviews",
                columns=("Review", "Period", "State", "Due", "Owner", "Judged", "Found wrong"),
                rows=[_row(one) for one in rows],
                empty="None yet. The first comes on the Monday after the first event.",
                more=more, wide=True,
            )
        ],
    )  # fmt: skip
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


def view(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """One review; `?row=3` for a certain row, else the first that nobody looked at."""
    permit(request, VIEW)
    return _draw(site, request, _found(key))


def judge(site: Site, request: HttpRequest, key: int, place: int) -> HttpResponse:
    """Say of one row whether it was right; by POST only. Goes on to the next one."""
    permit(request, VIEW)
    one, here = _found(key), reverse("admin:audit", args=[key])
    if request.method != "POST":
        return HttpResponseRedirect(f"{here}?row={place}")
    permit(request, WORK)
    try:
        verdict, note = form_fields.text(request, "verdict"), form_fields.text(request, "note")
        audits.judge(key, place, verdict, by=cast(User, request.user), note=note)
    except Refused as refusal:
        return _draw(site, request, one, refusal, place)
    return HttpResponseRedirect(f"{here}#row")


def act(site: Site, request: HttpRequest, key: int, verb: str) -> HttpResponse:
    """Close it, or hand it on; by POST only."""
    permit(request, VIEW)
    one, here, by = _found(key), reverse("admin:audit", args=[key]), cast(User, request.user)
    if verb not in ("close", "assign"):
        raise Http404("there is no such verb")
    if request.method != "POST":
        return HttpResponseRedirect(here)
    permit(request, WORK)
    try:
        if verb == "close":
            audits.close(key, by=by, result=form_fields.text(request, "result"))
            messages.success(request, f"{one} is closed, and its result is kept.")
        else:
            to = User.objects.filter(pk=form_fields.key(form_fields.text(request, "to")) or 0).first()
            if to is None:
                raise Refused(422, "to", "to: there is no such person")
            audits.assign(key, by=by, to=to)
            messages.success(request, f"{one} is now with {to.get_username()}.")
    except Refused as refusal:
        return _draw(site, request, one, refusal)
    return HttpResponseRedirect(here)


def _row(one: Any) -> tuple[Any, ...]:
    return (
        cells.link(reverse("admin:audit", args=[one.pk]), title(one)), _period(one), tag(one),
        cells.moment(one.due_at), _owner(one), f"{one.done} of {one.n}", one.found.get("wrong", 0),
    )  # fmt: skip


def title(one: Audit) -> str:
    """What it reviews."""
    kind = KINDS.get(one.kind)
    return kind.title if kind else one.kind.replace("_", " ").capitalize()


def tag(one: Audit) -> Any:
    """Open, overdue or done."""
    if one.state == Audit.State.DONE:
        return cells.tag("applied", "Done")
    return cells.tag("failed", "Overdue") if one.due_at < clock.now() else cells.tag("in_review", "Open")


def _period(one: Audit) -> str:
    return f"{one.since:%Y-%m-%d} to {one.planned_at:%Y-%m-%d}"


def _owner(one: Audit) -> Any:
    return cells.theirs(one.owner.get_username() if one.owner else one.owner_group, 60)


def _draw(
    site: Site, request: HttpRequest, one: Audit, refusal: Refused | None = None, place: int | None = None
) -> HttpResponse:
    rows = list(AuditRow.objects.filter(audit=one).select_related("judged_by").order_by("place"))
    judged = sum(1 for row in rows if row.verdict)
    kind = KINDS.get(one.kind)
    page = Page(
        title=title(one),
        sentence=one.result or (kind.question if kind else ""),
        tag=tag(one),
        line=[
            ("Period", _period(one)), ("Due", cells.moment(one.due_at)), ("Owner", _owner(one)),
            ("Judged", f"{judged} of {len(rows)}"), ("Found wrong", one.found.get("wrong", 0)),
            ("Closed", cells.moment(one.closed_at)),
        ],
        main=[_sample(one, rows)],
        side=[Block("Numbers of the period", pairs=[(capfirst(name.replace("_", " ")), f"{value:,}")
                                                    for name, value in one.figures.items()], empty="None.")],
        back=(reverse("admin:audits"), "Reviews"),
        template=TEMPLATE,
    )  # fmt: skip
    forms = _forms(request, one, rows, place) if one.state == Audit.State.OPEN else []
    warnings = [one.missing] if one.missing else []
    page.more = evidence_parts.shown(forms, request, refusal, warnings=warnings)
    status = refusal.status if refusal else None
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page, "refusal": refusal}, status)


def _forms(request: HttpRequest, one: Audit, rows: Sequence[AuditRow], place: int | None) -> list[Form]:
    """The row whose turn it is, or the result once all were judged; then whom it may be given to."""
    if not request.user.has_perm(WORK):
        return []
    asked = place or form_fields.key(request.GET.get("row"))
    turn = next((row for row in rows if row.place == asked), None) or next(
        (row for row in rows if not row.verdict), None
    )
    forms = [_turn(one, turn, len(rows))] if turn else [
        Form(
            "What follows from it", reverse("admin:audit_verb", args=[one.pk, "close"]), [("", "", "Close the review")],
            [Field("result", "Result", kind="area", rows=4, longest=audits.LONGEST_RESULT)],
        )
    ]  # fmt: skip
    people = User.objects.filter(is_active=True, is_staff=True).order_by("username")[:MOST_PEOPLE]
    choices = [(str(who.pk), who.get_username()) for who in people]
    owner = str(one.owner_id or "")
    hand = Form(
        "Hand it on", reverse("admin:audit_verb", args=[one.pk, "assign"]), [("", "", "Give it")],
        [Field("to", "To", owner, kind="select", choices=choices)],
    )  # fmt: skip
    return [*forms, hand]


def _turn(one: Audit, row: AuditRow, total: int) -> Form:
    return Form(
        f"Row {row.place} of {total}: {row.group}", reverse("admin:audit_row", args=[one.pk, row.place]), BUTTONS,
        [Field("note", "Note", row.note, longest=audits.LONGEST_NOTE, required=False,
               help="Needed where it was wrong. No names: it is kept.")],
        pairs=[("Record", _door(row)), ("Known", facts_in_words(row.about))], anchor="row",
    )  # fmt: skip


def _sample(one: Audit, rows: Sequence[AuditRow]) -> Block:
    here = reverse("admin:audit", args=[one.pk])
    return Block(
        "Sample",
        columns=("Row", "Part", "Record", "Known", "Verdict", "Note", "By"),
        rows=[
            (
                cells.link(f"{here}?row={row.place}#row", row.place), row.group, _door(row), facts_in_words(row.about),
                cells.tag(TONES[row.verdict], row.get_verdict_display()),
                cells.theirs(row.note, 300) if row.note else cells.dash(),
                cells.theirs(row.judged_by.get_username(), 40) if row.judged_by else cells.dash(),
            )
            for row in rows
        ],
        empty="There was nothing to draw from. Write down why that is, and close it.",
        wide=True,
    )  # fmt: skip


def _door(row: AuditRow) -> Any:
    name = f"{row.subject_kind.capitalize()} {row.subject_id[-8:]}"
    page = PAGES.get(row.subject_kind)
    return cells.link(reverse(page, args=[row.subject_id]), name) if page else name


def _found(key: int) -> Audit:
    one = Audit.objects.select_related("owner").filter(pk=key).first()
    if one is None:
        raise Http404("there is no such review")
    return one

"""Game days: drills of the emergency stop, when the next is due, and the report of one to be printed."""

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from gates import stop
from gates.models import GameDay
from gates.stop import Refused
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import page_of
from ledger.words import kind_words
from meshline import stepup
from meshline.console import evidence_parts, form_fields, parts, shell, stop_page
from meshline.console.evidence_parts import Form, permit
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site
from sync import gameday
from sync.gameday import RUN, VIEW

TEMPLATE = "console/evidence.html"
TONES = {"running": "waiting", "passed": "applied", "failed": "failed"}


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """The drills, newest first, and the form to begin one."""
    permit(request, VIEW)
    return _listing(site, request)


def start(site: Site, request: HttpRequest) -> HttpResponse:
    """Begin one; by POST only."""
    permit(request, VIEW)
    here = reverse("admin:gamedays")
    if request.method != "POST":
        return HttpResponseRedirect(here)
    if request.user.has_perm(RUN) and stepup.needed(request):
        return stepup.demand(request, here)
    try:
        scope, reason = form_fields.text(request, "scope"), form_fields.text(request, "reason")
        made = gameday.begin(by=cast(User, request.user), scope=scope, reason=reason)
    except Refused as refusal:
        return _listing(site, request, refusal)
    gameday.ring(made.pk)
    messages.success(request, f"{made} has begun: {shell.scope_words(made.scope)} will be halted in a moment.")
    return HttpResponseRedirect(reverse("admin:gameday", args=[made.pk]))


def view(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """The report of one drill."""
    permit(request, VIEW)
    one = GameDay.objects.select_related("started_by").filter(pk=key).first()
    if one is None:
        raise Http404("there is no such drill")
    page = Page(
        title=f"Drill {one}",
        sentence=sentence(one),
        tag=tag(one),
        line=_line(one),
        main=[_measured(one), _projected(one)],
        side=[_story(one), Block("For the file", text="Print this page: menus are left out.")],
        back=(reverse("admin:gamedays"), "Game days"),
        template=TEMPLATE,
    )
    page.more = evidence_parts.shown([], request, None)
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page})


def _listing(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    found, stands = GameDay.objects.select_related("started_by").order_by("-id"), gameday.standing()
    rows, more = evidence_parts.newest(found, request)
    page = Page(
        title="Game days",
        sentence=f"{capfirst(stands.sentence)}.",
        tag=cells.tag("failed", "Overdue") if stands.is_overdue else cells.tag("applied", "On time") if rows else "",
        main=[
            Block(
                "Drills",
                columns=("Drill", "Scope", "Result", "Begun", "Time to halt", "After the halt", "To undo", "By"),
                rows=[_row(one) for one in rows],
                empty="Never drilled. The first one shows that the stop works while writes are under way.",
                more=more, wide=True,
            )
        ],
        template=TEMPLATE,
    )  # fmt: skip
    forms = [_form()] if request.user.has_perm(RUN) else []
    page.more = evidence_parts.shown(forms, request, refusal)
    status = refusal.status if refusal else None
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page, "refusal": refusal}, status)


def _form() -> Form:
    named = settings.MESHLINE_DRILL_CUSTOMER
    own = [(stop.of_customer(named), "Only the internal customer")] if named else []
    probes = "Probes about the internal customer are sent." if named else (
        "No internal customer is set (MESHLINE_DRILL_CUSTOMER), so only real writes are measured."
    )  # fmt: skip
    return Form(
        "Begin a drill", reverse("admin:gameday_start"), [("", "", "Halt it now")],
        [
            Field("scope", "What is halted", gameday.default_scope(), kind="select",
                  choices=[*own, *stop_page.scope_choices()]),
            Field("reason", "Reason", "Monthly drill", longest=300),
        ],
        note=f"The stop is pressed for real. {probes} You ask to resume by this; a second person confirms it.",
    )  # fmt: skip


def _row(one: GameDay) -> tuple[Any, ...]:
    return (
        cells.link(reverse("admin:gameday", args=[one.pk]), str(one)), capfirst(shell.scope_words(one.scope)), tag(one),
        cells.moment(one.started_at), _ms(one.halt_ms), _or_dash(one.begun_after), f"{one.projected_total:,}",
        cells.theirs(one.started_by.get_username(), 40),
    )  # fmt: skip


def tag(one: GameDay) -> Any:
    """How it went."""
    return cells.tag(TONES[str(one.state)], one.get_state_display())


def sentence(one: GameDay) -> Any:
    """In one line."""
    if one.state == GameDay.State.RUNNING:
        return "It runs. Reload the page in a few seconds."
    return f"{capfirst(one.said)}."


def _line(one: GameDay) -> list[tuple[str, Any]]:
    return [
        ("Scope", capfirst(shell.scope_words(one.scope))),
        ("Systems", "simulators and test accounts" if one.is_simulated else "live"),
        ("By", cells.theirs(one.started_by.get_username(), 40)), ("Reason", cells.theirs(one.reason, 200)),
        ("Begun", cells.moment(one.started_at, seconds=True)), ("Halted", cells.moment(one.stopped_at, seconds=True)),
    ]  # fmt: skip


def _measured(one: GameDay) -> Block:
    return Block(
        "What was measured",
        pairs=[
            ("Writes begun in the minute before", f"{one.begun_before:,}"),
            ("On the wire when it was pressed", f"{one.in_flight:,}"),
            ("Last write began after the halt by", _ms(one.halt_ms)),
            ("Writes begun later than a second after the halt", _or_dash(one.begun_after)),
            ("Held by the stop at the end", f"{one.held:,}"), ("Probes of the drill", f"{one.probes:,}"),
        ],
        wide=True,
    )  # fmt: skip


def _projected(one: GameDay) -> Block:
    """What would have to be undone, had it been in earnest."""
    rows = [
        (
            cells.link(reverse("admin:ledger_action_change", args=[each["action"]]), kind_words(each["kind"])),
            kind_words(each["undo"]) if each["undo"] else f"Not by Meshline: {each['why_not']}",
        )
        for each in one.projected
    ]
    shown = f"the newest {len(rows)} of {one.projected_total:,}" if one.projected_total > len(rows) else ""
    return Block(
        "What would have to be undone: confirmed in the day before", columns=("Action", "By"), rows=rows,
        empty="Nothing was confirmed in this scope in the day before.", note=shown, wide=True,
    )  # fmt: skip


def _story(one: GameDay) -> Block:
    rows = LedgerRow.objects.filter(subject_kind=gameday.SUBJECT, subject_id=str(one.pk)).order_by("id")[: parts.MOST]
    return Block("Story", pairs=[(cells.moment(row.recorded_at), page_of(row, parts.said(row))) for row in rows])


def _ms(value: int | None) -> Any:
    return cells.dash() if value is None else f"{value:,} ms"


def _or_dash(value: int | None) -> Any:
    return cells.dash() if value is None else f"{value:,}"

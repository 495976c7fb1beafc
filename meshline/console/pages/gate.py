"""The page of one version of a gate: what it says, how it came to be, what it did, and what may be done with it."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates import authoring, backtests, uses
from gates.cells import gate_tag, row_words
from gates.models import Automation, GateVersion
from ledger import cells, clock
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words, kind_words
from meshline.console import parts
from meshline.console.page import Block, Page

State = GateVersion.State
PEOPLE = ("written_by", "submitted_by", "approved_by", "retire_asked_by")
MOST_VERSIONS = 25
VERBS = {
    State.DRAFT: ("submit", "withdraw"),
    State.SUBMITTED: ("approve", "take_back", "withdraw"),
    "asked": ("retire", "keep"),
    State.LIVE: ("ask_retire",),
}
LABELS = {
    "submit": "Submit for approval", "approve": "Put in force", "take_back": "Back to the draft",
    "withdraw": "Give it up", "ask_retire": "Ask to retire", "retire": "Retire", "keep": "Keep after all",
}  # fmt: skip
NEED_REASON = ("take_back", "withdraw", "ask_retire", "keep")


def build(request: HttpRequest, record: GateVersion) -> Page:
    """One version, with every other one of its gate."""
    one = GateVersion.objects.select_related(*PEOPLE).get(pk=record.pk)
    versions = list(GateVersion.objects.select_related(*PEOPLE).filter(name=one.name)[:MOST_VERSIONS])
    use = uses.of([one.name]).get(one.name, uses.Use())
    return Page(
        title=str(one),
        sentence=sentence(one),
        tag=gate_tag(one),
        line=_line(one),
        main=[_rows(one), _history(one, versions), _used(one, use)],
        side=[_details(one), _story(one, versions)],
        back=(reverse("admin:gates_gateversion_changelist"), "Gates"),
        template="console/gate.html",
        more={"one": one, "backtest": backtests.of(one), **_verbs(request, one, versions)},
    )


def sentence(one: GateVersion) -> str:
    """The gate in plain words."""
    kinds = ", ".join(kind_words(kind).lower() for kind in one.applies_to)
    when = " and ".join(row_words(row) for row in one.rows)
    what = {
        "hold": "is held", "review": "waits for one person", "review_two": "waits for two people",
        "block": "never goes by itself: a specialist decides",
    }[one.result]  # fmt: skip
    about = f"An action of kind {kinds}" if one.applies_to else "Every action"
    return f"{about} {what}{f', when {when}' if when else ', always'}."


def _line(one: GateVersion) -> list[tuple[str, Any]]:
    line: list[tuple[str, Any]] = [
        ("Answer", cells.tag(one.result, one.get_result_display())),
        ("Says", cells.theirs(one.message, 300)),
    ]
    if one.state == State.LIVE or one.retired_at:
        line.append(("In force from", cells.moment(one.valid_from)))
    elif one.valid_from > clock.now():
        line.append(("Meant to begin", cells.moment(one.valid_from)))
    if one.retired_at:
        line.append(("Until", cells.moment(one.retired_at)))
    if one.why:
        line.append(("Why this version", cells.theirs(one.why, 300)))
    if one.retire_asked_by:
        asked = format_html("{}: {}", one.retire_asked_by.get_username(), cells.theirs(one.retire_why, 300))
        line.append(("Asked to retire it", asked))
    return line


def _rows(one: GateVersion) -> Block:
    return Block(
        "All of these must hold",
        columns=("", "Condition"),
        rows=[(str(number), row_words(row)) for number, row in enumerate(one.rows, 1)],
        empty="No condition: it always answers.",
        note="what nobody knows counts as holding" if one.rows else "",
        wide=True,
    )


def _history(one: GateVersion, versions: list[GateVersion]) -> Block:
    """Every version with what it changed of the one before."""
    before = {newer.pk: older for newer, older in pairwise(versions)}
    return Block(
        "Versions",
        columns=("Version", "Standing", "What changed", "Why", "By"),
        rows=[
            (
                format_html("<b>v{}</b>, this one", each.version)
                if each.pk == one.pk
                else page_of(each, f"v{each.version}"),
                format_html("{} {}", gate_tag(each), _span(each)),
                differences(before.get(each.pk), each),
                cells.theirs(each.why, 200) if each.why else cells.dash(),
                _authors(each),
            )
            for each in versions
        ],
        wide=True,
    )  # fmt: skip


def _person(user: Any) -> Any:
    return cells.theirs(user.get_username(), 40) if user else format_html('<span class="quiet">{}</span>', "Meshline")


def _authors(one: GateVersion) -> SafeString:
    written = _person(one.written_by)
    return written if one.approved_by is None else format_html("{}, approved by {}", written, _person(one.approved_by))


def _span(one: GateVersion) -> Any:
    """From when to when it judged."""
    if one.approved_by_id is None and one.state != State.LIVE:
        return ""
    until = format_html(" to {}", cells.moment(one.retired_at)) if one.retired_at else ""
    return format_html('<div class="quiet">from {}{}</div>', cells.moment(one.valid_from), until)


def differences(before: GateVersion | None, after: GateVersion) -> SafeString:
    """What a version takes away from the one before, and what it adds, in words."""
    if before is None:
        return format_html('<span class="quiet">{}</span>', "the first")
    old, new = facts_of(before), facts_of(after)
    gone = [("del", "without", one) for one in old if one not in new]
    come = [("ins", "now", one) for one in new if one not in old]
    lines = format_html_join("", '<li class="is-{}"><span class="mark">{}</span> {}</li>', gone + come)
    return format_html('<ul class="diff">{}</ul>', lines) if lines else cells.dash()


def facts_of(one: GateVersion) -> list[str]:
    """A version as single statements, which can be compared."""
    kinds = ", ".join(kind_words(kind) for kind in one.applies_to) or "every action"
    said = [f"looks at: {kinds}", f"answer: {one.get_result_display()}", f"says: {one.message}", f"title: {one.title}"]
    return [*(row_words(row) for row in one.rows), *said]


def _used(one: GateVersion, use: uses.Use) -> Block:
    """Which actions it looks at, and what it did lately."""
    kinds = _joined(cells.link(parts.list_of("ledger_action", kind=kind), kind_words(kind)) for kind in one.applies_to)
    automations = _joined(page_of(each, each.title) for each in Automation.objects.all())
    waiting = cells.link(parts.list_of("gates_reviewitem", why=one.name), "Items that wait because of it")
    loosen = f"{use.unchanged:,} ({use.share}); many of these mean that it may be loosened"
    return Block(
        "Where it is used",
        pairs=[
            ("Looks at", kinds or "every kind of action"),
            ("Judges for", format_html("{}, and what people ask for", automations)),
            (f"Held back in {uses.DAYS} days", f"{use.held:,} actions, over the newest {uses.NEWEST:,} decisions"),
            ("Approved unchanged", loosen if use.held else "none was held"),
            ("Queue", waiting),
        ],
        wide=True,
    )


def _joined(cells_: Iterable[Any]) -> SafeString:
    return format_html_join(", ", "{}", ((one,) for one in cells_))


def _details(one: GateVersion) -> Block:
    return Block(
        "Details",
        pairs=[
            ("Written by", one.written_by.get_username() if one.written_by else "shipped with Meshline"),
            ("Submitted by", _person(one.submitted_by) if one.submitted_by else cells.dash()),
            ("Approved by", _person(one.approved_by) if one.approved_by else cells.dash()),
            ("Name", cells.code(one.name)),
        ],
    )


def _story(one: GateVersion, versions: list[GateVersion]) -> Block:
    """Who did what with any of the versions, from the ledger."""
    subjects = [each.subject for each in versions]
    rows = list(LedgerRow.objects.filter(subject_kind="gate", subject_id__in=subjects).order_by("-id")[:15])
    names = actor_names(row.actor for row in rows)
    return Block(
        "In the ledger",
        columns=("When", "What", "Who"),
        rows=[
            (
                page_of(row, cells.moment(row.recorded_at)),
                f"v{row.subject_id.rpartition(':')[2]} {decision_words(row.decision).lower()}"
                + (" (refused)" if row.outcome == "refused" else ""),
                cells.theirs(names.get(row.actor, row.actor), 40),
            )
            for row in rows
        ],
        empty="Shipped with Meshline; nobody changed it.",
    )


def _verbs(request: HttpRequest, one: GateVersion, versions: list[GateVersion]) -> dict[str, Any]:
    """The buttons of this version for this person; one that is off says why."""
    newest = next((each for each in versions if each.state == State.LIVE and each.retired_at is None), None)
    opened = next((each for each in versions if each.state in (State.DRAFT, State.SUBMITTED)), None)
    verbs: tuple[str, ...] = VERBS.get(State(one.state), ())
    if one.state == State.LIVE:
        verbs = () if newest is None or newest.pk != one.pk else VERBS["asked"] if one.retire_asked_by_id else verbs
    user: Any = request.user
    buttons = []
    for verb in verbs:
        why_not = authoring.why_not(one, verb, user)
        buttons.append({"name": verb, "label": LABELS[verb], "why_not": why_not, "asks": verb in NEED_REASON})
    return {
        "buttons": buttons,
        "off": [button for button in buttons if button["why_not"]],
        "needs_reason": any(button["asks"] and not button["why_not"] for button in buttons),
        "may_edit": user.has_perm(authoring.EDIT),
        "opened": opened if opened is not None and opened.pk != one.pk else None,
        "is_draft": one.state == State.DRAFT,
        "is_submitted": one.state == State.SUBMITTED,
    }

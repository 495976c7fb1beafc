"""Two pages to read: what to look at when an automation misbehaves, and each owner's list of the week."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from gates.models import Automation
from gates.rollout import diagnose, ladder, people, triage
from gates.rollout.diagnose import Diagnosis
from ledger import cells
from ledger.readonly import page_of
from ledger.words import from_identifier
from meshline.console import parts
from meshline.console.automation_page import LABELS
from meshline.console.page import Block, Page, Site


def diagnosis(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """The five questions in their order, each with its figures and its next door."""
    if not request.user.has_perm(people.VIEW):
        raise PermissionDenied
    one = Automation.objects.select_related("owner").filter(name=name).first()
    if one is None:
        raise Http404("there is no such automation")
    found = diagnose.of(one)
    user: Any = request.user
    page = Page(
        f"Diagnose: {one.title}",
        sentence="Go through these in order; the first one that looks wrong is usually the cause.",
        tag=cells.tag(one.state, one.get_state_display()),
        main=[_context(found), _previews(one, found), _confidence(one, found), _sla(one, found), _quarantine(found)],
        back=(reverse("admin:gates_automation_change", args=[one.pk]), one.title),
        more={"one": one, "may_lower": people.may_lower(one, user), "is_paused": one.state == "paused"},
    )
    return site.draw(request, "console/automation_diagnose.html", {"title": page.title, "page": page})


def _context(found: Diagnosis) -> Block:
    note = f"{found.waiting} wait for facts since {found.waiting_since:%m-%d %H:%M}" if found.waiting_since else ""
    return Block(
        "1. Context age",
        columns=("Block", "Actions", "Usual age", "Oldest"),
        rows=[
            (from_identifier(block.partition(":")[0]), f"{count:,}", _span(median), _span(worst))
            for block, count, median, worst in found.ages
        ],
        note=note,
        empty="Nothing to measure: it has judged no action with facts in seven days.",
        wide=True, anchor="context",
    )  # fmt: skip


def _span(seconds: float) -> str:
    return cells.took(timedelta(seconds=max(0.0, seconds)))


def _previews(one: Automation, found: Diagnosis) -> Block:
    week = found.week
    return Block(
        "2. Previews and approvals, seven days",
        pairs=[
            ("Decisions", f"{week.decisions:,}"), ("Decided by people", f"{week.suggestions:,}"),
            ("Previews reviewed", f"{week.previews:,}"),
            ("Corrected", f"{week.corrected:,} of {week.judged:,}" + (f" ({_rate(week.corrected, week.judged)})")),
            ("Turned down, changed or undone", f"{week.overridden:,}"),
        ] if week.decisions else (),
        empty="No event reached it in seven days, so there is nothing to review. Look at its source first.",
        more=("Review previews one by one", reverse("admin:automation_previews", args=[one.name])), anchor="previews",
    )  # fmt: skip


def _rate(part: int, whole: int) -> str:
    return ladder.percent(-(-1000 * part // whole)) if whole else "no sample"


def _confidence(one: Automation, found: Diagnosis) -> Block:
    """Only what was proposed with a confidence has one; fixed rules have none."""
    known = found.confidence is not None and found.least_confidence is not None
    return Block(
        "3. Confidence",
        pairs=[
            ("Suggestions with a confidence", f"{found.confident:,}"), ("Usual", f"{found.confidence:.0%}"),
            ("Least", f"{found.least_confidence:.0%}"),
        ] if known else (),
        empty="It works by fixed rules and gives no confidence. Look at the rules that did not pass instead.",
        more=("Its actions", parts.list_of("ledger_action", automation=one.name)), anchor="confidence",
    )  # fmt: skip


def _sla(one: Automation, found: Diagnosis) -> Block:
    return Block(
        "4. SLA and escalations",
        pairs=[
            ("Open items", f"{found.open_items:,}"), ("Late", f"{found.late:,}"), ("Escalations", f"{found.bumps:,}"),
            ("Next due", cells.due(found.next_due) if found.next_due else cells.dash()),
        ] if found.open_items else (),
        empty="Nothing about it waits for a person.",
        more=("Its items", parts.list_of("gates_reviewitem", automation=one.name)), anchor="sla",
    )  # fmt: skip


def _quarantine(found: Diagnosis) -> Block:
    rows = [
        (page_of(item), cells.theirs(item.sentence, 200), _post_mortem(item), cells.ago(item.created_at))
        for item in found.exceptions
    ]
    return Block(
        "5. Quarantine and post-mortem",
        columns=("Item", "What", "Post-mortem", "Opened"),
        rows=rows,
        empty="It never fell and was never in quarantine. The button below pauses it and opens an exception.",
        wide=True, anchor="quarantine",
    )  # fmt: skip


def _post_mortem(item: Any) -> Any:
    if item.cause:
        return cells.theirs(f"{from_identifier(item.cause)}; {item.corrective_action}; {item.prevention}", 400)
    return "open" if item.state != "resolved" else cells.dash()


def weekly(site: Site, request: HttpRequest) -> HttpResponse:
    """Every automation with its week, one's own first."""
    if not request.user.has_perm(people.VIEW):
        raise PermissionDenied
    rows = list(Automation.objects.select_related("owner"))
    user: Any = request.user
    groups = set(user.groups.values_list("name", flat=True))
    mine = [one for one in rows if people.is_owner(one, user) or one.owner_group in groups]
    figures = triage.figures(rows) if rows else {}
    page = Page(
        "Weekly triage",
        sentence="What the automations did in seven days, what people made of it, and what still waits.",
        main=[
            _table("Yours", mine, figures, "You own no automation."),
            _table("All others", [one for one in rows if one not in mine], figures, "There is no other automation."),
        ],
        back=(reverse("admin:gates_automation_changelist"), "Automations"),
    )
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


COLUMNS = ("Automation", "Owner", "Stage", "Decisions", "Overridden", "Corrected", "Waiting", "Late", "Next step lacks")


def _table(title: str, rows: list[Automation], figures: Mapping[str, Mapping[str, Any]], empty: str) -> Block:
    return Block(
        title, columns=COLUMNS, rows=[_row(one, figures[one.name]) for one in rows], empty=empty, wide=True
    )  # fmt: skip


def _row(one: Automation, said: Mapping[str, Any]) -> tuple[Any, ...]:
    owner = one.owner.get_username() if one.owner else one.owner_group
    waits = parts.list_of("gates_reviewitem", automation=one.name)
    return (
        page_of(one, one.title), cells.theirs(owner, 60), cells.tag(one.state, LABELS[str(one.state)]),
        f"{said['decisions']:,}" if said["decisions"] else "no event came", f"{said['overridden']:,}",
        f"{said['corrected']:,} of {said['judged']:,}", cells.link(waits, f"{said['waiting']:,}"), f"{said['late']:,}",
        ", ".join(said["missing"]).lower() or cells.dash(),
    )  # fmt: skip

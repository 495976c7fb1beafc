"""Onboarding: the lists that run, the board by stage, what was refused, and what is measured."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from gates.checklists import EDIT, VIEW, figures, templates
from gates.models import Checklist, ChecklistStep
from ledger import cells
from ledger.readonly import page_of
from meshline.console import onboarding_list
from meshline.console.onboarding_list import TABS, Asked
from meshline.console.page import Site

EMPTY = {
    "": "No customer in onboarding. A checklist starts when a deal is signed.",
    "board": "No customer in onboarding. A checklist starts when a deal is signed.",
    "refused": "No signed deal was refused. One without a billing owner would be listed here.",
    "ended": "No onboarding has ended yet.",
}
LABELS = {"late": "Late", "blocked": "Blocked", "owner": "Owner", "package": "Package", "csm": "CSM"}


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """The tab that is asked for."""
    permit(request)
    asked = Asked.of(request)
    shown: dict[str, Any] = {
        "title": "Onboarding", "asked": asked, "tabs": _tabs(asked), "figures": _figures(), "empty": EMPTY[asked.tab],
        "clear": Asked(tab=asked.tab).address(), "may_edit": request.user.has_perm(EDIT),
        "chips": _chips(asked) if asked.tab != "refused" else [],
        "hidden": [(name, getattr(asked, name)) for name in ("tab", *onboarding_list.FILTERS) if getattr(asked, name)],
    }  # fmt: skip
    if asked.tab == "board":
        shown["columns"] = _board(asked)
    elif asked.tab == "refused":
        shown["refused"] = [_refused(*one) for one in onboarding_list.refused()]
    else:
        found = onboarding_list.page(asked)
        shown |= {"rows": [_row(one, found.steps[one.pk]) for one in found.rows], "newer": found.newer,
                  "older": found.older}  # fmt: skip
    return site.draw(request, "console/onboarding.html", shown)


def permit(request: HttpRequest) -> None:
    """Raises PermissionDenied for who may not see checklists."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied


def address(one: Checklist) -> str:
    """The page of a checklist."""
    return reverse("admin:onboarding_list", args=[one.pk])


def state_tag(one: Checklist, steps: list[ChecklistStep]) -> Any:
    """How a list stands: blocked, late, on time, or ended."""
    if one.state != Checklist.State.RUNNING:
        tone = "applied" if one.state == Checklist.State.COMPLETED else ""
        return cells.tag(tone, one.get_state_display())
    late = [step for step in steps if step.late]
    if any(step.blocking for step in late):
        return cells.tag("failed", "Blocked")
    return cells.tag("in_review", f"{len(late)} late") if late else cells.tag("running", "On time")


def person(key: str) -> Any:
    """Somebody of the CRM, whom we know by number only."""
    return format_html("CRM user {}", cells.code(key)) if key else cells.dash()


def owner(step: ChecklistStep) -> Any:
    """Whose step it is."""
    return cells.theirs(step.owner.get_username(), 40) if step.owner else cells.plain(step.owner_group, 40)


def value_words(one: Checklist) -> Any:
    """How long the first value took, or by when it is promised."""
    if one.value_at is not None:
        return cells.length(one.value_at - one.signed_at)
    return f"by {one.first_value_on:%Y-%m-%d}" if one.first_value_on else cells.dash()


def _row(one: Checklist, steps: list[ChecklistStep]) -> dict[str, Any]:
    waiting = next((step for step in steps if step.key == one.stage and step.state == "waiting"), None)
    done = sum(1 for step in steps if step.state != "waiting")
    return {
        "name": cells.link(address(one), str(one)), "customer": page_of(one.customer), "tag": state_tag(one, steps),
        "package": cells.theirs(one.package, 40) if one.package else cells.dash(), "csm": person(one.csm),
        "signed": cells.moment(one.signed_at), "done": f"{done} of {len(steps)}",
        "step": waiting.title if waiting else cells.dash(), "owner": owner(waiting) if waiting else cells.dash(),
        "due": cells.due(waiting.due_at) if waiting else cells.dash(), "value": value_words(one),
    }  # fmt: skip


def _board(asked: Asked) -> list[dict[str, Any]]:
    """A column for each stage, in the order of the steps; stages of older versions come last."""
    cards = onboarding_list.cards(asked)
    steps = onboarding_list.steps_of(cards)
    template = templates.current()
    titles = {one["key"]: one["title"] for one in (template.steps if template else ())}
    for found in steps.values():
        titles |= {step.key: step.title for step in found if step.key not in titles}
    columns: dict[str, list[dict[str, Any]]] = {key: [] for key in titles}
    for one in cards:
        columns.setdefault(one.stage, []).append(_row(one, steps[one.pk]))
    return [
        {"title": titles.get(key, key), "cards": rows, "full": len(rows) >= onboarding_list.CARDS}
        for key, rows in columns.items()
        if rows or key in titles
    ] if cards else []  # fmt: skip


def _refused(action: Any, item: Any) -> dict[str, Any]:
    reason = item.reason if item is not None else ""
    return {
        "deal": cells.code(str(action.params.get("deal", ""))), "customer": page_of(action.customer),
        "reason": cells.theirs(reason or action.last_error or "rejected", 300),
        "since": cells.ago(action.created_at), "state": cells.tag(action.state, action.get_state_display()),
        "item": page_of(item) if item is not None else page_of(action, action.short),
    }  # fmt: skip


def _tabs(asked: Asked) -> list[dict[str, Any]]:
    return [
        {"label": label, "url": asked.address(tab=tab) if tab else asked.address(tab=""), "current": tab == asked.tab}
        for tab, label in TABS.items()
    ]


def _chips(asked: Asked) -> list[dict[str, Any]]:
    groups = [(one, one) for one in _owners()]
    known: dict[str, list[tuple[str, str]]] = {
        "late": [("yes", "Something is late")], "blocked": [("yes", "A blocking step is late")], "owner": groups,
        "package": [(one, one) for one in onboarding_list.choices("package")],
        "csm": [(one, f"CRM user {one}") for one in onboarding_list.choices("csm")],
    }  # fmt: skip
    return [_chip(asked, name, options) for name, options in known.items()]


def _owners() -> list[str]:
    template = templates.current()
    return sorted({one["group"] for one in template.steps}) if template else []


def _chip(asked: Asked, name: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    value = getattr(asked, name)
    links = [{"words": "Any", "url": asked.address(**{name: ""}), "on": not value}]
    links += [
        {"words": cells.plain(words, 60), "url": asked.address(**{name: key}), "on": value == key}
        for key, words in options
    ]
    chosen = next((words for key, words in options if key == value), value)
    return {"title": LABELS[name], "links": links, "chosen": cells.plain(chosen, 40)}


def _figures() -> list[tuple[str, str, str]]:
    """Each: name, value, formula."""
    said = figures.read()

    def span(seconds: float | None) -> str:
        return "none yet" if seconds is None else cells.took(timedelta(seconds=float(seconds)))

    percent, nudges = said.completion_percent, said.nudges_per_step
    return [
        ("Signed to customer", span(said.to_customer), "median of ERP customer confirmed minus signed, 30 days"),
        ("Signed to first invoice", span(said.to_invoice), "median of first invoice confirmed minus signed, 30 days"),
        ("Completed", "none yet" if percent is None else f"{percent} %", "completed of all ended, signed in 30 days"),
        ("Nudges a step", "none yet" if nudges is None else f"{nudges:.2f}", "nudges over steps, signed in 30 days"),
        ("Time to value", span(said.to_value), "median of the first-value step done minus signed, 30 days"),
    ]

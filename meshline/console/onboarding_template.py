"""The steps of the checklist as one line each; a change is a new version."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.checklists import EDIT, EVIDENCE, templates
from gates.models import ChecklistTemplate
from gates.stop import Refused
from meshline.console import form_fields, onboarding_pages
from meshline.console.form_fields import Field
from meshline.console.page import Site

FLAGS = {"office": "business", "blocks": "blocking", "value": "value"}
HOW = (
    "key | title | group | due hours | hours until it is escalated | marks. Marks: office (working hours), blocks, "
    f"value (the first value), and what ticks it by itself: {', '.join(EVIDENCE)}."
)
MOST_VERSIONS = 20


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The form with the steps in force; a POST writes a new version."""
    onboarding_pages.permit(request)
    template = templates.current()
    if template is None:
        raise Http404("there is no checklist yet; migrating installs one")
    refusal = None
    if request.method == "POST":
        try:
            return _saved(request)
        except Refused as no:
            refusal = no
            if no.status == 403:
                raise PermissionDenied(no.message) from None
    made = [
        Field("title", "Title", template.title, longest=templates.LONGEST),
        Field("steps", "Steps, one a line", "\n".join(map(line, template.steps)), kind="area", rows=12, longest=8000,
              help=HOW),
        Field("reason", "Why is it changed?", longest=500, help="Kept in the ledger for ever: no personal data."),
        Field("version", "", str(template.version), kind="hidden"),
    ]  # fmt: skip
    shown = {
        "title": template.title, "template": template, "fields": form_fields.filled(made, request, refusal),
        "may_edit": request.user.has_perm(EDIT), "refusal": refusal,
        "versions": ChecklistTemplate.objects.select_related("written_by").filter(name=template.name)[:MOST_VERSIONS],
    }  # fmt: skip
    return site.draw(request, "console/checklist_template.html", shown, refusal.status if refusal else None)


def _saved(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    saved = templates.save_version(
        [parsed(number, one) for number, one in enumerate(form_fields.lines(request, "steps"), start=1)],
        by=user, version=form_fields.number(request, "version", most=10**9),
        title=form_fields.text(request, "title"), reason=form_fields.text(request, "reason"),
    )  # fmt: skip
    messages.success(request, f"Saved as version {saved.version}, for deals signed from now on.")
    return HttpResponseRedirect(reverse("admin:onboarding_template"))


def line(step: dict[str, Any]) -> str:
    """A step as people edit it."""
    marks = [word for word, name in FLAGS.items() if step.get(name)]
    marks += [step["evidence"]] if step.get("evidence") else []
    shown = (step["key"], step["title"], step["group"], step["hours"], step["escalate_hours"], " ".join(marks))
    return " | ".join(map(str, shown)).rstrip()


def parsed(number: int, text: str) -> dict[str, Any]:
    """A line as a step. Raises Refused 422 naming the line and the rule."""
    cells = [one.strip() for one in text.split("|")]
    if len(cells) not in (5, 6):
        raise Refused(422, "steps", f"steps: line {number} has {len(cells)} parts between |, 5 or 6 are needed")
    made: dict[str, Any] = {"key": cells[0], "title": cells[1], "group": cells[2], "evidence": ""}
    for name, typed in zip(("hours", "escalate_hours"), cells[3:5], strict=True):
        is_number = typed.isascii() and typed.isdigit() and len(typed) < 6
        made[name] = int(typed) if is_number else typed
    for mark in cells[5].split() if len(cells) == 6 else ():
        if mark in FLAGS:
            made[FLAGS[mark]] = True
        elif mark in EVIDENCE and not made["evidence"]:
            made["evidence"] = mark
        else:
            known = ", ".join((*FLAGS, *EVIDENCE))
            raise Refused(422, "steps", f"steps: line {number} has the mark {mark[:40]!r}; there are {known}")
    return made

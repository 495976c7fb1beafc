"""Kinds of tickets: the list with what came of each, one kind with its form and versions, and the known tickets."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from gates.models import Automation, Ticket, TicketKind
from gates.playbooks.tickets import AUTOMATION
from gates.stop import Refused
from gates.tickets import EDIT, VIEW, figures, kinds
from gates.tickets.figures import Figures
from ledger import cells
from ledger.readonly import page_of
from meshline.console import form_fields
from meshline.console.form_fields import Field
from meshline.console.page import Site

PAGE, MOST_VERSIONS = 50, 20
TONES = {"open": "held", "new": "held", "solved": "applied", "merged": "failed", "deleted": "failed"}
STAGES = {"off": "", "suggest": "held", "pilot": "applied"}
HELP = {
    "tags": "One a line. A ticket with any of them is of this kind.",
    "forms": "Numbers of forms, one a line.",
    "reply": "What the customer reads. Variables are listed below; an unknown one is refused.",
    "stage": "One kind may be the pilot. What its replies may do by themselves is the automation's stage.",
    "solves": "The answer and the status go in one update.",
}


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """Every kind with its figures of 30 days, and below it the tickets that are known, newest first."""
    permit(request)
    counted = figures.by_kind()
    before = form_fields.key(request.GET.get("before"))
    wanted = Ticket.objects.select_related("customer")
    found = list((wanted.filter(pk__lt=before) if before is not None else wanted).order_by("-pk")[: PAGE + 1])
    automation = Automation.objects.filter(name=AUTOMATION).first()
    context = {
        "title": "Ticket kinds", "rows": [_row(one, counted.get(one.name, Figures())) for one in kinds.all_current()],
        "days": figures.DAYS, "may_edit": request.user.has_perm(EDIT),
        "stage": automation.get_state_display() if automation else "not installed",
        "stage_url": reverse("admin:gates_automation_changelist"),
        "tickets": [_ticket(one) for one in found[:PAGE]],
        "older": f"?before={found[PAGE - 1].pk}" if len(found) > PAGE else "",
    }  # fmt: skip
    return site.draw(request, "console/ticket_kinds.html", context)


def view(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """One kind, or the form of a new one under the name `new`; a POST writes a version."""
    permit(request)
    one = kinds.current(name)
    if one is None and name != "new":
        raise Http404("there is no such kind of ticket")
    refusal = None
    if request.method == "POST":
        try:
            return _saved(request, one)
        except Refused as no:
            refusal = no
            if no.status == 403:
                raise PermissionDenied(no.message) from None
    may = request.user.has_perm(EDIT)
    context = {
        "title": one.title if one else "A new kind of ticket", "one": one, "refusal": refusal,
        "fields": form_fields.filled(_fields(one), request, refusal) if may else None,
        "pairs": _pairs(one, figures.by_kind().get(one.name, Figures())) if one else [],
        "known": kinds.VARIABLES.items(), "versions": _versions(one),
    }  # fmt: skip
    return site.draw(request, "console/ticket_kind.html", context, refusal.status if refusal else None)


def permit(request: HttpRequest) -> None:
    """Raises PermissionDenied for who may not see ticket kinds."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied("your account may not see ticket kinds")


def address(name: str) -> str:
    """The page of a kind."""
    return reverse("admin:ticket_kind", args=[name])


def state_tag(one: Ticket) -> SafeString:
    """How far a ticket is, as the support desk told last."""
    return cells.tag(TONES.get(str(one.state), ""), one.get_state_display())


def _row(one: TicketKind, made: Figures) -> dict[str, Any]:
    return {
        "name": cells.link(address(one.name), cells.plain(one.title, 80)), "signs": _signs(one),
        "group": one.owner_group, "stage": cells.tag(STAGES[one.stage], one.get_stage_display().partition(":")[0]),
        "seen": made.seen, "alone": _share(made.by_automation, made.share_resolved), "agreed": made.by_person,
        "back": _share(made.came_back, made.share_back), "version": one.version,
    }  # fmt: skip


def _signs(one: TicketKind) -> str:
    return ", ".join([*one.tags, *(f"form {form}" for form in one.forms)])


def _share(count: int, share: float | None) -> Any:
    return cells.dash() if share is None else f"{count} ({share:.0%})"


def _ticket(one: Ticket) -> dict[str, Any]:
    return {
        "number": one.number, "state": state_tag(one), "kind": one.kind or cells.dash(),
        "customer": page_of(one.customer, one.customer.external_id) if one.customer else cells.dash(),
        "changed": cells.ago(one.stamp), "reopened": one.reopened or cells.dash(),
        "solved": {"automation": "by itself", "person": "a person agreed"}.get(one.resolved_how) or cells.dash(),
        "into": f"into {one.into}" if one.into else "",
    }  # fmt: skip


def _pairs(one: TicketKind, made: Figures) -> list[tuple[str, Any]]:
    return [
        ("Stage", one.get_stage_display()), ("Recognised by", _signs(one)), ("Goes to", one.owner_group),
        ("Solves the ticket", "yes" if one.solves else "no"),
        (f"Tickets in {figures.DAYS} days", made.seen),
        ("Solved by itself", _share(made.by_automation, made.share_resolved)),
        ("Solved, a person agreed", made.by_person), ("Came back of these", _share(made.came_back, made.share_back)),
        ("Reopened in all", made.reopened),
    ]  # fmt: skip


def _versions(one: TicketKind | None) -> list[TicketKind]:
    if one is None:
        return []
    return list(TicketKind.objects.select_related("written_by").filter(name=one.name)[:MOST_VERSIONS])


def _fields(one: TicketKind | None) -> list[Field]:
    groups = [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]
    named = [] if one else [Field("name", "Short name", longest=60, help="Small letters, digits and -; it stays.")]
    return [
        *named,
        Field("title", "What it is", one.title if one else "", longest=kinds.LONGEST_TITLE),
        Field("tags", "Tags", _lines(one.tags) if one else "", kind="area", required=False, longest=2000,
              help=HELP["tags"]),
        Field("forms", "Forms", _lines(one.forms) if one else "", kind="area", rows=2, required=False, longest=300,
              help=HELP["forms"]),
        Field("owner_group", "Goes to", one.owner_group if one else "Support", kind="select", choices=groups),
        Field("stage", "Stage", one.stage if one else "off", kind="select", choices=list(TicketKind.Stage.choices),
              help=HELP["stage"]),
        Field("reply", "Reply", one.reply if one else "", kind="area", rows=8, required=False,
              longest=kinds.LONGEST_REPLY, help=HELP["reply"]),
        Field("solves", "Solve the ticket with it", "yes" if one and one.solves else "no", kind="select",
              choices=[("no", "No"), ("yes", "Yes")], help=HELP["solves"]),
        Field("reason", "Why", longest=500, help="Kept for ever: no personal data."),
        Field("version", "", str(one.version if one else 0), kind="hidden"),
    ]  # fmt: skip


def _lines(values: list[str]) -> str:
    return "\n".join(values)


def _saved(request: HttpRequest, one: TicketKind | None) -> HttpResponse:
    user: Any = request.user
    draft = kinds.Draft(
        title=form_fields.text(request, "title"), tags=form_fields.lines(request, "tags"),
        forms=form_fields.lines(request, "forms"), owner_group=form_fields.text(request, "owner_group"),
        reply=form_fields.text(request, "reply"), solves=form_fields.text(request, "solves") == "yes",
        stage=form_fields.text(request, "stage"),
    )  # fmt: skip
    saved = kinds.save_version(
        one.name if one else form_fields.text(request, "name").strip(), draft, by=user,
        version=form_fields.number(request, "version", most=10**9), reason=form_fields.text(request, "reason"),
    )  # fmt: skip
    messages.success(request, f"Saved as version {saved.version}, for tickets that are recognised from now on.")
    return HttpResponseRedirect(address(saved.name))

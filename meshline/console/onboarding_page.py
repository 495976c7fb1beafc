"""One checklist: its steps with their evidence, and what people do with them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from gates.checklists import EVIDENCE, WORK, verbs
from gates.models import Checklist, ChecklistStep
from gates.stop import Refused
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import page_of
from meshline.console import form_fields, onboarding_pages, parts
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site
from sync import proposals
from sync.actions.mail import NOTE_LENGTH

Step = ChecklistStep
SAID = {
    "tick": "Done: {}.", "skip": "Skipped: {}.", "nudge": "Its owner was nudged: {}.",
    "escalate": "The Onboarding Squad has it now: {}.", "reassign": "Given to its new owner: {}.",
    "redate": "Due at another time: {}.",
}  # fmt: skip
LABELS = {
    "skip": "Skip it", "nudge": "Nudge its owner now", "escalate": "Escalate to the Onboarding Squad",
    "reassign": "Give it to them", "redate": "Change the due date",
}  # fmt: skip


def view(site: Site, request: HttpRequest, checklist_id: int) -> HttpResponse:
    """The page; `?step=` opens the forms of a step, `?mail=1` the mail, `?end=1` ending it."""
    onboarding_pages.permit(request)
    return draw(site, request, found(checklist_id))


def act(site: Site, request: HttpRequest, checklist_id: int, key: str, verb: str) -> HttpResponse:
    """One verb on a step; by POST only."""
    onboarding_pages.permit(request)
    if verb not in VERBS:
        raise Http404("there is no such verb")
    here = reverse("admin:onboarding_list", args=[checklist_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        verbs.may(checklist_id, by=_by(request), verb=verb, key=key)
        version = form_fields.number(request, "version", most=10**9)
        step = VERBS[verb](request, checklist_id, key, version)
    except Refused as refusal:
        return _refused(site, request, checklist_id, refusal, key if verb != "tick" else "")
    messages.success(request, SAID[verb].format(step.title))
    return HttpResponseRedirect(here)


def end(site: Site, request: HttpRequest, checklist_id: int) -> HttpResponse:
    """End a list; by POST only."""
    onboarding_pages.permit(request)
    here = reverse("admin:onboarding_list", args=[checklist_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    user: Any = request.user
    try:
        verbs.may(checklist_id, by=user, verb="cancel")
        version = form_fields.number(request, "version", most=10**9)
        verbs.cancel(checklist_id, by=user, version=version, reason=form_fields.text(request, "reason"))
    except Refused as refusal:
        return _refused(site, request, checklist_id, refusal)
    messages.success(request, "Ended. Nobody is nudged for it any more.")
    return HttpResponseRedirect(here)


def found(checklist_id: int) -> Checklist:
    """The checklist with everything its page looks at."""
    one = Checklist.objects.select_related("customer", "contract", "template").filter(pk=checklist_id).first()
    if one is None:
        raise Http404("there is no such checklist")
    return one


def draw(
    site: Site, request: HttpRequest, one: Checklist, refusal: Refused | None = None, *, key: str = "", mail: Any = None
) -> HttpResponse:
    """The page as this person may use it."""
    steps = list(one.steps.select_related("owner", "ticked_by", "nudge_item", "escalation_item").order_by("position"))
    running, may_work = one.state == Checklist.State.RUNNING, request.user.has_perm(WORK)
    more: dict[str, Any] = {
        "here": onboarding_pages.address(one), "running": running, "may_work": may_work,
        "may_mail": request.user.has_perm(proposals.PERMISSION),
    }  # fmt: skip
    if running and may_work:
        chosen = next((step for step in steps if step.key == (key or request.GET.get("step")) and _waits(step)), None)
        more["form"] = _forms(one, chosen, request, refusal) if chosen else None
        more["ending"] = _ending(one, request, refusal) if "end" in request.GET else None
    if mail is not None or (running and more["may_mail"] and "mail" in request.GET):
        more["mail"] = mail or mail_form(one)
    page = _page(request, one, steps, more)
    shown = {"title": page.title, "page": page, "refusal": refusal}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _page(request: HttpRequest, one: Checklist, steps: list[Step], more: dict[str, Any]) -> Page:
    done = sum(1 for step in steps if not _waits(step))
    may_work = bool(more["running"] and more["may_work"])
    return Page(
        title=f"{one} {cells.plain(one.customer, 80)}",
        sentence=format_html(
            "Onboarding of {} for deal {}; the contract is {}.", page_of(one.customer), cells.code(one.deal),
            page_of(one.contract),
        ),
        tag=onboarding_pages.state_tag(one, steps),
        line=[
            ("Contract signed", cells.moment(one.signed_at)), ("Steps", f"{done} of {len(steps)}"),
            ("Package", cells.theirs(one.package, 60) if one.package else cells.dash()),
            ("CSM", onboarding_pages.person(one.csm)), ("Billing owner", onboarding_pages.person(one.billing_owner)),
            ("First value", onboarding_pages.value_words(one)),
            ("Customer in the ERP", _after(one, one.customer_at)), ("First invoice", _after(one, one.invoiced_at)),
            ("Steps from", f"{one.template.title}, version {one.template.version}"),
        ],
        main=[
            Block(
                "Steps", template="console/checklist_steps.html", wide=True,
                data={"steps": [_shown(one, step, may_work=may_work) for step in steps]},
            ),
            _story(one, steps),
        ],
        back=(reverse("admin:onboarding"), "Onboarding"), correlation=str(one.correlation_id or ""),
        template="console/checklist.html", more=more,
    )  # fmt: skip


def _waits(step: Step) -> bool:
    return step.state == Step.State.WAITING


def _after(one: Checklist, at: datetime | None) -> Any:
    """How long after signing."""
    return f"after {cells.took(at - one.signed_at)}" if at else cells.dash()


def _shown(one: Checklist, step: Step, *, may_work: bool) -> dict[str, Any]:
    """A row of the steps."""
    tone = "applied" if step.state == Step.State.DONE else ""
    late = _waits(step) and step.late
    told = [f"nudged {step.nudges} times" if step.nudges > 1 else "nudged"] if step.nudges else []
    told += ["escalated"] if step.escalated_at else []
    how = f"ticks itself once {EVIDENCE[step.evidence]}" if _waits(step) and step.evidence in EVIDENCE else ""
    return {
        "step": step, "how": how, "owner": onboarding_pages.owner(step),
        "tag": cells.tag("failed", "Late") if late else cells.tag(tone, step.get_state_display()),
        "due": cells.due(step.due_at) if _waits(step) else cells.moment(step.done_at),
        "told": ", ".join(told) or cells.dash(), "evidence": _evidence(step),
        "open": may_work and _waits(step), "can_tick": not step.evidence,
        "tick": reverse("admin:onboarding_verb", args=[one.pk, step.key, "tick"]),
    }  # fmt: skip


def _evidence(step: Step) -> Any:
    """What shows that a step is done, as a link where it is a record; for what waits, the items about it."""
    if _waits(step):
        items = [item for item in (step.escalation_item, step.nudge_item) if item and item.state != "resolved"]
        return format_html("{}", page_of(items[0])) if items else cells.dash()
    if step.state == Step.State.SKIPPED:
        return cells.theirs(step.reason, 200)
    if step.evidence_kind in LINKS:
        words, name = LINKS[step.evidence_kind]
        return cells.link(reverse(f"admin:{name}_change", args=[step.evidence_id]), words)
    return cells.theirs(step.ticked_by.get_username(), 40) if step.ticked_by else cells.dash()


LINKS = {
    "action": ("Action", "ledger_action"), "event": ("Event", "ledger_event"),
    "contract": ("Contract", "ledger_contract"),
}  # fmt: skip


def _story(one: Checklist, steps: list[Step]) -> Block:
    """What happened to the list and its steps, by the ledger."""
    told = LedgerRow.objects.filter(subject_kind="checklist", subject_id=str(one.pk))
    told |= LedgerRow.objects.filter(subject_kind="checklist_step", subject_id__in=[str(step.pk) for step in steps])
    rows = list(told.order_by("-id")[: parts.MOST])[::-1]
    address = parts.list_of("ledger_ledgerrow", correlation=one.correlation_id or "")
    return parts.ledger_rows(rows, address, "Nothing was written down yet.")


# --- the forms of a step


def _forms(one: Checklist, step: Step, request: HttpRequest, refusal: Refused | None) -> dict[str, Any]:
    reason = "Why? Kept with the step: no personal data."
    groups = [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]
    people = User.objects.filter(is_active=True, is_staff=True).order_by("username").values_list("pk", "username")
    due = timezone.localtime(step.due_at)
    fields: dict[str, list[Field]] = {
        "nudge": [], "escalate": [],
        "redate": [
            Field("due", "Due", f"{due:%Y-%m-%dT%H:%M}", kind="datetime-local"),
            Field("reason", "Reason", longest=verbs.REASON_LENGTH, help=reason),
        ],
        "reassign": [
            Field("group", "Group", step.owner_group, kind="select", choices=groups),
            Field("to", "Person", str(step.owner_id or ""), kind="select", required=False,
                  choices=[(str(key), name) for key, name in people]),
        ],
        "skip": [Field("reason", "Reason", longest=verbs.REASON_LENGTH, help=reason)],
    }  # fmt: skip
    made = []
    for verb, given in fields.items():
        url = reverse("admin:onboarding_verb", args=[one.pk, step.key, verb])
        here = request if request.path == url else None
        shown = form_fields.filled(given, here, refusal if here else None)
        for field in shown:  # several forms on one page: a label must name one field only
            field.prefix = f"{verb}-"
        made.append({"url": url, "label": LABELS[verb], "fields": shown, "quiet": verb in ("nudge", "skip")})
    return {"step": step, "verbs": made}


def _ending(one: Checklist, request: HttpRequest, refusal: Refused | None) -> dict[str, Any]:
    fields = [
        Field("reason", "Why does it end?", longest=verbs.REASON_LENGTH),
        Field("version", "", str(one.state_version), kind="hidden"),
    ]
    return {
        "url": reverse("admin:onboarding_end", args=[one.pk]),
        "fields": form_fields.filled(fields, request, refusal),
    }


def mail_form(one: Checklist) -> dict[str, Any]:
    """The form of the mail before anything was typed."""
    note = Field(
        "note", "A few words of yours", kind="area", rows=4, longest=NOTE_LENGTH, required=False,
        help="Plain text. What is done and what comes next is said by itself.",
    )  # fmt: skip
    return {
        "url": reverse("admin:onboarding_mail", args=[one.pk]), "version": one.state_version, "fields": [note],
        "recipient": "",
    }  # fmt: skip


# --- the verbs


def _by(request: HttpRequest) -> User:
    user: Any = request.user
    return user


def _reassign(request: HttpRequest, checklist_id: int, key: str, version: int) -> Step:
    typed = form_fields.text(request, "to").strip()
    number = form_fields.key(typed)
    to = User.objects.filter(pk=number).first() if number is not None else None
    if typed and to is None:
        raise Refused(422, "to", "to: there is no such person")
    group = form_fields.text(request, "group").strip()
    return verbs.reassign(checklist_id, key, by=_by(request), version=version, to=to, group=group)


def _redate(request: HttpRequest, checklist_id: int, key: str, version: int) -> Step:
    try:
        due = datetime.fromisoformat(form_fields.text(request, "due").strip())
        due = due if due.tzinfo else due.replace(tzinfo=timezone.get_current_timezone())
    except (ValueError, OverflowError):
        raise Refused(422, "due", "due: a date and time like 2026-12-04T17:00") from None
    reason = form_fields.text(request, "reason")
    return verbs.redate(checklist_id, key, by=_by(request), version=version, due_at=due, reason=reason)


def _skip(request: HttpRequest, checklist_id: int, key: str, version: int) -> Step:
    reason = form_fields.text(request, "reason")
    return verbs.skip(checklist_id, key, by=_by(request), version=version, reason=reason)


VERBS: dict[str, Callable[[HttpRequest, int, str, int], Step]] = {
    "tick": lambda request, one, key, version: verbs.tick(one, key, by=_by(request), version=version),
    "skip": _skip,
    "nudge": lambda request, one, key, version: verbs.nudge(one, key, by=_by(request), version=version),
    "escalate": lambda request, one, key, version: verbs.escalate(one, key, by=_by(request), version=version),
    "reassign": _reassign,
    "redate": _redate,
}


def _refused(site: Site, request: HttpRequest, checklist_id: int, refusal: Refused, key: str = "") -> HttpResponse:
    if refusal.status == 404:
        raise Http404(refusal.message) from None
    return draw(site, request, found(checklist_id), refusal, key=key)

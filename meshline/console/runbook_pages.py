"""Runbooks: the list, the page with its steps and where it is used, the form, and the block on a review item."""

from dataclasses import dataclass, replace
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from gates import review, runbooks
from gates.models import ReviewItem, Runbook
from gates.runbooks import ABOUT, PROPOSE, RunbookFields
from gates.stop import Refused
from ledger import cells, clock
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words, kind_words, why_words
from meshline.console import form_fields, parts, runbook_use
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site

VIEW, EDIT = "gates.view_runbook", runbooks.PERMISSION
LABELS = {"kinds": "Kinds of action or item", "whys": "Why it is here", "errors": "Error codes", "alerts": "Alerts"}
VERB_WORDS = {"rollback": "Roll back…", "check": "Check now", "retry": "Retry"}


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it is drawn: its number, its text, its button if it has one, and who did it."""

    number: int
    text: Any
    button: str = ""
    url: str = ""
    opens_form: bool = False
    needs_reason: bool = False
    why_not: str = ""
    is_link: bool = False
    done: runbooks.Done | None = None
    mine: bool = False


def block(item: ReviewItem, request: HttpRequest) -> Block | None:
    """The runbook of a review item with its boxes and step buttons; None for who may not read runbooks."""
    if not request.user.has_perm(VIEW):
        return None
    found = runbooks.all_for(item)
    may_write = request.user.has_perm(EDIT)
    if not found:
        data: dict[str, Any] = {"write": f"{reverse('admin:runbook_add')}?item={item.pk}" if may_write else ""}
        return Block("Runbook", template="console/runbook_block.html", data={"none": True, **data}, anchor="runbook")
    runbook, others = found[0], found[1:4]
    ticks = runbooks.done(item.pk, runbook)
    steps = [_step(number, one, item, request, ticks) for number, one in enumerate(runbook.steps, start=1)]
    data = {
        "runbook": runbook, "item": item, "steps": steps, "others": others, "done": len(ticks),
        "may_tick": request.user.has_perm(runbooks.TICKS), "stale": runbooks.is_stale(runbook, clock.now()),
    }  # fmt: skip
    return Block(f"Runbook: {runbook.title}", template="console/runbook_block.html", data=data, anchor="runbook")


def _step(number: int, one: dict[str, str], item: ReviewItem, request: HttpRequest, ticks: dict[int, Any]) -> Step:
    """One step, with its button as this person may press it on this item."""
    done, verb, user = ticks.get(number), one.get("verb", ""), cast(User, request.user)
    step = Step(number, marked(one["text"]), done=done, mine=done is not None and done.by_id == user.pk)
    if verb.startswith(PROPOSE):
        return _ask(step, item, verb.removeprefix(PROPOSE), user)
    settled = item.state == ReviewItem.State.RESOLVED
    if verb not in VERB_WORDS or (settled and verb != "rollback"):
        return step
    return replace(
        step, button=VERB_WORDS[verb], url=reverse("admin:review_verb", args=[item.pk, verb]),
        opens_form=verb == "rollback", needs_reason=verb == "retry", why_not=review.why_not(item, user, verb),
    )  # fmt: skip


def _ask(step: Step, item: ReviewItem, kind: str, user: User) -> Step:
    """A step that asks for an action, on the contract the item's action is about."""
    contract = item.action.contract_id if item.action else None
    asking = replace(step, button=f"Ask for: {kind_words(kind)}…", is_link=True)
    if contract is None:
        return replace(asking, why_not="this item names no contract")
    if not user.has_perm("gates.propose_action"):
        return replace(asking, why_not="your account may not ask for actions")
    return replace(asking, url=f"{reverse('admin:propose', args=[contract])}?{urlencode({'kind': kind})}")


def marked(text: str) -> Any:
    """A step's text, with what stands in backticks as code."""
    pieces = cells.plain(text, runbooks.LONGEST_STEP + 50).split("`")
    if len(pieces) % 2 == 0:  # a single one is no pair
        return format_html("{}", "`".join(pieces))
    made = [format_html("<code>{}</code>" if n % 2 else "{}", piece) for n, piece in enumerate(pieces)]
    return format_html("{}" * len(made), *made)


def tick(site: Site, request: HttpRequest, item_id: int, runbook_id: int, step: int, verb: str) -> HttpResponse:
    """Tick a step for an item, or take one's own tick back; by POST only."""
    if verb not in ("tick", "untick"):
        raise Http404("there is no such verb")
    if not request.user.has_perm("gates.view_reviewitem"):
        raise PermissionDenied
    here = f"{reverse('admin:gates_reviewitem_change', args=[item_id])}#runbook"
    if request.method != "POST":
        return HttpResponseRedirect(here)
    user: Any = request.user
    try:
        (runbooks.tick if verb == "tick" else runbooks.untick)(item_id, runbook_id, step, by=user)
    except Refused as refusal:
        record = ReviewItem.objects.filter(pk=item_id).first()
        if record is None:
            raise Http404(refusal.message) from None
        return site.show(request, record, status=refusal.status, refusal=refusal)
    return HttpResponseRedirect(here)


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """All runbooks, with search and filters in the address."""
    _permit(request)
    wanted = runbook_use.Wanted.of(request)
    found = runbook_use.rows(wanted)
    context = {
        "title": "Runbooks", "rows": found, "query": wanted.query, "chips": runbook_use.chips(wanted),
        "narrowed": wanted.is_narrow, "may_edit": request.user.has_perm(EDIT), "hidden": wanted.as_pairs(),
    }  # fmt: skip
    return site.draw(request, "console/runbooks.html", context)


def view(site: Site, request: HttpRequest, slug: str) -> HttpResponse:
    """The page of one runbook; `?edit=1` opens its form."""
    _permit(request)
    runbook = _found(slug)
    form = _form(runbook) if "edit" in request.GET and request.user.has_perm(EDIT) else None
    return _draw(site, request, runbook, form)


def act(site: Site, request: HttpRequest, slug: str, verb: str) -> HttpResponse:
    """Save a changed runbook, or record that it was tested; by POST only."""
    _permit(request)
    runbook = _found(slug)
    if verb not in ("edit", "test"):
        raise Http404("there is no such verb")
    here = reverse("admin:runbook", args=[slug])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    user: Any = request.user
    try:
        version = form_fields.number(request, "version", most=10**9)
        if verb == "test":
            runbooks.record_test(runbook.pk, by=user, version=version)
            messages.success(request, f"Recorded: version {version} was tested by you.")
        else:
            saved = runbooks.save_runbook(runbook.pk, _said(request), by=user, version=version)
            messages.success(request, f"Saved as version {saved.version}. Test it, then record the test.")
    except Refused as refusal:
        form = _form(runbook, request, refusal) if verb == "edit" and refusal.status != 403 else None
        return _draw(site, request, runbook, form, refusal)
    return HttpResponseRedirect(here)


def add(site: Site, request: HttpRequest) -> HttpResponse:
    """Write a new runbook; `?item=` starts from what a review item is about."""
    _permit(request)
    user: Any = request.user
    refusal = None
    if request.method == "POST":
        try:
            made = runbooks.save_runbook(None, _said(request), by=user)
        except Refused as no:
            refusal = no
        else:
            messages.success(request, "Written. Walk through it once, then record the test.")
            return HttpResponseRedirect(reverse("admin:runbook", args=[made.slug]))
    elif not request.user.has_perm(EDIT):
        raise PermissionDenied
    form = _form(_from_item(request), request if refusal else None, refusal)
    context = {
        "title": "Write a runbook", "fields": form, "refusal": refusal, "verbs": runbooks.verb_list(),
        "may_edit": request.user.has_perm(EDIT),
    }  # fmt: skip
    return site.draw(request, "console/runbook_add.html", context, refusal.status if refusal else None)


def _from_item(request: HttpRequest) -> Runbook:
    """An empty runbook, or one that would fit the item named in the address."""
    named = request.GET.get("item", "")
    item = (
        ReviewItem.objects.filter(pk=int(named)).first()
        if named.isascii() and named.isdigit() and len(named) < 18
        else None
    )
    if item is None:
        return Runbook(version=0)
    title = f"{kind_words(item.kind)}: {why_words(item.why)}"[:120]
    about = {"errors": [item.error_code]} if item.error_code else {"whys": [item.why]}
    return Runbook(version=0, title=title, applies_to=about, owner_group=item.owner_group)


def _draw(
    site: Site, request: HttpRequest, runbook: Runbook, form: list[Field] | None, refusal: Refused | None = None
) -> HttpResponse:
    now = clock.now()
    use = runbook_use.of(runbook, now)
    tested = format_html(
        "{}{}", cells.ago(runbook.tested_at) if runbook.tested_at else "never",
        f" by {runbook.tested_by.get_username()}" if runbook.tested_by else "",
    )  # fmt: skip
    stale = runbooks.is_stale(runbook, now)
    page = Page(
        title=runbook.title,
        sentence=cells.theirs(runbook.when, 300),
        tag=cells.tag("paused", "Stale: not tested for 90 days") if stale else cells.tag("active", "Tested"),
        line=[
            ("Owner", runbook.owner_group), ("Version", f"v{runbook.version}"), ("Tested", tested),
            ("Used in 30 days", use.words), ("Changed", cells.ago(runbook.updated_at)),
        ],
        main=[_steps(runbook), _used(use)],
        side=[_applies(runbook), _history(runbook)],
        back=(reverse("admin:runbooks"), "Runbooks"),
        template="console/runbook.html",
        more={
            "runbook": runbook, "may_edit": request.user.has_perm(EDIT), "fields": form, "verbs": runbooks.verb_list(),
        },
    )  # fmt: skip
    shown = {"title": page.title, "page": page, "refusal": refusal}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _steps(runbook: Runbook) -> Block:
    steps = [
        (marked(one["text"]), VERB_WORDS.get(one["verb"], f"Ask for: {kind_words(one['verb'].removeprefix(PROPOSE))}…"))
        if one.get("verb")
        else (marked(one["text"]), "")
        for one in runbook.steps
    ]
    return Block("Steps", template="console/runbook_steps.html", data={"steps": steps}, wide=True)


def _used(use: runbook_use.Use) -> Block:
    return Block(
        "Where it was used",
        columns=("Item", "What", "Steps done", "Last", "State"),
        rows=[
            (
                page_of(one), kind_words(one.kind), f"{count} of {use.steps}", cells.ago(last),
                cells.tag(one.state, one.get_state_display()),
            )
            for one, count, last in use.items
        ],
        empty="Nobody ticked a step of it yet. It shows up beside the items it applies to.",
        wide=True,
    )  # fmt: skip


def _applies(runbook: Runbook) -> Block:
    pairs = [
        (LABELS[name], ", ".join(runbook_use.named_words(name, one) for one in runbook.applies_to.get(name, ())))
        for name in ABOUT
        if runbook.applies_to.get(name)
    ]
    return Block("Applies to", pairs=pairs, empty="Nothing yet: it is found here and by search only.")


def _history(runbook: Runbook) -> Block:
    rows = list(LedgerRow.objects.filter(subject_kind="runbook", subject_id=runbook.slug).order_by("-id")[:10])
    names = actor_names(row.actor for row in rows)
    return Block(
        "Changes",
        pairs=[
            (
                cells.moment(row.recorded_at),
                format_html(
                    "{} {} {}", decision_words(row.decision), cells.theirs(names.get(row.actor, row.actor), 40),
                    page_of(row, f"#{row.pk}"),
                ),
            )
            for row in rows
        ],
        empty="As it was shipped.",
        more=("Changes of all runbooks", parts.list_of("ledger_ledgerrow", decision="edit_runbook")) if rows else None,
    )  # fmt: skip


def _form(runbook: Runbook, request: HttpRequest | None = None, refusal: Refused | None = None) -> list[Field]:
    """The fields of a runbook, with what is stored or what was typed, and the error at its field."""
    about = runbook.applies_to or {}
    groups = [(one, one) for one in Group.objects.order_by("name").values_list("name", flat=True)]
    steps = "\n".join(_line(one) for one in runbook.steps or [])
    made = [
        Field("title", "Title", runbook.title, longest=120),
        Field("when", "When it applies", runbook.when, longest=300, kind="area", rows=2),
        Field("owner_group", "Owner", runbook.owner_group, kind="select", choices=groups),
        Field(
            "steps", "Steps, one a line", steps, kind="area", rows=12, longest=40 * 700,
            help="A button stands in front of its step in brackets: [check] Press it. "
            f"Buttons: {runbooks.verb_list()}. What stands in `backticks` is shown as code.",
        ),
        *(
            Field(
                name, f"Applies to: {LABELS[name].lower()}", "\n".join(about.get(name, ())), kind="area", rows=3,
                longest=4000, required=False, help="One a line, as in the address of a filtered list.",
            )
            for name in ABOUT
        ),
        Field("reason", "Why is it changed?" if runbook.pk else "Why is it written?", "", longest=500,
              help="Kept in the ledger for ever: no personal data."),
        Field("version", "", str(runbook.version), kind="hidden"),
    ]  # fmt: skip
    return form_fields.filled(made, request, refusal)


def _line(step: dict[str, str]) -> str:
    return f"[{step['verb']}] {step['text']}" if step.get("verb") else str(step["text"])


def _said(request: HttpRequest) -> RunbookFields:
    """What was typed."""
    lines = form_fields.lines(request, "steps")
    return RunbookFields(
        form_fields.text(request, "title"),
        form_fields.text(request, "when"),
        form_fields.text(request, "owner_group"),
        {name: form_fields.lines(request, name) for name in ABOUT},
        [_parsed(one) for one in lines],
        reason=form_fields.text(request, "reason"),
    )


def _parsed(line: str) -> dict[str, str]:
    head, bracket, rest = line.partition("]")
    if bracket and head.startswith("["):
        return {"text": rest.strip(), "verb": head[1:].strip()}
    return {"text": line, "verb": ""}


def _found(slug: str) -> Runbook:
    found = Runbook.objects.select_related("tested_by").filter(slug=slug).first()
    if found is None:
        raise Http404("there is no such runbook")
    return found


def _permit(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied

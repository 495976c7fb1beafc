"""Back-tests: what a gate's draft or an automation would have decided, how far a run is, and every changed decision."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from gates import backtests
from gates.models import Automation, BackTest, BackTestChange, GateVersion
from gates.models.automation import STEPS
from gates.stop import Refused
from ledger import cells
from ledger.readonly import page_of
from ledger.words import kind_words, state_words
from meshline.console import evidence_parts, form_fields
from meshline.console.evidence_parts import PAGE, Form, permit
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site
from sync import backtest_job

TONES = {"planned": "waiting", "running": "waiting", "done": "applied", "cancelled": "", "failed": "failed"}
TEMPLATE = "console/evidence.html"


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """The runs, newest first, and the form to begin one."""
    permit(request, backtests.VIEW)
    return _listing(site, request)


def start(site: Site, request: HttpRequest) -> HttpResponse:
    """Begin one; by POST only."""
    permit(request, backtests.VIEW)
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:backtests"))
    try:
        made = backtest_job.ask(by=cast(User, request.user), **_asked(request))
    except Refused as refusal:
        return _listing(site, request, refusal)
    messages.success(request, f"{made} is planned. A worker begins in a moment; reload this page to follow it.")
    return HttpResponseRedirect(reverse("admin:backtest", args=[made.pk]))


def view(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """The page of one run; `?corrected=1` for what people put right since, `?after=` pages through."""
    permit(request, backtests.VIEW)
    return _draw(site, request, _found(key))


def cancel(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """Give one up; by POST only."""
    permit(request, backtests.VIEW)
    one = _found(key)
    if request.method == "POST":
        try:
            backtests.cancel(key, by=cast(User, request.user))
        except Refused as refusal:
            return _draw(site, request, one, refusal)
        messages.success(request, f"{one} is cancelled. What it counted so far proves nothing.")
    return HttpResponseRedirect(reverse("admin:backtest", args=[key]))


def _asked(request: HttpRequest) -> dict[str, Any]:
    """What the form says. Raises Refused 422 with the field."""
    days = form_fields.number(request, "days", most=backtests.MOST_DAYS) if form_fields.text(request, "days") else 30
    key = form_fields.key(form_fields.text(request, "gate"))
    gate = GateVersion.objects.filter(pk=key).first() if key else None
    if key and gate is None:
        raise Refused(422, "gate", "gate: there is no such gate")
    automation = "" if gate else form_fields.text(request, "automation")
    return {"gate": gate, "automation": automation, "stage": form_fields.text(request, "stage"), "days": days}


def _listing(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    found = BackTest.objects.select_related("gate", "asked_by").order_by("-id")
    rows, more = evidence_parts.newest(found, request)
    page = Page(
        title="Back-tests",
        sentence="What a gate's draft, or an automation as it is now, would have decided. Nothing is written anywhere.",
        main=[
            Block(
                "Runs",
                columns=("Run", "What", "State", "Days", "Judged", "Would change", "Corrected since", "By", "Asked"),
                rows=[_row(one) for one in rows],
                empty="No back-test yet. A gate's draft needs one before it can be submitted.",
                more=more, wide=True,
            )
        ],
        template=TEMPLATE,
    )  # fmt: skip
    forms = [_form()] if request.user.has_perm(backtests.RUN) else []
    page.more = evidence_parts.shown(forms, request, refusal)
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page, "refusal": refusal}, _status(refusal))


def _form() -> Form:
    names = [(one.name, one.title) for one in Automation.objects.order_by("name")]
    drafts = GateVersion.objects.filter(state__in=("draft", "submitted")).order_by("name")
    gates = [(str(one.pk), str(one)) for one in drafts[:200]]
    stages = [(value, str(label)) for value, label in Automation.State.choices if value in STEPS]
    return Form(
        "Begin one", reverse("admin:backtest_start"), [("", "", "Begin")],
        [
            Field("automation", "Automation", kind="select", choices=names, required=False),
            Field("gate", "Or the draft of a gate", kind="select", choices=gates, required=False),
            Field("stage", "As if in stage", kind="select", choices=stages, required=False),
            Field("days", "Days", "30", kind="number", least=1, most=backtests.MOST_DAYS),
        ],
        note="An automation is judged by the rules, gates and limits of now.",
    )  # fmt: skip


def _row(one: BackTest) -> tuple[Any, ...]:
    counts = one.counts
    return (
        cells.link(reverse("admin:backtest", args=[one.pk]), str(one)), what(one), tag(one), one.days,
        f"{counts.get('seen', 0):,}", f"{counts.get('changed', 0):,}", f"{counts.get('corrected', 0):,}",
        cells.theirs(one.asked_by.get_username(), 40) if one.asked_by else cells.dash(), cells.ago(one.created_at),
    )  # fmt: skip


def what(one: BackTest) -> Any:
    """What was tried: a gate's version, or an automation."""
    if one.gate is not None:
        return page_of(one.gate)
    stage = f", as if {dict(Automation.State.choices).get(one.stage, one.stage)}" if one.stage else ""
    return format_html("{}{}", one.automation, stage)


def tag(one: BackTest) -> Any:
    """How it stands; one that could not try everything never looks like one that did."""
    if one.state == BackTest.State.DONE and one.missing:
        return cells.tag("in_review", "Done, not everything")
    if one.state == BackTest.State.RUNNING:
        return cells.tag("waiting", f"Running, {backtest_job.progress(one):.0%}")
    return cells.tag(TONES[str(one.state)], one.get_state_display())


def _draw(site: Site, request: HttpRequest, one: BackTest, refusal: Refused | None = None) -> HttpResponse:
    counts, is_open = one.counts, one.state in backtests.OPEN
    page = Page(
        title=str(one),
        sentence=_sentence(one),
        tag=tag(one),
        line=[
            ("What", what(one)), ("Days", one.days), ("Judged", f"{counts.get('seen', 0):,}"),
            ("Would change", f"{counts.get('changed', 0):,}"), ("Corrected since", f"{counts.get('corrected', 0):,}"),
            ("Took", cells.took(one.ended_at - one.began_at) if one.ended_at and one.began_at else cells.dash()),
            ("Asked", cells.ago(one.created_at)),
        ],
        main=[_steps(one), _changes(request, one)],
        side=[Block("Beside it", pairs=_beside(one), empty="Nothing counted yet.")],
        back=(reverse("admin:backtests"), "Back-tests"),
        template=TEMPLATE,
    )  # fmt: skip
    url = reverse("admin:backtest_cancel", args=[one.pk])
    may = is_open and request.user.has_perm(backtests.RUN)
    forms = (
        [Form("It is under way", url, [("", "", "Cancel it")], note="Reload this page to follow it.")] if may else []
    )
    progress = int(backtest_job.progress(one) * 100) if is_open else None
    page.more = evidence_parts.shown(forms, request, refusal, warnings=one.missing, progress=progress)
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page, "refusal": refusal}, _status(refusal))


def _sentence(one: BackTest) -> str:
    counts = one.counts
    if one.state in backtests.OPEN:
        return f"{backtest_job.progress(one):.0%} of the range is judged, {counts.get('changed', 0):,} would change."
    if one.state != BackTest.State.DONE:
        return f"It did not finish and proves nothing. {one.error}"
    if not counts.get("seen"):
        return "There was nothing to try it on."
    if not counts.get("changed"):
        return f"None of {counts['seen']:,} decisions would come out differently."
    return (
        f"{counts['changed']:,} of {counts['seen']:,} decisions would come out differently; people corrected"
        f" {counts['corrected']:,} of these since."
    )


def _steps(one: BackTest) -> Block:
    return Block(
        "What would change",
        columns=("Decided then", "With this", "How many"),
        rows=[(state_words(before), state_words(after), f"{count:,}") for before, after, count in one.steps],
        empty="No decision would change.",
        wide=True,
    )


def _changes(request: HttpRequest, one: BackTest) -> Block:
    """Every decision that would change, in the order they were made."""
    only = request.GET.get("corrected") == "1"
    found = BackTestChange.objects.filter(backtest=one).order_by("row")
    found = found.filter(is_corrected=True) if only else found
    after = form_fields.key(request.GET.get("after"))
    rows = list((found.filter(row__gt=after) if after else found)[: PAGE + 1])
    kept = "corrected=1&" if only else ""
    more = ("Next", f"?{kept}after={rows[PAGE - 1].row}#changes") if len(rows) > PAGE else None
    door, words = ("?#changes", "Show all") if only else ("?corrected=1#changes", "Only what was corrected since")
    return Block(
        "Decisions that would change",
        columns=("Row", "Action", "Then", "With this", "Corrected since"),
        rows=[
            (
                cells.link(reverse("admin:ledger_ledgerrow_change", args=[each.row]), f"#{each.row}"),
                cells.link(reverse("admin:ledger_action_change", args=[each.action_id]), kind_words(each.kind)),
                state_words(each.before), state_words(each.after),
                cells.tag("failed", "Corrected") if each.is_corrected else cells.dash(),
            )
            for each in rows[:PAGE]
        ],
        empty="None of them." if only else "No decision would change.",
        note=cells.link(door, words), more=more, wide=True, anchor="changes",
    )  # fmt: skip


def _beside(one: BackTest) -> list[tuple[str, Any]]:
    counts = one.counts
    if not counts:
        return []
    fired = [("It fires in", f"{counts['fired']:,}"), ("Only it stands in the way", f"{counts['freer']:,}")]
    return [
        *(fired if one.gate else []), ("Cannot be judged again", f"{counts['unreadable']:,}"),
        ("Since", cells.moment(one.since)), ("Exactly this", cells.code(one.digest[:12])),
    ]  # fmt: skip


def _found(key: int) -> BackTest:
    one = BackTest.objects.select_related("gate", "asked_by").filter(pk=key).first()
    if one is None:
        raise Http404("there is no such back-test")
    return one


def _status(refusal: Refused | None) -> int | None:
    return refusal.status if refusal else None

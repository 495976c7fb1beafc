"""Shadow reports: what automations would have done against what people and systems did, day by day and by segment."""

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from gates import shadow
from gates.models import Automation, ShadowComparison
from gates.shadow import VIEW, Count
from ledger import cells
from ledger.words import from_identifier, kind_words, rule_words
from meshline.console import evidence_parts
from meshline.console.evidence_parts import permit, share
from meshline.console.page import Block, Page, Site

GOAL = 0.99
TEMPLATE = "console/evidence.html"
MEANS = (
    ("Agreed", "what would have been done, people or systems did as well"),
    ("Differed", "they did something else, or nothing, until its time was over"),
    ("Open", "its time is not over yet"),
    ("Not comparable", "it would have asked a person, or nothing stored shows what was done"),
)


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """Every automation that observed something in thirty days."""
    permit(request, VIEW)
    counts = {one.name: one for one in shadow.by_automation()}
    names = list(Automation.objects.order_by("name").values_list("name", "title"))
    page = Page(
        title="Shadow reports",
        sentence="Nothing leaves while an automation observes. This is how often people then did the same.",
        main=[
            Block(
                "Thirty days",
                columns=("Automation", "Verdict", *COLUMNS),
                rows=[
                    (cells.link(address(name), title), tag(counts[name]), *cells_of(counts[name]))
                    for name, title in names
                    if name in counts
                ],
                empty="No automation observed anything in thirty days. One begins in shadow when it is installed.",
                wide=True,
            )
        ],
        side=[Block("What these mean", pairs=MEANS)],
    )
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


COLUMNS = ("Agreed", "Differed", "Open", "Not comparable")


def address(name: str) -> str:
    """The report of one automation."""
    return reverse("admin:shadow_report", args=[name])


def view(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """One automation: days, weeks, segments, and what differed; `?before=` pages through the differences."""
    permit(request, VIEW)
    one = Automation.objects.filter(name=name).first()
    if one is None:
        raise Http404("there is no such automation")
    found = shadow.total(name)
    deltas, more = evidence_parts.newest(shadow.deltas(name), request)
    page = Page(
        title=f"Shadow report: {one.title}",
        sentence=sentence(found),
        tag=tag(found),
        line=[("Agreed", share(found.agreed, found.compared)), ("Differed", f"{found.disagreed:,}"),
              ("Open", f"{found.open:,}"), ("Not comparable", f"{found.never:,}"), ("Period", "30 days")],
        main=[
            _table("By day (UTC)", "Day", shadow.by_day(name), str, "Nothing was observed in thirty days."),
            _deltas(deltas, more),
        ],
        side=[
            _table("By week", "Week of", shadow.by_week(name), str, "Nothing yet."),
            _table("By rule and segment", "Of", shadow.by_segment(name), segment_words, "Nothing yet."),
            _table("By kind of action", "Kind", shadow.by_kind(name), kind_words, "Nothing yet."),
            Block("What these mean", pairs=MEANS),
        ],
        back=(reverse("admin:shadow"), "Shadow reports"),
    )  # fmt: skip
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


def sentence(found: Count) -> str:
    """The verdict in one line; a small sample says that it is one."""
    if not found.compared:
        return f"Nothing could be compared yet; {found.open:,} are open, {found.never:,} never can be."
    small = f" That is fewer than {shadow.LEAST}: the share says little yet." if found.compared < shadow.LEAST else ""
    return f"People did the same in {share(found.agreed, found.compared)}.{small}"


def tag(found: Count) -> Any:
    """Against the goal of one in a hundred that differ."""
    if found.share is None:
        return cells.tag("", "Nothing compared")
    if found.compared < shadow.LEAST:
        return cells.tag("held", f"{found.share:.1%}, small sample")
    return cells.tag("applied" if found.share >= GOAL else "failed", f"{found.share:.1%}")


def cells_of(one: Count) -> tuple[str, ...]:
    """The four numbers."""
    return share(one.agreed, one.compared), f"{one.disagreed:,}", f"{one.open:,}", f"{one.never:,}"


def segment_words(name: str) -> str:
    """`tier:growth` as words."""
    kind, _, value = name.partition(":")
    return {"tier": f"Tier {value}", "kind": f"Tickets: {value}"}.get(kind, rule_words(value))


def _table(title: str, first: str, counts: Sequence[Count], words: Any, empty: str) -> Block:
    rows = [(words(one.name), *cells_of(one)) for one in counts]
    return Block(title, columns=(first, *COLUMNS), rows=rows, empty=empty, wide=True)


def _deltas(rows: list[ShadowComparison], more: tuple[str, str] | None) -> Block:
    return Block(
        "What differed",
        columns=("Observed", "It would have", "What was seen", "Strictest rule"),
        rows=[
            (
                cells.moment(one.observed_at),
                cells.link(reverse("admin:ledger_action_change", args=[one.action_id]), kind_words(one.kind)),
                from_identifier(one.seen), rule_words(one.because) if one.because else cells.dash(),
            )
            for one in rows
        ],
        empty="Nothing differed.", more=more, wide=True,
    )  # fmt: skip

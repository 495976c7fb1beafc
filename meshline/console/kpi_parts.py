"""What the pages of key figures are made of: cards with their lines, comparisons, rows, notes and forms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from ledger import cells, money
from meshline import baseline
from meshline.console import charts, form_fields
from meshline.console.evidence_parts import Form
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page
from meshline.kpis import computing, desk, reading, rows, weekly
from meshline.kpis.catalogue import COUNT, KPIS, LOWER, SECONDS, SHARE, Kpi
from meshline.kpis.models import KpiDay, KpiNote, KpiReport
from meshline.kpis.reading import NEEDS, PERIODS, Found, Told
from meshline.kpis.rows import Row
from sync.baselines import BaselineFigure

DOORS = {
    "item": "admin:gates_reviewitem_change", "action": "admin:ledger_action_change", "delta": "admin:sync_delta_change",
    "run": "admin:sync_reconcilerun_change", "contract": "admin:ledger_contract_change",
    "customer": "admin:ledger_customer_change",
}  # fmt: skip
NAMES = {"item": "RV-", "delta": "D-", "run": "run ", "contract": "contract ", "customer": "customer "}
TARGET_LABEL = {SHARE: "Target, in per cent", SECONDS: "Target, in seconds", COUNT: "Target"}
NOTES = 8
ALL = "All"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which period and part; `fault` says what of the address was none, and nothing of it is used then."""

    days: int = 28
    of: str = ""
    fault: str = ""

    def address(self, **more: str) -> str:
        """The query of this view with something else in it."""
        given = {"days": str(self.days), "of": self.of, **more}
        return "?" + urlencode({name: value for name, value in given.items() if value})


def read(request: HttpRequest) -> Asked:
    """From the address."""
    days, of = request.GET.get("days", "28"), request.GET.get("of", "")
    if days not in map(str, PERIODS):
        return Asked(fault=f"days: {', '.join(map(str, PERIODS))} are known")
    kind, _, name = of.partition(":")
    if of and (kind not in ("automation", "team") or not name or len(of) > 100 or "\x00" in of):
        return Asked(int(days), fault="of: an automation or a team, as automation:dunning")
    return Asked(int(days), of)


def overview(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """Everything on the page of all figures. Six queries."""
    names = reading.visible(request.user)
    if asked.of:
        names = [name for name in names if asked.of.partition(":")[0] in KPIS[name].by]
    notes = {
        one.kpi: one for one in KpiNote.objects.filter(week=reading.monday(), kpi__in=names).select_related("author")
    }
    found = reading.load(names, asked.of, reading.span(asked.days))
    told = reading.told(names, asked.days, asked.of, found=found)
    may = request.user.has_perm
    return {
        "cards": [card(one, asked, notes.get(one.kpi.name)) for one in told], "asked": asked,
        "periods": [(days, asked.address(days=str(days)), days == asked.days) for days in PERIODS],
        "scopes": [(one, scope_words(one)) for one in reading.scopes(found)],
        "computed_at": max((one.computed_at for one in told if one.computed_at), default=None),
        "may_export": may(desk.EXPORT), "blocks": [] if asked.of else blocks(request, found),
    }  # fmt: skip


def scope_words(scope: str) -> str:
    """A part in words."""
    kind, _, name = scope.partition(":")
    return f"{'Automation' if kind == 'automation' else 'Team'} {cells.plain(name, 60)}"


def card(one: Told, asked: Asked, note: KpiNote | None) -> dict[str, Any]:
    """One figure with its line. An amount has one number for each currency."""
    kpi = one.kpi
    return {
        "kpi": kpi, "tag": tag(one), "url": reverse("admin:kpi", args=[kpi.name]) + asked.address(),
        "numbers": [number(each) for each in (one, *one.also)], "stale": one.stale, "so_far": one.so_far,
        "compared": list(dict.fromkeys(compared(each, asked.days) for each in (one, *one.also))),
        "goal": goal(one), "note": note,
        "charts": lines(one),
    }  # fmt: skip


def number(one: Told) -> str:
    """The number; a dash where there is none to show."""
    return charts.worded(one.value, one.unit) if one.unit != "money:" else charts.worded(None, one.unit)


def tag(one: Told) -> Any:
    """Whether it is as it should be."""
    if one.stale:
        return cells.tag("failed", "Not computed")
    if one.is_good is None:
        return ""
    return cells.tag("applied", "On target") if one.is_good else cells.tag("review", "Off target")


def compared(one: Told, days: int) -> str:
    """Against the period before."""
    if one.before is None:
        return f"no number for the {days} days before"
    return f"{charts.worded(one.before, one.unit)} in the {days} days before"


def goal(one: Told) -> str:
    """What it should be."""
    if one.target is None:
        return f"{one.kpi.better} is better"
    return f"target {'at most' if one.kpi.better == LOWER else 'at least'} {charts.worded(one.target, one.unit)}"


def lines(one: Told) -> list[SafeString]:
    """The small line of each number; one sentence where none of them has the days for it."""
    days = [sum(value is not None for _, value in each.points) for each in (one, *one.also)]
    if max(days) < NEEDS:
        return [format_html('<p class="empty">{}</p>', charts.waiting(max(days), NEEDS))]
    return [spark(each) for each in (one, *one.also)]


def spark(one: Told) -> SafeString:
    """Ninety days in a small line."""
    if one.unit == "money:":
        return format_html('<p class="empty">{}</p>', charts.waiting(0))
    title = f"{one.kpi.title}{', ' + one.scope.removeprefix(reading.CURRENCY).upper() if one.kpi.is_revenue else ''}"
    return charts.spark(one.points, title=title, unit=one.unit, target=one.target, needs=NEEDS)


def blocks(request: HttpRequest, found: Found) -> list[Block]:
    """Below the figures: revenue by month, baseline against now, the report of the week, reviews."""
    may, made = request.user.has_perm, [against_baseline(found)]
    if may(desk.REVENUE):
        made.insert(0, by_month(found))
    return [*made, last_report(KpiReport.objects.first(), revenue=may(desk.REVENUE)), reviews()]


def by_month(found: Found) -> Block:
    """Revenue recovered, refunds and avoided churn, each month and currency."""
    listed = [
        (month, KPIS[name].title, money.display(minor, currency))
        for month, name, currency, minor in reading.months(found)
    ]
    return Block(
        "Revenue by month (UTC)", columns=("Month", "Figure", "Amount"), rows=listed, wide=True,
        empty="Nothing of this kind in the last months.",
    )  # fmt: skip


def against_baseline(found: Found) -> Block:
    """The first baseline beside how things stand."""
    oldest = BaselineFigure.objects.order_by("day").values("day")[:1]
    then = list(BaselineFigure.objects.filter(day=Subquery(oldest)))
    now, at = reading.baseline_now(found)
    listed = []
    for one in then:
        told = now.get((str(one.measure), one.key))
        is_now = BaselineFigure(measure=one.measure, key=one.key, value=told[0], of=told[1]) if told else None
        title = f"{one.get_measure_display()} {cells.plain(one.key, 60)}".strip()
        listed.append((title, baseline.words(one), baseline.words(is_now) if is_now else cells.dash()))
    when = f"first on {then[0].day}, now {cells.plain(cells.utc(at), 40) if at else 'not computed'}" if then else ""
    return Block(
        "Baseline against now", columns=("Measure", "Then", "Now"), rows=listed, note=when, wide=True,
        empty="No baseline is taken. `manage.py baseline --take --as USER` stores how things stand today.",
    )  # fmt: skip


def last_report(one: KpiReport | None, *, revenue: bool) -> Block:
    """The newest weekly report, and what became of its letters."""
    if one is None:
        empty = "The first is made on the Monday after the first whole week, at 06:30 UTC."
        return Block("Weekly report", empty=empty, wide=True)
    lines = [*one.lines, *(one.revenue if revenue else ())]
    return Block("Weekly report", text="\n".join(lines), note=sent(one), wide=True)


def sent(one: KpiReport) -> str:
    """Who was told of it."""
    week = f"of the seven days before {one.week}"
    if not one.mails:
        return f"{week}; no mail: nobody is named in MESHLINE_REPORT_TO, or mail is not set up"
    told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(weekly.letters(one).items()))
    return f"{week}; letters: {told}"


def reviews() -> Block:
    """Where the planned reviews are, among them the monthly one of revenue and the quarterly ones."""
    words = "Weekly errors, monthly revenue impact, quarterly access and rules: each with an owner and a due date."
    return Block("Planned reviews", text=words, more=("Reviews", reverse("admin:audits")))


def page_of(
    request: HttpRequest, kpi: Kpi, asked: Asked, before: tuple[datetime, str] | None
) -> tuple[Page, list[Form]]:  # fmt: skip
    """The page of one figure with its forms."""
    (told,) = reading.told([kpi.name], asked.days, asked.of)
    every = (told, *told.also)
    page = Page(
        title=kpi.title, sentence=asked.fault or told.stale or sentence(every, asked.days), tag=tag(told),
        back=(reverse("admin:kpis") + asked.address(), "Key figures"),
        line=[
            ("Should be", goal(told)),
            ("Owner", kpi.owner), ("Computed", cells.ago(told.computed_at) if told.computed_at else cells.dash()),
            *([("Of", scope_words(asked.of))] if asked.of else []),
        ],
        doors=[format_html('<a class="door" href="{}">{} days</a>', asked.address(days=str(days)), days)
               for days in PERIODS if days != asked.days],
        main=[*(line_of(each) for each in every), *parts_of(kpi, asked), behind(kpi, asked, before)],
        side=[Block("How it is counted", text=kpi.formula, more=_list_of(kpi)), notes_of(kpi)],
    )  # fmt: skip
    return page, forms(request, kpi, told)


def sentence(every: Sequence[Told], days: int) -> str:
    """The number of the period against the one before: `97.1 % in 28 days, so far; 95.0 % in the 28 days before.`"""
    so_far = ", so far" if every[0].so_far else ""
    return "; ".join(f"{number(one)} in {days} days{so_far}; {compared(one, days)}" for one in every) + "."


def line_of(one: Told) -> Block:
    """The line over ninety days."""
    drawn = charts.line(one.points, title=one.kpi.title, unit=one.unit, target=one.target, needs=NEEDS)
    title = one.scope.removeprefix(reading.CURRENCY).upper() if one.kpi.is_revenue else ""
    return Block(f"Each day (UTC) {title}".strip(), template="console/kpi_chart.html", data=drawn, wide=True)


def parts_of(kpi: Kpi, asked: Asked) -> list[Block]:
    """The same by automation and by team, over the period; each in the list of days it has."""
    if not kpi.by or asked.of:
        return []
    since = computing.today() - timedelta(days=asked.days)
    found = KpiDay.objects.filter(kpi=kpi.name, day__gt=since, error="").exclude(scope="").order_by("day")
    series: dict[str, dict[date, reading.Point]] = {}
    for one in found:
        point = reading.Point(one.value, one.numerator, one.denominator, "", one.computed_at)
        series.setdefault(one.scope, {})[one.day] = point
    listed = [
        (cells.link(asked.address(of=scope), scope_words(scope)),
         charts.worded(reading.over(kpi, points, sorted(points)), kpi.unit))
        for scope, points in sorted(series.items())
    ]  # fmt: skip
    return [Block("By automation and team", columns=("Part", f"{asked.days} days"), rows=listed, wide=True)] * bool(
        listed
    )


def behind(kpi: Kpi, asked: Asked, before: tuple[datetime, str] | None) -> Block:
    """The rows that the number of the period is made of; of a stock those of today."""
    last = computing.today()
    title = "Rows behind it, now" if kpi.how == "stock" else f"Rows behind it, {asked.days} days"
    try:
        found, more = rows.listed(kpi, last - timedelta(days=asked.days - 1), last, scope=asked.of, before=before)
    except rows.TooSlow:
        empty = "The rows could not be read in time. Choose a shorter period."
        return Block(title, empty=empty, wide=True, anchor="rows")
    after = f"{found[-1].at.isoformat()}|{found[-1].id}" if more else ""
    return Block(
        title, columns=("Row", "When", "Day", "Counts as", "Of"), rows=[_row(kpi, one) for one in found], wide=True,
        anchor="rows", empty="Nothing was counted in this time.",
        more=("Older rows", asked.address(before=after) + "#rows") if more else _list_of(kpi),
    )  # fmt: skip


def _row(kpi: Kpi, one: Row) -> tuple[Any, ...]:
    shown = one.id[-8:] if one.kind == "action" else one.id
    label = f"{NAMES.get(one.kind, 'action ')}{shown}"
    part = ", ".join(name for name in (one.automation, one.team) if name)
    return (
        cells.link(reverse(DOORS[one.kind], args=[one.id]), label), cells.moment(one.at), str(one.day),
        counted(kpi, one), cells.theirs(part, 80) if part else cells.dash(),
    )  # fmt: skip


def counted(kpi: Kpi, one: Row) -> str:
    """What a row adds to the figure."""
    if kpi.is_revenue:
        return money.display(one.num, one.currency)
    if kpi.how == "share":
        return f"{one.num:,} of {one.den:,}" if one.den != 1 else "yes" if one.num else "no"
    return charts.worded(one.num / 1000 if kpi.how == "median" else one.num, kpi.unit)


def _list_of(kpi: Kpi) -> tuple[str, str]:
    name, query = kpi.place
    return ("The whole list", reverse(name) + (f"?{query}" if query else ""))


def notes_of(kpi: Kpi) -> Block:
    """What was written of it, the newest week first."""
    found = KpiNote.objects.filter(kpi=kpi.name).select_related("author")[:NOTES]
    pairs = [
        (f"Week of {one.week}", format_html("{} <span class=\"quiet\">{}, {}</span>", cells.theirs(one.text, 500),
                                            one.author.get_username(), cells.ago(one.written_at)))
        for one in found
    ]  # fmt: skip
    return Block("Notes", pairs=pairs, empty="Nobody has written one yet. One a week says why it moved.")


def forms(request: HttpRequest, kpi: Kpi, told: Told) -> list[Form]:
    """The note of this week, and the target, for who may."""
    here, may, made = reverse("admin:kpi", args=[kpi.name]), request.user.has_perm, []
    if may(desk.WRITE_NOTE):
        note = Field("note", "What moved it", kind="area", rows=2, longest=desk.LONGEST_NOTE)
        made.append(Form(f"Note of the week of {reading.monday()}", f"{here}note/", [("", "", "Keep note")], [note]))
    if may(desk.SET_TARGET) and not kpi.is_revenue:
        shown = told.target * 100 if told.target is not None and kpi.unit == SHARE else told.target
        value = "" if shown is None else f"{shown:g}"
        target = Field("target", TARGET_LABEL[kpi.unit], value, longest=16)
        made.append(Form("Target", f"{here}target/", [("", "", "Set target")], [target]))
    for form in made:
        form_fields.filled(form.fields, None, None)
    return made

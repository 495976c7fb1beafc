"""Alerts: what is on, what was, the page of one, and every rule with its number of now."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import SafeString

from gates.incidents import rows as subject_rows
from gates.models import AlertEpisode, Runbook
from gates.stop import Refused
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import page_of
from meshline.console import evidence_parts, form_fields, parts
from meshline.console.evidence_parts import Form, permit
from meshline.console.page import Block, Page, Site
from sync.alerts import board, desk
from sync.alerts.board import Line
from sync.alerts.desk import TAKE, VIEW
from sync.alerts.table import RULES

TEMPLATE = "console/evidence.html"
SEVERE = {"critical": "failed", "error": "failed", "warning": "waiting", "info": ""}
STATES = {
    "on": ("failed", "On"), "over": ("waiting", "Over, not long enough"), "fine": ("applied", "Fine"),
    "unmeasured": ("failed", "Could not measure"), "off": ("", "Switched off"), "event": ("", "Nothing on"),
    "new": ("", "Not measured yet"),
}  # fmt: skip
WORDS = {"trigger": "It is on", "acknowledge": "Somebody looks after it", "resolve": "It is over"}


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """What is on, then what was, newest first; `?rule=` keeps one rule, `?state=` what is on or what is over."""
    permit(request, VIEW)
    return _listing(site, request)


def rules(site: Site, request: HttpRequest) -> HttpResponse:
    """Every rule: what it watches, its number, its limit, when it was measured."""
    permit(request, VIEW)
    lines = board.rules()
    failing = sum(1 for one in lines if one.state == "unmeasured")
    page = Page(
        title="Rules of the alerts",
        sentence=f"{sum(1 for one in lines if one.state == 'on')} of {len(lines)} rules have an alert on"
        + (f"; {failing} could not be measured." if failing else "."),
        main=[
            Block(
                "Rules",
                columns=("Rule", "Now", "Number", "Limit", "What was measured", "Measured", "Owner", "Runbook"),
                rows=[_rule_row(one) for one in lines], wide=True,
                note="Limits are set by MESHLINE_ALERT_LIMITS. An alert ends by itself once its number has been fine "
                "for a while. A rule that cannot be measured neither raises nor ends anything.",
            )
        ],
        back=(reverse("admin:alerts"), "Alerts"),
    )  # fmt: skip
    return site.draw(request, page.template, {"title": page.title, "page": page})


def view(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """One episode: number and limit, who was told, who looks after it, and its story."""
    permit(request, VIEW)
    return _view(site, request, key)


def acknowledge(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """Take it; by POST only, from its page or from any that shows it."""
    permit(request, VIEW)
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:alert", args=[key]))
    try:
        version = form_fields.key(request.POST.get("version"))
        one = desk.acknowledge(key, by=cast(User, request.user), version=version)
    except Refused as refusal:
        if refusal.status == 404:
            raise Http404("there is no such alert") from None
        return _view(site, request, key, refusal)
    messages.success(request, f"You look after {title(one)}.")
    onward = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(onward, allowed_hosts=None)
    return HttpResponseRedirect(onward if is_ours else reverse("admin:alert", args=[key]))


def _listing(site: Site, request: HttpRequest) -> HttpResponse:
    rule, state = request.GET.get("rule", ""), request.GET.get("state", "")
    rule, state = rule if rule in RULES else "", state if state in AlertEpisode.State.values else ""
    found = AlertEpisode.objects.select_related("acknowledged_by").order_by("-id")
    kept = found.filter(rule=rule) if rule else found
    on = list(kept.filter(state=AlertEpisode.State.RAISED)[: parts.MOST]) if state != "resolved" else []
    over: list[AlertEpisode] = []
    more: tuple[str, str] | None = None
    if state != "raised":
        past = kept.filter(state=AlertEpisode.State.RESOLVED)
        over, more = evidence_parts.newest(past, request, rule=rule, state=state)
    waits = board.waiting([*on, *over])
    page = Page(
        title="Alerts",
        sentence=_sentence(len(on), len(waits), state),
        tag=cells.tag("failed", f"{len(on)} on") if on else cells.tag("applied", "Nothing on") if not state else "",
        doors=_doors(rule, state),
        main=[
            block for block in (
                _on(on, waits) if state != "resolved" else None, _over(over, waits, more) if state != "raised" else None
            ) if block is not None
        ],
        template=TEMPLATE,
    )  # fmt: skip
    warnings = [one for one in (board.unreachable(),) if one]
    page.more = evidence_parts.shown([], request, None, warnings=warnings)
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page})


def _sentence(on: int, waits: int, state: str) -> str:
    told = ", ".join(board.ways())
    where = f" Alerts are told to {told}." if told else ""
    waiting = f" {waits} of these wait to be told." if waits else ""
    if state == "resolved":
        return f"What was on and is over.{where}{waiting}"
    return f"{'Nothing is' if not on else f'{on} alert is' if on == 1 else f'{on} alerts are'} on.{where}{waiting}"


def _doors(rule: str, state: str) -> list[SafeString]:
    """The other views of the same list."""
    views = (("", "All"), ("raised", "On now"), ("resolved", "Over"))
    found = [
        cells.link(f"{reverse('admin:alerts')}?{urlencode({'rule': rule, 'state': name})}", words)
        for name, words in views
        if name != state
    ]
    every = [cells.link(reverse("admin:alerts"), "All rules' alerts")] if rule else []
    return [*found, *every, cells.link(reverse("admin:alert_rules"), "Rules and numbers")]


def _on(found: list[AlertEpisode], waits: dict[int, int]) -> Block:
    return Block(
        "On now",
        columns=("Alert", "Severity", "Since", "Owner", "Looked after by", "Told"),
        rows=[
            (
                cells.link(reverse("admin:alert", args=[one.pk]), one.summary), severity(one),
                cells.ago(one.raised_at), one.owner_group, _taker(one), _told_tag(one, waits),
            )
            for one in found
        ],
        empty="Nothing is on. Each rule is measured every few seconds to minutes; see Rules and numbers.", wide=True,
    )  # fmt: skip


def _over(found: list[AlertEpisode], waits: dict[int, int], more: tuple[str, str] | None) -> Block:
    return Block(
        "Over",
        columns=("Alert", "Severity", "Began", "Lasted", "Owner", "Looked after by", "Told"),
        rows=[
            (
                cells.link(reverse("admin:alert", args=[one.pk]), one.summary), severity(one),
                cells.moment(one.raised_at), lasted(one), one.owner_group, _taker(one), _told_tag(one, waits),
            )
            for one in found
        ],
        empty="No alert was on yet that is over now.", more=more, wide=True,
    )  # fmt: skip


def _view(site: Site, request: HttpRequest, key: int, refusal: Refused | None = None) -> HttpResponse:
    one = AlertEpisode.objects.select_related("acknowledged_by").filter(pk=key).first()
    if one is None:
        raise Http404("there is no such alert")
    told, is_on = board.told(one), one.state == AlertEpisode.State.RAISED
    page = Page(
        title=f"Alert: {title(one)}",
        sentence=f"{one.summary}.",
        tag=cells.tag("failed", "On") if is_on else cells.tag("applied", "Over"),
        line=_line(one),
        main=[_messages(told), _story(one)],
        side=[_numbers(one), _help(one)],
        back=(reverse("admin:alerts"), "Alerts"),
        template=TEMPLATE,
    )
    may = is_on and one.acknowledged_at is None and request.user.has_perm(TAKE)
    page.more = evidence_parts.shown([_form(one)] if may else [], request, refusal)
    status = refusal.status if refusal else None
    return site.draw(request, TEMPLATE, {"title": page.title, "page": page, "refusal": refusal}, status)


def _form(one: AlertEpisode) -> Form:
    note = "Others see that you look after it, and the pager stops calling. It ends by itself when its cause is gone."
    url = reverse("admin:alert_acknowledge", args=[one.pk])
    return Form("Look after it", url, [("version", str(one.state_version), "Acknowledge")], note=note)


def _line(one: AlertEpisode) -> list[tuple[str, Any]]:
    since = [("Since", cells.ago(one.raised_at))] if one.resolved_at is None else [("Lasted", lasted(one))]
    return [("Severity", severity(one)), *since, ("Owner", one.owner_group or cells.dash()),
            ("Looked after by", _taker(one))]  # fmt: skip


def _messages(told: list[board.Told]) -> Block:
    rows = [
        (
            one.where,
            WORDS.get(one.event, one.event),
            cells.link(reverse("admin:ledger_action_change", args=[one.action_id]), one.said),
            cells.moment(one.at, seconds=True) if one.at else cells.dash(),
        )
        for one in told
    ]
    nobody = board.unreachable() or "Nobody was told: it was not set up then, or it is about the very system."
    return Block("Who was told", columns=("Where", "What", "State", "Taken there"), rows=rows, empty=nobody, wide=True)


def _numbers(one: AlertEpisode) -> Block:
    rule = RULES.get(one.rule)
    unit = f" {rule.unit}" if rule and rule.unit else ""
    pairs: list[tuple[str, Any]] = [("Watches", rule.sentence)] if rule else []
    if one.value is not None:
        worst = one.value if one.worst is None else one.worst
        pairs += [("Last number", f"{_plain(one.value)}{unit}"), ("Worst", f"{_plain(worst)}{unit}")]
    if one.threshold is not None:
        pairs.append(("Limit then", f"{_plain(one.threshold)}{unit}"))
    pairs += [
        ("Seen last", cells.ago(one.last_seen_at) if one.last_seen_at else cells.dash()),
        ("Episode", f"{one.episode} of {one.name}"),
    ]
    if rule:
        past = f"{reverse('admin:alerts')}?{urlencode({'rule': rule.name})}"
        pairs.append(("History", cells.link(past, "Every alert of this rule")))
    return Block("Numbers", pairs=pairs)


def _plain(value: float) -> str:
    """A number with at most one place behind the point."""
    return f"{value:,.1f}".removesuffix(".0")


def _help(one: AlertEpisode) -> Block:
    book = Runbook.objects.filter(slug=one.runbook).first() if one.runbook else None
    if book is None:
        return Block("What to do", empty="There is no runbook for it yet. Write one under Runbooks.")
    return Block(
        "What to do", pairs=[("Runbook", cells.link(reverse("admin:runbook", args=[book.slug]), book.title))],
        note=book.when,
    )  # fmt: skip


def _story(one: AlertEpisode) -> Block:
    found = LedgerRow.objects.filter(subject_kind=subject_rows.ALERT, subject_id=str(one.pk)).order_by("id")
    shown = [
        (cells.moment(row.recorded_at, seconds=True), page_of(row, parts.said(row))) for row in found[: parts.MOST]
    ]
    return Block("Story", pairs=shown)


def _rule_row(one: Line) -> tuple[Any, ...]:
    rule, unit = one.rule, f" {one.rule.unit}" if one.rule.unit else ""
    name = cells.link(f"{reverse('admin:alerts')}?{urlencode({'rule': rule.name})}", rule.sentence)
    limit = cells.dash() if rule.limit is None else f"{rule.limit:g}{unit}"
    return (
        name, cells.tag(*STATES[one.state]), cells.dash() if one.value is None else f"{_plain(one.value)}{unit}", limit,
        one.said or (f"raised by {rule.raised_by}" if rule.raised_by else cells.dash()),
        cells.ago(one.measured_at) if one.measured_at else cells.dash(), rule.owner,
        cells.link(reverse("admin:runbook", args=[rule.runbook]), "Runbook"),
    )  # fmt: skip


def title(one: AlertEpisode) -> str:
    """Its rule in words and what it is about."""
    rule, subject = RULES.get(one.rule), one.name.partition(":")[2]
    return f"{rule.title if rule else one.name}{f' ({subject})' if subject else ''}"


def severity(one: AlertEpisode) -> SafeString:
    """How bad it is."""
    return cells.tag(SEVERE.get(one.severity, ""), one.severity.capitalize())


def lasted(one: AlertEpisode) -> str:
    """From its beginning to its end."""
    if one.resolved_at is None:
        return "-"
    seconds = (one.resolved_at - one.raised_at).total_seconds()
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _taker(one: AlertEpisode) -> Any:
    if one.acknowledged_at is None:
        return "nobody" if one.state == AlertEpisode.State.RAISED else cells.dash()
    return cells.theirs(one.acknowledged_by.get_username(), 40) if one.acknowledged_by else "somebody"


def _told_tag(one: AlertEpisode, waits: dict[int, int]) -> Any:
    if one.pk in waits:
        return cells.tag("waiting", "Waiting to be told")
    return "told" if board.ways() else cells.dash()

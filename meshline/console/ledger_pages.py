"""Proof for people: the story behind one correlation id, an extract to print, and the check of the chain."""

import time
import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates.models import Approval, ReviewItem
from ledger import cells, clock, verify
from ledger.models import Action, Customer, Event, LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words, event_words, kind_words, rule_words, state_words, subject_words, verdict_words
from meshline import subjects
from meshline.console import facts, ledger_list, parts, seal_block
from meshline.console.page import Block, Page, Site, present
from sync.models import Attempt

MOST = 300
MOST_PRINTED = 500
MOST_VERIFIED = 200_000
VIEW = "ledger.view_ledgerrow"
LEDGER = "admin:ledger_ledgerrow_changelist"
Entry = tuple[Any, str, Any, Any, Any]


def chain(site: Site, request: HttpRequest, thread: uuid.UUID) -> HttpResponse:
    """Everything one correlation id goes through, in the order it happened, made for reading and printing."""
    _permit(request, VIEW)
    rows = list(LedgerRow.objects.filter(correlation_id=thread).order_by("id")[:MOST])
    events = list(Event.objects.filter(correlation_id=thread).order_by("id")[:MOST])
    if not rows and not events:
        raise Http404("no event and no ledger row carries this correlation id")
    page = _chain_page(request, thread, rows, events)
    return site.draw(request, "console/ledger_chain.html", {"title": page.title, "page": page, "printed": clock.now()})


def _chain_page(request: HttpRequest, thread: uuid.UUID, rows: list[LedgerRow], events: list[Event]) -> Page:
    actions = list(Action.objects.filter(correlation_id=thread).order_by("created_at")[:MOST])
    keys = [one.pk for one in actions]
    may_wire = request.user.has_perm("sync.view_attempt")
    attempts = list(Attempt.objects.filter(action__in=keys).order_by("id")[:MOST]) if keys and may_wire else []
    approvals = list(Approval.objects.filter(action__in=keys).select_related("by")) if keys else []
    items = list(ReviewItem.objects.filter(correlation_id=thread).select_related("action").order_by("id")[:MOST])
    names = actor_names(row.actor for row in rows)
    if not request.user.has_perm("ledger.view_event"):
        events = []
    told = [*map(_event_entry, events), *(_row_entry(one, names) for one in rows), *map(_wire_entry, attempts)]
    return Page(
        title="Story of one case",
        sentence=_sentence(events, rows, attempts, actions),
        line=_line(thread, rows, events),
        main=present(
            [
                Block("In the order it happened", template="console/timeline.html", data=sorted(told, key=_when),
                      note=f"{len(told)} entries", wide=True),
                _decisions(rows, names),
                _approved(approvals),
                parts.attempts(attempts, reverse("admin:sync_attempt_changelist")) if attempts else None,
                parts.items(items) if items and request.user.has_perm("gates.view_reviewitem") else None,
                *_judged_on(rows),
            ]
        ),
        back=(f"{reverse(LEDGER)}?correlation={thread}", "Ledger"),
    )  # fmt: skip


def _when(entry: Entry) -> Any:
    return entry[0]


def _sentence(events: list[Event], rows: list[LedgerRow], attempts: list[Attempt], actions: list[Action]) -> str:
    """What the story is about, before any detail."""
    ends = ", ".join(f"{kind_words(one.kind).lower()}: {one.get_state_display().lower()}" for one in actions[:4])
    counts = ((len(events), "event"), (len(rows), "ledger row"), (len(attempts), "request"))
    count = ", ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in counts)
    return f"{count}. {ends[:1].upper()}{ends[1:]}." if ends else f"{count}."


def _line(thread: uuid.UUID, rows: list[LedgerRow], events: list[Event]) -> list[tuple[str, Any]]:
    times = sorted([one.recorded_at for one in rows] + [one.received_at for one in events])
    known = [one.customer_id for one in rows] + [one.customer_id for one in events]
    found = next(filter(None, known), None)
    customer = Customer.objects.filter(pk=found).first() if found else None
    line: list[tuple[str, Any]] = [("Correlation id", cells.code(thread))]
    if customer is not None:
        line.append(("Customer", page_of(customer, cells.theirs(customer, 80))))
    return [
        *line,
        ("From", cells.moment(times[0], seconds=True)),
        ("To", cells.moment(times[-1], seconds=True)),
        ("Lasted", cells.length(times[-1] - times[0])),
    ]


def _event_entry(one: Event) -> Entry:
    detail = cells.theirs(verdict_words(one.verdict) if one.verdict else one.get_state_display(), 200)
    more = format_html("{} {}", detail, cells.code(one.provider_event_id))
    title = f"{cells.system(one.source)}: {event_words(one.kind).lower()}"
    return one.received_at, "event", title, more, page_of(one, "event")


def _row_entry(one: LedgerRow, names: dict[str, str]) -> Entry:
    said = next((str(each.get("reason")) for each in _reasons(one) if each.get("reason")), "")
    who = cells.plain(names.get(one.actor, one.actor), 40)
    refused = " (refused)" if one.outcome == "refused" else ""
    title = f"{subject_words(one.subject_kind).capitalize()}: {decision_words(one.decision).lower()}{refused}"
    detail = format_html('{} <span class="quiet">by {}</span>', cells.theirs(said, 200), who)
    if one.confirmation_id:
        detail = format_html("{} confirmed by {}", detail, cells.code(one.confirmation_id))
    return one.recorded_at, cells.TONES.get(one.post_state, "grey"), title, detail, page_of(one, f"row #{one.pk}")


def _wire_entry(one: Attempt) -> Entry:
    title = f"{cells.system(one.provider)} was {'written to' if one.is_write else 'asked'}"
    said = one.status or f"no answer ({one.error})"
    detail = format_html("<code>{} {}</code> {} in {} ms", one.method, cells.plain(one.path, 120), said, one.ms)
    return one.began_at, "wire", title, detail, page_of(one, "request and answer")


def _reasons(row: LedgerRow) -> list[dict[str, Any]]:
    return [one for one in row.reasons if isinstance(one, dict)]


def _decisions(rows: list[LedgerRow], names: dict[str, str]) -> Block:
    """Each row with its rules and their version."""
    return Block(
        "Decisions",
        columns=("Row", "Time", "About", "Decision", "By", "Before → after", "Reasons", "Rules", "Outcome"),
        rows=[
            (
                page_of(one, f"#{one.pk}"),
                cells.moment(one.recorded_at, seconds=True),
                format_html("{} {}", subject_words(one.subject_kind), cells.code(one.subject_id, keep=8)),
                decision_words(one.decision),
                cells.theirs(names.get(one.actor, one.actor), 40),
                parts.step(one),
                _reason_list(one),
                cells.code(one.rule_version) if one.rule_version else cells.dash(),
                cells.theirs(", ".join(filter(None, (state_words(one.outcome), one.error_code, one.mode))), 80),
            )
            for one in rows
        ],
        empty="Nothing was decided about this.",
        note=f"only the first {MOST}" if len(rows) == MOST else "",
        wide=True,
    )


def _reason_list(row: LedgerRow) -> SafeString:
    said = (
        (rule_words(str(one.get("rule", ""))), cells.theirs(one.get("reason") or one.get("verdict") or "", 200))
        for one in _reasons(row)
    )
    return format_html_join(", ", "{}: {}", said) or cells.dash()


def _approved(approvals: list[Approval]) -> Block | None:
    """Who agreed to what."""
    if not approvals:
        return None
    return Block(
        "Approvals",
        columns=("Given", "By", "Reason", "Preview", "Void since"),
        rows=[
            (
                cells.moment(one.given_at, seconds=True),
                cells.theirs(one.by.get_username(), 40),
                cells.theirs(one.reason, 200),
                cells.code(one.preview_hash[:8]),
                cells.moment(one.voided_at, seconds=True),
            )
            for one in approvals
        ],
        wide=True,
    )


def _judged_on(rows: list[LedgerRow]) -> list[Block]:
    """The facts of the first and of the last judgement."""
    judged = [one for one in rows if one.inputs and one.subject_kind == "action"]
    chosen = judged[:1] + judged[1:][-1:]
    return [
        Block(f"Facts judged on in row #{one.pk}", pairs=facts.pairs(one.inputs, skip=("policy",)), wide=True)
        for one in chosen
    ]


def extract(site: Site, request: HttpRequest) -> HttpResponse:
    """The rows that a list shows, for paper: ids in full, the filters in words, who printed it and when."""
    _permit(request, VIEW)
    listed = listing(request, request.GET)
    rows = list(listed.queryset[: MOST_PRINTED + 1])
    cut, rows = len(rows) > MOST_PRINTED, rows[:MOST_PRINTED]
    names = actor_names(row.actor for row in rows)
    shown = {
        "title": "Ledger extract",
        "rows": [(one, names.get(one.actor, one.actor), decision_words(one.decision)) for one in rows],
        "filters": said_filters(listed),
        "cut": MOST_PRINTED if cut else 0,
        "printed": clock.now(),
        "back": f"{reverse(LEDGER)}?{request.GET.urlencode()}",
    }
    return site.draw(request, "console/ledger_extract.html", shown)


def listing(request: HttpRequest, wanted: QueryDict) -> ledger_list.LedgerList:
    """The list behind these filters, by the list's own rules: none of them can reach another field."""
    request.GET = wanted  # type: ignore[assignment]
    page = ledger_list.page_admin()
    listed: Any = page.get_changelist_instance(request)
    return listed


def said_filters(listed: ledger_list.LedgerList) -> list[tuple[str, str]]:
    """The filters in words."""
    said = [("Search", cells.plain(listed.query, 100))] if listed.query else []
    for spec in listed.filter_specs:
        chosen = next((one["display"] for one in list(spec.choices(listed))[1:] if one["selected"]), None)
        if chosen is not None:
            said.append((str(spec.title), str(chosen)))
    return said


def check(site: Site, request: HttpRequest) -> HttpResponse:
    """Look at a range of rows: as sealed, every step allowed, every chain whole, the guard in place. Reads only."""
    _permit(request, VIEW)
    newest = LedgerRow.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    first, last = max(1, newest - MOST_VERIFIED // 2 + 1), newest
    shown: dict[str, Any] = {"title": "Verify the ledger", "most": MOST_VERIFIED, "newest": newest}
    status = 200
    if request.method == "POST":
        first, last, shown["error"] = _range(request.POST, newest)
        if shown["error"]:
            status = 422
        else:
            shown["result"] = _verified(first, last)
    shown |= {"first": first, "last": last, "seals": seal_block.block()}
    return site.draw(request, "console/ledger_verify.html", shown, status)


def _range(sent: QueryDict, newest: int) -> tuple[int, int, str]:
    """The asked range, and what is wrong with it."""
    numbers = [sent.get(name, "").strip() for name in ("first", "last")]
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in numbers):
        return 1, newest, "first and last row: must be whole numbers"
    first, last = map(int, numbers)
    if first < 1 or last < first:
        return first, last, "first row: must be 1 or more and not above the last row"
    if last - first >= MOST_VERIFIED:
        most = f"{MOST_VERIFIED:,}"
        return (
            first,
            last,
            f"at most {most} rows at once; the command verify_ledger checks the whole ledger",
        )
    return first, last, ""


def _verified(first: int, last: int) -> dict[str, Any]:
    began = time.monotonic()
    report = verify.verify(subjects.SUBJECTS, subjects.UNCHAINED, first=first, last=last)
    broken = report.broken.row if report.broken else None
    row = LedgerRow.objects.filter(pk=broken).first() if broken is not None else None
    return {"report": report, "row": row, "seconds": f"{time.monotonic() - began:.1f}"}


def _permit(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied

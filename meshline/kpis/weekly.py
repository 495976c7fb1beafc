"""The report of a week: the figures and the week of reconciliation, once, to those who are named, by mail and in chat.

Everything about one week is written in one transaction: the report's row, an action for each letter and the item that
chats show. So a process that is killed leaves all of it or nothing, and the next look, minutes later, makes it whole.
Letters go the way of every other write: they wait while mail is away or stopped, and are seen where actions are seen.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.urls import reverse

from gates import policy
from gates.types import Proposal
from ledger import book, clock, wake
from ledger.identity import lane_of, new_action_id
from ledger.models import Action, Event
from meshline.console.charts import worded
from meshline.kpis import computing, reading
from meshline.kpis.catalogue import KPIS
from meshline.kpis.desk import REVENUE
from meshline.kpis.models import KpiReport
from meshline.kpis.reading import Told
from sync import actions, correlate
from sync.actions.report import KIND, LINE, MOST_LINES, PREFIX, readers
from sync.booking import Booking, Cause
from sync.reconcile import weekly as reconciliation

ACTOR, SUBJECT = "system:report", "kpi_report"
SOURCE, EVENT_KIND = "meshline", "report.made"
FROM = timedelta(hours=6, minutes=30)  # of Monday, UTC
DAYS = 7


def run() -> str:
    """Make the report of the week that ended, unless it is made; every quarter of an hour, by anybody."""
    week = reading.monday()
    if clock.now() < computing.begins(week) + FROM:
        return "not yet"
    oldest = Event.objects.order_by("id").values_list("received_at", flat=True).first()
    if oldest is None or oldest >= computing.begins(week):
        return "no whole week yet"
    if KpiReport.objects.filter(week=week).exists():
        return "made already"
    try:
        with transaction.atomic():
            made = make(week)
    except IntegrityError:  # another scheduler made it at this moment
        return "made already"
    return f"made, {made.mails} letters"


def make(week: date) -> KpiReport:
    """Write one week's report and everything it sends, in the caller's transaction. IntegrityError when it is there."""
    figures, revenue = lines(week), revenue_lines(week)
    to = readers()
    one = KpiReport.objects.create(
        week=week, lines=[*figures, *reconciliation.read().lines()], revenue=revenue, mails=len(to),
        correlation_id=uuid4(),
    )  # fmt: skip
    book.write_rows([
        {
            "subject_kind": SUBJECT, "subject_id": str(week), "decision": "report_week", "actor": ACTOR,
            "prior_state": "made", "post_state": "made", "correlation_id": one.correlation_id, "outcome": "made",
            "inputs": {"letters": len(to), "lines": len(one.lines)},
        }
    ])  # fmt: skip
    reconciliation.post(figures)
    if to:
        _send(one, to)
    return one


def lines(week: date) -> list[str]:
    """The figures of the seven days before a Monday, without revenue, a line each."""
    names = [name for name, kpi in KPIS.items() if not kpi.is_revenue]
    return [line(one) for one in reading.told(names, DAYS, last=week - timedelta(days=1))]


def revenue_lines(week: date) -> list[str]:
    """The same of revenue, a line for each currency."""
    names = [name for name, kpi in KPIS.items() if kpi.is_revenue]
    found = reading.told(names, DAYS, last=week - timedelta(days=1))
    return [line(one) for each in found for one in (each, *each.also)]


def line(one: Told) -> str:
    """One figure in a sentence: `SLA met: 97.1 % (94.0 % the week before; target 95.0 %).`"""
    if one.stale:
        return f"{one.kpi.title}: {one.stale}"
    if one.value is None:
        return f"{one.kpi.title}: nothing to count."
    told = f"{worded(one.before, one.unit)} the week before" if one.before is not None else "no week before"
    if one.target is not None:
        told += f"; target {worded(one.target, one.unit)}{'' if one.is_good else ', missed'}"
    return f"{one.kpi.title}: {worded(one.value, one.unit)} ({told})."


def letter(one: KpiReport, *, revenue: bool) -> list[str]:
    """The lines of a letter, no two alike, and where to look."""
    base = settings.MESHLINE_PUBLIC_URL
    head = [f"The seven days before {one.week}, in UTC days."]
    tail = [f"All figures with their rows: {base}{reverse('admin:kpis')}"] if base else []
    told = [*head, *one.lines, *(one.revenue if revenue else ()), *tail]
    return list(dict.fromkeys(text[:LINE] for text in told))[:MOST_LINES]


def _send(one: KpiReport, to: dict[str, str]) -> None:
    """An action for each reader. Revenue is in the letters of accounts that may see it."""
    chosen, now = actions.get(KIND), clock.now()
    into, known = Booking(policy.current(), now), correlate.NOBODY
    may = _see_revenue(list(to.values()))
    event = _event(one.week, one.correlation_id, now)
    for mark, address in to.items():
        told = letter(one, revenue=address.casefold() in may)
        params: dict[str, Any] = {"week": one.week.isoformat(), "recipient": mark, "lines": told}
        key = chosen.business_key(known, params)
        because = f"it is the report of the week before {one.week}"
        proposal = Proposal(KIND, key, key, because, params, chosen.risk, chosen.needs)
        into.propose(proposal, known, Cause(event, one.correlation_id, ""))
    into.write()
    transaction.on_commit(wake.ring)


def _see_revenue(addresses: Sequence[str]) -> set[str]:
    """Of these addresses those of an account in use that may see revenue, in small letters."""
    wanted = {one.casefold() for one in addresses}
    people = [one for one in User.objects.filter(is_active=True).exclude(email="") if one.email.casefold() in wanted]
    return {one.email.casefold() for one in people if one.has_perm(REVENUE)}


def _event(week: date, thread: UUID, now: datetime) -> int:
    made = Event.objects.create(
        source=SOURCE, provider_event_id=f"report-{new_action_id()}", type=EVENT_KIND, kind=EVENT_KIND,
        object_id=week.isoformat(), occurred_at=now, received_at=now, enqueued_at=now, done_at=now,
        lane=lane_of(f"{SOURCE}:report"), state=Event.State.PROCESSED, verdict=f"done: the report of {week}",
        body_sha=b"", correlation_id=thread,
    )  # fmt: skip
    return int(made.pk)


def letters(one: KpiReport) -> dict[str, int]:
    """What became of the letters: state of the action -> how many."""
    found: dict[str, int] = {}
    rows = Action.objects.filter(correlation_id=one.correlation_id, kind=KIND, business_key__startswith=PREFIX)
    for state in rows.order_by().values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found

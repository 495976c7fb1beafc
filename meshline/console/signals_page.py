"""Onboarding report: how long deals take to become customers and invoices, what goes wrong, day by day."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from ledger import cells
from meshline.console.page import Block, Page, Site
from sync import signals
from sync.signals import Day, Signals, Times

PERMISSION = "ledger.view_action"
PERIODS = (7, 30)
GOAL_SECONDS = 60.0
MEANS = (
    ("Signed to customer", "from the CRM's own time of signing to the ERP's record being read back; of those that are"),
    ("Signed to first invoice", "the same until the invoice is read back"),
    ("Duplicates", "customers of these days that the ERP holds twice, or the latest comparison found"),
    ("Differences", "records that differ of those compared, latest run of each comparison in these days"),
    ("Invoice success", "invoices in the ERP of those planned"),
    ("Queue", "review items of onboarding opened that day, and how many of them are resolved by now"),
)


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page; `?days=30` for a month."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    days = 30 if request.GET.get("days") == "30" else signals.DAYS
    found = signals.latest(days)
    page = Page(
        title="Onboarding report",
        sentence=sentence(found, days),
        tag=tag(found),
        line=line(found),
        doors=[door(other) for other in PERIODS if other != days],
        main=[by_day(found)],
        side=[Block("What these mean", pairs=MEANS)],
    )
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


def sentence(found: Signals, days: int) -> str:
    """In one line."""
    if found.customers is None:
        return "The figures could not be read in time. Try again in a minute."
    if not found.customers.planned:
        return f"No deal was signed in the last {days} days. One starts when a deal reaches the signed stage."
    open_items = f"{found.onboarding} of onboarding wait for a person" if found.onboarding else "nobody is waited for"
    return (
        f"{found.customers.done} of {found.customers.planned} signed deals of {days} days are customers; {open_items}."
    )


def tag(found: Signals) -> Any:
    """Whether nine in ten and more are in time, and nothing is there twice."""
    if found.customers is None or found.customers.p95 is None:
        return ""
    if found.duplicates:
        return cells.tag("failed", "Duplicates")
    return cells.tag("active", "In time") if found.customers.p95 <= GOAL_SECONDS else cells.tag("held", "Slow")


def line(found: Signals) -> list[tuple[str, Any]]:
    """The five signals and the invoices."""
    rate, share = found.failure_rate, found.invoices.share if found.invoices else None
    queue = reverse("admin:gates_reviewitem_changelist")
    waiting = cells.dash() if found.open is None else cells.link(queue, f"{found.open} open, {found.late} late")
    return [
        ("Signed to customer", both(found.customers)),
        ("Signed to first invoice", both(found.invoices)),
        ("Duplicates", cells.dash() if found.duplicates is None else found.duplicates),
        ("Differences", "nothing compared" if rate is None else f"{rate:.1%}"),
        ("Invoice success", cells.dash() if share is None else f"{share:.1%}"),
        ("Review queue", waiting),
        ("Read", cells.ago(found.at)),
    ]


def both(times: Times | None) -> str:
    """Half and 95 in 100."""
    if times is None:
        return "not read in time"
    return f"p50 {signals.seconds(times.p50)}, p95 {signals.seconds(times.p95)}"


def door(days: int) -> Any:
    """The same page of another period."""
    return format_html('<a class="door" href="?days={}">Last {} days</a>', days, days)


def by_day(found: Signals) -> Block:
    """One row a day, the newest first."""
    shown = [one for one in reversed(found.days) if one.customers.planned or one.invoices.planned or one.opened]
    return Block(
        "By day (UTC)",
        columns=("Day", "Customers", "p50", "p95", "Invoices", "Success", "Queue"),
        rows=[_row(one) for one in shown],
        empty="Nothing was signed. When a deal reaches the signed stage, its day appears here.",
        wide=True,
    )


def _row(one: Day) -> tuple[Any, ...]:
    share = one.invoices.share
    return (
        one.day,
        f"{one.customers.done} of {one.customers.planned}",
        signals.seconds(one.customers.p50),
        signals.seconds(one.customers.p95),
        f"{one.invoices.done} of {one.invoices.planned}",
        cells.dash() if share is None else f"{share:.0%}",
        f"{one.opened}, {one.resolved} resolved" if one.opened else cells.dash(),
    )

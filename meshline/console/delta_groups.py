"""Differences by check, class and field: many of one field are a fault of the mapping, not of the records."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from ledger import cells
from meshline.console.delta_pages import VIEW
from meshline.console.page import Block, Page, Site
from sync.reconcile import checks, weekly, words
from sync.reconcile.admin import LIVE
from sync.reconcile.models import Delta

MOST = 100


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """Every group of what is not settled, the largest first, and the week in words."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    live = Delta.objects.filter(state__in=LIVE)
    rows = live.values("check_name", "kind", "field", "owner_group").annotate(
        count=Count("id"), oldest=Min("first_seen_at"), newest=Max("last_seen_at")
    )
    found = list(rows.order_by("-count", "check_name", "kind", "field")[:MOST])
    listing = reverse("admin:sync_delta_changelist")
    page = Page(
        "Differences by field",
        sentence="Many differences of one field mostly have one cause: look at its mapping before the records.",
        main=[
            Block(
                "Not settled",
                columns=("Check", "Class", "Field or side", "Count", "Owner", "Oldest", "Last found"),
                rows=[
                    (
                        checks.title(one["check_name"]),
                        capfirst(words.class_words(one["kind"], one["check_name"], about=one["field"])),
                        cells.plain(one["field"], 60) if one["field"] else cells.dash(), _door(listing, one),
                        one["owner_group"], cells.ago(one["oldest"]), cells.ago(one["newest"]),
                    )
                    for one in found
                ],
                empty="Nothing differs. The systems are compared each night.",
                wide=True,
            ),
            Block("The last seven days", text="\n".join(weekly.read().lines()), wide=True, anchor="week"),
        ],
        back=(listing, "Differences"),
    )  # fmt: skip
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


def _door(listing: str, one: Mapping[str, Any]) -> SafeString:
    """How many, with the way to them."""
    asked = {"state": "live", "check": one["check_name"], "class": one["kind"], "field": one["field"] or ""}
    query = urlencode({name: value for name, value in asked.items() if value})
    return cells.link(f"{listing}?{query}", f"{one['count']:,}")

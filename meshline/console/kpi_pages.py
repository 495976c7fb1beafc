"""Key figures: all of them over a period, and one with its line, the rows behind it, its notes and its target."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse

from gates.stop import Refused
from ledger import clock
from meshline.console import form_fields, kpi_parts
from meshline.console.evidence_parts import permit, shown
from meshline.console.ledger_export import Line, safe, stamp
from meshline.console.page import Site
from meshline.kpis import computing, desk, reading
from meshline.kpis.catalogue import SHARE, Kpi
from meshline.kpis.models import KpiDay

COLUMNS = (
    "day_utc", "figure", "title", "scope", "value", "unit", "numerator", "denominator", "computed_at", "final", "error",
)  # fmt: skip


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """Every figure: `?days=7`, 28 or 90, `?of=automation:dunning` or `?of=team:Support` for a part."""
    permit(request, desk.VIEW)
    asked = kpi_parts.read(request)
    context = kpi_parts.overview(request, asked)
    return site.draw(request, "console/kpis.html", {"title": "Key figures", **context}, 422 if asked.fault else None)


def view(site: Site, request: HttpRequest, name: str) -> HttpResponse:
    """One figure."""
    return _draw(site, request, _found(request, name))


def act(site: Site, request: HttpRequest, name: str, verb: str) -> HttpResponse:
    """Write the note of this week, or set the target; by POST only."""
    kpi, by = _found(request, name), cast(User, request.user)
    if verb not in ("note", "target"):
        raise Http404("there is no such verb")
    here = reverse("admin:kpi", args=[kpi.name])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        if verb == "note":
            desk.write_note(kpi.name, form_fields.text(request, "note"), by=by)
            messages.success(request, "The note of this week is kept.")
        else:
            # Who may not is refused whatever was typed.
            desk.set_target(kpi.name, _target(request, kpi) if by.has_perm(desk.SET_TARGET) else 0.0, by=by)
            messages.success(request, f"The target of {kpi.title.lower()} is set.")
    except Refused as refusal:
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        return _draw(site, request, kpi, refusal)
    return HttpResponseRedirect(here)


def download(site: Site, request: HttpRequest) -> HttpResponse:
    """All days of the period as a file, a row a day, figure and scope. By POST only, for it writes a row."""
    permit(request, desk.VIEW)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    permit(request, desk.EXPORT)
    typed = form_fields.text(request, "days")
    if typed not in map(str, reading.PERIODS):
        messages.error(request, "days: 7, 28 or 90; nothing was exported.")
        return HttpResponseRedirect(reverse("admin:kpis"))
    user, days = cast(User, request.user), int(typed)
    names = reading.visible(user)
    rows = KpiDay.objects.filter(kpi__in=names, day__gt=computing.today() - timedelta(days=days))
    desk.note_export(user, days=days, revenue=user.has_perm(desk.REVENUE), rows=rows.count())
    answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="figures-{clock.now():%Y%m%dT%H%M%SZ}.csv"'
    return cast(HttpResponse, answer)  # a streamed one has the same headers


def _lines(rows: Any) -> Iterator[str]:
    writer = csv.writer(Line(), lineterminator="\r\n")
    yield "\ufeff" + writer.writerow(COLUMNS)
    for one in rows.order_by("day", "kpi", "scope").iterator(chunk_size=1000):
        kpi = reading.KPIS[one.kpi]
        unit = f"minor units {one.scope.removeprefix(reading.CURRENCY)}".strip() if kpi.is_revenue else kpi.unit
        yield writer.writerow(
            [
                one.day, one.kpi, safe(kpi.title), safe(one.scope), "" if one.value is None else f"{one.value:.10g}",
                unit, one.numerator, one.denominator, stamp(one.computed_at), "yes" if one.is_final else "so far",
                safe(one.error),
            ]
        )  # fmt: skip


def _found(request: HttpRequest, name: str) -> Kpi:
    try:
        return desk.find(name, cast(User, request.user))
    except Refused as refusal:
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        raise Http404(refusal.message) from None


def _target(request: HttpRequest, kpi: Kpi) -> float:
    """What was typed, in per cent for shares. Raises Refused 422."""
    typed = form_fields.text(request, "target").strip().replace(",", ".")
    try:
        value = float(typed)
    except ValueError:
        raise Refused(422, "target", f"target: a number, not “{typed[:20]}”") from None
    return value / 100 if kpi.unit == SHARE else value


def _draw(site: Site, request: HttpRequest, kpi: Kpi, refusal: Refused | None = None) -> HttpResponse:
    asked = kpi_parts.read(request)
    page, forms = kpi_parts.page_of(request, kpi, asked, cursor(request))
    page.more = shown(forms, request, refusal)
    context = {"title": page.title, "page": page, "refusal": refusal}
    status = refusal.status if refusal else 422 if asked.fault else None
    return site.draw(request, "console/kpi.html", context, status)


def cursor(request: HttpRequest) -> tuple[datetime, str] | None:
    """Where a page of rows goes on: `2026-11-21T10:00:00+00:00|17`; None for the first, and for what is none."""
    at, _, row = request.GET.get("before", "").partition("|")
    try:
        moment = datetime.fromisoformat(at.replace(" ", "+"))
    except ValueError:
        return None
    return (moment, row[:64]) if moment.tzinfo is not None and row and "\x00" not in row else None

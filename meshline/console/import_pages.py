"""Files of links: upload, what each row would do, and the decision. Nothing is written before somebody confirms."""

import csv
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.stop import Refused
from ledger.readonly import actor_names
from meshline.console import form_fields
from meshline.console.ledger_export import Line, safe
from meshline.console.page import Site
from sync.imports import links, reading
from sync.imports.models import LinkImport, LinkImportRow

VIEW, IMPORT = "sync.view_linkimport", links.PERMISSION
PAGE = 100
VERDICTS = {"": "All", "link": "Will be linked", "same": "Linked already", "bad": "Refused"}
REPORT = ("row", "internal_id", "stripe_id", "now_linked", "verdict", "reason")


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """The imports of late, and the form; a POST reads a file."""
    _permit(request)
    if request.method != "POST":
        return _list(site, request)
    file = request.FILES.get("file")
    try:
        links.permit(cast(User, request.user), "begin_import")  # before anything is said about the file
        if file is None:
            raise Refused(422, "file", "file: choose a CSV file first")
        reading.check_size(file.size or 0)
        made = links.begin(file.read(), by=cast(User, request.user), name=file.name or "")
    except Refused as refusal:
        return _list(site, request, refusal)
    messages.success(request, "Read. Each id is looked up in Stripe now; nothing is written before you confirm.")
    return HttpResponseRedirect(reverse("admin:import", args=[made.pk]))


def _list(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    found = LinkImport.objects.order_by("-pk")
    if before := form_fields.key(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    rows = list(found[:51])
    names = actor_names(one.asked_by for one in rows)
    context = {
        "title": "Import links", "rows": [(one, names[one.asked_by]) for one in rows[:50]], "refusal": refusal,
        "older": rows[49].pk if len(rows) > 50 else None, "may": request.user.has_perm(IMPORT),
        "most_mb": reading.MAX_BYTES // 1024**2, "most_rows": reading.MAX_ROWS,
    }  # fmt: skip
    return site.draw(request, "console/imports.html", context, refusal.status if refusal else None)


def view(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """One import: its rows with what would become of each, and the decision."""
    _permit(request)
    return _draw(site, request, _found(key))


def _draw(site: Site, request: HttpRequest, batch: LinkImport, refusal: Refused | None = None) -> HttpResponse:
    verdict = request.GET.get("verdict", "")
    verdict = verdict if verdict in VERDICTS else ""
    found = LinkImportRow.objects.filter(batch=batch).order_by("number")
    if verdict:
        found = found.filter(verdict=verdict)
    if after := form_fields.key(request.GET.get("after")):
        found = found.filter(number__gt=min(after, 2**31 - 1))
    rows = list(found.select_related("customer")[: PAGE + 1])
    names = actor_names([batch.asked_by, batch.decided_by] if batch.decided_by else [batch.asked_by])
    is_open = batch.state in (LinkImport.State.CHECKING, LinkImport.State.READY)
    counted = batch.counts if batch.counts and batch.state != LinkImport.State.CHECKING else links.counts(batch)
    context = {
        "title": f"Import {batch.pk}", "batch": batch, "rows": rows[:PAGE], "verdict": verdict,
        "verdicts": [(name, words, counted.get(name)) for name, words in VERDICTS.items()], "counts": counted,
        "after": rows[PAGE - 1].number if len(rows) > PAGE else None, "asked": names[batch.asked_by],
        "decided": names.get(batch.decided_by, ""), "refusal": refusal,
        "may": request.user.has_perm(IMPORT) and is_open,
        "is_ready": batch.state == LinkImport.State.READY, "is_checking": batch.state == LinkImport.State.CHECKING,
    }  # fmt: skip
    return site.draw(request, "console/import.html", context, refusal.status if refusal else None)


def act(site: Site, request: HttpRequest, key: int, verb: str) -> HttpResponse:
    """Confirm or discard, by POST; `report` gives every row as CSV."""
    _permit(request)
    batch = _found(key)
    if verb == "report" and request.method == "GET":
        return _report(batch)
    if verb not in ("confirm", "discard"):
        raise Http404("there is no such verb")
    here = HttpResponseRedirect(reverse("admin:import", args=[key]))
    if request.method != "POST":
        return here
    by, said = cast(User, request.user), form_fields.text(request, "reason")
    try:
        if verb == "confirm":
            done = links.confirm(key, by=by, digest_seen=form_fields.text(request, "digest"), reason=said)
            messages.success(request, f"Linked: {done.counts['link']:,} customers, each with a portal link.")
        else:
            links.discard(key, by=by, reason=said)
            messages.success(request, "Discarded. Its rows are removed.")
    except Refused as refusal:
        return _draw(site, request, _found(key), refusal)
    return here


def _report(batch: LinkImport) -> HttpResponse:
    """The rows as CSV that no spreadsheet runs; without addresses."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="import-{batch.pk}.csv"'
    writer = csv.writer(Line(), lineterminator="\r\n")
    answer.write("\ufeff" + writer.writerow(REPORT))
    for one in LinkImportRow.objects.filter(batch=batch).order_by("number").iterator():
        cells: list[Any] = [
            one.internal_id,
            one.billing_customer,
            one.now_linked,
            one.get_verdict_display(),
            one.reason,
        ]
        answer.write(writer.writerow([one.number, *(safe(str(cell)) for cell in cells)]))
    return answer


def _found(key: int) -> LinkImport:
    batch = LinkImport.objects.filter(pk=key).first()
    if batch is None:
        raise Http404("there is no such import")
    return batch


def _permit(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied

"""The ledger as CSV: streamed in pages of rows, nothing in it that a spreadsheet would run, and itself on record."""

import csv
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import structlog
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse

from ledger import book, cells, clock, journal
from ledger.models import Customer, LedgerRow
from ledger.readonly import actor_names
from meshline import stepup
from meshline.console import ledger_pages
from meshline.console.ledger_list import LedgerList
from meshline.console.page import Site
from meshline.console.parts import may_see_personal

log = structlog.get_logger()
EXPORT = "ledger.export_ledger"
ACTIVE = "=+-@"
COLUMNS = (
    "row", "recorded_at_utc", "subject", "subject_id", "decision", "actor", "actor_name", "prior_state", "post_state",
    "mode", "outcome", "error_code", "amount_minor", "currency", "customer_id", "customer_external_id", "customer_name",
    "customer_email", "event_id", "action_id", "correlation_id", "confirmation_id", "applied_at_utc", "latency_ms",
    "rule_version", "key", "reasons",
)  # fmt: skip


class Line:
    """What `csv` writes into: it hands each line back."""

    def write(self, text: str) -> str:
        """The line itself."""
        return text


def export(site: Site, request: HttpRequest) -> HttpResponse:
    """Every row the filters leave. By POST only, for it writes a row: who took which rows out of the house."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not (request.user.has_perm(ledger_pages.VIEW) and request.user.has_perm(EXPORT)):
        raise PermissionDenied
    personal = request.POST.get("personal") == "yes"
    if personal and not may_see_personal(request):
        raise PermissionDenied
    if personal and stepup.needed(request):
        return stepup.demand(request, back=reverse(ledger_pages.LEDGER))
    wanted = request.POST.copy()
    for name in ("personal", "csrfmiddlewaretoken"):
        wanted.pop(name, None)
    try:
        listed = ledger_pages.listing(request, wanted)
    except ValueError:
        messages.error(request, "These filters cannot be read; nothing was exported.")
        return HttpResponseRedirect(reverse(ledger_pages.LEDGER))
    return cast(HttpResponse, _answer(request, listed, personal=personal))  # a streamed one has the same headers


def _answer(request: HttpRequest, listed: LedgerList, *, personal: bool) -> StreamingHttpResponse:
    newest = LedgerRow.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    number, actor = str(uuid.uuid4()), f"user:{request.user.pk}"
    filters = {name: value for name, value in listed.params.items() if value and name not in ("before", "after")}
    _note(number, actor, "export", {"filters": filters, "personal": personal, "up_to_row": newest})
    log.info("ledger_export", export=number, actor=actor, personal=personal, up_to_row=newest)
    lines = _lines(listed, newest, personal=personal, number=number, actor=actor)
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"ledger-{clock.now():%Y%m%dT%H%M%SZ}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _lines(listed: LedgerList, newest: int, *, personal: bool, number: str, actor: str) -> Iterator[str]:
    """Head, rows, and the row that says how many there were: an export that broke off has none."""
    writer = csv.writer(Line(), quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    yield "\ufeff" + writer.writerow(COLUMNS)  # without the mark a spreadsheet takes UTF-8 for something else
    count = 0
    for batch in journal.batches(listed.queryset.defer("inputs"), newest):
        count += len(batch)
        yield "".join(writer.writerow(cells_of) for cells_of in _cells(batch, personal=personal))
    _note(number, actor, "exported", {"rows": count, "up_to_row": newest})


def _note(number: str, actor: str, decision: str, inputs: dict[str, Any]) -> None:
    """The export as a ledger row; it moves nothing."""
    row = {"subject_kind": "export", "subject_id": number, "prior_state": "export", "post_state": "export"}
    book.write_rows([row | {"decision": decision, "actor": actor, "inputs": inputs, "outcome": decision}])


def _cells(batch: list[LedgerRow], *, personal: bool) -> Iterator[list[Any]]:
    """A page of rows as cells; the people and customers in it in one look-up each."""
    names = actor_names(row.actor for row in batch)
    customers = Customer.objects.in_bulk({row.customer_id for row in batch if row.customer_id})
    for row in batch:
        who = customers.get(row.customer_id) if row.customer_id else None
        yield [
            row.pk, stamp(row.recorded_at), row.subject_kind, safe(row.subject_id), safe(row.decision), safe(row.actor),
            safe(names.get(row.actor, "")), safe(row.prior_state), safe(row.post_state), safe(row.mode),
            safe(row.outcome), safe(row.error_code), row.amount_minor, safe(row.currency), row.customer_id,
            safe(who.external_id if who else ""), safe(_name(who, personal=personal)),
            safe(_email(who, personal=personal)), row.event_id, row.action_id, row.correlation_id,
            safe(row.confirmation_id), stamp(row.applied_at), row.latency_ms, safe(row.rule_version), safe(row.key),
            safe(reasons(row.reasons)),
        ]  # fmt: skip


def _name(who: Customer | None, *, personal: bool) -> str:
    if who is None:
        return ""
    return who.name if personal else f"{who.name[:1]}***" if who.name else ""


def _email(who: Customer | None, *, personal: bool) -> str:
    if who is None:
        return ""
    return who.email if personal else cells.masked(who.email)


def reasons(said: Iterable[Any]) -> str:
    """The reasons of a row in one cell: `safety_window: hold: the provider may still collect`."""
    parts = (
        ": ".join(str(one[name]) for name in ("rule", "verdict", "reason") if one.get(name))
        for one in said
        if isinstance(one, dict)
    )
    return "; ".join(parts)


def stamp(at: datetime | None) -> str:
    """A time as every system reads it: `2026-11-21T14:02:11.123456Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""


def safe(text: str) -> str:
    """A text that stays one in a spreadsheet: nothing that a formula begins with, in any width, begins it.

    Control characters, marks that hide, and blanks before such a sign do not help it: they are looked through.
    """
    head = text.lstrip()
    while head and unicodedata.category(head[0]) in ("Cc", "Cf", "Zs"):
        head = head[1:].lstrip()
    first = unicodedata.normalize("NFKC", head[:1])[:1]
    if text[:1] in ("\t", "\r", "\n") or (first and first in ACTIVE):
        return f"'{text}"
    return text

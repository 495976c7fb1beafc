"""Customers: who they are, what is known of them and how old that is, and their story."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from ledger import clock
from ledger.models import ContextRecord, Customer, Event, LedgerRow
from ledger.readonly import MOST_FOUND, actor_names
from meshline.api import personal
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.errors import Problem
from meshline.api.shapes import ContextShape, ContractShape, CustomerShape, Link, TimelinePage
from meshline.api.strict import Empty, Query, Text, Whole
from meshline.console.facts import instant
from sync import refresh

MOST_LINKS = 100
BEYOND = 10**18 - 1  # above every key that will ever be
CURSOR = re.compile(r"e(\d{1,18})r(\d{1,18})")


class CustomerQuery(Paged):
    """How customers are looked for."""

    q = Text(255, required=False, help_text="External id or e-mail address in full, or the beginning of the name")


class TimelineQuery(Query):
    """Which part of the story."""

    before = Text(40, required=False, help_text="Lines older than this cursor, from `older` of the page before")
    limit = Whole(1, 200, required=False, default=50)


class CustomerList(ApiView):
    """Customers, newest first, or the few that a word finds."""

    needs = "ledger.view_customer"

    @looks("customers_list", "Find customers", page_of(CustomerShape), CustomerQuery)
    def get(self, request: Request) -> Response:
        """By exact id or address, or the beginning of the name."""
        asked = self.query(CustomerQuery)
        rows = Customer.objects.all()
        return self.page(searched(rows, asked["q"]) if "q" in asked else rows, asked, self.shown)

    def shown(self, rows: Sequence[Customer]) -> list[dict[str, Any]]:
        """The rows with addresses as this person may see them."""
        return [customer_data(one, in_full=self.sees_personal()) for one in rows]


class CustomerContext(ApiView):
    """Everything known of one customer."""

    needs = "ledger.view_contextrecord"

    @looks("customers_context", "What is known of a customer, with the age of each source", ContextShape, Query)
    def get(self, request: Request, external_id: str) -> Response:
        """The stored context; nothing is read from a provider by looking."""
        self.query(Query)
        customer = found(Customer.objects.all(), external_id=external_id)
        return Response(context(customer, in_full=self.sees_personal()))


class CustomerTimeline(ApiView):
    """What happened to one customer and what was decided, in one story."""

    needs = "ledger.view_ledgerrow"

    @looks("customers_timeline", "Events and ledger rows of a customer, newest first", TimelinePage, TimelineQuery)
    def get(self, request: Request, external_id: str) -> Response:
        """Both are walked by their keys, so a page costs the same however long the story is."""
        asked = self.query(TimelineQuery)
        customer = found(Customer.objects.all(), external_id=external_id)
        seen = CURSOR.fullmatch(asked["before"]) if "before" in asked else None
        if "before" in asked and seen is None:
            raise Problem(422, "field", "before: must be a cursor from `older` of another page", "before")
        lines, cursor = story(customer.pk, int(asked["limit"]), seen)
        older = f"{request.path}?{urlencode({'before': cursor, 'limit': asked['limit']})}" if cursor else None
        return Response({"older": older, "results": lines})


class CustomerRefresh(ApiView):
    """A fresh read from every system that knows the customer."""

    needs = "ledger.view_contextrecord"

    @acts("customers_refresh", "Ask for a fresh read; the context shows it as pending", Empty, ContextShape, 202)
    def post(self, request: Request, external_id: str) -> Response:
        """Queued for a worker; the answer is the context as it is now."""
        self.body(Empty)
        customer = found(Customer.objects.all(), external_id=external_id)
        refresh.ask(customer.pk, by=self.person())
        return Response(context(customer, in_full=self.sees_personal()), status=202)


def searched(rows: QuerySet[Customer], word: str) -> QuerySet[Customer]:
    """The customers a word finds: one indexed look-up for each column, as an OR over them would scan."""
    looks_up = ({"external_id": word}, {"email": word}, {"name__startswith": word})
    keys = {key for one in looks_up for key in rows.filter(**one).values_list("pk", flat=True)[:MOST_FOUND]}
    return rows.filter(pk__in=keys)


def customer_data(customer: Customer, *, in_full: bool) -> dict[str, Any]:
    """One customer as it may be given."""
    return {**CustomerShape(customer).data, "email": personal.email(customer.email, in_full=in_full)}


def context(customer: Customer, *, in_full: bool) -> dict[str, Any]:
    """Everything known of one customer."""
    record = ContextRecord.objects.filter(customer=customer).first()
    return {
        "customer": customer_data(customer, in_full=in_full),
        "contracts": ContractShape(customer.contracts.order_by("-id")[:MOST_LINKS], many=True).data,
        "links": Link(customer.links.order_by("system", "kind", "id")[:MOST_LINKS], many=True).data,
        "blocks": blocks(record, in_full=in_full),
        "pending_since": record.pending_since if record else None,
    }


def blocks(record: ContextRecord | None, *, in_full: bool) -> list[dict[str, Any]]:
    """Each source with its age; past its limit, or never read, it is stale."""
    made, now = [], clock.now()
    for name, raw in (record.blocks if record else {}).items():
        if not isinstance(raw, Mapping):
            continue
        read = instant(raw.get("synced_at"))
        age = int((now - read).total_seconds()) if read else None
        kept = {member: value for member, value in raw.items() if member not in ("synced_at", "live")}
        stale = age is None or age > settings.MESHLINE_CONTEXT_MAX_AGE_SECONDS
        shown = personal.shown(kept, in_full=in_full)
        made.append({"name": name, "synced_at": read, "age_seconds": age, "stale": stale, "facts": shown})
    return made


def story(customer_id: int, size: int, seen: re.Match[str] | None) -> tuple[list[dict[str, Any]], str]:
    """The newest lines below the cursor, and the cursor of what is older; empty when nothing is."""
    events, rows = Event.objects.filter(customer=customer_id), LedgerRow.objects.filter(customer_id=customer_id)
    if seen is not None:
        events, rows = events.filter(pk__lt=int(seen[1])), rows.filter(pk__lt=int(seen[2]))
    heard, written = list(events.order_by("-id")[: size + 1]), list(rows.order_by("-id")[: size + 1])
    names = actor_names(row.actor for row in written)
    lines = [_of_event(one) for one in heard] + [_of_row(one, names) for one in written]
    lines.sort(key=lambda line: (line["at"], line["source"], line["id"]), reverse=True)
    shown = lines[:size]
    if len(lines) <= size:
        return shown, ""
    below = {"event": int(seen[1]) if seen else BEYOND, "ledger": int(seen[2]) if seen else BEYOND}
    for line in shown:
        below[line["source"]] = min(below[line["source"]], line["id"])
    return shown, f"e{below['event']}r{below['ledger']}"


def _of_event(event: Event) -> dict[str, Any]:
    return {
        "at": event.received_at, "source": "event", "id": event.pk, "what": event.kind,
        "subject": f"{event.source}:{event.object_id}", "state": event.state, "actor": event.source, "action": None,
        "correlation_id": event.correlation_id,
    }  # fmt: skip


def _of_row(row: LedgerRow, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "at": row.recorded_at, "source": "ledger", "id": row.pk, "what": row.decision,
        "subject": f"{row.subject_kind}:{row.subject_id}", "state": row.post_state,
        "actor": names.get(row.actor, row.actor), "action": row.action_id, "correlation_id": row.correlation_id,
    }  # fmt: skip

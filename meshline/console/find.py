"""Find any id: one box for every id of every system, by exact match on indexed columns, a customer also by name."""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.models import ReviewItem
from ledger import cells
from ledger.models import Action, Contract, Customer, Event, ExternalId, LedgerRow
from ledger.words import event_words, kind_words
from meshline.console.page import Site

MOST, LONGEST, RECENT = 8, 255, 5000
ITEM = re.compile(r"(?:RV-?)(\d{1,12})", re.IGNORECASE)
LAST_EIGHT = re.compile(r"[0-9a-f]{8}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found: where it belongs, what to call it, where it is."""

    group: str
    title: Any
    detail: Any
    url: str


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """Straight to the page of the only hit; else a short list, or what was searched."""
    typed = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    hits = search(request, typed) if typed else []
    if len(hits) == 1:
        return HttpResponseRedirect(hits[0].url)
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.group, []).append(hit)
    shown = {"title": "Find any id", "find_query": typed, "groups": groups, "searched": SEARCHED}
    return site.draw(request, "console/find.html", shown, 200 if hits or not typed else 404)


SEARCHED = (
    "review items (RV-12)",
    "actions (id or its last 8 characters)",
    "events and their objects (evt_, in_, sub_, cus_, ticket)",
    "ids linked to customers and contracts in every system",
    "external ids",
    "correlation ids",
    "e-mail addresses in full",
    "the beginning of customers' names",
)


def search(request: HttpRequest, typed: str) -> list[Hit]:
    """Everything with this id that the person may see, each found once."""
    found: dict[str, Hit] = {}
    for permission, look in LOOKS:
        if request.user.has_perm(permission):
            for hit in look(typed):
                found.setdefault(hit.url, hit)
    return list(found.values())


def _url(record: Model) -> str:
    return reverse(f"admin:{record._meta.app_label}_{record._meta.model_name}_change", args=[record.pk])


def _items(typed: str) -> Iterable[Hit]:
    number = ITEM.fullmatch(typed)
    key = as_uuid(typed)
    rows: QuerySet[ReviewItem] | list[ReviewItem] = []
    if number:
        rows = ReviewItem.objects.filter(pk=int(number[1]))
    elif key:
        rows = ReviewItem.objects.filter(action=key)[:MOST]
    return [Hit("Review items", str(one), cells.theirs(one.sentence, 120), _url(one)) for one in rows]


def _actions(typed: str) -> Iterable[Hit]:
    key = as_uuid(typed)
    rows: list[Action] = list(Action.objects.filter(pk=key)) if key else []
    if key and not rows:
        rows = list(Action.objects.filter(correlation_id=key)[:MOST])
    if not rows and LAST_EIGHT.fullmatch(typed):
        # Ids are ordered by time and the tail is random: only what is recent is looked at, which stays quick.
        recent = Action.objects.order_by("-id")[:RECENT]
        keys = [pk for pk in recent.values_list("pk", flat=True) if pk.hex.endswith(typed.lower())]
        rows = list(Action.objects.filter(pk__in=keys[:MOST]))
    return [
        Hit("Actions", kind_words(one.kind), cells.tag(one.state, one.get_state_display()), _url(one)) for one in rows
    ]


def _events(typed: str) -> Iterable[Hit]:
    key = as_uuid(typed)
    rows = list(Event.objects.filter(correlation_id=key)[:MOST]) if key else []
    rows += list(Event.objects.filter(source__in=settings.MESHLINE_PROVIDERS, provider_event_id=typed)[:MOST])
    rows += list(Event.objects.filter(object_id=typed).order_by("-id")[:MOST])
    return [
        Hit(
            f"Events from {cells.system(one.source)}",
            event_words(one.kind),
            cells.moment(one.received_at, seconds=True),
            _url(one),
        )
        for one in rows
    ]


def _links(typed: str) -> Iterable[Hit]:
    hits = []
    for one in ExternalId.objects.filter(value=typed).select_related("customer", "contract")[:MOST]:
        owner: Model = one.contract or one.customer
        word = "Contract of " if one.contract else ""
        hits.append(
            Hit(
                f"Known at {cells.system(one.system)}", cells.theirs(f"{word}{one.customer}", 80), one.kind, _url(owner)
            )
        )
    return hits


def _customers(typed: str) -> Iterable[Hit]:
    rows = list(Customer.objects.filter(external_id=typed))
    if "@" in typed:
        rows += list(Customer.objects.filter(email=typed)[:MOST])
    elif not rows and len(typed) >= 2:
        rows += list(Customer.objects.filter(name__startswith=typed).order_by("name")[:MOST])
        rows = rows or list(
            Customer.objects.filter(name__startswith=typed[:1].upper() + typed[1:]).order_by("name")[:MOST]
        )
    return [Hit("Customers", cells.theirs(one, 80), one.get_tier_display(), _url(one)) for one in rows]


def _contracts(typed: str) -> Iterable[Hit]:
    rows = Contract.objects.filter(external_id=typed).select_related("customer")
    return [
        Hit("Contracts", cells.theirs(f"Contract of {one.customer}", 80), one.get_state_display(), _url(one))
        for one in rows
    ]


def _ledger(typed: str) -> Iterable[Hit]:
    number = typed.removeprefix("#")
    if not (typed.startswith("#") and number.isascii() and number.isdigit() and len(number) < 19):
        return []
    rows = LedgerRow.objects.filter(pk=int(number))
    return [Hit("Ledger", f"Row #{one.pk}", one.decision, _url(one)) for one in rows]


def as_uuid(typed: str) -> uuid.UUID | None:
    """The text as UUID, if it is one."""
    try:
        return uuid.UUID(typed) if len(typed) in (32, 36) else None
    except ValueError:
        return None


LOOKS: tuple[tuple[str, Callable[[str], Iterable[Hit]]], ...] = (
    ("gates.view_reviewitem", _items),
    ("ledger.view_action", _actions),
    ("ledger.view_event", _events),
    ("ledger.view_customer", _links),
    ("ledger.view_customer", _customers),
    ("ledger.view_contract", _contracts),
    ("ledger.view_ledgerrow", _ledger),
)

"""Reading the ledger at any size: where a time begins, what an id leads to, about how many rows there are."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from ledger import sets
from ledger.models import Action, Contract, Customer, Event, ExternalId, LedgerRow

MOST_THREADS = 500
PAGE = 2000
# Rows are numbered as they are written; a transaction may end, or a clock may stand, this much later than another.
SLACK = timedelta(hours=1)
OWN = "meshline"  # the source of what people ask for
FEW = 5000  # below this many rows a range by time needs no help

ENDS = "select min(id), max(id) from ledger_ledgerrow"
# The first id from which on rows are of a time: halving the ids by their key needs no index on the time, which every
# row written would have to pay for, and does not depend on what the planner makes of two orders that go together.
FIRST_SINCE = """
with recursive ends as (select min(id) as low, max(id) + 1 as high from ledger_ledgerrow),
look(low, high) as (
  select low, high from ends
  union all
  select case when r.recorded_at < %(at)b then r.id + 1 else l.low end,
         case when r.recorded_at < %(at)b then l.high else l.low + (l.high - l.low) / 2 end
    from look l cross join lateral (
      select id, recorded_at from ledger_ledgerrow where id >= l.low + (l.high - l.low) / 2 order by id limit 1) r
   where l.low < l.high)
select min(high) from look"""
ABOUT = "select reltuples::bigint from pg_class where oid = 'ledger_ledgerrow'::regclass"


@dataclass(frozen=True, slots=True)
class Found:
    """What a typed id is, in words, and the rows it leads to."""

    what: str
    rows: Q


def within(since: datetime | None, until: datetime | None) -> Q:
    """Rows recorded from `since` up to `until`, narrowed by their ids as well where there are many."""
    wanted = Q()
    if since is not None:
        wanted &= Q(recorded_at__gte=since)
    if until is not None:
        wanted &= Q(recorded_at__lt=until)
    low, high = sets.run(ENDS)[0]
    if low is None or high - low < FEW:
        return wanted
    if since is not None:
        wanted &= Q(pk__gte=first_since(since - SLACK))
    if until is not None:
        wanted &= Q(pk__lt=first_since(until + SLACK))
    return wanted


def first_since(at: datetime) -> int:
    """The id of the first row of this time or later; one above the last when there is none."""
    return int(sets.run(FIRST_SINCE, {"at": at})[0][0] or 0)


def about() -> str:
    """About how many rows there are, as the database last counted: `about 1.2 million`; empty when it never did."""
    count = int(sets.run(ABOUT)[0][0])
    if count < 1000:
        return ""
    return f"about {count / 1_000_000:.1f} million" if count >= 1_000_000 else f"about {round(count, -3):,}"


def look_up(term: str) -> Found | None:
    """The rows an id of any kind leads to, by indexed look-ups only; None for an id that nobody knows."""
    if term.startswith("#"):
        return _by_number(term[1:])
    key = as_uuid(term)
    if key is not None:
        return _by_uuid(key)
    return _by_event(term) or _by_link(term) or _by_confirmation(term) or _by_number(term)


def _by_number(number: str) -> Found | None:
    """A row's own number. Other systems number their tickets and records too, so these are asked first."""
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return Found("row", Q(pk=int(number))) if LedgerRow.objects.filter(pk=int(number)).exists() else None


def _by_confirmation(term: str) -> Found | None:
    """What a provider called the thing it did for us: the threads in which it was confirmed."""
    rows = LedgerRow.objects.filter(confirmation_id=term).order_by("-id")
    threads = list(dict.fromkeys(rows.values_list("correlation_id", flat=True)[:MOST_THREADS]))
    return Found("confirmation", Q(correlation_id__in=threads)) if threads else None


def _by_uuid(key: uuid.UUID) -> Found | None:
    if LedgerRow.objects.filter(correlation_id=key).exists():
        return Found("correlation id", Q(correlation_id=key))
    return Found("action", Q(action_id=key)) if LedgerRow.objects.filter(action_id=key).exists() else None


def _by_event(term: str) -> Found | None:
    """An event's own id, or the object it is about (an invoice, a charge, a ticket): their threads."""
    by_id = Event.objects.filter(source__in=[*settings.MESHLINE_PROVIDERS, OWN], provider_event_id=term)
    by_object = Event.objects.filter(object_id=term).order_by("-id")
    for what, events in (("event", by_id), ("object of events", by_object)):
        threads = list(dict.fromkeys(events.values_list("correlation_id", flat=True)[:MOST_THREADS]))
        if threads:
            return Found(what, Q(correlation_id__in=threads))
    return None


def _by_link(term: str) -> Found | None:
    """An id linked to a customer or a contract, our own external id, an e-mail address."""
    link = ExternalId.objects.filter(value=term).order_by("contract_id").first()
    if link is not None and link.contract_id is None:
        return Found("customer", Q(customer_id=link.customer_id))
    contract = (
        link.contract_id
        if link is not None
        else Contract.objects.filter(external_id=term).values_list("pk", flat=True).first()
    )
    if contract is not None:
        return Found("contract", of_contract(contract))
    customers = Customer.objects.filter(Q(external_id=term) if "@" not in term else Q(email=term))
    keys = list(customers.values_list("pk", flat=True)[:20])
    return Found("customer", Q(customer_id__in=keys)) if keys else None


def of_contract(contract: int) -> Q:
    """Rows about a contract itself and about its newest actions."""
    actions = Action.objects.filter(contract=contract).order_by("-id").values_list("pk", flat=True)[:MOST_THREADS]
    return Q(subject_kind="contract", subject_id=str(contract)) | Q(action_id__in=list(actions))


def of_event(event: int) -> Q:
    """Rows of one event: all of them carry its correlation id, which is indexed."""
    thread = Event.objects.filter(pk=event).values_list("correlation_id", flat=True).first()
    return Q(correlation_id=thread, event_id=event) if thread else Q(pk__in=[])


def as_uuid(term: str) -> uuid.UUID | None:
    """The text as UUID, if it is one."""
    try:
        return uuid.UUID(term) if len(term) in (32, 36) else None
    except ValueError:
        return None


def batches(rows: QuerySet[Any], upto: int) -> Iterator[list[LedgerRow]]:
    """These rows, newest first from id `upto` down, some thousands at a time.

    By key and without a server-side cursor: memory stays flat, no transaction stays open while somebody reads slowly,
    and a pooler in front of the database does not matter.
    """
    below = upto + 1
    while True:
        page = list(rows.filter(pk__lt=below).order_by("-pk")[:PAGE])
        if not page:
            return
        yield page
        below = page[-1].pk

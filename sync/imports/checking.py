"""Verifying the rows of an import: what is known here in a few statements, then each id live at the provider.

A slice of a task's time at once; what is left goes on in the next one. No transaction is open during a call.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django_q.tasks import async_task

from ledger import clock, sets
from sync import attempts, health
from sync.errors import AuthError, PermanentError, ProviderError
from sync.imports.models import LinkImport, LinkImportRow
from sync.providers import base, stripe_portal
from sync.providers.stripe_portal import StripePortal
from sync.wiretypes import Exchange, FrozenRequest

log = structlog.get_logger(__name__)

TASK = "sync.imports.upkeep.job"
BATCH, THREADS = 100, 4
SLICE_SECONDS = 45.0
MOST_TRIES = 3
WAITING, LINK, SAME, BAD = (str(one) for one in LinkImportRow.Verdict.values)

# What is known here of each row: its customer by the ERP's id, that customer's present id, and who has the wanted one.
KNOWN_SQL = """
select r.id, e.customer_id, c.state = 'archived',
       (select min(x.value) from ledger_externalid x
         where x.customer_id = e.customer_id and x.system = 'stripe' and x.kind = 'customer'
           and x.value <> r.billing_customer),
       o.customer_id
  from sync_linkimportrow r
  left join ledger_externalid e on e.system = 'netsuite' and e.kind = 'customer' and e.value = r.internal_id
  left join ledger_customer c on c.id = e.customer_id
  left join ledger_externalid o on o.system = 'stripe' and o.kind = 'customer' and o.value = r.billing_customer
 where r.id = any(%(ids)b::bigint[])"""
STORE_SQL = """
update sync_linkimportrow r set verdict = v.verdict, reason = v.reason, customer_id = v.customer, now_linked = v.linked,
       tries = r.tries + 1
  from unnest(%(id)b::bigint[], %(verdict)b::text[], %(reason)b::text[], %(customer)b::bigint[], %(linked)b::text[])
       as v(id, verdict, reason, customer, linked) where r.id = v.id"""


@dataclass(slots=True)
class Seen:
    """What was found out about one row."""

    row: LinkImportRow
    verdict: str = WAITING
    reason: str = ""
    customer: int | None = None
    linked: str = ""


@dataclass(slots=True)
class Asked:
    """What the provider said of one id: empty `wrong` where all is well; `later` where it has to be asked again."""

    wrong: str = ""
    later: bool = False
    error: ProviderError | None = None
    exchanges: list[Exchange] = field(default_factory=list)


def rows_of(batch: LinkImport) -> int:
    """Check as many rows as fit into a slice of time; returns how many still wait."""
    ends = time.monotonic() + SLICE_SECONDS
    waiting = LinkImportRow.objects.filter(batch=batch, verdict=WAITING)
    with ThreadPoolExecutor(THREADS) as pool:
        while time.monotonic() < ends and not _is_paused():
            rows = list(waiting.order_by("tries", "number")[:BATCH])
            if not rows or not _check(rows, pool):
                break
    return waiting.count()


def start(batch: LinkImport) -> None:
    """Ring for the job, in the caller's transaction."""
    async_task(TASK, batch.pk)


def _is_paused() -> bool:
    return health.wait_until(["stripe"], clock.now()) is not None


def _check(rows: Sequence[LinkImportRow], pool: ThreadPoolExecutor) -> bool:
    """A batch of rows; False when it is no use to go on now."""
    seen = locally(rows)
    open_ones = [one for one in seen if one.verdict in (LINK, SAME)]
    said = list(pool.map(_asked, open_ones))
    attempts.store((None, None, exchange) for one in said for exchange in one.exchanges)
    health.note_calls(
        [exchange for one in said for exchange in one.exchanges], [one.error for one in said if one.error]
    )
    for one, answer in zip(open_ones, said, strict=True):
        if answer.later and one.row.tries + 1 < MOST_TRIES:
            one.verdict, one.reason = WAITING, ""
        elif answer.wrong:
            one.verdict, one.reason = BAD, answer.wrong
    store(seen)
    return not said or not all(one.later for one in said)


def store(seen: Sequence[Seen]) -> None:
    """Write verdicts down."""
    sets.run(
        STORE_SQL,
        {
            "id": [one.row.pk for one in seen], "verdict": [one.verdict for one in seen],
            "reason": [one.reason[:300] for one in seen], "customer": [one.customer for one in seen],
            "linked": [one.linked for one in seen],
        },
    )  # fmt: skip


def locally(rows: Sequence[LinkImportRow]) -> list[Seen]:
    """What our own records say of rows: a verdict each; after `link` and `same` the provider is still to be asked."""
    known = {row[0]: row[1:] for row in sets.run(KNOWN_SQL, {"ids": [one.pk for one in rows]})}
    return [_local(row, *known[row.pk]) for row in rows]


def _local(
    row: LinkImportRow, customer: int | None, archived: bool | None, linked: str | None, owner: int | None
) -> Seen:
    seen = Seen(row, BAD, customer=customer, linked=linked or "")
    if customer is None:
        seen.reason = "internal_id: nobody here has this ERP id; sync the customer first"
    elif archived:
        seen.reason = "internal_id: this customer is archived"
    elif owner is not None and owner != customer:
        seen.reason = "stripe_id: it is linked to another customer"
    elif linked:
        seen.reason = f"internal_id: this customer is linked to {linked}; only a blank link is filled"
    elif owner == customer:
        seen.verdict, seen.linked = SAME, row.billing_customer
    else:
        seen.verdict = LINK
    return seen


def _asked(seen: Seen) -> Asked:
    """One id, read live. Runs in a thread: no ORM."""
    asked = Asked()
    adapter = stripe_portal.get()
    try:
        found = _customer(adapter, seen.row.billing_customer, asked.exchanges)
    except AuthError as error:
        return Asked("stripe_id: Stripe refuses our key", error=error, exchanges=asked.exchanges)
    except PermanentError as error:
        words = "Stripe refuses to show it" if error.status != 404 else _not_there(error.message)
        return Asked(f"stripe_id: {words}", error=error, exchanges=asked.exchanges)
    except ProviderError as error:
        return Asked("stripe_id: Stripe did not answer, so it is not verified", True, error, asked.exchanges)  # noqa: FBT003
    asked.wrong = fault_of(found, seen.row.email)
    return asked


def _customer(adapter: StripePortal, customer_id: str, exchanges: list[Exchange]) -> dict[str, object]:
    path = f"/v1/customers/{base.path_id(customer_id, adapter.name)}"
    return adapter.document(adapter.read(FrozenRequest("stripe", "GET", path, adapter.read_headers(), ""), exchanges))


def _not_there(message: str) -> str:
    """Stripe says so itself when an id is of its other mode."""
    if "a similar object exists in" in message:
        other = "live" if "exists in live mode" in message else "test"
        return f"it is a {other} mode id, and our key is of the other mode"
    return "Stripe has no such customer"


def fault_of(found: dict[str, object], email: str) -> str:
    """Why a customer at Stripe may not be linked; empty where it may."""
    if found.get("deleted"):
        return "stripe_id: this customer was deleted in Stripe"
    live = found.get("livemode")
    if isinstance(live, bool) and live != is_live_key():
        return f"stripe_id: it is a {'live' if live else 'test'} mode customer, and our key is of the other mode"
    theirs = found.get("email")
    if email and (not isinstance(theirs, str) or theirs.strip().casefold() != email.strip().casefold()):
        return "email: Stripe has another address for this customer; leave the cell empty to link by id alone"
    return ""


def is_live_key() -> bool:
    """Whether we work in live mode."""
    return "_live_" in str(settings.MESHLINE_PROVIDERS["stripe"].get("api_key", ""))

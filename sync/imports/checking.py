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
from sync.providers import base, stripe_accounts, stripe_portal
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
       coalesce((select s.billing_account from sync_synclink s
                  where s.internal_id::text = r.internal_id and s.account = %(erp)b limit 1), ''),
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
       billing_account = v.account, tries = r.tries + 1
  from unnest(%(id)b::bigint[], %(verdict)b::text[], %(reason)b::text[], %(customer)b::bigint[], %(linked)b::text[],
              %(account)b::text[])
       as v(id, verdict, reason, customer, linked, account) where r.id = v.id"""


@dataclass(slots=True)
class Seen:
    """What was found out about one row."""

    row: LinkImportRow
    verdict: str = WAITING
    reason: str = ""
    customer: int | None = None
    linked: str = ""
    account: str = ""  # the billing account its customer goes by, as far as the sync has told; then where it was found


@dataclass(slots=True)
class Asked:
    """What the provider said of one id: empty `wrong` where all is well; `later` where it has to be asked again."""

    wrong: str = ""
    later: bool = False
    account: str = ""
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
    attempts.store_reads(exchange for one in said for exchange in one.exchanges)
    health.note_calls(
        [exchange for one in said for exchange in one.exchanges], [one.error for one in said if one.error]
    )
    for one, answer in zip(open_ones, said, strict=True):
        one.account = answer.account
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
            "linked": [one.linked for one in seen], "account": [one.account for one in seen],
        },
    )  # fmt: skip


def locally(rows: Sequence[LinkImportRow]) -> list[Seen]:
    """What our own records say of rows: a verdict each; after `link` and `same` the provider is still to be asked."""
    erp = str(settings.MESHLINE_PROVIDERS["netsuite"]["account"])
    known = {row[0]: row[1:] for row in sets.run(KNOWN_SQL, {"ids": [one.pk for one in rows], "erp": erp})}
    return [_local(row, *known[row.pk]) for row in rows]


def _local(
    row: LinkImportRow, customer: int | None, archived: bool | None, account: str, linked: str | None, owner: int | None
) -> Seen:
    seen = Seen(row, BAD, customer=customer, linked=linked or "", account=account)
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
    """One id, read live: in the account its customer goes by, else in each until one knows it. In a thread: no ORM."""
    asked = Asked()
    for account in [seen.account] if seen.account in stripe_accounts.connected() else stripe_accounts.connected():
        asked = _asked_in(account, seen, asked.exchanges)
        if asked.error is None or asked.error.status != 404:
            break
    if asked.error is not None and asked.error.status == 404 and seen.account:
        return _elsewhere(asked, seen)
    return asked


def _asked_in(account: str, seen: Seen, exchanges: list[Exchange]) -> Asked:
    adapter = stripe_portal.get()
    try:
        with stripe_accounts.acting_for(account):
            found = _customer(adapter, seen.row.billing_customer, exchanges)
    except AuthError as error:
        return Asked("stripe_id: Stripe refuses our key", error=error, exchanges=exchanges)
    except PermanentError as error:
        words = "Stripe refuses to show it" if error.status != 404 else _not_there(error.message)
        return Asked(f"stripe_id: {words}", error=error, exchanges=exchanges)
    except ProviderError as error:
        words = "stripe_id: Stripe did not answer, so it is not verified"
        return Asked(words, later=True, error=error, exchanges=exchanges)
    return Asked(fault_of(found, seen.row.email, account), account=account, exchanges=exchanges)


def _elsewhere(asked: Asked, seen: Seen) -> Asked:
    """Not in its own account: say so where another account of ours has it."""
    for account in stripe_accounts.connected():
        if account == seen.account:
            continue
        other = _asked_in(account, seen, asked.exchanges)
        if other.error is None:
            asked.wrong = f"stripe_id: it is of account {account}, and this customer goes by account {seen.account}"
            return asked
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


def fault_of(found: dict[str, object], email: str, account: str = "") -> str:
    """Why a customer at Stripe may not be linked; empty where it may."""
    if found.get("deleted"):
        return "stripe_id: this customer was deleted in Stripe"
    live = found.get("livemode")
    if isinstance(live, bool) and live != is_live_key(account):
        return f"stripe_id: it is a {'live' if live else 'test'} mode customer, and our key is of the other mode"
    theirs = found.get("email")
    if email and (not isinstance(theirs, str) or theirs.strip().casefold() != email.strip().casefold()):
        return "email: Stripe has another address for this customer; leave the cell empty to link by id alone"
    return ""


def is_live_key(account: str = "") -> bool:
    """Whether we work in live mode in an account."""
    config = stripe_accounts.config(settings.MESHLINE_PROVIDERS["stripe"], stripe_accounts.on_wire(account))
    return "_live_" in str(config.get("api_key", ""))

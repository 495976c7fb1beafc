"""Reading billing's balance: what events named, minute by minute; and its whole list, so that nothing is lost.

The list is read a day at a time, oldest day first, from where the last sweep ended (two hours before, to be sure) or
from the first day that counts. What is read is booked page by page; a sweep that breaks off is made good by the next.
Another first day is read from anew: what was decided stays as it is.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max

from gates import policy
from gates.models import Automation
from gates.playbooks import accounting
from gates.playbooks.accounting import Fact
from ledger import clock, sets
from sync import attempts, health
from sync.accounting import entries
from sync.accounting.models import BalanceEntry
from sync.actions.refund import biller
from sync.errors import ProviderError
from sync.models import PollMark
from sync.providers import stripe_accounts, stripe_balance
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

OFF = "accounting is off"
AT_ONCE = 200
LONGEST = 16  # of an account in the name of a mark
SECONDS = 60.0
OVERLAP, WINDOW = timedelta(hours=2), timedelta(days=1)
GONE = "billing does not list it any more"
UNREAD = "not read"
ADVANCE = """
insert into sync_pollmark (provider, seen_until, polled_at) values (%(name)b, %(until)b::timestamptz, %(now)b)
on conflict (provider) do update
   set seen_until = greatest(sync_pollmark.seen_until, excluded.seen_until), polled_at = excluded.polled_at"""

STAGED = "balance:stage"
# Whoever lowers an automation withdraws what it planned and did not send: what moved has to be booked all the same.
WITHDRAWN = """
update sync_balanceentry b set outcome = 'heard', due_at = %(now)b
 where b.outcome = 'planned' and exists (
       select from ledger_action a
        where a.correlation_id = b.correlation_id and a.automation = %(name)b and a.state = 'superseded'
          and a.params ->> 'transaction' = b.provider_id
          and not exists (select from ledger_action n
                           where n.correlation_id = a.correlation_id and n.kind = a.kind
                             and n.business_key = a.business_key and n.state not in ('superseded', 'observed')))
returning b.id"""


def run() -> str:
    """Read and book what is due: heard of by an event, waiting, or observed in another stage. Scheduled each minute."""
    if not settings.MESHLINE_ACCOUNTING["on"]:
        return OFF
    _take_back()
    counts: Counter[str] = Counter()
    for account in stripe_accounts.connected():
        counts += _due_of(stripe_accounts.on_wire(account))
    return _told(counts)


def sweep() -> str:
    """Read the lists of all billing accounts from where the last sweep ended, and book what is new. Scheduled."""
    if not settings.MESHLINE_ACCOUNTING["on"]:
        return OFF
    counts: Counter[str] = Counter()
    for account in stripe_accounts.connected():
        counts += _swept(stripe_accounts.on_wire(account), time.monotonic() + SECONDS)
    return _told(counts)


def _take_back() -> None:
    """After a step of the automation, or of a segment, decide anew about what lost its action by it; once a step."""
    steps = Automation.objects.filter(name=accounting.AUTOMATION)
    found = steps.aggregate(own=Max("stage_since"), part=Max("segments__stage_since"))
    since = max((one for one in found.values() if one is not None), default=None)
    if since is None or PollMark.objects.filter(provider=STAGED, seen_until__gte=since).exists():
        return
    with transaction.atomic():
        again = sets.run(WITHDRAWN, {"name": accounting.AUTOMATION, "now": clock.now()})
        sets.run(ADVANCE, {"name": STAGED, "until": since, "now": clock.now()})
    log.info("balance_taken_back", lines=len(again))


def _due_of(account: str) -> Counter[str]:
    """The entries of one account that are due, each read by itself."""
    counts: Counter[str] = Counter()
    stage = entries.stage_of(policy.current())
    due = BalanceEntry.objects.filter(account=account, outcome__in=entries.OPEN, due_at__lte=clock.now())
    due = due.exclude(outcome=entries.Outcome.OBSERVED, stage=stage)
    # What was heard comes before what waits for a person: however much waits, news is read within its minute.
    for entry in due.order_by("outcome", "due_at")[:AT_ONCE]:
        if _is_paused(account):
            return counts
        try:
            fact = _read(account, entry.provider_id)
        except ProviderError as error:
            log.warning("balance_unread", account=account, code=error.code)
            entries.postpone(entry, error.code or "unread", f"{error.provider}: {error.message}")
            counts[_unread(account, error)] += 1
            if error.is_transient:
                return counts
            continue
        if fact is None:
            entries.postpone(entry, "gone", GONE)
        else:
            counts += entries.take(account, [fact] if _counts(fact) else [])
            if not _counts(fact):
                _too_old(entry)
    return counts


def _counts(fact: Fact) -> bool:
    """Whether it is of the time that is recorded."""
    since: datetime | None = settings.MESHLINE_ACCOUNTING["since"]
    return since is None or fact.made_at >= since


def _too_old(entry: BalanceEntry) -> None:
    """Nothing was decided about it, and nothing stays: another first day may count it in."""
    BalanceEntry.objects.filter(pk=entry.pk, outcome__in=entries.OPEN).delete()


def _unread(account: str, error: ProviderError) -> str:
    """An account that could not be read, in words: the next run tries again."""
    return f"{UNREAD} in {stripe_accounts.name_of(account)} ({error.code or 'no answer'})"


def _swept(account: str, ends: float) -> Counter[str]:
    """Days of one account, oldest first, as long as there is time."""
    counts: Counter[str] = Counter()
    name, now = mark_of(account), clock.now()
    mark = PollMark.objects.filter(provider=name).first()
    # A mark in the future is of a clock that went wrong: it holds nothing up.
    since = min(mark.seen_until, now) - OVERLAP if mark else settings.MESHLINE_ACCOUNTING["since"]
    since = max(since, settings.MESHLINE_ACCOUNTING["since"])
    while since < now and time.monotonic() < ends and not _is_paused(account):
        until = min(since + WINDOW, now)
        try:
            counts += _day(account, since, until)
        except ProviderError as error:
            log.warning("balance_unread", account=account, code=error.code)
            counts[_unread(account, error)] += 1
            return counts
        sets.run(ADVANCE, {"name": name, "until": until, "now": clock.now()})
        since = until
    return counts


def mark_of(account: str) -> str:
    """The name that the mark of an account's sweep is kept under, with the first day that it began from."""
    name, since = stripe_accounts.name_of(account), settings.MESHLINE_ACCOUNTING["since"]
    short = name if len(name) <= LONGEST else hashlib.sha256(name.encode()).hexdigest()[:LONGEST]
    return f"balance:{since:%y%m%d}:{short}"


def _day(account: str, since: datetime, until: datetime) -> Counter[str]:
    """All pages of a time; a line that names only a payment is read whole where it is new."""
    counts: Counter[str] = Counter()
    cursor = ""
    while True:
        exchanges: list[Exchange] = []
        errors: list[ProviderError] = []
        try:
            with stripe_accounts.acting_for(account):
                facts, cursor = stripe_balance.page(biller(), cursor, exchanges, since=since, until=until)
                new = _undecided([one.id for one in facts])
                facts = [stripe_balance.whole(biller(), one, exchanges) for one in facts if one.id in new]
        except ProviderError as error:
            errors.append(error)
            raise
        finally:
            _noted(exchanges, errors)
        counts += entries.take(account, facts)
        if not cursor:
            return counts


def _undecided(ids: Sequence[str]) -> set[str]:
    """Those of these lines that are not planned or skipped yet."""
    done = BalanceEntry.objects.filter(provider_id__in=ids).exclude(outcome__in=entries.OPEN)
    return set(ids) - set(done.values_list("provider_id", flat=True))


def _read(account: str, line: str) -> Fact | None:
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    try:
        with stripe_accounts.acting_for(account):
            return stripe_balance.one(biller(), line, exchanges)
    except ProviderError as error:
        errors.append(error)
        raise
    finally:
        _noted(exchanges, errors)


def _is_paused(account: str) -> bool:
    return health.wait_until([health.key(stripe_accounts.PROVIDER, account)], clock.now()) is not None


def _noted(exchanges: list[Exchange], errors: list[ProviderError]) -> None:
    attempts.store((None, None, one) for one in exchanges)
    health.note_calls(exchanges, errors)


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing new"

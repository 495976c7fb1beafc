"""A run at work: pages of the ERP are read, decided and booked; the drain does the rest. One path for every mode.

One worker has a run at a time, by a lease that the database keeps. A worker may be killed anywhere: the next one goes
on behind the last booked row, and a row that was read and not booked is simply read again.
"""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from ledger import clock, sets, wake
from ledger.states import StaleState
from sync import attempts, health, residents, stopflag
from sync.actions.contract import erp
from sync.customer_sync import booking, collecting, criteria, fields, planning, reading, runs, vanished
from sync.customer_sync.adopting import RacedAdoption
from sync.customer_sync.booking import LostRun
from sync.customer_sync.fields import ErpCustomer
from sync.customer_sync.models import SyncProfile, SyncRun
from sync.customer_sync.planning import Way
from sync.errors import AuthError, PermanentError, ProviderError
from sync.providers import netsuite_customers, stripe_accounts
from sync.providers.netsuite_customers import Condition, NoSuchColumn, Query
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

LEASE_SECONDS = 20
RENEW_SECONDS = 5.0
CHUNK = 250  # rows that providers are asked about; those that need nobody come on top
MOST_AHEAD = 1000  # rows planned and not yet done: a pause or a cancel stops what lies beyond
WAIT_SECONDS = 0.5
RACES = 5
PROVIDERS = ("netsuite", "stripe")
OVERLAP = timedelta(minutes=15)
STAMP = "%Y-%m-%d %H:%M:%S"
TAKE = """
update sync_syncrun set lease_token = %(token)b, lease_until = now() + make_interval(secs => %(lease)b::float8),
       lease_place = %(place)b
 where id = %(run)b and state in ('planned', 'running') and (lease_until is null or lease_until < now())
returning id"""
RENEW = """
update sync_syncrun set lease_until = now() + make_interval(secs => %(lease)b::float8)
 where id = %(run)b and lease_token = %(token)b"""


class Worker:
    """One worker on one run, for at most its box of seconds."""

    def __init__(self, run_id: int, *, box: float) -> None:
        self.run_id, self.box = run_id, box
        self.token = random.getrandbits(62)
        self.rows: list[tuple[ErpCustomer, bool]] = []
        self.is_last_page = False

    def work(self) -> bool:
        """Work on the run; True while there is more to do. False when it ended, or somebody else has it."""
        ends = time.monotonic() + self.box
        taken = {"token": self.token, "run": self.run_id, "lease": LEASE_SECONDS, "place": residents.place()}
        if not sets.run(TAKE, taken):
            return False
        over = threading.Event()
        threading.Thread(target=self._stay, args=(over,), daemon=True).start()
        pool = ThreadPoolExecutor(settings.MESHLINE_SYNC_THREADS, thread_name_prefix="sync")
        try:
            self._begin()
            while time.monotonic() < ends and not stopflag.is_set():
                if not self._turn(pool):
                    return False
            return True
        except LostRun:
            return False
        except AuthError as error:
            self._end("pause", f"{_system(error)} refuses our sign-in; mend the connection, then resume")
            return False
        except NoSuchColumn as error:
            self._end("fail", f"the ERP has no field {error.name!r}; change the profile")
            return False
        except PermanentError as error:
            self._end("fail", f"{error.provider}: {error.message}")
            return False
        except ProviderError as error:  # a page could not be read now: the next worker tries again
            log.warning("sync_page_unread", run=self.run_id, provider=error.provider, code=error.code)
            return True
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            over.set()
            self._release()

    def _stay(self, over: threading.Event) -> None:
        """Prolong the lease while a slow provider is asked about a whole chunk. A thread with its own connection."""
        try:
            while not over.wait(RENEW_SECONDS):
                self._renew()
        except DatabaseError:
            log.warning("sync_lease_not_renewed", run=self.run_id)
        finally:
            connection.close()

    def _renew(self) -> None:
        sets.run(RENEW, {"run": self.run_id, "token": self.token, "lease": LEASE_SECONDS})

    def _begin(self) -> None:
        with transaction.atomic():
            run = self._locked()
            if run.state == SyncRun.State.PLANNED:
                runs.move(run, "begin", runs.actor(run.started_by))

    def _turn(self, pool: ThreadPoolExecutor) -> bool:
        """One step; False when the run is over or no longer ours."""
        self._renew()
        run = SyncRun.objects.select_related("version__profile").get(pk=self.run_id)
        if run.state != SyncRun.State.RUNNING or run.lease_token != self.token:
            return False
        pending = collecting.collect(self.run_id)
        if run.read_at is not None:
            return self._settling(pending)
        limit = run.version.profile.stop_after
        if limit and run.config_errors >= limit and run.mode != SyncRun.Mode.DRY:
            self._end("pause", f"{run.config_errors} rows show that the set-up is wrong; mend it, then resume")
            return False
        if pending >= MOST_AHEAD or health.wait_until(PROVIDERS, clock.now()) is not None:
            time.sleep(WAIT_SECONDS)
            return True
        self._chunk(run, pool)
        return True

    def _settling(self, pending: int) -> bool:
        if pending == 0:
            self._end("finish", "")
            return False
        time.sleep(WAIT_SECONDS)
        return True

    def _chunk(self, run: SyncRun, pool: ThreadPoolExecutor) -> None:
        """Read on where rows are short, decide a chunk and book it."""
        way, exchanges = way_of(run), list[Exchange]()
        if not self.rows and not self.is_last_page:
            try:
                self.rows = read_page(run, way, exchanges)
                self.is_last_page = len(self.rows) < netsuite_customers.PAGE
            finally:
                _keep(exchanges)
        if not self.rows:
            self._tell_vanished(run, way, pool)
            self._read_all(run)
            return
        for _ in range(RACES):
            busy = booking.open_actions(way.account, [int(source.internal_id) for source, _ in self.rows])
            under_way = {one.internal_id for one in busy if one.state in booking.UNDER_WAY}
            planned = planning.plan(self.rows, way, under_way, pool, CHUNK)
            _keep([one for each in planned for one in each.exchanges], [one.error for one in planned if one.error])
            refused = next((one.error for one in planned if isinstance(one.error, AuthError)), None)
            if refused is not None:
                raise refused
            try:
                booking.book_chunk(run.pk, self.token, planned, way, dry=run.mode == SyncRun.Mode.DRY)
            except (RacedAdoption, StaleState):
                continue
            break
        else:
            raise LostRun
        self.rows = self.rows[len(planned) :]
        wake.ring()

    def _tell_vanished(self, run: SyncRun, way: Way, pool: ThreadPoolExecutor) -> None:
        gone = vanished.find(run, way, pool)
        _keep([one for each in gone for one in each.exchanges])
        if gone:
            booking.book_chunk(run.pk, self.token, gone, way, dry=False)

    def _read_all(self, run: SyncRun) -> None:
        """Every page is booked: the next window begins a little before the newest change that was seen."""
        with transaction.atomic():
            locked = self._locked()
            locked.read_at, locked.total = clock.now(), locked.rows
            locked.save(update_fields=["read_at", "total"])
            if run.mode in (SyncRun.Mode.MASS, SyncRun.Mode.DELTA) and locked.seen_until:
                profile = SyncProfile.objects.select_for_update().get(pk=run.version.profile_id)
                profile.mark = max(profile.mark, locked.seen_until)
                profile.save(update_fields=["mark"])

    def _end(self, verb: str, why: str) -> None:
        with transaction.atomic():
            run = self._locked()
            runs.move(run, verb, runs.ACTOR, why)

    def _locked(self) -> SyncRun:
        run = (
            SyncRun.objects.select_for_update(of=("self",)).select_related("started_by")
            .filter(pk=self.run_id, lease_token=self.token).first()
        )  # fmt: skip
        if run is None or run.state not in (SyncRun.State.PLANNED, SyncRun.State.RUNNING):
            raise LostRun
        return run

    def _release(self) -> None:
        sets.run(
            """update sync_syncrun set lease_token = null, lease_until = null, lease_place = ''
                where id = %(run)b and lease_token = %(t)b""",
            {"run": self.run_id, "t": self.token},
        )


def _system(error: ProviderError) -> str:
    """Which system it was, with its account where there are several."""
    account = error.exchange.account if error.exchange else ""
    return f"{error.provider} (account {account})" if account else error.provider


def work(run_id: int, *, box: float = 20.0) -> bool:
    """Work on a run for at most `box` seconds; True while there is more to do."""
    return Worker(run_id, box=box).work()


def way_of(run: SyncRun) -> Way:
    """By what the rows of a run are decided."""
    version = run.version
    return Way(
        account=run.account,
        columns=tuple(version.columns),
        sources={**fields.SOURCES, **version.sources},
        shared_payer_field=version.shared_payer_field,
        billing_accounts=settings.MESHLINE_SYNC_ACCOUNTS,
        first=settings.MESHLINE_SYNC_ACCOUNT,
        connected=stripe_accounts.connected(),
        first_wait=settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS / 2,
    )


def read_page(run: SyncRun, way: Way, exchanges: list[Exchange]) -> list[tuple[ErpCustomer, bool]]:
    """The next page after the cursor: customers, and whether each may share a billing customer. ProviderError."""
    names = reading.names()
    columns = [*way.sources.values(), names.billing_id, names.action]
    if way.shared_payer_field:
        columns.append(way.shared_payer_field)
    query = Query(tuple(columns), _conditions(run), has_subsidiaries=True)
    try:
        rows = _page(query, run.cursor, exchanges)
    except NoSuchColumn as missing:
        if missing.name != "subsidiary":
            raise
        rows = _page(replace(query, has_subsidiaries=False), run.cursor, exchanges)
    return [(fields.from_row(row, names, way.sources), row.get(way.shared_payer_field) == "T") for row in rows]


def _page(query: Query, after: int, exchanges: list[Exchange]) -> list[dict[str, Any]]:
    return netsuite_customers.page(erp(), query, after, netsuite_customers.PAGE, exchanges)


def _conditions(run: SyncRun) -> tuple[Condition, ...]:
    if run.ids:
        return (netsuite_customers.one_of("id", run.ids),)
    chosen = criteria.conditions(run.version.criteria)
    if not run.since:
        return chosen
    window = netsuite_customers.modified_since(run.since)
    again = open_error_ids(run.account)
    if again:  # what failed stays eligible although the window moved on
        window = netsuite_customers.either(window, netsuite_customers.one_of("id", again))
    return (*chosen, window)


def open_error_ids(account: str) -> list[str]:
    """Customers with an open error, by internal id; the newest thousand."""
    rows = sets.run(
        """select distinct internal_id from (
             select internal_id from sync_syncerror where state in ('open', 'retrying') and internal_id is not null
                and trace_key like %(like)b::text order by id desc limit 1000) e""",
        {"like": f"customer_sync:{account}:customer:%"},
    )
    return [str(row[0]) for row in rows]


def window_start(mark: str) -> str:
    """From when on changes are asked for, a quarter of an hour before the newest one that was seen."""
    if not mark:
        return ""
    return (datetime.strptime(mark, STAMP) - OVERLAP).strftime(STAMP)  # noqa: DTZ007 - the ERP's own clock


def _keep(exchanges: Sequence[Exchange], errors: Sequence[ProviderError] = ()) -> None:
    """Write down what was asked."""
    attempts.store_reads(exchanges)
    health.note_calls(exchanges, errors)

"""A run from beginning to end: begun once, read in slices under a lease, compared and booked in one transaction.

Whoever is killed leaves cursor and rows behind, and the next slice goes on from there. Reads are reads: the emergency
stop does not halt them. Nothing is opened or closed before both sides were read to their end.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_q.tasks import async_task

from gates.stop import Refused
from ledger import book, clock, sets
from sync import attempts, health, retry
from sync.errors import ProviderError
from sync.reconcile import checks, deltas, ending, pairing
from sync.reconcile.checks import Check
from sync.reconcile.ending import LeaseLost
from sync.reconcile.finding import Page
from sync.reconcile.models import ReconcileRun
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

PERMISSION = "sync.run_reconcile"
TASK = "sync.tasks.reconcile"
SCHEDULE, SHELL = "system:schedule", "system:shell"
SLICE_SECONDS, LEASE_SECONDS = 40.0, 120.0
LONGEST = timedelta(hours=6)
FIRST_WINDOW = timedelta(days=1)
BEGIN = """
insert into sync_reconcilerun (check_name, started_by, started_at, outcome, error, cursor, left_rows, right_rows,
                               compared, differing, counts, opened, closed, mismatch_permille, new_customers, flagged,
                               tries, available_at)
values (%(check)b, %(by)b, %(now)b, '', '', '{}', 0, 0, 0, 0, '{}', 0, 0, 0, 0, false, 0, %(now)b)
on conflict do nothing returning id"""
CLAIM = """
update sync_reconcilerun set lease_token = %(token)b, lease_until = now() + make_interval(secs => %(lease)b::float8)
 where id = %(id)b and finished_at is null and (lease_until is null or lease_until < now())
   and available_at <= %(now)b returning id"""
STEP = """
update sync_reconcilerun set cursor = %(cursor)b::jsonb, left_rows = left_rows + %(left)b::int,
       right_rows = right_rows + %(right)b::int, tries = 0,
       lease_until = now() + make_interval(secs => %(lease)b::float8)
 where id = %(id)b and lease_token = %(token)b and finished_at is null returning id"""
RELEASE = """
update sync_reconcilerun set lease_until = null, lease_token = null, tries = %(tries)b::smallint,
       available_at = %(at)b
 where id = %(id)b and lease_token = %(token)b and finished_at is null"""
DUE = """
select id from sync_reconcilerun
 where finished_at is null and (lease_until is null or lease_until < now()) and available_at <= %(now)b"""


def ask(check: str, *, by: User) -> ReconcileRun:
    """Begin a run because a person asked; workers do it. Raises Refused: 403 permission, 409 one goes on, 422 check."""
    checks.get(check)
    if not (by.is_active and by.has_perm(PERMISSION)):
        book.write_rows([ending.row(0, check, f"user:{by.pk}") | {"outcome": "refused", "error_code": "permission"}])
        raise Refused(403, "permission", f"your account may not start a reconciliation; it needs {PERMISSION}")
    return begin(check, f"user:{by.pk}")


def begin(check: str, started_by: str, *, in_background: bool = True) -> ReconcileRun:
    """Begin a run; in the background it is rung for. Raises Refused: 409 one goes on, 422 no such check."""
    checks.get(check)
    if checks.why_off(check):
        raise Refused(409, "off", f"{checks.why_off(check)}; nothing was begun")
    with transaction.atomic():
        made = sets.run(BEGIN, {"check": check, "by": started_by, "now": clock.now()})
        if made:
            book.write_rows([ending.row(made[0][0], check, started_by)])
            _cover(made[0][0], check)
            if in_background:
                async_task(TASK, made[0][0])
            return ReconcileRun.objects.get(pk=made[0][0])
    going = ReconcileRun.objects.filter(check_name=check, finished_at__isnull=True).first()
    since = f"run {going.pk} goes on since {going.started_at:%H:%M:%S} UTC" if going else "one ended just now"
    raise Refused(409, "running", f"{since}; nothing was begun")


def dry(check: str) -> ReconcileRun:
    """Compare to the end without opening or closing anything; the run itself is not kept. Raises Refused as `begin`."""
    run = begin(check, SHELL, in_background=False)
    ReconcileRun.objects.filter(pk=run.pk).update(cursor={"kept": {"dry": True}})
    run.refresh_from_db()
    ended = to_the_end(run)
    ReconcileRun.objects.filter(pk=run.pk).delete()
    return ended


def nightly() -> str:
    """Begin every check that does not go on already; forget the values of what is long resolved. Scheduled."""
    deltas.erase_resolved(30)
    deltas.reopen_due()
    begun = []
    for name in checks.possible():
        try:
            begun.append(str(begin(name, SCHEDULE)))
        except Refused as refusal:
            log.info("reconcile_not_begun", check=name, code=refusal.code)
    return ", ".join(begun) or "all go on already"


def go_on() -> str:
    """Ring for runs that nobody works on: their worker died, or a provider asked to wait. Scheduled.

    Differences that were accepted until a time that is over open again.
    """
    deltas.reopen_due()
    due = [row[0] for row in sets.run(DUE, {"now": clock.now()})]
    for run_id in due:
        async_task(TASK, run_id)
    return f"rang for {len(due)}"


def work(run_id: int) -> str:
    """One slice for a worker; rings for the next one where more is left. Says what came of it."""
    run = slice_of(run_id, SLICE_SECONDS)
    if run is None:
        return "somebody else has it, or it ended"
    if run.finished_at is None and run.available_at <= clock.now():
        async_task(TASK, run_id)
    return run.outcome or "goes on"


def to_the_end(run: ReconcileRun, wait: Callable[[float], None] = time.sleep) -> ReconcileRun:
    """Work until the run has ended, waiting where a provider asks to; for the shell."""
    while run.finished_at is None:
        slice_of(run.pk, SLICE_SECONDS)
        run.refresh_from_db()
        if run.finished_at is None:
            wait(min(5.0, max(0.2, (run.available_at - clock.now()).total_seconds())))
    return run


def slice_of(run_id: int, seconds: float) -> ReconcileRun | None:
    """Read for so long, or to the end, and then compare. None where the run is not ours to work on."""
    token = random.getrandbits(62)
    if not sets.run(CLAIM, {"id": run_id, "token": token, "lease": LEASE_SECONDS, "now": clock.now()}):
        return None
    run = ReconcileRun.objects.get(pk=run_id)
    ends = time.monotonic() + seconds
    try:
        while _next_list(run) and time.monotonic() < ends:
            if not _read_page(run, token, ends):
                return _fresh(run)
        if _next_list(run):
            _release(run, token, clock.now(), run.tries)
        else:
            _compare(run, token)
    except LeaseLost:
        log.warning("reconcile_lease_lost", run=run_id)
    return _fresh(run)


def _fresh(run: ReconcileRun) -> ReconcileRun:
    run.refresh_from_db()
    return run


def _next_list(run: ReconcileRun) -> str:
    """The list that is being read; "" once all were."""
    done = run.cursor.get("done", [])
    return next((name for name in checks.CHECKS[run.check_name].lists if name not in done), "")


def _read_page(run: ReconcileRun, token: int, ends: float) -> bool:
    """Read and keep one page. False where the slice is over: the run failed, or has to wait longer than we may."""
    check, name = checks.CHECKS[run.check_name], _next_list(run)
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    provider = check.lists[name]
    if clock.now() - run.started_at > LONGEST:
        return _fail(run, token, "it took longer than six hours")
    paused = health.wait_until([provider], clock.now())
    if paused is not None:
        return _wait(run, token, (paused - clock.now()).total_seconds(), ends, run.tries)
    try:
        page = check.read(name, run.cursor.get("at", ""), ending.kept(run), exchanges)
        _keep(check, run, token, name, page)
    except ProviderError as error:
        errors.append(error)
    attempts.store_reads(exchanges)
    health.note_calls(exchanges, errors)
    return _answered_badly(run, token, errors[0], ends) if errors else True


def _keep(check: Check, run: ReconcileRun, token: int, name: str, page: Page) -> None:
    """The page and how far it leads, in one transaction: a page is kept once, whoever was killed when."""
    cursor = dict(run.cursor)
    if page.kept:
        cursor["kept"] = {**cursor.get("kept", {}), **page.kept}
    if page.cursor and page.cursor != cursor.get("at"):
        cursor["at"], cursor["list"] = page.cursor, name
    else:
        cursor = {**cursor, "done": [*cursor.get("done", []), name], "at": "", "list": ""}
    with transaction.atomic():
        left, right = check.store(run.pk, name, page, {**ending.kept(run), **page.kept})
        asked = {"id": run.pk, "token": token, "lease": LEASE_SECONDS, "left": left, "right": right}
        if not sets.run(STEP, {**asked, "cursor": sets.to_json(cursor)}):
            raise LeaseLost
    run.cursor, run.tries = cursor, 0
    run.left_rows, run.right_rows = run.left_rows + left, run.right_rows + right


def _answered_badly(run: ReconcileRun, token: int, error: ProviderError, ends: float) -> bool:
    """Try again what may come right; else the run has failed and says of whom and why."""
    tries, now = run.tries + 1, clock.now()
    first, after = float(settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS), error.retry_after
    next_at = retry.next_attempt(tries, now, random.random(), retry_after=after, first=first)
    at = next_at if error.is_transient else None
    if at is None:
        why = f"{error.code or type(error).__name__}: {error.message}" if error.message else type(error).__name__
        told = f"{error.provider or 'a provider'} could not be read to the end ({why})"[:300]
        if checks.CHECKS[run.check_name].can_be_partial:
            return _without(run, token, told)
        return _fail(run, token, told)
    return _wait(run, token, (at - now).total_seconds(), ends, tries)


def _without(run: ReconcileRun, token: int, why: str) -> bool:
    """Go on with the lists after the one that cannot be read; the run will say that it is partial, and why."""
    name = _next_list(run)
    kept = run.cursor.get("kept", {})
    kept = {**kept, "unread": {**kept.get("unread", {}), name: why}}
    cursor = {**run.cursor, "kept": kept, "done": [*run.cursor.get("done", []), name], "at": "", "list": ""}
    asked = {"id": run.pk, "token": token, "lease": LEASE_SECONDS, "left": 0, "right": 0}
    if not sets.run(STEP, {**asked, "cursor": sets.to_json(cursor)}):
        raise LeaseLost
    run.cursor, run.tries = cursor, 0
    return True


def _cover(run_id: int, check: str) -> None:
    """What the run covers goes on where the last whole one ended: no gap and no overlap, however long a day is."""
    run = ReconcileRun.objects.get(pk=run_id)
    whole = ReconcileRun.objects.filter(check_name=check, outcome__in=ending.WHOLE, covers_to__isnull=False).first()
    _, since, until = pairing.window_for(run.started_at, whole.covers_to if whole else None, FIRST_WINDOW)
    ReconcileRun.objects.filter(pk=run_id).update(
        covers_from=datetime.fromtimestamp(since, UTC), covers_to=datetime.fromtimestamp(until, UTC)
    )


def _fail(run: ReconcileRun, token: int, why: str) -> bool:
    ending.fail(run, token, why)
    return False


def _wait(run: ReconcileRun, token: int, seconds: float, ends: float, tries: int) -> bool:
    """Wait here where it is short; else give the run back until then."""
    if time.monotonic() + seconds < ends:
        time.sleep(max(0.0, seconds))
        run.tries = tries
        return True
    _release(run, token, clock.now() + timedelta(seconds=seconds), tries)
    return False


def _release(run: ReconcileRun, token: int, at: Any, tries: int) -> None:
    sets.run(RELEASE, {"id": run.pk, "token": token, "at": at, "tries": tries})


def _compare(run: ReconcileRun, token: int) -> None:
    """Everything that follows from what was read."""
    ending.compare(run, token)

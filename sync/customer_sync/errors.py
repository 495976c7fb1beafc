"""What people do about errors of the sync: one door for page, API and shell; each step with its ledger row.

A retry reads the customer again from the ERP and goes through the very service that the button on its page uses. What
was read when it failed is not edited and sent again: the next run would fail on the source just the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import can_proceed

from gates.stop import Refused
from ledger import book, clock, sets
from sync.customer_sync import runs
from sync.customer_sync.models import SyncError, SyncOutcome, SyncRun
from sync.customer_sync.profiles import RUN

VIEW = "sync.view_syncerror"
MOST = 500  # customers that one press reads again
LONGEST_REASON = 500
ARCHIVE_AT_ONCE = 2000
VERBS = ("retry", "assign", "ignore", "resolve")
State = SyncError.State


@dataclass(frozen=True, slots=True)
class Retried:
    """What a retry began: the runs that read again, how many errors they are about, and how many were left out."""

    runs: tuple[SyncRun, ...]
    errors: int
    customers: int
    left: int = 0


def retry(ids: Sequence[int], *, by: User, version: int | None = None) -> Retried:
    """Read the customers of these open errors again; the runs tell how far it is, and each error ends by its run.

    One fault of the set-up stands for every customer that showed it. At most MOST customers. With one id `version` may
    say what was looked at. Raises Refused: 403 permission, 404 none such, 409 not open or changed, 422 ids.
    """
    wanted = list(dict.fromkeys(ids))
    _permit(by, "retry", *wanted[:1])
    if not wanted or len(wanted) > MOST:
        raise Refused(422, "ids", f"ids: choose 1 to {MOST} errors, these are {len(wanted)}")
    with transaction.atomic():
        found = list(
            SyncError.objects.select_for_update(of=("self",)).select_related("run__version__profile")
            .filter(pk__in=wanted, archived_at=None).order_by("pk")
        )  # fmt: skip
        if not found:
            raise Refused(404, "error", "there is no such error")
        if len(wanted) == 1:
            _fresh(found[0], "retry", version)
        going = [one for one in found if one.state == State.OPEN and one.internal_id is not None]
        if not going:
            raise Refused(409, "state", "none of these errors is open any more; nothing was started")
        return _started(going, by, left=len(wanted) - len(going))


def retry_all(filters: dict[str, Any], *, by: User) -> Retried:
    """The same for all open errors that these filters of `errors_list` leave, the oldest MOST of them."""
    _permit(by, "retry")
    rows = SyncError.objects.filter(state=State.OPEN, archived_at=None, internal_id__isnull=False, **filters)
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if not ids:
        raise Refused(409, "state", "no open error is left of these; nothing was started")
    began = retry(ids[:MOST], by=by)
    return Retried(began.runs, began.errors, began.customers, rows.filter(state=State.OPEN).count())


def assign(error_id: int, *, by: User, version: int, to: User | None) -> SyncError:
    """Whose turn it is, None for nobody's. Raises Refused: 403, 404, 409 changed or over, 422 to."""

    def change(error: SyncError) -> str:
        if to is not None and not (to.is_active and to.has_perm(VIEW)):
            raise Refused(422, "to", "to: somebody with an account that is switched on and may see sync errors")
        error.assigned_to = to
        error.state_version += 1
        return ""

    return _run(error_id, "assign", by, version, change)


def ignore(error_id: int, *, by: User, version: int, reason: str) -> SyncError:
    """Nothing is to be done about it while customer and cause stay as they are. Raises Refused: 403, 404, 409, 422."""
    return _run(error_id, "ignore", by, version, lambda error: _ended(error, "ignore", by, reason))


def resolve(error_id: int, *, by: User, version: int, reason: str) -> SyncError:
    """A person says that it is settled; a later run opens a new one if it is not. Raises Refused as `ignore`."""
    return _run(error_id, "resolve", by, version, lambda error: _ended(error, "resolve", by, reason))


def why_not(error: SyncError, by: User, verb: str) -> str:
    """Why this person cannot do that now, as a clause; empty when they can."""
    if not (by.is_active and by.has_perm(RUN)):
        return f"it needs the permission {RUN}"
    return _not_from_here(error, verb)


def archive() -> str:
    """Each day: what was settled or ignored longer ago than the retention is no longer listed. Nothing is deleted."""
    before = clock.now() - timedelta(days=settings.MESHLINE_SYNC_ERROR_DAYS)
    count = 0
    while rows := _archive_some(before):
        count += rows
    return f"archived {count}"


def _archive_some(before: Any) -> int:
    with transaction.atomic():
        rows = sets.run(
            """update sync_syncerror set archived_at = %(now)b, state_version = state_version + 1
                where id in (select id from sync_syncerror where archived_at is null and resolved_at < %(before)b
                                and state in ('resolved', 'ignored') order by id limit %(most)b for update)
               returning id, trace_key, state, state_version""",
            {"now": clock.now(), "before": before, "most": ARCHIVE_AT_ONCE},
        )
        book.write_rows(
            [
                {
                    "subject_kind": "sync_error", "subject_id": str(key), "decision": "archive",
                    "actor": runs.ACTOR, "prior_state": state, "post_state": state, "state_version": version,
                    "outcome": "archived", "inputs": {"trace_key": trace},
                }
                for key, trace, state, version in rows
            ]
        )  # fmt: skip
    return len(rows)


def _started(going: Sequence[SyncError], by: User, left: int) -> Retried:
    """One run for each profile these errors came from, and the errors handed to it."""
    began, customers, errors = [], 0, 0
    for profile in sorted({one.run.version.profile.name for one in going}):
        mine = [one for one in going if one.run.version.profile.name == profile]
        wanted: dict[str, None] = {}
        taken: list[SyncError] = []
        for one in mine:
            ids = _customers(one)
            if len(wanted.keys() | ids) > MOST and taken:
                left += 1
                continue
            wanted |= dict.fromkeys(ids)
            taken.append(one)
        run = runs.start(profile, SyncRun.Mode.SINGLE, by=by, ids=list(wanted))
        for one in taken:
            prior = str(one.state)
            one.retry()
            one.retried_in = run
            one.save(update_fields=["state", "state_version", "retried_in"])
            book.write_rows([_row(one, "retry", by, prior, "", {"run": run.pk})])
        began.append(run)
        customers, errors = customers + len(wanted), errors + len(taken)
    return Retried(tuple(began), errors, customers, left)


def _customers(error: SyncError) -> list[str]:
    """Whom it is about by internal id; a fault of the set-up is about everybody in whose row it showed."""
    own = str(error.internal_id)
    if ":configuration:" not in error.trace_key:
        return [own]
    rows = SyncOutcome.objects.filter(run=error.run_id, code=error.code).order_by("internal_id")
    return [str(one) for one in rows.values_list("internal_id", flat=True)[:MOST]] or [own]


def _ended(error: SyncError, verb: str, by: User, reason: str) -> str:
    said = reason.strip()
    if not 0 < len(said) <= LONGEST_REASON or "\x00" in said:
        raise Refused(422, "reason", f"reason: 1 to {LONGEST_REASON} characters; it is kept for ever")
    getattr(error, verb)()
    error.resolution = "user"
    error.resolved_by, error.resolved_at = by, clock.now()
    return said


def _run(error_id: int, verb: str, by: User, version: int, change: Callable[[SyncError], str]) -> SyncError:
    """Permission, lock, version, state, change, ledger row."""
    _permit(by, verb, error_id)
    with transaction.atomic():
        error = SyncError.objects.select_for_update(of=("self",)).filter(pk=error_id).first()
        if error is None:
            raise Refused(404, "error", "there is no such error")
        _fresh(error, verb, version)
        prior = str(error.state)
        said = change(error)
        error.save()
        more = {"to": error.assigned_to_id} if verb == "assign" else {}
        book.write_rows([_row(error, verb, by, prior, said, more)])
    return error


def _fresh(error: SyncError, verb: str, version: int | None) -> None:
    """Raises Refused 409 unless this is what was looked at, and the verb goes from there."""
    if version is not None and version != error.state_version:
        words = f"the error is {error.get_state_display().lower()} and was changed since; nothing was done, look again"
        raise Refused(409, "stale", words)
    why = _not_from_here(error, verb)
    if why:
        raise Refused(409, "state", f"{why}; nothing was done")


def _not_from_here(error: SyncError, verb: str) -> str:
    is_over = error.state in (State.RESOLVED, State.IGNORED)
    if verb == "assign":
        return f"it is {error.get_state_display().lower()}" if is_over else ""
    if not can_proceed(getattr(error, verb), check_conditions=False):
        return f"it is {error.get_state_display().lower()}"
    if verb == "retry" and error.internal_id is None:
        return "it is about no customer"
    return ""


def _row(error: SyncError, verb: str, by: User, prior: str, said: str, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "subject_kind": "sync_error", "subject_id": str(error.pk), "decision": verb, "actor": f"user:{by.pk}",
        "prior_state": prior, "post_state": str(error.state), "state_version": error.state_version,
        "outcome": str(error.state), "customer_id": error.customer_id,
        "reasons": [{"rule": "reason", "reason": said}] if said else [],
        "inputs": {"trace_key": error.trace_key, **more},
    }  # fmt: skip


def _permit(by: User, verb: str, error_id: int = 0) -> None:
    """Raises Refused 403, and leaves a row."""
    if by.is_active and by.has_perm(RUN):
        return
    error = SyncError.objects.filter(pk=error_id).first()
    if error is not None:
        row = _row(error, verb, by, str(error.state), "", {})
        book.write_rows([row | {"outcome": "refused", "error_code": "permission"}])
    raise Refused(403, "permission", f"your account may not {verb} errors of the sync; it needs the permission {RUN}")

"""The ledger is looked at once a day without anybody asking, in slices; what was found last is kept for the pages."""

import time
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, transaction

from ledger import clock, sets, verify
from ledger.models import LedgerCheck
from meshline.subjects import SUBJECTS, UNCHAINED

log = structlog.get_logger(__name__)

EVERY = timedelta(days=1)
SLICE_SECONDS = 20.0
SLICE_ROWS = 20_000
ACTOR = "system:schedule"
PROBLEM_LENGTH = 500

TAKE = """
select id, next_row from ledger_ledgercheck where ended_at is null and actor = %(actor)b
 order by id limit 1 for update skip locked"""
# Whole seals where there are any, so that none is looked at twice.
SLICE_END = """
select coalesce((select last_row from ledger_ledgerseal where first_row <= %(wish)b and last_row >= %(wish)b
                  order by id limit 1), %(wish)b), (select max(id) from ledger_ledgerrow)"""


def run() -> str:
    """Begin a look when the last began a day ago, and go on with one that has begun, for some seconds.

    Guard, seals and chains. That each record stands where its last row says is seen by `verify_ledger` and
    `rebuild_state --check`, which read all records at once.
    """
    begin_if_due()
    with transaction.atomic():
        found = sets.run(TAKE, {"actor": ACTOR})
        if not found:
            return "nothing to do"
        return _go_on(LedgerCheck.objects.get(pk=found[0][0]))


def begin_if_due() -> None:
    """A new look, unless one goes on or began within a day."""
    last = LedgerCheck.objects.filter(actor=ACTOR).order_by("-id").first()
    now = clock.now()
    if last is None or (last.ended_at is not None and last.began_at <= now - EVERY):
        LedgerCheck.objects.create(actor=ACTOR, began_at=now)


def _go_on(check: LedgerCheck) -> str:
    give_up_at = time.monotonic() + SLICE_SECONDS
    while True:
        end, newest = sets.run(SLICE_END, {"wish": check.next_row + SLICE_ROWS - 1})[0]
        report = verify.verify(SUBJECTS, UNCHAINED, first=check.next_row, last=end)
        check.rows, check.seals, check.next_row = check.rows + report.rows, check.seals + report.seals, end + 1
        is_over = not report.is_intact or newest is None or end >= newest
        if is_over:
            _end(check, report)
        if is_over or time.monotonic() > give_up_at:
            check.save()
            return str(check.problem or f"{check.rows} rows, {check.seals} seals{'' if is_over else ', goes on'}")


def keep(report: verify.Report, began: datetime, actor: str) -> None:
    """Remember a look at the whole ledger; where nothing can be written (a standby) it is only said."""
    check = LedgerCheck(began_at=began, actor=actor, rows=report.rows, seals=report.seals)
    _end(check, report)
    try:
        with transaction.atomic():
            check.save()
    except DatabaseError as error:
        log.warning("ledger_check_not_kept", error=type(error).__name__)


def _end(check: LedgerCheck, report: verify.Report) -> None:
    check.ended_at = clock.now()
    if report.is_intact:
        return
    check.bad_row = report.broken.row if report.broken else None
    check.problem = (report.broken.problem if report.broken else report.guard[0])[:PROBLEM_LENGTH]
    log.error("ledger_not_intact", row=check.bad_row, guard=len(report.guard))

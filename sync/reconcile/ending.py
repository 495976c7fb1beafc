"""How a run ends: what was read is compared and booked in one transaction, or the run says why it could not be."""

from dataclasses import replace
from typing import Any

import structlog
from django.db import transaction

from ledger import book, clock, sets
from sync.reconcile import alarms, checks, deltas, judging, pairs, staging
from sync.reconcile.checks import Check
from sync.reconcile.finding import Compared
from sync.reconcile.models import ReconcileRow, ReconcileRun

log = structlog.get_logger(__name__)

WHOLE = (ReconcileRun.Outcome.AGREE, ReconcileRun.Outcome.DIFFER)
COMPARED = (*WHOLE, ReconcileRun.Outcome.PARTIAL)
PAIRINGS = {one.name: one for one in pairs.PAIRINGS}
MOST_SKIPPED = 20_000  # keys that are named to what closes differences; more are no moment but a flood
ERASED = "select id from ledger_customer where id = any(%(ids)b::bigint[]) and erased_at is not null"
WITH_NAMES = "customers"  # all others hold ids, amounts, states and times only
SKIPPED = {
    judging.MOVED: "changed while they were read", judging.UNDER_WAY: "have a write of ours under way",
}  # fmt: skip


class LeaseLost(Exception):
    """Another process has the run by now; nothing of this slice is kept."""


def kept(run: ReconcileRun) -> dict[str, Any]:
    """What stays with a run from page to page, its window included."""
    window = [one.timestamp() for one in (run.started_at, run.covers_from, run.covers_to) if one is not None]
    return {**run.cursor.get("kept", {}), "window": window, "rows": [run.left_rows, run.right_rows]}


class Tally:
    """What is added up while a run is compared."""

    def __init__(self, check: Check) -> None:
        self.counts: dict[str, int] = {}
        self.differing: set[str] = set()
        self.skipped: dict[str, str] = {}
        self.gaps: list[tuple[str, str]] = []
        self.forgotten = 0
        self._accepted = deltas.accepted(check.name)

    def add(self, page: Any) -> None:
        """One part of the comparison. Echoes and what people accepted are counted, but nothing differs by them."""
        self.skipped |= page.skipped
        self.gaps += page.gaps
        for one in page.findings:
            self.counts[one.kind] = self.counts.get(one.kind, 0) + 1
            place = (one.kind, one.key, one.field, one.left_print, one.right_print)
            if one.kind != judging.ECHO and place not in self._accepted:
                self.differing.add(one.key)

    @property
    def outcome(self) -> ReconcileRun.Outcome:
        """A gap makes it partial: what was not compared cannot agree."""
        if self.gaps:
            return ReconcileRun.Outcome.PARTIAL
        real = sum(count for kind, count in self.counts.items() if kind != judging.ECHO)
        return ReconcileRun.Outcome.DIFFER if real else ReconcileRun.Outcome.AGREE

    def told(self) -> list[list[str]]:
        """The gaps, and how many records could not be judged this time."""
        counted: dict[str, int] = {}
        for why in self.skipped.values():
            counted[why] = counted.get(why, 0) + 1
        moved = [["records", f"{count} {SKIPPED[why]}; the next run compares them"] for why, count in counted.items()]
        if self.forgotten:
            moved.append(["records", f"{self.forgotten} are of people who were erased here, and are not looked into"])
        return [*map(list, self.gaps), *moved]


def compare(run: ReconcileRun, token: int) -> None:
    """Everything that follows from what was read, in one transaction."""
    check = checks.CHECKS[run.check_name]
    missing = incomplete(run)
    if missing:
        fail(run, token, missing)
        return
    with transaction.atomic():
        one, tally, is_dry = locked(run, token), Tally(check), bool(run.cursor.get("kept", {}).get("dry"))
        for found in check.compare(run.pk, kept(one)):
            page = _of_the_known(found) if check.name == WITH_NAMES else found
            one.compared += page.keys
            tally.forgotten += len(found.findings) - len(page.findings)
            tally.add(page)
            if not is_dry:
                one.opened += deltas.note(check.name, page.findings, run=run.pk, about={})
        one.outcome, one.gaps = tally.outcome, tally.told()
        if tally.gaps and not one.compared:
            _fail(one, "; ".join(why for _, why in tally.gaps))
            return
        is_whole = one.outcome != ReconcileRun.Outcome.PARTIAL and not is_dry
        if is_whole and len(tally.skipped) <= MOST_SKIPPED:
            one.closed = deltas.close_gone(check.name, check.kinds, run.pk, but=list(tally.skipped))
        one.counts, one.differing = tally.counts, len(tally.differing)
        # of half a list no sum is told: what was not read would look like money that is missing
        one.totals = check.totals(run.pk) if check.totals and not tally.gaps else []
        one.error = "; ".join(why for _, why in tally.gaps)[:300]
        if not is_dry:
            alarms.judge(one)
        _end(one)


def _of_the_known(page: Compared) -> Compared:
    """Without what is about somebody who was erased: no value of theirs is kept again."""
    asked = {"ids": sorted({one.customer_id for one in page.findings if one.customer_id is not None})}
    gone = {row[0] for row in sets.run(ERASED, asked)} if asked["ids"] else set()
    return replace(page, findings=[one for one in page.findings if one.customer_id not in gone])


def incomplete(run: ReconcileRun) -> str:
    """Why what was read cannot be the whole; a side that says nothing where it said something before is no answer."""
    gone = "some of what was read is not there any more; run it again"
    pairing = PAIRINGS.get(run.check_name)
    if pairing is not None:
        if pairing.kept(run.pk) != (run.left_rows, run.right_rows):
            return gone
        return "" if pairing.is_window else _emptied(run, {pairing.left, pairing.right})
    there = ReconcileRow.objects.filter(run=run).exclude(key="", kind__in=("organization", "person")).count()
    return gone if there < run.left_rows + run.right_rows else _emptied(run, set())


def _emptied(run: ReconcileRun, sides: set[str]) -> str:
    """Whether a side is empty that was not; a list that could not be read says so itself, and our own may be empty."""
    before = ReconcileRun.objects.filter(check_name=run.check_name, outcome__in=WHOLE).first()
    if before is None or run.cursor.get("kept", {}).get("unread") or "meshline" in sides:
        return ""
    for side, now, then in (("first", run.left_rows, before.left_rows), ("second", run.right_rows, before.right_rows)):
        if now == 0 and then > 1:
            return f"the {side} system showed no records where it had {then} before; nothing was compared"
    return ""


def locked(run: ReconcileRun, token: int) -> ReconcileRun:
    """The run's row, held. LeaseLost where it is not ours any more."""
    found = ReconcileRun.objects.select_for_update().filter(pk=run.pk, lease_token=token, finished_at=None).first()
    if found is None:
        raise LeaseLost
    return found


def fail(run: ReconcileRun, token: int, why: str) -> None:
    """The run ends without having compared anything; what was open before stays open."""
    with transaction.atomic():
        _fail(locked(run, token), why)


def _fail(one: ReconcileRun, why: str) -> None:
    one.outcome, one.error = ReconcileRun.Outcome.FAILED, why[:300]
    if not one.cursor.get("kept", {}).get("dry"):
        alarms.failed(one)
    _end(one)


def _end(run: ReconcileRun) -> None:
    """The run is over: what it read goes, what came of it stays."""
    run.finished_at, run.cursor, run.lease_until, run.lease_token = clock.now(), {}, None, None
    run.save()
    sets.run("delete from sync_reconcilerow where run_id = %(run)b", {"run": run.pk})
    staging.forget(run.pk)
    inputs = {
        "left": run.left_rows, "right": run.right_rows, "compared": run.compared, "classes": run.counts,
        "opened": run.opened, "closed": run.closed, "mismatch_permille": run.mismatch_permille, "flagged": run.flagged,
        "gaps": [name for name, _ in run.gaps],
    }  # fmt: skip
    told = row(run.pk, run.check_name, deltas.ACTOR) | {"decision": "reconciled", "outcome": str(run.outcome)}
    book.write_rows([{**told, "prior_state": "running", "post_state": "running", "inputs": inputs}])
    log.info("reconciled", run=run.pk, check=run.check_name, outcome=run.outcome, **inputs)


def row(run_id: int, check: str, actor: str) -> dict[str, Any]:
    """What the ledger says of a run at its start."""
    return {
        "subject_kind": "reconcile", "subject_id": str(run_id or check), "decision": "reconcile", "actor": actor,
        "prior_state": "running", "post_state": "running", "outcome": "running", "inputs": {"check": check},
    }  # fmt: skip

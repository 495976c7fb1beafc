"""Back-tests at work: pages of stored decisions, judged both ways by whichever worker holds the run's lease."""

import time
from collections import Counter
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django_q.tasks import async_task

from gates import backtests
from gates.models import BackTest, BackTestChange, GateVersion
from gates.playbooks import PLAYBOOKS
from ledger import clock, sets
from sync import stopflag
from sync.backtest import Changed, Rehearsal, Trial, gate_of, judge
from sync.backtest_rows import FIRST, UNREADABLE, Gates, Range, first_at, in_force, page, span

log = structlog.get_logger(__name__)

TASK, ACTOR = "sync.backtest_job.work", "system:backtest"
BOX_SECONDS, LEASE_SECONDS = 20.0, 60
AHEAD_SECONDS = 300  # a newest row later than this from now: the clock was set back
MOST_ERASED = 100_000
TAKE = """
update gates_backtest set lease_until = now() + make_interval(secs => %(lease)b::float8)
 where id = %(key)b::bigint and state in ('planned', 'running') and (lease_until is null or lease_until < now())
returning id"""
KEEP = """
update gates_backtest set cursor = %(cursor)b::bigint, counts = %(counts)b::text::jsonb, steps = %(steps)b::text::jsonb,
       missing = %(missing)b::text::jsonb, lease_until = now() + make_interval(secs => %(lease)b::float8)
 where id = %(key)b::bigint and state = 'running' returning id"""
CORRECTED = """
select a.id from ledger_action a where a.id = any(%(ids)b::uuid[])
   and (a.state in ('compensated', 'rejected') or a.edited_by_id is not null
        or exists (select from ledger_action r
                    where r.reverses_id = a.id and r.state not in ('rejected', 'superseded')))"""
CHANGE = {"backtest_id": "bigint", "row": "bigint", "action_id": "uuid", "kind": "text", "before": "text",
          "after": "text", "is_corrected": "bool"}  # fmt: skip
# Bodies may be erased; what else would have been proposed for such an event cannot be told.
ERASED = """
select count(*) from (select from ledger_event e
 where e.received_at >= %(since)b::timestamptz and e.kind = any(%(kinds)b::text[]) and e.source <> 'meshline'
   and not exists (select from ledger_eventbody b where b.event_id = e.id and b.erased_at is null)
 limit %(most)b) gone"""
NEWEST = """
select max(recorded_at) from (select recorded_at from ledger_ledgerrow order by id desc limit 5000) newest"""


def ask(
    *, by: User, gate: GateVersion | None = None, automation: str = "", stage: str = "", days: int = 30
) -> BackTest:
    """Plan a back-test and ring for a worker. Raises Refused."""
    made = backtests.ask(by=by, gate=gate, automation=automation, stage=stage, days=days)
    transaction.on_commit(lambda: _ring(made.pk))
    return made


def work(key: int) -> str:
    """One box of work; a successor is rung for while there is more."""
    more = run(key, box=BOX_SECONDS)
    if more and not stopflag.is_set():
        _ring(key)
    return "more to do" if more else "done"


def tend() -> str:
    """Each minute: ring for runs whose worker is gone."""
    rows = sets.run(
        """select id from gates_backtest where state in ('planned', 'running')
              and (lease_until is null or lease_until < now()) and created_at < now() - interval '5 seconds'"""
    )
    for (key,) in rows:
        _ring(key)
    return f"rang for {len(rows)}"


def run(key: int, *, box: float | None = None) -> bool:
    """Judge pages until the box (seconds; None: to its end) is over; True while there is more to do."""
    if not sets.run(TAKE, {"key": key, "lease": LEASE_SECONDS}):
        return False
    worker = _Worker(BackTest.objects.select_related("gate").get(pk=key))
    ends = None if box is None else time.monotonic() + box
    worker.begin()
    while worker.turn():
        if (ends is not None and time.monotonic() >= ends) or stopflag.is_set():
            sets.run("update gates_backtest set lease_until = null where id = %(key)b::bigint", {"key": key})
            return True
    return False


def progress(one: BackTest) -> float:
    """How much of its range was judged, 0 to 1."""
    if one.state == BackTest.State.DONE:
        return 1.0
    width = one.last_row - one.first_row
    return min(1.0, max(0.0, (one.cursor - one.first_row) / width)) if width > 0 else 0.0


class _Worker:
    """One worker on one run."""

    def __init__(self, one: BackTest) -> None:
        self.one = one
        self.known = Gates()
        self.trial = Trial(gate_of(one.gate)) if one.gate else Trial(now=in_force(), stage=one.stage)
        self.done = Rehearsal(days=one.days)
        self.done.seen, self.done.fired, self.done.freer, self.done.unreadable, self.corrected = (
            int(one.counts.get(name, 0)) for name in ("seen", "fired", "freer", "unreadable", "corrected")
        )
        self.done.steps = Counter({(before, after): count for before, after, count in one.steps})

    def begin(self) -> None:
        """Fix the range, once: what is decided meanwhile is not of it."""
        if self.one.state != BackTest.State.PLANNED:
            return
        with transaction.atomic():
            self.one.first_row = self.one.cursor = first_at(self.one.since)
            self.one.last_row = span()[1]
            backtests.step(self.one, "begin", ACTOR)

    def turn(self) -> bool:
        """One page; False when the run ended, by itself or by a person."""
        rows = page(self._range(), self.one.cursor)
        if not rows:
            return self._finish()
        changed: list[Changed] = []
        for stored in rows:
            try:
                found = judge(stored, self.trial, self.known, self.done)
            except UNREADABLE:
                self.done.unreadable += 1
                continue
            if found is not None:
                changed.append(found)
        self.one.cursor = rows[-1].row
        with transaction.atomic():
            self._store(changed)
            return self._keep([])

    def _range(self) -> Range:
        one = self.one
        kinds = tuple(sorted(one.gate.applies_to)) if one.gate else ()
        until = max(clock.now(), one.created_at).replace(year=9999)  # bounded by ids; a clock set back hides nothing
        return Range(one.first_row, one.last_row, one.since, until, kinds, one.automation, FIRST)

    def _store(self, changed: list[Changed]) -> None:
        if not changed:
            return
        corrected = {row[0] for row in sets.run(CORRECTED, {"ids": [each.action for each in changed]})}
        self.corrected += sum(1 for each in changed if each.action in corrected)
        sets.insert(BackTestChange._meta.db_table, CHANGE, [
            {"backtest_id": self.one.pk, "row": each.row, "action_id": each.action, "kind": each.kind,
             "before": each.before, "after": each.after, "is_corrected": each.action in corrected}
            for each in changed
        ], "on conflict do nothing")  # fmt: skip

    def _keep(self, missing: list[str]) -> bool:
        """Store how far it is; False where it is not running any more, and then nothing of this page is kept."""
        done = self.done
        self.one.counts = {
            "seen": done.seen, "fired": done.fired, "freer": done.freer, "unreadable": done.unreadable,
            "changed": done.changed, "corrected": self.corrected,
        }  # fmt: skip
        self.one.steps = [[before, after, count] for (before, after), count in done.steps.most_common()]
        self.one.missing = missing
        given: dict[str, Any] = {"key": self.one.pk, "cursor": self.one.cursor, "lease": LEASE_SECONDS}
        texts = {name: sets.to_json(getattr(self.one, name)) for name in ("counts", "steps", "missing")}
        if sets.run(KEEP, given | texts):
            return True
        transaction.set_rollback(True)
        return False

    def _finish(self) -> bool:
        missing = self._missing()
        with transaction.atomic():
            fresh = BackTest.objects.select_for_update(of=("self",)).get(pk=self.one.pk)
            if fresh.state == BackTest.State.RUNNING and self._keep(missing):
                fresh.refresh_from_db()
                backtests.step(fresh, "finish", ACTOR)
        return False

    def _missing(self) -> list[str]:
        """What could not be tried, each as a sentence."""
        one, said = self.one, []
        name = f"the automation {one.automation}" if one.automation else "these kinds of action"
        if not self.done.seen:
            said.append(f"No decision of {name} was stored in {one.days} days that can be judged: nothing was tried.")
        if self.done.unreadable:
            said.append(
                f"{self.done.unreadable} stored decisions cannot be judged again: their gates, kinds or facts are not"
                " known any more."
            )
        erased = sets.run(ERASED, {"since": one.since, "kinds": _kinds(one.automation), "most": MOST_ERASED})[0][0]
        if erased:
            more = "more than " if erased >= MOST_ERASED else ""
            said.append(
                f"{more}{erased} events of these days have no body any more: what else would have been proposed for"
                " them cannot be told."
            )
        newest = sets.run(NEWEST)
        if newest[0][0] is not None and (newest[0][0] - clock.now()).total_seconds() > AHEAD_SECONDS:
            said.append(
                f"The newest stored decision is of {newest[0][0]:%Y-%m-%d %H:%M} UTC, which lies ahead: the clock was"
                " set back, so the days cannot be told for certain."
            )
        return said


def _kinds(automation: str) -> list[str]:
    return [kind for kind, book in PLAYBOOKS.items() if not automation or automation == book.AUTOMATION]


def _ring(key: int) -> None:
    try:
        async_task(TASK, key)
    except DatabaseError:
        log.warning("backtest_not_rung", backtest=key)  # the schedule rings again

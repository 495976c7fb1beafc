"""What people do with a checklist and its steps, behind one door: lock, permission, state, version, change, row."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.db import transaction

from gates.checklists import EVIDENCE, SQUAD, WORK, rows, running, timely
from gates.models import Checklist, ChecklistStep
from gates.stop import Refused
from ledger import book, clock
from ledger.states import StaleState

NUDGE_EVERY = timedelta(hours=1)
LONGEST_AHEAD = timedelta(days=366)
REASON_LENGTH = 500
VERBS = ("tick", "skip", "nudge", "escalate", "reassign", "redate")


@dataclass(slots=True)
class Case:
    """The list and the step a verb works on, both locked."""

    checklist: Checklist
    step: ChecklistStep
    by: User
    now: datetime

    @property
    def actor(self) -> str:
        """How ledger rows name the person."""
        return f"user:{self.by.pk}"


def tick(checklist_id: int, key: str, *, by: User, version: int) -> ChecklistStep:
    """A person did this step. Raises Refused: 403, 404, 409 state, version, or a step that ticks itself."""

    def change(case: Case) -> None:
        step = case.step
        if step.evidence:
            until = EVIDENCE.get(step.evidence, "its evidence is there")
            raise Refused(409, "evidence", f"{step.title}: it ticks itself once {until}; nothing was done")
        step.ticked_by = case.by
        running.finish(step, case.actor, "person", str(case.by.pk))
        rows.close_tasks([step], "done")
        running.settle(case.checklist, case.actor)

    return _run(checklist_id, key, by, version, "tick", change)


def skip(checklist_id: int, key: str, *, by: User, version: int, reason: str) -> ChecklistStep:
    """This step is not needed. A step that blocks is not skipped, unless it would tick itself."""

    def change(case: Case) -> None:
        step, said = case.step, reason_of(reason)
        if step.blocking and not step.evidence:
            raise Refused(409, "blocking", f"{step.title}: it has to be done, the list waits for it")
        step.skip()
        step.reason, step.ticked_by, step.done_at, step.late = said, case.by, case.now, False
        _save(case, "skip_step", "a person said why it is not needed")
        rows.close_tasks([step], "skipped")
        running.settle(case.checklist, case.actor)

    return _run(checklist_id, key, by, version, "skip", change)


def nudge(checklist_id: int, key: str, *, by: User, version: int) -> ChecklistStep:
    """Tell its owner now; at most once an hour. What was open about an earlier nudge is replaced."""

    def change(case: Case) -> None:
        step = case.step
        if step.nudged_at is not None and case.now - step.nudged_at < NUDGE_EVERY:
            minutes = int((case.now - step.nudged_at).total_seconds() // 60)
            raise Refused(
                409, "nudged", f"{step.title}: its owner was nudged {minutes} min ago; once an hour is enough"
            )
        rows.close_items([step.nudge_item_id], "nudged again")
        (step.nudge_item_id,) = rows.open_tasks([step], timely.DUE)
        step.nudge()
        step.nudges, step.nudged_at = step.nudges + 1, case.now
        _save(case, "nudge", "a person asked for it")

    return _run(checklist_id, key, by, version, "nudge", change)


def escalate(checklist_id: int, key: str, *, by: User, version: int) -> ChecklistStep:
    """Give it to the squad now, once for a due time."""

    def change(case: Case) -> None:
        step = case.step
        if step.escalated_at is not None:
            raise Refused(
                409, "escalated", f"{step.title}: {SQUAD} has it since {step.escalated_at:%Y-%m-%d %H:%M} UTC"
            )
        (step.escalation_item_id,) = rows.open_tasks([step], timely.LATE, SQUAD)
        step.escalate()
        step.escalated_at = case.now
        _save(case, "escalate", "a person asked for it")

    return _run(checklist_id, key, by, version, "escalate", change)


def reassign(
    checklist_id: int, key: str, *, by: User, version: int, to: User | None = None, group: str = ""
) -> ChecklistStep:
    """Another person, another group, or both; nobody of the group where only that is named."""

    def change(case: Case) -> None:
        step = case.step
        if group and not Group.objects.filter(name=group).exists():
            raise Refused(422, "group", f"group: there is no group {group[:80]!r}")
        if to is not None and not (to.is_active and to.is_staff):
            raise Refused(422, "to", "to: this account may not use the console")
        if (to.pk if to else None, group or step.owner_group) == (step.owner_id, step.owner_group):
            raise Refused(409, "same", f"{step.title}: it is theirs already")
        step.reassign()
        step.owner, step.owner_group = to, group or step.owner_group
        _save(case, "reassign", f"to {step.owner_group}")

    return _run(checklist_id, key, by, version, "reassign", change)


def redate(checklist_id: int, key: str, *, by: User, version: int, due_at: datetime, reason: str) -> ChecklistStep:
    """Due at another time, between now and a year ahead; it is told about anew when that has come."""

    def change(case: Case) -> None:
        step, said = case.step, reason_of(reason)
        if not case.now < due_at <= case.now + LONGEST_AHEAD:
            raise Refused(422, "due", "due: a time after now and at most a year ahead")
        wait, before = running.grace(step), step.due_at
        step.redate()
        step.due_at, step.escalate_at, step.late = due_at, due_at + wait, False
        step.escalated_at, step.reason = None, said
        _save(case, "redate", f"from {before:%Y-%m-%d %H:%M} to {due_at:%Y-%m-%d %H:%M} UTC")
        rows.close_tasks([step], "due later")

    return _run(checklist_id, key, by, version, "redate", change)


def cancel(checklist_id: int, *, by: User, version: int, reason: str) -> Checklist:
    """End a list that nobody needs any more. Raises Refused: 403, 404, 409, 422."""
    said = reason_of(reason)
    with _refusing(checklist_id, by, "cancel"), transaction.atomic():
        one = locked(checklist_id, by)
        same_version(version, one.state_version, str(one))
        one.steps.filter(state="waiting").update(reason=said)
        running.cancel([one.contract_id], "a person ended it", actor=f"user:{by.pk}")
        one.refresh_from_db()
        return one


def locked(checklist_id: int, by: User) -> Checklist:
    """The list, running, held by this transaction. Raises Refused: 404, 403, 409 not running."""
    one = Checklist.objects.select_for_update(of=("self",)).select_related("template").filter(pk=checklist_id).first()
    if one is None:
        raise Refused(404, "unknown", "there is no such checklist")
    permit(by)
    if one.state != Checklist.State.RUNNING:
        raise Refused(409, "state", f"{one} is {one.get_state_display().lower()} by now; nothing was done")
    return one


def may(checklist_id: int, *, by: User, verb: str, key: str = "") -> None:
    """Raises Refused 403, and leaves a row, for who may not work on checklists: asked before anything typed is read."""
    with _refusing(checklist_id, by, verb, key):
        permit(by)


def permit(by: User) -> None:
    """Raises Refused 403 unless the account is in use and may work on checklists."""
    if not (by.is_active and by.has_perm(WORK)):
        raise Refused(403, "permission", f"your account may not work on checklists; it needs the permission {WORK}")


def reason_of(reason: str) -> str:
    """Why, in words. Raises Refused 422."""
    said = reason.strip()
    if not 1 <= len(said) <= REASON_LENGTH or "\x00" in said:
        raise Refused(422, "reason", f"reason: say why in 1 to {REASON_LENGTH} characters; it is kept with the step")
    return said


def same_version(seen: int, now: int, what: str) -> None:
    """Raises Refused 409 when it was changed since it was shown."""
    if seen != now:
        raise Refused(409, "stale", f"{what} was changed since you saw it; nothing was done, look at it again")


def _run(
    checklist_id: int, key: str, by: User, version: int, verb: str, change: Callable[[Case], None]
) -> ChecklistStep:
    with _refusing(checklist_id, by, verb, key), transaction.atomic():
        one = locked(checklist_id, by)
        step = ChecklistStep.objects.select_for_update(of=("self",)).filter(checklist=one, key=key).first()
        if step is None:
            raise Refused(404, "step", f"{one} has no step {key[:40]!r}")
        step.checklist = one
        if step.state != ChecklistStep.State.WAITING:
            raise Refused(409, "state", f"{step.title} is {step.get_state_display().lower()} by now; nothing was done")
        same_version(version, step.state_version, step.title)
        change(Case(one, step, by, clock.now()))
        return step


def _save(case: Case, decision: str, reason: str) -> None:
    case.step.save()
    why = [{"rule": "person", "reason": reason}]
    book.write_rows([rows.of_step(case.step, decision, "waiting", case.actor, reasons=why)])


@contextmanager
def _refusing(checklist_id: int, by: User, verb: str, key: str = "") -> Iterator[None]:
    """A refused permission is written down after the rollback; a lost race is a refusal, too."""
    try:
        yield
    except StaleState as error:
        raise Refused(409, "stale", "this was changed a moment ago; nothing was done, look at it again") from error
    except Refused as refusal:
        one = Checklist.objects.filter(pk=checklist_id).first() if refusal.status == 403 else None
        if one is not None:
            row = rows.of_list(one, verb, str(one.state), f"user:{by.pk}", outcome="refused", error_code=refusal.code)
            book.write_rows([{**row, "inputs": {"step": key} if key else {}}])
        raise

"""Audits: each planned once, with a sample that a person judges row by row, and a result that is kept."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count

from gates.audits.kinds import DAYS_TO_DO, KINDS, Kind, planned_at, seed, since
from gates.models import Audit, AuditRow
from gates.stop import Refused
from ledger import book, clock, sets
from ledger.models import Event

__all__ = ["KINDS", "assign", "close", "judge", "overdue", "plan"]

SUBJECT, ACTOR = "audit", "system:audits"
VIEW, WORK = "gates.view_audit", "gates.work_audit"
LONGEST_NOTE, LONGEST_RESULT, SHORTEST_RESULT = 300, 4000, 10
LEAST_TO_DO = timedelta(days=4)
AGE = timedelta(days=120)  # an action that was applied in a period was made at most so long before it


def plan(now: datetime | None = None) -> str:
    """Make every review whose time has come and that is not there yet; after an outage the latest one, once."""
    at = now or clock.now()
    first = Event.objects.order_by("id").values_list("received_at", flat=True).first()
    times = [(kind, planned_at(kind.every, at)) for kind in KINDS.values()]
    due = [(kind, planned) for kind, planned in times if first is not None and first < planned]
    made = [one for kind, planned in due if (one := _plan(kind, planned, at)) is not None]
    return f"{len(made)} planned, {overdue().count()} overdue"


def overdue() -> Any:
    """Open reviews past their due date, the oldest first."""
    return Audit.objects.filter(state=Audit.State.OPEN, due_at__lt=clock.now()).order_by("due_at")


def judge(key: int, place: int, verdict: str, *, by: User, note: str = "") -> AuditRow:
    """Say of one sampled row whether it was right. Wrong needs a note. Raises Refused 403, 404, 409, 422."""
    _permit(by)
    if verdict not in AuditRow.Verdict.values or not verdict:
        raise Refused(422, "verdict", "verdict: right, wrong or unclear")
    words = note.replace("\x00", "").strip()
    if verdict == AuditRow.Verdict.WRONG and not words:
        raise Refused(422, "note", "note: say what was wrong, so that somebody can mend it")
    if len(words) > LONGEST_NOTE:
        raise Refused(422, "note", f"note: at most {LONGEST_NOTE} characters, this has {len(words)}")
    with transaction.atomic():
        one = _locked(key)
        row = AuditRow.objects.filter(audit=one, place=place).first()
        if row is None:
            raise Refused(404, "unknown", f"{one} has no row {place}")
        row.verdict, row.note, row.judged_by, row.judged_at = verdict, words, by, clock.now()
        row.save()
        one.touch()
        one.found = _counts(one)
        one.save()
        about = {"row": place, "verdict": verdict, "subject": f"{row.subject_kind} {row.subject_id}"}
        write(one, "judge_row", f"user:{by.pk}", str(one.state), about)
    return row


def close(key: int, *, by: User, result: str) -> Audit:
    """End a review: every row judged, and what follows in words. Raises Refused 403, 404, 409, 422."""
    _permit(by)
    words = result.replace("\x00", "").strip()
    if not SHORTEST_RESULT <= len(words) <= LONGEST_RESULT:
        raise Refused(422, "result", f"result: {SHORTEST_RESULT} to {LONGEST_RESULT} characters on what follows")
    with transaction.atomic():
        one = _locked(key)
        left = AuditRow.objects.filter(audit=one, verdict="").count()
        if left:
            raise Refused(409, "rows", f"{left} rows of {one} were not looked at yet")
        one.close()
        one.result, one.closed_by, one.closed_at, one.found = words, by, clock.now(), _counts(one)
        one.save()
        write(one, "close_audit", f"user:{by.pk}", str(Audit.State.OPEN), {"found": one.found})
    return one


def assign(key: int, *, by: User, to: User) -> Audit:
    """Give a review to a person who may work on it. Raises Refused 403, 404, 409, 422."""
    _permit(by)
    if not (to.is_active and to.has_perm(WORK)):
        raise Refused(422, "to", f"to: {to.get_username()} may not work on reviews")
    with transaction.atomic():
        one = _locked(key)
        one.owner = to
        one.touch()
        one.save()
        write(one, "hand_audit", f"user:{by.pk}", str(one.state), {"to": to.pk})
    return one


def write(one: Audit, decision: str, actor: str, prior: str, inputs: Mapping[str, Any]) -> None:
    """The ledger row of one step: counts and ids, never a note."""
    book.write_rows([
        {
            "subject_kind": SUBJECT, "subject_id": str(one.pk), "decision": decision, "actor": actor,
            "prior_state": prior, "post_state": str(one.state), "state_version": one.state_version,
            "outcome": str(one.state), "inputs": {"kind": one.kind, **inputs},
        }
    ])  # fmt: skip


def _plan(kind: Kind, planned: datetime, at: datetime) -> Audit | None:
    if Audit.objects.filter(kind=kind.name, planned_at=planned).exists():
        return None
    begins = since(kind.every, planned)
    given = {"since": begins, "until": planned, "seed": seed(kind.name, planned), "first": _first(begins - AGE)}
    try:
        with transaction.atomic():
            one = Audit(
                kind=kind.name, planned_at=planned, since=begins, owner_group=kind.owner_group, state_version=1,
                due_at=_due(kind, planned, at), figures=_figures(kind, given),
            )  # fmt: skip
            one.save()
            rows = _drawn(kind, given)
            for place, row in enumerate(rows, 1):
                row.audit, row.place = one, place
            AuditRow.objects.bulk_create(rows)
            empty = [draw.group for draw in kind.draws if not any(row.group == draw.group for row in rows)]
            one.missing = f"Nothing to look at: {', '.join(empty)}." if empty else ""
            one.save()
            write(one, "plan_audit", ACTOR, str(one.state), {"rows": len(rows)})
            return one
    except IntegrityError:  # another scheduler made it at this moment
        return None


def _due(kind: Kind, planned: datetime, at: datetime) -> datetime:
    """So many days after it was planned; one that is caught up late still has some."""
    return max(planned + timedelta(days=DAYS_TO_DO[kind.every]), at + LEAST_TO_DO)


def _drawn(kind: Kind, given: Mapping[str, Any]) -> list[AuditRow]:
    return [
        AuditRow(group=draw.group, subject_kind=draw.subject, subject_id=key, about=about)
        for draw in kind.draws
        for key, about in sets.run(draw.query, _used(draw.query, {**given, "size": draw.size}))
    ]


def _figures(kind: Kind, given: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(count) for query in kind.figures for name, count in sets.run(query, _used(query, given))}


def _used(query: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if f"%({name})" in query}


def _first(at: datetime) -> uuid.UUID:
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def _counts(one: Audit) -> dict[str, int]:
    rows = AuditRow.objects.filter(audit=one).order_by().values_list("verdict").annotate(n=Count("id"))
    return {verdict or "open": count for verdict, count in rows}


def _permit(by: User) -> None:
    """Raises Refused 403 for whoever may not work on reviews."""
    if not (by.is_active and by.has_perm(WORK)):
        raise Refused(403, "permission", f"your account may not work on reviews; it needs the permission {WORK}")


def _locked(key: int) -> Audit:
    """The open review under a lock. Raises Refused 404, 409."""
    one = Audit.objects.select_for_update(of=("self",)).filter(pk=key).first()
    if one is None:
        raise Refused(404, "unknown", "there is no such review")
    if one.state != Audit.State.OPEN:
        raise Refused(409, "state", f"{one} is {one.get_state_display().lower()}; nothing can be changed on it")
    return one

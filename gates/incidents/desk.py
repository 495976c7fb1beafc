"""What people do with an incident, behind one door: lock, permission, state, version, change, row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction

from gates import items
from gates.incidents import MANUAL, NO_SCOPE, WORK, queue, rows, scope, templates
from gates.models import Incident, IncidentUpdate, Outreach
from gates.stop import Refused
from ledger import book, clock, sets
from ledger.models import Action
from ledger.states import StaleState

LONGEST_TITLE, LONGEST_SUMMARY = 200, 4000
WITHDRAWN = "the incident was closed"
# What a message may be in and not have left.
BEFORE_SENDING = ("held", "in_review", "approved", "parked")
CLOSE_ITEMS = """
update gates_reviewitem set state = 'resolved', state_version = state_version + 1, resolution = %(how)b,
       resolved_at = %(now)b where correlation_id = %(thread)b::uuid and why = %(why)b and state <> 'resolved'"""


@dataclass(slots=True)
class Case:
    """The incident that a verb works on, locked."""

    incident: Incident
    by: User
    now: datetime

    @property
    def actor(self) -> str:
        """How ledger rows name the person."""
        return f"user:{self.by.pk}"


def declare(
    title: str, severity: str, rules: Sequence[scope.Rule], *, by: User, started_at: datetime | None = None
) -> Incident:
    """A person says that something is broken. Raises Refused: 403, 422 a field with its rule."""
    if not (by.is_active and by.has_perm(WORK)):
        row = {
            "subject_kind": rows.INCIDENT, "subject_id": "new", "decision": "declare", "actor": f"user:{by.pk}",
            "prior_state": "open", "post_state": "open", "outcome": "refused", "error_code": "permission",
        }  # fmt: skip
        book.write_rows([row])
        raise Refused(403, "permission", _no_permission())
    now = clock.now()
    if started_at is not None and started_at > now:
        raise Refused(422, "started", "started: not after now")
    one = Incident(
        source=MANUAL, title=title_of(title), severity=severity_of(severity), scope=scope.check(list(rules)),
        owner=by, started_at=started_at or now, correlation_id=uuid4(), state_version=1,
    )  # fmt: skip
    with transaction.atomic():
        count(one)
        one.save()
        book.write_rows([rows.of_incident(one, "declare", "open", f"user:{by.pk}", inputs=_numbers(one))])
    return one


def rescope(incident_id: int, rules: Sequence[scope.Rule], *, by: User, version: int) -> Incident:
    """Other customers. An update that is planned is planned anew; one that waits for approval has to be taken back.

    Raises Refused: 403, 404, 409 closed, version or an update that waits, 422 a rule.
    """

    def change(case: Case) -> None:
        one = case.incident
        one.scope = scope.check(list(rules))
        open_update = unfinished(one)
        if open_update is not None and open_update.state == IncidentUpdate.State.ASKED:
            raise Refused(409, "asked", f"{open_update} waits for approval; take it back before the scope changes")
        count(one)
        one.touch()
        _save(case, "rescope", str(one.state), inputs=_numbers(one))
        if one.scope:
            close_items(one, NO_SCOPE, "scoped")
        if open_update is not None:
            queue.plan(open_update, case.actor)

    return _run(incident_id, by, version, "rescope", change)


def mitigate(incident_id: int, *, by: User, version: int) -> Incident:
    """It works again, as far as anybody can tell."""

    def change(case: Case) -> None:
        one, prior = case.incident, str(case.incident.state)
        _must(one, Incident.State.OPEN)
        one.mitigate()
        one.mitigated_at = case.now
        _save(case, "mitigate", prior)

    return _run(incident_id, by, version, "mitigate", change)


def reopen(incident_id: int, *, by: User, version: int) -> Incident:
    """It is back."""

    def change(case: Case) -> None:
        one, prior = case.incident, str(case.incident.state)
        _must(one, Incident.State.MITIGATED)
        one.reopen()
        one.mitigated_at = None
        _save(case, "reopen_incident", prior)

    return _run(incident_id, by, version, "reopen", change)


def take(incident_id: int, *, by: User, version: int) -> Incident:
    """It is mine."""

    def change(case: Case) -> None:
        case.incident.owner = case.by
        case.incident.touch()
        _save(case, "take", str(case.incident.state))

    return _run(incident_id, by, version, "take", change)


def close(incident_id: int, *, by: User, version: int, summary: str) -> Incident:
    """Over. What was not sent yet is withdrawn; what is in the air is followed to its end.

    Raises Refused: 403, 404, 409, 422 without a summary.
    """

    def change(case: Case) -> None:
        one, prior = case.incident, str(case.incident.state)
        said = templates.plain(summary, LONGEST_SUMMARY + 1, lines=True)
        if not 1 <= len(said) <= LONGEST_SUMMARY:
            words = f"summary: say what it was in 1 to {LONGEST_SUMMARY} characters, without personal data"
            raise Refused(422, "summary", words)
        withdraw(one, case.actor)
        one.close()
        one.summary, one.closed_at = said, case.now
        _save(case, "close", prior, inputs=queue.counts(one))
        close_items(one, NO_SCOPE, "closed")

    return _run(incident_id, by, version, "close", change)


def withdraw(one: Incident, actor: str) -> None:
    """Nothing of this incident that has not left leaves any more. The caller holds its row."""
    open_update = unfinished(one)
    if open_update is not None:
        prior = str(open_update.state)
        open_update.drop()
        open_update.save()
        book.write_rows([rows.of_update(open_update, "drop", prior, actor, reasons=rows.reason(WITHDRAWN))])
    waiting = Outreach.objects.filter(incident=one, state=Outreach.State.IN_REVIEW, action_id__isnull=False)
    ids = [key for key in waiting.order_by("action_id").values_list("action_id", flat=True) if key is not None]
    actions = Action.objects.select_for_update(of=("self",)).filter(pk__in=ids, state__in=BEFORE_SENDING)
    row = {"reasons": rows.reason(WITHDRAWN, "withdrawn")}
    gone = list(actions.order_by("pk"))
    book.move(
        [book.step(action, "supersede", "superseded", actor, changes=book.lease_free(), row=row) for action in gone]
    )
    items.close_for([action.pk for action in gone], "superseded")
    only = "o.incident_id = %(incident)b and (o.action_id is null or o.action_id = any(%(gone)b::uuid[]))"
    params = {"incident": one.pk, "gone": [action.pk for action in gone]}
    rows.step("skip", ("planned", "in_review"), "skipped", only=only, params=params, actor=actor, why=WITHDRAWN)


def close_items(one: Incident, why: str, how: str) -> None:
    """Settle what waits for a person about this incident for this reason."""
    sets.run(CLOSE_ITEMS, {"thread": one.correlation_id, "why": why, "how": how, "now": clock.now()})


def count(one: Incident) -> None:
    """Remember how many customers the scope matches now, and their revenue by currency."""
    found = scope.matched(one.scope)
    one.affected, one.mrr = found.total, found.mrr


def unfinished(one: Incident) -> IncidentUpdate | None:
    """The update that is planned or waits for approval, locked; there is one at most."""
    found = IncidentUpdate.objects.select_for_update(of=("self",)).filter(incident=one, state__in=("planned", "asked"))
    update = found.select_related("template").first()
    if update is not None:
        update.incident = one
    return update


def title_of(title: str) -> str:
    """A title as plain text. Raises Refused 422."""
    said = templates.plain(title, LONGEST_TITLE + 1)
    if not 1 <= len(said) <= LONGEST_TITLE:
        raise Refused(422, "title", f"title: 1 to {LONGEST_TITLE} characters; customers may read it")
    return said


def severity_of(severity: str) -> str:
    """One that there is. Raises Refused 422."""
    if severity not in Incident.Severity.values:
        raise Refused(422, "severity", f"severity: one of {', '.join(Incident.Severity.values)}")
    return severity


def locked(incident_id: int, by: User, permission: str = WORK) -> Incident:
    """The incident, held by this transaction. Raises Refused: 404, 403, 409 closed."""
    one = Incident.objects.select_for_update(of=("self",)).filter(pk=incident_id).first()
    if one is None:
        raise Refused(404, "unknown", "there is no such incident")
    if not (by.is_active and by.has_perm(permission)):
        raise Refused(403, "permission", _no_permission(permission))
    if one.state == Incident.State.CLOSED:
        raise Refused(409, "state", f"{one} is closed; nothing was done")
    return one


def may(incident_id: int, *, by: User, verb: str, permission: str = WORK) -> None:
    """Raises Refused 403, and leaves a row, before anything typed is read."""
    with refusing(incident_id, by, verb):
        if not (by.is_active and by.has_perm(permission)):
            raise Refused(403, "permission", _no_permission(permission))


def same_version(seen: int, now: int, what: str) -> None:
    """Raises Refused 409 when it was changed since it was shown."""
    if seen != now:
        raise Refused(409, "stale", f"{what} was changed since you saw it; nothing was done, look at it again")


@contextmanager
def refusing(incident_id: int, by: User, verb: str) -> Iterator[None]:
    """A refused permission is written down after the rollback; a lost race is a refusal, too."""
    try:
        yield
    except StaleState as error:
        raise Refused(409, "stale", "this was changed a moment ago; nothing was done, look at it again") from error
    except Refused as refusal:
        one = Incident.objects.filter(pk=incident_id).first() if refusal.status == 403 else None
        if one is not None:
            row = rows.of_incident(one, verb, str(one.state), f"user:{by.pk}", outcome="refused")
            book.write_rows([{**row, "error_code": refusal.code}])
        raise


def _no_permission(permission: str = WORK) -> str:
    return f"your account may not do this with incidents; it needs the permission {permission}"


def _must(one: Incident, state: str) -> None:
    if one.state != state:
        raise Refused(409, "state", f"{one} is {one.get_state_display().lower()} by now; nothing was done")


def _run(incident_id: int, by: User, version: int, verb: str, change: Callable[[Case], None]) -> Incident:
    with refusing(incident_id, by, verb), transaction.atomic():
        one = locked(incident_id, by)
        same_version(version, one.state_version, str(one))
        change(Case(one, by, clock.now()))
        return one


def _save(case: Case, decision: str, prior: str, **more: Any) -> None:
    case.incident.save()
    book.write_rows([rows.of_incident(case.incident, decision, prior, case.actor, **more)])


def _numbers(one: Incident) -> dict[str, Any]:
    return {"affected": one.affected, "mrr": one.mrr, "rules": len(one.scope), "severity": one.severity}

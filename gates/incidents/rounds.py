"""What people do with an update of an incident and with the messages in its queue, until somebody approves it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from gates.incidents import WORK, desk, queue, rows, templates
from gates.models import Incident, IncidentUpdate, Outreach, OutreachTemplate
from gates.stop import Refused
from ledger import book, clock

LONGEST_TEXT, REASON_LENGTH = 2000, 180
NO_ADDRESS = "no e-mail address is known"
DROPPED = "the update was dropped"


@dataclass(slots=True)
class Round:
    """The incident and the update that a verb works on, both locked."""

    incident: Incident
    update: IncidentUpdate
    by: User
    now: datetime

    @property
    def actor(self) -> str:
        """How ledger rows name the person."""
        return f"user:{self.by.pk}"


def begin(incident_id: int, *, by: User, version: int, template: str, channel: str, text: str) -> IncidentUpdate:
    """Plan the next update: a message for each customer of the scope, in the order of revenue and tier. Sends nothing.

    `version` is the incident's. Raises Refused: 403, 404, 409 closed, version, another update is open or nobody
    matches, 422 a field.
    """
    with desk.refusing(incident_id, by, "plan_update"), transaction.atomic():
        one = desk.locked(incident_id, by)
        desk.same_version(version, one.state_version, str(one))
        chosen, words = template_of(template), text_of(text)
        if channel not in IncidentUpdate.Channel.values:
            raise Refused(422, "channel", f"channel: one of {', '.join(IncidentUpdate.Channel.values)}")
        before = desk.unfinished(one)
        if before is not None:
            said = before.get_state_display().lower()
            raise Refused(409, "open", f"{before} is {said}; approve or drop it before the next one")
        if not one.scope:
            raise Refused(409, "scope", f"{one} has no scope, so nobody is written to; say first whom it touches")
        desk.count(one)
        if not one.affected:
            raise Refused(409, "scope", "no customer matches; check the scope")
        update = IncidentUpdate(
            incident=one, number=IncidentUpdate.objects.filter(incident=one).count() + 1, template=chosen,
            channel=channel, text=words, created_by=by, state_version=1,
        )  # fmt: skip
        update.save()
        book.write_rows(
            [rows.of_update(update, "plan", "planned", f"user:{by.pk}", inputs={"customers": one.affected})]
        )
        queue.plan(update, f"user:{by.pk}")
        one.touch()
        one.save()
        book.write_rows([rows.of_incident(one, "plan_update", str(one.state), f"user:{by.pk}")])
        return update


def ask(update_id: int, *, by: User, version: int) -> IncidentUpdate:
    """Fix the set and have it approved. Customers without an address are skipped. Sends nothing.

    Raises Refused: 403, 404, 409 state, version or nobody left.
    """

    def change(case: Round) -> None:
        update = case.update
        _must(update, IncidentUpdate.State.PLANNED)
        here, params = "o.update_id = %(update)b::bigint", {"update": update.pk}
        nobody = f"{here} and exists (select from ledger_customer c where c.id = o.customer_id and c.email = '')"
        rows.step("skip", ("planned",), "skipped", only=nobody, params=params, actor=case.actor, why=NO_ADDRESS)
        asked = rows.step("ask", ("planned",), "in_review", only=here, params=params, actor=case.actor)
        if not asked:
            raise Refused(409, "empty", f"{update} has nobody to write to; check the scope and the addresses")
        update.ask()
        update.asked_by, update.asked_at, update.asked_count = case.by, case.now, len(asked)
        update.digest, update.first_by = queue.digest(update), None
        _save(case, "ask", "planned", count=len(asked))

    return _run(update_id, by, version, "ask", change)


def take_back(update_id: int, *, by: User, version: int) -> IncidentUpdate:
    """Not yet: the set is opened again, and what was agreed to is void."""

    def change(case: Round) -> None:
        update = case.update
        _must(update, IncidentUpdate.State.ASKED)
        here = "o.update_id = %(update)b::bigint"
        rows.step("take_back", ("in_review",), "planned", only=here, params={"update": update.pk}, actor=case.actor)
        update.take_back()
        update.digest, update.first_by, update.asked_count = "", None, 0
        _save(case, "take_back", "asked")

    return _run(update_id, by, version, "take_back", change)


def drop(update_id: int, *, by: User, version: int) -> IncidentUpdate:
    """Nobody is written to about this. Its number is not used again."""

    def change(case: Round) -> None:
        update, prior = case.update, str(case.update.state)
        if prior not in ("planned", "asked"):
            _must(update, IncidentUpdate.State.PLANNED)
        only, params = "o.update_id = %(update)b::bigint and o.action_id is null", {"update": update.pk}
        rows.step("skip", ("planned", "in_review"), "skipped", only=only, params=params, actor=case.actor, why=DROPPED)
        update.drop()
        _save(case, "drop", prior)

    return _run(update_id, by, version, "drop", change)


def rewrite(update_id: int, *, by: User, version: int, template: str, text: str) -> IncidentUpdate:
    """Other words for the same customers, while it is planned."""

    def change(case: Round) -> None:
        _must(case.update, IncidentUpdate.State.PLANNED)
        case.update.template, case.update.text = template_of(template), text_of(text)
        case.update.touch()
        _save(case, "rewrite", "planned")

    return _run(update_id, by, version, "rewrite", change)


def skip(update_id: int, outreach_id: int, *, by: User, version: int, reason: str) -> IncidentUpdate:
    """One customer is not written to. An approval that was given to the set before is void."""
    said = templates.plain(reason, REASON_LENGTH + 1)

    def change(case: Round) -> None:
        if not 1 <= len(said) <= REASON_LENGTH:
            raise Refused(422, "reason", f"reason: say why in 1 to {REASON_LENGTH} characters; it goes into the ledger")
        _one(case, "skip", ("planned", "in_review"), "skipped", outreach_id, said)

    return _run(update_id, by, version, "skip", change)


def include(update_id: int, outreach_id: int, *, by: User, version: int) -> IncidentUpdate:
    """One customer is written to after all, while the update is planned."""

    def change(case: Round) -> None:
        _must(case.update, IncidentUpdate.State.PLANNED)
        _one(case, "include", ("skipped",), "planned", outreach_id, "")

    return _run(update_id, by, version, "include", change)


def _one(case: Round, verb: str, priors: tuple[str, ...], post: str, outreach_id: int, why: str) -> None:
    update = case.update
    if update.state not in ("planned", "asked"):
        _must(update, IncidentUpdate.State.PLANNED)
    only = "o.update_id = %(update)b::bigint and o.id = %(id)b::bigint and o.action_id is null"
    params = {"update": update.pk, "id": outreach_id}
    if not rows.step(verb, priors, post, only=only, params=params, actor=case.actor, why=why):
        raise Refused(409, "state", "this message is not waiting any more; nothing was done")
    update.touch()
    if update.state == IncidentUpdate.State.ASKED:
        update.asked_count = Outreach.objects.filter(update=update, state=Outreach.State.IN_REVIEW).count()
        update.digest, update.first_by = queue.digest(update), None
    _save(case, f"{verb}_message", str(update.state))


def template_of(name: str) -> OutreachTemplate:
    """The version in force. Raises Refused 422."""
    found = templates.current(name)
    if found is None:
        raise Refused(422, "template", f"template: there is no message {name[:60]!r}; write it first")
    return found


def text_of(text: str) -> str:
    """What is said of the state of things. Raises Refused 422."""
    said = templates.plain(text, LONGEST_TEXT + 1, lines=True)
    if not 1 <= len(said) <= LONGEST_TEXT:
        raise Refused(422, "text", f"text: 1 to {LONGEST_TEXT} characters; customers read it")
    return said


@contextmanager
def held(update_id: int, by: User, version: int, verb: str, permission: str = WORK) -> Iterator[Round]:
    """The update and its incident, locked in that order everywhere: incident first. Raises Refused."""
    incident_id = IncidentUpdate.objects.filter(pk=update_id).values_list("incident", flat=True).first()
    if incident_id is None:
        raise Refused(404, "unknown", "there is no such update")
    with desk.refusing(incident_id, by, verb), transaction.atomic():
        one = desk.locked(incident_id, by, permission)
        found = IncidentUpdate.objects.select_for_update(of=("self",)).select_related("template", "first_by")
        update = found.get(pk=update_id)
        update.incident = one
        desk.same_version(version, update.state_version, str(update))
        yield Round(one, update, by, clock.now())


def _run(update_id: int, by: User, version: int, verb: str, change: Callable[[Round], None]) -> IncidentUpdate:
    with held(update_id, by, version, verb) as case:
        change(case)
    return case.update


def _must(update: IncidentUpdate, state: str) -> None:
    if update.state != state:
        raise Refused(409, "state", f"{update} is {update.get_state_display().lower()} by now; nothing was done")


def _save(case: Round, decision: str, prior: str, **inputs: object) -> None:
    case.update.save()
    book.write_rows([rows.of_update(case.update, decision, prior, case.actor, inputs=dict(inputs))])

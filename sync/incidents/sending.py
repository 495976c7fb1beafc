"""From an approved set to actions, all at once: who was agreed to gets exactly one, which the drain carries out."""

import hashlib
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from gates import claims, policy, stop
from gates.incidents import APPROVE, PREFIX, queue, rounds, rows, templates
from gates.incidents.rounds import Round
from gates.models import IncidentUpdate, Outreach
from gates.stop import Refused
from gates.types import Proposal
from ledger import book, clock, sets, wake
from ledger.identity import lane_of, new_action_id
from ledger.models import Event, EventBody
from sync import actions, correlate
from sync.actions.mail import UNSET, is_set_up, mark_of
from sync.actions.outreach import KIND_OF, MAIL
from sync.booking import Booking, Cause
from sync.claims import evidence, wording
from sync.incidents import letters

SOURCE, EVENT_KIND = "meshline", "incident.update"
BIND = """
update gates_outreach o set action_id = v.action, state_version = o.state_version + 1
  from unnest(%(id)b::bigint[], %(action)b::uuid[]) as v(id, action) join ledger_action a on a.id = v.action,
       gates_incident i
 where o.id = v.id and o.state = 'in_review' and o.action_id is null and i.id = o.incident_id
returning o.id, o.customer_id, o.state, o.state_version, o.action_id, o.incident_id, o.number, i.correlation_id"""
FINE = (claims.Verdict.NONE, claims.Verdict.VERIFIED)
UNDER_WAY = "the same message is under way already"


def limit() -> int:
    """How many customers one person alone may have written to."""
    return int(settings.MESHLINE_OUTREACH_ONE_PERSON)


def approve(update_id: int, *, by: User, version: int, digest: str) -> IncidentUpdate:
    """Agree to exactly the set whose digest was shown. Above the limit two different people have to.

    With enough people the messages become actions, judged by every gate, in this transaction; sending is the drain's.
    Raises Refused: 403 permission or the same person twice, 404, 409 state, version or another set by now.
    """
    with rounds.held(update_id, by, version, "approve", APPROVE) as case:
        update = case.update
        if update.state != IncidentUpdate.State.ASKED:
            raise Refused(409, "state", f"{update} is {update.get_state_display().lower()} by now; nothing was done")
        if digest != queue.digest(update):
            words = "the customers or the words changed since you saw them; nothing was approved, look at it again"
            raise Refused(409, "changed", words)
        kind = KIND_OF[update.channel]
        if kind == MAIL and not is_set_up():
            raise Refused(409, "mail", f"{UNSET}; nothing was approved")
        refuse_untold(update)
        if _is_first(case, digest):
            return update
        made = _book(case, kind)
        update.approve()
        update.approved_by, update.approved_at, update.digest = by, case.now, digest
        update.save()
        row = rows.of_update(update, "approve", "asked", case.actor, inputs={"messages": made, "digest": digest})
        book.write_rows([row])
        transaction.on_commit(wake.ring)
    return update


def refuse_untold(update: IncidentUpdate) -> None:
    """Raises Refused 409 for a letter that says of any of its readers what the ledger does not have confirmed."""
    letter = letters.draft(update)
    read = claims.read(f"{letter.subject}\n\n{letter.body}", wording.current())
    if not any(one.claims for one in read):
        return
    waiting = Outreach.objects.filter(update=update, state=Outreach.State.IN_REVIEW).values_list("customer", flat=True)
    known = evidence.proofs(list(waiting), wording.current())
    wrong = [[part for part in claims.judge(read, proofs) if part.verdict not in FINE] for proofs in known.values()]
    if untold := [parts[0] for parts in wrong if parts]:
        said = templates.plain(untold[0].sentence.text, 160)
        words = f"“{said}” is not confirmed by the ledger for {len(untold)} of {len(known)} customers"
        raise Refused(409, "claims", f"{words}; nothing was approved, take it back and change the words")


def _is_first(case: Round, digest: str) -> bool:
    """Whether this was the first of two: written down, and nothing else happens."""
    update = case.update
    if update.asked_count <= limit():
        return False
    if update.first_by is not None and update.digest == digest:
        if stop.same_person(update.first_by, case.by):
            words = f"you have approved it already; above {limit()} customers another person has to agree"
            raise Refused(403, "four_eyes", words)
        return False
    update.first_by, update.digest = case.by, digest
    update.touch()
    update.save()
    inputs = {"digest": digest, "count": update.asked_count}
    book.write_rows([rows.of_update(update, "approval", "asked", case.actor, inputs=inputs)])
    return True


def _book(case: Round, kind: str) -> int:
    """An action for each message of the set, and the message bound to it; returns how many."""
    update, chosen = case.update, actions.get(kind)
    waiting = Outreach.objects.filter(update=update, state=Outreach.State.IN_REVIEW, action_id__isnull=True)
    found = list(waiting.order_by("customer").values_list("pk", "customer", "zone"))
    customers = [customer for _, customer, _ in found]
    correlate.lock_customers(customers)
    known = correlate.load_customers(customers)
    letter, event = letters.draft(update), _event(case)
    into = Booking(policy.current(), clock.now())
    cause = Cause(event.pk, case.incident.correlation_id, "", requested_by=case.by.pk)
    about = {"incident": case.incident.pk, "number": update.number, "subject": letter.subject, "body": letter.body}
    because = f"{update} was approved"
    bound: dict[int, UUID] = {}
    for outreach, customer, zone in found:
        one = known[customer]
        params: dict[str, Any] = {**about, "outreach": outreach, "recipient": mark_of(one.email), **_quiet(zone)}
        key = f"{PREFIX}{case.incident.pk}:{update.number}"
        proposal = Proposal(kind, f"{key}:{one.refs.external_id}", key, because, params, chosen.risk, chosen.needs)
        bound[outreach] = into.propose(proposal, one, cause)
    into.write()
    return _bind(case, bound)


def _bind(case: Round, bound: dict[int, UUID]) -> int:
    moved = sets.run(BIND, {"id": list(bound), "action": list(bound.values())})
    bounded = [rows.Stepped(*row) for row in moved]
    book.write_rows([rows.of_message(one, "approve", "in_review", case.actor) for one in bounded])
    only = "o.update_id = %(update)b::bigint and o.action_id is null"
    params = {"update": case.update.pk}
    rows.step("skip", ("in_review",), "skipped", only=only, params=params, actor=case.actor, why=UNDER_WAY)
    return len(moved)


def _quiet(zone: str) -> dict[str, str]:
    hours = settings.MESHLINE_QUIET_HOURS
    return {"quiet": f"{hours[0]}-{hours[1]}", "zone": zone or settings.MESHLINE_QUIET_ZONE} if hours else {}


def _event(case: Round) -> Event:
    """What all these actions come from: one person's approval, over when it is stored."""
    now, update = clock.now(), case.update
    raw = sets.to_json({"incident": case.incident.pk, "update": update.number, "digest": update.digest}).encode()
    sha = hashlib.sha256(raw).digest()
    event = Event.objects.create(
        source=SOURCE, provider_event_id=f"update-{new_action_id()}", type=EVENT_KIND, kind=EVENT_KIND,
        object_id=str(case.incident), occurred_at=now, received_at=now, enqueued_at=now, done_at=now,
        lane=lane_of(f"{SOURCE}:{case.incident}"), state=Event.State.PROCESSED,
        verdict=f"done: {update} was approved", body_sha=sha, correlation_id=case.incident.correlation_id,
    )  # fmt: skip
    EventBody.objects.create(event_id=event.pk, received_at=now, sha=sha, raw=raw)
    return event

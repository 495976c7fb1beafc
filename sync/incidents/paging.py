"""Alerts of our own: raised once an episode, resolved by themselves, and whoever is on call is told of both."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction

from gates import policy
from gates.incidents import rows
from gates.models import AlertEpisode
from gates.types import Proposal
from ledger import book, clock, sets, wake
from ledger.identity import lane_of, new_action_id
from ledger.models import Action, Event
from sync import actions, correlate
from sync.actions import alert_message as message
from sync.actions.alert import KIND, NAME, PREFIX
from sync.alerts.table import rule_of
from sync.booking import Booking, Cause
from sync.providers.pagerduty import ACKNOWLEDGE, RESOLVE, TRIGGER

ACTOR = "system:alerts"
SOURCE, EVENT_KIND = "meshline", "alert.raised"
UNSENT = ("held", "in_review", "approved", "parked", "failed")
PROVIDER = "provider-down"  # how alerts about a system that does not answer begin
SAID = {TRIGGER: "on", ACKNOWLEDGE: "looked after", RESOLVE: "over"}
COUNTED = timedelta(days=30)
STORM_FROM, STORM_WITHIN = 20, timedelta(minutes=10)
STORM_WORDS = f"more than {STORM_FROM} alerts began within 10 minutes; the page of alerts has them all"
COUNTS = """
select a.state, count(*) from gates_alertepisode e
  join ledger_action a on a.correlation_id = e.correlation_id and a.kind = %(kind)b
 where e.raised_at > %(since)b::timestamptz group by a.state"""


def is_set_up() -> bool:
    """Whether anybody can be paged."""
    return bool(settings.MESHLINE_PROVIDERS.get(NAME, {}).get("routing_key"))


def raise_alert(
    name: str, summary: str, *, severity: str = "", value: float | None = None, threshold: float | None = None
) -> AlertEpisode:
    """Begin an episode and tell, unless one is on already: then only that it was seen again is noted.

    `name` is of [a-z0-9:_-]; owner, runbook and, where none is given, severity are its rule's. Returns the episode.
    """
    rule, now = rule_of(name), clock.now()
    try:
        with transaction.atomic():
            newest = AlertEpisode.objects.select_for_update(of=("self",)).filter(name=name).order_by("-episode").first()
            if newest is not None and newest.state == AlertEpisode.State.RAISED:
                seen(newest, value, now)
                return newest
            one = AlertEpisode(
                name=name, episode=newest.episode + 1 if newest else 1, summary=summary[:300],
                severity=severity or (rule.severity if rule else "error"), correlation_id=uuid4(), state_version=1,
                rule=rule.name if rule else "", owner_group=rule.owner if rule else "Automation Engineer",
                runbook=rule.runbook if rule else "", value=value, worst=value, threshold=threshold, raised_at=now,
                last_seen_at=now,
            )  # fmt: skip
            one.save()
            book.write_rows([row_of(one, "raise_alert", "raised")])
            _tell(one, TRIGGER)
            return one
    except IntegrityError:  # somebody else began the same episode at this moment, and pages
        return AlertEpisode.objects.filter(name=name).latest("episode")


def resolve_alert(name: str) -> bool:
    """End the episode that is on; False when none is. A page that has not left yet never does."""
    with transaction.atomic():
        found = AlertEpisode.objects.select_for_update(of=("self",))
        one = found.filter(name=name, state=AlertEpisode.State.RAISED).first()
        if one is None:
            return False
        one.resolve()
        one.resolved_at = clock.now()
        one.save()
        book.write_rows([row_of(one, "resolve_alert", "raised")])
        _withdraw(one)
        _tell(one, RESOLVE)
        return True


def counts() -> dict[str, int]:
    """Pages of 30 days by the state of their action, apart from everything that is done for customers."""
    return dict(sets.run(COUNTS, {"kind": KIND, "since": clock.now() - COUNTED}))


def raised() -> list[AlertEpisode]:
    """The alerts that are on, newest first."""
    return list(AlertEpisode.objects.filter(state=AlertEpisode.State.RAISED).order_by("-pk"))


def seen(one: AlertEpisode, value: float | None, now: datetime) -> None:
    """It is still on: when that was found, and how bad it is and was at worst."""
    worst = max((each for each in (one.worst, value) if each is not None), default=None)
    AlertEpisode.objects.filter(pk=one.pk, state=AlertEpisode.State.RAISED).update(
        last_seen_at=now, value=one.value if value is None else value, worst=worst
    )


def tell_taken(one: AlertEpisode) -> None:
    """The pager stops calling others: somebody looks after it."""
    _tell(one, ACKNOWLEDGE)


def _tell(one: AlertEpisode, event: str) -> None:
    """An action for each place where anybody can be told; never there whose own trouble it is."""
    if is_set_up() and one.name != f"{PROVIDER}:{NAME}":
        _propose(one, event, KIND, _params(one, event))
    if event != ACKNOWLEDGE and one.name != f"{PROVIDER}:{message.NAME}":
        _tell_chat(one, event)
    transaction.on_commit(wake.ring)


def _tell_chat(one: AlertEpisode, event: str) -> None:
    """A message of its own, and its end; in a storm one message for all that begin."""
    channel, params = message.channel_for(one.owner_group), _params(one, event)
    if not channel:
        return
    if event == RESOLVE and not Action.objects.filter(kind=message.KIND, business_key=_key(params)).exists():
        return  # told by the message of a storm, which stays
    if event == TRIGGER:
        begun = AlertEpisode.objects.filter(raised_at__range=(one.raised_at - STORM_WITHIN, one.raised_at)).count()
        if begun > STORM_FROM:
            params |= {"alert": message.STORM, "summary": STORM_WORDS, "episode": _period(one.raised_at)}
            if Action.objects.filter(kind=message.KIND, business_key=_key(params)).exists():
                return
    more = {"channel": channel, "owner": one.owner_group, "number": one.pk, "since": one.raised_at.isoformat()}
    _propose(one, event, message.KIND, params | more)


def _params(one: AlertEpisode, event: str) -> dict[str, Any]:
    return {
        "alert": one.name, "episode": one.episode, "event": event, "severity": one.severity, "summary": one.summary,
    }  # fmt: skip


def _key(params: Mapping[str, Any]) -> str:
    return f"{PREFIX}{params['alert']}:{params['episode']}"


def _period(at: datetime) -> int:
    """The number of the ten minutes that a moment is in."""
    return int(at.timestamp() // STORM_WITHIN.total_seconds())


def _propose(one: AlertEpisode, event: str, kind: str, params: Mapping[str, Any]) -> None:
    chosen, cause = actions.get(kind), Cause(_event(one, event), one.correlation_id, "")
    key, known = _key(params), correlate.NOBODY
    because = f"the alert {one.name} is {SAID[event]}"
    into = Booking(policy.current(), clock.now())
    into.propose(Proposal(kind, f"{key}:{event}", key, because, params, chosen.risk, chosen.needs), known, cause)
    into.write()


def _withdraw(one: AlertEpisode) -> None:
    key = f"{PREFIX}{one.name}:{one.episode}"
    waiting = Action.objects.select_for_update(of=("self",)).filter(kind=KIND, business_key=key, state__in=UNSENT)
    row = {"reasons": rows.reason("the alert is over", "withdrawn")}
    gone = [book.step(each, "supersede", "superseded", ACTOR, changes=book.lease_free(), row=row) for each in waiting]
    book.move(gone)


def _event(one: AlertEpisode, event: str) -> int:
    now = clock.now()
    made = Event.objects.create(
        source=SOURCE, provider_event_id=f"{event}-{new_action_id()}", type=EVENT_KIND, kind=EVENT_KIND,
        object_id=str(one)[:255], occurred_at=now, received_at=now, enqueued_at=now, done_at=now,
        lane=lane_of(f"{SOURCE}:{one.name}"), state=Event.State.PROCESSED, verdict=f"done: {event} of {one}"[:300],
        body_sha=b"", correlation_id=one.correlation_id,
    )  # fmt: skip
    return int(made.pk)


def row_of(one: AlertEpisode, decision: str, prior: str, actor: str = ACTOR) -> dict[str, Any]:
    """A step of an episode as a row of the ledger."""
    thread: UUID = one.correlation_id
    return {
        "subject_kind": rows.ALERT, "subject_id": str(one.pk), "decision": decision, "actor": actor,
        "prior_state": prior, "post_state": str(one.state), "state_version": one.state_version,
        "correlation_id": thread, "outcome": str(one.state), "inputs": {"alert": one.name, "episode": one.episode},
    }  # fmt: skip

"""Alerts of our own: raised once an episode, resolved by themselves, and whoever is on call is told of both."""

from datetime import timedelta
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
from sync.actions.alert import KIND, NAME, PREFIX
from sync.booking import Booking, Cause
from sync.models import ProviderState
from sync.providers.pagerduty import RESOLVE, TRIGGER

ACTOR = "system:alerts"
SOURCE, EVENT_KIND = "meshline", "alert.raised"
DOWN_FOR, LATE_FOR = timedelta(minutes=5), timedelta(minutes=10)
UNSENT = ("held", "in_review", "approved", "parked", "failed")
PROVIDER, EVENTS = "provider-down:", "events-late"
COUNTED = timedelta(days=30)
COUNTS = """
select a.state, count(*) from gates_alertepisode e
  join ledger_action a on a.correlation_id = e.correlation_id and a.kind = %(kind)b
 where e.raised_at > %(since)b::timestamptz group by a.state"""


def is_set_up() -> bool:
    """Whether anybody can be paged."""
    return bool(settings.MESHLINE_PROVIDERS.get(NAME, {}).get("routing_key"))


def raise_alert(name: str, summary: str, *, severity: str = "error") -> AlertEpisode:
    """Begin an episode and page, unless one is on already: then nothing happens. `name` is of [a-z0-9:_-].

    Returns the episode that is on.
    """
    try:
        with transaction.atomic():
            newest = AlertEpisode.objects.select_for_update(of=("self",)).filter(name=name).order_by("-episode").first()
            if newest is not None and newest.state == AlertEpisode.State.RAISED:
                return newest
            one = AlertEpisode(
                name=name, episode=newest.episode + 1 if newest else 1, severity=severity, summary=summary[:300],
                correlation_id=uuid4(), state_version=1,
            )  # fmt: skip
            one.save()
            book.write_rows([_row(one, "raise_alert", "raised")])
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
        book.write_rows([_row(one, "resolve_alert", "raised")])
        _withdraw(one)
        _tell(one, RESOLVE)
        return True


def counts() -> dict[str, int]:
    """Pages of 30 days by the state of their action, apart from everything that is done for customers."""
    return dict(sets.run(COUNTS, {"kind": KIND, "since": clock.now() - COUNTED}))


def raised() -> list[AlertEpisode]:
    """The alerts that are on, newest first."""
    return list(AlertEpisode.objects.filter(state=AlertEpisode.State.RAISED).order_by("-pk"))


def watch() -> int:
    """Raise what is wrong now and resolve what is over; returns how many alerts are on."""
    wrong = _wrong()
    on = set(AlertEpisode.objects.filter(state=AlertEpisode.State.RAISED).values_list("name", flat=True))
    ours = {name for name in on if name == EVENTS or name.startswith(PROVIDER)}
    for name, summary in wrong.items():
        if name not in on:
            raise_alert(name, summary)
    for name in ours - set(wrong):
        resolve_alert(name)
    return len(wrong)


def _wrong() -> dict[str, str]:
    """Alerts that ought to be on, each with its sentence."""
    now = clock.now()
    down = ProviderState.objects.filter(breaker=ProviderState.Breaker.OPEN, opened_at__lt=now - DOWN_FOR)
    found = {
        f"{PROVIDER}{name}": f"{name} has not answered for over {int(DOWN_FOR.total_seconds() // 60)} minutes"
        for name in down.exclude(provider=NAME).values_list("provider", flat=True)
    }
    late = Event.objects.filter(state=Event.State.RECEIVED, enqueued_at__lt=now - LATE_FOR)
    if late.exists():
        found[EVENTS] = f"events have waited for over {int(LATE_FOR.total_seconds() // 60)} minutes"
    return found


def _tell(one: AlertEpisode, event: str) -> None:
    """An action for it, where anybody can be paged."""
    if not is_set_up():
        return
    chosen, cause = actions.get(KIND), Cause(_event(one, event), one.correlation_id, "")
    params: dict[str, Any] = {
        "alert": one.name, "episode": one.episode, "event": event, "severity": one.severity, "summary": one.summary,
    }  # fmt: skip
    known = correlate.NOBODY
    key = chosen.business_key(known, params)
    because = f"the alert {one.name} is {'on' if event == TRIGGER else 'over'}"
    into = Booking(policy.current(), clock.now())
    into.propose(Proposal(KIND, f"{key}:{event}", key, because, params, chosen.risk, chosen.needs), known, cause)
    into.write()
    transaction.on_commit(wake.ring)


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


def _row(one: AlertEpisode, decision: str, prior: str) -> dict[str, Any]:
    thread: UUID = one.correlation_id
    return {
        "subject_kind": rows.ALERT, "subject_id": str(one.pk), "decision": decision, "actor": ACTOR,
        "prior_state": prior, "post_state": str(one.state), "state_version": one.state_version,
        "correlation_id": thread, "outcome": str(one.state), "inputs": {"alert": one.name, "episode": one.episode},
    }  # fmt: skip

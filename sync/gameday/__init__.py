"""Drills of the emergency stop: when the next is due, who may run one, and what stands in its way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django_q.tasks import async_task

from gates import stop
from gates.models import GameDay, StopSwitch
from gates.stop import Refused
from ledger import book, cells, clock
from ledger.models import Event
from sync import tripping
from sync.incidents import paging
from sync.modes import is_test

log = structlog.get_logger(__name__)

SUBJECT, TASK = "gameday", "sync.gameday.running.run"
VIEW, RUN = "gates.view_gameday", "gates.run_gameday"
EVERY, ABANDONED = timedelta(days=30), timedelta(minutes=10)
OVERDUE = "gameday-overdue"
ACTOR = "system:gameday"


@dataclass(frozen=True, slots=True)
class Drilled:
    """When a drill that passed began, where no more of it is needed."""

    started_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a drill is due: the last one that passed, when the next has to be, and that in words."""

    last: GameDay | Drilled | None
    due_at: datetime | None
    is_overdue: bool
    sentence: str


def standing() -> Standing:
    """How things stand now. Only a drill that passed proves anything; one that lies ahead of the clock does not."""
    last = GameDay.objects.filter(state=GameDay.State.PASSED).order_by("-started_at").first()
    began = None if last else Event.objects.order_by("id").values_list("received_at", flat=True).first()
    return standing_of(last, began)


def standing_of(last: GameDay | Drilled | None, began: datetime | None) -> Standing:
    """The same, where the last drill that passed and the first event of all are known."""
    now = clock.now()
    if last is not None and last.started_at > now + timedelta(minutes=5):
        said = f"the last drill is of {last.started_at:%Y-%m-%d}, which lies ahead: the clock was set back"
        return Standing(last, now, is_overdue=True, sentence=said)
    since = last.started_at if last else began
    if since is None:
        return Standing(None, None, is_overdue=False, sentence="never drilled; run the first before real traffic")
    due = since + EVERY
    if due >= now:
        said = f"next within {cells.length(due - now)}"
    else:
        said = f"overdue for {cells.length(now - due)}" if last else f"never drilled in {cells.length(now - since)}"
    return Standing(last, due, is_overdue=due < now, sentence=said)


def default_scope() -> str:
    """The internal customer alone, where one is named; else everything."""
    named = settings.MESHLINE_DRILL_CUSTOMER
    return stop.of_customer(named) if named else stop.ALL


def is_simulated() -> bool:
    """Whether every configured system is a simulator or a test account."""
    return all(is_test(name, provider) for name, provider in settings.MESHLINE_PROVIDERS.items())


def begin(*, by: User, scope: str = "", reason: str = "monthly drill") -> GameDay:
    """Open a drill; `running.run` carries it out. Nothing is halted yet.

    Raises Refused: 403 permission, 409 something is stopped or another drill runs, 422 scope or reason.
    """
    for needed in (RUN, stop.PERMISSIONS["engage"], stop.PERMISSIONS["request_resume"]):
        if not (by.is_active and by.has_perm(needed)):
            raise Refused(403, "permission", f"your account may not run a drill; it needs the permission {needed}")
    chosen = scope.strip() or default_scope()
    stop.check_scope(chosen)
    words = reason.strip()
    if not words or len(words) > 300:
        raise Refused(422, "reason", "reason: 1 to 300 characters; it goes into the ledger")
    with transaction.atomic():
        StopSwitch.objects.select_for_update(of=("self",)).filter(scope=stop.ALL).first()
        if stop.is_stopped():
            raise Refused(409, "stopped", "something is stopped already; resume it first, or the drill proves nothing")
        if GameDay.objects.filter(state=GameDay.State.RUNNING).exists():
            raise Refused(409, "running", "a drill runs already; wait until it has ended")
        made = GameDay(
            scope=chosen, is_simulated=is_simulated(), reason=words, started_by=by, started_at=clock.now(),
            state_version=1,
        )  # fmt: skip
        made.save()
        write(made, "start_drill", f"user:{by.pk}", str(made.state))
    return made


def ring(key: int) -> None:
    """Have a worker carry it out."""
    try:
        async_task(TASK, key)
    except DatabaseError:
        log.warning("gameday_not_rung", gameday=key)


def end(one: GameDay, verb: str, said: str) -> None:
    """`succeed` or `fail`, with the row, in the caller's transaction."""
    prior = str(one.state)
    getattr(one, verb)()
    one.ended_at, one.said = clock.now(), said[:300]
    one.save()
    write(one, "pass_drill" if verb == "succeed" else "fail_drill", f"user:{one.started_by_id}", prior)


def write(one: GameDay, decision: str, actor: str, prior: str) -> None:
    """The ledger row of one step."""
    inputs: dict[str, Any] = {
        "scope": one.scope, "halt_ms": one.halt_ms, "begun_before": one.begun_before, "begun_after": one.begun_after,
        "held": one.held, "probes": one.probes, "projected": one.projected_total,
    }  # fmt: skip
    reason = one.said or one.reason
    book.write_rows([
        {
            "subject_kind": SUBJECT, "subject_id": str(one.pk), "decision": decision, "actor": actor,
            "prior_state": prior, "post_state": str(one.state), "state_version": one.state_version,
            "outcome": str(one.state), "inputs": inputs, "reasons": [{"rule": "reason", "reason": reason}],
        }
    ])  # fmt: skip


def watch() -> str:
    """Every five minutes: page about an overdue drill, end what a dead worker left, and the alert of a trip."""
    stands = standing()
    if stands.is_overdue:
        paging.raise_alert(OVERDUE, f"The drill of the emergency stop: {stands.sentence}", severity="warning")
    else:
        paging.resolve_alert(OVERDUE)
    if StopSwitch.objects.filter(scope=stop.ALL, state=StopSwitch.State.RUNNING).exists():
        paging.resolve_alert(tripping.ALERT)
    with transaction.atomic():
        old = GameDay.objects.select_for_update(of=("self",), skip_locked=True).filter(
            state=GameDay.State.RUNNING, started_at__lt=clock.now() - ABANDONED
        )
        for one in old:
            end(one, "fail", "its worker died before it was measured; the stop is as it was left")
    return stands.sentence

"""One drill, carried out: probes and real writes under way, the stop, a look at what began after it, what to undo."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from gates import policy, stop
from gates.models import GameDay
from gates.stop import Refused
from gates.types import Proposal
from ledger import book, clock, wake
from ledger.models import Action, Customer
from sync import actions, correlate
from sync.actions.alert import KIND as ALERT
from sync.actions.drill import KIND, PREFIX
from sync.booking import Booking, Cause
from sync.gameday import ACTOR, end
from sync.models import Attempt

FIRST, DURING, AFTER = 10, 30, 10  # probes: to see that writes pass, to be under way, to be held
WARM_UP, WATCH, SETTLE = 60.0, 5.0, 30.0
GRACE = timedelta(seconds=1)  # what is promised: from a second after the commit no write begins
BEFORE, UNDO_OF, MOST = timedelta(minutes=1), timedelta(hours=24), 200
OPEN = ("proposed", "held", "in_review", "approved", "parked", "failed")

Wait = Callable[[], None]


def _nap() -> None:
    time.sleep(0.1)


def run(key: int, *, wait: Wait = _nap, watch: float = WATCH) -> str:
    """Carry out a drill that was begun, once; says how it ended. `wait` passes a moment while workers do the work."""
    with transaction.atomic():
        one = GameDay.objects.select_for_update(of=("self",)).filter(pk=key, state=GameDay.State.RUNNING).first()
        if one is None or one.stopped_at is not None:
            return "nothing to do"
    customer = _customer(one.scope)
    _probe(one, customer, FIRST)
    moves = _until(lambda: _begun(one, clock.now() - BEFORE).exists() or _passed(one).exists(), WARM_UP, wait)
    if not moves:
        return _close(one, customer)
    _probe(one, customer, DURING)
    try:
        _halt(one)
    except Refused as refusal:
        with transaction.atomic():
            end(one, "fail", refusal.message)
        return one.said
    _probe(one, customer, AFTER)
    watched = time.monotonic() + watch
    _until(lambda: time.monotonic() >= watched, watch + 1, wait)
    _until(lambda: not _flying(one).exists(), SETTLE, wait)
    return _close(one, customer)


def _halt(one: GameDay) -> None:
    """Press the stop in the name of whoever began the drill, and keep the moment it was committed."""
    one.in_flight = _flying(one).count()
    stop.engage(one.scope, by=one.started_by, reason=f"drill {one}: {one.reason}")
    one.stopped_at = clock.now()
    one.save()


def _close(one: GameDay, customer: Customer | None) -> str:
    """Measure, take back what is left of the probes, and write down how it went; a second person resumes."""
    if one.stopped_at is not None:
        _measure(one, one.stopped_at)
        one.held = stop.held_count(one.scope)
    _withdraw(one)
    one.projected, one.projected_total = _projected(one)
    with transaction.atomic():
        end(one, *_verdict(one, customer))
    if one.stopped_at is not None:
        try:
            stop.request_resume(one.scope, by=one.started_by, reason=f"drill {one} has ended: {one.said}"[:500])
        except Refused:
            pass  # somebody halted it anew, or resumes it already: that stands
    return one.said


def _verdict(one: GameDay, customer: Customer | None) -> tuple[str, str]:
    if one.stopped_at is None:
        missing = "" if customer else "; set MESHLINE_DRILL_CUSTOMER, so that a drill brings its own probes"
        said = f"nothing was being written, so a halt would prove nothing{missing}. Nothing was stopped"
        return "fail", said
    if one.begun_after:
        return "fail", f"{one.begun_after} writes began later than a second after the halt"
    return "succeed", f"no write began after the halt; the last one {one.halt_ms or 0} ms after it was committed"


# --- what is written meanwhile


def _customer(scope: str) -> Customer | None:
    """The internal customer whose probes are sent: that of the scope, or the one that is set."""
    head, _, name = scope.partition(":")
    return Customer.objects.filter(external_id=name if head == "customer" else settings.MESHLINE_DRILL_CUSTOMER).first()


def _probe(one: GameDay, customer: Customer | None, count: int) -> None:
    """Propose so many probes about the internal customer; none where nobody is, or the scope would not halt them."""
    if customer is None or one.scope.partition(":")[0] not in (stop.ALL, "customer"):
        return
    known = correlate.load_customers([customer.pk])[customer.pk]
    kind, thread = actions.get(KIND), uuid4()
    into = Booking(policy.current(), clock.now())
    for number in range(one.probes, one.probes + count):
        params: dict[str, Any] = {"drill": one.pk, "number": number}
        key = kind.business_key(known, params)
        proposal = Proposal(KIND, key, key, f"drill {one}", params, kind.risk, kind.needs)
        into.propose(proposal, known, Cause(None, thread, "", requested_by=one.started_by_id))
    with transaction.atomic():
        into.write()
        transaction.on_commit(wake.ring)
    one.probes += count
    GameDay.objects.filter(pk=one.pk).update(probes=one.probes)


def _probes(one: GameDay) -> QuerySet[Action]:
    return Action.objects.filter(kind=KIND, business_key__startswith=f"{PREFIX}{one.pk}:", id__gte=_from(one))


def _from(one: GameDay) -> Any:
    """Ids of actions are ordered by time: what is older than the drill is not walked."""
    first = Action.objects.filter(created_at__gte=one.started_at, kind=KIND).order_by("id").values_list("id", flat=True)
    return first.first() or "ffffffff-ffff-ffff-ffff-ffffffffffff"


def _passed(one: GameDay) -> QuerySet[Action]:
    """Probes that the last look let through."""
    return _probes(one).filter(state=Action.State.APPLIED)


def _begun(one: GameDay, since: datetime, until: datetime | None = None) -> QuerySet[Attempt]:
    """Writes of the scope that began; pages about ourselves are exempt from the stop."""
    covered = Action.objects.filter(stop.covered(one.scope)).exclude(kind=ALERT)
    found = Attempt.objects.filter(is_write=True, began_at__gte=since, action__in=covered)
    return found if until is None else found.filter(began_at__lt=until)


def _flying(one: GameDay) -> QuerySet[Action]:
    return Action.objects.filter(stop.covered(one.scope), state=Action.State.SENDING, job_ref="").exclude(kind=ALERT)


# --- what came of it


def _measure(one: GameDay, stopped: datetime) -> None:
    """Times of writes by the processes' own clocks, those of one machine or of machines that keep the same time."""
    moments = [datetime.fromisoformat(said["began_at"]) for said in _said(one)]
    last = _begun(one, stopped).aggregate(at=Max("began_at"))["at"]
    after = [at for at in (*moments, *((last,) if last else ())) if at > stopped]
    one.halt_ms = max((int((at - stopped).total_seconds() * 1000) for at in after), default=0)
    one.begun_before = _begun(one, stopped - BEFORE, stopped).count() + sum(1 for at in moments if at <= stopped)
    late = sum(1 for at in moments if at > stopped + GRACE)
    one.begun_after = _begun(one, stopped + GRACE).count() + late


def _said(one: GameDay) -> list[dict[str, str]]:
    """What the probes that went through said, from their confirmations."""
    confirmed = _passed(one).values_list("confirmation", flat=True)
    found = [kept.get("said", kept) for kept in confirmed if isinstance(kept, dict)]
    return [said for said in found if "began_at" in said]


def _withdraw(one: GameDay) -> None:
    """Probes that were held never leave."""
    with transaction.atomic():
        left = _probes(one).select_for_update(of=("self",)).filter(state__in=OPEN)
        row = {"reasons": [{"rule": "withdrawn", "reason": f"the drill {one} is over"}]}
        gone = [book.step(each, "supersede", "superseded", ACTOR, changes=book.lease_free(), row=row) for each in left]
        book.move(gone, strict=False)


def _projected(one: GameDay) -> tuple[list[dict[str, str]], int]:
    """What would have to be undone, had this been in earnest: what the scope confirmed within a day."""
    until = one.stopped_at or clock.now()
    done = Action.objects.filter(
        stop.covered(one.scope), state=Action.State.APPLIED, applied_at__gte=until - UNDO_OF, applied_at__lte=until,
        id__gte=_first_id(until - timedelta(days=90)),
    ).exclude(kind__in=(KIND, ALERT))  # fmt: skip
    return [_undoing(each) for each in done.order_by("-id")[:MOST]], done.count()


def _first_id(at: datetime) -> Any:
    return f"{int(at.timestamp() * 1000):012x}".ljust(32, "0")


def _undoing(action: Action) -> dict[str, str]:
    """One line of the list: the inverse that would be asked for, or why there is none."""
    undo = why = ""
    if action.kind in actions.ACTIONS:
        kind = actions.get(action.kind)
        undo, why = kind.inverse_of(action.params), kind.irreversible_because
    return {
        "action": str(action.pk),
        "kind": action.kind,
        "undo": undo,
        "why_not": "" if undo else why or "unknown kind",
    }


def _until(is_true: Callable[[], bool], seconds: float, wait: Wait) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if is_true():
            return True
        wait()
    return is_true()

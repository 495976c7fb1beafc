"""What the stop held: judged again for a look, and released at a pace once two people said so.

A release only approves or asks; the decision on fresh facts is the executor's, when it claims the action. It stops by
itself when what it released begins to fail in one and the same way.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q

from gates import decide, items, playbooks, policy, stop
from gates.models import StopSwitch
from gates.policy import Policies
from ledger import book, cells, clock, sets, wake
from ledger.models import Action, LedgerRow
from ledger.readonly import as_uuid
from sync import booking, claimed
from sync.claimed import Claimed

log = structlog.get_logger(__name__)

ACTOR = "system:release"
FAILURES_TO_HALT = 3
MOST_A_PASS = 100
MOST_JUDGED, PAGE = 500, 25
VALID, WAITS, ASKS, VOID = "valid", "waits", "asks", "void"
VERDICTS = {"approve": VALID, "hold": WAITS, "supersede": VOID, "ask": ASKS, "observe": ASKS}


# --- a look at what is held ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """One held action and what would become of it now, on the facts that are stored."""

    id: UUID
    kind: str
    provider: str
    customer_id: int
    because: str
    amount_minor: int | None
    currency: str
    since: datetime
    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """A page of held actions, and the verdicts on the first `judged` of all `total`."""

    total: int
    judged: int
    counts: dict[str, int]
    rows: list[Held]
    next: str

    @property
    def is_complete(self) -> bool:
        """Whether every held action was judged for the counts."""
        return self.judged == self.total


def rejudge(scope: str, *, after: str = "", size: int = PAGE) -> Look:
    """Decide again, on stored facts, what the stop of this scope holds. Writes nothing; judges at most a bounded set.

    `after` is the id of the last action of the page before; nonsense there begins at the first page.
    """
    held = Action.objects.filter(stop.covered(scope), state=Action.State.PARKED).order_by("id")
    first = list(held.values_list("pk", flat=True)[:MOST_JUDGED])
    last = _id(after)
    wanted = list((held.filter(pk__gt=last) if last else held).values_list("pk", flat=True)[: size + 1])
    page = wanted[:size]
    judged = _judge_all(sets.placeholders([*first, *page]))
    counts = Counter(judged[one].verdict for one in first if one in judged)
    return Look(
        total=held.count() if len(first) == MOST_JUDGED else len(first), judged=len(first),
        counts={name: counts[name] for name in (VALID, WAITS, ASKS, VOID)},
        rows=[judged[one] for one in page if one in judged], next=str(page[-1]) if len(wanted) > size else "",
    )  # fmt: skip


def found(look: Look) -> dict[str, int]:
    """The counts of a look as they go into the ledger row of a resume."""
    return {"judged": look.judged, **look.counts}


def _id(text: str) -> UUID | None:
    try:
        return as_uuid(text) if text else None
    except ValueError:
        return None


def _judge_all(ids: list[UUID]) -> dict[UUID, Held]:
    now, policies = clock.now(), policy.current()
    since = dict(Action.objects.filter(pk__in=ids).values_list("pk", "updated_at"))
    return {one.id: _judged(one, policies, since[one.id], now) for one in claimed.peek(ids, now) if one.id in since}


def _judged(one: Claimed, policies: Policies, since: datetime, now: datetime) -> Held:
    too_long = _past_use(since, now)
    verdict, reasons = (ASKS, (too_long,)) if too_long else _verdict(one, policies, now)
    return Held(
        one.id, one.kind_name, one.provider, one.customer_id, one.because, one.amount_minor, one.currency, since,
        verdict, reasons,
    )  # fmt: skip


def _verdict(one: Claimed, policies: Policies, now: datetime) -> tuple[str, tuple[str, ...]]:
    if one.known is None:
        return ASKS, ("it is about no contract that is known",)
    try:
        judged_on = replace(one.facts(now), executing=False)  # what is stored may be old: it is read again when sent
        reason = playbooks.withdraw_reason(judged_on, one.business_key, one.known.memo, one.kind_name)
        chosen = booking.policy_for(policies, one.automation)
        proposal = one.proposal(reason)
        _, agreed_to = booking.shown(proposal, judged_on, chosen.version)
        decision = decide.decide(proposal, judged_on, chosen, approved_rules=one.approved_rules(agreed_to))
    except (LookupError, TypeError, ValueError) as error:
        log.warning("held_not_judged", action=str(one.id), error=type(error).__name__)
        return ASKS, ("it cannot be judged on what is stored",)
    if reason:
        return VOID, (reason,)
    verdict = VERDICTS[decision.verb]
    return verdict, () if verdict == VALID else tuple(answer.reason for answer in decision.failing if answer.reason)


def _past_use(since: datetime, now: datetime) -> str:
    """Why something was held for so long that a person looks at it first; empty while it was not."""
    limit = timedelta(seconds=settings.MESHLINE_HELD_USE_SECONDS)
    if now - since <= limit:
        return ""
    return f"it was held for {cells.length(now - since)}; over {cells.length(limit)} a person decides again"


# --- the release -----------------------------------------------------------------------------------------------------


def release() -> int:
    """One pass over all scopes that were resumed: lets as many go as the time since the last pass allows."""
    if not Action.objects.filter(state=Action.State.PARKED).exists():
        return 0
    switches = stop.switches()
    running = [one for one in switches if one.state == StopSwitch.State.RUNNING]
    if not any(one.scope == stop.ALL for one in running):
        return 0
    done = sum(_release_of(one, switches) for one in running if one.release_halted_at is None)
    if done:
        wake.ring()
    return done


def _release_of(switch: StopSwitch, switches: Iterable[StopSwitch]) -> int:
    """The pass of one scope. Who presses the stop at this moment waits for it no longer than it takes."""
    with transaction.atomic():
        # Passed over where somebody else has the row: another pass, or a person at the stop.
        mine = StopSwitch.objects.select_for_update(skip_locked=True).filter(
            pk=switch.pk, state=StopSwitch.State.RUNNING, release_halted_at__isnull=True
        )
        locked = mine.first()
        if locked is None:
            return 0
        answers_for = _answers_for(locked, switches)
        if group := _failing(locked, answers_for):
            stop.halt_release(locked, error_code=group["error_code"], failed=group["failed"])
            log.warning("release_halted", scope=locked.scope, error_code=group["error_code"])
            return 0
        now = clock.now()
        allowed = _allowed(locked, now)
        held = Action.objects.select_for_update(skip_locked=True, of=("self",)).filter(answers_for, state="parked")
        going = list(held.order_by("id")[:allowed])
        if going:
            _let_go(going, locked, now)
            _wait(locked, len(going), now)
        return len(going)


def _answers_for(switch: StopSwitch, switches: Iterable[StopSwitch]) -> Q:
    """What this scope releases: what it covers, unless another scope over it is stopped or was resumed later."""
    mine = stop.covered(switch.scope)
    for other in switches:
        if other.pk != switch.pk and (other.state != StopSwitch.State.RUNNING or _rank(other) > _rank(switch)):
            mine &= ~stop.covered(other.scope)
    return mine


def _rank(switch: StopSwitch) -> tuple[bool, float, int]:
    return switch.resumed_at is not None, switch.resumed_at.timestamp() if switch.resumed_at else 0.0, switch.pk


def _failing(switch: StopSwitch, answers_for: Q) -> dict[str, Any] | None:
    """The largest group of released actions that failed with one and the same error since the release began."""
    if switch.release_from is None:
        return None
    released = LedgerRow.objects.filter(
        action_id=OuterRef("pk"), prior_state="parked", post_state="approved", recorded_at__gte=switch.resumed_at
    )
    failed = Action.objects.filter(
        answers_for, Exists(released), state=Action.State.FAILED, updated_at__gte=switch.release_from
    )
    groups = failed.order_by().values("error_code").annotate(failed=Count("pk")).order_by("-failed")
    return next((dict(one) for one in groups[:1] if one["failed"] >= FAILURES_TO_HALT), None)


def _allowed(switch: StopSwitch, now: datetime) -> int:
    """How many may go now. What was not used while nobody swept is not made up for beyond a minute's worth."""
    if switch.release_to == stop.QUEUE:
        return MOST_A_PASS  # nothing leaves, so there is nothing to pace
    due = switch.release_next_at or now
    if due > now:
        return 0
    return min(MOST_A_PASS, switch.release_a_minute, int((now - due) / _gap(switch)) + 1)


def _gap(switch: StopSwitch) -> timedelta:
    return timedelta(minutes=1) / switch.release_a_minute


def _wait(switch: StopSwitch, count: int, now: datetime) -> None:
    """Remember when the next may go. Not a change of the switch: neither its version nor its history moves."""
    due = switch.release_next_at or now
    StopSwitch.objects.filter(pk=switch.pk).update(release_next_at=max(due + count * _gap(switch), now))


def _let_go(actions: list[Action], switch: StopSwitch, now: datetime) -> None:
    """Approve what may leave, ask a person about the rest; each with its ledger row."""
    asks = {one.pk: why for one in actions if (why := _why_ask(one, switch, now))}
    moves = [_move(one, asks.get(one.pk, "")) for one in actions]
    moved = book.move(moves, strict=False)
    asked = [one for one in actions if one.pk in asks and one.pk in moved]
    policies = policy.current()
    items.void_approvals([one.pk for one in asked])
    items.open_items([_item(one, asks[one.pk], policies.owner_of(one.automation)) for one in asked])


def _why_ask(action: Action, switch: StopSwitch, now: datetime) -> str:
    if switch.release_to == stop.QUEUE:
        return "the stop held it; whoever resumed wants a person to decide again"
    return _past_use(action.updated_at, now)


def _move(action: Action, ask: str) -> book.Move:
    reason = ask or "the stop is over; judged again before it is sent"
    row = {"reasons": [{"rule": "emergency_stop", "reason": reason}]}
    verb, post = ("ask", "in_review") if ask else ("approve", "approved")
    return book.step(action, verb, post, ACTOR, changes=book.lease_free(), row=row)


def _item(action: Action, reason: str, owner_group: str) -> dict[str, Any]:
    return {
        "action_id": action.pk, "customer_id": action.customer_id, "kind": action.kind, "why": "emergency_stop",
        "sentence": booking.sentence(action.kind, action.because), "reason": reason, "owner_group": owner_group,
        "amount_minor": action.amount_minor, "currency": action.currency, "correlation_id": action.correlation_id,
        "provider": action.provider, "automation": action.automation,
    }  # fmt: skip

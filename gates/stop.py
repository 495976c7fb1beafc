"""The emergency stop: one click halts every write of a scope, two people and a reason bring it back."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q
from django_fsm import can_proceed

from gates.models import Automation, StopSwitch
from ledger import book, clock, wake
from ledger.models import Action, Customer, LedgerRow

ALL = "all"
SEND, QUEUE = "send", "queue"  # what a resume does with what was held: let it leave, or ask people again
PACE, MOST_A_MINUTE = 10, 600
# Read on a connection of its own right before each write. A missing row of scope all counts as stopped.
ALLOWS_SQL = """
select coalesce(bool_and(state = 'running'), false) and bool_or(scope = 'all') as allowed
  from gates_stopswitch where scope in ('all', %s, %s)"""
# Of one action, whose customer may be halted alone.
ITS_CUSTOMER_SQL = """
not exists (select from gates_stopswitch s join ledger_action a on a.id = %s
              join ledger_customer c on c.id = a.customer_id
             where s.scope = 'customer:' || c.external_id and s.state <> 'running')"""


class Refused(Exception):
    """The door said no. `status` is the HTTP answer, `code` a stable word, the text says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def scopes_of(provider: str, automation: str) -> tuple[str, str]:
    """The scopes beside `all` that a write answers to; what is about a customer answers to `of_customer` as well."""
    return f"provider:{provider}", f"automation:{automation}"


def of_customer(external_id: str) -> str:
    """The scope of what is written about one customer: a drill halts an internal one alone."""
    return f"customer:{external_id}"


def blocks(provider: str, automation: str = "") -> bool:
    """Whether the stop forbids this write now, read from the database."""
    with connection.cursor() as cursor:
        cursor.execute(ALLOWS_SQL, list(scopes_of(provider, automation)))
        return not cursor.fetchone()[0]


def switches() -> list[StopSwitch]:
    """Every scope that was ever stopped, `all` first."""
    rows = StopSwitch.objects.select_related("stopped_by", "resume_asked_by")
    return sorted(rows, key=lambda one: (one.scope != ALL, one.scope))


def trip(scope: str, *, actor: str, reason: str, inputs: Mapping[str, Any]) -> StopSwitch | None:
    """Halt a scope without a person, by a rule with its numbers; None where it is not running. Two people resume it."""
    with transaction.atomic():
        switch = _locked(scope)
        if switch.state != StopSwitch.State.RUNNING:
            return None
        prior = str(switch.state)
        switch.engage()
        switch.reason, switch.stopped_by, switch.stopped_at = reason, None, clock.now()
        switch.release_halted_at = None
        _save(switch, prior, "trip", actor, reason, inputs)
        return switch


def is_stopped() -> bool:
    """Whether any scope is not running, or the row of scope all is missing."""
    states = dict(StopSwitch.objects.values_list("scope", "state"))
    return states.get(ALL) != "running" or any(state != "running" for state in states.values())


def covered(scope: str) -> Q:
    """The actions that a scope halts."""
    head, _, name = scope.partition(":")
    everything = Q(pk__isnull=False)  # not an empty Q, whose opposite is empty as well
    return {
        "provider": Q(provider=name), "automation": Q(automation=name), "customer": Q(customer__external_id=name),
    }.get(head, everything)  # fmt: skip


def held_count(scope: str = ALL) -> int:
    """Actions of the scope that wait for the stop to end."""
    return Action.objects.filter(covered(scope), state=Action.State.PARKED).count()


def engage(scope: str, *, by: User, reason: str) -> StopSwitch:
    """Halt every write of the scope at once. Anyone with an account that may stop can; a second stop changes nothing.

    Raises Refused without permission, without a reason, or for a scope that does not exist.
    """
    reason = _reason(reason)

    def change(switch: StopSwitch) -> None:
        if switch.state == StopSwitch.State.STOPPED:
            return
        prior = switch.state
        switch.engage()
        switch.reason, switch.stopped_by, switch.stopped_at = reason, by, clock.now()
        switch.resume_asked_by, switch.resume_asked_at, switch.resume_reason = None, None, ""
        switch.release_halted_at = None
        sending = Action.objects.filter(covered(scope), state=Action.State.SENDING).count()
        _save(switch, prior, "engage", _actor(by), reason, {"sending": sending})

    return _decide(scope, by, "engage", change)


def request_resume(scope: str, *, by: User, reason: str) -> StopSwitch:
    """The first of two people asks to let writes pass again; everything stays halted."""
    reason = _reason(reason)

    def change(switch: StopSwitch) -> None:
        if switch.state == StopSwitch.State.RESUMING:
            raise Refused(409, "asked", f"{_asked(switch)}; another person confirms it")
        if not can_proceed(switch.request_resume):
            raise Refused(409, "not_stopped", f"{scope} is {switch.get_state_display().lower()}; nothing to resume")
        prior = switch.state
        switch.request_resume()
        switch.resume_asked_by, switch.resume_asked_at, switch.resume_reason = by, clock.now(), reason
        _save(switch, prior, "request_resume", _actor(by), reason)

    return _decide(scope, by, "request_resume", change)


def confirm_resume(
    scope: str, *, by: User, release_to: str = SEND, a_minute: int = PACE, found: Mapping[str, int] | None = None
) -> StopSwitch:
    """The second person agrees; what was held is judged again and leaves `a_minute` actions a minute, or asks people.

    `found` are the counts of a look at what was held; they go into the ledger row. Raises Refused: 403 permission or
    the person who asked, 409 nothing asked for or somebody was faster, 422 release_to or a_minute.
    """
    if release_to not in (SEND, QUEUE):
        raise Refused(422, "release_to", f"release_to: must be {SEND} or {QUEUE}")
    if type(a_minute) is not int or not 1 <= a_minute <= MOST_A_MINUTE:
        raise Refused(422, "a_minute", f"a_minute: a whole number from 1 to {MOST_A_MINUTE}")

    def change(switch: StopSwitch) -> None:
        if not can_proceed(switch.confirm_resume):
            raise Refused(409, *_nothing_to_confirm(switch))
        if same_person(switch.resume_asked_by, by):
            raise Refused(403, "four_eyes", "you asked for this resume; another person has to confirm it")
        prior = switch.state
        switch.confirm_resume()
        switch.resumed_at = switch.release_from = switch.release_next_at = clock.now()
        switch.release_to, switch.release_a_minute, switch.release_halted_at = release_to, a_minute, None
        chosen = {"held": held_count(scope), "release_to": release_to, "a_minute": a_minute}
        _save(switch, prior, "confirm_resume", _actor(by), switch.resume_reason, {**(found or {}), **chosen})
        wake.ring()

    return _decide(scope, by, "confirm_resume", change)


def continue_release(scope: str, *, by: User) -> StopSwitch:
    """Go on releasing after the release had stopped itself; the failures it stopped at no longer count."""

    def change(switch: StopSwitch) -> None:
        if switch.state != StopSwitch.State.RUNNING or switch.release_halted_at is None:
            raise Refused(409, "not_halted", "the release did not stop itself, or somebody continued it already")
        switch.release_from = switch.release_next_at = clock.now()
        switch.release_halted_at = None
        switch.state_version += 1
        _save(switch, str(switch.state), "continue_release", _actor(by), "the failures were looked at")
        wake.ring()

    return _decide(scope, by, "continue_release", change)


def halt_release(switch: StopSwitch, *, error_code: str, failed: int) -> None:
    """Stop the release of a scope by itself: what it releases fails. The caller holds the row of the switch."""
    switch.release_halted_at = clock.now()
    switch.state_version += 1
    said = f"{failed} released actions failed with {error_code or 'the same error'}"
    _save(switch, str(switch.state), "halt_release", "system:release", said, {"failed": failed, "code": error_code})


def _asked(switch: StopSwitch) -> str:
    who = switch.resume_asked_by.get_username() if switch.resume_asked_by else "somebody"
    when = f" at {switch.resume_asked_at:%H:%M:%S} UTC" if switch.resume_asked_at else ""
    return f"{who} asked for this resume{when}"


def _nothing_to_confirm(switch: StopSwitch) -> tuple[str, str]:
    """Whoever was too late is told who was faster, and when."""
    if switch.state != StopSwitch.State.RUNNING or switch.resumed_at is None:
        return "not_asked", "nobody has asked to resume; ask first, then another person confirms"
    rows = LedgerRow.objects.filter(subject_kind="stop", subject_id=switch.scope, decision="confirm_resume")
    actor = rows.exclude(outcome="refused").order_by("-id").values_list("actor", flat=True).first() or ""
    key = actor.partition(":")[2]
    name = User.objects.filter(pk=int(key)).values_list("username", flat=True).first() if key.isdigit() else None
    when = f"{switch.resumed_at:%H:%M:%S} UTC"
    return "resumed", f"{name or 'somebody'} resumed this at {when}; there is nothing to confirm"


PERMISSIONS = {
    "engage": "gates.engage_stop", "request_resume": "gates.resume_stop", "confirm_resume": "gates.resume_stop",
    "continue_release": "gates.resume_stop",
}  # fmt: skip


def _decide(scope: str, by: User, verb: str, change: Callable[[StopSwitch], None]) -> StopSwitch:
    """Run one verb behind the door; a refused permission or four-eyes rule is written down after the rollback."""
    check_scope(scope)
    try:
        with transaction.atomic():
            switch = _locked(scope)
            _permit(by, PERMISSIONS[verb], verb)
            change(switch)
            return switch
    except Refused as refusal:
        if refusal.status == 403:
            switch = StopSwitch.objects.filter(scope=scope).first() or StopSwitch(scope=scope)
            _refuse_row(switch, by, verb, refusal.code)
        raise


def same_person(one: User | None, other: User | None) -> bool:
    """Two accounts with one e-mail address are one person."""
    if one is None or other is None:
        return False
    return one.pk == other.pk or bool(one.email and one.email.casefold() == other.email.casefold())


def _locked(scope: str) -> StopSwitch:
    StopSwitch.objects.get_or_create(scope=scope)
    return StopSwitch.objects.select_for_update(of=("self",)).get(scope=scope)


def check_scope(scope: str) -> None:
    """A stop with a name nobody has would look like a stop and halt nothing."""
    if scope == ALL:
        return
    head, _, name = scope.partition(":")
    if head not in ("provider", "automation", "customer") or not name or len(scope) > 80:
        raise Refused(422, "scope", "scope: must be all, provider:<name>, automation:<name> or customer:<external id>")
    if head == "customer":
        if not Customer.objects.filter(external_id=name).exists():
            raise Refused(422, "scope", f"scope: there is no customer {name!r}")
        return
    names = settings.MESHLINE_PROVIDERS if head == "provider" else Automation.objects.values_list("name", flat=True)
    if name not in names:
        raise Refused(422, "scope", f"scope: there is no {head} {name!r}; there are {', '.join(sorted(names))}")


def _reason(reason: str) -> str:
    text = reason.strip()
    if not text:
        raise Refused(422, "reason", "reason: say why, it goes into the ledger")
    if len(text) > 500:
        raise Refused(422, "reason", f"reason: at most 500 characters, this has {len(text)}")
    return text


def _permit(by: User, permission: str, verb: str) -> None:
    if not (by.is_active and by.has_perm(permission)):
        word = "stop" if verb == "engage" else "resume"
        raise Refused(403, "permission", f"your account may not {word}; it needs the permission {permission}")


def _actor(by: User) -> str:
    return f"user:{by.pk}"


def _save(
    switch: StopSwitch, prior: str, verb: str, actor: str, reason: str, inputs: Mapping[str, Any] | None = None
) -> None:
    switch._change_reason = reason[:100]
    switch.save()
    book.write_rows([_row(switch, actor, verb, prior, reason) | {"inputs": dict(inputs or {})}])


def _refuse_row(switch: StopSwitch, by: User, verb: str, code: str) -> None:
    row = _row(switch, _actor(by), verb, str(switch.state), code)
    book.write_rows([row | {"outcome": "refused", "error_code": code}])


def _row(switch: StopSwitch, actor: str, verb: str, prior: str, reason: str) -> dict[str, Any]:
    return {
        "subject_kind": "stop", "subject_id": switch.scope, "decision": verb, "actor": actor,
        "prior_state": prior, "post_state": str(switch.state), "state_version": switch.state_version,
        "outcome": str(switch.state), "reasons": [{"rule": "reason", "reason": reason}],
    }  # fmt: skip

"""The emergency stop: one click halts every write of a scope, two people and a reason bring it back."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django_fsm import can_proceed

from gates.models import Automation, StopSwitch
from ledger import book, clock, wake
from ledger.models import Action

ALL = "all"
# Read on a connection of its own right before each write. A missing row of scope all counts as stopped.
ALLOWS_SQL = """
select coalesce(bool_and(state = 'running'), false) and bool_or(scope = 'all') as allowed
  from gates_stopswitch where scope in ('all', %s, %s)"""


class Refused(Exception):
    """The door said no. `status` is the HTTP answer, `code` a stable word, the text says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def scopes_of(provider: str, automation: str) -> tuple[str, str]:
    """The scopes beside `all` that a write answers to."""
    return f"provider:{provider}", f"automation:{automation}"


def blocks(provider: str, automation: str = "") -> bool:
    """Whether the stop forbids this write now, read from the database."""
    with connection.cursor() as cursor:
        cursor.execute(ALLOWS_SQL, list(scopes_of(provider, automation)))
        return not cursor.fetchone()[0]


def switches() -> list[StopSwitch]:
    """Every scope that was ever stopped, `all` first."""
    rows = StopSwitch.objects.select_related("stopped_by", "resume_asked_by")
    return sorted(rows, key=lambda one: (one.scope != ALL, one.scope))


def is_stopped() -> bool:
    """Whether any scope is not running, or the row of scope all is missing."""
    states = dict(StopSwitch.objects.values_list("scope", "state"))
    return states.get(ALL) != "running" or any(state != "running" for state in states.values())


def held_count() -> int:
    """Actions that wait for the stop to end."""
    return Action.objects.filter(state=Action.State.PARKED).count()


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
        _save(switch, prior, "engage", by, reason)

    return _decide(scope, by, "engage", change)


def request_resume(scope: str, *, by: User, reason: str) -> StopSwitch:
    """The first of two people asks to let writes pass again; everything stays halted."""
    reason = _reason(reason)

    def change(switch: StopSwitch) -> None:
        if not can_proceed(switch.request_resume):
            raise Refused(409, "not_stopped", f"{scope} is {switch.get_state_display().lower()}; nothing to resume")
        prior = switch.state
        switch.request_resume()
        switch.resume_asked_by, switch.resume_asked_at, switch.resume_reason = by, clock.now(), reason
        _save(switch, prior, "request_resume", by, reason)

    return _decide(scope, by, "request_resume", change)


def confirm_resume(scope: str, *, by: User) -> StopSwitch:
    """The second person agrees; what was held is judged again and released a few at a time."""

    def change(switch: StopSwitch) -> None:
        if not can_proceed(switch.confirm_resume):
            raise Refused(409, "not_asked", "nobody has asked to resume; ask first, then another person confirms")
        if same_person(switch.resume_asked_by, by):
            raise Refused(403, "four_eyes", "you asked for this resume; another person has to confirm it")
        prior = switch.state
        switch.confirm_resume()
        switch.resumed_at = clock.now()
        _save(switch, prior, "confirm_resume", by, switch.resume_reason)
        wake.ring()

    return _decide(scope, by, "confirm_resume", change)


PERMISSIONS = {
    "engage": "gates.engage_stop", "request_resume": "gates.resume_stop", "confirm_resume": "gates.resume_stop",
}  # fmt: skip


def _decide(scope: str, by: User, verb: str, change: Callable[[StopSwitch], None]) -> StopSwitch:
    """Run one verb behind the door; a refused permission or four-eyes rule is written down after the rollback."""
    _check_scope(scope)
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


def _check_scope(scope: str) -> None:
    """A stop with a name nobody has would look like a stop and halt nothing."""
    if scope == ALL:
        return
    head, _, name = scope.partition(":")
    if head not in ("provider", "automation") or not name:
        raise Refused(422, "scope", "scope: must be all, provider:<name> or automation:<name>")
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


def _save(switch: StopSwitch, prior: str, verb: str, by: User, reason: str) -> None:
    switch._change_reason = reason[:100]
    switch.save()
    book.write_rows([_row(switch, by, verb, prior, str(switch.state), reason)])


def _refuse_row(switch: StopSwitch, by: User, verb: str, code: str) -> None:
    book.write_rows(
        [_row(switch, by, verb, switch.state, switch.state, code) | {"outcome": "refused", "error_code": code}]
    )


def _row(switch: StopSwitch, by: User, verb: str, prior: str, post: str, reason: str) -> dict[str, Any]:
    return {
        "subject_kind": "stop", "subject_id": switch.scope, "decision": verb, "actor": f"user:{by.pk}",
        "prior_state": prior, "post_state": post, "state_version": switch.state_version, "outcome": post,
        "reasons": [{"rule": "reason", "reason": reason}],
    }  # fmt: skip

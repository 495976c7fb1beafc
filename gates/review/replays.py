"""Replay: a stored event is judged again."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import stop
from gates.review import door, words
from gates.stop import Refused
from ledger import book, clock, wake
from ledger.models import Event


def replay(event_id: int, *, by: User, reason: str) -> Event:
    """Judge a stored event again. The same keys hold, so nothing that was done is done twice.

    Raises Refused: 403 permission, 404 unknown, 409 while stopped or while the event is open.
    """
    permission = door.PERMISSIONS["replay"]
    if not (by.is_active and by.has_perm(permission)):
        _write_refusal(event_id, by)
        raise Refused(403, "permission", f"your account may not replay; it needs the permission {permission}")
    said = words.reason(reason)
    with transaction.atomic():
        event = Event.objects.select_for_update(of=("self",)).filter(pk=event_id).first()
        if event is None:
            raise Refused(404, "unknown", "there is no such event")
        if stop.is_stopped():
            raise Refused(409, "stopped", "writes are stopped; resume first, then replay")
        if event.state not in ("processed", "ignored", "parked"):
            state = event.get_state_display().lower()
            raise Refused(409, "open", f"the event is {state}; only a finished one is replayed")
        prior = event.state
        event.replay()
        event.attempts = event.crashes = 0
        event.available_at, event.last_error = clock.now(), ""
        event.save()
        book.write_rows([_row(event, prior, by, said)])
        wake.ring()
    return event


def _row(event: Event, prior: str, by: User, said: str) -> dict[str, Any]:
    return {
        "subject_kind": "event", "subject_id": str(event.pk), "event_id": event.pk, "customer_id": event.customer_id,
        "decision": "replay", "actor": f"user:{by.pk}", "prior_state": prior, "post_state": str(event.state),
        "state_version": event.state_version, "correlation_id": event.correlation_id, "outcome": "replayed",
        "reasons": [{"rule": "person", "reason": said}],
    }  # fmt: skip


def _write_refusal(event_id: int, by: User) -> None:
    event = Event.objects.filter(pk=event_id).first()
    if event is not None:
        row = _row(event, str(event.state), by, "permission")
        book.write_rows([row | {"outcome": "refused", "error_code": "permission", "state_version": 0}])

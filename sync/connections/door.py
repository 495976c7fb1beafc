"""Asking for a check or a test delivery: who may, one at a time, queued for a worker, with its ledger row."""

from datetime import timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django_q.tasks import async_task

from gates.stop import Refused
from ledger import book, clock
from sync import providers
from sync.connections import known, ping, probe
from sync.connections.models import ConnectionCheck

log = structlog.get_logger(__name__)

PERMISSION = "sync.check_connection"
CHECK, PING = "check_connection", "test_delivery"
TASKS = {CHECK: "sync.tasks.check_connection", PING: "sync.tasks.send_test_delivery"}
PENDING = {CHECK: "pending_since", PING: "ping_pending_since"}
AGAIN_AFTER = timedelta(seconds=60)  # a worker that died leaves its mark this long


def ask(provider: str, what: str, *, by: User) -> None:
    """Queue a check (`CHECK`) or a test delivery (`PING`) of one system; the page shows it as pending until then.

    Raises Refused: 403 permission, 404 no such system, 409 one is under way, 422 it is not configured.
    """
    if provider not in providers.PROVIDERS:
        raise Refused(404, "provider", "there is no such system")
    if not (by.is_active and by.has_perm(PERMISSION)):
        book.write_rows([_row(provider, what, by) | {"outcome": "refused", "error_code": "permission"}])
        raise Refused(403, "permission", f"your account may not check connections; it needs {PERMISSION}")
    one = known.of(provider)
    if what == CHECK and provider in known.UNASKED:
        raise Refused(422, "provider", f"{provider} cannot be asked anything; what it took last is on its card")
    if not (one.can_call if what == CHECK else one.can_deliver):
        raise Refused(422, "provider", f"{provider} is not configured; set {', '.join(one.missing) or 'its address'}")
    now, field = clock.now(), PENDING[what]
    with transaction.atomic():
        ConnectionCheck.objects.get_or_create(provider=provider)
        row = ConnectionCheck.objects.select_for_update(of=("self",)).get(provider=provider)
        since = getattr(row, field)
        if since is not None and now - since < AGAIN_AFTER:
            raise Refused(409, "pending", f"it was asked for {int((now - since).total_seconds())} s ago and goes on")
        setattr(row, field, now)
        row.asked_by = by
        row.save(update_fields=[field, "asked_by"])
        book.write_rows([_row(provider, what, by) | {"outcome": "asked"}])
        async_task(TASKS[what], provider)


def check(provider: str) -> probe.Answer:
    """Ask a system now and keep what it said; run by a worker, or by a command. Never in a transaction."""
    answer = probe.ask(provider)
    _keep(
        provider, pending_since=None, checked_at=answer.at, ok=answer.ok, ms=answer.ms, code=answer.code,
        said=answer.said, found=answer.found,
    )  # fmt: skip
    log.info("connection_checked", provider=provider, ok=answer.ok, ms=answer.ms, code=answer.code)
    return answer


def send_test(provider: str) -> dict[str, Any]:
    """Send a test delivery now and keep what came of it; run by a worker. Never in a transaction."""
    result = ping.send(provider)
    _keep(provider, ping_pending_since=None, pinged_at=clock.now(), ping=result)
    log.info("test_delivered", provider=provider, ok=result["ok"], ms=result["ms"])
    return result


def _keep(provider: str, **columns: Any) -> None:
    ConnectionCheck.objects.update_or_create(provider=provider, defaults={**columns, "updated_at": clock.now()})


def _row(provider: str, what: str, by: User) -> dict[str, Any]:
    return {
        "subject_kind": "connection", "subject_id": provider, "decision": what, "actor": f"user:{by.pk}",
        "prior_state": "connected", "post_state": "connected",
    }  # fmt: skip

"""Reading a customer again because a person asked: a page queues it, a worker reads, every page shows it.

Nothing is read inside a transaction or inside a page's request: a slow provider must not hold a row or a browser.
"""

from datetime import timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django_q.tasks import async_task

from gates.stop import Refused
from ledger import book, clock
from ledger.models import ContextRecord, Contract, Customer
from sync import attempts, correlate, enrich, health
from sync.errors import ProviderError
from sync.facts import Known
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

PERMISSION = "gates.claim_item"
TASK = "sync.tasks.refresh"
NOTE = "refresh"  # the block of a context that says how the last reading asked for went
AGAIN_AFTER = timedelta(seconds=30)
BLOCKS = ("billing", "entitlement", "support")  # what is known of a contract whatever is asked about it
MOST_CONTRACTS = 5


def ask(customer_id: int, *, by: User) -> None:
    """Queue a fresh read of everything that can be read about a customer; pages show it as pending until it is there.

    Raises Refused: 403 permission, 404 no such customer, 409 erased, or while an earlier one goes on.
    """
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Refused(404, "customer", "there is no such customer")
    if not (by.is_active and by.has_perm(PERMISSION)):
        _write_refusal(customer, by)
        raise Refused(403, "permission", f"your account may not ask for a fresh read; it needs {PERMISSION}")
    if customer.erased_at is not None:
        raise Refused(409, "erased", "this customer was erased; nothing of them is read any more")
    now = clock.now()
    with transaction.atomic():
        correlate.lock_customers([customer_id])
        since = ContextRecord.objects.filter(customer=customer_id).values_list("pending_since", flat=True).first()
        if since is not None and now - since < AGAIN_AFTER:
            seconds = int((now - since).total_seconds())
            raise Refused(409, "pending", f"a reading was asked for {seconds} s ago and goes on; it shows up by itself")
        ContextRecord.objects.update_or_create(customer_id=customer_id, defaults={"pending_since": now})
        async_task(TASK, customer_id)


def run(customer_id: int) -> str:
    """Read each block of each contract by itself, so that one silent system costs only its own; returns what was read.

    What could not be read is written beside the blocks, with the reason in words: pending ends in either case.
    """
    newest = Contract.objects.filter(customer=customer_id).order_by("-id").values_list("pk", flat=True)
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    blocks: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for contract_id, known in correlate.load(newest[:MOST_CONTRACTS]).items():
        for name in enrich.stale(known, BLOCKS, clock.now(), timedelta()):
            found = _read(known, name, exchanges, errors, failed)
            if found is not None:
                blocks[f"{name}:{contract_id}"] = found
    attempts.store((None, None, one) for one in exchanges)
    health.note_calls(exchanges, errors)
    note = {"synced_at": clock.now().isoformat(), "read": len(blocks), "failed": failed}
    correlate.store_blocks({customer_id: {**blocks, NOTE: note}})
    log.info("context_refreshed", customer_id=customer_id, read=len(blocks), failed=sorted(failed))
    return f"read {len(blocks)}, failed {len(failed)}"


def _read(
    known: Known, name: str, exchanges: list[Exchange], errors: list[ProviderError], failed: dict[str, str]
) -> dict[str, Any] | None:
    """One block; None when its system must not be asked now or did not answer."""
    provider = enrich.PROVIDER_OF[name]
    if health.wait_until([provider], clock.now()) is not None:
        failed[name] = "the connection is paused after failures; it is tried again by itself"
        return None
    try:
        found: dict[str, Any] = enrich.read(known, [name], exchanges)[name]
    except ProviderError as error:
        errors.append(error)
        failed[name] = error.message[:200]
        return None
    return found


def _write_refusal(customer: Customer, by: User) -> None:
    row = {
        "subject_kind": "customer", "subject_id": str(customer.pk), "customer_id": customer.pk, "decision": "refresh",
        "actor": f"user:{by.pk}", "prior_state": str(customer.state), "post_state": str(customer.state),
        "outcome": "refused", "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])

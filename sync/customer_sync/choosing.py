"""A person says which billing customer it is: the id is verified, taken over and written to the ERP."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction

from gates import policy
from gates.rules.customer_sync import Outcome, SyncDecision
from gates.stop import Refused
from ledger import book, clock, wake
from ledger.models import Action
from sync import booking, correlate
from sync.booking import Cause
from sync.customer_sync import booking as chunks
from sync.customer_sync import engine, links
from sync.customer_sync.booking import Chunk
from sync.customer_sync.fields import ErpCustomer
from sync.customer_sync.models import SyncOutcome
from sync.customer_sync.planning import Planned
from sync.customer_sync.profiles import RUN

# Only where the ERP names nobody: an id that stands there is changed there.
CHOOSABLE = ("several_matches", "shared_email", "linked_elsewhere", "old_still_billed")


def choose(run_id: int, internal_id: int, billing_id: str, *, by: User) -> Action:
    """Link a customer that waits for a person to one of its candidates; returns the action that takes it over.

    Raises Refused: 403 permission, 404 no such row, 409 decided since, under way, or somebody else's, 422 a candidate.
    """
    if not (by.is_active and by.has_perm(RUN)):
        raise Refused(403, "permission", f"your account may not sync customers; it needs the permission {RUN}")
    with transaction.atomic():
        row = (
            SyncOutcome.objects.select_for_update(of=("self",)).select_related("run__version__profile", "run__event")
            .filter(run=run_id, internal_id=internal_id).first()
        )  # fmt: skip
        if row is None or row.customer_id is None:
            raise Refused(404, "row", f"sync run {run_id} has no row of customer {internal_id}")
        return _take_over(row, _allowed(row, billing_id), by)


def _allowed(row: SyncOutcome, billing_id: str) -> Mapping[str, Any]:
    """The candidate that was chosen. Raises Refused unless this row waits for just such a choice."""
    if row.outcome != SyncOutcome.Outcome.REVIEW or row.code not in CHOOSABLE:
        raise Refused(409, "state", f"customer {row.internal_id} does not wait for a choice; nothing was done")
    chosen = next((one for one in row.candidates if one["id"] == billing_id), None)
    if chosen is None:
        raise Refused(422, "billing_id", "billing id: choose one of the candidates that are listed")
    newer = SyncOutcome.objects.filter(customer=row.customer_id, run__gt=row.run_id).exclude(run__mode="dry")
    if newer.exists():
        raise Refused(409, "stale", "a later run has looked at this customer; open its newest run and decide there")
    others = links.holders(row.run.account, [billing_id]).get(billing_id, set()) - {str(row.internal_id)}
    if others:
        words = f"{billing_id} belongs to customer {min(others)} of the ERP; unlink it there first"
        raise Refused(409, "linked_elsewhere", words)
    return cast(Mapping[str, Any], chosen)


def _take_over(row: SyncOutcome, chosen: Mapping[str, Any], by: User) -> Action:
    way, billing_id = engine.way_of(row.run), str(chosen["id"])
    assert row.customer_id is not None
    customer_id = row.customer_id
    correlate.lock_customers([customer_id])
    if any(one.state in chunks.UNDER_WAY for one in chunks.open_actions(way.account, [row.internal_id])):
        raise Refused(409, "under_way", "an earlier change of this customer is still under way; nothing was done")
    held = links.load(way.account, [row.internal_id])[row.internal_id]
    decision = SyncDecision(Outcome.LINK, billing_id=billing_id, is_new_generation=bool(held.billing_id))
    account = str(chosen.get("account") or held.billing_account or way.first)
    one = Planned(ErpCustomer(str(row.internal_id)), replace(held), account, decision=decision)
    if held.billing_id:
        links.clear_written_back([held.id])
        held.generation += 1
    cause = Cause(row.run.event_id, uuid4(), "", requested_by=by.pk)
    chunk = Chunk(row.run, way, booking.Booking(policy.current(), clock.now()), cause)
    chunk.customers = {row.internal_id: customer_id}
    chunk.known, chunk.held = correlate.load_customers([customer_id]), {row.internal_id: held}
    chunks.propose(chunk, one, decision, cause.correlation_id, again="chosen")
    chunks.store(chunk)
    row.outcome, row.planned, row.code = SyncOutcome.Outcome.PENDING, "linked", ""
    row.correlation_id, row.billing_id, row.updated_at = cause.correlation_id, billing_id, clock.now()
    row.save()
    customer = chunk.known[customer_id]
    book.write_rows(
        [
            {
                "subject_kind": "customer", "subject_id": str(customer_id), "customer_id": customer_id,
                "event_id": row.run.event_id, "decision": "choose", "actor": f"user:{by.pk}",
                "prior_state": customer.customer_state, "post_state": customer.customer_state,
                "correlation_id": cause.correlation_id,
                "inputs": {"billing_customer": billing_id, "candidates": [each["id"] for each in row.candidates]},
            }
        ]
    )  # fmt: skip
    wake.ring()
    return Action.objects.get(pk=chunk.into.actions[-1]["id"])

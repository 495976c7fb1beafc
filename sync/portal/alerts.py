"""Telling people what keeps customers out of their portal: one review item for each cause, with what mends it."""

import hashlib
import uuid
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import Max

from gates import items
from gates.models import ReviewItem
from ledger import clock, sets
from ledger.identity import lane_of, new_action_id
from ledger.models import Event, EventBody
from sync.portal.models import PortalLink

log = structlog.get_logger(__name__)

SOURCE, KIND = "meshline", "portal.failed"
OWNER = "Automation Engineer"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause: what customers see, and what to do about it."""

    sentence: str
    fix: str


TROUBLES = {
    "portal_not_activated": Trouble(
        "Customers cannot open their billing portal: Stripe's portal was never activated in this mode.",
        "In Stripe, in the mode of our key (test and live apart): Settings, Billing, Customer portal, choose what "
        "customers may do, and save; 'Activate link' is there, too. Then run: manage.py portal_links --check",
    ),
    "portal_refused": Trouble(
        "Customers cannot open their billing portal: Stripe refuses to make sessions with our settings.",
        "The restricted key needs write access to Customer portal; MESHLINE_PORTAL_CONFIGURATION, if set, must be of "
        "the same mode. Then run: manage.py portal_links --check",
    ),
    "portal_unreachable": Trouble(
        "Customers could not open their billing portal: Stripe did not answer in time.",
        "Look at Connections. Visitors are asked to try again; the item closes by itself once a session was made.",
    ),
    "portal_bad_target": Trouble(
        "A portal session was not used: its address is not at Stripe's own host.",
        "If it is your own domain for the portal, set MESHLINE_PORTAL_HOST to it. If not, tell your security people.",
    ),
    "portal_customer_gone": Trouble(
        "A portal link leads to a customer that Stripe has not, or has deleted.",
        "Link the right id of this customer, then renew the portal link on the customer's page. Until then visitors "
        "are told that the link does not work.",
    ),
}


def raise_once(code: str, *, customer_id: int | None = None) -> bool:
    """Open an item about a cause unless one is open; says whether one was opened. Not inside a transaction."""
    with transaction.atomic():
        key = f"{KIND}:{code}:{customer_id or ''}"
        sets.run("select pg_advisory_xact_lock(hashtextextended(%(key)b, 0))", {"key": key})
        same = ReviewItem.objects.filter(kind=KIND, error_code=code, customer=customer_id)
        if same.exclude(state=ReviewItem.State.RESOLVED).exists():
            return False
        trouble = TROUBLES[code]
        event = _event(code, customer_id)
        items.open_items(
            [
                {
                    **items.for_event(event.pk, KIND, trouble.sentence, code, owner_group=OWNER),
                    "reason": trouble.fix, "error_code": code, "customer_id": customer_id, "provider": "stripe",
                    "correlation_id": event.correlation_id,
                }
            ]
        )  # fmt: skip
    log.warning("portal_trouble", code=code, customer_id=customer_id)
    return True


def settle() -> int:
    """Resolve items about causes that are over: a session was made since the item was opened. Returns how many."""
    waiting = list(ReviewItem.objects.filter(kind=KIND).exclude(state=ReviewItem.State.RESOLVED)[:100])
    if not waiting:
        return 0
    anyone = PortalLink.objects.aggregate(at=Max("last_used_at"))["at"]
    own = dict(
        PortalLink.objects.filter(customer__in=[one.customer_id for one in waiting if one.customer_id])
        .values_list("customer").annotate(at=Max("last_used_at"))
    )  # fmt: skip
    count = 0
    for item in waiting:
        at = own.get(item.customer_id) if item.customer_id else anyone
        if at is not None and at > item.created_at:
            item.resolve()
            item.resolution, item.resolved_at = "recovered", clock.now()
            item.save(update_fields=["state", "state_version", "resolution", "resolved_at"])
            count += 1
    return count


def _event(code: str, customer_id: int | None) -> Event:
    """What an item hangs on: every exception has an event. It holds a code and nothing else."""
    now, raw = clock.now(), sets.to_json({"code": code}).encode()
    sha = hashlib.sha256(raw).digest()
    event = Event.objects.create(
        source=SOURCE, provider_event_id=f"portal-{new_action_id()}", type=KIND, kind=KIND, occurred_at=now,
        received_at=now, enqueued_at=now, done_at=now, lane=lane_of(f"{SOURCE}:{KIND}"),
        state=Event.State.PROCESSED, verdict=f"asked: {code}", customer_id=customer_id, body_sha=sha,
        correlation_id=uuid.uuid4(),
    )  # fmt: skip
    EventBody.objects.create(event_id=event.pk, received_at=now, sha=sha, raw=raw)
    return event

"""How each rule of the alerts is provoked and ended: rows as they would be there. Used by tests and by the drill."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from gates.models import AlertReading, ReviewItem
from ledger import clock
from ledger.models import Action, Event, LedgerCheck
from sync.alerts import table, watching
from sync.models import DrainSlot, JobRun, ProviderState
from tests import factories as f

Undo = Callable[[], object]


def nothing(_hands: Any) -> None:
    """Holds by itself."""


@dataclass(frozen=True)
class Case:
    """`provoke` makes it be on and gives back what ends it; `hold` keeps it on as time goes by."""

    name: str
    provoke: Callable[[Any], Undo]
    hold: Callable[[Any], object] = nothing


def _ago(**by: float) -> Any:
    return clock.now() - timedelta(**by)


def _over(rule: str) -> int:
    return int((table.RULES[rule].limit or 0) * 1.2) + 2


def _events(count: int, **more: Any) -> list[Event]:
    kept = {"received_at": clock.now(), "available_at": clock.now(), **more}
    return [f.EventFactory(enqueued_at=kept["received_at"], **kept) for _ in range(count)]


def _gone(*records: Any) -> Undo:
    """What was made is no more."""

    def undo() -> None:
        for one in records:
            one.__class__.objects.filter(pk=one.pk).delete()

    return undo


def ingest(_hands: Any) -> Undo:
    """A delivery that nobody takes up."""
    return _gone(*_events(1, available_at=_ago(seconds=9), received_at=_ago(seconds=9)))


def creation(_hands: Any) -> Undo:
    """Nine deals in time, one that has been on its way for ten minutes."""
    made = [_customer(_ago(minutes=20), done_in=30.0) for _ in range(9)]
    late = _customer(_ago(minutes=20), done_in=600.0)
    return lambda: Action.objects.filter(pk=late.pk).update(applied_at=late.created_at + timedelta(seconds=20)) or made


def _customer(at: Any, *, done_in: float) -> Action:
    event = f.EventFactory(source="pipedrive", occurred_at=at, received_at=at, state="processed")
    one: Action = f.ActionFactory(
        kind="customer.create", state="applied", event=event, created_at=at, applied_at=at + timedelta(seconds=done_in)
    )
    return one


def keep_customers(_hands: Any) -> None:
    """The same deals, signed of this hour again."""
    at = _ago(minutes=20)
    Event.objects.filter(source="pipedrive").update(occurred_at=at)
    for one in Action.objects.filter(kind="customer.create"):
        took = one.applied_at - one.created_at
        Action.objects.filter(pk=one.pk).update(created_at=at, applied_at=at + took)


def duplicates(_hands: Any) -> Undo:
    """Five customers twice, of a hundred new ones."""
    f.CustomerFactory.create_batch(99, created_at=clock.now())
    kept = {"check_name": "customers", "kind": "duplicate", "first_seen_at": clock.now()}
    return _gone(*(f.DeltaFactory(key=f"x{n}", **kept) for n in range(5)))


def mismatch(_hands: Any) -> Undo:
    """Three in a hundred differ, then none."""
    run = {"check_name": "tickets", "compared": 100, "finished_at": clock.now()}
    f.ReconcileRunFactory(**run, differing=3, outcome="differ")
    return lambda: f.ReconcileRunFactory(**run, differing=0, outcome="agree")


def comparison(_hands: Any) -> Undo:
    """A run that did not come to its end, then one that did."""
    f.ReconcileRunFactory(check_name="invoices", outcome="partial", finished_at=clock.now())
    return lambda: f.ReconcileRunFactory(check_name="invoices", outcome="agree", finished_at=clock.now())


def old_item(_hands: Any) -> Undo:
    """An item that nobody has taken since yesterday."""
    item = f.ReviewItemFactory(created_at=_ago(hours=25))
    return lambda: ReviewItem.objects.filter(pk=item.pk).update(created_at=clock.now())


def queue(hands: Any) -> Undo:
    """Far more items than an hour ago."""
    for _ in range(12):
        hands.forward(minutes=5)
        watching.look(only=["queue-growth"])
    made = f.ReviewItemFactory.create_batch(_over("queue-growth"))
    return _gone(*made)


def more_items(_hands: Any) -> None:
    """It grows on."""
    f.ReviewItemFactory.create_batch(_over("queue-growth") // 4)


def contradictions(_hands: Any) -> Undo:
    """Ten of thirty events say the opposite of the one before."""
    _events(20, state="processed", kind="payment.failed")
    wrong = _events(10, state="processed", kind="payment.failed", verdict="contradicting: paid after it failed")
    return _gone(*wrong)


def keep_events(_hands: Any) -> None:
    """They are of this very moment again."""
    Event.objects.update(received_at=clock.now(), enqueued_at=clock.now())


def overrides(_hands: Any) -> Undo:
    """Half of a day's decisions turned down."""
    kept = {"automation": "dunning", "created_at": clock.now()}
    f.ActionFactory.create_batch(6, state="applied", **kept)
    wrong = f.ActionFactory.create_batch(6, state="rejected", **kept)
    return _gone(*wrong)


def correcting(_hands: Any) -> Undo:
    """Ten items in an hour each last week, ten in five hours each this week."""
    by = f.UserFactory()
    kept = {"state": "resolved", "resolved_by": by}
    for days, hours in ((10, 1), (1, 5)):
        made = _ago(days=days)
        f.ReviewItemFactory.create_batch(10, **kept, created_at=made, resolved_at=made + timedelta(hours=hours))
    return lambda: ReviewItem.objects.filter(created_at__gt=_ago(days=3)).update(
        resolved_at=F("created_at") + timedelta(hours=1)
    )


def late(_hands: Any) -> Undo:
    """Five deliveries that come an hour after what they tell of."""
    return _gone(*_events(5, state="processed", occurred_at=_ago(hours=1), received_at=clock.now()))


def backlog(hands: Any) -> Undo:
    """Far more events than five minutes ago."""
    hands.forward(minutes=5)
    f.EventFactory.create_batch(_over("backlog-growth"), kind="informational")
    return lambda: Event.objects.filter(kind="informational").delete()


def more_events(_hands: Any) -> None:
    """It grows on."""
    f.EventFactory.create_batch(_over("backlog-growth"), kind="informational")


def unknown(_hands: Any) -> Undo:
    """A write whose answer was lost two minutes ago."""
    return _gone(f.ActionFactory(state="unknown", unknown_since=_ago(minutes=2)))


def breaker(_hands: Any) -> Undo:
    """Billing's breaker opens, then closes."""
    ProviderState.objects.update_or_create(
        provider="stripe", defaults={"breaker": "open", "opened_at": _ago(seconds=1)}
    )
    return lambda: ProviderState.objects.filter(provider="stripe").update(breaker="closed", opened_at=None)


def drift(_hands: Any) -> Undo:
    """An event that its contract cannot read; somebody settles its item."""
    event = f.EventFactory(state="parked", verdict="parked: schema drift: subscription renamed")
    item = f.ReviewItemFactory(action=None, event=event, why="schema_drift")
    return _gone(item)


def workers(_hands: Any) -> Undo:
    """No worker has shown itself for a minute and a half, by the database's clock."""
    _seen("90 seconds")
    return lambda: _seen("0 seconds")


def _seen(ago: str) -> None:
    DrainSlot.objects.get_or_create(slot=1)
    with connection.cursor() as cursor:
        cursor.execute("update sync_drainslot set seen_at = now() - %s::interval where slot > 0", [ago])


def schedule(_hands: Any) -> Undo:
    """No job has begun for ten minutes."""
    JobRun.objects.all().delete()
    JobRun.objects.create(job="alerts", planned_at=_ago(minutes=10), started_at=_ago(minutes=10))
    return lambda: JobRun.objects.create(
        job="alerts", planned_at=clock.now() + timedelta(hours=1), started_at=clock.now() + timedelta(hours=1)
    )


def ledger(_hands: Any) -> Undo:
    """A look at the ledger finds a row changed, the next one does not."""
    LedgerCheck.objects.create(actor="case", ended_at=clock.now(), bad_row=7, problem="row 7 was changed")
    return lambda: LedgerCheck.objects.create(actor="case", ended_at=clock.now(), rows=9)


def untold(_hands: Any) -> Undo:
    """A message about an alert that has waited for ten minutes."""
    return _gone(f.ActionFactory(kind="alert", provider="pagerduty", state="in_review", created_at=_ago(minutes=10)))


def unmeasured(_hands: Any) -> Undo:
    """A rule that could not be measured for two minutes."""
    made, _ = AlertReading.objects.update_or_create(
        name="duplicates", defaults={"rule": "duplicates", "failed_since": _ago(minutes=2), "error": "case"}
    )
    return lambda: AlertReading.objects.filter(pk=made.pk).update(failed_since=None, error="")


CASES: dict[str, Case] = {
    "ingest-slow": Case("ingest-slow", ingest),
    "creation-slow": Case("creation-slow", creation, keep_customers),
    "duplicates": Case("duplicates", duplicates),
    "reconcile-mismatch": Case("reconcile-mismatch", mismatch),
    "item-old": Case("item-old", old_item),
    "queue-growth": Case("queue-growth", queue, more_items),
    "contradictions": Case("contradictions", contradictions, keep_events),
    "override-rate": Case("override-rate", overrides),
    "correction-slow": Case("correction-slow", correcting),
    "late-receipt": Case(
        "late-receipt", late, lambda _hands: Event.objects.filter(occurred_at__isnull=False).update(
            received_at=clock.now()
        )
    ),
    "backlog-growth": Case("backlog-growth", backlog, more_events),
    "unknown-outcomes": Case("unknown-outcomes", unknown),
    "provider-down": Case("provider-down:stripe", breaker),
    "reconcile-failed": Case("reconcile-failed", comparison),
    "schema-drift": Case("schema-drift:stripe", drift),
    "workers-silent": Case("workers-silent", workers),
    "schedule-silent": Case("schedule-silent", schedule),
    "ledger-check": Case("ledger-check", ledger),
    "alerts-untold": Case("alerts-untold", untold),
    "not-measured": Case("not-measured", unmeasured),
}  # fmt: skip

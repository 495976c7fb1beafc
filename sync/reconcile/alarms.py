"""When a run is not just a list but asks for somebody: too much differs, too many duplicates, or it did not end well.

One item for each of these and check, however often it is found; it is settled when a later run is fine again.
"""

from datetime import timedelta

from gates import items
from gates.models import ReviewItem
from gates.playbooks import onboarding
from ledger import clock
from ledger.models import Customer
from sync.reconcile import deltas
from sync.reconcile.models import Delta, ReconcileRun

MISMATCH_PERMILLE, DUPLICATES_PERMILLE = 20, 5
WEEK = timedelta(days=7)
GROUP = "Revenue Ops Lead"
MISMATCH, DUPLICATES, FAILED = "reconcile.mismatch", "reconcile.duplicates", "reconcile.failed"


def judge(run: ReconcileRun) -> None:
    """Set the shares and the flag of a complete run and open or settle its items, in the caller's transaction."""
    run.mismatch_permille = -(-1000 * run.differing // run.compared) if run.compared else 0
    run.flagged = 1000 * run.differing > MISMATCH_PERMILLE * run.compared
    run.new_customers = Customer.objects.filter(created_at__gte=run.started_at - WEEK).count()
    doubled = _new_duplicates(run)
    too_many = 1000 * doubled > DUPLICATES_PERMILLE * run.new_customers
    share = f"{run.differing} of {run.compared} records differ, more than 2 %"
    _item(run, MISMATCH, f"Reconciliation of {run.check_name}: {share}.", is_on=run.flagged)
    words = f"{doubled} duplicate{'s' if doubled != 1 else ''} against {run.new_customers} new customers in a week"
    _item(run, DUPLICATES, f"Reconciliation of {run.check_name}: {words}, more than 0.5 %.", is_on=too_many)
    is_partial = run.outcome == ReconcileRun.Outcome.PARTIAL
    _item(run, FAILED, f"Reconciliation of {run.check_name} is partial: {run.error}.", is_on=is_partial)


def _new_duplicates(run: ReconcileRun) -> int:
    """Keys that are there twice since the last seven days and that nobody accepted."""
    found = Delta.objects.filter(
        check_name=run.check_name, kind=Delta.Kind.DUPLICATE, last_run=run.pk, first_seen_at__gte=run.started_at - WEEK
    )
    return found.exclude(state=Delta.State.ACCEPTED).values("key").distinct().count()


def failed(run: ReconcileRun) -> None:
    """Somebody looks at a run that could not be ended; what was open before stays open."""
    _item(run, FAILED, f"Reconciliation of {run.check_name} failed: {run.error}.", is_on=True)


def _item(run: ReconcileRun, kind: str, sentence: str, *, is_on: bool) -> None:
    """The one item of this kind and check. Who starts runs of a check holds its row, so no two come this far."""
    waiting = list(ReviewItem.objects.filter(kind=kind, why=_why(run)).exclude(state="resolved").values_list("pk"))
    if is_on and not waiting:
        item = {
            "kind": kind, "why": _why(run), "sentence": sentence, "reason": f"run {run.pk} found it",
            "owner_group": GROUP, "automation": onboarding.AUTOMATION, "evidence": {"run": run.pk},
        }  # fmt: skip
        items.open_items([{**item, "created_at": clock.now()}])
    elif not is_on:
        deltas.settle_items([key for (key,) in waiting], "gone")


def _why(run: ReconcileRun) -> str:
    return f"reconcile_{run.check_name}"[:60]

"""What became of the actions of a run: outcomes that waited for them get their end, errors are opened and settled."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from gates.rules.customer_sync import REASONS
from ledger import sets
from sync.customer_sync import asking, troubles
from sync.customer_sync.models import SyncRun

MOST = 2000
# An action that is applied leads on to the next one in the same transaction, so "all applied" is never half of it.
ENDED = """
with waiting as (
  select id, internal_id, customer_id, correlation_id, planned, trace_key, source_version from sync_syncoutcome
   where run_id = %(run)b and outcome = 'pending' order by id limit %(most)b for update),
ends as (
  select w.id, bool_and(a.state in ('applied', 'compensated')) as done,
         (array_agg(a.id order by a.id) filter (where a.state in ('failed', 'rejected', 'superseded', 'observed',
           'in_review')))[1] as stuck,
         array_agg(distinct a.kind) filter (where a.state in ('applied', 'compensated')) as kinds
    from waiting w join ledger_action a on a.correlation_id = w.correlation_id
     and a.kind like 'billing_customer.%%' group by w.id)
select w.id, w.internal_id, w.customer_id, w.planned, w.trace_key, w.source_version, e.done, a.id, a.state, a.kind,
       a.error_code, a.last_error, e.kinds
  from waiting w join ends e on e.id = w.id left join ledger_action a on a.id = e.stuck
 where e.done or e.stuck is not null"""
UPDATE = """
update sync_syncoutcome o set outcome = v.outcome, code = v.code, error_class = v.class, updated_at = now()
  from unnest(%(id)b::bigint[], %(outcome)b::text[], %(code)b::text[], %(class)b::text[])
       as v(id, outcome, code, class) where o.id = v.id"""
ENDS = {
    "failed": ("error", ""), "rejected": ("skipped", "rejected"), "superseded": ("skipped", "withdrawn"),
    "observed": ("skipped", "observed"), "in_review": ("review", "waits_for_approval"),
}  # fmt: skip


def collect(run_id: int) -> int:
    """Settle what has ended, and count; returns how many rows of the run are still under way."""
    with transaction.atomic():
        run = SyncRun.objects.select_for_update(of=("self",)).get(pk=run_id)
        rows = sets.run(ENDED, {"run": run_id, "most": MOST})
        if rows:
            _settle(run, rows)
        counts = count(run_id)
        if counts != run.counts:
            run.counts = counts
            run.save(update_fields=["counts"])
    return counts.get("pending", 0)


def count(run_id: int) -> dict[str, int]:
    """How many rows came to which outcome."""
    rows = sets.run(
        "select outcome, count(*) from sync_syncoutcome where run_id = %(run)b group by outcome", {"run": run_id}
    )
    return dict(sorted(rows))


def _settle(run: SyncRun, rows: list[tuple[Any, ...]]) -> None:
    names = ("id", "internal_id", "customer_id", "planned", "trace_key", "source_version", "done", "action", "state",
             "kind", "error_code", "last_error", "kinds")  # fmt: skip
    ended = [_ended(dict(zip(names, row, strict=True))) for row in rows]
    sets.run(
        UPDATE,
        {
            "id": [one["id"] for one in ended], "outcome": [one["outcome"] for one in ended],
            "code": [one["code"] for one in ended], "class": [one["class"] for one in ended],
        },
    )  # fmt: skip
    troubles.open_errors([_error(run, one) for one in ended if one["outcome"] == "error"])
    good = [one for one in ended if one["done"]]
    troubles.settle([(one["trace_key"], one["source_version"], _steps(one)) for one in ended])
    asking.close([one["customer_id"] for one in good if one["customer_id"]])


def _ended(row: dict[str, Any]) -> dict[str, Any]:
    if row["done"]:
        return {**row, "outcome": row["planned"], "code": "", "class": ""}
    outcome, code = ENDS[row["state"]]
    if outcome != "error":
        return {**row, "outcome": outcome, "code": code, "class": ""}
    code = row["error_code"] or "failed"
    return {**row, "outcome": "error", "code": code, "class": str(troubles.class_of(code))}


def _steps(row: Mapping[str, Any]) -> list[str]:
    """What of a row went well: looking it up, and each action that was confirmed."""
    return ["lookup", *(troubles.STEPS[kind] for kind in row["kinds"] or ())]


def _error(run: SyncRun, row: Mapping[str, Any]) -> dict[str, Any]:
    known = REASONS.get(row["code"])
    return {
        "trace_key": row["trace_key"], "step": troubles.STEPS[row["kind"]], "error_class": row["class"],
        "code": row["code"], "sentence": (known[1] if known else row["last_error"] or "the provider refused it")[:300],
        "run_id": run.pk, "outcome_id": row["id"], "customer_id": row["customer_id"],
        "internal_id": row["internal_id"], "source_version": row["source_version"],
    }  # fmt: skip

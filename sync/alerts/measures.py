"""Which function measures which rule, and the one rule that is about the others."""

from collections.abc import Mapping
from datetime import timedelta

from gates.models import AlertReading
from sync.alerts import business, work
from sync.alerts.reading import Ask, Found, Measure
from sync.alerts.table import RULES

FAILED_FOR = timedelta(minutes=1)


def unmeasured(ask: Ask) -> list[Found]:
    """Rules whose measurement has failed for a minute."""
    before = ask.now - FAILED_FOR
    failing = AlertReading.objects.filter(failed_since__lt=before).values_list("rule", flat=True)
    names = {name for name in failing if name in RULES and RULES[name].limit is not None}
    said = f"cannot be measured: {', '.join(sorted(names))}" if names else "every rule is measured"
    return [Found(len(names), said)]


MEASURES: Mapping[str, Measure] = {
    "ingest-slow": work.ingest,
    "creation-slow": business.creation,
    "duplicates": business.duplicates,
    "reconcile-mismatch": business.mismatch,
    "item-old": business.untaken,
    "queue-growth": business.queue,
    "contradictions": work.contradictions,
    "override-rate": business.overrides,
    "correction-slow": business.correcting,
    "late-receipt": work.lateness,
    "backlog-growth": work.backlog,
    "unknown-outcomes": work.unknown,
    "provider-down": work.breakers,
    "reconcile-failed": business.comparisons,
    "schema-drift": work.drift,
    "workers-silent": work.workers,
    "schedule-silent": work.schedule,
    "ledger-check": business.ledger,
    "alerts-untold": work.untold,
    "not-measured": unmeasured,
}

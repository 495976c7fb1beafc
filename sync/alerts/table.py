"""The rules of the alerts as data: what is too much, how soon it is seen, whose it is, and the page that helps.

Limits are settings (`MESHLINE_ALERT_LIMITS`); a rule whose limit is None is off. Nothing here measures anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

ENGINEER, LEAD, OPS = "Automation Engineer", "Revenue Ops Lead", "Product Ops"
MANAGER = "Support Manager"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
UNSAFE = re.compile(r"[^a-z0-9:_-]+")
LONGEST = 80


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `says` has a place for the limit; `unit` follows a number.

    Looked at `every` so often; raised once it has been over for `after`, over once it has been fine for `clear`.
    While an alert of a rule in `hushed_by` is on, it is measured and shown, but not raised: it has the same cause.
    `raised_by` says who raises it where nothing is measured here. `preset` marks the nine of every installation.
    """

    name: str
    title: str
    says: str
    severity: str
    owner: str
    runbook: str
    unit: str = ""
    every: timedelta = MINUTE
    after: timedelta = timedelta()
    clear: timedelta = 5 * MINUTE
    hushed_by: tuple[str, ...] = ()
    raised_by: str = ""
    preset: bool = False
    at_zero: str = ""  # how it is said where one alone is too many

    @property
    def is_measured(self) -> bool:
        """Whether it has a number."""
        return not self.raised_by

    @property
    def limit(self) -> float | None:
        """The limit that holds; None: switched off, or there is no number."""
        found: float | None = settings.MESHLINE_ALERT_LIMITS.get(self.name)
        return found if self.is_measured else None

    @property
    def sentence(self) -> str:
        """What it watches, with its number."""
        limit = self.limit
        if limit == 0 and self.at_zero:
            return self.at_zero
        return self.says.format(limit="-" if limit is None else f"{limit:g}")


WORKERS = "workers-silent"
_ALL: tuple[Rule, ...] = (
    Rule(
        "ingest-slow", "Deliveries taken in slowly", "Storing or taking up a delivery takes over {limit} s",
        "error", ENGINEER, "ingest-slow", "s", every=15 * SECOND, after=30 * SECOND, clear=2 * MINUTE,
        hushed_by=(WORKERS,), preset=True,
    ),
    Rule(
        "creation-slow", "Customers created late",
        "Over {limit} % of a day's signed deals take more than 5 minutes to become a customer",
        "error", LEAD, "creation-slow", "%", every=MINUTE, hushed_by=(WORKERS,), preset=True,
    ),
    Rule(
        "duplicates", "Duplicate customers", "Duplicates come to over {limit} % of the week's new customers",
        "error", LEAD, "duplicate-customer", "%", every=MINUTE, preset=True,
    ),
    Rule(
        "reconcile-mismatch", "Systems disagree", "Over {limit} % of the records of a comparison differ",
        "error", LEAD, "reconciliation-differs", "%", every=MINUTE, preset=True,
    ),
    Rule(
        "item-old", "Items nobody has taken", "A review item has waited for over {limit} hours and nobody has taken it",
        "warning", MANAGER, "queue-behind", "h", every=MINUTE, preset=True,
    ),
    Rule(
        "queue-growth", "Review queue grows", "The review queue grew by over {limit} items in an hour",
        "warning", MANAGER, "queue-behind", every=5 * MINUTE, clear=10 * MINUTE, preset=True,
    ),
    Rule(
        "contradictions", "Events contradict each other",
        "Over {limit} % of an hour's events contradict one before (from 10 contradicting ones on)",
        "error", ENGINEER, "contradicting-events", "%", every=MINUTE, preset=True,
    ),
    Rule(
        "override-rate", "People overrule automations",
        "People overruled over {limit} % of a day's decisions, twice as many as in the week before",
        "warning", LEAD, "override-spike", "%", every=5 * MINUTE, clear=10 * MINUTE, preset=True,
    ),
    Rule(
        "correction-slow", "Corrections take longer",
        "Correcting takes over {limit} times as long as in the week before (median, from 10 items on)",
        "warning", MANAGER, "queue-behind", "x", every=10 * MINUTE, clear=20 * MINUTE, preset=True,
    ),
    Rule(
        "late-receipt", "Deliveries arrive late",
        "Over {limit} deliveries in 10 minutes came more than 5 minutes after what they tell of",
        "warning", ENGINEER, "webhook-source-silent", every=20 * SECOND, clear=2 * MINUTE,
    ),
    Rule(
        "backlog-growth", "Waiting work grows", "Waiting events and actions grew by over {limit} in 5 minutes",
        "error", ENGINEER, "ingest-slow", every=30 * SECOND, hushed_by=(WORKERS,),
    ),
    Rule(
        "unknown-outcomes", "Outcomes nobody knows", "Over {limit} writes have had no known outcome for 30 s",
        "error", ENGINEER, "unknown-outcome", every=10 * SECOND, clear=MINUTE,
        at_zero="A write has had no known outcome for 30 s",
    ),
    Rule(
        "provider-down", "A system does not answer", "The breaker of a system has been open for over {limit} s",
        "error", ENGINEER, "provider-down", "s", every=5 * SECOND, clear=2 * MINUTE,
        at_zero="The breaker of a system is open",
    ),
    Rule(
        "reconcile-failed", "A comparison was not whole", "Over {limit} comparisons ended failed or partial",
        "warning", ENGINEER, "reconciliation-failed", every=MINUTE,
        at_zero="A comparison failed, or was partial",
    ),
    Rule(
        "schema-drift", "A format changed", "Over {limit} events or answers do not fit their contract and wait",
        "error", ENGINEER, "schema-drift", every=15 * SECOND, clear=MINUTE,
        at_zero="An event or an answer does not fit its contract and waits",
    ),
    Rule(
        WORKERS, "Workers are silent", "No worker has shown itself for over {limit} s",
        "critical", ENGINEER, "workers-silent", "s", every=5 * SECOND, after=5 * SECOND, clear=30 * SECOND,
    ),
    Rule(
        "schedule-silent", "The schedule is silent", "No scheduled job has begun for over {limit} s",
        "error", ENGINEER, "workers-silent", "s", every=15 * SECOND, after=15 * SECOND, clear=MINUTE,
        hushed_by=(WORKERS,),
    ),
    Rule(
        "ledger-check", "The ledger is not intact", "The last look at the ledger found over {limit} things wrong",
        "critical", LEAD, "ledger-not-intact", every=5 * SECOND, clear=SECOND,
        at_zero="The last look at the ledger found something wrong",
    ),
    Rule(
        "alerts-untold", "Alerts wait to be told", "An alert has waited for over {limit} s to be told anybody",
        "error", ENGINEER, "on-call-not-paged", "s", every=30 * SECOND, clear=MINUTE,
    ),
    Rule(
        "not-measured", "Rules that cannot be measured", "Over {limit} rules could not be measured for a minute",
        "error", ENGINEER, "rule-not-measured", every=15 * SECOND, clear=MINUTE,
        at_zero="A rule could not be measured for a minute",
    ),
    Rule(
        "gameday-overdue", "Drill of the stop is overdue", "The drill of the emergency stop is overdue",
        "warning", LEAD, "stop-and-resume", raised_by="the look at drills, every five minutes",
    ),
    Rule(
        "stop-tripped", "The stop tripped itself", "A limit of the emergency stop was passed",
        "critical", LEAD, "stop-tripped", raised_by="the look at the stop's limits, every ten seconds",
    ),
    Rule(
        "automation", "An automation lost its stage", "An automation fell back and its owner has not signed it again",
        "warning", LEAD, "automation-fell", raised_by="the look at automations, every minute",
    ),
)  # fmt: skip
RULES: Mapping[str, Rule] = {one.name: one for one in _ALL}
# What an earlier release raised and nobody would end any more.
RETIRED = ("events-late",)


def rule_of(name: str) -> Rule | None:
    """The rule of an alert's name, which is the rule's own or that with a subject behind a colon."""
    return RULES.get(name.partition(":")[0])


def named(rule: str, subject: str = "") -> str:
    """The name of the alert of a subject: also the safe part of a dedup key, so [a-z0-9:_-] and at most 80 long."""
    return UNSAFE.sub("-", f"{rule}:{subject}".lower() if subject else rule)[:LONGEST]

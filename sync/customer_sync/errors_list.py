"""Errors of the sync as lists: by tab, narrowed, searched, counted by class, and the exchange behind one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from gates.rules.customer_sync import ErrorClass
from ledger import sets
from sync.customer_sync.models import SyncError
from sync.models import Attempt

# name -> what it shows, and its condition.
TABS: dict[str, tuple[str, Q]] = {
    "open": ("Open", Q(state="open")),
    "retrying": ("Retrying", Q(state="retrying")),
    "by_user": ("Resolved by a person", Q(state="resolved", resolution="user")),
    "by_run": ("Resolved by a later run", Q(state="resolved", resolution="auto")),
    "ignored": ("Ignored", Q(state="ignored")),
}
MOST_COUNTED = 10_000
MOST_EXCHANGES = 20
BIGGEST = 2**63 - 1
STATES = {"by_user": ("resolved", "user"), "by_run": ("resolved", "auto")}


class BadFilter(ValueError):
    """A filter that cannot be read: its name, and the rule in words."""

    def __init__(self, name: str, rule: str) -> None:
        super().__init__(f"{name}: {rule}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Asked:
    """One list as it was asked for, checked; `filters` are look-ups that may be applied to any tab."""

    tab: str = "open"
    filters: dict[str, Any] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, str], user: User) -> "Asked":
        """Of the address: tab, class, step, code, run, mine, q. Raises BadFilter."""
        kept = {name: given[name].strip() for name in NAMES if given.get(name, "").strip()}
        tab = kept.get("tab", "open")
        if tab not in TABS:
            raise BadFilter("tab", f"one of {', '.join(TABS)}")
        found: dict[str, Any] = {}
        if "class" in kept:
            found["error_class"] = _one_of("class", kept["class"], [str(one) for one in ErrorClass])
        if "step" in kept:
            found["step"] = _one_of("step", kept["step"], list(SyncError.Step.values))
        if "code" in kept:
            found["code"] = kept["code"][:60].replace("\x00", "")
        if "run" in kept:
            found["run"] = _number("run", kept["run"])
        if kept.get("mine"):
            found["assigned_to"] = user.pk
        if "q" in kept:
            found |= _searched(kept["q"])
        return cls(tab, found, kept)

    def rows(self) -> QuerySet[SyncError]:
        """The newest first."""
        shown = SyncError.objects.filter(TABS[self.tab][1], archived_at=None, **self.filters)
        return shown.select_related("customer", "assigned_to", "run").order_by("-pk")


NAMES = ("tab", "class", "step", "code", "run", "mine", "q")


def classes(asked: Asked) -> dict[str, int]:
    """How many of the tab are of each class, whatever class was chosen; the newest MOST_COUNTED are counted."""
    others = {name: value for name, value in asked.filters.items() if name != "error_class"}
    rows = SyncError.objects.filter(TABS[asked.tab][1], archived_at=None, **others).order_by("-pk")
    found: dict[str, int] = {}
    for kind in rows.values_list("error_class", flat=True)[:MOST_COUNTED]:
        found[kind] = found.get(kind, 0) + 1
    return {str(one): found[str(one)] for one in ErrorClass if str(one) in found}


def tabs() -> dict[str, int]:
    """How many errors each tab holds; of what is over at most MOST_COUNTED + 1 are counted."""
    counted = sets.run(
        """select v.name, (select count(*) from (select from sync_syncerror e where e.archived_at is null
                  and e.state = v.state and (v.how = '' or e.resolution = v.how) limit %(most)b) e)
             from unnest(%(name)b::text[], %(state)b::text[], %(how)b::text[]) as v(name, state, how)""",
        {
            "most": MOST_COUNTED + 1, "name": list(TABS), "state": [STATES.get(one, (one, ""))[0] for one in TABS],
            "how": [STATES.get(one, (one, ""))[1] for one in TABS],
        },
    )  # fmt: skip
    return dict(counted)


def exchanges(error: SyncError) -> list[Attempt]:
    """What was said to the provider and answered: of the actions of its row, else the one read that failed."""
    if error.step != SyncError.Step.LOOKUP and error.outcome is not None:
        rows = Attempt.objects.filter(
            action__correlation_id=error.outcome.correlation_id, action__kind__startswith="billing_customer."
        )
        return list(rows.order_by("-pk")[:MOST_EXCHANGES])
    if not error.exchange:
        return []
    at = datetime.fromisoformat(error.exchange["began_at"])
    near = Attempt.objects.filter(
        provider=error.exchange["provider"], method=error.exchange["method"],
        began_at__range=(at - timedelta(milliseconds=1), at + timedelta(milliseconds=1)),
        request_id=error.exchange.get("request_id", ""),
    )  # fmt: skip
    return list(near.order_by("pk")[:1])


def _searched(words: str) -> dict[str, Any]:
    """A trace key in full, or an internal id of the ERP."""
    if words.isascii() and words.isdigit() and int(words) <= BIGGEST:
        return {"internal_id": int(words)}
    return {"trace_key": words[:160].replace("\x00", "")}


def _one_of(name: str, value: str, choices: list[str]) -> str:
    if value not in choices:
        raise BadFilter(name, f"one of {', '.join(choices)}")
    return value


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= BIGGEST):
        raise BadFilter(name, "a number")
    return int(value)

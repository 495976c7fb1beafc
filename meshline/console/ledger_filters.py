"""What the ledger's list can be narrowed by; each finds its rows by key, or is looked for a stretch at a time."""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gates.models import Automation
from ledger import cells, clock, journal, money
from ledger.models import Action
from ledger.readonly import Choice, choice, exact, of_states
from ledger.words import DECISIONS, OUTCOMES

# Filters that no index serves, unless one of those below narrows the rows as well.
SPARSE = frozenset({"decision", "actor", "outcome", "mode", "system", "automation", "amount"})
NARROW = frozenset({"customer", "correlation", "action", "event", "contract", "who", "q"})
ACTORS: dict[str, tuple[str, Any]] = {
    "people": ("People", Q(actor__startswith="user:")),
    "automations": ("Automations", Q(actor__startswith="automation:")),
    "system": ("Meshline", Q(actor__startswith="system")),
}
# Decisions that only people and switches make: the subject leads to them, however many rows there are.
OF_SUBJECT = {
    "engage": "stop", "request_resume": "stop", "confirm_resume": "stop", "draft": "gate", "submit": "gate",
    "change": "gate", "take_back": "gate", "withdraw": "gate", "replace": "gate", "ask_retire": "gate",
    "keep": "gate", "retire": "gate", "export": "export", "exported": "export",
    "add_rule": "routing", "edit_rule": "routing", "move_rule": "routing", "retire_rule": "routing",
    "add_holder": "routing", "edit_holder": "routing", "retire_holder": "routing", "set_sensitive": "routing",
    "add_block": "routing", "end_block": "routing",
    "add_absence": "routing", "end_absence": "routing", "add_sla": "routing", "edit_sla": "routing",
    "remove_sla": "routing", "add_hours": "routing", "edit_hours": "routing", "add_runbook": "runbook",
    "edit_runbook": "runbook", "test_runbook": "runbook",
}  # fmt: skip
BANDS: dict[str, tuple[str, int, int | None]] = {
    "under100": ("Under 100", 0, 100),
    "to500": ("100 to 500", 100, 500),
    "to5000": ("500 to 5,000", 500, 5000),
    "over": ("5,000 and more", 5000, None),
}


def _decisions() -> dict[str, tuple[str, Any]]:
    return {
        key: (label, Q(decision=key) & (Q(subject_kind=OF_SUBJECT[key]) if key in OF_SUBJECT else Q()))
        for key, label in DECISIONS.items()
    }


def _band(low: int, high: int | None) -> Q:
    """Amounts between these, in whole units of whatever currency: yen count as they are, dollars in hundredths."""
    kinds = ((money.ZERO_DECIMAL, 1), (money.TWO_DECIMAL, 100), (money.THREE_DECIMAL, 1000))
    wanted = Q(pk__in=[])
    for currencies, units in kinds:
        one = Q(currency__in=sorted(currencies), amount_minor__gte=low * units)
        wanted |= one & Q(amount_minor__lt=high * units) if high is not None else one
    return wanted


def of_action(**wanted: Any) -> Exists:
    """Rows about an action that is so."""
    return Exists(Action.objects.filter(pk=OuterRef("action_id"), **wanted))


class ActionChoice(Choice):
    """Narrows by what the row's action is."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows of these actions; none for an unknown value."""
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(self.wanted(value)) if value in dict(self.lookup_choices) else queryset.none()

    def wanted(self, value: str) -> Any:
        """The condition for this value."""
        return of_action(provider=value)


class SystemFilter(ActionChoice):
    """The system that an action writes to."""

    title, parameter_name = "System", "system"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Every system that is configured."""
        return [(name, cells.system(name)) for name in settings.MESHLINE_PROVIDERS]


class AutomationFilter(ActionChoice):
    """The automation behind an action, or the one a step of the rollout is about."""

    title, parameter_name = "Automation", "automation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Every automation."""
        return [(one.name, one.title) for one in Automation.objects.all()]

    def wanted(self, value: str) -> Any:
        """Rows of its actions and of its own steps."""
        return Q(of_action(automation=value)) | Q(subject_kind="rollout", subject_id=value)


class Recent(Choice):
    """A time range that ends now, found by key."""

    title, parameter_name = "Time", "when"
    hours: ClassVar[dict[str, int]] = {"hour": 1, "day": 24, "week": 168, "month": 720}
    options: ClassVar[dict[str, tuple[str, Any]]] = {
        "hour": ("Last hour", None), "day": ("Last 24 hours", None), "week": ("Last 7 days", None),
        "month": ("Last 30 days", None),
    }  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows of the last hours."""
        value = self.value()
        if value is None:
            return queryset
        hours = self.hours.get(value)
        return queryset.none() if hours is None else queryset.filter(_since(clock.now() - timedelta(hours=hours)))


def _since(at: datetime) -> Q:
    return journal.within(at, None)


def as_day(text: str) -> datetime:
    """The beginning of a day in the reader's zone, or ValueError."""
    return timezone.make_aware(datetime.strptime(text, "%Y-%m-%d"))  # noqa: DTZ007


class Day(admin.SimpleListFilter):
    """From or to a day, as typed."""

    template = "console/filter.html"
    title, parameter_name = "From", "from"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Only what is set."""
        value = self.used_parameters.get(str(self.parameter_name))
        return [(value, cells.plain(value, 20))] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows from this day on; none for what is no day."""
        value = self.value()
        if value is None:
            return queryset
        try:
            return queryset.filter(self.bounds(as_day(value)))
        except (ValueError, OverflowError):
            return queryset.none()

    def bounds(self, day: datetime) -> Q:
        """The rows that this end of the range leaves."""
        return journal.within(day, None)


class LastDay(Day):
    """Up to a day and all of it."""

    title, parameter_name = "To", "to"

    def bounds(self, day: datetime) -> Q:
        """Up to the end of the day."""
        return journal.within(None, day + timedelta(days=1))


class EventFilter(admin.SimpleListFilter):
    """Rows of one event or one contract, set by links."""

    template = "console/filter.html"
    title, parameter_name = "Event", "event"
    rows: Callable[[int], Q] = staticmethod(journal.of_event)

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Only what is set."""
        value = self.used_parameters.get(str(self.parameter_name))
        return [(value, cells.plain(value, 20))] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Found by their thread; none for what is no key."""
        value = self.value()
        if value is None:
            return queryset
        usable = value.isascii() and value.isdigit() and len(value) < 19
        return queryset.filter(type(self).rows(int(value))) if usable else queryset.none()


class ContractFilter(EventFilter):
    """Rows of one contract and its actions."""

    title, parameter_name = "Contract", "contract"
    rows: Callable[[int], Q] = staticmethod(journal.of_contract)


def as_person(text: str) -> str:
    """`user:7`, or ValueError."""
    kind, _, key = text.partition(":")
    if kind != "user" or not (key.isascii() and key.isdigit()):
        raise ValueError("not a person")
    return text


class Person(EventFilter):
    """What one person did, set by links; the index of people's rows serves it."""

    title, parameter_name = "Person", "who"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows of this person; none for anything else."""
        try:
            value = self.value()
            return queryset if value is None else queryset.filter(actor=as_person(value), actor__startswith="user:")
        except ValueError:
            return queryset.none()


def is_sparse(params: dict[str, Any]) -> bool:
    """Whether rows that fit these filters may lie far apart, with nothing that leads to them."""
    wanted = {key for key, value in params.items() if value}
    easy = params.get("actor") == "people" or params.get("decision") in OF_SUBJECT
    return bool(wanted & SPARSE) and not wanted & NARROW and not easy


def begins(params: dict[str, Any]) -> datetime | None:
    """Where the time that is asked for begins; None when it is not bounded, or not readable."""
    hours = Recent.hours.get(str(params.get("when", "")))
    if hours is not None:
        return clock.now() - timedelta(hours=hours)
    try:
        return as_day(str(params["from"])) if params.get("from") else None
    except (ValueError, OverflowError):
        return None


FILTERS = (
    Recent, Day, LastDay,
    choice("decision", "Decision", _decisions()),
    choice("actor", "By", ACTORS),
    choice("outcome", "Outcome", {key: (label, Q(outcome=key)) for key, label in OUTCOMES.items()}),
    choice("mode", "Mode", of_states("mode", Action.Mode.choices)),
    SystemFilter, AutomationFilter,
    choice("amount", "Amount", {key: (label, _band(low, high)) for key, (label, low, high) in BANDS.items()}),
    Person, ContractFilter, EventFilter,
    exact("customer", "Customer", "customer_id"),
    exact("action", "Action", "action_id", uuid.UUID),
    exact("correlation", "Correlation id", "correlation_id", uuid.UUID),
)  # fmt: skip

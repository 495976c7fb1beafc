"""Events, the ledger, gates and runbooks: what happened and what judges, to read; an event can be judged again."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from gates import review
from gates.models import GateVersion, Runbook
from ledger.models import Customer, Event, LedgerRow
from ledger.readonly import actor_names
from meshline.api import personal
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.shapes import EventShape, GateShape, RowShape, RunbookShape, named
from meshline.api.strict import Body, Choice, Id, Query, Text

SOURCES = (*settings.MESHLINE_PROVIDERS, "meshline")
REASON_HELP = "Why; it is kept with the decision"


class EventQuery(Paged):
    """Which events."""

    source = Choice(SOURCES, required=False)
    state = Choice([value for value, _ in Event.State.choices], required=False)
    kind = Text(40, required=False)
    object = Text(255, required=False, help_text="The id of the provider's object")
    customer = Text(64, required=False, help_text="External id")
    correlation_id = Id(required=False)


class LedgerQuery(Paged):
    """Which ledger rows."""

    correlation_id = Id(required=False)
    action = Id(required=False)
    customer = Text(64, required=False, help_text="External id")
    subject = Text(16, required=False, help_text="Kind of subject, such as action, contract, stop, item")
    decision = Text(40, required=False)
    outcome = Text(40, required=False)


class GateQuery(Paged):
    """Which gates."""

    name = Text(60, required=False)
    state = Choice([value for value, _ in GateVersion.State.choices], required=False)


class ReplayBody(Body):
    """Why an event is judged again."""

    reason = Text(500, help_text=REASON_HELP)


class EventList(ApiView):
    """Events, newest first."""

    needs = "ledger.view_event"

    @looks("events_list", "Events, newest first", page_of(EventShape), EventQuery)
    def get(self, request: Request) -> Response:
        """Narrowed by exact values only."""
        asked = self.query(EventQuery)
        names = {"source": "source", "state": "state", "kind": "kind", "object": "object_id"}
        rows = narrowed(Event.objects.select_related("customer"), asked, {**names, "correlation_id": "correlation_id"})
        return self.page(of_customer(rows, asked), asked, self.shown)

    def shown(self, rows: Sequence[Event]) -> list[dict[str, Any]]:
        """What a provider wrote into an error is masked like everything of theirs."""
        return [event_data(one, in_full=self.sees_personal()) for one in rows]


class EventPage(ApiView):
    """One event."""

    needs = "ledger.view_event"

    @looks("events_detail", "One event", EventShape, Query)
    def get(self, request: Request, event_id: int) -> Response:
        """What arrived and what was made of it; its bytes are on the page only."""
        self.query(Query)
        event = found(Event.objects.select_related("customer"), pk=event_id)
        return Response(event_data(event, in_full=self.sees_personal()))


class EventReplay(ApiView):
    """Judging a stored event again."""

    needs = "ledger.view_event"

    @acts("events_replay", "Judge a stored event again; the same keys hold", ReplayBody, EventShape)
    def post(self, request: Request, event_id: int) -> Response:
        """Nothing that was done is done twice."""
        asked = self.body(ReplayBody)
        found(Event.objects.all(), pk=event_id)
        event = review.replay(event_id, by=self.person(), reason=asked["reason"])
        return Response(event_data(event, in_full=self.sees_personal()))


class LedgerList(ApiView):
    """The ledger, newest first."""

    needs = "ledger.view_ledgerrow"

    @looks("ledger_list", "Ledger rows, newest first", page_of(RowShape), LedgerQuery)
    def get(self, request: Request) -> Response:
        """Narrowed by exact values only."""
        asked = self.query(LedgerQuery)
        names = {"subject": "subject_kind", "decision": "decision", "outcome": "outcome", "action": "action_id"}
        rows = narrowed(LedgerRow.objects.all(), asked, {**names, "correlation_id": "correlation_id"})
        return self.page(of_customer(rows, asked), asked, shown_rows)


class GateList(ApiView):
    """Versions of gates, newest first."""

    needs = "gates.view_gateversion"

    @looks("gates_list", "Gates with their rows, every version", page_of(GateShape), GateQuery)
    def get(self, request: Request) -> Response:
        """They are written on the page, by two people."""
        asked = self.query(GateQuery)
        rows = narrowed(GateVersion.objects.all(), asked, {"name": "name", "state": "state"})
        return self.page(rows, asked, lambda found: list(GateShape(found, many=True).data))


class RunbookList(ApiView):
    """Runbooks, newest first."""

    needs = "gates.view_runbook"

    @looks("runbooks_list", "Runbooks with their steps", page_of(RunbookShape), Paged)
    def get(self, request: Request) -> Response:
        """They are edited on the page."""
        asked = self.query(Paged)
        return self.page(Runbook.objects.all(), asked, lambda found: list(RunbookShape(found, many=True).data))


def narrowed(rows: QuerySet[Any], asked: dict[str, Any], names: dict[str, str]) -> QuerySet[Any]:
    """Rows with exactly the values that were asked for."""
    return rows.filter(**{column: asked[name] for name, column in names.items() if name in asked})


def of_customer(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    """Rows of the customer that was asked for, by its key, so that the rows' own index serves."""
    if "customer" not in asked:
        return rows
    key = Customer.objects.filter(external_id=asked["customer"]).values_list("pk", flat=True).first()
    return rows.filter(customer_id=key) if key is not None else rows.none()


def event_data(event: Event, *, in_full: bool) -> dict[str, Any]:
    """One event as it may be given."""
    shown: dict[str, Any] = personal.shown(EventShape(event).data, in_full=in_full)
    return shown


def shown_rows(rows: Sequence[LedgerRow]) -> list[dict[str, Any]]:
    """Ledger rows with who acted in words; one look-up for the page."""
    return named(rows, actor_names(row.actor for row in rows))

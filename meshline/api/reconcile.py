"""Reconciliation: runs, differences and their verbs; and a person's word on who a customer is."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger import cells
from ledger.models import Customer
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.customers import customer_data
from meshline.api.shapes import BY_NAME, CustomerShape
from meshline.api.strict import Body, Choice, Moment, Query, Text, Whole
from meshline.api.verbs import REASON, colleague
from sync.onboarding import identity
from sync.reconcile import checks, desk, runs, words
from sync.reconcile.models import Delta, ReconcileRun

VERSION = "The difference's `state_version` that you saw"


class RunShape(serializers.ModelSerializer):
    """One comparison of two systems. A failed one compared nothing."""

    check = serializers.CharField(source="check_name")
    state = serializers.SerializerMethodField(help_text="running, agree, differ, partial or failed")
    classes = serializers.DictField(source="counts", help_text="Differences found, by class")

    class Meta:
        model = ReconcileRun
        fields = (
            "id", "check", "state", "started_by", "started_at", "finished_at", "error", "left_rows", "right_rows",
            "compared", "differing", "classes", "opened", "closed", "mismatch_permille", "new_customers", "flagged",
            "gaps", "totals", "covers_from", "covers_to",
        )  # fmt: skip

    def get_state(self, one: ReconcileRun) -> str:
        """The outcome, or that there is none yet."""
        return str(one.outcome) or "running"


# `class` is a word of the language, so it is named by text; the same for the check.
DELTA_FIELDS = (
    "id", "state", "state_version", "check", "class", "key", "field", "left_value", "right_value", "refs",
    "owner_system", "owner_group", "owner", "customer", "item_id", "action_id", "reason",
    "accepted_until", "first_run_id", "last_run_id",
    "closed_run_id", "first_seen_at", "last_seen_at", "resolved_at", "times_seen", "sentence", "suggested",
)  # fmt: skip


class DeltaShape(serializers.ModelSerializer):
    """One difference. Values are given in full only to those who may see personal data."""

    check = serializers.CharField(source="check_name")
    customer = serializers.SlugRelatedField("external_id", read_only=True, allow_null=True)
    owner = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    sentence = serializers.SerializerMethodField()
    suggested = serializers.SerializerMethodField(help_text="What would put it right")
    locals()["class"] = serializers.CharField(source="kind")

    class Meta:
        model = Delta
        fields = DELTA_FIELDS

    def get_sentence(self, one: Delta) -> str:
        """What differs, by ids."""
        return words.sentence(one)

    def get_suggested(self, one: Delta) -> str:
        """Whose word counts, and what follows."""
        return words.fix(one)


class RunQuery(Paged):
    """Which runs."""

    check = Choice(tuple(checks.CHECKS), required=False)


class DeltaQuery(Paged):
    """Which differences."""

    check = Text(40, required=False)
    state = Choice([value for value, _ in Delta.State.choices], required=False)
    kind = Choice([value for value, _ in Delta.Kind.choices], required=False, help_text="The class")
    group = Text(80, required=False, help_text="Owner group")
    customer = Text(64, required=False, help_text="External id")
    id = Text(255, required=False, help_text="Any id it is about, in full")


class RunBody(Body):
    """Which check is run now."""

    check = Choice(tuple(checks.CHECKS))


class DeltaBody(Body):
    """What was looked at."""

    state_version = Whole(help_text=VERSION)


class DeltaReasonBody(DeltaBody):
    """The same, and why."""

    reason = Text(500, help_text=REASON)


class DeltaAcceptBody(DeltaReasonBody):
    """The same, and how long at most."""

    until = Moment(required=False, allow_null=True, default=None, help_text="It opens again by itself then")


class DeltaAssignBody(DeltaReasonBody):
    """Whose turn it is from now on."""

    to = Text(150, required=False, allow_null=True, default=None, help_text="User name; null for nobody of the group")
    group = Text(80, least=0, required=False, default="", help_text="Empty keeps the group")


class ConfirmBody(Body):
    """How somebody knows who a customer is."""

    reason = Text(identity.LONGEST_REASON, help_text=REASON)


class RunList(ApiView):
    """Runs, newest first; a POST begins one."""

    needs = "sync.view_reconcilerun"

    @looks("reconcile_runs", "Reconciliation runs, newest first", page_of(RunShape), RunQuery)
    def get(self, request: Request) -> Response:
        """All of them, or those of one check."""
        asked = self.query(RunQuery)
        rows = ReconcileRun.objects.all()
        return self.page(rows.filter(check_name=asked["check"]) if "check" in asked else rows, asked, _runs)

    @acts("reconcile_run", "Begin a run; workers do it", RunBody, RunShape, 202)
    def post(self, request: Request) -> Response:
        """One of a check goes on at a time."""
        said = self.body(RunBody)
        return Response(RunShape(runs.ask(said["check"], by=self.person())).data, status=202)


class DeltaList(ApiView):
    """Differences, newest first."""

    needs = "sync.view_delta"

    @looks("reconcile_deltas", "Differences between systems, newest first", page_of(DeltaShape), DeltaQuery)
    def get(self, request: Request) -> Response:
        """Narrowed by exact values only."""
        asked = self.query(DeltaQuery)
        names = {"check": "check_name", "state": "state", "kind": "kind", "group": "owner_group"}
        names |= {"customer": "customer__external_id"}
        rows = Delta.objects.select_related("owner", "customer")
        rows = rows.filter(**{column: asked[name] for name, column in names.items() if name in asked})
        return self.page(rows.filter(ids__contains=[asked["id"]]) if "id" in asked else rows, asked, self.shown)

    def shown(self, rows: Sequence[Delta]) -> list[dict[str, Any]]:
        """The rows as this person may see them."""
        return [delta_data(one, in_full=self.sees_personal()) for one in rows]


class DeltaPage(ApiView):
    """One difference."""

    needs = "sync.view_delta"

    @looks("reconcile_delta", "One difference", DeltaShape, Query)
    def get(self, request: Request, delta_id: int) -> Response:
        """Both sides of it."""
        self.query(Query)
        one = found(Delta.objects.select_related("owner", "customer"), pk=delta_id)
        return Response(delta_data(one, in_full=self.sees_personal()))


BODIES: dict[str, tuple[str, type[Body]]] = {
    "acknowledge": ("Mark it as seen", DeltaBody), "assign": ("Give it to somebody", DeltaAssignBody),
    "accept": ("Let it stay while both values stay the same", DeltaAcceptBody),
    "resolve": ("Say that it was put right", DeltaReasonBody),
    "open_item": ("Put it into the review queue", DeltaBody),
    "propose": ("Ask for the action that puts it right, through the gates", DeltaReasonBody),
    "fetch": ("Fetch the event that never came", DeltaBody),
}  # fmt: skip


def _verb(name: str) -> type[ApiView]:
    """The view of one verb on a difference."""
    summary, body = BODIES[name]

    class DeltaVerb(ApiView):
        """One verb of the service door."""

        needs = "sync.view_delta"

        @acts(f"reconcile_deltas_{name}", summary, body, DeltaShape)
        def post(self, request: Request, delta_id: int) -> Response:
            """Done, or refused with the reason."""
            said = self.body(body)
            version = said.pop("state_version")
            if "to" in said:
                said["to"] = colleague(said["to"])
            desk.VERBS[name](delta_id, by=self.person(), version=version, **said)
            one = found(Delta.objects.select_related("owner", "customer"), pk=delta_id)
            return Response(delta_data(one, in_full=self.sees_personal()))

    return DeltaVerb


VERBS = {name: _verb(name) for name in BODIES}


class CustomerConfirm(ApiView):
    """A person's word on who a customer is."""

    needs = "ledger.view_customer"

    @acts("customers_confirm", "Confirm who a flagged customer is; billing goes on", ConfirmBody, CustomerShape)
    def post(self, request: Request, external_id: str) -> Response:
        """Its differences and items are settled, and what waited for nothing else goes on."""
        said = self.body(ConfirmBody)
        customer = found(Customer.objects.all(), external_id=external_id)
        done = identity.confirm(customer.pk, by=self.person(), reason=said["reason"])
        return Response(customer_data(done, in_full=self.sees_personal()))


def delta_data(one: Delta, *, in_full: bool) -> dict[str, Any]:
    """A difference; addresses, and what may be a person's number or name, only for those who may see them."""
    data: dict[str, Any] = dict(DeltaShape(one).data)
    if not in_full:
        for name in ("left_value", "right_value"):
            value = str(data[name])
            data[name] = cells.masked(value) if "@" in value else (f"…{value[-2:]}" if value else "")
    return data


def _runs(rows: Sequence[ReconcileRun]) -> list[dict[str, Any]]:
    return list(RunShape(rows, many=True).data)

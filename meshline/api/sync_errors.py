"""Errors of the customer sync: lists, and the verbs of the error desk."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gates.rules.customer_sync import ErrorClass
from meshline.api import personal
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.errors import Problem
from meshline.api.shapes import BY_NAME
from meshline.api.strict import Body, Choice, Text, Whole
from meshline.api.verbs import REASON, colleague
from sync.customer_sync import errors
from sync.customer_sync.errors_list import TABS, Asked, BadFilter
from sync.customer_sync.models import SyncError

VERSION = "The error's `state_version` that you saw"
WITH = ("customer", "assigned_to", "run")


class SyncErrorShape(serializers.ModelSerializer):
    """One thing that went wrong with one customer at one step."""

    customer = serializers.SlugRelatedField("external_id", read_only=True, allow_null=True)
    assigned_to = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    candidates = serializers.ListField(child=serializers.DictField(), help_text="Whom a person may choose between")
    locals()["class"] = serializers.CharField(source="error_class")

    class Meta:
        model = SyncError
        fields = (
            "id", "state", "state_version", "class", "step", "code", "sentence", "trace_key", "internal_id", "customer",
            "run_id", "retried_in_id", "candidates", "source_version", "assigned_to", "resolution", "resolved_at",
            "created_at",
        )  # fmt: skip


class SyncErrorQuery(Paged):
    """Which errors."""

    tab = Choice(tuple(TABS), required=False, help_text="open if not said")
    locals()["class"] = Choice([str(one) for one in ErrorClass], required=False)
    step = Choice(SyncError.Step.values, required=False)
    code = Text(60, required=False)
    run = Whole(1, 2**63 - 1, required=False, help_text="Found by this run")
    q = Text(160, required=False, help_text="A trace key in full, or an internal id of the ERP")


class SyncErrorBody(Body):
    """What was looked at."""

    state_version = Whole(help_text=VERSION)


class SyncErrorReason(SyncErrorBody):
    """The same, and why."""

    reason = Text(500, help_text=REASON)


class SyncErrorAssign(SyncErrorBody):
    """Whose turn it is."""

    to = Text(150, required=False, allow_null=True, default=None, help_text="User name; null for nobody")


class SyncErrors(ApiView):
    """The error desk."""

    needs = errors.VIEW

    @looks("sync_errors_list", "Errors of the customer sync, newest first", page_of(SyncErrorShape), SyncErrorQuery)
    def get(self, request: Request) -> Response:
        """One tab, narrowed by exact values."""
        said = self.query(SyncErrorQuery)
        given = {name: str(value) for name, value in said.items() if name not in ("before", "after", "limit")}
        try:
            asked = Asked.read(given, self.person())
        except BadFilter as bad:
            raise Problem(422, "field", str(bad), bad.name) from None
        return self.page(asked.rows(), said, self.shown)

    def shown(self, rows: Sequence[SyncError]) -> list[dict[str, Any]]:
        """The rows as this person may see them."""
        return [_data(self, one) for one in rows]


BODIES: dict[str, tuple[str, type[Body]]] = {
    "retry": ("Read the customer again from the ERP and sync it; the run is in `retried_in_id`", SyncErrorBody),
    "assign": ("Give it to somebody", SyncErrorAssign),
    "ignore": ("Say that nothing is to be done while customer and cause stay as they are", SyncErrorReason),
    "resolve": ("Say that it is settled", SyncErrorReason),
}  # fmt: skip


def _verb(name: str) -> type[ApiView]:
    """The view of one verb on an error."""
    summary, body = BODIES[name]

    class SyncErrorVerb(ApiView):
        """One verb of the service door."""

        needs = errors.VIEW

        @acts(f"sync_errors_{name}", summary, body, SyncErrorShape, 202 if name == "retry" else 200)
        def post(self, request: Request, error_id: int) -> Response:
            """Done, or refused with the reason."""
            said = self.body(body)
            found(SyncError.objects.all(), pk=error_id)
            version, by = said.pop("state_version"), self.person()
            if name == "retry":
                errors.retry([error_id], by=by, version=version)
            elif name == "assign":
                errors.assign(error_id, by=by, version=version, to=colleague(said["to"]))
            else:
                ends = {"ignore": errors.ignore, "resolve": errors.resolve}
                ends[name](error_id, by=by, version=version, reason=said["reason"])
            one = found(SyncError.objects.select_related(*WITH), pk=error_id)
            return Response(_data(self, one), status=202 if name == "retry" else 200)

    return SyncErrorVerb


VERBS = {name: _verb(name) for name in BODIES}


def _data(view: ApiView, one: SyncError) -> dict[str, Any]:
    """An error; e-mail addresses in a provider's words only for those who may see them."""
    shown: dict[str, Any] = personal.shown(SyncErrorShape(one).data, in_full=view.sees_personal())
    return shown

"""Onboarding checklists: the lists with their steps, and ticking a step."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gates.checklists import VIEW, verbs
from gates.models import Checklist, ChecklistStep
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.strict import Body, Choice, Text, Whole


class StepShape(serializers.ModelSerializer):
    """One step; `state_version` is what ticking it has to name."""

    owner = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    ticked_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)

    class Meta:
        model = ChecklistStep
        fields = (
            "key", "title", "state", "state_version", "owner_group", "owner", "evidence", "blocking", "due_at", "late",
            "nudges", "escalated_at", "done_at", "ticked_by", "evidence_kind", "evidence_id",
        )  # fmt: skip
        read_only_fields = fields


class ChecklistShape(serializers.ModelSerializer):
    """One onboarding. `csm` and `billing_owner` are the CRM's ids of people; `stage` is the step that waits."""

    customer = serializers.SlugRelatedField("external_id", read_only=True)
    contract = serializers.SlugRelatedField("external_id", read_only=True)
    steps = StepShape(many=True, read_only=True)

    class Meta:
        model = Checklist
        fields = (
            "id", "customer", "contract", "deal", "state", "state_version", "package", "csm", "billing_owner",
            "first_value_on", "signed_at", "customer_at", "invoiced_at", "value_at", "ended_at", "stage", "steps",
        )  # fmt: skip
        read_only_fields = fields


class ChecklistQuery(Paged):
    """Which checklists."""

    state = Choice(list(Checklist.State.values), required=False, help_text="Running ones are those that wait")
    late = Choice(["yes"], required=False, help_text="Those with a step that is late")
    package = Text(64, required=False, help_text="Of this package")
    csm = Text(64, required=False, help_text="Of this customer success manager, by the CRM's id")


class TickBody(Body):
    """What was looked at."""

    state_version = Whole(help_text="The step's `state_version` that you saw")


class ChecklistList(ApiView):
    """Checklists, newest first."""

    needs = VIEW

    @looks("onboarding_checklists_list", "Onboarding checklists, newest first", page_of(ChecklistShape), ChecklistQuery)
    def get(self, request: Request) -> Response:
        """By the filters of the page."""
        asked = self.query(ChecklistQuery)
        rows = Checklist.objects.select_related("customer", "contract")
        rows = rows.prefetch_related("steps__owner", "steps__ticked_by")
        wanted = {name: asked[name] for name in ("state", "package", "csm") if asked.get(name)}
        if asked.get("late"):
            late = ChecklistStep.objects.filter(checklist=OuterRef("pk"), state="waiting", late=True)
            rows = rows.filter(Exists(late))
        return self.page(rows.filter(**wanted), asked, shown)


class StepTick(ApiView):
    """A step that was done."""

    needs = VIEW

    @acts("onboarding_step_tick", "Tick a step that a person does", TickBody, ChecklistShape)
    def post(self, request: Request, checklist_id: int, key: str) -> Response:
        """By the same door as the page."""
        said = self.body(TickBody)
        one = found(Checklist.objects.all(), pk=checklist_id)
        verbs.tick(one.pk, key, by=self.person(), version=said["state_version"])
        return Response(shown([found(Checklist.objects.select_related("customer", "contract"), pk=one.pk)])[0])


def shown(rows: Sequence[Checklist]) -> list[dict[str, Any]]:
    """The rows as they are given."""
    given: list[dict[str, Any]] = list(ChecklistShape(rows, many=True).data)
    return given

"""Disputes, to read: how they stand, by when the bank takes evidence, and what is suggested."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.api.base import ApiView, Paged, looks, page_of
from meshline.api.records import narrowed, of_customer
from meshline.api.strict import Choice, Text
from sync.disputes.models import Dispute


class DisputeQuery(Paged):
    """Which disputes."""

    state = Choice([value for value, _ in Dispute.State.choices], required=False)
    kind = Choice([value for value, _ in Dispute.Kind.choices], required=False)
    id = Text(255, required=False, help_text="The provider's id of it")
    customer = Text(64, required=False, help_text="External id")


class DisputeShape(serializers.ModelSerializer):
    """A dispute or early fraud warning; `lines` are [words, minor units] that add up to `suggested_minor`."""

    customer = serializers.CharField(source="customer.external_id", default=None, allow_null=True)

    class Meta:
        model = Dispute
        fields = (
            "id", "provider", "external_id", "state", "kind", "status", "charge", "customer", "amount_minor",
            "currency", "reason", "opened_at", "evidence_due_at", "closed_at", "told_at", "advice", "lines",
            "suggested_minor", "confidence", "prior_disputes", "refunded_minor", "correlation_id", "state_version",
        )  # fmt: skip
        read_only_fields = fields


class DisputeList(ApiView):
    """Disputes, newest first."""

    needs = "sync.view_dispute"

    @looks("disputes_list", "Disputes and early fraud warnings, newest first", page_of(DisputeShape), DisputeQuery)
    def get(self, request: Request) -> Response:
        """Narrowed by exact values only."""
        asked = self.query(DisputeQuery)
        names = {"state": "state", "kind": "kind", "id": "external_id"}
        rows = narrowed(Dispute.objects.select_related("customer"), asked, names)
        return self.page(of_customer(rows, asked), asked, _shown)


def _shown(rows: Sequence[Dispute]) -> list[dict[str, Any]]:
    return list(DisputeShape(rows, many=True).data)

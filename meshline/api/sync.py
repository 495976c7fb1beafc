"""Customers to billing: start a sync of one customer, and look at runs."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.models import Customer
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.shapes import BY_NAME
from meshline.api.strict import Choice, Empty, Query
from sync.customer_sync import runs
from sync.customer_sync.models import SyncRun


class SyncRunShape(serializers.ModelSerializer):
    """One walk over customers; `counts` are rows by outcome, `pending` those that are under way."""

    profile = serializers.CharField(source="version.profile.name")
    profile_version = serializers.IntegerField(source="version.version")
    started_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    counts = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = SyncRun
        fields = (
            "id", "state", "state_version", "mode", "profile", "profile_version", "started_by", "created_at",
            "began_at", "ended_at", "rows", "total", "counts", "config_errors", "why",
        )  # fmt: skip


class SyncRunQuery(Paged):
    """Which runs."""

    state = Choice(SyncRun.State.values, required=False, help_text="Runs in this state only")


class SyncRuns(ApiView):
    """Runs of the customer sync."""

    needs = "sync.view_syncrun"

    @looks("sync_runs_list", "Sync runs, newest first", page_of(SyncRunShape), SyncRunQuery)
    def get(self, request: Request) -> Response:
        """By state."""
        asked = self.query(SyncRunQuery)
        rows = SyncRun.objects.select_related("version__profile", "started_by")
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return self.page(rows, asked, lambda some: list(SyncRunShape(some, many=True).data))


class SyncRunPage(ApiView):
    """One run."""

    needs = "sync.view_syncrun"

    @looks("sync_runs_read", "One sync run", SyncRunShape, Query)
    def get(self, request: Request, run_id: int) -> Response:
        """As it is now."""
        self.query(Query)
        return Response(SyncRunShape(found(SyncRun.objects.select_related("version__profile"), pk=run_id)).data)


class CustomerSync(ApiView):
    """One customer of the ERP brought to the billing system."""

    needs = "ledger.view_customer"

    @acts("customers_sync", "Sync a customer to billing now; the run is planned and answers", Empty, SyncRunShape, 202)
    def post(self, request: Request, external_id: str) -> Response:
        """The same as the button on the customer's page."""
        self.body(Empty)
        customer = found(Customer.objects.all(), external_id=external_id)
        run = runs.single(customer.pk, by=self.person())
        return Response(SyncRunShape(run).data, status=202)

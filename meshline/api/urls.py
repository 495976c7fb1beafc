"""Addresses of the API, its document and its pages."""

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from meshline.api import (
    actions,
    automations,
    claims,
    customers,
    decisions,
    disputes,
    docs,
    items,
    onboarding,
    reconcile,
    records,
    stopping,
    sync,
    sync_errors,
)

V1 = "v1/"
VERSION_1: list[URLPattern] = [
    path("customers/", customers.CustomerList.as_view()),
    path("customers/<slug:external_id>/context/", customers.CustomerContext.as_view()),
    path("customers/<slug:external_id>/timeline/", customers.CustomerTimeline.as_view()),
    path("customers/<slug:external_id>/refresh/", customers.CustomerRefresh.as_view()),
    path("customers/<slug:external_id>/sync/", sync.CustomerSync.as_view()),
    path("sync-runs/", sync.SyncRuns.as_view()),
    path("sync-runs/<int:run_id>/", sync.SyncRunPage.as_view()),
    path("sync/errors/", sync_errors.SyncErrors.as_view()),
    *(path(f"sync/errors/<int:error_id>/{name}/", view.as_view()) for name, view in sync_errors.VERBS.items()),
    path("events/", records.EventList.as_view()),
    path("events/<int:event_id>/", records.EventPage.as_view()),
    path("events/<int:event_id>/replay/", records.EventReplay.as_view()),
    path("actions/", actions.ActionList.as_view()),
    path("actions/preview/", actions.ActionPreview.as_view()),
    path("actions/<uuid:action_id>/", actions.ActionPage.as_view()),
    path("actions/<uuid:action_id>/rollback/", actions.ActionRollback.as_view()),
    *(path(f"actions/<uuid:action_id>/{name}/", view.as_view()) for name, view in decisions.VERBS.items()),
    path("review-items/", items.ItemList.as_view()),
    path("review-items/next/", items.ItemNext.as_view()),
    path("review-items/<int:item_id>/", items.ItemPage.as_view()),
    *(path(f"review-items/<int:item_id>/{name}/", view.as_view()) for name, view in items.VERBS.items()),
    path("onboarding/checklists/", onboarding.ChecklistList.as_view()),
    path("onboarding/checklists/<int:checklist_id>/steps/<slug:key>/tick/", onboarding.StepTick.as_view()),
    path("claims/verify/", claims.ClaimVerify.as_view()),
    path("disputes/", disputes.DisputeList.as_view()),
    path("ledger/", records.LedgerList.as_view()),
    path("customers/<slug:external_id>/confirm/", reconcile.CustomerConfirm.as_view()),
    path("reconcile/runs/", reconcile.RunList.as_view()),
    path("reconcile/deltas/", reconcile.DeltaList.as_view()),
    path("reconcile/deltas/<int:delta_id>/", reconcile.DeltaPage.as_view()),
    *(path(f"reconcile/deltas/<int:delta_id>/{name}/", view.as_view()) for name, view in reconcile.VERBS.items()),
    path("automations/", automations.Automations.as_view()),
    *(path(f"automations/<slug:name>/{name}/", view.as_view()) for name, view in automations.VERBS.items()),
    path("stop/", stopping.Stop.as_view()),
    path("stop/resume/", stopping.Resume.as_view()),
    path("gates/", records.GateList.as_view()),
    path("runbooks/", records.RunbookList.as_view()),
]
urlpatterns = [
    *(path(f"{V1}{one.pattern}", one.callback) for one in VERSION_1),
    path("schema/", SpectacularJSONAPIView.as_view(), name="api_schema"),
    path("docs/", staff_member_required(docs.Docs.as_view(), login_url="admin:login"), name="api_docs"),
    re_path(r"^.*\Z", docs.Nothing.as_view(), name="api_nothing"),
]

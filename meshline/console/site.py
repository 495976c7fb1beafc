"""The admin site: Django's own machinery under our shell, with pages for records instead of forms."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from meshline import signin, stepup
from meshline.console import (
    alert_pages,
    audit_pages,
    automation_pages,
    automation_reports,
    backtest_pages,
    cancellation_pages,
    claims_pages,
    connection_pages,
    delta_groups,
    delta_pages,
    dispute_pages,
    error_pages,
    find,
    gameday_pages,
    gate_pages,
    home,
    home_live,
    identity_page,
    import_pages,
    incident_page,
    incident_pages,
    incident_update,
    incident_words,
    item_live,
    kpi_pages,
    ledger_export,
    ledger_pages,
    mapping_pages,
    onboarding_mail,
    onboarding_page,
    onboarding_pages,
    onboarding_template,
    pages,
    portal_pages,
    propose,
    resume_page,
    routing_pages,
    runbook_pages,
    settings_page,
    setup_steps,
    shadow_pages,
    shell,
    signals_page,
    slack_pages,
    stop_page,
    sync_pages,
    sync_profile_pages,
    ticket_item,
    ticket_pages,
    verbs,
    workers,
)
from meshline.console.queue import acts, bulk, live

STOPPED_HEADER = "X-Meshline-Stopped"
FOREIGN = ("django_q", "simple_history")  # their pages edit what only code may edit (reliability D7)


class ConsoleSite(admin.AdminSite):
    """The console. Verbs go through `gates.review` and `gates.stop`; nothing is edited here but people and groups."""

    site_header = site_title = "Meshline"
    index_title = "Home"
    site_url = ""
    index_template = "console/home.html"
    login_form = signin.SignInForm
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        """Deleting many rows at once is off everywhere."""
        super().__init__(name)
        self.disable_action("delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take no page of a library that lets people edit jobs or schedules."""
        wanted: list[Any] = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        ours = [model for model in wanted if model._meta.app_label not in FOREIGN]
        super().register(ours, admin_class, **options)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Our pages before Django's."""
        return [*(self._page(*one) for one in ROUTES), *super().get_urls()]

    def _page(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        @wraps(view)
        def on_site(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return view(self, request, *args, **kwargs)

        return path(route, self.admin_view(on_site), name=name)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Sign-in, CSRF and no caching as ever, and the stop said in a header of every answer."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def said(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response = guarded(request, *args, **kwargs)
            if request.user.is_authenticated and shell.stop_state(request).on:
                response[STOPPED_HEADER] = "1"
            return response

        return said

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Django's own plus the shell."""
        return {**super().each_context(request), **shell.context(request), **stepup.context(request)}

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's own view, with counted tries."""
        return signin.finish(request, super().login(request, extra_context))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Home."""
        shown = {"title": "Home", "live_url": reverse("admin:home_live"), **home.context(request)}
        return self.draw(request, "console/home.html", shown)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Nobody works by app: Home is the index."""
        return HttpResponseRedirect(reverse("admin:index"))

    def draw(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int | None = None
    ) -> TemplateResponse:
        """A page of ours inside the shell."""
        request.current_app = self.name
        return TemplateResponse(request, template, {**self.each_context(request), **context}, status=status)

    def show(
        self, request: HttpRequest, record: models.Model, *, status: int | None = None, **more: Any
    ) -> HttpResponse:
        """The page of one record."""
        page = pages.build(request, record)
        return self.draw(
            request, page.template, {"title": page.title, "page": page, "live_url": page.live, **more}, status
        )


def keys(site: ConsoleSite, request: HttpRequest) -> HttpResponse:
    """The keys as a page, for browsers without scripts."""
    return site.draw(request, "console/keys.html", {"title": "Keys and help"})


ROUTES: tuple[tuple[str, Callable[..., HttpResponse], str], ...] = (
    ("find/", find.view, "find"),
    ("home/live/", home_live.view, "home_live"),
    ("home/setup/away/", setup_steps.put_away, "setup_away"),
    ("keys/", keys, "keys"),
    ("workers/", workers.view, "workers"),
    ("onboarding/report/", signals_page.view, "onboarding_report"),
    ("account/confirm/", stepup.view, "stepup"),
    ("account/settings/", settings_page.view, "my_settings"),
    ("account/settings/<slug:verb>/", settings_page.act, "my_settings_verb"),
    ("slack/link/", slack_pages.link, "slack_link"),
    ("slack/accounts/<int:key>/unlink/", slack_pages.unlink, "slack_unlink"),
    ("stop/", stop_page.view, "stop"),
    ("stop/held/", resume_page.view, "stop_held"),
    ("stop/<slug:verb>/", stop_page.act, "stop_verb"),
    ("review/<int:item_id>/live/", item_live.view, "review_live"),
    ("review/<int:item_id>/touch/", item_live.touch, "review_touch"),
    ("review/<int:item_id>/<slug:verb>/", verbs.act, "review_verb"),
    ("actions/<uuid:action_id>/rollback/", verbs.roll_back, "action_rollback"),
    ("contracts/<int:contract_id>/ask/", propose.view, "propose"),
    ("customers/<int:customer_id>/refresh/", propose.read_again, "customer_refresh"),
    ("customers/<int:customer_id>/identity/", identity_page.view, "customer_identity"),
    ("reconcile/deltas/<int:delta_id>/<slug:verb>/", delta_pages.act, "reconcile_verb"),
    ("reconcile/groups/", delta_groups.view, "reconcile_groups"),
    ("reconcile/<slug:check>/run/", delta_pages.run_now, "reconcile_run"),
    ("queue/live/", live.view, "queue_live"),
    ("queue/next/", acts.take, "queue_next"),
    ("queue/columns/", acts.choose_columns, "queue_columns"),
    ("queue/views/", acts.save_view, "queue_view_save"),
    ("queue/views/<int:view_id>/delete/", acts.delete_view, "queue_view_delete"),
    ("queue/runbook/<int:item_id>/", acts.runbook, "queue_runbook"),
    ("queue/bulk/<slug:verb>/", bulk.act, "queue_bulk"),
    ("gates/new/", gate_pages.new, "gate_new"),
    ("gates/<int:key>/edit/", gate_pages.edit, "gate_edit"),
    ("gates/<int:key>/<slug:verb>/", gate_pages.act, "gate_verb"),
    ("ledger/chain/<uuid:thread>/", ledger_pages.chain, "ledger_chain"),
    ("ledger/extract/", ledger_pages.extract, "ledger_extract"),
    ("ledger/export/", ledger_export.export, "ledger_export"),
    ("ledger/verify/", ledger_pages.check, "ledger_verify"),
    ("review/<int:item_id>/runbook/<int:runbook_id>/<int:step>/<slug:verb>/", runbook_pages.tick, "runbook_tick"),
    ("portal/", portal_pages.listing, "portal_links"),
    ("portal/all/<slug:verb>/", portal_pages.bulk, "portal_bulk"),
    ("portal/customers/<int:customer_id>/make/", portal_pages.make, "portal_make"),
    ("portal/<int:link_id>/<slug:verb>/", portal_pages.act, "portal_verb"),
    ("imports/", import_pages.listing, "imports"),
    ("imports/<int:key>/", import_pages.view, "import"),
    ("imports/<int:key>/<slug:verb>/", import_pages.act, "import_verb"),
    ("customers/<int:customer_id>/sync/", sync_pages.one_customer, "customer_sync"),
    ("sync/", sync_pages.listing, "sync_runs"),
    ("sync/start/", sync_pages.start, "sync_start"),
    ("sync/runs/<int:run_id>/", sync_pages.view, "sync_run"),
    ("sync/runs/<int:run_id>/<slug:verb>/", sync_pages.act, "sync_run_verb"),
    ("sync/runs/<int:run_id>/rows/<int:internal_id>/choose/", sync_pages.choose, "sync_choose"),
    ("sync/errors/", error_pages.listing, "sync_errors"),
    ("sync/errors/csv/", error_pages.download, "sync_errors_csv"),
    ("sync/errors/retry/", error_pages.retry, "sync_errors_retry"),
    ("sync/errors/<int:error_id>/", error_pages.view, "sync_error"),
    ("sync/errors/<int:error_id>/<slug:verb>/", error_pages.act, "sync_error_verb"),
    ("sync/profiles/new/", sync_profile_pages.add, "sync_profile_add"),
    ("sync/profiles/<slug:name>/", sync_profile_pages.view, "sync_profile"),
    ("sync/profiles/<slug:name>/save/", sync_profile_pages.save, "sync_profile_save"),
    ("runbooks/", runbook_pages.listing, "runbooks"),
    ("runbooks/new/", runbook_pages.add, "runbook_add"),
    ("runbooks/<slug:slug>/", runbook_pages.view, "runbook"),
    ("runbooks/<slug:slug>/<slug:verb>/", runbook_pages.act, "runbook_verb"),
    ("onboarding/", onboarding_pages.listing, "onboarding"),
    ("onboarding/template/", onboarding_template.view, "onboarding_template"),
    ("onboarding/<int:checklist_id>/", onboarding_page.view, "onboarding_list"),
    ("onboarding/<int:checklist_id>/mail/", onboarding_mail.view, "onboarding_mail"),
    ("onboarding/<int:checklist_id>/end/", onboarding_page.end, "onboarding_end"),
    ("onboarding/<int:checklist_id>/<slug:key>/<slug:verb>/", onboarding_page.act, "onboarding_verb"),
    ("incidents/", incident_pages.listing, "incidents"),
    ("incidents/declare/", incident_pages.declare, "incident_declare"),
    ("incidents/services/", incident_words.service, "incident_services"),
    ("incidents/messages/<slug:name>/", incident_words.message, "incident_message"),
    ("incidents/<int:incident_id>/", incident_page.view, "incident"),
    ("incidents/<int:incident_id>/<slug:verb>/", incident_page.act, "incident_verb"),
    ("incidents/<int:incident_id>/updates/<int:number>/", incident_update.view, "incident_update"),
    (
        "incidents/<int:incident_id>/updates/<int:number>/<slug:verb>/",
        incident_update.act,
        "incident_update_verb",
    ),
    ("alerts/", alert_pages.listing, "alerts"),
    ("alerts/rules/", alert_pages.rules, "alert_rules"),
    ("alerts/<int:key>/", alert_pages.view, "alert"),
    ("alerts/<int:key>/acknowledge/", alert_pages.acknowledge, "alert_acknowledge"),
    ("backtests/", backtest_pages.listing, "backtests"),
    ("backtests/start/", backtest_pages.start, "backtest_start"),
    ("backtests/<int:key>/", backtest_pages.view, "backtest"),
    ("backtests/<int:key>/cancel/", backtest_pages.cancel, "backtest_cancel"),
    ("gamedays/", gameday_pages.listing, "gamedays"),
    ("gamedays/start/", gameday_pages.start, "gameday_start"),
    ("gamedays/<int:key>/", gameday_pages.view, "gameday"),
    ("shadow/", shadow_pages.listing, "shadow"),
    ("shadow/<slug:name>/", shadow_pages.view, "shadow_report"),
    ("kpis/", kpi_pages.listing, "kpis"),
    ("kpis/csv/", kpi_pages.download, "kpis_csv"),
    ("kpis/<slug:name>/", kpi_pages.view, "kpi"),
    ("kpis/<slug:name>/<slug:verb>/", kpi_pages.act, "kpi_verb"),
    ("audits/", audit_pages.listing, "audits"),
    ("audits/<int:key>/", audit_pages.view, "audit"),
    ("audits/<int:key>/rows/<int:place>/", audit_pages.judge, "audit_row"),
    ("audits/<int:key>/<slug:verb>/", audit_pages.act, "audit_verb"),
    ("disputes/", dispute_pages.listing, "disputes"),
    ("disputes/<int:dispute_id>/", dispute_pages.view, "dispute"),
    ("automations/triage/", automation_reports.weekly, "automation_triage"),
    ("automations/<slug:name>/edit/", automation_pages.edit, "automation_edit"),
    ("automations/<slug:name>/previews/", automation_pages.review, "automation_previews"),
    ("automations/<slug:name>/diagnose/", automation_reports.diagnosis, "automation_diagnose"),
    ("automations/<slug:name>/<slug:verb>/", automation_pages.act, "automation_verb"),
    ("tickets/", ticket_pages.listing, "ticket_kinds"),
    ("tickets/kinds/<slug:name>/", ticket_pages.view, "ticket_kind"),
    ("review/<int:item_id>/ticket-note/write/", ticket_item.write, "ticket_handoff"),
    ("cancellations/", cancellation_pages.view, "cancellations"),
    ("cancellations/<int:key>/<slug:verb>/", cancellation_pages.act, "cancellation_verb"),
    ("claims/", claims_pages.listing, "claims"),
    ("claims/verify/", claims_pages.verify, "claim_verify"),
    ("claims/<int:check_id>/", claims_pages.view, "claim"),
    ("routing/", routing_pages.view, "routing"),
    ("routing/absences/add/", routing_pages.absence, "routing_absence"),
    ("routing/<slug:what>/add/", routing_pages.form, "routing_add"),
    ("routing/<slug:what>/<int:key>/", routing_pages.form, "routing_form"),
    ("routing/<slug:what>/<int:key>/<slug:verb>/", routing_pages.act, "routing_verb"),
    ("connections/", connection_pages.view, "connections"),
    ("connections/<slug:provider>/<slug:verb>/", connection_pages.act, "connection_verb"),
    ("mapping/", mapping_pages.listing, "mapping"),
    ("mapping/<int:number>/", mapping_pages.view, "mapping_version"),
    ("mapping/<int:number>/rows/<int:place>/", mapping_pages.row, "mapping_row"),
    ("mapping/<int:number>/<slug:verb>/", mapping_pages.act, "mapping_verb"),
    ("events/<int:event_id>/replay/", verbs.replay, "event_replay"),
    ("events/<int:event_id>/bodies/<int:body_id>/", pages.event.download, "event_body"),
)

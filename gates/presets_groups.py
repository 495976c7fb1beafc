"""The groups: what they were first shipped with, what came since, and how an installation gets what is new."""

from collections.abc import Mapping

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.management import create_contenttypes

from gates import assistants, presets_alerts, presets_disputes, presets_tickets
from gates.models import ShippedGroup
from gates.presets_governance import GOVERNANCE
from gates.presets_rollout import ROLLOUT

LABELS = ("ledger", "gates", "sync", "meshline")

VIEW = [
    "ledger.view_customer", "ledger.view_contract", "ledger.view_event", "ledger.view_action", "ledger.view_ledgerrow",
    "ledger.view_externalid", "ledger.view_contextrecord", "gates.view_reviewitem", "gates.view_stopswitch",
    "gates.view_automation", "gates.view_gateversion", "gates.engage_stop", "sync.view_attempt",
    "sync.view_providerstate",
]  # fmt: skip
BODIES = ["ledger.view_eventbody", "sync.view_refusal", "sync.view_jobrun", "sync.view_drainslot"]
WORK = ["gates.claim_item"]
ASK = ["gates.propose_action"]
DECIDE = ["gates.approve_item", "gates.reject_item", "gates.retry_item"]
# Installations from before shipped permissions were recorded have these. Never changed again.
FIRST: dict[str, list[str]] = {
    "Support": VIEW + WORK + ASK,
    "Billing Resolver": VIEW + WORK + ASK + DECIDE + BODIES,
    "Support Manager": VIEW + WORK + ASK + DECIDE + BODIES + ["gates.approve_above_limit", "gates.resume_stop"],
    "Automation Engineer": VIEW + WORK + BODIES + ["gates.retry_item"],
    "Revenue Ops Lead": VIEW
    + WORK
    + BODIES
    + ["gates.approve_item", "gates.approve_above_limit", "gates.resume_stop", "gates.change_automation"],
    "Product Ops": VIEW + WORK,
    "Auditor": VIEW + BODIES,
    # Came later, so that nobody had anything of them.
    "Onboarding Squad": [],
    "CSM": [],
    assistants.GROUP: [],
}

RULES = [
    "gates.view_ownershiprule", "gates.view_absence", "gates.view_businesshours", "gates.view_slapolicy",
    "gates.view_runbook", "sync.view_mappingversion", "sync.view_slackaccount", "sync.view_slackmessage",
]  # fmt: skip
CONNECT: dict[str, list[str]] = {
    "Support Manager": ["sync.check_connection", "sync.activate_mapping"],
    "Automation Engineer": ["sync.check_connection", "sync.edit_mapping"],
    "Revenue Ops Lead": ["sync.check_connection", "sync.activate_mapping"],
    "Product Ops": ["sync.check_connection"],
}
COMPARE = ["sync.view_delta", "sync.view_reconcilerun", "sync.view_contextcheck"]
MEND_DELTAS = ["sync.work_delta"]
RECONCILE: dict[str, list[str]] = {
    "Support": COMPARE,
    "Billing Resolver": COMPARE + MEND_DELTAS,
    "Support Manager": COMPARE + MEND_DELTAS + ["sync.accept_delta", "sync.run_reconcile"],
    "Automation Engineer": COMPARE + MEND_DELTAS + ["sync.run_reconcile"],
    "Revenue Ops Lead": COMPARE + MEND_DELTAS + ["sync.accept_delta", "sync.run_reconcile"],
    "Product Ops": COMPARE,
    "Auditor": COMPARE,
    "Onboarding Squad": COMPARE,
    "CSM": COMPARE,
}
SYNC_VIEW = ["sync.view_syncprofile", "sync.view_syncrun", "sync.view_syncerror"]
SYNC_RUN = ["sync.run_sync"]
SYNC: dict[str, list[str]] = {
    "Support": SYNC_VIEW,
    "Billing Resolver": SYNC_VIEW + SYNC_RUN,
    "Support Manager": SYNC_VIEW + SYNC_RUN,
    "Automation Engineer": [*SYNC_VIEW, *SYNC_RUN, "sync.edit_sync"],
    "Revenue Ops Lead": [*SYNC_VIEW, *SYNC_RUN, "sync.edit_sync"],
    "Product Ops": SYNC_VIEW,
    "Auditor": SYNC_VIEW,
    "Onboarding Squad": SYNC_VIEW,
    "CSM": SYNC_VIEW,
}
FORGET = ["sync.view_erasure"]
ERASURES: dict[str, list[str]] = {
    "Support Manager": FORGET,
    "Revenue Ops Lead": [*FORGET, "sync.erase_person"],
    "Auditor": FORGET,
}
PORTAL = ["sync.view_portallink"]
LINKS = ["sync.manage_portal_links"]
IMPORTS = ["sync.view_linkimport"]
PORTALS: dict[str, list[str]] = {
    "Support": PORTAL,
    "Billing Resolver": PORTAL + LINKS,
    "Support Manager": PORTAL + LINKS + IMPORTS,
    "Automation Engineer": [*PORTAL, *IMPORTS, "sync.import_links"],
    "Revenue Ops Lead": [*PORTAL, *LINKS, *IMPORTS, "sync.import_links"],
    "Product Ops": PORTAL,
    "Auditor": PORTAL + IMPORTS,
    "Onboarding Squad": PORTAL,
    "CSM": PORTAL,
}
BLOCKS = ["gates.view_cancellationblock"]
BLOCKS_EDIT = ["gates.edit_cancellation_block"]
CANCEL: dict[str, list[str]] = {
    "Support": BLOCKS,
    "Billing Resolver": BLOCKS,
    "Support Manager": BLOCKS + BLOCKS_EDIT,
    "Automation Engineer": BLOCKS,
    "Revenue Ops Lead": BLOCKS + BLOCKS_EDIT,
    "Product Ops": BLOCKS,
    "Auditor": BLOCKS,
    "Onboarding Squad": BLOCKS,
    "CSM": BLOCKS,
}
INCIDENT = ["gates.view_incident"]
INCIDENT_WORK = ["gates.work_incident", "gates.edit_outreach_template", "gates.edit_service_scope"]
INCIDENT_SEND = ["gates.approve_outreach"]
INCIDENTS: dict[str, list[str]] = {
    "Support": INCIDENT,
    "Billing Resolver": INCIDENT,
    "Support Manager": INCIDENT + INCIDENT_WORK + INCIDENT_SEND,
    "Automation Engineer": [*INCIDENT, "gates.edit_service_scope"],
    "Revenue Ops Lead": INCIDENT + INCIDENT_SEND,
    "Product Ops": INCIDENT + INCIDENT_WORK + INCIDENT_SEND,
    "Auditor": INCIDENT,
    "Onboarding Squad": INCIDENT,
    "CSM": INCIDENT,
}
CLAIMS = ["sync.view_claimcheck", "sync.verify_claim"]
CLAIM_CHECKS: dict[str, list[str]] = {
    **{name: CLAIMS for name in FIRST if name not in ("Auditor", assistants.GROUP)},
    "Auditor": CLAIMS[:1],
    assistants.GROUP: sorted(assistants.MAY),
}
BASELINES = {name: ["sync.take_baseline"] for name in ("Support Manager", "Revenue Ops Lead")}
FIGURES = ["meshline.view_kpiday"]
NOTES = [*FIGURES, "meshline.write_kpi_note"]
RULE_FIGURES = [*NOTES, "meshline.set_kpi_target", "meshline.view_revenue", "meshline.export_kpis"]
KEY_FIGURES: dict[str, list[str]] = {
    **{name: FIGURES for name in FIRST if name != assistants.GROUP},
    "Billing Resolver": NOTES,
    "Automation Engineer": NOTES,
    "Product Ops": NOTES,
    "Support Manager": RULE_FIGURES,
    "Revenue Ops Lead": RULE_FIGURES,
    "Auditor": [*FIGURES, "meshline.view_revenue", "meshline.export_kpis"],
}
ONBOARD = ["gates.view_checklist"]
STEPS = ["gates.work_checklist"]
TEMPLATE = ["gates.edit_checklist_template"]
MEND = ["gates.edit_action", "gates.rollback_action"]
EXPORT = ["ledger.export_ledger"]
ADDED: dict[str, list[str]] = {
    "Support": RULES + ONBOARD,
    "Billing Resolver": RULES + ONBOARD + STEPS + MEND,
    "Support Manager": RULES + ONBOARD + STEPS + TEMPLATE + MEND + EXPORT
    + ["gates.assign_item", "gates.bulk_decide", "gates.edit_routing"]
    + ["gates.share_view", "gates.edit_runbook", "gates.approve_gate"],
    "Automation Engineer": [*RULES, *ONBOARD, "gates.edit_gate"],
    "Revenue Ops Lead": [*RULES, *ONBOARD, *STEPS, *EXPORT, "gates.approve_gate", "gates.retry_item"],
    "Product Ops": [*RULES, *ONBOARD, *TEMPLATE, "gates.edit_runbook"],
    "Auditor": RULES + ONBOARD + EXPORT,
    "Onboarding Squad": VIEW + WORK + ASK + RULES + ONBOARD + STEPS + TEMPLATE,
    "CSM": VIEW + WORK + ASK + RULES + ONBOARD + STEPS,
}  # fmt: skip
GROUPS: dict[str, list[str]] = {
    name: FIRST[name]
    + ADDED.get(name, [])
    + CONNECT.get(name, [])
    + RECONCILE.get(name, [])
    + ERASURES.get(name, [])
    + PORTALS.get(name, [])
    + SYNC.get(name, [])
    + INCIDENTS.get(name, [])
    + CLAIM_CHECKS.get(name, [])
    + BASELINES.get(name, [])
    + KEY_FIGURES.get(name, [])
    + CANCEL.get(name, [])
    + GOVERNANCE.get(name, [])
    + ROLLOUT.get(name, [])
    + presets_tickets.GROUPS.get(name, [])
    + presets_disputes.GROUPS.get(name, [])
    + presets_alerts.ALERTS.get(name, [])
    for name in FIRST
}


def install_groups() -> None:
    """Make missing groups whole; give existing ones what they were never shipped. What people changed is left alone.

    Permissions that Django makes after migrate are made first.
    """
    for label in LABELS:
        config = apps.get_app_config(label)
        create_contenttypes(config, verbosity=0)
        create_permissions(config, verbosity=0)
    known = _permissions()
    shipped: dict[str, list[str]] = dict(ShippedGroup.objects.values_list("name", "permissions"))
    for name, wanted in GROUPS.items():
        group, made = Group.objects.get_or_create(name=name)
        had = [] if made else _had(group, shipped)
        new = [one for one in wanted if one not in had]
        group.permissions.add(*(known[label] for label in new))
        if new or name not in shipped:
            ShippedGroup.objects.update_or_create(name=name, defaults={"permissions": sorted({*had, *wanted})})


def _had(group: Group, shipped: Mapping[str, list[str]]) -> list[str]:
    """What this group was given before. One without a record and without permissions lost what it had."""
    if group.name in shipped:
        return shipped[group.name]
    return FIRST[group.name] if group.permissions.exists() else []


def _permissions() -> dict[str, Permission]:
    found = Permission.objects.select_related("content_type").filter(content_type__app_label__in=LABELS)
    return {f"{one.content_type.app_label}.{one.codename}": one for one in found}

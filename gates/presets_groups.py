"""The seven groups: what they were first shipped with, what came since, and how an installation gets what is new."""

from collections.abc import Mapping

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.management import create_contenttypes

from gates.models import ShippedGroup

LABELS = ("ledger", "gates", "sync")

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
}

RULES = [
    "gates.view_ownershiprule", "gates.view_absence", "gates.view_businesshours", "gates.view_slapolicy",
    "gates.view_runbook",
]  # fmt: skip
MEND = ["gates.edit_action", "gates.rollback_action"]
EXPORT = ["ledger.export_ledger"]
ADDED: dict[str, list[str]] = {
    "Support": RULES,
    "Billing Resolver": RULES + MEND,
    "Support Manager": RULES + MEND + EXPORT + ["gates.assign_item", "gates.bulk_decide", "gates.edit_routing"]
    + ["gates.share_view", "gates.edit_runbook", "gates.approve_gate"],
    "Automation Engineer": [*RULES, "gates.edit_gate"],
    "Revenue Ops Lead": [*RULES, *EXPORT, "gates.approve_gate"],
    "Product Ops": [*RULES, "gates.edit_runbook"],
    "Auditor": RULES + EXPORT,
}  # fmt: skip
GROUPS: dict[str, list[str]] = {name: FIRST[name] + ADDED[name] for name in FIRST}


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

"""What every installation starts with: seven groups, gates, automations and a stop that lets writes pass."""

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.management import create_contenttypes

from gates.models import Automation, GateVersion, ReviewItem, StopSwitch
from ledger import graphs
from ledger.states import Stateful

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
GROUPS: dict[str, list[str]] = {
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
STOPS: dict[str, type[Stateful]] = {"stop": StopSwitch, "item": ReviewItem, "rollout": Automation}

CONTRACT_ENDS = ["contract.suspend", "contract.downgrade"]
GATES = [
    {
        "name": "open-dispute", "title": "Open dispute", "applies_to": CONTRACT_ENDS, "result": "block",
        "rows": [{"field": "open_disputes", "op": "over", "value": 0}],
        "message": "the customer disputes a payment; a specialist decides",
    },
    {
        "name": "fraud-flag", "title": "Fraud warning", "applies_to": CONTRACT_ENDS, "result": "block",
        "rows": [{"field": "fraud_flag", "op": "is", "value": True}],
        "message": "there is a fraud warning on this customer; a specialist decides",
    },
    {
        "name": "restore-asks", "title": "Restoring asks a person", "applies_to": ["contract.restore"],
        "result": "review", "rows": [{"field": "reverses", "op": "is", "value": True}],
        "message": "the contract was changed although the payment came; a person gives it back",
    },
    {
        "name": "owner-missing", "title": "Automation without owner", "applies_to": [], "result": "review",
        "rows": [{"field": "has_owner", "op": "is", "value": False}],
        "message": "the automation has no owner or no fallback",
    },
]  # fmt: skip
AUTOMATIONS = [
    {
        "name": "dunning", "title": "Failed payments", "owner_group": "Billing Resolver",
        "fallback_group": "Support Manager", "source": "billing", "destination": "ERP contract status, support ticket",
    },
]  # fmt: skip


def install() -> None:
    """Make what is missing; what people changed since is left alone. Called as owner after each migrate."""
    for subject, model in STOPS.items():
        graphs.publish(subject, model)
    install_groups()
    for gate in GATES:
        GateVersion.objects.get_or_create(name=gate["name"], version=1, defaults=gate)
    for automation in AUTOMATIONS:
        Automation.objects.get_or_create(name=automation["name"], defaults=automation)
    StopSwitch.objects.get_or_create(scope="all")


def install_groups() -> None:
    """The seven groups with their permissions; permissions that Django makes after migrate are made first."""
    for label in ("ledger", "gates", "sync"):
        config = apps.get_app_config(label)
        create_contenttypes(config, verbosity=0)
        create_permissions(config, verbosity=0)
    known = {f"{one.content_type.app_label}.{one.codename}": one for one in _permissions()}
    for name, wanted in GROUPS.items():
        group, made = Group.objects.get_or_create(name=name)
        if made or not group.permissions.exists():
            group.permissions.set([known[label] for label in wanted])


def _permissions() -> list[Permission]:
    return list(
        Permission.objects.select_related("content_type").filter(
            content_type__app_label__in=("ledger", "gates", "sync")
        )
    )

"""What every installation starts with: seven groups, gates, automations and a stop that lets writes pass."""

from typing import Any

from gates import (
    presets_cancel,
    presets_checklists,
    presets_disputes,
    presets_governance,
    presets_incidents,
    presets_routing,
    presets_tickets,
)
from gates.incidents import rows as incident_rows
from gates.models import (
    Automation,
    Checklist,
    ChecklistStep,
    GateVersion,
    ReviewItem,
    Segment,
    StopSwitch,
)
from gates.presets_groups import GROUPS, install_groups
from ledger import graphs
from ledger.states import Stateful

__all__ = ["AUTOMATIONS", "GATES", "GROUPS", "STOPS", "install", "install_groups"]

STOPS: dict[str, type[Stateful]] = {
    "stop": StopSwitch, "item": ReviewItem, "rollout": Automation, "segment": Segment, "gate": GateVersion,
    "checklist": Checklist, "checklist_step": ChecklistStep, **incident_rows.SUBJECTS, **presets_tickets.SUBJECTS,
    **presets_governance.SUBJECTS,
}  # fmt: skip

CONTRACT_ENDS = ["contract.suspend", "contract.downgrade"]
REFUND = "payment.refund"
# What one person may give a customer in 30 days, in minor units; in any other currency it always takes two.
REFUND_LIMITS = {"usd": 50_000, "eur": 50_000, "gbp": 50_000, "jpy": 7_500_000}
# What an earlier release applied a gate to: where nobody changed it since, the gate below takes its place.
APPLIED_BEFORE = {"open-dispute": CONTRACT_ENDS, "fraud-flag": CONTRACT_ENDS, "refund-limit": [REFUND]}
GATES: list[dict[str, Any]] = [
    {
        "name": "open-dispute", "title": "Open dispute", "applies_to": [*CONTRACT_ENDS, REFUND], "result": "block",
        "rows": [{"field": "open_disputes", "op": "over", "value": 0}],
        "message": "the customer disputes a payment; a specialist decides",
    },
    {
        "name": "fraud-flag", "title": "Fraud warning", "applies_to": [*CONTRACT_ENDS, REFUND], "result": "block",
        "rows": [{"field": "fraud_flag", "op": "is", "value": True}],
        "message": "there is a fraud warning on this customer; a specialist decides",
    },
    {
        "name": "refund-limit", "title": "Refunds above the limit",
        "applies_to": [REFUND, *presets_disputes.REFUND], "result": "review_two",
        "rows": [{"field": "amount_30d", "op": "over", "value": REFUND_LIMITS}],
        "message": "refunds of this customer in 30 days come to more than one person may give",
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
    *presets_disputes.GATES,
    {
        "name": "low-confidence", "title": "Not sure enough", "applies_to": [], "result": "review",
        "rows": [
            {"field": "says_confidence", "op": "is", "value": True}, {"field": "confidence", "op": "under", "value": 80}
        ],
        "message": "whoever suggests this is less than 80 % sure; a person decides",
    },
    *presets_cancel.GATES,
]  # fmt: skip
# What every automation is shipped with; the person who owns it is named by whoever installs it.
REGISTERED = {
    "exception_route": "Review queue of the owner group, then of the fallback group",
    "quality_checkpoint": "Previews reviewed one by one; corrections counted in every sweep",
    "reporting_field": "Corrections in per cent of its decisions",
}
AUTOMATIONS = [
    {
        "name": "dunning", "title": "Failed payments", "owner_group": "Billing Resolver",
        "fallback_group": "Support Manager", "source": "billing", "destination": "ERP contract status, support ticket",
    },
    {
        "name": "onboarding", "title": "Signed deals", "owner_group": "Revenue Ops Lead",
        "fallback_group": "Support Manager", "source": "CRM", "destination": "ERP customer and first invoice, CRM deal",
    },
    {
        "name": "customer_sync", "title": "Customers to billing", "owner_group": "Billing Resolver",
        "fallback_group": "Revenue Ops Lead", "source": "ERP", "destination": "billing customer, its id in the ERP",
    },
    {
        "name": "refunds", "title": "Refunds asked for by ticket", "owner_group": "Billing Resolver",
        "fallback_group": "Support Manager", "source": "support desk",
        "destination": "refund, ERP credit memo, note on the ticket",
    },
    {
        "name": "accounting", "title": "Billing in the books", "owner_group": "Billing Resolver",
        "fallback_group": "Revenue Ops Lead", "source": "billing",
        "destination": "ERP payments, customer refunds and journal entries",
    },
    *presets_disputes.AUTOMATIONS,
    *presets_tickets.AUTOMATIONS,
    *presets_cancel.AUTOMATIONS,
]  # fmt: skip


def install() -> None:
    """Make what is missing; what people changed since is left alone. Called as owner after each migrate."""
    for subject, model in STOPS.items():
        graphs.publish(subject, model)
    install_groups()
    for gate in GATES:
        _install_gate(gate)
    for automation in AUTOMATIONS:
        Automation.objects.get_or_create(name=automation["name"], defaults={**REGISTERED, **automation})
    for field, words in REGISTERED.items():
        Automation.objects.filter(version=1, **{field: ""}).update(**{field: words})
    StopSwitch.objects.get_or_create(scope="all")
    presets_routing.install()
    presets_checklists.install()
    presets_incidents.install()
    presets_tickets.install()
    presets_disputes.install()
    presets_cancel.install()


def _install_gate(gate: dict[str, Any]) -> None:
    """A gate that is missing; or its newer content, where the newest version is still what was shipped before."""
    newest = GateVersion.objects.filter(name=gate["name"]).order_by("-version").first()
    if newest is None:
        GateVersion.objects.create(version=1, **gate)
    elif newest.written_by_id is None and newest.applies_to == APPLIED_BEFORE.get(gate["name"]):
        newer = GateVersion.objects.create(version=newest.version + 1, **gate)
        newest.retired_at = newer.valid_from
        newest.save(update_fields=["retired_at"])

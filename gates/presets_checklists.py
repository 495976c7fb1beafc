"""What every installation starts with for onboarding: the first version of the checklist."""

from typing import Any

from gates.checklists import CSM, SQUAD, templates
from gates.models import ChecklistTemplate

REVENUE, BILLING = "Revenue Ops Lead", "Billing Resolver"


def _step(key: str, title: str, group: str, hours: int, escalate: int, **more: Any) -> dict[str, Any]:
    plain = {"business": True, "evidence": "", "blocking": False, "value": False}
    made = {"key": key, "title": title, "group": group, "hours": hours, "escalate_hours": escalate, **plain, **more}
    return {**made, "ticked_by": "system" if made["evidence"] else "person"}


STEPS: tuple[dict[str, Any], ...] = (
    _step("fields_valid", "Deal fields valid", REVENUE, 2, 4, evidence="fields.valid", blocking=True),
    _step("erp_customer", "Customer in the ERP", REVENUE, 4, 4, evidence="customer.applied", blocking=True),
    _step("first_invoice", "First invoice planned", BILLING, 8, 8, evidence="invoice.applied", blocking=True),
    _step("welcome_call", "Welcome call held", CSM, 16, 8),
    _step("access", "Access set up and first sign-in seen", SQUAD, 24, 8, blocking=True),
    _step("training", "Training held", CSM, 80, 16),
    _step("first_value", "First value confirmed with the customer", CSM, 160, 16, value=True),
)


def install() -> None:
    """Make it where there is no version; what people wrote since is left alone."""
    if not ChecklistTemplate.objects.filter(name=templates.NAME).exists():
        ChecklistTemplate.objects.create(
            name=templates.NAME, version=1, title="Signed deal to first value", steps=list(STEPS)
        )

"""What every installation starts with for disputes: gates with their limits, the automation, and how long an item may
wait."""

from typing import Any

from gates.models import SlaPolicy
from gates.playbooks import disputes

# Up to here one small refund may end an inquiry by itself; in any other currency a person looks.
LOW_RISK = {"usd": 10_000, "eur": 10_000, "gbp": 10_000, "jpy": 1_500_000}
# What no automation does, in whatever stage: it goes to a specialist.
HARD_FAILS = ["contract.cancel", "payment_method.remove", "subscription.cancel"]
REFUND = [disputes.REFUND]
GATES: list[dict[str, Any]] = [
    {
        "name": "dispute-amount", "title": "Dispute refunds that a person sees", "applies_to": REFUND,
        "result": "review", "rows": [{"field": "amount", "op": "over", "value": LOW_RISK}],
        "message": "more than an automation may give back for a dispute",
    },
    {
        "name": "dispute-history", "title": "Earlier disputes", "applies_to": REFUND, "result": "review",
        "rows": [{"field": "prior_disputes", "op": "over", "value": 0}],
        "message": "the customer disputed a payment before",
    },
    {
        "name": "hard-fail", "title": "Never by itself", "applies_to": [], "result": "block",
        "rows": [
            {"field": "kind", "op": "one_of", "value": HARD_FAILS}, {"field": "agreed", "op": "is", "value": False},
        ],
        "message": "no automation does this; a specialist decides",
    },
]  # fmt: skip
AUTOMATIONS = [
    {
        "name": disputes.AUTOMATION, "title": "Disputes", "owner_group": "Billing Resolver",
        "fallback_group": "Support Manager", "source": "billing", "destination": "billing refund, support ticket",
    },
]  # fmt: skip
SEE = ["sync.view_dispute"]
GROUPS = dict.fromkeys(
    ("Support", "Billing Resolver", "Support Manager", "Automation Engineer", "Revenue Ops Lead", "Product Ops",
     "Auditor", "Onboarding Squad", "CSM"), SEE,
)  # fmt: skip
STEPS = [{"at_percent": 50, "group": ""}, {"at_percent": 100, "group": "Support Manager"}]
POLICIES: tuple[dict[str, Any], ...] = (
    {"kind": disputes.REFUND, "tier": "", "touch_minutes": 120, "decide_minutes": 1440, "steps": STEPS},
    {"kind": disputes.RESPOND, "tier": "", "touch_minutes": 240, "decide_minutes": 2880, "steps": STEPS},
)


def install() -> None:
    """The policies where nobody ever had one for the kind; what people changed or removed since is left alone."""
    history: Any = SlaPolicy.history
    known = set(history.values_list("kind", flat=True))
    for one in POLICIES:
        if one["kind"] not in known:
            SlaPolicy.objects.create(**one)

"""The block of a review item that is about a step of a checklist."""

from django.db.models import Q

from gates.checklists import ITEM_KIND
from gates.models import ChecklistStep, ReviewItem
from ledger import cells
from meshline.console import onboarding_pages
from meshline.console.page import Block


def block(item: ReviewItem) -> Block | None:
    """Which step is meant and where it is ticked; None for other items."""
    if item.kind != ITEM_KIND:
        return None
    about = ChecklistStep.objects.select_related("checklist", "owner")
    step = about.filter(Q(nudge_item=item.pk) | Q(escalation_item=item.pk)).first()
    if step is None:
        return Block(
            "Step of an onboarding", empty="Its owner was told anew since; this item is about nothing any more."
        )
    address = f"{onboarding_pages.address(step.checklist)}?step={step.key}#form"
    return Block(
        "Step of an onboarding",
        pairs=[
            ("Step", step.title), ("Checklist", cells.link(address, str(step.checklist))),
            ("Owner", onboarding_pages.owner(step)), ("Due", cells.due(step.due_at, over=step.state != "waiting")),
        ],
        note="this item settles itself once the step is done, skipped or due later", wide=True,
    )  # fmt: skip

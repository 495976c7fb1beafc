"""The block of a review item that is about a dispute: how the suggested amount comes about, or what to answer."""

from gates.models import ReviewItem
from gates.playbooks.disputes import REFUND, RESPOND
from meshline.console import dispute_pages
from meshline.console.page import Block
from sync.disputes.models import Dispute


def block(item: ReviewItem) -> Block | None:
    """The calculation with a link to the dispute; None for other items."""
    if item.kind not in (REFUND, RESPOND):
        return None
    if item.action is not None:
        about = Dispute.objects.filter(external_id=str(item.action.params.get("dispute", "")))
    elif item.correlation_id is not None:
        about = Dispute.objects.filter(correlation_id=item.correlation_id)
    else:
        return None
    one = about.first()
    if one is None:
        return None
    shown = dispute_pages.sum_block(one, item.action.amount_minor if item.action else None)
    shown.more = (f"Open {one}: evidence due, what happened", dispute_pages.address(one))
    if shown.is_empty:
        shown.title, shown.empty = "Dispute", ""
        shown.pairs = [("Evidence due", dispute_pages.due(one)), ("State", dispute_pages.state_tag(one))]
    return shown

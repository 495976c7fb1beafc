"""The block of a review item that is about an incident."""

from gates.incidents import ITEM_KIND
from gates.models import Incident, ReviewItem
from ledger import cells
from meshline.console import incident_pages
from meshline.console.page import Block


def block(item: ReviewItem) -> Block | None:
    """Which incident is meant and what is to be done; None for other items."""
    if item.kind != ITEM_KIND or item.correlation_id is None:
        return None
    one = Incident.objects.filter(correlation_id=item.correlation_id).first()
    if one is None:
        return None
    address = incident_pages.address(one)
    todo = f"{address}?form=rescope#form" if one.state != Incident.State.CLOSED else address
    return Block(
        "Incident",
        pairs=[
            ("Incident", cells.link(address, str(one))), ("What", cells.theirs(one.title, 200)),
            ("State", incident_pages.state_tag(one)), ("To do", cells.link(todo, "Say whom it touches")),
        ],
        note="nobody is written to before an update is approved", wide=True,
    )  # fmt: skip

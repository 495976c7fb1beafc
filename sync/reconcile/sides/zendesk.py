"""The support desk's side: the tickets that we know of, asked for by number; strangers' are nobody's business."""

from sync import providers
from sync.contracts import members
from sync.providers import zendesk_lists
from sync.providers.zendesk import Zendesk
from sync.reconcile.pairing import Rows, Window
from sync.reconcile.sides import own
from sync.reconcile.sides.stripe import of_mark
from sync.reconcile.staging import Row, values
from sync.wiretypes import Exchange


def desk() -> Zendesk:
    """The adapter, narrowed."""
    adapter = providers.get("zendesk")
    assert isinstance(adapter, Zendesk)
    return adapter


def tickets(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Those of ours that are not over, as the desk shows them now. Raises ProviderError."""
    numbers, following = own.live_tickets(cursor, zendesk_lists.MOST)
    found: Rows = []
    for row in zendesk_lists.show_many(desk(), numbers, exchanges):
        number, changed = members.identifier(row, "id"), members.iso_time(row, "updated_at")
        at = changed.isoformat() if changed else ""
        found.append(("desk", Row(number, number, values(members.text(row, "status").lower()), "", at)))
    return found, following


def opened(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Tickets that actions of ours opened, for actions: their numbers come from the confirmations."""
    numbers, following = own.opened_tickets(cursor, zendesk_lists.MOST)
    found: Rows = []
    for row in zendesk_lists.show_many(desk(), numbers, exchanges):
        mark = members.text_or_blank(row, "external_id").removeprefix("meshline:")
        found += of_mark("zendesk", "ticket", members.identifier(row, "id"), mark if len(mark) == 36 else "")
    return found, following

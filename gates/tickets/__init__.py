"""Tickets of the support desk: their state as its stamps tell it, the kinds they are told apart by, and the figures.

`states` steps a ticket and writes its row, `kinds` holds what people wrote about kinds and their replies, `figures`
counts what came of them. Nothing here speaks to the desk; `sync.tickets` does.
"""

VIEW, EDIT = "gates.view_ticketkind", "gates.edit_ticketkind"
ITEM_KIND = "ticket"
PREFIX = "ticket:"  # how the business keys of what is about one ticket begin
FLIPS, REOPENED, OF_KIND, IMPOSSIBLE = "ticket_flips", "ticket_reopened", "ticket_kind", "ticket_impossible"
GONE = "ticket_gone"
OWNER = "Support"
REPLY, HANDOFF = "ticket.reply", "ticket.handoff"
KINDS = ("ticket.note", "ticket.tag", REPLY, HANDOFF)


def number_in(business_key: str) -> str:
    """The ticket that a business key is about; "" where it is about none."""
    found = business_key.removeprefix(PREFIX).partition(":")[0] if business_key.startswith(PREFIX) else ""
    return found if found.isascii() and found.isdigit() else ""

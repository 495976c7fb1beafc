"""Our own writes coming back: recognised by who made them, else by marker and content; recorded, and that is all."""

import json
from typing import Any

from gates.models import Ticket
from gates.tickets import own
from ledger import sets
from sync.contracts.zendesk import TicketSeen, fingerprint
from sync.understand import Heard

ACTOR = "system:echo"
# Written a moment ago, and not booked as confirmed yet: the desk is often faster than its own answer.
IN_THE_AIR = """
select id::text, request ->> 'body' from ledger_action
 where provider = 'zendesk' and state in ('sending', 'unknown', 'applied') and request is not null
   and (id::text = %(marker)b or business_key like %(key)b) order by id desc limit 10"""


def recognised(one: Heard, ticket: Ticket, seen: TicketSeen) -> bool:
    """Whether the change is one that we wrote. A quoted marker is not enough: the whole text has to be ours."""
    print_ = _print_of(seen)
    if not print_:
        return False
    if own.action_behind(ticket, print_):
        own.forget(ticket, print_)
        Ticket.objects.filter(pk=ticket.pk).update(own=ticket.own)
        return True
    if not (seen.changed.marker or seen.changed.comment or print_.startswith("status:")):
        return False
    asked = {"marker": seen.changed.marker, "key": f"ticket:{seen.id}:%"}
    return any(print_ in _prints(body) for _, body in sets.run(IN_THE_AIR, asked)) and _is_young(one, ticket, print_)


def _print_of(seen: TicketSeen) -> str:
    """What one event shows, as our own writes are remembered; "" where it shows nothing that we ever write."""
    changed = seen.changed
    if changed.comment:
        return changed.comment
    if seen.happened == "status_changed" and changed.after:
        return f"status:{changed.after}"
    return f"tag:{changed.added[0]}" if len(changed.added) == 1 and not changed.removed else ""


def _prints(body: str | None) -> set[str]:
    document: Any = json.loads(body) if body else {}
    written = document.get("ticket", {}) if isinstance(document, dict) else {}
    found = {fingerprint(written["comment"]["body"])} if written.get("comment") else set()
    return found | ({f"status:{written['status']}"} if written.get("status") else set())


def _is_young(one: Heard, ticket: Ticket, print_: str) -> bool:
    """A status of ours is recognised by its text only while no confirmation was booked; a comment always is."""
    return not print_.startswith("status:") or ticket.resolved_at is None

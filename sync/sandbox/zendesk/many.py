"""Several tickets in one call: those that are there, in the order of their numbers."""

from typing import TYPE_CHECKING

from sync.sandbox.wire import Reply, Request, json_reply
from sync.sandbox.zendesk.tickets import Refused

if TYPE_CHECKING:
    from sync.sandbox.zendesk.simulator import Zendesk

MOST = 100


def show(zendesk: "Zendesk", request: Request) -> Reply:
    """`GET /tickets/show_many?ids=1,2`: a hundred at most; deleted ones are left out without a word."""
    wanted = [one for one in request.query_map().get("ids", "").split(",") if one]
    if not wanted or len(wanted) > MOST or not all(one.isdigit() for one in wanted):
        raise Refused(400, "InvalidValue", f"ids: 1 to {MOST} ticket numbers")
    found = [zendesk.desk.tickets[int(one)] for one in wanted if int(one) in zendesk.desk.tickets]
    return json_reply(200, {"tickets": found, "next_page": None, "previous_page": None, "count": len(found)})

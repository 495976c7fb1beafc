"""Where refunds meet the pipeline of events: what has to be read for an event, and whose payment it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

from sync import correlate
from sync.correlate import Found, Link
from sync.refunds import asking, following
from sync.understand import Heard


def reads(heard: Sequence[Heard], links: Mapping[Link, Found]) -> dict[int, tuple[str, Any]]:
    """Event id -> provider and what it is asked, for events of refunds and tickets that say too little."""
    asked: dict[int, tuple[str, Any]] = {
        one: ("stripe", charge) for one, charge in following.wanted(heard, links).items()
    }
    return asked | {one: ("zendesk", ticket) for one, ticket in asking.wanted(heard, links).items()}


def payers(heard: Sequence[Heard], found: dict[int, Found]) -> list[Found]:
    """Who paid what these events are about. An event that named nobody is theirs from now on: `found` learns it."""
    of_refunds = following.places(heard)
    of_tickets = asking.places(heard)
    known = correlate.look_up([*of_refunds.values(), *of_tickets.values()])
    for event, link in of_refunds.items():
        if link in known:
            found.setdefault(event, known[link])
    return [known[link] for link in of_tickets.values() if link in known]

"""Reading a ticket again when an event says too little of it, and finding out whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gates.tickets import kinds
from ledger import sets
from sync import providers
from sync.actions.ticket import desk
from sync.contracts.zendesk import TRIGGER, TicketSeen
from sync.correlate import Found, Link
from sync.understand import Heard
from sync.wiretypes import Exchange, TicketFacts

# Only these say for the first time that a ticket is of a kind; whatever comes later finds the ticket known.
TELLING = ("created", "tags_changed", "form_changed", "custom_field_changed", "undeleted")
WHOSE = """
select c.id, 0 as place from ledger_customer c where c.external_id = any(%(keys)b::text[])
union all
select c.id, 1 from ledger_customer c where %(email)b <> '' and lower(c.email) = lower(%(email)b)
   and c.state <> 'archived' order by 2, 1 limit 3"""


@dataclass(frozen=True, slots=True)
class TicketRead:
    """A ticket as it is now; `ticket` is None where it was deleted or merged away.

    `keys` are our numbers of customers that the desk has of who wrote, `email` an address of theirs: it is compared
    and stored nowhere.
    """

    ticket: TicketFacts | None
    keys: tuple[str, ...] = ()
    email: str = ""


def wants_reading(one: Heard, known: Mapping[Link, Found]) -> bool:
    """Whether an event says too little: a trigger's words are not believed, a stranger's ticket may be of a kind."""
    seen = one.seen
    if not isinstance(seen, TicketSeen) or is_ours(seen):
        return False
    if one.type == TRIGGER:
        return True
    is_stranger = not any(link in known for link in (*one.contract_links, *one.customer_links))
    return (is_stranger or seen.happened in TELLING) and is_wanted(seen.tags, seen.form_id)


def is_ours(seen: TicketSeen) -> bool:
    """Whether our own account made the change."""
    agent = str(providers.get("zendesk").config.get("agent_id", ""))
    return bool(agent) and seen.actor_id == agent


def is_wanted(tags: tuple[str, ...], form: str) -> bool:
    """Whether a kind in force has one of these signs."""
    signs = {sign for one in kinds.in_force() for sign in (*one.tags, *one.forms)}
    return bool(signs & {*tags, form} - {""})


def about(number: str, exchanges: list[Exchange]) -> TicketRead:
    """The ticket now, with what the desk knows of who wrote it. Raises ProviderError. Runs in threads."""
    ticket, people = desk().ticket_with_people(number, exchanges)
    return TicketRead(ticket, people.keys, people.email)


def customer_of(read: Any) -> Found | None:
    """The customer that wrote, where the desk's own key or an address names exactly one."""
    if not isinstance(read, TicketRead) or not (read.keys or read.email):
        return None
    rows = sets.run(WHOSE, {"keys": list(read.keys), "email": read.email})
    best = {customer for customer, place in rows if place == rows[0][1]}
    return Found(best.pop(), None) if len(best) == 1 else None

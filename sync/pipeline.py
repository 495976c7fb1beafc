"""From claimed events to booked decisions: whom is it about, what does it mean, what follows; all in sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from gates import automations, items, policy
from gates.playbooks import PLAYBOOKS, dunning
from ledger import claim, clock, sets
from sync import correlate, happenings, planned, understand
from sync.accounting import hearing as accounting
from sync.booking import Booking
from sync.contracts.pipedrive import DealSeen
from sync.contracts.zendesk import TicketSeen
from sync.correlate import Found
from sync.disputes import reading as disputes
from sync.erasure import sweep
from sync.facts import Known
from sync.onboarding import deals, waiting
from sync.providers import stripe_accounts
from sync.refunds import asking as refund_wishes
from sync.refunds import places as refund_places
from sync.tickets import reading as tickets
from sync.understand import Heard

# Kinds that say nothing without the contract they are about.
ABOUT_CONTRACTS = (
    "payment.failed",
    "payment.succeeded",
    "invoice.closed",
    "subscription.changed",
    "subscription.ended",
)

ERASED = "ignored: this customer was erased"
BY_PEOPLE = ("slack.click", "slack.submitted")


# provider, and the id it is asked about, the deals that wait, or the dispute
Read = tuple[str, Any]


@dataclass(slots=True)
class Batch:
    """Claimed events, read; `reads` says of those that need a provider which one is asked about which id."""

    heard: list[Heard]
    reads: dict[int, Read] = field(default_factory=dict)


def read_batch(rows: Sequence[Sequence[Any]]) -> Batch:
    """Read the events of a claim and say which of them name a contract nobody here has met."""
    bodies = claim.bodies([(row[0], row[10]) for row in rows])
    batch = Batch([understand.hear(row, bodies.get(row[0])) for row in rows])
    links = correlate.look_up(link for one in batch.heard for link in (*one.contract_links, *one.customer_links))
    again, asked = waiting.find(batch.heard, links), refund_places.reads(batch.heard, links)
    for one in batch.heard:
        known = any(link in links and links[link].contract_id for link in one.contract_links)
        if one.id in asked:
            batch.reads[one.id] = asked[one.id]
        elif one.kind in ABOUT_CONTRACTS and one.seen is not None and one.contract_links and not known:
            batch.reads[one.id] = ("netsuite", one.contract_links[0][2])
        elif one.id in again:
            batch.reads[one.id] = ("pipedrive", again[one.id])
        elif tickets.wants_reading(one, links):
            batch.reads[one.id] = ("zendesk", one.seen.id)
        elif deals.wants_reading(one, is_known=known, is_moved=known and _is_moved(one, links)):
            batch.reads[one.id] = ("pipedrive", one.seen.id)
        elif (dispute := disputes.asked_of(one)) is not None:
            batch.reads[one.id] = ("stripe", dispute)
    return batch


def _is_moved(one: Heard, links: Mapping[correlate.Link, Found]) -> bool:
    """Whether a known deal names an organization that is not its customer's."""
    own = next(links[link].customer_id for link in one.contract_links if link in links)
    return any(link not in links or links[link].customer_id != own for link in one.customer_links)


def book(heard: Sequence[Heard], token: int, records: Mapping[int, Any]) -> set[int]:
    """Judge these events and commit everything they mean in one transaction; returns the ids that were settled.

    `records` are what providers said when they were asked for an event: a contract's record, a deal's block, None.

    Events whose lease was lost are left out: their effects are not written. Raises what the database raises, and
    StaleState when a person moved one of the records meanwhile; then nothing is written.
    """
    with transaction.atomic():
        mine = _still_ours([one.id for one in heard], token)
        todo = sorted((one for one in heard if one.id in mine), key=lambda one: one.id)
        for one in todo:
            one.read = records.get(one.id)
            refund_wishes.unwrap(one)
            disputes.name_payer(one)
        found = _correlate(todo, records)
        payers = refund_places.payers(todo, found)
        gone = correlate.lock_customers(one.customer_id for one in (*found.values(), *payers))
        known = correlate.load(one.contract_id for one in found.values() if one.contract_id)
        booking = Booking(policy.current(), clock.now())
        planned_before = planned.planned_actions(_subjects_of(todo, found))
        chosen = dunning.Settings(settings.MESHLINE_DUNNING_EFFECT, settings.MESHLINE_DOWNGRADE_PLAN)
        for one in todo:
            place = found.get(one.id)
            if place and place.customer_id in gone:
                one.park, one.verdict = "", ERASED
            contract = known.get(place.contract_id) if place and place.contract_id else None
            _happen(one, place, contract, planned_before, chosen, booking)
        booking.write()
        accounting.note(todo, found)
        _distrust(todo)
        if gone:
            sweep.forget_bodies([one.id for one in todo if one.verdict == ERASED])
        return claim.finish_events(booking.endings, token)


def groups(heard: Sequence[Heard]) -> list[list[Heard]]:
    """What is booked together: all at once, but a person's decision by itself, as it locks rows of its own."""
    people = [one for one in heard if one.kind in BY_PEOPLE and one.seen is not None]
    rest = [one for one in heard if one not in people]
    return [*([rest] if rest else []), *([one] for one in people)]


def _distrust(todo: Sequence[Heard]) -> None:
    """A member that an automation reads was renamed or retyped: it asks a person until somebody has looked.

    Only the automation whose kind of event drifted; all others, and all other events, go on.
    """
    for one in todo:
        playbook = PLAYBOOKS.get(one.kind)
        if one.drifted and playbook is not None:
            automations.fall_back(playbook.AUTOMATION, f"{one.source} {one.type}: {one.park}")


def _still_ours(ids: list[int], token: int) -> set[int]:
    rows = sets.run(
        """select id from ledger_event where id = any(%(ids)b::bigint[]) and state = 'processing'
             and lease_token = %(token)b order by id for update""",
        {"ids": ids, "token": token},
    )
    return {row[0] for row in rows}


def _correlate(todo: Sequence[Heard], records: Mapping[int, Any]) -> dict[int, Found]:
    """Event id -> whom it is about; contracts met for the first time are adopted on the way."""
    links = correlate.look_up(link for one in todo for link in (*one.contract_links, *one.customer_links))
    found: dict[int, Found] = {}
    for one in todo:
        place = next((links[link] for link in one.contract_links if link in links), None)
        new = happenings.adoption(one, records.get(one.id)) if _wants_adoption(one, place) else None
        if new is not None:
            place = correlate.adopt(new)
            if place is None:
                raise RacedAdoption("the same ids were adopted at this moment by another worker")
            links |= correlate.look_up([*one.contract_links, *one.customer_links])
        elif place is not None and place.contract_id and not isinstance(one.seen, DealSeen | TicketSeen):
            links |= _payer(one, place, links)
        found_place = place or next((links[link] for link in one.customer_links if link in links), None)
        found_place = found_place or tickets.customer_of(one.read)
        if found_place:
            found[one.id] = found_place
    found |= _met_meanwhile([one for one in todo if one.id not in found])
    correlate.note_accounts(_of_further_accounts(todo, found))
    return found


def _met_meanwhile(rest: Sequence[Heard]) -> dict[int, Found]:
    """Whom events are about that came before the one, in this very batch, by which their customer was met."""
    links = correlate.look_up(link for one in rest for link in (*one.contract_links, *one.customer_links))
    places = {one.id: [links[link] for link in (*one.contract_links, *one.customer_links) if link in links]
              for one in rest}  # fmt: skip
    return {event: found[0] for event, found in places.items() if found}


def _of_further_accounts(todo: Sequence[Heard], found: Mapping[int, Found]) -> list[tuple[int, str, str]]:
    """Whose billing customer is in another account than the first: what is asked about them is asked there."""
    return [
        (found[one.id].customer_id, one.account, value)
        for one in todo if one.account in stripe_accounts.further() and one.id in found
        for system, kind, value in one.customer_links if (system, kind) == ("stripe", "customer")
    ]  # fmt: skip


def _payer(one: Heard, place: Found, links: Mapping[correlate.Link, Found]) -> dict[correlate.Link, Found]:
    """The ERP may know a contract before it knows who pays for it: the first event that names the payer links it."""
    missing = [link for link in one.customer_links if link not in links]
    if missing:
        correlate.remember([(place.customer_id, link, None) for link in missing], "system:correlate")
    return {link: Found(place.customer_id, None) for link in missing}


class RacedAdoption(Exception):
    """Two drains met the same contract for the first time at once; the loser tries again and finds it."""


def _wants_adoption(one: Heard, place: Found | None) -> bool:
    if one.seen is None or (place is not None and place.contract_id):
        return False
    return one.kind in (*ABOUT_CONTRACTS, "contract.changed", "deal.changed") and bool(one.contract_links)


def _subjects_of(todo: Sequence[Heard], found: Mapping[int, Found]) -> dict[int, set[str]]:
    wanted: dict[int, set[str]] = {}
    for one in todo:
        place, paid = found.get(one.id), understand.payment(one)
        if place and place.contract_id and paid:
            wanted.setdefault(place.contract_id, set()).add(paid.invoice_id)
        elif place and place.contract_id and isinstance(one.seen, DealSeen):
            wanted.setdefault(place.contract_id, set()).add(one.seen.id)
    return wanted


def _happen(
    one: Heard,
    place: Found | None,
    contract: Known | None,
    before: planned.Planned,
    chosen: dunning.Settings,
    booking: Booking,
) -> None:
    """Let one event happen and note how it ended."""
    state, verdict = "processed", one.verdict
    if one.park:
        state, verdict = "parked", one.park
        booking.items.append(
            items.for_event(
                one.id, "event", f"A {one.source} event ({one.type}) cannot be read by its contract.", "schema_drift",
                reason=one.park, correlation_id=one.correlation_id, customer_id=place.customer_id if place else None,
            )
        )  # fmt: skip
    elif one.verdict:
        state = "ignored"
    elif one.origin_key.startswith("meshline-"):
        state, verdict = "ignored", "ignored: our own write coming back"
    else:
        verdict = happenings.handle(one, place, contract, before, chosen, booking)
        state = "ignored" if verdict.startswith(("ignored", "superseded")) else "processed"
        state = "received" if verdict.startswith(refund_wishes.AGAIN) else state
    booking.endings.append(
        {
            "id": one.id, "state": state, "verdict": verdict[:300],
            "customer_id": place.customer_id if place else None, "late": one.late,
        }
    )  # fmt: skip


def behind(heard: Sequence[Heard], first: Mapping[str, int]) -> list[Heard]:
    """The events that come after one that is still being read, in the same lane; `first` is that one's id by lane."""
    return [one for one in heard if one.lane in first and one.id > first[one.lane]]

"""Billing that waits for a correction: after a change in the CRM the deal is read again; the item says what lacks now.

It never goes on by itself: a person was asked, so a person marks it reviewed, and then everything is read once more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gates import decide, review
from gates.rules.onboarding import BILLING_KINDS, READY
from gates.types import Decision, Proposal
from ledger import sets
from sync import actions, booking, correlate, planned
from sync.booking import Booking, Cause
from sync.contracts.pipedrive import DealSeen, OrganizationSeen, PersonSeen
from sync.correlate import Found, Link
from sync.facts import Known, deal_of
from sync.onboarding.reading import Again, Reread
from sync.planned import Row
from sync.understand import Heard

COMPLETE = "nothing is missing any more; mark it reviewed, and it is read once more and goes on"
WAITING = """
select distinct a.contract_id, a.customer_id from ledger_action a
 where a.state = 'in_review' and a.kind = any(%(kinds)b::text[])
   and (a.contract_id = any(%(contracts)b::bigint[]) or a.customer_id = any(%(customers)b::bigint[]))
 order by a.contract_id"""


def find(heard: Sequence[Heard], links: Mapping[Link, Found]) -> dict[int, Again]:
    """Of these events those that may have corrected what billing waits for: event id -> what is to be read again."""
    places = {one.id: place for one in heard if _may_correct(one) and (place := _place(one, links)) is not None}
    if not places:
        return {}
    asked = {
        "kinds": list(BILLING_KINDS), "contracts": [one.contract_id for one in places.values() if one.contract_id],
        "customers": [one.customer_id for one in places.values() if one.contract_id is None],
    }  # fmt: skip
    rows = sets.run(WAITING, asked)
    known = correlate.load(row[0] for row in rows if row[0])
    found: dict[int, Again] = {}
    for event_id, place in places.items():
        mine = [
            known[contract] for contract, customer in rows
            if contract in known and (place.contract_id or contract, place.customer_id) == (contract, customer)
        ]  # fmt: skip
        if mine:
            found[event_id] = Again(tuple(mine))
    return found


def _may_correct(one: Heard) -> bool:
    """Somebody else changed a deal, a company or a contact; what we write ourselves corrects nothing."""
    return isinstance(one.seen, DealSeen | OrganizationSeen | PersonSeen) and not one.origin_key.startswith("meshline-")


def _place(one: Heard, links: Mapping[Link, Found]) -> Found | None:
    """The deal's contract; of a company or a contact the customer as a whole."""
    if isinstance(one.seen, DealSeen):
        return next((links[link] for link in one.contract_links if link in links), None)
    owner = next((links[link] for link in one.customer_links if link in links), None)
    return owner and Found(owner.customer_id, None)


def renew_all(one: Heard, into: Booking) -> str:
    """After a change of a company or a contact: every waiting deal that was read for it. Returns a clause, or ""."""
    if not isinstance(one.read, Reread):
        return ""
    known = correlate.load(one.read.blocks)
    rows = planned.planned_actions({key: {contract.refs.deal} for key, contract in known.items()})
    renewed = 0
    for key, contract in known.items():
        note(one.read.blocks[key], contract, into)
        renewed += renew(rows.get(key, []), contract, one, into)
    return f"; {renewed} waiting for a correction, read again" if renewed else ""


def note(blocks: Mapping[str, Any], contract: Known, into: Booking) -> None:
    """Remember what was read, unless something newer is known already."""
    if contract.blocks.get("deal", {}).get("synced_at", "") > blocks["deal"]["synced_at"]:
        return
    for name, block in blocks.items():
        into.note_block(contract, name, {**block, "live": True})


def renew(rows: Iterable[Row], contract: Known, one: Heard, into: Booking) -> int:
    """Judge again, on what is known now, what waits for a person; returns how many say something else than before."""
    deal = deal_of(contract)
    if deal is None or deal.standing != "signed":
        return 0  # what there was to bill is withdrawn by the deal's own events
    waiting = [row for row in rows if row.state == "in_review" and row.kind in BILLING_KINDS]
    shown = _shown([row.id for row in waiting])
    return sum(_renew(row, shown[row.id], contract, one, into) for row in waiting if row.id in shown)


def _shown(ids: list[Any]) -> dict[Any, tuple[str, list[tuple[str, str]], str]]:
    """What people see of these actions: fingerprint, what does not pass, why their items ask; only about facts."""
    rows = sets.run(
        """select a.id, a.preview_hash, a.answers, i.why from ledger_action a
             join gates_reviewitem i on i.action_id = a.id and i.state <> 'resolved'
            where a.id = any(%(ids)b::uuid[]) and i.why = any(%(whys)b::text[])""",
        {"ids": ids, "whys": list(review.ABOUT_FACTS)},
    ) if ids else []  # fmt: skip
    return {
        row[0]: (row[1], [(one["rule"], one["reason"]) for one in row[2] if one["verdict"] != "pass"], row[3])
        for row in rows
    }


def _renew(row: Row, shown: tuple[str, list[tuple[str, str]], str], contract: Known, one: Heard, into: Booking) -> bool:
    kind = actions.get(row.kind)
    proposal = Proposal(row.kind, row.target, row.business_key, row.because, row.params, kind.risk, kind.needs)
    cause = Cause(one.id, row.correlation_id, row.automation)
    judged_on = into.facts(proposal, contract, cause, but=row.id)
    decision = decide.decide(proposal, judged_on, booking.policy_for(into.policies, row.automation))
    if decision.verb not in ("ask", "approve"):
        return False
    columns = booking.judged(proposal, judged_on, decision)
    now = [(answer.rule, answer.reason) for answer in decision.failing]
    if (columns["preview_hash"], now) == shown[:2]:
        return False
    planned.step(row, review.REREAD, "in_review", one, into, columns, booking.reasons_of(decision))
    into.items.append(_says(row, decision, shown[2], into))
    return True


def _says(row: Row, decision: Decision, why: str, into: Booking) -> dict[str, Any]:
    """The item as it is to read now; where nothing is missing it keeps the reason it was opened for."""
    worst = decision.worst if decision.verb == "ask" else None
    return {
        "action_id": row.id, "customer_id": row.customer_id, "kind": row.kind,
        "sentence": booking.sentence(row.kind, row.because), "why": worst.rule if worst else why or READY,
        "reason": worst.reason if worst else COMPLETE, "owner_group": into.policies.owner_of(row.automation),
        "correlation_id": row.correlation_id, "provider": actions.get(row.kind).provider, "automation": row.automation,
    }  # fmt: skip

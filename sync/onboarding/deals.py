"""What an event about a deal leads to: the deal is read first, since nobody signs what its webhooks say."""

from collections.abc import Mapping
from typing import Any

from gates import items
from gates.playbooks import onboarding
from ledger import book
from sync import correlate
from sync import planned as planned_of
from sync.booking import Booking, Cause
from sync.contracts.pipedrive import DealSeen
from sync.correlate import Adoption
from sync.facts import Known, deal_of
from sync.onboarding import reading, waiting
from sync.onboarding.reading import Reread
from sync.planned import Planned, Row
from sync.understand import Heard

ACTOR = "automation:onboarding"
GROUP = "Revenue Ops Lead"
POSTS = {"sign": "signed", "qualify": "ready"}
CHANGED = ("deal.changed", "deal.deleted", "deal.merged")


def wants_reading(one: Heard, *, is_known: bool, is_moved: bool) -> bool:
    """Whether this event is worth three reads: the deal may have been signed now, or a known one may have left.

    `is_moved`: it names another organization than the customer's.
    """
    seen = one.seen
    if not isinstance(seen, DealSeen) or one.origin_key.startswith("meshline-"):
        return False
    if one.kind == "deal.changed" and seen.entered(reading.signed_stage()):
        return True
    left = seen.action == "delete" or seen.is_archived or seen.status not in ("open", "won")
    return is_known and (left or is_moved or bool(seen.previous_stage_id) or seen.is_polled)


def adoption(one: Heard) -> Adoption | None:
    """A signed deal nobody here has met: its customer is the organization's, made now if there is none yet."""
    block = one.read
    if not isinstance(block, dict) or block["standing"] != "signed":
        return None
    organization = (("pipedrive", "organization", block["organization"]),) if block["organization"] else ()
    source = block["source"]
    return Adoption(
        (("pipedrive", "deal", block["deal"]),), organization, source["custom.onboarding_package_code"],
        source["organization.name"],
    )  # fmt: skip


def handle(one: Heard, contract: Known | None, planned: Planned, into: Booking) -> str:
    """Let an event about a deal happen; returns its verdict in words."""
    read = _read(one, contract)
    block = read.get("deal")
    if contract is None:
        why = onboarding.STANDINGS.get(block["standing"], "is not signed") if block else "is not signed"
        return f"ignored: the deal {why}"
    if block is None:
        return "done: noted; read live before anything is decided"
    known_block = contract.blocks.get("deal", {})
    if known_block.get("synced_at", "") > block["synced_at"]:
        return "superseded: read again since"
    rows = planned.setdefault(contract.refs.contract_id, [])
    if block["organization"] and not contract.refs.organizations:
        contract = _belongs(block["organization"], contract, rows, one, into)
    waiting.note(read, contract, into)
    deal = deal_of(contract)
    assert deal is not None
    told = isinstance(one.seen, DealSeen) and not one.seen.is_polled and one.seen.entered(reading.signed_stage())
    outcome = onboarding.judge(deal, contract.state, _made(rows), told=told)
    _advance(outcome.verbs, contract, one, into)
    cause = Cause(one.id, one.correlation_id, onboarding.AUTOMATION, one.late)
    for proposal in outcome.proposals:
        rows.append(planned_of.fresh(into.propose(proposal, contract, cause), proposal, into, one))
    if outcome.withdraw:
        _withdraw(rows, outcome.withdraw, one, into)
    if outcome.overtaken:
        into.items.append(_overtaken(one, contract, outcome.withdraw))
    renewed = waiting.renew(rows, contract, one, into)
    return f"{outcome.verdict}; what waits for a correction was read again" if renewed else outcome.verdict


def _read(one: Heard, contract: Known | None) -> Mapping[str, Any]:
    """The blocks that were read for this event; none where nothing was."""
    if isinstance(one.read, Reread):
        return one.read.blocks.get(contract.refs.contract_id, {}) if contract else {}
    return {"deal": one.read} if one.read else {}


def _belongs(organization: str, contract: Known, rows: list[Row], one: Heard, into: Booking) -> Known:
    """A deal that had no organization has one now: its customer is the organization's.

    Where that is a customer of its own already, the deal's contract goes there: nothing of it was sent anywhere yet.
    """
    link = ("pipedrive", "organization", organization)
    owner = correlate.look_up([link]).get(link)
    if owner is None:
        correlate.remember([(contract.refs.customer_id, link, None)], "system:correlate")
    elif not contract.refs.erp_customer:
        correlate.lock_customers([owner.customer_id])
        _withdraw(rows, "the deal belongs to a customer that is known", one, into)
        correlate.hand_over(contract.refs.contract_id, owner.customer_id)
        row = {"customer_id": contract.refs.customer_id, "event_id": one.id, "correlation_id": one.correlation_id}
        into.moves.append(
            book.Move(
                "customer", contract.refs.customer_id, "archive", contract.customer_state, "archived",
                contract.customer_version, ACTOR, row=row,
            )
        )  # fmt: skip
    return correlate.load([contract.refs.contract_id])[contract.refs.contract_id]


def _made(rows: list[Row]) -> dict[str, tuple[str, ...]]:
    made: dict[str, tuple[str, ...]] = {}
    for row in rows:
        made[row.kind] = (*made.get(row.kind, ()), row.state)
    return made


def _advance(verbs: tuple[str, ...], contract: Known, one: Heard, into: Booking) -> None:
    """Draft to signed with what was bought, and to ready once nothing is missing."""
    source = contract.blocks["deal"]["source"]
    bought = {
        "amount_minor": source["deal.amount"], "currency": source["deal.currency"][:3],
        "plan": source["custom.onboarding_package_code"][:64],
    }  # fmt: skip
    row = {"event_id": one.id, "correlation_id": one.correlation_id}
    for verb in verbs:
        into.move_contract(contract, verb, POSTS[verb], ACTOR, row, bought)


def _withdraw(rows: list[Row], reason: str, one: Heard, into: Booking) -> None:
    for row in rows:
        if row.state in planned_of.WAITING_STATES and row.kind in ("customer.create", "invoice.create"):
            why = [{"rule": "withdrawn", "reason": reason}]
            planned_of.step(row, "supersede", "superseded", one, into, {}, why)
            into.close(row.id, "superseded")


def _overtaken(one: Heard, contract: Known, reason: str) -> dict[str, Any]:
    """The ERP has a customer of a deal that is no more: nothing undoes that by itself."""
    return items.for_event(
        one.id, "customer.identity", f"{reason.capitalize()} after its customer had been made in the ERP.",
        "deal_withdrawn", reason="look whether the customer and its first invoice stand", owner_group=GROUP,
        customer_id=contract.refs.customer_id, correlation_id=one.correlation_id, automation=onboarding.AUTOMATION,
    )  # fmt: skip

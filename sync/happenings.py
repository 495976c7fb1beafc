"""What each kind of event means for a contract: payments, subscriptions, disputes, the ERP's records, tickets."""

from typing import Any

from gates import decide
from gates.playbooks import dunning
from gates.types import Proposal
from ledger import book
from sync import actions, booking, correlate, facts, understand
from sync import planned as planned_of
from sync.accounting import hearing as hearing_of_books
from sync.booking import Booking, Cause
from sync.cancellations import hearing as ends
from sync.contracts.charges import ChargeSeen
from sync.contracts.netsuite import ContractSeen, ErpCustomerSeen
from sync.contracts.pagerduty import IncidentSeen
from sync.contracts.pipedrive import DealSeen, OrganizationSeen, PersonSeen
from sync.contracts.refunds import ChargeRefundedSeen, RefundSeen
from sync.contracts.slack import SlackClick, SlackSubmitted
from sync.contracts.stripe import CustomerSeen, DisputeSeen, FraudSeen, InvoiceSeen, SubscriptionSeen
from sync.contracts.zendesk import TicketSeen
from sync.correlate import Adoption, Found
from sync.customer_sync import drift
from sync.disputes import hearing as disputes
from sync.facts import Known
from sync.incidents import hearing
from sync.onboarding import deals, identity, waiting
from sync.planned import Planned, Row
from sync.refunds import asking as wishes
from sync.refunds import following as refunds
from sync.slack import desk
from sync.tickets import hearing as ticket_hearing
from sync.understand import Heard
from sync.wiretypes import ContractRecord

RUNNING_SUBSCRIPTIONS = ("active", "past_due", "unpaid", "trialing")
ENDINGS = ("contract.suspend", "contract.downgrade")


def adoption(one: Heard, record: ContractRecord | None) -> Adoption | None:
    """Everything that names a contract nobody here has met, from the event and the ERP's record of it."""
    seen = one.seen
    if isinstance(seen, DealSeen):
        return deals.adoption(one)
    if isinstance(seen, ContractSeen):
        return Adoption(one.contract_links, one.customer_links, seen.plan, "", seen.started_at, seen.ends_at)
    contract_links, customer_links = one.contract_links, one.customer_links
    if record is not None:
        contract_links += (("netsuite", "contract", record.internal_id),)
        if record.customer_internal_id:
            customer_links += (("netsuite", "customer", record.customer_internal_id),)
        return Adoption(contract_links, customer_links, record.plan, "", record.started_at, record.ends_at)
    started = seen.started_at if isinstance(seen, SubscriptionSeen) else None
    return Adoption(contract_links, customer_links, started_at=started)


def handle(
    one: Heard,
    place: Found | None,
    contract: Known | None,
    planned: Planned,
    chosen: dunning.Settings,
    into: Booking,
) -> str:
    """Let one readable event happen; returns its verdict in words."""
    match one.seen:
        case InvoiceSeen():
            return _payment(one, contract, planned, chosen, into)
        case SubscriptionSeen():
            return _subscription(one, contract, into)
        case ContractSeen():
            return _erp_contract(one, contract, into)
        case ErpCustomerSeen():
            return _erp_customer(one, place, into)
        case TicketSeen():
            return _ticket(one, place, contract, into)
        case DealSeen() | OrganizationSeen() | PersonSeen():
            return _crm(one, place, contract, planned, into)
        case SlackClick() | SlackSubmitted() | IncidentSeen():
            return _about_nobody(one)
        case RefundSeen() | ChargeRefundedSeen() | DisputeSeen() | FraudSeen() | ChargeSeen():
            return _money(one, place, into)
        case CustomerSeen() if place:
            return _customer(one, one.seen, place)
    return "done: noted; read live before anything is decided" if place else correlate.STRANGER


def _ticket(one: Heard, place: Found | None, contract: Known | None, into: Booking) -> str:
    """What it asks for, if it asks for money back, and what became of it in either case."""
    wished = wishes.hear(one, place, contract, into)
    heard = "" if wished.startswith(wishes.AGAIN) else ticket_hearing.hear(one, place, contract, into)
    return wished or heard


def _money(one: Heard, place: Found | None, into: Booking) -> str:
    """Collected; or given back by us or by hand, or taken back by a bank."""
    if isinstance(one.seen, ChargeSeen):
        return hearing_of_books.verdict(one.seen)
    by_bank = isinstance(one.seen, DisputeSeen | FraudSeen)
    return disputes.hear(one, place, into) if by_bank else refunds.handle(one, place, into)


def _about_nobody(one: Heard) -> str:
    """What a person decided elsewhere, and what broke: neither is about a customer."""
    if isinstance(one.seen, IncidentSeen):
        return hearing.hear(one)
    return desk.clicked(one.id, one.seen) if isinstance(one.seen, SlackClick) else desk.submitted(one.id, one.seen)


def _customer(one: Heard, seen: CustomerSeen, place: Found) -> str:
    if seen.is_deleted:
        return "done: the billing customer was deleted; later events about it start nothing"
    if seen.changed:
        return drift.record(seen.id, seen.changed, place.customer_id, one.id)
    return "done: noted; read live before anything is decided"


def _crm(one: Heard, place: Found | None, contract: Known | None, planned: Planned, into: Booking) -> str:
    if isinstance(one.seen, DealSeen):
        return deals.handle(one, contract, planned, into)
    if isinstance(one.seen, OrganizationSeen):
        return identity.organization(one, place, into) + waiting.renew_all(one, into)
    renewed = waiting.renew_all(one, into)
    return f"done: noted{renewed}" if renewed else "ignored: people are read live before anything is decided"


def _payment(one: Heard, contract: Known | None, planned: Planned, chosen: dunning.Settings, into: Booking) -> str:
    paid = understand.payment(one)
    if contract is None or paid is None:
        return "ignored: not about a subscription" if contract is None else "ignored: without the provider's time"
    _begin_if_new(one, contract, into)
    rows = planned.setdefault(contract.refs.contract_id, [])
    known_keys = frozenset(f"{row.kind}:{row.business_key}" for row in rows)
    outcome = dunning.judge(contract.memo, paid, contract.state, known_keys, chosen)
    contract.memo = into.memos[contract.refs.contract_id] = outcome.memo
    cause = Cause(one.id, one.correlation_id, dunning.AUTOMATION, one.late)
    if outcome.contract_verb:
        post = {"fall_behind": "past_due", "recover": "active"}[outcome.contract_verb]
        into.move_contract(contract, outcome.contract_verb, post, "automation:dunning", _row(one))
    for proposal in outcome.proposals:
        action_id = into.propose(proposal, contract, cause)
        rows.append(planned_of.fresh(action_id, proposal, into, one))
    if outcome.reschedule:
        _reschedule(rows, contract, one, into)
    if outcome.withdraw:
        _withdraw(rows, outcome.withdraw, contract, cause, one, into)
    return outcome.verdict


def _begin_if_new(one: Heard, contract: Known, into: Booking) -> None:
    """A contract adopted a moment ago is running at the provider, or there would be no invoice."""
    if contract.state == "draft":
        into.move_contract(contract, "activate", "active", "system:correlate", _row(one))


def _row(one: Heard) -> dict[str, Any]:
    return {"event_id": one.id, "correlation_id": one.correlation_id}


def _reschedule(rows: list[Row], contract: Known, one: Heard, into: Booking) -> None:
    """What is newly known of a failure moves the end of the window: what waits for it is judged again.

    What was approved by a person stays approved; it is judged on fresh facts before it is sent.
    """
    for row in rows:
        if row.kind not in ENDINGS or row.state not in ("held", "approved") or row.by_hand:
            continue
        kind = actions.get(row.kind)
        proposal = Proposal(row.kind, row.target, row.business_key, row.because, row.params, kind.risk, kind.needs)
        judged_on = facts.build(contract, now=into.now, business_key=row.business_key, executing=False)
        decision = decide.decide(proposal, judged_on, into.policies.of(row.automation))
        if decision.verb not in ("hold", "ask", "approve") or decision.state == row.state == "approved":
            continue
        changes = {**booking.judged(proposal, judged_on, decision), **book.lease_free(decision.until)}
        planned_of.step(row, decision.verb, decision.state, one, into, changes, booking.reasons_of(decision))
        if decision.verb == "ask":
            into.ask(_asked(row), decision, into.policies.owner_of(row.automation))


def _asked(row: Row) -> dict[str, Any]:
    return {
        "id": row.id, "customer_id": row.customer_id, "kind": row.kind, "because": row.because,
        "correlation_id": row.correlation_id,
    }  # fmt: skip


def _withdraw(rows: list[Row], business_key: str, contract: Known, cause: Cause, one: Heard, into: Booking) -> None:
    """A payment came: what waits is withdrawn, what was done already is to be undone, the support desk is told."""
    told = False
    for row in list(rows):
        if row.business_key != business_key:
            continue
        if row.state in planned_of.WAITING_STATES:
            reason = [{"rule": "contradicted", "reason": f"event {one.id} settled it; planned by event {row.event_id}"}]
            planned_of.step(row, "supersede", "superseded", one, into, {}, reason)
            into.close(row.id, "superseded")
        elif row.state == "applied" and row.kind in ENDINGS:
            undo = dunning.restore(str(row.params["invoice"]), row.params, row.kind)
            if not any(other.kind == undo.kind and other.business_key == undo.business_key for other in rows):
                restoring = Cause(one.id, one.correlation_id, dunning.AUTOMATION, one.late, reverses=row.id)
                rows.append(planned_of.fresh(into.propose(undo, contract, restoring), undo, into, one))
        elif row.state == "applied" and row.kind == "ticket.open":
            told = True
    if told:
        note = dunning.paid_note(business_key)
        if not any(other.kind == note.kind and other.business_key == note.business_key for other in rows):
            rows.append(planned_of.fresh(into.propose(note, contract, cause), note, into, one))


def _subscription(one: Heard, contract: Known | None, into: Booking) -> str:
    seen: SubscriptionSeen = one.seen
    if contract is None:
        return "ignored: nobody here knows this subscription"
    block = contract.blocks.get("subscription", {})
    if not facts.newer(block, one.occurred_at):
        return "superseded: older than what is known"
    if seen.status in RUNNING_SUBSCRIPTIONS:
        _begin_if_new(one, contract, into)
    into.note_block(
        contract, "subscription",
        {
            "synced_at": one.occurred_at.isoformat() if one.occurred_at else "", "status": seen.status,
            "period_end": seen.period_end.isoformat() if seen.period_end else None,
            "cancel_at_period_end": seen.cancel_at_period_end, "amount_minor": seen.amount_minor,
            "currency": seen.currency,
        },
    )  # fmt: skip
    if one.kind == "subscription.ended":
        return ends.ended(one, seen, contract, into)
    return ends.changed(one, seen, contract, block) or f"done: subscription is {seen.status}"


def _erp_contract(one: Heard, contract: Known | None, into: Booking) -> str:
    seen: ContractSeen = one.seen
    if contract is None:
        return "ignored: nobody here knows this contract"
    _link_missing(one, contract)
    block = contract.blocks.get("entitlement", {})
    if not facts.newer(block, one.occurred_at):
        return "superseded: older than what is known"
    into.note_block(
        contract, "entitlement",
        {
            "synced_at": one.occurred_at.isoformat() if one.occurred_at else "", "record": seen.internal_id,
            "status": seen.status, "plan": seen.plan, "last_action": seen.last_action_id,
            "started_at": seen.started_at.isoformat() if seen.started_at else None,
            "ends_at": seen.ends_at.isoformat() if seen.ends_at else None,
        },
    )  # fmt: skip
    echo = bool(seen.last_action_id) and seen.last_action_id != block.get("last_action")
    return "done: our own write coming back" if echo else "done: contract record noted"


def _link_missing(one: Heard, contract: Known) -> None:
    """A record that names a subscription or customer we did not have linked yet."""
    known = correlate.look_up([*one.contract_links, *one.customer_links])
    customer = contract.refs.customer_id
    missing: list[tuple[int, correlate.Link, int | None]] = [
        (customer, link, contract.refs.contract_id) for link in one.contract_links if link not in known
    ]
    missing += [(customer, link, None) for link in one.customer_links if link not in known]
    correlate.remember(missing, "system:correlate")


def _erp_customer(one: Heard, place: Found | None, into: Booking) -> str:
    """The ERP owns the name."""
    if place is None:
        return correlate.STRANGER
    return identity.erp_customer(one, place, into)

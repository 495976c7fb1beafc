"""What people and systems did about what was only observed: read for a batch, judged by one function for each kind.

A comparator answers from what is stored here: events told it, or a read that was made for another reason. It says
`None` while it cannot be told yet; what can never be told says so when its time is over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gates import memo as memos
from ledger import sets
from sync import correlate
from sync.facts import Known, when

AGREED, DISAGREED, UNDECIDED = "agreed", "disagreed", "undecided"
ASKS = "asks_a_person"
NOT_SEEN = "cannot_be_seen"
GRACE = timedelta(days=2)
GRACES = {
    "contract.suspend": timedelta(days=3), "contract.downgrade": timedelta(days=3), "payment.refund": timedelta(days=7),
    "dispute.refund": timedelta(days=7), "customer.create": timedelta(days=1),
}  # fmt: skip
BY_PEOPLE = """
select v.id, min(a.applied_at) from unnest(%(id)b::uuid[], %(customer)b::bigint[], %(kind)b::text[], %(key)b::text[])
       as v(id, customer_id, kind, business_key)
  join ledger_action a on a.customer_id = v.customer_id and a.kind = v.kind and a.business_key = v.business_key
   and a.mode = 'live' and a.state in ('applied', 'compensated') group by v.id"""
REFUNDS = """
select charge, sum(amount_minor)::bigint, min(made_at) from sync_refund
 where charge = any(%(charges)b::text[]) and state not in ('failed', 'canceled') group by charge"""
TICKETS = """
select customer_id, number, state, created_at, stamp from gates_ticket
 where customer_id = any(%(customers)b::bigint[]) and stamp >= %(since)b::timestamptz"""


@dataclass(frozen=True, slots=True)
class Observed:
    """One action that only observed, with what it would have done."""

    id: UUID
    kind: str
    customer_id: int
    contract_id: int
    business_key: str
    params: Mapping[str, Any]
    amount_minor: int | None
    would: str
    observed_at: datetime
    acts_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is known of a batch of them, at one moment."""

    now: datetime
    known: Mapping[int, Known]
    customers: Mapping[int, Known]
    by_people: Mapping[UUID, datetime]
    refunds: Mapping[str, tuple[int, datetime]]
    tickets: Mapping[int, Sequence[tuple[str, str, datetime, datetime]]]

    def of(self, one: Observed) -> Known | None:
        """Its contract, or its customer alone."""
        return self.known.get(one.contract_id) or self.customers.get(one.customer_id)


Found = tuple[str, str] | None
Comparator = Callable[[Observed, Known, World], Found]


def read(rows: Sequence[Observed], now: datetime) -> World:
    """Five statements for a batch of any size."""
    asked = {
        "id": [one.id for one in rows], "customer": [one.customer_id for one in rows],
        "kind": [one.kind for one in rows], "key": [one.business_key for one in rows],
    }  # fmt: skip
    charges = sorted({_charge(one) for one in rows if _charge(one)})
    customers = sorted({one.customer_id for one in rows if one.customer_id})
    since = min((one.observed_at for one in rows), default=now)
    tickets: dict[int, list[tuple[str, str, datetime, datetime]]] = {}
    for customer, *about in sets.run(TICKETS, {"customers": customers, "since": since}) if customers else ():
        tickets.setdefault(customer, []).append((about[0], about[1], about[2], about[3]))
    return World(
        now=now,
        known=correlate.load(one.contract_id for one in rows if one.contract_id),
        customers=correlate.load_customers(one.customer_id for one in rows if one.customer_id and not one.contract_id),
        by_people=dict(sets.run(BY_PEOPLE, asked)) if rows else {},
        refunds={row[0]: (row[1], row[2]) for row in sets.run(REFUNDS, {"charges": charges})} if charges else {},
        tickets=tickets,
    )


def judge(one: Observed, world: World) -> tuple[str, str, bool]:
    """Verdict, what was seen as a short code, and whether nothing will change it any more."""
    if one.would == "in_review":
        return UNDECIDED, ASKS, True  # it would have asked, and a person did decide: nothing to compare
    known = world.of(one)
    found = COMPARATORS.get(one.kind, _generic)(one, known, world) if known is not None else None
    if found is None and one.id in world.by_people:
        found = AGREED, "done_by_people"
    if found is not None:
        return *found, True
    if world.now >= one.due_at:
        missed = MISSED.get(one.kind)
        return (DISAGREED, missed, True) if missed and known is not None else (UNDECIDED, NOT_SEEN, True)
    return UNDECIDED, "", False


def _generic(one: Observed, known: Known, world: World) -> Found:
    return None


def _ends(one: Observed, known: Known, world: World) -> Found:
    """A suspension or downgrade: it would have come when its window ended, unless the invoice was settled by then."""
    entry = known.memo.get(str(one.params.get("invoice", "")))
    if entry is None:
        return (UNDECIDED, "invoice_forgotten") if world.now >= one.acts_at else None
    is_changed = known.state == "suspended" or _erp_says(one, known)
    settled = None if memos.owes(entry) else _settled_at(entry)
    if settled is not None and settled <= one.acts_at:
        return (DISAGREED, "changed_although_paid") if is_changed else (AGREED, "paid_in_time")
    if known.state == "cancelled":
        return AGREED, "contract_cancelled"
    if is_changed:
        return AGREED, "done_by_people"
    if settled is not None:
        return DISAGREED, "people_waited_and_it_was_paid"
    return None


def _erp_says(one: Observed, known: Known) -> bool:
    """Whether the ERP's own record, seen since, shows the change."""
    block = known.blocks.get("entitlement", {})
    if not block.get("synced_at") or when(block["synced_at"]) < one.observed_at:
        return False
    if one.kind == "contract.downgrade":
        return bool(block.get("plan")) and block.get("plan") == one.params.get("plan")
    return block.get("status") == "suspended"


def _settled_at(entry: Mapping[str, Any]) -> datetime:
    times = [entry[name] for name in ("paid_at", "closed_at") if name in entry]
    return datetime.fromtimestamp(min(times), UTC) if times else datetime.max.replace(tzinfo=UTC)


def _restore(one: Observed, known: Known, world: World) -> Found:
    block = known.blocks.get("entitlement", {})
    fresh = block.get("synced_at") and when(block["synced_at"]) >= one.observed_at
    is_back = known.state in ("active", "past_due") and (not fresh or block.get("status") == "active")
    return (AGREED, "given_back") if is_back else None


def _cancel(one: Observed, known: Known, world: World) -> Found:
    return (AGREED, "contract_cancelled") if known.state == "cancelled" else None


def _ticket(one: Observed, known: Known, world: World) -> Found:
    """A ticket of the customer that came to be since: somebody opened it."""
    made = [at for _, _, at, _ in world.tickets.get(one.customer_id, ()) if one.observed_at <= at <= one.due_at]
    return (AGREED, "ticket_opened") if made or known.refs.ticket else None


def _reply(one: Observed, known: Known, world: World) -> Found:
    """A reply that solves: the ticket it is about was solved by somebody."""
    number = str(one.params.get("ticket", ""))
    states = [state for name, state, _, at in world.tickets.get(one.customer_id, ()) if name == number]
    return (AGREED, "ticket_solved") if any(state in ("solved", "closed") for state in states) else None


def _tag(one: Observed, known: Known, world: World) -> Found:
    tags = known.blocks.get("support", {}).get("tags")
    wanted = one.params.get("tags") or []
    return (AGREED, "tagged") if tags is not None and wanted and set(wanted) <= set(tags) else None


def _charge(one: Observed) -> str:
    return str(one.params.get("charge") or one.params.get("payment") or "") if one.kind.endswith("refund") else ""


def _refund(one: Observed, known: Known, world: World) -> Found:
    """Money that went back by hand: the same sum agrees, another one does not."""
    amount, at = world.refunds.get(_charge(one), (0, one.due_at))
    if not amount or at > one.due_at:
        return None
    return (AGREED, "refunded_by_hand") if amount == one.amount_minor else (DISAGREED, "another_amount")


def _linked(name: str) -> Comparator:
    def compare(one: Observed, known: Known, world: World) -> Found:
        return (AGREED, "record_is_there") if getattr(known.refs, name) else None

    return compare


COMPARATORS: dict[str, Comparator] = {
    "contract.suspend": _ends, "contract.downgrade": _ends, "contract.restore": _restore, "contract.cancel": _cancel,
    "subscription.cancel": _cancel, "ticket.open": _ticket, "ticket.reply": _reply, "ticket.tag": _tag,
    "payment.refund": _refund, "dispute.refund": _refund, "customer.create": _linked("erp_customer"),
    "billing_customer.create": _linked("billing_customer"),
}  # fmt: skip
# What it means that nothing of the kind was seen when its time was over; of other kinds that says nothing.
MISSED = {
    "contract.suspend": "people_left_it", "contract.downgrade": "people_left_it", "contract.restore": "not_given_back",
    "contract.cancel": "not_cancelled", "subscription.cancel": "not_cancelled", "ticket.open": "no_ticket_was_opened",
    "ticket.reply": "not_solved", "payment.refund": "not_refunded", "dispute.refund": "not_refunded",
    "customer.create": "no_record_was_made", "billing_customer.create": "no_record_was_made",
}  # fmt: skip

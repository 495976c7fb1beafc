"""From rows to differences: what our own writes explain, what moved while it was read, and who sees to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from ledger import sets
from sync.reconcile import matching
from sync.reconcile.finding import Finding, Ref, fingerprint
from sync.reconcile.matching import Doubled, Leg, Pair

ECHO, UNKNOWN = "echo", "unknown_outcome"
ECHO_TIME = timedelta(minutes=15)  # the other side may not have taken over yet what we wrote so shortly before
AIR = timedelta(minutes=2)  # what happened just before the run began: a delivery or a write may still be on its way
AT_ONCE = 1000
MOVED, UNDER_WAY = "moved", "under way"
UNDER_WAY_STATES = ("approved", "sending")
OWN = "="  # before our own number of a customer
LEAD = "Revenue Ops Lead"
GROUPS = {"netsuite": "Billing Resolver", "stripe": "Billing Resolver", "zendesk": "Support Manager"}

CUSTOMERS = """
select value, min(customer_id) from ledger_externalid
 where value = any(%(values)b::text[]) and system = any(%(systems)b::text[])
 group by value having count(distinct customer_id) = 1"""
WRITES = """
select customer_id, id, state from ledger_action
 where customer_id = any(%(customers)b::bigint[]) and kind = any(%(kinds)b::text[]) and mode = 'live'
   and (state in ('approved', 'sending', 'unknown') or (state = 'applied' and applied_at >= %(since)b))
 order by id"""
MARKED = "select id, state, customer_id from ledger_action where id = any(%(ids)b::uuid[])"
TOLD = """
select distinct object_id from ledger_event
 where object_id = any(%(ids)b::text[]) and received_at >= %(since)b"""


@dataclass(slots=True)
class Judged:
    """What came of a part of a leg: differences, and keys that could not be judged with the reason for each."""

    findings: list[Finding] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says about a part: customers by link, writes of theirs, actions by mark, objects that moved."""

    customers: Mapping[str, int]
    writes: Mapping[int, tuple[UUID, str]]
    marked: Mapping[str, tuple[str, int | None]]
    told: frozenset[str]


def judged(leg: Leg, pairs: Sequence[Pair], started: datetime) -> Iterator[Judged]:
    """Go through a leg's pairs in parts."""
    for first in range(0, len(pairs), AT_ONCE):
        part = pairs[first : first + AT_ONCE]
        known = _known(leg, part, started)
        found = Judged()
        for pair in part:
            _judge(leg, pair, known, started, found)
        yield found


def _judge(leg: Leg, pair: Pair, known: Known, started: datetime, into: Judged) -> None:
    if _moved(pair, known, started):
        into.skipped[pair.key] = MOVED
        return
    customer = _customer(pair, known)
    action, state = _action(leg, pair, known, customer)
    if state in UNDER_WAY_STATES:
        into.skipped[pair.key] = UNDER_WAY
        return
    kind = UNKNOWN if state == "unknown" else ECHO if state == "applied" else pair.kind
    names = pair.fields if pair.kind == matching.DIFFERS else [""]
    into.findings += [_finding(leg, pair, kind, name, customer, action) for name in names]


def _moved(pair: Pair, known: Known, started: datetime) -> bool:
    """Whether either record changed since the run began: the two readings are of different moments."""
    times = [one for one in (pair.left_changed, pair.right_changed) if one is not None]
    return any(one >= started - AIR for one in times) or bool({pair.left, pair.right} & known.told)


def _customer(pair: Pair, known: Known) -> int | None:
    for value in (pair.left_about, pair.right_about):
        if value and value.startswith(OWN) and value[1:].isdigit():
            return int(value[1:])
        if value and value in known.customers:
            return known.customers[value]
    return known.customers.get(pair.key)


def _action(leg: Leg, pair: Pair, known: Known, customer: int | None) -> tuple[UUID | None, str]:
    """The write of ours that explains it, and how far that is; the mark on the record itself comes first."""
    mark = pair.key if pair.key in known.marked else _mark(pair.right_about) or _mark(pair.left_about)
    if leg.is_echo and mark:
        return UUID(mark), "applied"
    if mark in known.marked:
        state = known.marked[mark][0]
        return UUID(mark), state if state in (*UNDER_WAY_STATES, "unknown") else ""
    found = known.writes.get(customer) if customer is not None else None
    return found or (None, "")


def _mark(about: str | None) -> str:
    """The action named in a row's `about`: `@<id>`."""
    return about[1:] if about and about.startswith("@") else ""


def _known(leg: Leg, part: Sequence[Pair], started: datetime) -> Known:
    values = {one for pair in part for one in (pair.left_about, pair.right_about, pair.key) if one}
    systems = [leg.left_is[0], leg.right_is[0]]
    customers: dict[str, int] = dict(sets.run(CUSTOMERS, {"values": list(values), "systems": systems}))
    ids = {*customers.values(), *(int(one[1:]) for one in values if one.startswith(OWN) and one[1:].isdigit())}
    asked = {"customers": list(ids), "kinds": list(leg.writes), "since": started - ECHO_TIME}
    writes = {row[0]: (row[1], row[2]) for row in sets.run(WRITES, asked)} if ids and leg.writes else {}
    marks = [mark for one in values for mark in (one, _mark(one)) if is_id(mark)]
    marked = {str(row[0]): (row[1], row[2]) for row in sets.run(MARKED, {"ids": [UUID(one) for one in marks]})}
    records = [one for pair in part for one in (pair.left, pair.right) if one]
    told = frozenset(row[0] for row in sets.run(TOLD, {"ids": records, "since": started - AIR}))
    return Known(customers, writes, marked, told)


def is_id(value: str) -> bool:
    """Whether it is an action's id in its usual form."""
    try:
        return len(value) == 36 and str(UUID(value)) == value
    except ValueError:
        return False


def _finding(leg: Leg, pair: Pair, kind: str, name: str, customer: int | None, action: UUID | None) -> Finding:
    place = next((n for n, one in enumerate(leg.fields) if name in (one.name, _currency_of(one))), -1)
    owner = leg.fields[place].owner if place >= 0 else ""
    left, right = (pair.value(side, place) if place >= 0 else "" for side in ("left", "right"))
    refs: list[Ref] = []
    refs += [(*leg.left_is, pair.left)] if pair.left else []
    refs += [(*leg.right_is, pair.right)] if pair.right else []
    refs += [("meshline", "action", str(action))] if action and ("meshline", "action", str(action)) not in refs else []
    prints = (left or pair.left or "", right or pair.right or "")
    group = leg.group or GROUPS.get(owner, LEAD)
    return Finding(
        kind, pair.key, leg.named(name), group, left, right, fingerprint(prints[0]), fingerprint(prints[1]), owner,
        tuple(refs), customer,
    )  # fmt: skip


def _currency_of(one: matching.Field) -> str:
    return matching.CURRENCY if one.sort == matching.AMOUNT else ""


def duplicates(found: Iterable[Doubled], places: Mapping[str, tuple[str, str]], group: str) -> list[Finding]:
    """Keys that a list has several records under; `places` says of a list which system and kind its records are."""
    made = []
    for one in found:
        system, kind = places[one.among]
        print_of = fingerprint(",".join(one.records))
        refs = tuple((system, kind, record) for record in one.records[:50])
        made.append(
            Finding(matching.DUPLICATE, one.key, system, group or LEAD, left_print=print_of, refs=refs,
                    owner_system=system)
        )  # fmt: skip
    return made

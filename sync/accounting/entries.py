"""From facts of billing's balance to planned records: each fact is decided once, in one transaction for a page of them.

Customers are locked before the entries, as whoever books events does.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from gates import items, policy
from gates.playbooks import accounting, refunds
from gates.playbooks.accounting import Fact, Line, Place, Plan
from gates.policy import Policies
from ledger import clock, sets, wake
from ledger.identity import lane_of, new_action_id
from ledger.models import Action, Event, EventBody
from sync import correlate
from sync.accounting.models import BalanceEntry
from sync.booking import Booking, Cause
from sync.correlate import Link
from sync.facts import Known
from sync.providers import stripe_accounts

SOURCE, KIND = "meshline", "accounting.sweep"
ITEM, OWNER = "accounting.entry", "Billing Resolver"
SILENT = ("shadow", "paused")  # stages in which nobody is asked for anything
AGAIN = timedelta(minutes=15)
LONGEST = timedelta(days=1)
NEVER = ("rejected", "superseded", "observed")  # states of an action that does nothing
UUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Outcome = BalanceEntry.Outcome
OPEN = (Outcome.HEARD, Outcome.WAITING, Outcome.OBSERVED)
REASONS = {
    "no_erp_customer": "link the customer to the ERP on its page; it is booked by itself then",
    "customer_unknown": "link billing's customer to a customer here; it is booked by itself then",
    "refund_came_back": "have the record voided in the ERP, then resolve this; nothing is voided from here",
    "payment_came_back": "have the record voided in the ERP, then resolve this; nothing is voided from here",
}
OTHERWISE = "have finance book it in the ERP by hand, then resolve this; it is not looked at again after that"
MAKE = """
insert into sync_balanceentry (account, provider_id, outcome, category, source, amount_minor, fee_minor, currency, code,
                               why, stage, correlation_id, heard_at, due_at)
select %(account)b, v.line, 'heard', '', '', 0, 0, '', '', '', '', gen_random_uuid(), %(now)b, %(now)b
  from unnest(%(line)b::text[]) as v(line) order by v.line on conflict (provider_id) do nothing"""


@dataclass(slots=True)
class Page:
    """Facts of one billing account while they are booked together."""

    account: str
    into: Booking
    stage: str
    known: Mapping[int, Known]
    customers: Mapping[str, int]
    memos: frozenset[str]
    recorded: frozenset[str]
    event: Event | None = None
    asks: list[tuple[BalanceEntry, dict[str, Any]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def take(account: str, facts: Sequence[Fact]) -> Counter[str]:
    """Decide about these facts, those that were decided before left out; how many came to which state."""
    if not facts:
        return Counter()
    with transaction.atomic():
        page, entries = opened(account, facts)
        todo = [(entries[one.id], one) for one in facts if entries[one.id].outcome in OPEN]
        for entry, fact in sorted(todo, key=lambda pair: (pair[1].made_at, pair[1].id)):
            _decide(page, entry, fact)
        page.into.write()
        _ask(page)
        BalanceEntry.objects.bulk_update([entry for entry, _ in todo], _COLUMNS)
        if page.into.actions:
            wake.ring()
    return page.counts


def opened(account: str, facts: Sequence[Fact]) -> tuple[Page, dict[str, BalanceEntry]]:
    """What deciding about these facts needs, their customers and entries held; in the caller's transaction."""
    everybody, gone = _customers(facts)
    customers = {value: customer for value, customer in everybody.items() if customer not in gone}
    entries = _entries(account, [one.id for one in facts])
    policies, ids = policy.current(), sorted(set(everybody.values()))
    page = Page(
        account, Booking(policies, clock.now()), stage_of(policies), correlate.load_customers(customers.values()),
        customers, _memos(facts, ids), _recorded(facts, ids),
    )  # fmt: skip
    return page, entries


def stage_of(policies: Policies) -> str:
    """The automation's stage, and a mark of the stages of its segments: what was only observed is judged anew when
    either changes."""
    stage, segments = policies.of(accounting.AUTOMATION).stage, policies.segments.get(accounting.AUTOMATION, {})
    told = ",".join(f"{key}={value}" for key, value in sorted(segments.items()))
    return f"{stage}/{hashlib.sha256(told.encode()).hexdigest()[:8]}" if told else stage


_COLUMNS = ["outcome", "category", "source", "amount_minor", "fee_minor", "currency", "made_at", "customer", "code",
            "why", "stage", "event_id", "item_id", "due_at"]  # fmt: skip


def postpone(entry: BalanceEntry, code: str, why: str) -> None:
    """It could not be read now: later, ever more rarely, a day apart at most. What a person was asked stays asked."""
    now = clock.now()
    wait = min(LONGEST, max(timedelta(minutes=1), (now - entry.heard_at) / 4))
    rows = BalanceEntry.objects.filter(pk=entry.pk, outcome__in=OPEN)
    rows.filter(outcome=Outcome.WAITING).update(due_at=now + wait)
    rows.exclude(outcome=Outcome.WAITING).update(code=code[:40], why=why[:300], due_at=now + wait)


def _customers(facts: Sequence[Fact]) -> tuple[dict[str, int], Collection[int]]:
    """Billing's customers as ours, their rows held; and those who were erased: nobody any more, for what is new."""
    links: list[Link] = [("stripe", "customer", one.customer) for one in facts if one.customer]
    found = {link[2]: place.customer_id for link, place in correlate.look_up(links).items()}
    return found, correlate.lock_customers(found.values())


def _entries(account: str, ids: Sequence[str]) -> dict[str, BalanceEntry]:
    """The entries of these lines, made where they are missing, and held."""
    sets.run(MAKE, {"account": account, "line": sorted(set(ids)), "now": clock.now()})
    rows = BalanceEntry.objects.select_for_update().filter(provider_id__in=ids).order_by("provider_id")
    return {row.provider_id: row for row in rows}


def _memos(facts: Sequence[Fact], customers: Sequence[int]) -> frozenset[str]:
    """Refunds whose credit memo is there, or under way; or follows, as the refund of ours is not confirmed yet.

    One that was confirmed while its customer was not in the ERP, or while memos were off, has none and gets none by
    itself, whatever its label says.
    """
    given = [one for one in facts if one.category == accounting.REFUNDED]
    keys = [f"{refunds.PREFIX}{one.source}:memo" for one in given]
    if not keys:
        return frozenset()
    live = Action.objects.filter(mode="live").exclude(state__in=NEVER)
    rows = live.filter(customer_id__in=customers, kind=refunds.MEMO, business_key__in=keys)
    made = [key.split(":")[1] for key in rows.values_list("business_key", flat=True)]
    marks = {one.source: one.mark.lower() for one in given if UUID_TEXT.fullmatch(one.mark.lower())}
    ours = live.filter(pk__in=set(marks.values()), kind__in=refunds.REFUNDS).exclude(
        state__in=("applied", "compensated")
    )
    going = {str(pk) for pk in ours.values_list("pk", flat=True)} if marks else set()
    return frozenset([*made, *(source for source, mark in marks.items() if mark in going)])


def _recorded(facts: Sequence[Fact], customers: Sequence[int]) -> frozenset[str]:
    """What came back and was recorded, or may be: a refund is read again right before it is sent, a payment is not."""
    back = {one.source: accounting.BACK[one.category] for one in facts if one.category in accounting.BACK}
    keys = [Line(word, source, 0, "").business_key for source, word in back.items()]
    if not keys:
        return frozenset()
    rows = Action.objects.filter(customer_id__in=customers, business_key__in=keys, mode="live").exclude(state__in=NEVER)
    rows = rows.filter(
        Q(kind=accounting.PAYMENT) | Q(kind=accounting.REFUND, state__in=("sending", "unknown", "applied"))
    )
    return frozenset(key.split(":")[1] for key in rows.values_list("business_key", flat=True))


def place_of(page: Page, fact: Fact) -> tuple[Place, Known | None]:
    """Where a fact belongs, and whose it is."""
    known = page.known.get(page.customers.get(fact.customer, 0))
    erp_customer = known.refs.erp_customer if known else ""
    books = bool(settings.MESHLINE_CREDIT_MEMOS)
    has_memo, was_recorded = fact.source in page.memos, fact.source in page.recorded
    account = stripe_accounts.name_of(page.account)  # said in words: a customer may pay into several
    return Place(known is not None, erp_customer, account, books, has_memo, was_recorded), known


def _decide(page: Page, entry: BalanceEntry, fact: Fact) -> None:
    """One fact, once: what waits or was only observed is judged anew when something about it changed."""
    place, known = place_of(page, fact)
    entry.category, entry.source, entry.made_at = fact.category[:60], fact.source[:64], fact.made_at
    entry.amount_minor, entry.fee_minor, entry.currency = fact.amount, fact.fee, fact.currency
    entry.customer_id = known.refs.customer_id if known else None
    entry.due_at = page.into.now + AGAIN
    if entry.outcome == Outcome.OBSERVED and entry.stage == page.stage:
        return
    found = accounting.plan(fact, place)
    if found.is_early:
        entry.outcome, entry.code, entry.why = Outcome.HEARD, "early", "the payment or refund is not over yet"
    elif found.skipped:
        entry.outcome, entry.code, entry.why = Outcome.SKIPPED, "", found.skipped
    elif found.code:
        _wait(page, entry, found)
    else:
        _propose(page, entry, found, known)
    if entry.outcome != Outcome.WAITING:
        _settle_item(entry)
    page.counts[entry.outcome] += 1


def _wait(page: Page, entry: BalanceEntry, found: Plan) -> None:
    """A person's turn, once for each reason; one that a person settled is not looked at again."""
    is_told = entry.outcome == Outcome.WAITING and entry.code == found.code and entry.item_id is not None
    if is_told and sets.run(_RESOLVED, {"id": entry.item_id}):
        entry.outcome, entry.why = Outcome.SKIPPED, f"a person settled it: {found.sentence}"[:300]
        return
    if not is_told:
        _settle_item(entry)
    entry.outcome, entry.code, entry.why = Outcome.WAITING, found.code, found.sentence[:300]
    if is_told or page.stage.partition("/")[0] in SILENT:
        return
    item = {
        "kind": ITEM, "why": found.code, "sentence": found.sentence, "reason": REASONS.get(found.code, OTHERWISE),
        "owner_group": page.into.policies.owner_of(accounting.AUTOMATION) or OWNER, "customer_id": entry.customer_id,
        "correlation_id": entry.correlation_id, "automation": accounting.AUTOMATION, "provider": "netsuite",
        "amount_minor": abs(entry.amount_minor or entry.fee_minor) if entry.currency else None,
        "currency": entry.currency,
        "error_code": found.code, "evidence": {"balance_transaction": entry.provider_id},
    }  # fmt: skip
    page.asks.append((entry, item))


_RESOLVED = "select 1 from gates_reviewitem where id = %(id)b and state = 'resolved'"
_SETTLE = """
update gates_reviewitem set state = 'resolved', state_version = state_version + 1, resolution = 'superseded',
       resolved_at = %(now)b where id = %(id)b and state <> 'resolved'"""


def _settle_item(entry: BalanceEntry) -> None:
    """What was asked about it is overtaken."""
    if entry.item_id is not None:
        sets.run(_SETTLE, {"id": entry.item_id, "now": clock.now()})
        entry.item_id = None


def _ask(page: Page) -> None:
    ids = items.open_tasks([item for _, item in page.asks])
    for (entry, _), item_id in zip(page.asks, ids, strict=True):
        entry.item_id = item_id


def _propose(page: Page, entry: BalanceEntry, found: Plan, known: Known | None) -> None:
    """Every record of the fact through the gates; of none, or of one in a stage that only observes, no action acts."""
    if entry.event_id is None or entry.stage:  # proposed before: the same event has the same action once only
        page.event = page.event or event_of([entry.provider_id], page.account)
        entry.event_id = page.event.pk
    cause = Cause(entry.event_id, entry.correlation_id, accounting.AUTOMATION)
    before = len(page.into.actions)
    for proposal in found.proposals:
        page.into.propose(proposal, known or correlate.NOBODY, cause)
    made = page.into.actions[before:]
    is_seen = bool(made) and all(one["state"] == "observed" for one in made)
    entry.outcome, entry.stage = Outcome.OBSERVED if is_seen else Outcome.PLANNED, page.stage
    entry.code = entry.why = ""


def event_of(lines: Sequence[str], account: str, customer_id: int | None = None, why: str = "a sweep") -> Event:
    """Every action has an event; what no webhook told of has one of our own that is over when it is stored."""
    now = clock.now()
    raw = sets.to_json({"account": account, "lines": list(lines)}).encode()
    event = Event.objects.create(
        source=SOURCE, provider_event_id=f"balance-{new_action_id()}", type=KIND, kind=KIND, object_id=lines[0],
        occurred_at=now, received_at=now, enqueued_at=now, done_at=now, lane=lane_of(f"{SOURCE}:balance"),
        state=Event.State.PROCESSED, verdict=f"done: {why} found what moved in billing's balance",
        customer_id=customer_id, body_sha=hashlib.sha256(raw).digest(), correlation_id=uuid4(),
    )  # fmt: skip
    EventBody.objects.create(event_id=event.pk, received_at=now, sha=event.body_sha, raw=raw)
    return event

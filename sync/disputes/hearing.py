"""What an event about a dispute leads to: its record, a suggested refund, a person's turn, and what follows its end.

Each event is booked on what the provider has now, so any order of events, with any repeats, ends in the same record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gates.playbooks import disputes
from gates.playbooks.disputes import Payer, Plan
from ledger import book
from ledger.models import Action, Contract
from sync import correlate, facts
from sync.booking import Booking, Cause
from sync.correlate import Found
from sync.disputes import tasks, told
from sync.disputes.models import VERBS, Dispute
from sync.disputes.told import Told
from sync.facts import Known
from sync.understand import Heard

SUBJECT, ACTOR = "dispute", "system:disputes"
UNDECIDED = ("held", "in_review", "approved", "parked", "failed")
FIRST = {"waiting": 0, "unclear": 1, "reviewed": 2}
REPLACED = "the bank went on to a dispute of the same payment"


@dataclass(slots=True)
class Hearing:
    """One event about one dispute, while it is booked."""

    one: Heard
    told: Told
    record: Dispute
    known: Known | None
    into: Booking
    prior: str = ""
    is_new: bool = False

    @property
    def has_moved(self) -> bool:
        """Whether it took a step."""
        return self.is_new or self.prior != str(self.record.state)

    @property
    def cause(self) -> Cause:
        """What comes of it belongs to the dispute's own thread."""
        return Cause(self.one.id, self.record.correlation_id, disputes.AUTOMATION, self.one.late)


def hear(one: Heard, place: Found | None, into: Booking) -> str:
    """Book one event about a dispute or an early fraud warning, in the caller's transaction; returns its verdict."""
    now = told.of(one)
    held = Dispute.objects.select_for_update().filter(provider=one.source, external_id=now.case.id).first()
    if held is not None and not _is_news(held, now):
        return "superseded: older than what is known"
    record = held or Dispute(
        provider=one.source, external_id=now.case.id, correlation_id=one.correlation_id, charge=now.case.charge
    )
    hearing = Hearing(one, now, record, _known(place, now), into, str(record.state), held is None)
    found = _plan(hearing, place)
    if not _learn(hearing, place, found):
        return "superseded: nothing newer in it"
    if place is None:
        return f"done: {record} kept; nobody here knows the customer"
    _act(hearing, found)
    return f"done: {record} {record.get_state_display().lower()}"


def _is_news(held: Dispute, now: Told) -> bool:
    """Older never overwrites newer; of two events of the same second the one that is further on counts."""
    if now.is_live or now.at > held.told_at:
        return now.at >= held.told_at
    return now.at == held.told_at and _rank(now.case.standing) >= _rank(str(held.state))


def _rank(standing: str) -> int:
    return FIRST.get(standing, -1 if standing == Dispute.State.HEARD else 3)


def _known(place: Found | None, now: Told) -> Known | None:
    """The customer with the contract that the payment was for; without one where that cannot be told."""
    if place is None:
        return None
    contract = place.contract_id or _contract(place.customer_id, now.subscription_id)
    found = correlate.load([contract]) if contract else {}
    known = found.get(contract or 0) or correlate.load_customers([place.customer_id])[place.customer_id]
    if now.payment is not None:
        known.blocks["payment"] = {**facts.payment_block(now.payment), "live": True}
    return known


def _contract(customer_id: int, subscription: str) -> int | None:
    link = ("stripe", "subscription", subscription)
    named = correlate.look_up([link]).get(link)
    if named is not None and named.customer_id == customer_id:
        return named.contract_id
    mine = Contract.objects.filter(customer=customer_id).exclude(state=Contract.State.CANCELLED)
    only = list(mine.values_list("pk", flat=True)[:2])
    return only[0] if len(only) == 1 else None


def _plan(hearing: Hearing, place: Found | None) -> Plan:
    """What is called for, with what this customer disputed before."""
    now, record = hearing.told, hearing.record
    record.prior_disputes = _prior(record, place) if hearing.is_new else record.prior_disputes
    if now.case.kind == disputes.WARNING and _is_disputed(record):
        return Plan("nothing", "A dispute of this payment is there already; it is answered there.")
    return disputes.plan(now.case, now.paid, _payer(hearing), told.terms())


def _payer(hearing: Hearing) -> Payer:
    known = hearing.known
    return Payer(
        hearing.record.prior_disputes, known.state if known else "", hearing.told.subscription,
        bool(known and known.refs.ticket), is_refunded=_is_refunded(hearing),
    )  # fmt: skip


def _is_refunded(hearing: Hearing) -> bool:
    record = hearing.record
    return bool(record.customer_id) and _made(hearing, (disputes.REFUND,)).filter(state="applied").exists()


def _prior(record: Dispute, place: Found | None) -> int:
    if place is None:
        return 0
    mine = Dispute.objects.filter(customer=place.customer_id).exclude(kind=Dispute.Kind.WARNING)
    return mine.exclude(external_id=record.external_id).count()


def _is_disputed(record: Dispute) -> bool:
    same = Dispute.objects.filter(provider=record.provider, charge=record.charge)
    return same.exclude(kind=Dispute.Kind.WARNING).exists()


def _learn(hearing: Hearing, place: Found | None, found: Plan) -> bool:
    """Put what was told into the record, with its ledger row; False when it said all of it already."""
    record, case, paid = hearing.record, hearing.told.case, hearing.told.paid
    sum_ = found.suggestion
    news: dict[str, Any] = {
        "kind": case.kind, "status": case.status[:60], "charge": case.charge, "amount_minor": case.amount_minor,
        "currency": case.currency, "reason": case.reason[:60], "opened_at": case.opened_at,
        "evidence_due_at": case.due_at, "advice": found.advice[:400],
    }  # fmt: skip
    if hearing.known is not None:
        news |= {"customer_id": hearing.known.refs.customer_id, "contract_id": hearing.known.refs.contract_id or None}
    if paid is not None:
        news["refunded_minor"] = paid.refunded_minor
    if sum_ is not None:
        news |= {"suggested_minor": sum_.minor, "lines": sum_.as_json(), "rounded": sum_.rounded}
        news["confidence"] = found.confidence
    changed = hearing.is_new or any(getattr(record, name) != value for name, value in news.items())
    for name, value in news.items():
        setattr(record, name, value)
    if not changed and str(record.state) == case.standing:
        return False
    record.told_at = hearing.told.at
    record.closed_at = (record.closed_at or hearing.told.at) if case.standing in disputes.OVER else None
    step(record, case.standing, hearing.one.id, found.advice)
    return True


def step(record: Dispute, standing: str, event_id: int | None, why: str) -> None:
    """Move it, or note what is newly known of it where it stays; the row goes with it."""
    prior = str(record.state)
    verb = VERBS[standing] if standing != prior else "note_dispute"
    if standing == prior:
        record.state_version += 1
    else:
        getattr(record, verb)()
    record.save()
    book.write_rows([_row(record, verb, prior, event_id, why)])


def _row(record: Dispute, decision: str, prior: str, event_id: int | None, why: str) -> dict[str, Any]:
    inputs = {
        "dispute": record.external_id, "charge": record.charge, "kind": record.kind, "status": record.status,
        "reason": record.reason, "evidence_due_at": record.evidence_due_at, "told_at": record.told_at,
        "suggested_minor": record.suggested_minor, "refunded_minor": record.refunded_minor,
        "prior_disputes": record.prior_disputes, "confidence": record.confidence,
    }  # fmt: skip
    return {
        "subject_kind": SUBJECT, "subject_id": str(record.pk), "event_id": event_id, "decision": decision,
        "customer_id": record.customer_id, "actor": ACTOR, "prior_state": prior, "post_state": str(record.state),
        "state_version": record.state_version, "correlation_id": record.correlation_id, "inputs": inputs,
        "reasons": [{"rule": SUBJECT, "reason": why}], "amount_minor": record.amount_minor,
        "currency": record.currency, "outcome": str(record.state),
    }  # fmt: skip


def _act(hearing: Hearing, found: Plan) -> None:
    """A refund is proposed, a person is asked, or both are taken back."""
    record, case = hearing.record, hearing.told.case
    if case.kind != disputes.WARNING:
        _replace_warnings(hearing)
    if found.answer != "refund":
        _withdraw(hearing, record.external_id, f"the dispute is {record.get_state_display().lower()}: {found.advice}")
    if found.answer == "refund":
        _propose(hearing, found)
    elif found.answer == "respond":
        tasks.ask(hearing.record, found, hearing.one, renew=hearing.has_moved)
    else:
        tasks.close(record, str(record.state))
    if hearing.has_moved and not hearing.one.late:
        _follow(hearing, found)


def _propose(hearing: Hearing, found: Plan) -> None:
    """Once for a dispute; where the automation only observes a person is asked all the same, as the bank waits."""
    assert hearing.known is not None
    made = _made(hearing, (disputes.REFUND,), modes=("live", "shadow"))
    if hearing.is_new or not made.exclude(state="superseded").exists():
        hearing.into.propose(disputes.refund(hearing.told.case, found, _payer(hearing)), hearing.known, hearing.cause)
        if hearing.into.actions[-1]["state"] != "observed":
            tasks.close(hearing.record, "superseded")
            return
        found = replace(found, advice=f"{found.advice} The automation only observes: do it at the provider.")
        tasks.ask(hearing.record, found, hearing.one, renew=True)


def _follow(hearing: Hearing, found: Plan) -> None:
    """Words for the desk, and what an end means for the contract."""
    case, payer = hearing.told.case, _payer(hearing)
    proposals: tuple[Any, ...] = ()
    if case.standing in disputes.OVER and case.kind != disputes.WARNING:
        suspended = _made(hearing, ("contract.suspend",)).filter(state="applied").exists()
        proposals = disputes.closed(case, payer, is_suspended_for_it=suspended)
    elif hearing.is_new and payer.has_ticket and case.kind != disputes.WARNING:
        proposals = (disputes.opened_note(case, found.advice),)
    for proposal in proposals:
        assert hearing.known is not None
        if hearing.known.refs.contract_id:
            reverses = _reversed(hearing) if proposal.risk.reverses else None
            hearing.into.propose(proposal, hearing.known, replace(hearing.cause, reverses=reverses))


def _reversed(hearing: Hearing) -> Any:
    done = _made(hearing, ("contract.suspend",)).filter(state="applied").order_by("-applied_at")
    return done.values_list("pk", flat=True).first()


def _made(hearing: Hearing, kinds: tuple[str, ...], modes: tuple[str, ...] = ("live",)) -> Any:
    """The actions that were proposed because of this dispute."""
    record = hearing.record
    mine = Action.objects.filter(customer=record.customer_id, kind__in=kinds, mode__in=modes)
    return mine.filter(params__dispute=record.external_id)


def _replace_warnings(hearing: Hearing) -> None:
    """What the bank warned of has come: the dispute takes the warning's place."""
    record = hearing.record
    warned = Dispute.objects.select_for_update().filter(
        provider=record.provider, charge=record.charge, kind=Dispute.Kind.WARNING, state__in=Dispute.OPEN
    )
    for one in warned:
        _withdraw(hearing, one.external_id, REPLACED)
        tasks.close(one, "superseded")
        one.advice, one.closed_at, one.told_at = REPLACED.capitalize(), hearing.told.at, hearing.told.at
        step(one, disputes.ENDED, hearing.one.id, REPLACED)


def _withdraw(hearing: Hearing, dispute: str, why: str) -> None:
    """What waits because of a dispute that asks for something else now is taken back before it is sent."""
    waiting = Action.objects.select_for_update().filter(
        customer=hearing.record.customer_id, kind__in=(disputes.REFUND, "contract.suspend"), params__dispute=dispute,
        state__in=UNDECIDED,
    )  # fmt: skip
    hearing.into.drop([one["id"] for one in hearing.into.actions if _is_refund_of(one, dispute)])
    keeps = hearing.told.case.standing == disputes.LOST
    for action in waiting:
        if action.kind == "contract.suspend" and keeps:
            continue
        row = {"event_id": hearing.one.id, "reasons": [{"rule": "dispute", "reason": why[:300]}]}
        actor = f"automation:{disputes.AUTOMATION}"
        hearing.into.moves.append(book.step(action, "supersede", "superseded", actor, row=row))
        hearing.into.close(action.pk, "superseded")


def _is_refund_of(one: Mapping[str, Any], dispute: str) -> bool:
    return one["kind"] == disputes.REFUND and one["params"].get("dispute") == dispute

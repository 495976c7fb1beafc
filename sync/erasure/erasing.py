"""Having a person forgotten: one door for the shell and the schedule, in one transaction a person.

What is being sent at this moment is let to its end first; the job looks again until then. What still waits is dropped:
nobody is left to whom it could be done.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import policy
from gates.stop import Refused
from ledger import book, clock, sets
from ledger.models import Action, Customer, ExternalId
from sync import correlate
from sync.booking import Booking
from sync.erasure import sweep
from sync.erasure import words as wording
from sync.erasure.models import Erasure
from sync.portal import links

PERMISSION = "sync.erase_person"
WITHIN = timedelta(hours=24)
LONGEST_REASON = 200
MOST_WORDS = 20
IN_THE_AIR = ("sending", "unknown")
WAITING = ("proposed", "held", "in_review", "approved", "parked", "failed")
ACTOR = "system:erasure"
TOLD_BY = ("stripe", "netsuite")  # whose records name the customer, not people of our own
BODIES = """select b.raw from ledger_eventbody b join ledger_event e on e.id = b.event_id
   where e.customer_id = %(customer)b and e.source = any(%(sources)b::text[]) and b.erased_at is null
   order by b.id desc limit 500"""


@dataclass(frozen=True, slots=True)
class Report:
    """What an erasure changes: {table: rows}, actions it drops, where words still stand; `waits_for` keeps it back."""

    counts: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    left: dict[str, int] = field(default_factory=dict)
    waits_for: int = 0


class _Rehearsed(Exception):
    """Ends the transaction of a plan, so that nothing of it stays."""


def plan(customer: str, *, by: User, also: Sequence[str] = ()) -> Report:
    """What erasing would change; it is done and taken back. Raises Refused as `ask` does."""
    found = _customer(customer, by)
    report = Report()
    try:
        with transaction.atomic():
            report, _ = _erase(found, _words(found, also), by)
            raise _Rehearsed
    except _Rehearsed:
        return report


def ask(customer: str, *, by: User, reason: str, also: Sequence[str] = ()) -> tuple[Erasure, Report]:
    """Have a customer forgotten, at once where nothing of it is in the air.

    `also` are further names and addresses of the person. Raises Refused: 403 permission, 404 no such customer, 409
    erased already or asked for already, 422 a reason or a word that is no use.
    """
    found, said = _customer(customer, by), reason.strip()
    if not said or len(said) > LONGEST_REASON:
        raise Refused(422, "reason", f"reason: 1 to {LONGEST_REASON} characters, such as the number of the request")
    now = clock.now()
    with transaction.atomic():
        correlate.lock_customers([found.pk])
        if Erasure.objects.filter(customer=found).exists():
            raise Refused(409, "asked", "this customer's erasure was asked for already; it is done within 24 h")
        erasure = Erasure.objects.create(
            customer=found, state_version=1, asked_by=by, asked_at=now, due_at=now + WITHIN, reason=said,
            words=_words(found, also),
        )  # fmt: skip
        book.write_rows([_row(erasure, "ask_erasure", "asked", f"user:{by.pk}")])
    return erasure, carry_out(erasure.pk)


def carry_out(erasure_id: int) -> Report:
    """Erase one that was asked for; a report with `waits_for` where something is in the air and nothing was done."""
    with transaction.atomic():
        erasure = Erasure.objects.select_for_update(of=("self",)).select_related("customer", "asked_by").get(
            pk=erasure_id
        )  # fmt: skip
        if erasure.state != Erasure.State.ASKED:
            return Report(counts=erasure.counts)
        report, events = _erase(erasure.customer, erasure.words, erasure.asked_by)
        if report.waits_for:
            return report
        erasure.refresh_from_db()  # the words went from this row, too
        erasure.finish()
        erasure.words, erasure.events, erasure.counts = [], events, report.counts
        erasure.done_at = clock.now()
        erasure.save()
        book.write_rows([_row(erasure, "erase", "asked", ACTOR)])
    return report


def run() -> str:
    """Each hour: those that had to wait, and what came anew of those who are gone. Says what it did."""
    done = waiting = 0
    for pk in Erasure.objects.filter(state=Erasure.State.ASKED).order_by("id").values_list("pk", flat=True)[:100]:
        done, waiting = (done, waiting + 1) if carry_out(pk).waits_for else (done + 1, waiting)
    with transaction.atomic():
        emptied = sweep.again()
    return f"{done} erased, {waiting} wait, {emptied} rows that came anew were emptied"


def _erase(customer: Customer, words: Sequence[str], by: User) -> tuple[Report, list[int]]:
    """In the caller's transaction. The report, and the events whose bodies had the person without being anybody's."""
    correlate.lock_customers([customer.pk])
    in_the_air = Action.objects.filter(customer=customer, state__in=IN_THE_AIR).count()
    if in_the_air:
        return Report(waits_for=in_the_air), []
    dropped = _drop_waiting(customer)
    links.end_for(customer.pk, actor=ACTOR, reason="the customer was erased")
    ids = list(ExternalId.objects.filter(customer=customer).values_list("value", flat=True))
    counts = sweep.own_rows(customer.pk, [*ids, customer.external_id])
    found, events = sweep.everywhere(words)
    for table, changed in found.items():
        counts[table] = counts.get(table, 0) + changed
    counts = {table: count for table, count in sorted(counts.items()) if count}
    return Report(counts=counts, dropped=dropped, left=sweep.left(words)), events


def _drop_waiting(customer: Customer) -> int:
    """Supersede what was planned for the customer and close its items; how many."""
    waiting = list(Action.objects.select_for_update().filter(customer=customer, state__in=WAITING).order_by("id"))
    if waiting:
        into = Booking(policy.current(), clock.now())
        reasons = [{"rule": "erased", "reason": "the customer was erased"}]
        for one in waiting:
            row = book.row_of_action(one, reasons=reasons)
            into.moves.append(book.step(one, "supersede", "superseded", ACTOR, row=row))
            into.close(one.pk, "superseded")
        into.write()
    return len(waiting)


def _customer(named: str, by: User) -> Customer:
    """By our external id. Raises Refused 403, 404, 409."""
    if not (by.is_active and by.has_perm(PERMISSION)):
        raise Refused(403, "permission", f"your account may not erase persons; it needs the permission {PERMISSION}")
    found = Customer.objects.filter(external_id=named).first()
    if found is None:
        raise Refused(404, "customer", f"customer: there is none with the id {named[:64]!r}")
    if found.erased_at is not None:
        raise Refused(409, "erased", f"this customer was erased at {found.erased_at:%Y-%m-%d %H:%M} UTC")
    return found


def _words(customer: Customer, also: Sequence[str]) -> list[str]:
    """What to look for: what we and the records of billing and ERP call the person, and what the asker knows."""
    short = [word for word in also if len(word.strip()) < wording.SHORTEST]
    if short or len(also) > MOST_WORDS:
        rule = f"at most {MOST_WORDS} words of {wording.SHORTEST} characters or more each"
        raise Refused(422, "also", f"also: {rule}; a shorter one is part of too many others")
    raws = sets.run(BODIES, {"customer": customer.pk, "sources": list(TOLD_BY)})
    told = (word for (raw,) in raws for word in wording.in_document(_read(bytes(raw))))
    return wording.usable([customer.name, customer.email, *also, *told])


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _row(erasure: Erasure, decision: str, prior: str, actor: str) -> dict[str, Any]:
    return {
        "subject_kind": "erasure", "subject_id": str(erasure.pk), "customer_id": erasure.customer_id,
        "decision": decision, "actor": actor, "prior_state": prior, "post_state": str(erasure.state),
        "state_version": erasure.state_version, "outcome": str(erasure.state), "inputs": {"rows": erasure.counts},
    }  # fmt: skip

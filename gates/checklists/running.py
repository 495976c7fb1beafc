"""What happens to checklists by itself: they start, steps tick with their evidence, they end. In the caller's hands.

Everything here runs inside a transaction of the caller, which holds the rows of the customers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from gates import hours
from gates.checklists import rows, templates
from gates.models import BusinessHours, Checklist, ChecklistStep, ChecklistTemplate
from gates.presets_routing import OFFICE
from ledger import book, clock, sets

ACTOR = "automation:onboarding"
VALUE_BY = time(17, 0, tzinfo=UTC)
TYPES = {
    "customer_id": "bigint", "contract_id": "bigint", "deal": "text", "template_id": "bigint", "state": "text",
    "state_version": "int", "package": "text", "csm": "text", "billing_owner": "text", "first_value_on": "date",
    "signed_at": "timestamptz", "stage": "text", "event_id": "bigint", "correlation_id": "uuid",
    "created_at": "timestamptz",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Start:
    """A signed deal that is handed over. Ids of people are the CRM's; times aware UTC."""

    customer_id: int
    contract_id: int
    deal: str
    signed_at: datetime
    package: str = ""
    csm: str = ""
    billing_owner: str = ""
    first_value_on: date | None = None
    event_id: int | None = None
    correlation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What ticks a step of a contract's checklist: which evidence, and the record that shows it."""

    contract_id: int
    evidence: str
    kind: str
    id: str


def begin(starts: Sequence[Start]) -> int:
    """Start a checklist for each deal that has none, once for ever; returns how many were started."""
    template = templates.current() if starts else None
    if template is None:
        return 0
    now = clock.now()
    made = sets.insert(
        "gates_checklist", TYPES, [_row(one, template, now) for one in starts],
        "on conflict do nothing returning id, contract_id",
    )  # fmt: skip
    by_contract = {one.contract_id: one for one in starts}
    calendar = office()
    steps = [
        step for key, contract in made for step in _steps(key, by_contract[contract], template, calendar)
    ]  # fmt: skip
    ChecklistStep.objects.bulk_create(steps)
    started = Checklist.objects.filter(pk__in=[key for key, _ in made])
    book.write_rows([rows.of_list(one, "start", "running", ACTOR) for one in started])
    return len(made)


def _row(one: Start, template: ChecklistTemplate, now: datetime) -> dict[str, Any]:
    return {
        "customer_id": one.customer_id, "contract_id": one.contract_id, "deal": one.deal[:64],
        "template_id": template.pk, "state": "running", "state_version": 1, "package": one.package[:64],
        "csm": one.csm[:64], "billing_owner": one.billing_owner[:64], "first_value_on": one.first_value_on,
        "signed_at": one.signed_at, "stage": template.steps[0]["key"], "event_id": one.event_id,
        "correlation_id": one.correlation_id, "created_at": now,
    }  # fmt: skip


def _steps(
    checklist_id: int, start: Start, template: ChecklistTemplate, calendar: hours.Hours | None
) -> list[ChecklistStep]:
    made = []
    for position, one in enumerate(template.steps, start=1):
        within = calendar if one["business"] else None
        due = hours.add(start.signed_at, one["hours"] * 60, within)
        if one["value"] and start.first_value_on is not None:
            due = max(datetime.combine(start.first_value_on, VALUE_BY), start.signed_at)
        made.append(
            ChecklistStep(
                checklist_id=checklist_id, position=position, key=one["key"], title=one["title"],
                owner_group=one["group"], evidence=one["evidence"], blocking=one["blocking"], due_at=due,
                escalate_at=hours.add(due, one["escalate_hours"] * 60, within),
            )
        )  # fmt: skip
    return made


def office() -> hours.Hours | None:
    """The calendar that working hours are counted by; None counts every hour."""
    stored = BusinessHours.objects.filter(name=OFFICE).values("zone", "week", "holidays").first()
    return hours.read(stored) if stored else None


def grace(step: ChecklistStep) -> timedelta:
    """How long after it is due a step is escalated."""
    return step.escalate_at - step.due_at


def reopen(contract_ids: Collection[int]) -> None:
    """These deals were signed again: lists that were cancelled with them run on."""
    found = Checklist.objects.select_for_update().filter(contract__in=contract_ids, state="cancelled")
    for one in found.order_by("pk"):
        one.reopen()
        one.ended_at = None
        one.save()
        book.write_rows([rows.of_list(one, "reopen", "cancelled", ACTOR)])


def cancel(contract_ids: Collection[int], reason: str, *, actor: str = ACTOR) -> None:
    """The deals behind these lists are no more: nobody is nudged for them."""
    for one in Checklist.objects.select_for_update().filter(contract__in=contract_ids, state="running").order_by("pk"):
        one.cancel()
        one.ended_at = clock.now()
        one.save()
        why = [{"rule": "withdrawn", "reason": reason[:200]}]
        book.write_rows([rows.of_list(one, "cancel", "running", actor, reasons=why)])
        rows.close_tasks(list(one.steps.filter(state="waiting")), "cancelled")


def hand_over(contract_ids: Collection[int]) -> None:
    """A contract that went to another customer takes its list along."""
    sets.run(
        """update gates_checklist c set customer_id = k.customer_id from ledger_contract k
           where k.id = c.contract_id and c.contract_id = any(%(ids)b::bigint[]) and c.customer_id <> k.customer_id
             and not exists (select from gates_checklist o where o.customer_id = k.customer_id and o.deal = c.deal)""",
        {"ids": list(contract_ids)},
    )


def prove(proofs: Sequence[Proof]) -> int:
    """Tick what these records show to be done; returns how many steps were ticked. A second proof changes nothing."""
    if not proofs:
        return 0
    shown = {(one.contract_id, one.evidence): one for one in proofs}
    lists = {
        one.contract_id: one
        for one in Checklist.objects.select_for_update()
        .filter(contract__in={one.contract_id for one in proofs}, state="running")
        .order_by("pk")
    }
    waiting = ChecklistStep.objects.select_for_update(of=("self",)).filter(
        checklist__in=[one.pk for one in lists.values()], state="waiting", evidence__in={one.evidence for one in proofs}
    )
    by_id = {one.pk: one for one in lists.values()}
    done: list[ChecklistStep] = []
    for step in waiting.order_by("pk"):
        step.checklist = by_id[step.checklist_id]
        proof = shown.get((step.checklist.contract_id, step.evidence))
        if proof is not None:
            finish(step, ACTOR, proof.kind, proof.id)
            done.append(step)
    rows.close_tasks(done, "done")
    for one in {step.checklist_id: step.checklist for step in done}.values():
        settle(one, ACTOR)
    return len(done)


def finish(step: ChecklistStep, actor: str, kind: str, key: str) -> None:
    """Tick one step with its evidence, with what is measured by it."""
    step.tick()
    step.done_at, step.evidence_kind, step.evidence_id, step.late = clock.now(), kind, key[:64], False
    step.save()
    book.write_rows([rows.of_step(step, "tick_step", "waiting", actor, reasons=[{"rule": "evidence", "reason": kind}])])
    whole = step.checklist
    if step.evidence == "customer.applied":
        whole.customer_at = step.done_at
    elif step.evidence == "invoice.applied":
        whole.invoiced_at = step.done_at
    if any(one["value"] for one in whole.template.steps if one["key"] == step.key):
        whole.value_at = step.done_at


def settle(one: Checklist, actor: str) -> None:
    """Which step waits now; the list is complete when none does. The caller holds its row."""
    key = one.steps.filter(state="waiting").order_by("position").values_list("key", flat=True).first()
    one.stage = key or ""
    if key is None and one.state == Checklist.State.RUNNING:
        one.complete()
        one.ended_at = clock.now()
        one.save()
        book.write_rows([rows.of_list(one, "complete", "running", actor)])
    else:
        one.save()

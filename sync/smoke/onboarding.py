"""Synthetic signed deals: made, signed, and followed until each is a customer with an invoice, or a clear item."""

from collections.abc import Sequence
from datetime import datetime

from ledger import clock
from ledger.models import Action
from sync.smoke import deal, watch
from sync.smoke.calls import Calls
from sync.smoke.deal import Made
from sync.smoke.fixtures import PLAIN, Variant
from sync.smoke.result import Part, Step, Waiter

AUTOMATION = "onboarding"
TOLD, VALIDATED, CUSTOMER, INVOICE = 10.0, 10.0, 60.0, 60.0
WRITTEN = 120.0  # what follows: nobody waits for it, but it must come
ACTING = ("full",)


class Followed:
    """One variant on its way."""

    def __init__(self, variant: Variant, made: Made) -> None:
        self.variant, self.made = variant, made
        self.signed_at: datetime = clock.now()

    @property
    def contract(self) -> int | None:
        """Ours, once the deal was read."""
        return watch.contract_of("pipedrive", "deal", self.made.deal)

    def is_over(self, *, acts: bool) -> bool:
        """Whether nothing more is to be waited for."""
        if watch.signed(self.made.deal) is None:
            return False
        waits = watch.item(self.contract)
        if waits is not None or not acts:
            return True
        return watch.action(self.contract, "deal.note", "applied", of="invoiced") is not None

    def after(self, at: datetime | None) -> float | None:
        """Seconds since it was signed."""
        return max(0.0, (at - self.signed_at).total_seconds()) if at else None


def play(
    calls: Calls, run: str, variants: Sequence[Variant], wait: Waiter, patience: float
) -> tuple[list[Part], list[str]]:
    """Make, sign and follow; the parts and what to know about them. Raises NotReady."""
    setup = deal.prepare(calls)
    followed = [
        Followed(one, deal.make(calls, setup, one, run, number)) for number, one in enumerate(variants, start=1)
    ]
    for one in followed:
        one.signed_at = clock.now()
        deal.sign(calls, setup, one.made)
    stage = watch.stage(AUTOMATION)
    acts = stage in ACTING
    wait(lambda: all(one.is_over(acts=acts) for one in followed), patience)
    notes = [] if acts else [
        f"Nothing was written: the automation {AUTOMATION} is in stage {stage}. Step it to full to see the rest."
    ]  # fmt: skip
    return [_part(one, calls, acts=acts) for one in followed], notes


def _part(one: Followed, calls: Calls, *, acts: bool) -> Part:
    name = "Signed deal" if one.variant is PLAIN else f"Signed deal: {one.variant.name}"
    part = Part(f"{name} ({one.made.company})")
    made = one.made
    part.left.append(f"CRM: deal {made.deal}, organization {made.organization}, person {made.person} ({made.company})")
    seen = watch.signed(one.made.deal)
    missed = "" if seen else watch.verdict("pipedrive", one.made.deal)
    part.steps += [
        Step("the CRM's webhook is stored", TOLD, one.after(seen.told_at if seen else None), missed),
        Step("validated", VALIDATED, one.after(seen.judged_at if seen else None), missed),
    ]
    if one.variant.item:
        part.steps.append(_item(one))
    else:
        part.steps += _billed(one, part, calls, acts=acts)
    return part


def _item(one: Followed) -> Step:
    """What must be a person's turn is one, and names the field."""
    step = Step("one review item names the field", VALIDATED)
    found = watch.item(one.contract)
    if found is None:
        step.why = f"nothing waits for a person; wanted: {one.variant.item}"
        return step
    step.seconds = one.after(found.created_at)
    if one.variant.item not in found.reason:
        step.why = f"{found} says {found.reason!r}; wanted: {one.variant.item}"
    return step


def _billed(one: Followed, part: Part, calls: Calls, *, acts: bool) -> list[Step]:
    """Customer, invoice, and the deal saying so."""
    contract = one.contract
    steps = [
        _applied(one, contract, "customer in the ERP, read back", CUSTOMER, "customer.create"),
        Step("first invoice planned", INVOICE),
        _applied(one, contract, "first invoice in the ERP, read back", WRITTEN, "invoice.create"),
        _applied(one, contract, "the deal says so", WRITTEN, "deal.note"),
    ]
    if not acts:
        for step in steps:
            step.skipped, step.why = True, "the automation does not act"
        return steps
    planned = watch.action(contract, "invoice.create")
    steps[1].seconds = one.after(planned.created_at if planned else None)
    steps[1].why = "" if planned else watch.why_not(contract, "invoice.create", "no invoice was planned")
    for kind, word in (("customer.create", "customer"), ("invoice.create", "invoice")):
        done = watch.action(contract, kind, "applied")
        if done is not None and done.confirmation:
            part.left.append(f"ERP: {word} {done.confirmation.get('id', '?')} ({one.made.company})")
    ours = watch.customer_of(contract)
    if ours is not None and steps[0].seconds is not None:
        count = deal.alike(one.made, ours.external_id, calls)
        steps[0].why = "" if count == 1 else f"the ERP has {count} such customers"
    return steps


def _applied(one: Followed, contract: int | None, name: str, limit: float, kind: str) -> Step:
    of = "invoiced" if kind == "deal.note" else ""
    found: Action | None = watch.action(contract, kind, "applied", of=of)
    if found is not None:
        return Step(name, limit, one.after(found.applied_at))
    return Step(name, limit, why=watch.why_not(contract, kind, "it was not planned"))

"""A synthetic failed payment: a subscription with Stripe's own failing test card, its contract in the ERP, one try.

Test objects of Stripe exist in test mode only. Afterwards the invoice is voided, so that what was planned because of
it is withdrawn, and subscription and customer are removed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import clock
from sync import providers
from sync.contracts.netsuite import field_ids
from sync.errors import PermanentError
from sync.onboarding.reading import erp
from sync.providers.netsuite import RECORDS, location_id
from sync.providers.stripe import FORM_TYPE, FormValue, Stripe
from sync.smoke import MARK, watch
from sync.smoke.calls import Calls
from sync.smoke.result import Part, Step, Waiter
from sync.wiretypes import FrozenRequest

AUTOMATION = "dunning"
DECLINING = "pm_card_chargeCustomerFail"  # Stripe's test card that can be attached and is then declined
JUDGED, PLANNED, WITHDRAWN = 10.0, 60.0, 60.0
AMOUNT = 100
WAITING = ("proposed", "held", "in_review", "approved", "parked")
PLANS = ("ticket.open", "contract.suspend", "contract.downgrade")
SHOWN = ("observed", *WAITING, "sending", "unknown", "applied", "failed", "superseded")


@dataclass(slots=True)
class Made:
    """What is there of it."""

    customer: str = ""
    product: str = ""
    subscription: str = ""
    invoice: str = ""
    erp_customer: str = ""
    erp_contract: str = ""


def stripe() -> Stripe:
    """The adapter, narrowed."""
    adapter = providers.get("stripe")
    assert isinstance(adapter, Stripe)
    return adapter


def play(calls: Calls, run: str, wait: Waiter, patience: float) -> Part:
    """Make it, let the payment fail, follow what happens, and clear up. Raises NotReady."""
    part, made = Part(f"Failed payment ({MARK} {run})"), Made()
    try:
        with calls.kept("making the synthetic subscription"):
            _subscribe(calls, run, made)
        with calls.kept("making its contract in the ERP"):
            _book(calls, run, made)
        wait(lambda: _contract(made) is not None, JUDGED)
        failed_at = clock.now()
        with calls.kept("letting the payment fail"):
            _fail(calls, run, made)
        part.steps += _follow(made, failed_at, wait, patience)
    finally:
        part.left += _clear_up(calls, run, made)
    if made.subscription:
        part.steps.append(_withdrawn(made, clock.now(), wait, patience))
    return part


def _subscribe(calls: Calls, run: str, made: Made) -> None:
    """Customer, failing card, product and a subscription whose first invoice waits to be paid."""
    name, mark = f"{MARK} {run}", {"meshline_smoke": run}
    made.customer = _post(calls, run, "/v1/customers", {"name": name, "metadata": mark})["id"]
    card = _post(calls, run, f"/v1/payment_methods/{DECLINING}/attach", {"customer": made.customer})["id"]
    made.product = _post(calls, run, "/v1/products", {"name": name, "metadata": mark})["id"]
    price: dict[str, FormValue] = {
        "currency": "eur", "product": made.product, "unit_amount": AMOUNT, "recurring": {"interval": "month"},
    }  # fmt: skip
    subscription = _post(calls, run, "/v1/subscriptions", {
        "customer": made.customer, "items": [{"price_data": price}], "default_payment_method": card,
        "payment_behavior": "default_incomplete", "metadata": mark,
    })  # fmt: skip
    made.subscription, latest = subscription["id"], subscription["latest_invoice"]
    made.invoice = latest["id"] if isinstance(latest, dict) else str(latest)


def _book(calls: Calls, run: str, made: Made) -> None:
    """Its payer and contract in the ERP, as finance would enter them."""
    config, fields = erp().config, field_ids()
    customer = {"companyName": f"{MARK} {run}-pay", "isPerson": False, fields.stripe_customer: made.customer}
    answer = calls.json("netsuite", "PUT", f"{RECORDS}/customer/eid:smoke-{run}-payer", customer)
    made.erp_customer = location_id(answer, "customer")
    record = str(config["contract_record"])
    contract = {
        fields.customer: {"id": made.erp_customer}, fields.subscription: made.subscription, fields.status: "active",
        fields.plan: "smoke", "name": f"{MARK} {run}",
    }  # fmt: skip
    answer = calls.json("netsuite", "PUT", f"{RECORDS}/{record}/eid:smoke-{run}-contract", contract)
    made.erp_contract = location_id(answer, record)


def _fail(calls: Calls, run: str, made: Made) -> None:
    """Try to collect: Stripe refuses with the card's own error, and tells of it."""
    try:
        _post(calls, run, f"/v1/invoices/{made.invoice}/pay", {})
    except PermanentError as error:
        if error.status != 402:
            raise


def _follow(made: Made, failed_at: datetime, wait: Waiter, patience: float) -> list[Step]:
    """The event judged, and what it led to."""
    wait(lambda: watch.failed_payment(made.invoice) is not None, patience)
    seen = watch.failed_payment(made.invoice)
    missed = "" if seen else watch.verdict("stripe", made.invoice)
    wait(lambda: seen is None or _plans(made) >= {"ticket.open"}, patience)
    plans = {kind: watch.action(_contract(made), kind, *SHOWN) for kind in PLANS}
    effect = plans["contract.suspend"] or plans["contract.downgrade"]
    return [
        Step("Stripe's webhook is stored", JUDGED, _after(failed_at, seen.told_at if seen else None), missed),
        Step("judged, contract found", JUDGED, _after(failed_at, seen.judged_at if seen else None), missed),
        _planned("ticket planned", plans["ticket.open"], failed_at),
        _planned("suspension planned, held for the window", effect, failed_at),
    ]


def _planned(name: str, action: Any, failed_at: datetime) -> Step:
    if action is None:
        return Step(name, PLANNED, why="it was not planned")
    return Step(name, PLANNED, _after(failed_at, action.created_at))


def _plans(made: Made) -> set[str]:
    return {kind for kind in PLANS if watch.action(_contract(made), kind, *SHOWN)}


def _withdrawn(made: Made, voided_at: datetime, wait: Waiter, patience: float) -> Step:
    """The invoice is void: nothing may stay planned because of it."""
    stuck = ("contract.suspend", "contract.downgrade")

    def is_over() -> bool:
        return not any(watch.action(_contract(made), kind, *WAITING) for kind in stuck)

    is_withdrawn = wait(is_over, patience)
    step = Step("invoice voided: the suspension is withdrawn", WITHDRAWN, _after(voided_at, clock.now()))
    step.why = "" if is_withdrawn else "it is still planned"
    return step


def _clear_up(calls: Calls, run: str, made: Made) -> list[str]:
    """Void, cancel and delete what Stripe lets go of; what stays, in words."""
    left = [f"ERP: customer {made.erp_customer}, contract {made.erp_contract}"] if made.erp_customer else []
    left += [f"Stripe: product {made.product}"] if made.product else []
    ticket = watch.action(_contract(made), "ticket.open", "applied") if made.subscription else None
    left += [f"support desk: ticket {(ticket.confirmation or {}).get('id', '?')}"] if ticket else []
    for what, request in _requests(run, made):
        try:
            with calls.kept(f"clearing up {what}"):
                calls.write(request)
        except Exception as error:  # noqa: BLE001 - clearing up goes on, and says what is left
            left.append(f"Stripe: {what} ({error})")
    return left


def _requests(run: str, made: Made) -> list[tuple[str, FrozenRequest]]:
    version = ("Stripe-Version", stripe().api_version)
    found = []
    if made.invoice:
        path = f"/v1/invoices/{made.invoice}/void"
        found.append((f"invoice {made.invoice}", stripe().post(path, {}, f"smoke-{run}-void")))
    for what, path in (("subscription", made.subscription), ("customer", made.customer)):
        if path:
            request = FrozenRequest("stripe", "DELETE", f"/v1/{what}s/{path}", (FORM_TYPE, version), "")
            found.append((f"{what} {path}", request))
    return found


def _contract(made: Made) -> int | None:
    return watch.contract_of("stripe", "subscription", made.subscription)


def _post(calls: Calls, run: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
    """One write under a key of this run: not one of ours, so that what it causes is not taken for an echo."""
    found: dict[str, Any] = calls.write(stripe().post(path, params, f"smoke-{run}-{path.replace('/', '-')}")).json()
    return found


def _after(since: datetime, at: datetime | None) -> float | None:
    return max(0.0, (at - since).total_seconds()) if at else None

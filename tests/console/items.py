"""Items for looking at and deciding on: a customer that is known everywhere, a contract, an action and its story."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gates import presets
from gates.types import Facts, Policy
from ledger import clock, sets
from sync import facts
from tests import factories as f

EMAIL = "ada.lovelace@initech.example"


def page_of(item: Any, query: str = "") -> str:
    return reverse("admin:gates_reviewitem_change", args=[item.pk]) + query


def verb(item: Any, name: str) -> str:
    return reverse("admin:review_verb", args=[item.pk, name])


def drawn(item: Any, **more: Any) -> dict[str, Any]:
    """What the page of an item sends back with a verb."""
    shown = {"version": item.action.state_version, "preview_hash": item.action.preview_hash, "reason": "checked"}
    return {**shown, **more}


def answer(rule: str, verdict: str, reason: str = "so it is", version: int = 1) -> dict[str, Any]:
    return {"rule": rule, "verdict": verdict, "reason": reason, "version": version, "until": None}


def customer(*, read_ago: timedelta = timedelta(seconds=38), **more: Any) -> Any:
    """A customer with a contract that is behind, known in three systems, read a moment ago."""
    made = f.CustomerFactory(
        **{"name": "Initech Labs", "email": EMAIL, "tier": "growth", "mrr_minor": 19900, "currency": "usd", **more}
    )
    contract = f.ContractFactory(
        customer=made, state="past_due", plan="growth", amount_minor=19900, currency="usd",
        started_at=clock.now() - timedelta(days=1500), ends_at=clock.now() + timedelta(days=120),
        dunning={"in_1": {"first_failed": 1_790_000_000, "newest": [1_790_000_000, 2, 0], "number": "INV-1"}},
    )  # fmt: skip
    for system, kind, value in (
        ("stripe", "customer", f"cus_{made.pk}"), ("stripe", "subscription", f"sub_{made.pk}"),
        ("netsuite", "contract", f"10{made.pk}"), ("zendesk", "ticket", f"48{made.pk}"),
    ):  # fmt: skip
        of = contract if kind in ("subscription", "contract") else None
        f.ExternalIdFactory(customer=made, system=system, kind=kind, value=value, contract=of)
    f.ContextFactory(customer=made, blocks=blocks(contract, read_ago))
    return contract


def blocks(contract: Any, read_ago: timedelta) -> dict[str, Any]:
    """What was read of a contract's customer, by contract as workers store it."""
    read = (clock.now() - read_ago).isoformat()
    invoice = {
        "id": "in_1", "number": "INV-1", "status": "open", "amount_due": 19900, "amount_remaining": 19900,
        "currency": "usd", "attempt_count": 2, "next_attempt_at": (clock.now() + timedelta(hours=19)).isoformat(),
    }  # fmt: skip
    return {
        f"billing:{contract.pk}": {
            "synced_at": read, "live": True, "subscription_status": "past_due", "open_disputes": 1, "fraud_flag": False,
            "invoices": [invoice, {**invoice, "id": "in_0", "number": "INV-0", "status": "paid"}],
        },
        f"entitlement:{contract.pk}": {
            "synced_at": read, "live": True, "record": f"10{contract.customer_id}", "status": "active",
            "plan": "growth", "started_at": contract.started_at.isoformat(), "ends_at": contract.ends_at.isoformat(),
        },
        f"support:{contract.pk}": {"synced_at": read, "ticket": "other", "status": "open", "tags": []},
    }  # fmt: skip


def judged_on() -> dict[str, Any]:
    """Facts as they are stored with an action."""
    now = clock.now()
    found = Facts(now, tier="growth", open_disputes=1, erp_status="active", synced_at={"billing": now})
    policy = Policy().basis | {"approved": []}
    kept: dict[str, Any] = json.loads(sets.to_json({**facts.for_ledger(found), "policy": policy}))
    return kept


def item(state: str = "in_review", *, contract: Any = None, people: int = 1, **more: Any) -> Any:
    """An item about suspending a contract, with the event that began it and a ledger row."""
    presets.install_groups()
    contract = contract or customer()
    event = f.EventFactory(customer=contract.customer, state="processed", verdict="done: contract past due")
    gate = f.GateVersionFactory.build()
    open_dispute, _ = f.GateVersion.objects.get_or_create(
        name="open-dispute", version=1,
        defaults={"title": "Open dispute", "rows": gate.rows, "result": "block", "message": "a specialist decides"},
    )  # fmt: skip
    fields: dict[str, Any] = {
        "state": state, "contract": contract, "customer": contract.customer, "event": event, "automation": "dunning",
        "correlation_id": event.correlation_id, "state_version": 2, "rule_version": "a1:4c0ffee1",
        "preview": [{"system": "ERP", "field": "contract status", "now": "active", "after": "suspended"}],
        "answers": [
            answer("open-dispute", "block", "the customer disputes a payment", open_dispute.version),
            answer("safety_window", "pass", "window ended 13:00"),
            *([answer("amount", "review_two")] if people == 2 else []),
        ],
        "facts": judged_on(),
        "params": {"invoice": "in_1"},
    }  # fmt: skip
    action = f.ActionFactory(**{**fields, **more})
    f.LedgerRowFactory(
        subject_id=str(action.pk), action_id=action.pk, event_id=event.pk, customer_id=contract.customer_id,
        correlation_id=event.correlation_id, decision="ask", prior_state="held", post_state="in_review",
        reasons=[{"rule": "open-dispute", "reason": "the customer disputes a payment"}], state_version=2,
    )  # fmt: skip
    return f.ReviewItemFactory(
        action=action, event=event, amount_minor=action.amount_minor, currency=action.currency,
        sentence="Suspend contract: invoice INV-1 failed and stays unpaid.",
    )  # fmt: skip


@contextmanager
def counted(monkeypatch: Any) -> Iterator[list[str]]:
    """Every statement of a request: Django's own and those of `ledger.sets`, which go past Django's counter."""
    said: list[str] = []
    honest = sets.run

    def run(sql: str, params: Any = None) -> Any:
        said.append(" ".join(sql.split())[:160])
        return honest(sql, params)

    with monkeypatch.context() as patched, CaptureQueriesContext(connection) as seen:
        patched.setattr(sets, "run", run)
        yield said
    said += [one["sql"][:160] for one in seen if "SAVEPOINT" not in one["sql"]]

"""Customers on both sides of a sync, and runs worked to their end."""

import time
from typing import Any

from sync import drain, sweep
from sync.customer_sync import engine, runs
from sync.customer_sync.models import SyncOutcome, SyncRun
from sync.models import Attempt
from tests.flows.world import World

ID_FIELD = "custentity_nm_stripe_customer_id"


def plant_erp(world: World, *rows: dict[str, Any]) -> list[str]:
    """Customers of the ERP by their fields; `stripe` is the billing id it holds, `name` the company's."""
    made = []
    for number, row in enumerate(rows):
        fields = dict(row)
        name = fields.pop("name", f"Company {number} {time.monotonic_ns()}")
        fields |= {"companyName": name, "entityId": name[:80]} if name else {}
        if fields.get("stripe"):
            fields[ID_FIELD] = fields["stripe"]
        fields.pop("stripe", None)
        made.append(fields)
    return list(world.play("netsuite", "plant_customers", rows=made)["ids"])


def plant_billing(world: World, *rows: dict[str, Any]) -> list[str]:
    """Customers of the billing system."""
    return list(world.play("stripe", "plant_customers", rows=list(rows))["ids"])


def change_erp(world: World, internal_id: str, **fields: Any) -> None:
    """Somebody works in the ERP; its stamps have whole seconds."""
    world.sandbox.post("/_clock", {"advance_s": 2})
    world.play("netsuite", "change_customer", id=internal_id, fields=fields)


def run(mode: str = "mass", ids: Any = (), by: Any = None, seconds: float = 60.0, **more: Any) -> SyncRun:
    """Start a run and work until it is over."""
    return finish(runs.start("all-customers", mode, by=by, ids=ids, ring=False, **more), seconds)


def finish(started: SyncRun, seconds: float = 60.0) -> SyncRun:
    """Work on a run and on what it planned, until it is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        engine.work(started.pk, box=0.05)
        drain.once()
        sweep.sweep()
        started.refresh_from_db()
        if started.state not in ("planned", "running"):
            return started
    raise AssertionError(f"run {started.state}: {outcomes(started)}")


def outcomes(one: SyncRun) -> dict[str, tuple[str, str]]:
    """Internal id -> outcome and code."""
    rows = SyncOutcome.objects.filter(run=one)
    return {str(row.internal_id): (row.outcome, row.code) for row in rows}


def billing_books(world: World) -> dict[str, Any]:
    """Every customer of the billing system."""
    found: dict[str, Any] = world.sandbox.get("/_books/stripe?only=objects")["objects"]["customers"]
    return found


def erp_books(world: World) -> dict[str, Any]:
    """Every customer of the ERP."""
    found: dict[str, Any] = world.sandbox.get("/_books/netsuite?only=objects")["objects"]["customer"]
    return found


def calls(provider: str) -> int:
    """How many calls a provider was sent so far, signing in left out."""
    return Attempt.objects.filter(provider=provider).exclude(path__contains="/auth/").count()

"""One case for looking at: an event, the action it led to, and a person's turn."""

import json
import random
import uuid
from datetime import timedelta
from typing import Any

from ledger import clock, money
from tests import factories as f

STATES = (
    "in_review",
    "in_review",
    "in_review",
    "failed",
    "unknown",
    "in_review",
    "held",
    "applied",
    "parked",
    "held",
    "superseded",
    "in_review",
)
KINDS = ("contract.suspend", "contract.restore", "contract.downgrade", "ticket.open", "contract.suspend", "ticket.tag")


SENT = {"failed": "fail", "unknown": "doubt", "applied": "confirm"}
REASONS = {
    "hold": [{"rule": "safety_window", "verdict": "hold", "reason": "the provider may still collect the payment"}],
    "ask": [{"rule": "open-dispute", "verdict": "block", "reason": "the customer disputes a payment"}],
    "approve": [{"rule": "person", "reason": "approved by a person"}],
}


def make_case(customer: Any, contract: Any, index: int, chance: random.Random, people: dict[str, Any]) -> None:
    """One event, what it led to, and a person's turn where there is one."""
    begun = clock.now() - timedelta(minutes=37 * index + 12)
    event = make_event(customer, contract, index, begun, f"evt_1Q{index:03d}{chance.randrange(10**8):08d}")
    action = make_action(event, contract, index, begun)
    make_rows(action, contract, begun, f"user:{people['priya'].pk}")
    if action.state in SENT:
        make_attempts(action, action.state, begun)
    if action.state in ("in_review", "failed", "unknown"):
        item = make_item(action, contract, index, begun)
        if index % 5 == 1:
            text = "Customer confirmed by mail that the card was replaced.\nWaits for the bank."
            f.CommentFactory(item=item, author=people["dana"], text=text)


def make_event(customer: Any, contract: Any, index: int, begun: Any, name: str) -> Any:
    """A failed payment that was handled."""
    event = f.EventFactory(
        provider_event_id=name,
        object_id=next(iter(contract.dunning)),
        customer=customer,
        state="processed",
        verdict="done: contract past due",
        received_at=begun,
        occurred_at=begun - timedelta(seconds=2),
        enqueued_at=begun,
        done_at=begun + timedelta(milliseconds=240),
        attempts=1,
        api_version="2026-06-30.endive",
        livemode=False,
        deliveries=1 + index % 3,
    )
    make_body(event, customer, contract)
    return event


def make_action(event: Any, contract: Any, index: int, begun: Any) -> Any:
    """What the event called for, in one of all the states."""
    now, state, kind = clock.now(), STATES[index % len(STATES)], KINDS[index % len(KINDS)]
    return f.ActionFactory(
        state=state,
        kind=kind,
        provider="zendesk" if kind.startswith("ticket") else "netsuite",
        automation="dunning",
        customer=event.customer,
        contract=contract,
        event=event,
        correlation_id=event.correlation_id,
        target=f"contract:{event.object_id}:{index}",
        business_key=f"invoice:{event.object_id}:{index}",
        because=f"invoice INV-22{index % 12:02d} failed and may stay unpaid",
        irreversible=kind == "contract.suspend",
        preview=preview_of(kind),
        answers=answers_of(now),
        facts={"open_disputes": index % 2, "failed_at": begun.isoformat(), "tier": event.customer.tier},
        rule_version="a1:4c0ffee1",
        key=f"meshline-{uuid.uuid4()}",
        available_at=now + timedelta(hours=30),
        created_at=begun,
        unknown_since=now - timedelta(minutes=6) if state == "unknown" else None,
        tries=1 if state in SENT else 0,
        last_error="400: The tax id of the customer is missing" if state == "failed" else "",
        request=request_of(event.object_id) if state in SENT else None,
        confirmation={"id": "10186", "status": "suspended"} if state == "applied" else None,
        state_version=2,
    )


def make_rows(action: Any, contract: Any, begun: Any, person: str) -> None:
    """The ledger rows that lead to the state of the action."""
    about = {"event_id": action.event_id, "customer_id": action.customer_id, "correlation_id": action.correlation_id}
    f.LedgerRowFactory(
        subject_kind="contract", subject_id=str(contract.pk), decision="fall_behind", prior_state="active",
        post_state="past_due", outcome="past_due", recorded_at=begun, **about,
    )  # fmt: skip
    steps = [("hold", "proposed", "held", "system")]
    if action.state in ("in_review", *SENT):
        steps.append(("ask", "held", "in_review", "system"))
    if action.state in SENT:
        steps += [("approve", "in_review", "approved", person), ("send", "approved", "sending", "system")]
        steps.append((SENT[action.state], "sending", action.state, "system"))
    for number, (decision, prior, post, actor) in enumerate(steps):
        f.LedgerRowFactory(
            subject_id=str(action.pk), action_id=action.pk, decision=decision, actor=actor, prior_state=prior,
            post_state=post, outcome=post, recorded_at=begun + timedelta(seconds=1 + 40 * number), inputs=action.facts,
            reasons=REASONS.get(decision, []), state_version=number + 1, rule_version="a1:4c0ffee1",
            key=action.key if decision == "send" else "", confirmation_id="10186" if decision == "confirm" else "",
            latency_ms=412 if decision == "confirm" else None,
            error_code="missing_tax_id" if decision == "fail" else "", **about,
        )  # fmt: skip


def make_item(action: Any, contract: Any, index: int, begun: Any) -> Any:
    """A person's turn."""
    price = money.display(contract.amount_minor, contract.currency)
    about = f"{kind_sentence(action.kind)} of {action.customer.name}"
    return f.ReviewItemFactory(
        action=action,
        sentence=f"{about}: invoice INV-22{index % 12:02d} over {price} stays unpaid.",
        why={"failed": "failed", "unknown": "outcome_unknown"}.get(action.state, "open-dispute"),
        reason="" if action.state in SENT else "the customer disputes a payment; a specialist decides",
        due_at=clock.now() + timedelta(minutes=(-12, 25, 190, 1500, -180, 600)[index % 6]),
        amount_minor=contract.amount_minor,
        currency=contract.currency,
        event=action.event,
        created_at=begun,
    )


def kind_sentence(kind: str) -> str:
    return {
        "contract.suspend": "Suspend the contract",
        "contract.restore": "Give the contract back",
        "contract.downgrade": "Downgrade the contract",
    }.get(kind, "Tell the support desk about the contract")


def preview_of(kind: str) -> list[dict[str, Any]]:
    after = {"contract.suspend": "suspended", "contract.restore": "active", "contract.downgrade": "free"}.get(kind)
    if after is None:
        return [{"system": "Support desk", "field": "ticket", "now": "-", "after": "new, internal note with the facts"}]
    field = "contract plan" if kind == "contract.downgrade" else "contract status"
    return [{"system": "ERP", "field": field, "now": "scale" if "plan" in field else "active", "after": after}]


def answers_of(now: Any) -> list[dict[str, Any]]:
    return [
        {
            "rule": "safety_window",
            "verdict": "pass",
            "reason": "window ended 2026-11-20 13:00:00 UTC",
            "until": None,
            "version": 1,
        },
        {"rule": "stale_context", "verdict": "pass", "reason": "", "until": None, "version": 1},
        {
            "rule": "open-dispute",
            "verdict": "block",
            "reason": "the customer disputes a payment; a specialist decides",
            "until": None,
            "version": 1,
        },
        {
            "rule": "rollout_stage",
            "verdict": "review",
            "reason": "the automation suggests; a person decides",
            "until": None,
            "version": 1,
        },
    ]


def request_of(invoice: str) -> dict[str, Any]:
    body = json.dumps({"custrecord_mesh_status": "suspended", "custrecord_mesh_action": invoice})
    return {
        "provider": "netsuite",
        "method": "PATCH",
        "path": "/services/rest/record/v1/customrecord_mesh_contract/10186",
        "headers": [["content-type", "application/json"], ["x-netsuite-idempotency-key", "meshline-0192f"]],
        "body": body,
    }


def make_body(event: Any, customer: Any, contract: Any) -> None:
    body = {
        "id": event.provider_event_id,
        "object": "event",
        "api_version": "2026-06-30.endive",
        "type": event.type,
        "livemode": False,
        "data": {
            "object": {
                "id": event.object_id,
                "object": "invoice",
                "amount_due": contract.amount_minor,
                "currency": contract.currency,
                "attempt_count": 2,
                "customer": "cus_N00ffrFZ7dM2a",
                "customer_email": customer.email,
                "customer_name": customer.name,
                "status": "open",
                "lines": {
                    "data": [
                        {
                            "id": "il_1",
                            "amount": contract.amount_minor,
                            "period": {"start": 1761955200, "end": 1764547200},
                        }
                    ]
                },
            }
        },
    }
    headers = {"content-type": "application/json", "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"}
    f.EventBodyFactory(event_id=event.pk, received_at=event.received_at, raw=json.dumps(body).encode(), headers=headers)
    if event.deliveries == 3:
        body["data"]["object"]["amount_due"] = 1  # type: ignore[index]
        f.EventBodyFactory(
            event_id=event.pk, received_at=event.received_at, raw=json.dumps(body).encode(), headers=headers
        )


def make_attempts(action: Any, state: str, begun: Any) -> None:
    f.AttemptFactory(
        action=action,
        event=action.event,
        began_at=begun,
        provider="stripe",
        path="/v1/invoices/in_1Q?expand[]=payments",
        response_body='{"id": "in_1Q", "status": "open"}',
    )
    status, error = {"failed": (400, "PermanentError"), "unknown": (None, "UnconfirmedError"), "applied": (204, "")}[
        state
    ]
    f.AttemptFactory(
        action=action,
        began_at=begun + timedelta(seconds=1),
        provider="netsuite",
        method="PATCH",
        is_write=True,
        status=status,
        error=error,
        ms=2874,
        path="/services/rest/record/v1/customrecord_mesh_contract/10186",
        request_body='{"custrecord_mesh_status": "suspended"}',
        response_body='{"o:errorDetails": [{"detail": "The tax id of the customer is missing"}]}'
        if status == 400
        else "",
        request_id="a1b2c3d4",
    )

"""Answers lost, broken and refused: what was done is found out, what was not is repeated, nothing is believed."""

from collections.abc import Callable
from typing import Any

import pytest

from gates.models import ReviewItem
from ledger.models import Action
from sync import client, health, sockets
from sync.models import Attempt, ProviderState
from sync.wiretypes import FrozenRequest
from tests.flows.world import Customer, World, steps

ERP = {"provider": "netsuite", "method": "PATCH"}
CREATE = {"provider": "zendesk", "method": "POST", "path": "/api/v2/tickets"}
CHANGE = {"provider": "zendesk", "method": "PUT", "path": "/api/v2/tickets/"}
KINDS = {"contract.suspend": ERP, "ticket.open": CREATE, "ticket.tag": CHANGE, "ticket.note": CHANGE}

# A 204 has no body to be cut or dripped, and the answer to tags names no id: there the fault spoils nothing.
LOST: dict[str, tuple[dict[str, Any], set[str]]] = {
    "lost_answer": ({}, set(KINDS)),
    "reset": ({"kind": "lost_answer", "reset": True}, set(KINDS)),
    "error_after": ({"status": 502}, set(KINDS)),
    "html": ({"status": 200}, set(KINDS)),
    "hang": ({"ms": 200, "effect": True}, set(KINDS)),
    "cut_json": ({}, set(KINDS) - {"contract.suspend"}),
    "broken_off": ({"kind": "cut_json", "mode": "break"}, set(KINDS) - {"contract.suspend"}),
    "missing_id": ({}, set(KINDS) - {"ticket.tag"}),
    "drip": ({"interval_ms": 20}, set(KINDS)),
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[FrozenRequest]:
    """Every frozen write in the order it was handed to the wire."""
    seen: list[FrozenRequest] = []
    send: Callable[..., Any] = client.send

    def recording(request: FrozenRequest, **options: Any) -> Any:
        if options["is_write"]:
            seen.append(request)
        return send(request, **options)

    monkeypatch.setattr(client, "send", recording)
    return seen


def unpaid(world: World) -> Customer:
    """A customer whose window is over already."""
    customer = world.customer()
    world.fail(customer, next_attempt_in=None, at=int(now(world)) - 60)
    return customer


def now(world: World) -> float:
    return float(world.sandbox.get("/_health")["now"])


def effects_of(world: World, actions: dict[str, Action]) -> dict[str, int]:
    """How often each action stands in the books; a tag carries no mark and is found by what it says."""
    found = dict.fromkeys(actions, 0)
    for write in (*world.writes("netsuite"), *world.writes("zendesk")):
        kind = next((kind for kind, one in actions.items() if str(one.pk) == write["action"]), "")
        found[kind or "ticket.tag"] += 1
    return found


def one_of_each(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**rule, "count": 1} for rule in rules]


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_is_unknown_then_found_out(
    world: World, fault: str, sent: list[FrozenRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "EXCHANGE_SECONDS", 0.6 if fault == "drip" else 20.0)
    options, doubted = LOST[fault]
    rule = {"kind": fault, **options}
    customer = world.customer()
    world.fault(*one_of_each([rule | ERP, rule | CREATE, rule | CHANGE]))
    world.fail(customer, next_attempt_in=None, at=int(now(world)) - 60)
    world.until("ticket.tag", "applied")

    world.fault(*one_of_each([rule | CHANGE]))
    world.pay(customer)
    world.until("ticket.note", "applied")

    actions = {one.kind: one for one in Action.objects.exclude(kind="contract.restore")}
    # A connection broken off behind a 204 may be noticed by the look at the record that follows: doubt, no harm.
    either = {"contract.suspend"} if fault == "broken_off" else set()
    assert {kind for kind, one in actions.items() if "unknown" in steps(one)} - either == doubted
    assert {one.state for one in actions.values()} == {"applied"}
    assert effects_of(world, actions) == dict.fromkeys(KINDS, 1)
    assert len(sent) == len(KINDS)
    assert not ReviewItem.objects.exclude(action__kind="contract.restore").exists()


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "error_before", "status": 500},
        {"kind": "drop_before"},
        {"kind": "html", "status": 200, "effect": False},
        {"kind": "error_before", "status": 503, "retry_after": 1},
        {"kind": "rate_limit", "retry_after": 1},
    ],
    ids=["500", "dropped", "html", "503", "429"],
)
def test_what_was_not_done_is_sent_again_with_the_same_key_and_bytes(
    world: World, rule: dict[str, Any], sent: list[FrozenRequest]
) -> None:
    customer = world.customer()
    world.fault({**rule, **ERP, "count": 2}, {**rule, **CREATE, "count": 2})
    world.fail(customer, next_attempt_in=None, at=int(now(world)) - 60)

    world.until("contract.suspend", "applied")
    world.until("ticket.open", "applied")

    for kind in ("contract.suspend", "ticket.open"):
        action = Action.objects.get(kind=kind)
        tries = list(Attempt.objects.filter(action=action, is_write=True).order_by("id"))
        mine = [one for one in sent if str(action.pk) in one.body]
        assert len(tries) == len(mine) == 3
        assert len({(one.method, one.path, one.request_body) for one in tries}) == 1
        assert len(set(mine)) == 1
        assert mine[0].as_json() == {name: value for name, value in action.request.items() if name != "mapping"}
    assert len(world.effects("netsuite")) == 1
    assert len([one for one in world.effects("zendesk") if one["method"] == "POST"]) == 1


@pytest.mark.parametrize(
    "rule", [{"kind": "error_before", "status": 500}, {"kind": "drop_before"}], ids=["500", "dropped"]
)
def test_after_six_tries_a_person_gets_it(
    world: World, rule: dict[str, Any], sent: list[FrozenRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LEAST_REQUESTS", 1000)  # half of all calls fail here: the breaker is not the subject
    customer = world.customer()
    world.fault({**rule, **CREATE})
    world.fail(customer, next_attempt_in=86_400)

    failed = world.until("ticket.open", "failed", seconds=60)

    assert failed.tries == len(sent) == 6
    assert len(set(sent)) == 1
    item = ReviewItem.objects.get(action=failed)
    assert (item.state, item.owner_group) == ("open", "Billing Resolver")
    assert world.effects("zendesk") == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_final_and_says_why(world: World, status: int, sent: list[FrozenRequest]) -> None:
    customer = world.customer()
    said = {"error": {"title": "No", "message": f"refused because of {status}"}}
    world.fault({"kind": "answer", "status": status, "body": said, **CREATE, "effect": False})
    world.fail(customer, next_attempt_in=86_400)

    failed = world.until("ticket.open", "failed")
    world.settle(0.2)

    assert len(sent) == failed.tries == 1
    assert f"refused because of {status}" in ReviewItem.objects.get(action=failed).reason
    breaker = ProviderState.objects.get(provider="zendesk").breaker
    assert breaker == ("open" if status in (401, 403) else "closed")


def test_a_misspelt_field_is_refused_and_not_dropped(world: World, settings: Any) -> None:
    erp = {**settings.MESHLINE_PROVIDERS["netsuite"], "action_field": "custrecord_mesh_acton"}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "netsuite": erp}
    unpaid(world)

    failed = world.until("contract.suspend", "failed")

    assert "custrecord_mesh_acton" in failed.last_error
    assert world.writes("netsuite") == []


def test_retry_after_holds_back_every_action_of_the_provider(world: World) -> None:
    customers = [world.customer() for _ in range(4)]
    world.fault({"kind": "rate_limit", "retry_after": 2, **CREATE, "count": 1})
    for customer in customers:
        world.fail(customer, next_attempt_in=86_400)
    world.settle(4)

    attempts = list(Attempt.objects.filter(provider="zendesk").order_by("began_at"))
    refused = next(one for one in attempts if one.status == 429)
    told = refused.began_at.timestamp() + refused.ms / 1000
    early = [one for one in attempts if told + 0.25 < one.began_at.timestamp() < told + 1.9]
    assert early == []
    assert {one.state for one in Action.objects.filter(kind="ticket.open")} == {"applied"}
    assert len(world.effects("zendesk")) == 4


def test_the_breaker_opens_for_one_provider_and_the_others_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_EVERY", health.PROBE_EVERY / 60)
    world.fault({"kind": "error_before", "status": 503, "provider": "zendesk"})
    customers = [world.customer() for _ in range(6)]
    for customer in customers:
        world.fail(customer, next_attempt_in=None, at=int(now(world)) - 60)
    world.settle(1.5)

    assert ProviderState.objects.get(provider="zendesk").breaker == "open"
    asked = Attempt.objects.filter(provider="zendesk").count()
    world.settle(1)
    assert Attempt.objects.filter(provider="zendesk").count() - asked <= 4  # a probe each half second
    assert Action.objects.filter(kind="contract.suspend", state="applied").count() == 6
    assert not Action.objects.filter(kind="ticket.open", state="failed").exists()

    world.fault()
    for _ in range(60):
        world.settle(0.2)
        if Action.objects.filter(kind="ticket.open", state="applied").count() == 6:
            break
    assert ProviderState.objects.get(provider="zendesk").breaker == "closed"
    assert sorted(one["action"] for one in world.effects("zendesk") if one["method"] == "POST") == sorted(
        str(pk) for pk in Action.objects.filter(kind="ticket.open", state="applied").values_list("pk", flat=True)
    )

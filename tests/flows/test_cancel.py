"""A cancellation from the proposal to both books: in order, once, whatever happens on the way."""

from typing import Any

import pytest

from gates import stop
from ledger.models import Action, Event
from sync import drain, settle
from tests.flows.leaving import ask, at, tenant_of
from tests.flows.shop import approve
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import World, steps
from tests.people.cast import person


def written(world: World, provider: str) -> list[str]:
    return [f"{one['method']} {one['path'].partition('?')[0]}" for one in world.writes(provider)]


def test_at_the_end_of_the_period_billing_first_then_the_erp(shop: World) -> None:
    one = tenant_of(shop)
    action = ask(one)
    assert (action.state, action.irreversible) == ("in_review", False)
    shown = [(row["system"], row["field"], row["after"]) for row in action.preview]
    end = at(one.sub()["items"]["data"][0]["current_period_end"])
    assert shown[0] == ("Billing", "subscription", f"active, ends with {end}")
    assert shown[2][2] == f"nothing: the service runs until {end}, no further period is charged"
    assert shown[3][2] == f"until {end}, by Keep subscription"
    approve(action)

    shop.until("subscription.cancel", "applied")
    held = shop.until("contract.cancel", "held")

    assert (one.sub()["cancel_at_period_end"], one.sub()["status"], one.state()) == (True, "active", "active")
    assert one.sub()["metadata"] == {"meshline_action": str(action.pk)}
    assert at(int(held.available_at.timestamp())) == end
    assert (held.requested_by_id, held.correlation_id) == (action.requested_by_id, action.correlation_id)
    assert written(shop, "netsuite") == []

    shop.play("stripe", "end_period", subscription=one.subscription)
    done = shop.until("contract.cancel", "applied")
    shop.settle()

    assert (one.sub()["status"], one.state()) == ("canceled", "cancelled")
    assert one.record()["custrecord_mesh_status"] == "cancelled"
    assert (done.confirmation or {})["status"] == "cancelled"
    assert (len(shop.effects("stripe")), len(shop.effects("netsuite"))) == (1, 1)
    assert Action.objects.count() == 2
    ended = Event.objects.get(type="customer.subscription.deleted")
    assert ended.verdict == "done: the period ended as planned; the contract is cancelled"


def test_at_once_waits_out_its_window_and_our_own_event_starts_nothing(shop: World, settings: Any) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 2
    one = tenant_of(shop)
    shop.sandbox.faults({"provider": "stripe", "rules": [{"kind": "hook_duplicate", "times": 2}]})
    action = ask(one, "now")
    assert action.irreversible
    assert action.preview[2]["after"].endswith("is neither refunded nor credited")
    approve(action)
    shop.settle()
    held = Action.objects.get()
    assert (held.state, round((held.available_at - held.created_at).total_seconds())) == ("held", 2)
    assert written(shop, "stripe") == []

    shop.until("contract.cancel", "applied")
    shop.settle(0.1)

    assert (one.sub()["status"], one.state(), one.record()["custrecord_mesh_status"]) == (
        "canceled", "cancelled", "cancelled",
    )  # fmt: skip
    assert one.sub()["cancellation_details"]["comment"] == f"meshline_action={action.pk}"
    assert steps(action) == ["in_review", "approved", "held", "approved", "sending", "applied"]
    assert (written(shop, "stripe"), len(shop.effects("netsuite"))) == (
        [f"DELETE /v1/subscriptions/{one.subscription}"],
        1,
    )
    ended = Event.objects.get(type="customer.subscription.deleted")
    assert (ended.deliveries, ended.verdict) == (3, "done: our own cancellation coming back; the contract is cancelled")
    assert Action.objects.count() == 2


@pytest.mark.parametrize("when", ["now", "period_end"])
def test_killed_or_unanswered_it_is_done_once(
    shop: World, settings: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 0
    dead, lost, late = tenant_of(shop), tenant_of(shop), tenant_of(shop)
    approve(ask(dead, when))
    with monkeypatch.context() as patched:
        patched.setattr(settle, "book_sent", kill)
        with pytest.raises(KilledError):
            drain.once()
    assert Action.objects.get().state == "sending"
    expire()
    path = {"provider": "stripe", "path": "/v1/subscriptions/", "method": "DELETE" if when == "now" else "POST"}
    for one, rule in ((lost, {"kind": "lost_answer"}), (late, {"kind": "error_before", "status": 503})):
        approve(ask(one, when))
        shop.fault({**path, **rule, "count": 1})
        shop.settle(0.2)

    if when == "period_end":
        for one in (dead, lost, late):
            shop.play("stripe", "end_period", subscription=one.subscription)
    shop.settle(0.3)

    assert set(Action.objects.values_list("kind", "state")) == {
        ("subscription.cancel", "applied"), ("contract.cancel", "applied"),
    }  # fmt: skip
    assert (len(shop.effects("stripe")), len(shop.effects("netsuite"))) == (3, 3)
    assert {one.state() for one in (dead, lost, late)} == {"cancelled"}


def test_killed_between_the_two_systems_the_second_follows(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tenant_of(shop)
    approve(ask(one, "now", window="skip"))
    assert Action.objects.get().state == "in_review", "without the window two people have to agree"
    approve(Action.objects.get())
    booked = settle.book_sent

    def then_killed(sent: Any, token: int) -> None:
        booked(sent, token)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(settle, "book_sent", then_killed)
        with pytest.raises(KilledError):
            drain.once()
    assert Action.objects.get(kind="subscription.cancel").state == "applied"
    assert one.record()["custrecord_mesh_status"] == "active"

    expire()
    shop.until("contract.cancel", "applied")

    assert one.record()["custrecord_mesh_status"] == "cancelled"
    assert len(shop.effects("netsuite")) == 1


def test_the_first_fails_the_second_is_never_sent(shop: World) -> None:
    one = tenant_of(shop)
    shop.fault(
        {"provider": "stripe", "method": "POST", "path": "/v1/subscriptions/", "kind": "error_before", "status": 400}
    )
    approve(ask(one))

    shop.until("subscription.cancel", "failed")
    shop.settle(0.1)

    assert (Action.objects.count(), written(shop, "netsuite"), one.state()) == (1, [], "active")


def test_stopped_in_between_the_erp_waits(shop: World) -> None:
    one = tenant_of(shop)
    for _ in range(2):
        approve(ask(one, "now", window="skip") if not Action.objects.exists() else Action.objects.get())
    stop.engage("provider:netsuite", by=person("Support"), reason="drill")

    shop.until("contract.cancel", "parked")

    assert (one.sub()["status"], one.record()["custrecord_mesh_status"]) == ("canceled", "active")
    assert one.state() == "cancelled"

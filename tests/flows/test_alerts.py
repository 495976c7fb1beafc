"""Alerts told over HTTP: once each, also while stopped, away or killed; and a changed format from event to its end."""

from typing import Any

import pytest

from gates import review, stop
from gates.models import AlertEpisode, AlertReading, Automation, ReviewItem
from ledger import claim
from ledger.models import Action
from sync import drain, sweep
from sync.alerts import board, sentry, watching
from sync.incidents import paging
from sync.models import DrainSlot, ProviderState
from tests.factories import ActionFactory
from tests.flows.world import World
from tests.people.cast import person

CHANNEL = "C0BILLING"
AWAY: tuple[dict[str, Any], ...] = (
    {"kind": "error_before", "provider": "slack", "status": 503},
    {"kind": "drop_before", "provider": "pagerduty"},
)


@pytest.fixture
def told(world: World, settings: Any) -> World:
    slack = {**settings.MESHLINE_PROVIDERS["slack"], "alert_channel": CHANNEL, "console_url": "https://mesh.example"}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "slack": slack}
    return world


def messages(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.sandbox.get("/_books/slack?only=objects")["objects"]["messages"][CHANNEL]
    return found


def pages(world: World) -> list[str]:
    return [one["key"] for one in world.sandbox.books("pagerduty")["objects"]["pages"]]


def states() -> dict[str, str]:
    return {f"{one.provider}:{one.params['event']}": str(one.state) for one in Action.objects.order_by("created_at")}


def test_told_once_in_both_places_also_while_stopped_and_with_lost_answers(told: World) -> None:
    stop.engage("all", by=person("Support Manager"), reason="drill")
    told.fault(
        {"kind": "lost_answer", "provider": "slack", "path": "/api/chat.postMessage", "nth": 1},
        {"kind": "lost_answer", "provider": "pagerduty", "nth": 1},
    )
    one = paging.raise_alert("duplicates", "2 duplicates against 99 new customers in a week")
    told.settle(0.5)
    assert states() == {"pagerduty:trigger": "applied", "slack:trigger": "applied"}
    [message] = messages(told)
    assert pages(told) == ["meshline-alert:duplicates:1"]
    assert message["text"].startswith("Error: 2 duplicates")
    assert f"https://mesh.example/admin/alerts/{one.pk}/" in str(message["blocks"])
    told.fault({"kind": "lost_answer", "provider": "slack", "path": "/api/chat.update", "nth": 1})
    paging.resolve_alert("duplicates")
    told.settle(0.5)
    assert set(states().values()) == {"applied"}
    [message] = messages(told)
    assert message["text"].startswith("Over: 2 duplicates")
    assert "duplicates" in str(message["blocks"][1])
    assert told.sandbox.books("pagerduty")["objects"]["open_alerts"] == {}


def test_with_both_away_nothing_is_lost_and_nothing_else_waits(told: World) -> None:
    told.fault(*AWAY)
    one = paging.raise_alert("duplicates", "two")
    over = paging.raise_alert("schema-drift:stripe", "a member is gone")
    again = Action.objects.filter(kind__startswith="alert", state__in=("approved", "unknown"))
    for _ in range(3):
        again.update(available_at=one.raised_at, tries=20, looks=20)  # as after a day
        ProviderState.objects.update(breaker="closed")
        told.settle()
    assert {one.state for one in Action.objects.filter(kind__startswith="alert")} <= {"approved", "unknown"}
    assert not ReviewItem.objects.exists()
    assert [each.said.startswith("waiting to be told: ") for each in board.told(one)] == [True, True]
    paging.resolve_alert("schema-drift:stripe")
    customer = told.customer()
    told.fail(customer, next_attempt_in=86_400)
    told.settle(0.2)
    assert Action.objects.filter(kind="contract.suspend").exists()
    assert (messages(told), pages(told)) == ([], [])
    told.fault()
    sweep.sweep()
    for _ in range(100):
        ProviderState.objects.update(probe_at=one.raised_at)
        again.update(available_at=one.raised_at)
        told.settle(0.05)
        if not again.exists():
            break
    assert pages(told) == ["meshline-alert:duplicates:1"]  # nobody is woken for what is over
    assert sorted(one["text"] for one in messages(told)) == ["Error: two", "Over: a member is gone"]
    assert [each.said for each in board.told(one)] == ["told", "told"]
    assert "over before it was told" in [each.said for each in board.told(over)]


def test_where_no_worker_lives_the_watch_carries_messages_and_nothing_else(told: World) -> None:
    other = ActionFactory(state="approved", in_lane=True)
    paging.raise_alert("workers-silent", "last seen 90 s ago")
    token = 77
    rows = claim.claim(sentry.MESSAGES, token=token, lanes=4, run=1, lease=60, cursor="")
    assert len(rows) == 2
    claim.release_actions([row[0] for row in rows], token)
    DrainSlot.objects.all().delete()
    assert sentry.carry() > 0
    assert sentry.carry() == 0
    assert (len(messages(told)), pages(told)) == (1, ["meshline-alert:workers-silent:1"])
    other.refresh_from_db()
    assert (other.state, other.lease_until) == ("approved", None)
    assert drain.Drain.queue is claim.ACTIONS


def test_a_changed_format_pauses_names_the_member_and_ends_when_it_is_settled(told: World) -> None:
    customer = told.customer()
    told.settle()
    broken = {"id": "in_drift1", "object": "invoice", "customer": customer.stripe, "state_of_things": "open"}
    told.play("stripe", "send_event", type="invoice.payment_failed", object=broken)
    told.settle()
    looked = watching.look(only=["schema-drift"])
    assert looked is not None
    assert looked.raised == ["schema-drift:stripe"]
    one = AlertEpisode.objects.get()
    item = ReviewItem.objects.get(why="schema_drift")
    member = item.reason.partition("schema drift: ")[2]
    assert member
    assert member[:40] in one.summary
    assert Automation.objects.get(name="dunning").state == "suggest"
    told.settle(0.2)
    assert (len(pages(told)), len(messages(told))) == (1, 1)
    review.reject(
        item.pk, by=person("Billing Resolver"), reason="the account is back on its version", version=item.state_version
    )
    watching.look(only=["schema-drift"])
    AlertReading.objects.filter(name="schema-drift:stripe").update(fine_since=one.raised_at.replace(year=2020))
    looked = watching.look(only=["schema-drift"])
    assert looked is not None
    assert looked.cleared == ["schema-drift:stripe"]

"""After the stop: what is held is judged again for a look, and leaves at a pace that ends by itself at failures."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates import policy, review, stop
from gates.models import Approval, ReviewItem, StopSwitch
from ledger import book, clock
from ledger.models import Action, LedgerRow
from sync import drain, release, sweep
from tests.factories import ActionFactory, ApprovalFactory, ContractFactory, UserFactory
from tests.flows.world import World, acting

FAILED_AT = 1_770_000_000


@pytest.fixture
def full(db: Any) -> None:
    """The automation acts by itself."""
    acting("dunning")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the application's clock by seconds from where it stood."""
    begun = clock.now()

    def move(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(seconds=seconds))

    move(0)
    return move


def parked(count: int = 1, *, paid: bool = False, state: str = "past_due", **more: Any) -> list[Action]:
    """Held actions of an unpaid invoice each; `paid` ones are not wanted any more."""
    made = []
    for _ in range(count):
        contract = ContractFactory(state=state)
        entry = {"first_failed": FAILED_AT, "newest": [FAILED_AT, 1, None], "amount_due": 4900, "currency": "usd"}
        if paid:
            entry["paid_at"] = FAILED_AT + 60
        contract.dunning = {f"in_{contract.pk}": entry}
        contract.save()
        given = {"kind": "ticket.open", "provider": "zendesk", "automation": "dunning", **more}
        key = f"invoice:in_{contract.pk}"
        made.append(
            ActionFactory(
                state="parked", contract=contract, customer=contract.customer, business_key=key, because="it failed",
                params={"invoice": f"in_{contract.pk}"}, **given,
            )
        )  # fmt: skip
    return made


def people() -> tuple[User, User]:
    return UserFactory(groups=["Support Manager"]), UserFactory(groups=["Revenue Ops Lead"])


def resume(scope: str = stop.ALL, **more: Any) -> StopSwitch:
    """Stopped by one, asked for by the same, confirmed by the other."""
    first, second = people()
    stop.engage(scope, by=first, reason="drill")
    stop.request_resume(scope, by=first, reason="over")
    return stop.confirm_resume(scope, by=second, **more)


def states() -> Counter[str]:
    return Counter(Action.objects.values_list("state", flat=True))


# --- the look --------------------------------------------------------------------------------------------------------


def test_the_held_list_is_judged_again_with_reasons(full: None) -> None:
    parked(3)
    (paid,) = parked(paid=True)
    (gone,) = parked(state="cancelled")
    (orphan,) = parked(automation="")
    (lost,) = [ActionFactory(state="parked", kind="ticket.open", provider="zendesk")]

    look = release.rejudge(stop.ALL)

    found = {one.id: (one.verdict, " ".join(one.reasons)) for one in look.rows}
    assert (look.total, look.judged, look.is_complete) == (7, 7, True)
    assert look.counts == {"valid": 4, "waits": 0, "asks": 1, "void": 2}
    assert found[paid.pk] == ("void", "the invoice is settled")
    assert found[gone.pk] == ("void", "the contract is cancelled")
    assert found[orphan.pk][0] == "valid", "a ticket needs no second person"
    assert found[lost.pk] == ("asks", "it is about no contract that is known")


def test_a_stage_that_was_lowered_meanwhile_asks_and_a_window_that_grew_waits(full: None, settings: Any) -> None:
    parked(2)
    contract = parked(kind="contract.suspend", provider="netsuite")[0].contract
    assert contract is not None
    recent = int(clock.now().timestamp())
    contract.dunning = {f"in_{contract.pk}": {"first_failed": recent, "newest": [recent, 1, None]}}
    contract.save()
    policy._held.clear()
    assert release.rejudge(stop.ALL).counts == {"valid": 2, "waits": 1, "asks": 0, "void": 0}

    acting_again("suggest")

    look = release.rejudge(stop.ALL)
    assert look.counts == {"valid": 0, "waits": 0, "asks": 3, "void": 0}
    assert "the automation suggests; a person decides" in look.rows[0].reasons


def acting_again(stage: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update gates_automation set state = %s where name = 'dunning'", [stage])
    policy._held.clear()


def test_a_look_changes_nothing_and_is_bounded(full: None, monkeypatch: pytest.MonkeyPatch) -> None:
    parked(8)
    monkeypatch.setattr(release, "MOST_JUDGED", 5)
    before = list(Action.objects.order_by("id").values())

    with CaptureQueriesContext(
        connection,
    ) as asked:
        look = release.rejudge(stop.ALL, size=3)

    assert (look.total, look.judged, look.is_complete, len(look.rows)) == (8, 5, False, 3)
    assert all(one["sql"].lstrip().lower().startswith(("select", "with")) for one in asked.captured_queries)
    assert len(asked) <= 12
    assert list(Action.objects.order_by("id").values()) == before
    assert not LedgerRow.objects.filter(subject_kind="action").exists()


def test_pages_follow_one_another_without_a_gap(full: None) -> None:
    made = [one.pk for one in parked(7)]

    seen, after = [], ""
    for _ in range(4):
        look = release.rejudge(stop.ALL, after=after, size=3)
        seen += [one.id for one in look.rows]
        after = look.next
        if not after:
            break

    assert seen == sorted(made)
    assert [one.id for one in release.rejudge(stop.ALL, after="nonsense", size=3).rows] == seen[:3]


@pytest.mark.parametrize(("scope", "count"), [("provider:zendesk", 2), ("automation:dunning", 2), ("all", 3)])
def test_a_look_at_one_scope_shows_that_scope(full: None, scope: str, count: int) -> None:
    parked(2)
    parked(kind="contract.suspend", provider="netsuite", automation="")

    assert release.rejudge(scope).total == count


# --- the release -----------------------------------------------------------------------------------------------------


def test_nothing_is_released_while_stopped_or_asked_for(full: None) -> None:
    parked(2)
    first, _ = people()
    stop.engage(stop.ALL, by=first, reason="x")
    assert release.release() == 0
    stop.request_resume(stop.ALL, by=first, reason="y")
    assert release.release() == 0
    assert states() == {"parked": 2}


def test_ten_a_minute_are_ten_a_minute(full: None, at: Any) -> None:
    parked(40)
    resume(a_minute=10)

    left = []
    for second in range(0, 61, 5):
        at(second)
        left.append(release.release())

    assert sum(left[:-1]) == 10, left
    assert max(left) <= 1
    assert states() == {"approved": 11, "parked": 29}
    rows = LedgerRow.objects.filter(subject_kind="action")
    assert set(rows.values_list("decision", "actor", "post_state")) == {("approve", "system:release", "approved")}
    assert rows.count() == 11


def test_a_pause_of_the_sweep_is_not_made_up_for_by_a_burst(full: None, at: Any) -> None:
    parked(40)
    resume(a_minute=10)
    assert release.release() == 1

    at(3600)

    assert release.release() == 10
    assert release.release() <= 1


def test_many_passes_at_once_do_not_add_up(full: None, at: Any) -> None:
    parked(40)
    resume(a_minute=60)
    at(10)

    assert sum(release.release() for _ in range(20)) == 11


def test_held_too_long_asks_a_person_and_voids_what_was_agreed(full: None, settings: Any, at: Any) -> None:
    settings.MESHLINE_HELD_USE_SECONDS = 3600
    (action,) = parked()
    agreed = ApprovalFactory(action=action)
    at(3700)
    assert release.rejudge(stop.ALL).counts["asks"] == 1
    resume()

    assert release.release() == 1

    item = ReviewItem.objects.get(action=action)
    assert Action.objects.get().state == "in_review"
    assert (item.why, item.state) == ("emergency_stop", "open")
    assert item.owner_group
    assert item.fallback_group
    assert "it was held for 1 h 01 min; over 1 h a person decides again" in item.reason
    assert Approval.objects.get(pk=agreed.pk).voided_at is not None


def test_back_to_the_queue_asks_for_each_and_sends_none(full: None) -> None:
    parked(30)
    resume(release_to="queue", a_minute=1)

    assert release.release() == 30

    assert states() == {"in_review": 30}
    assert ReviewItem.objects.filter(state="open", why="emergency_stop").count() == 30
    item = ReviewItem.objects.select_related("action").earliest("id")
    assert item.action is not None
    by = UserFactory(groups=["Billing Resolver"])
    given = {"version": item.action.state_version, "preview_hash": item.action.preview_hash}
    review.approve(item.pk, by=by, reason="still right", **given)
    assert Action.objects.get(pk=item.action.pk).state == "approved"


def test_what_another_scope_still_halts_stays_and_blocks_nobody(full: None) -> None:
    first, _ = people()
    parked(12, kind="contract.suspend", provider="netsuite")
    free = parked(2)
    stop.engage("provider:netsuite", by=first, reason="x")
    resume(a_minute=600)

    assert release.release() == 1
    assert Action.objects.get(state="approved").pk == free[0].pk


def test_the_scope_resumed_last_sets_the_pace(full: None, at: Any) -> None:
    parked(20)
    resume("provider:zendesk", a_minute=600)
    at(1)
    resume(a_minute=10)
    at(2)

    assert release.release() == 1, "everything was stopped after the one system, so its pace holds"


# --- it stops by itself ----------------------------------------------------------------------------------------------


def fail(actions: list[Action], code: str) -> None:
    """What the executor books when a provider refuses for good."""
    for one in actions:
        one.refresh_from_db()
        book.move([book.step(one, "send", "sending", "system:executor")])
        one.refresh_from_db()
        book.move([book.step(one, "fail", "failed", "system:executor", changes={"error_code": code})])


def released() -> list[Action]:
    return list(Action.objects.filter(state="approved").order_by("id"))


def test_the_release_stops_at_the_third_failure_of_a_kind(full: None, at: Any) -> None:
    parked(20)
    resume(a_minute=60)
    at(3)
    release.release()
    fail(released()[:2], "tax_id_missing")
    fail(released()[:1], "other")
    at(4)
    assert release.release() == 1, "two of a kind are not a group"

    fail(released()[:1], "tax_id_missing")
    at(10)

    assert release.release() == 0
    switch = StopSwitch.objects.get(scope="all")
    assert (switch.state, switch.release_halted_at) == ("running", clock.now())
    row = LedgerRow.objects.get(decision="halt_release")
    assert (row.actor, row.inputs) == ("system:release", {"failed": 3, "code": "tax_id_missing"})
    at(60)
    assert release.release() == 0
    assert LedgerRow.objects.filter(decision="halt_release").count() == 1


def test_one_click_continues_it_and_new_failures_stop_it_again(full: None, at: Any) -> None:
    parked(20)
    resume(a_minute=60)
    at(5)
    release.release()
    fail(released()[:3], "tax_id_missing")
    at(6)
    assert release.release() == 0

    at(7)
    stop.continue_release(stop.ALL, by=people()[0])

    assert release.release() == 1
    at(12)
    release.release()
    fail(released()[:3], "tax_id_missing")
    at(13)
    assert release.release() == 0
    assert LedgerRow.objects.filter(decision="halt_release").count() == 2


def test_failures_of_what_was_not_released_stop_nothing(full: None, at: Any) -> None:
    parked(5)
    resume(a_minute=60)
    at(1)
    others = [ActionFactory(state="approved", provider="zendesk") for _ in range(4)]
    fail(others, "tax_id_missing")
    at(2)

    assert release.release() > 0
    assert not LedgerRow.objects.filter(decision="halt_release").exists()


# --- all of it, with providers ---------------------------------------------------------------------------------------


def test_released_actions_are_decided_on_fresh_facts_and_a_failing_system_ends_the_release(
    world: World, settings: Any
) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3600
    settings.MESHLINE_CONTEXT_MAX_AGE_SECONDS = 1  # so that what was read before the stop is read again
    first, second = people()
    stop.engage(stop.ALL, by=first, reason="drill")
    customers = [world.customer() for _ in range(9)]
    for customer in customers:
        world.fail(customer, next_attempt_in=86_400)
    world.settle()
    assert release.rejudge(stop.ALL).counts == {"valid": 9, "waits": 0, "asks": 0, "void": 0}
    world.hold("stripe")
    oldest = Action.objects.filter(state="parked").earliest("id").business_key
    paid = next(one for one in customers if oldest == f"invoice:{one.invoice}")
    world.pay(paid)  # nobody told us yet; the read right before sending finds it
    time.sleep(1.2)
    world.fault({"kind": "answer", "status": 422, "provider": "zendesk", "method": "POST", "body": {"error": "no"}})

    stop.request_resume(stop.ALL, by=first, reason="over")
    stop.confirm_resume(stop.ALL, by=second, a_minute=120, found=release.found(release.rejudge(stop.ALL)))
    ends = datetime.now(UTC) + timedelta(seconds=25)
    while StopSwitch.objects.get(scope="all").release_halted_at is None and datetime.now(UTC) < ends:
        sweep.sweep()
        drain.once()

    came_to = Counter(Action.objects.filter(kind="ticket.open").values_list("state", flat=True))
    assert came_to["superseded"] == 1
    assert came_to["failed"] >= 3
    assert came_to["parked"] >= 1, "the release went on into a wall"
    assert world.effects("zendesk") == []
    halted = LedgerRow.objects.get(decision="halt_release")
    assert halted.inputs["failed"] >= 3
    assert LedgerRow.objects.get(decision="confirm_resume", subject_kind="stop").inputs["valid"] == 9

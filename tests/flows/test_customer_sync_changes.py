"""The customer sync when things change or go wrong: moved links, drift, lost answers, crashes, the stop."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from gates import stop
from gates.models import ReviewItem
from ledger import clock, verify
from ledger.models import Action, ExternalId
from meshline import subjects
from sync import residents
from sync.customer_sync import drift, engine, orphans, runs
from sync.customer_sync.models import SyncError, SyncLink, SyncRun
from sync.models import Attempt, Delta
from tests.flows.syncing import (
    ID_FIELD,
    billing_books,
    calls,
    change_erp,
    erp_books,
    finish,
    outcomes,
    plant_billing,
    plant_erp,
    run,
)
from tests.flows.world import World, acting
from tests.people.cast import person, refused

CREATES = "/v1/customers"


@pytest.fixture
def syncing(world: World) -> World:
    acting("customer_sync")
    return world


def creates(world: World) -> int:
    return sum(1 for one in world.writes("stripe") if one["path"] == CREATES and one["method"] == "POST")


def test_link_stays_when_the_address_changes_and_moves_only_from_blank(syncing: World) -> None:
    (one,) = plant_erp(syncing, {"name": "Acme", "email": "ap@acme.example", "phone": "1"})
    run()
    (first,) = billing_books(syncing)

    # E12, E9: the address follows on the same customer, a cleared phone is cleared, a cleared address never is
    change_erp(syncing, one, email="new@acme.example", phone=None)
    assert run().counts == {"updated": 1}
    made = billing_books(syncing)[first]
    assert (made["email"], made["phone"]) == ("new@acme.example", None)

    # E6: our own write moved the stamp, nobody at the billing system is asked
    before = calls("stripe")
    change_erp(syncing, one, comments="unrelated")
    assert run("delta", since="2026-01-01 00:00:00").counts == {"unchanged": 1}
    assert calls("stripe") == before

    # P5, A5: what is changed at the billing system stays there until the ERP says something new
    syncing.play("stripe", "update_customer", customer=first, name="Nickname")
    syncing.settle()
    found = Delta.objects.get(check_name=drift.CHECK)
    assert (found.kind, found.field, found.state, found.key) == ("field_differs", "name", "open", first)
    assert erp_books(syncing)[one]["companyName"] == "Acme"
    assert run().counts == {"unchanged": 1}
    change_erp(syncing, one, companyName="Acme Group")
    assert run().counts == {"updated": 1}
    assert billing_books(syncing)[first]["name"] == "Acme Group"
    found.refresh_from_db()
    assert found.state == "resolved"

    # A7: blanked without an address is a person's
    change_erp(syncing, one, email=None, **{ID_FIELD: None})
    assert run().counts == {"review": 1}
    assert ReviewItem.objects.exclude(state="resolved").get().why == "missing_email"

    # A6: with an address that one unlinked customer has, it moves there
    (other,) = plant_billing(syncing, {"email": "moved@acme.example", "name": "Acme Group"})
    change_erp(syncing, one, email="moved@acme.example")
    assert run().counts == {"linked": 1}
    assert erp_books(syncing)[one][ID_FIELD] == other
    link = SyncLink.objects.get()
    assert (link.billing_id, link.generation) == (other, 2)
    assert list(ExternalId.objects.filter(system="stripe").values_list("value", flat=True)) == [other]
    assert ReviewItem.objects.exclude(state="resolved").count() == 0

    # E8: another id typed over it is nobody's to believe
    change_erp(syncing, one, **{ID_FIELD: first})
    assert list(outcomes(run()).values()) == [("review", "id_changed")]


@pytest.mark.parametrize(
    "rule",
    [
        {"provider": "stripe", "kind": "lost_answer", "method": "POST", "path": "/v1/customers", "count": 1},
        {
            "provider": "stripe",
            "kind": "error_after",
            "method": "POST",
            "path": "/v1/customers",
            "status": 502,
            "count": 1,
        },
        {"provider": "stripe", "kind": "rate_limit", "count": 3},
        {"provider": "netsuite", "kind": "lost_answer", "method": "PATCH", "count": 1},
        {"provider": "netsuite", "kind": "rate_limit", "count": 3},
        {"provider": "netsuite", "kind": "error_after", "method": "PATCH", "status": 500, "count": 1},
    ],
    ids=lambda rule: f"{rule['provider']}-{rule['kind']}",
)
def test_lost_answers_and_limits_make_nothing_twice(syncing: World, rule: dict[str, Any]) -> None:
    ids = plant_erp(syncing, {"email": "a@one.example"}, {"email": "b@two.example"})
    syncing.fault(rule)

    assert run().counts == {"created": 2}

    assert creates(syncing) == 2
    assert len({erp_books(syncing)[one][ID_FIELD] for one in ids}) == 2
    assert SyncError.objects.filter(state="open").count() == 0


def test_write_back_that_was_refused_is_all_that_is_done_again(syncing: World) -> None:
    (one,) = plant_erp(syncing, {"email": "a@one.example"})
    refusal = {"provider": "netsuite", "kind": "error_before", "method": "PATCH", "status": 400, "code": "USER_ERROR"}
    syncing.fault(refusal)

    first = run()

    assert first.counts == {"error": 1}
    failed = SyncError.objects.get()
    assert (failed.step, failed.error_class, failed.state) == ("write_back", "value", "open")
    run()
    assert SyncError.objects.filter(state="open").count() == 1, "it failed twice: the newest is open, the older settled"
    assert SyncError.objects.get(state="resolved").resolution == "auto"
    syncing.fault()
    sent = Attempt.objects.filter(provider="stripe", is_write=True).count()
    change_erp(syncing, one, phone="2")

    assert run("single", ids=[one]).counts == {"linked": 1}

    assert Attempt.objects.filter(provider="stripe", is_write=True).count() == sent
    assert erp_books(syncing)[one][ID_FIELD] == next(iter(billing_books(syncing)))
    assert SyncError.objects.exclude(state="resolved").count() == 0
    report = verify.verify(subjects.SUBJECTS, subjects.UNCHAINED)
    assert report.broken is None, report.broken


def test_run_is_paused_interrupted_resumed_and_cancelled(syncing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHUNK", 2)
    plant_erp(syncing, *({"email": f"c{number}@x.example"} for number in range(6)))
    lead = person("Support Manager")
    one = runs.start("all-customers", "mass", by=lead, ring=False)
    assert refused(runs.start, "all-customers", "mass", by=lead, ring=False) == (409, "running")
    assert refused(runs.step, one.pk, "pause", by=person("Support")) == (403, "permission")

    # a worker that dies between booking and the next chunk: the next one goes on behind the cursor
    killed = engine.Worker(one.pk, box=60)
    monkeypatch.setattr(killed, "_release", lambda: None)
    original = engine.booking.book_chunk
    booked: list[int] = []

    def die(*args: Any, **kwargs: Any) -> Any:
        if booked:
            raise KeyboardInterrupt
        booked.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(engine.booking, "book_chunk", die)
    with pytest.raises(KeyboardInterrupt):
        killed.work()
    monkeypatch.setattr(engine.booking, "book_chunk", original)
    one.refresh_from_db()
    assert (one.rows, one.state) == (2, "running")
    assert engine.work(one.pk, box=1) is False, "the dead worker's lease still holds"
    SyncRun.objects.filter(pk=one.pk).update(lease_until="2020-01-01T00:00:00Z")

    runs.step(one.pk, "pause", by=lead)
    assert engine.work(one.pk, box=1) is False
    runs.step(one.pk, "resume", by=lead)
    assert refused(runs.step, one.pk, "resume", by=lead) == (409, "state")
    done = finish(one)
    assert (done.state, done.rows, done.counts) == ("finished", 6, {"created": 6})
    assert creates(syncing) == 6

    # cancelled: what was not sent is withdrawn
    plant_erp(syncing, *({"email": f"d{number}@x.example"} for number in range(3)))
    two = runs.start("all-customers", "mass", by=lead, ring=False)
    engine.work(two.pk, box=0.3)
    runs.step(two.pk, "cancel", by=lead)
    syncing.settle()
    assert creates(syncing) == 6
    assert set(Action.objects.filter(event=two.event).values_list("state", flat=True)) == {"superseded"}
    assert run().counts == {"created": 3, "unchanged": 6}


def test_stop_holds_writes_and_a_shadow_only_observes(world: World, biller: Any) -> None:
    plant_erp(world, {"email": "a@one.example"})
    assert list(outcomes(run()).values()) == [("skipped", "observed")]
    dry = run("dry", by=biller)
    assert dry.counts == {"created": 1}
    acting("customer_sync")
    stop.engage("all", by=biller, reason="test")
    one = runs.start("all-customers", "mass", by=biller, ring=False)
    engine.work(one.pk, box=0.3)
    world.settle()

    assert (creates(world), Action.objects.get(event=one.event).state) == (0, "parked")


def test_configuration_error_is_told_once_and_pauses_the_run(syncing: World, settings: Any) -> None:
    (other,) = plant_billing(syncing, {"email": "x@x.example", "other_mode": True})
    plant_erp(syncing, *({"email": f"c{number}@x.example", "stripe": f"{other}{number}"} for number in range(12)))

    one = runs.start("all-customers", "mass", by=None, ring=False)
    engine.work(one.pk, box=10)

    one.refresh_from_db()
    assert (one.state, one.config_errors) == ("paused", 12)
    assert SyncError.objects.filter(state="open").count() == 1
    settings.MESHLINE_SYNC_ACCOUNTS = {"*": "acct_elsewhere"}
    runs.step(one.pk, "cancel", by=person("Support Manager"))
    assert set(outcomes(run("dry")).values()) == {("error", "account_not_connected")}


def test_a_run_whose_worker_died_is_taken_up_at_once_and_one_that_lives_is_left_alone(syncing: World) -> None:
    plant_erp(syncing, {"email": "a@one.example"})
    one = runs.start("all-customers", "mass", by=None, ring=False)
    now = clock.now()
    leased = {"lease_token": 1, "lease_until": now + timedelta(minutes=1), "created_at": now - timedelta(minutes=1)}
    here = SyncRun.objects.filter(pk=one.pk)

    here.update(**leased, lease_place=residents.place())
    assert (orphans.free(), orphans.due()) == (0, [])
    here.update(**leased, lease_place="elsewhere#1.7")
    assert (orphans.free(), orphans.due()) == (0, [])
    here.update(**leased, lease_place=f"{residents.places()}999999999")
    assert (orphans.free(), orphans.due()) == (1, [one.pk])
    assert finish(one).counts == {"created": 1}


def test_a_linked_customer_that_was_merged_away_is_a_persons_and_nothing_is_moved(syncing: World) -> None:
    kept, merged = plant_erp(syncing, {"email": "a@one.example"}, {"email": "b@two.example"})
    run()
    before = creates(syncing)
    syncing.play("netsuite", "delete_customer", id=merged)

    again = run()

    assert outcomes(again) == {kept: ("unchanged", ""), merged: ("review", "gone")}
    assert ReviewItem.objects.get(kind="billing_customer").why == "gone"
    assert creates(syncing) == before
    assert SyncLink.objects.get(internal_id=int(merged)).billing_id
    assert set(outcomes(run())) == {kept, merged}
    assert SyncError.objects.filter(state="open", code="gone").count() == 1


def test_button_and_schedule_at_once_make_one_customer(syncing: World) -> None:
    (one,) = plant_erp(syncing, {"email": "a@one.example"})
    started = [runs.start("all-customers", mode, by=None, ids=[one], ring=False) for mode in ("single", "mass")]
    barrier = threading.Barrier(2)

    def at_once(run_id: int) -> None:
        try:
            barrier.wait(30)
            engine.work(run_id, box=0.5)
        finally:
            connection.close()

    threads = [threading.Thread(target=at_once, args=(each.pk,)) for each in started]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    ended = [finish(each) for each in started]

    assert creates(syncing) == 1
    assert {each.state for each in ended} == {"finished"}
    assert run().counts == {"unchanged": 1}

"""Stopping is one press by anybody, resuming takes two; while stopped every page says so."""

import re
from contextlib import contextmanager
from datetime import timedelta
from html import unescape

import pytest

from gates import stop
from gates.models import StopSwitch
from ledger import clock
from ledger.models import LedgerRow
from meshline.console import stop_history
from sync import release
from tests import factories as f
from tests.flows.world import acting

ENGAGE, RESUME, CONFIRM, CONTINUE = (f"/admin/stop/{verb}/" for verb in ("engage", "resume", "confirm", "continue"))


@contextmanager
def freeze_clock(at):
    """The application's clock stands still."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "now", lambda: at)
        yield


def state(scope="all"):
    return StopSwitch.objects.get(scope=scope).state


def test_one_press_stops_all_writes(support):
    answer = support.post(ENGAGE, {"scope": "all", "preset": "Doubled actions"}, follow=True)

    assert state() == "stopped"
    assert StopSwitch.objects.get(scope="all").reason == "Doubled actions"
    assert "No write begins from now on" in answer.content.decode()


@pytest.mark.parametrize("path", ["", "gates/reviewitem/", "ledger/event/", "stop/", "find/?q=x", "auth/user/"])
def test_every_page_says_so_while_stopped(superuser, path):
    assert "X-Meshline-Stopped" not in superuser.get(f"/admin/{path}")
    stop.engage("all", by=superuser.user, reason="double refunds")
    f.ActionFactory(state="parked")

    answer = superuser.get(f"/admin/{path}")

    page = answer.content.decode()
    assert answer["X-Meshline-Stopped"] == "1"
    assert "<title>STOPPED - " in page
    assert "double refunds" in page
    assert "1 action held" in page


def test_a_database_without_the_switch_counts_as_stopped(superuser):
    StopSwitch.objects.all().delete()

    answer = superuser.get("/admin/")

    assert answer["X-Meshline-Stopped"] == "1"
    assert "never set up" in answer.content.decode()


def test_resume_takes_a_typed_word_a_reason_and_a_second_person(manager, resolver, shipped):
    second = f.UserFactory(groups=["Revenue Ops Lead"])
    stop.engage("all", by=resolver.user, reason="drill")

    assert manager.post(RESUME, {"scope": "all", "reason": "fixed", "word": "yes"}).status_code == 422
    assert resolver.post(RESUME, {"scope": "all", "reason": "fixed", "word": "RESUME"}).status_code == 403
    assert manager.post(RESUME, {"scope": "all", "reason": "fixed", "word": "RESUME"}).status_code == 302
    assert state() == "resuming"
    assert "You asked for this resume" in manager.get("/admin/stop/").content.decode()
    assert manager.post(CONFIRM, {"scope": "all"}).status_code == 403
    assert state() == "resuming"
    manager.force_login(second)
    assert manager.post(CONFIRM, {"scope": "all"}).status_code == 302
    assert state() == "running"
    decisions = LedgerRow.objects.filter(subject_kind="stop").exclude(outcome="refused").order_by("id")
    assert [row.decision for row in decisions] == ["engage", "request_resume", "confirm_resume"]


@pytest.fixture
def acts(shipped):
    """The automation acts by itself."""
    acting("dunning")


def held(count=1, *, paid=False, **more):
    """Actions that the stop holds, of customers whose invoice is owed or, meanwhile, paid."""
    for _ in range(count):
        contract = f.ContractFactory(state="past_due", customer__name="Initech Labs")
        entry = {"first_failed": 1_770_000_000, "newest": [1_770_000_000, 1, 0]} | (
            {"paid_at": 1_770_000_060} if paid else {}
        )
        contract.dunning = {f"in_{contract.pk}": entry}
        contract.save()
        given = {"kind": "ticket.open", "provider": "zendesk", "automation": "dunning", **more}
        f.ActionFactory(
            state="parked", contract=contract, customer=contract.customer, business_key=f"invoice:in_{contract.pk}",
            params={"invoice": f"in_{contract.pk}"}, because="invoice failed", **given,
        )  # fmt: skip


def test_the_held_list_says_what_would_become_of_each(manager, acts):
    held(35)
    held(2, paid=True)
    stop.engage("all", by=manager.user, reason="drill")

    page = manager.get("/admin/stop/held/").content.decode()

    assert "<strong>35 still valid, 2 void</strong>" in page
    assert page.count("Initech Labs") == release.PAGE
    older = re.search(r'href="(/admin/stop/held/\?scope=all&amp;after=[0-9a-f-]{36})"', page).group(1)
    rest = manager.get(unescape(older)).content.decode()
    assert rest.count("Initech Labs") == 37 - release.PAGE
    assert rest.count("the invoice is settled") == 2
    assert not LedgerRow.objects.filter(subject_kind="action").exists(), "a look leaves nothing behind"


def test_the_held_list_costs_a_fixed_number_of_queries(manager, django_assert_max_num_queries):
    held(30)
    stop.engage("all", by=manager.user, reason="drill")
    manager.get("/admin/stop/held/")

    with django_assert_max_num_queries(24):
        manager.get("/admin/stop/held/")


@pytest.mark.parametrize("query", ["?scope=nobody", "?scope=all%00", "?after=1", "?after='--", "?scope="])
def test_a_held_list_of_nonsense_is_that_of_all_writes(manager, query):
    stop.engage("all", by=manager.user, reason="drill")

    answer = manager.get(f"/admin/stop/held/{query}")

    assert (answer.status_code, "Held by the stop: all writes" in answer.content.decode()) == (200, True)


def test_who_may_not_see_actions_sees_no_held_list(nobody):
    assert nobody.get("/admin/stop/held/").status_code == 403


def test_the_second_person_chooses_pace_and_place_and_the_counts_are_kept(manager, resolver, acts):
    held(3)
    held(1, paid=True)
    stop.engage("all", by=resolver.user, reason="drill")
    stop.request_resume("all", by=f.UserFactory(groups=["Revenue Ops Lead"]), reason="mended")

    for wrong in ({"a_minute": "0"}, {"a_minute": "many"}, {"a_minute": "9" * 40}, {"release_to": "bin"}):
        answer = manager.post(CONFIRM, {"scope": "all", **wrong})
        assert (answer.status_code, next(iter(wrong)) in answer.content.decode()) == (422, True)
    assert manager.post(CONFIRM, {"scope": "all", "release_to": "queue", "a_minute": "25"}).status_code == 302

    switch = StopSwitch.objects.get(scope="all")
    assert (switch.state, switch.release_to, switch.release_a_minute) == ("running", "queue", 25)
    row = LedgerRow.objects.get(decision="confirm_resume")
    assert {name: row.inputs[name] for name in ("held", "valid", "void")} == {"held": 4, "valid": 3, "void": 1}
    assert "4: 3 valid, 1 void" in manager.get("/admin/stop/").content.decode()


def test_words_typed_for_a_refused_resume_are_kept(manager, resolver):
    stop.engage("all", by=resolver.user, reason="drill")

    answer = manager.post(RESUME, {"scope": "all", "reason": "the ERP was mended", "word": "no"})

    assert answer.status_code == 422
    assert 'value="the ERP was mended"' in answer.content.decode()


def test_a_release_that_stopped_itself_is_on_every_page_and_goes_on_with_one_click(manager, support, resolver):
    held(2)
    stop.engage("all", by=resolver.user, reason="drill")
    stop.request_resume("all", by=f.UserFactory(groups=["Revenue Ops Lead"]), reason="mended")
    switch = stop.confirm_resume("all", by=manager.user)
    stop.halt_release(switch, error_code="tax_id_missing", failed=3)

    answer = support.get("/admin/")
    assert "RELEASE STOPPED ITSELF" in answer.content.decode()
    assert "X-Meshline-Stopped" not in answer, "writes are on"
    assert "Go on releasing" not in support.get("/admin/stop/").content.decode()
    assert support.post(CONTINUE, {"scope": "all"}).status_code == 403
    assert "Go on releasing" in manager.get("/admin/stop/").content.decode()
    assert manager.post(CONTINUE, {"scope": "all"}).status_code == 302

    assert "RELEASE STOPPED ITSELF" not in support.get("/admin/").content.decode()
    assert manager.post(CONTINUE, {"scope": "all"}).status_code == 409


def test_the_history_says_what_was_in_the_air_and_how_it_ended(manager):
    done, lost = f.ActionFactory(state="applied"), f.ActionFactory(state="unknown")
    now = clock.now()
    for action in (done, lost):
        began = now - timedelta(milliseconds=400)
        f.AttemptFactory(action=action, provider="netsuite", method="POST", is_write=True, began_at=began, ms=60_000)
    f.AttemptFactory(action=done, is_write=True, began_at=now - timedelta(seconds=40), ms=100)
    f.AttemptFactory(provider="netsuite", began_at=now, ms=60_000)
    stop.engage("all", by=manager.user, reason="drill")

    made = stop_history.stops(stop_history.rows())

    assert len(made) == 1
    assert (made[0].around.flying, sorted(made[0].around.came_to)) == (2, ["applied", "unknown"])
    assert made[0].around.halt == "at once"
    assert "2 (confirmed, unknown, the last after" in manager.get("/admin/stop/").content.decode()


def test_a_write_that_began_after_the_stop_is_shown_with_its_time(manager):
    stop.engage("provider:netsuite", by=manager.user, reason="drill")
    pressed = LedgerRow.objects.get(decision="engage").recorded_at
    late = pressed + timedelta(milliseconds=250)
    f.AttemptFactory(provider="netsuite", method="POST", is_write=True, began_at=late, ms=10)
    f.AttemptFactory(provider="zendesk", method="POST", is_write=True, began_at=late + timedelta(seconds=5), ms=10)

    with freeze_clock(pressed + timedelta(minutes=1)):
        (made,) = stop_history.stops(stop_history.rows())

    assert made.around.halt == "0.25 s"


@pytest.mark.parametrize("scope", ["", "everything", "provider:nobody", "automation:", "all\x00x"])
def test_an_unknown_scope_stops_nothing_and_says_so(support, scope):
    answer = support.post(ENGAGE, {"scope": scope, "preset": "Drill"})

    assert answer.status_code == 422
    assert set(StopSwitch.objects.values_list("scope", "state")) == {("all", "running")}


def test_a_link_stops_nothing(support):
    for address in (ENGAGE, RESUME, CONFIRM, CONTINUE):
        assert support.get(address).status_code == 302
    assert state() == "running"
    assert support.get("/admin/stop/delete/").status_code == 404


def test_a_single_system_can_be_stopped(support):
    support.post(ENGAGE, {"scope": "provider:netsuite", "preset": "A provider misbehaves"})

    assert (state(), state("provider:netsuite")) == ("running", "stopped")
    assert "writes to NetSuite" in support.get("/admin/").content.decode()

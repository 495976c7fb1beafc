"""Stopping is one press by anybody, resuming takes two; while stopped every page says so."""

import pytest

from gates import stop
from gates.models import StopSwitch
from ledger.models import LedgerRow
from tests import factories as f

ENGAGE, RESUME, CONFIRM = (f"/admin/stop/{verb}/" for verb in ("engage", "resume", "confirm"))


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


@pytest.mark.parametrize("scope", ["", "everything", "provider:nobody", "automation:", "all\x00x"])
def test_an_unknown_scope_stops_nothing_and_says_so(support, scope):
    answer = support.post(ENGAGE, {"scope": scope, "preset": "Drill"})

    assert answer.status_code == 422
    assert set(StopSwitch.objects.values_list("scope", "state")) == {("all", "running")}


def test_a_link_stops_nothing(support):
    for address in (ENGAGE, RESUME, CONFIRM):
        assert support.get(address).status_code == 302
    assert state() == "running"
    assert support.get("/admin/stop/delete/").status_code == 404


def test_a_single_system_can_be_stopped(support):
    support.post(ENGAGE, {"scope": "provider:netsuite", "preset": "A provider misbehaves"})

    assert (state(), state("provider:netsuite")) == ("running", "stopped")
    assert "writes to NetSuite" in support.get("/admin/").content.decode()

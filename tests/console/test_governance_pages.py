"""Pages of evidence: back-tests, shadow reports, game days and reviews; read as a person would, and by a browser."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates.models import Audit, BackTest, BackTestChange, GameDay, ShadowComparison
from ledger import clock
from ledger.identity import new_action_id
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text
from tests.people import governance


@pytest.fixture
def lead(shipped):
    return signed_in("Revenue Ops Lead")


def filled(by):
    """One of everything, with rows enough for a second page."""
    now = clock.now()
    governance.make(by)
    one = BackTest.objects.create(
        automation="dunning", digest="y", since=now, asked_by=by, state="done",
        missing=["1 event has no body any more."],
        counts={"seen": 90, "changed": 60, "corrected": 1, "unreadable": 1, "fired": 0, "freer": 0},
        steps=[["approved", "in_review", 60]], began_at=now, ended_at=now + timedelta(seconds=3),
    )  # fmt: skip
    BackTestChange.objects.bulk_create(
        BackTestChange(backtest=one, row=n, action_id=new_action_id(), kind="contract.suspend", before="approved",
                       after="in_review", is_corrected=n == 7)
        for n in range(1, 61)
    )  # fmt: skip
    ShadowComparison.objects.bulk_create(
        ShadowComparison(
            action_id=new_action_id(), automation="dunning", kind="contract.suspend", segments=["tier:growth"],
            would="approved", verdict="disagreed" if n % 20 == 0 else "agreed", seen="people_left_it", observed_at=now,
            acts_at=now, due_at=now, settled_at=now,
        )
        for n in range(120)
    )  # fmt: skip
    return one


def test_every_page_says_what_it_knows_and_pages_through(lead):
    assert "No back-test yet" in text(lead.get("/admin/backtests/"))
    assert "Never drilled" in text(lead.get("/admin/gamedays/"))
    assert "None yet. The first comes" in text(lead.get("/admin/audits/"))
    assert "No automation observed anything" in text(lead.get("/admin/shadow/"))
    one = filled(lead.user)

    here = f"/admin/backtests/{one.pk}/"
    shown = text(lead.get(here))
    assert "1 event has no body any more." in shown
    assert "60 of 90 decisions would come out differently" in shown
    assert "?after=50#changes" in lead.get(here).content.decode()
    assert lead.get(f"{here}?corrected=1").content.decode().count(">Corrected</") == 1
    report = text(lead.get("/admin/shadow/dunning/"))
    assert "114 of 120 (95.0%)" in report
    assert "Tier growth" in report
    with CaptureQueriesContext(connection) as asked:
        lead.get(here)
    assert len(asked) < 25


def test_back_tests_are_begun_and_cancelled(lead):
    assert lead.post("/admin/backtests/start/", {"automation": "none", "days": "30"}).status_code == 422
    f.AutomationFactory(name="dunning")
    begun = lead.post("/admin/backtests/start/", {"automation": "dunning", "days": "7"}, follow=True)
    assert "is planned" in text(begun)
    one = BackTest.objects.latest("pk")
    assert "Cancel it" in text(begun)
    assert "is cancelled" in text(lead.post(f"/admin/backtests/{one.pk}/cancel/", follow=True))
    assert lead.post(f"/admin/backtests/{one.pk}/cancel/").status_code == 409


def test_an_overdue_drill_and_review_are_red_on_home(lead):
    assert "overdue" not in text(lead.get("/admin/"))
    f.EventFactory(received_at=clock.now() - timedelta(days=40))
    filled(lead.user)
    GameDay.objects.update(started_at=clock.now() - timedelta(days=31))

    shown = text(lead.get("/admin/"))

    assert "overdue for 24 h" in shown
    assert "Reviews overdue" in shown


def test_a_review_is_worked_through(lead):
    filled(lead.user)
    one = Audit.objects.latest("pk")
    here = f"/admin/audits/{one.pk}/"
    assert "Row 1 of 1: acted" in text(lead.get(here))
    wrong = lead.post(f"{here}rows/1/", {"verdict": "wrong"})
    assert (wrong.status_code, "say what was wrong" in text(wrong)) == (422, True)
    assert "What follows from it" in text(lead.post(f"{here}rows/1/", {"verdict": "right"}, follow=True))
    assert lead.post(f"{here}close/", {"result": "short"}).status_code == 422
    done = text(lead.post(f"{here}close/", {"result": "nothing was wrong this week"}, follow=True))
    assert "nothing was wrong this week" in done


def test_pages_are_accessible_quiet_and_fit(console):  # noqa: F811
    page = console()
    one = filled(User.objects.get(username="miguel"))
    audit, drill = Audit.objects.latest("pk"), GameDay.objects.latest("pk")
    pages = {
        "backtests": "/admin/backtests/", "backtest": f"/admin/backtests/{one.pk}/", "shadow": "/admin/shadow/",
        "report": "/admin/shadow/dunning/", "gamedays": "/admin/gamedays/", "gameday": f"/admin/gamedays/{drill.pk}/",
        "audits": "/admin/audits/", "audit": f"/admin/audits/{audit.pk}/",
    }  # fmt: skip

    assert faults({name: look_at(page, name, address) for name, address in pages.items()}) == {}

"""My settings: kept for me alone, checked, and used."""

from datetime import timedelta

import pytest
from django.test import Client

from gates import stop
from gates.models import Absence, Preference, SavedView
from ledger import clock
from ledger.models import LedgerRow
from tests import factories as f

PAGE, SAVE, AWAY, BACK = ("/admin/account/settings/" + verb for verb in ("", "save/", "away/", "back/"))


def test_settings_are_kept_for_whoever_keeps_them(support, resolver):
    given = {"zone": "Asia/Kolkata", "start_page": "queue"}

    assert support.post(SAVE, given, follow=True).status_code == 200

    kept = Preference.objects.get()
    assert (kept.user, kept.zone, kept.shortcuts, kept.start_page) == (support.user, "Asia/Kolkata", False, "queue")
    field = 'list="zones" maxlength="64" value="Asia/Kolkata"'
    assert field in support.get(PAGE).content.decode()
    assert field not in resolver.get(PAGE).content.decode()


def test_columns_chosen_elsewhere_are_left_alone(support):
    Preference.objects.create(user=support.user, columns=["age"])

    support.post(SAVE, {"zone": "", "start_page": "home", "shortcuts": "on"})

    kept = Preference.objects.get()
    assert (kept.columns, kept.shortcuts) == (["age"], True)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"zone": "Mars/Olympus", "start_page": "home"}, "zone"), ({"zone": "../etc", "start_page": "home"}, "zone"),
        ({"zone": "UTC\x00", "start_page": ""}, "start page"), ({"zone": "", "start_page": "admin"}, "start page"),
        ({"zone": "x" * 10_000, "start_page": "home"}, "zone"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_refused_and_what_was_typed_stays(support, given, word):
    answer = support.post(SAVE, given)

    page = answer.content.decode()
    assert (answer.status_code, f"{word.capitalize()}: choose one from the list" in page) == (422, True)
    assert not Preference.objects.exists()


def test_times_are_written_in_my_zone_with_utc_behind_them(support, manager):
    Preference.objects.create(user=support.user, zone="Asia/Kolkata")
    stop.engage("provider:stripe", by=manager.user, reason="drill")
    at = LedgerRow.objects.get(decision="engage").recorded_at

    mine, theirs = (client.get("/admin/stop/").content.decode() for client in (support, manager))

    assert f"{at + timedelta(hours=5, minutes=30):%H:%M:%S}</time>" in mine
    assert f"{at:%H:%M:%S}</time>" in theirs
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in mine
    assert 'data-zone="Asia/Kolkata"' in mine
    assert 'data-zone=""' in theirs


def test_a_zone_that_went_away_is_no_reason_to_fail(support):
    Preference.objects.create(user=support.user, zone="Nowhere/AtAll")

    assert support.get("/admin/stop/").status_code == 200


@pytest.mark.parametrize(
    ("start", "page"), [("queue", "/admin/gates/reviewitem/"), ("home", "/admin/"), ("gone", "/admin/")]
)
def test_i_begin_where_i_like_unless_i_was_on_my_way(support, start, page):
    Preference.objects.create(user=support.user, start_page=start)
    support.user.set_password("a long password")
    support.user.save()
    given = {"username": support.user.username, "password": "a long password"}

    assert Client().post("/admin/login/", {**given, "next": "/admin/"})["Location"] == page
    assert Client().post("/admin/login/", given)["Location"] == page
    assert Client().post("/admin/login/", {**given, "next": "/admin/stop/"})["Location"] == "/admin/stop/"


def test_my_absence_is_entered_in_my_zone_and_ended_again(support):
    Preference.objects.create(user=support.user, zone="America/New_York")
    day = (clock.now() + timedelta(days=40)).date()

    assert support.post(AWAY, {"starts": f"{day}", "ends": f"{day}"}).status_code == 302

    absence = Absence.objects.get()
    assert (absence.user, absence.entered_by) == (support.user, support.user)
    assert absence.starts_at.hour in (4, 5), "midnight in New York"
    assert absence.ends_at - absence.starts_at in (timedelta(hours=23), timedelta(hours=24), timedelta(hours=25))
    assert LedgerRow.objects.filter(decision="add_absence", actor=f"user:{support.user.pk}").count() == 1
    assert support.post(BACK, {"absence": absence.pk}).status_code == 302
    assert not Absence.objects.exists()


def test_nobody_enters_or_ends_an_absence_of_somebody_else_here(support, manager):
    now = clock.now()
    theirs = Absence.objects.create(user=manager.user, starts_at=now, ends_at=now + timedelta(days=2))
    day = (now + timedelta(days=5)).date()

    for key in (theirs.pk, "x", "", 10**30, -1):
        assert support.post(BACK, {"absence": key}).status_code == 404
    support.post(AWAY, {"person": manager.user.pk, "starts": f"{day}", "ends": f"{day}"})

    assert Absence.objects.get(pk=theirs.pk).ends_at == theirs.ends_at
    assert [one.user for one in Absence.objects.exclude(pk=theirs.pk)] in ([], [support.user])


@pytest.mark.parametrize("given", [{}, {"starts": "soon", "ends": "later"}, {"starts": "2026-13-01", "ends": "x"}])
def test_days_that_are_none_are_refused_in_words(support, given):
    assert support.post(AWAY, given).status_code == 422
    assert not Absence.objects.exists()


def test_a_link_keeps_nothing(support):
    for address in (SAVE, AWAY, BACK):
        assert support.get(address, {"zone": "UTC"})["Location"] == PAGE
    assert support.get(PAGE + "drop/").status_code == 404
    assert not Preference.objects.exists()


def test_my_views_and_what_i_did_are_mine(support, manager):
    SavedView.objects.create(owner=support.user, name="My <late> ones", query="sla=late")
    SavedView.objects.create(owner=manager.user, name="Theirs", query="")
    stop.engage("all", by=support.user, reason="drill")
    f.LedgerRowFactory(actor=f"user:{manager.user.pk}", decision="hold", subject_id="somebody-else")

    page = support.get(PAGE).content.decode()

    assert "/admin/gates/reviewitem/?sla=late" in page
    assert "My &lt;late&gt; ones" in page
    assert "Theirs" not in page
    assert "Stopped all writes in scope" in page
    assert "somebody-else" not in page


def test_the_page_costs_few_queries(support, django_assert_max_num_queries):
    support.get(PAGE)

    with django_assert_max_num_queries(14):
        support.get(PAGE)


def test_who_is_signed_out_sees_the_sign_in_page(db):
    assert Client().get(PAGE)["Location"].startswith("/admin/login/?next=")

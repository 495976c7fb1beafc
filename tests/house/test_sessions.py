"""Sessions end with what they were opened with and after a rest; what matters most asks for the password again."""

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from gates import stop
from meshline import sessions, stepup
from tests.house import seats
from tests.house.seats import LOGIN, PASSWORD, STEP_UP, account, is_in, sign_in

pytestmark = pytest.mark.django_db
ana, at, quick_hasher = seats.ana, seats.at, seats.quick_hasher


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_is_a_new_one_after_sign_in_and_gone_after_sign_out(ana):
    client = Client()
    client.get(LOGIN)
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = planted = session.session_key

    sign_in(client)
    opened = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert opened != planted

    client.post("/admin/logout/")
    client.cookies[settings.SESSION_COOKIE_NAME] = opened
    assert not is_in(client)


@pytest.mark.parametrize(
    "change",
    [
        lambda user: user.groups.add(Group.objects.get(name="Auditor")),
        lambda user: user.groups.clear(),
        lambda user: user.user_permissions.set(Group.objects.get(name="Support").permissions.all()[:1]),
        lambda user: User.objects.filter(pk=user.pk).update(is_superuser=True),
        lambda user: User.objects.filter(pk=user.pk).update(is_staff=False),
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda user: (user.set_password("another long password"), user.save()),
    ],
    ids=["group more", "group less", "permission", "superuser", "staff", "switched off", "password"],
)
def test_a_session_ends_with_what_it_was_opened_with(ana, change):
    client = Client()
    client.force_login(ana)
    assert is_in(client)

    change(User.objects.get(pk=ana.pk))

    assert not is_in(client)
    assert "_auth_user_id" not in client.session


def test_who_may_decide_rests_thirty_minutes_and_others_longer(ana, at):
    auditor = account("ada", "Auditor")
    clients = {}
    for user in (ana, auditor):
        clients[user.username] = Client()
        clients[user.username].force_login(user)
        assert is_in(clients[user.username])

    at(1700)
    assert is_in(clients["ana"])
    at(1700 + 1801)
    assert not is_in(clients["ana"])
    assert is_in(clients["ada"])
    assert "signed out after 30 min without a request" in clients["ana"].get(LOGIN).content.decode()
    at(1700 + 1801 + 7201)
    assert not is_in(clients["ada"])


def test_a_page_left_open_that_asks_for_news_keeps_nobody_signed_in(ana, at):
    client = Client()
    client.force_login(ana)
    is_in(client)
    for minute in range(2, 34, 2):
        at(minute * 60)
        client.get("/admin/queue/live/")

    at(34 * 60)

    assert not is_in(client)


def test_a_session_is_saved_once_a_minute_and_not_with_each_request(ana, at):
    client = Client()
    client.force_login(ana)
    is_in(client)

    with CaptureQueriesContext(connection) as asked:
        is_in(client)
    assert not [one for one in asked.captured_queries if "UPDATE" in one["sql"]]
    at(61)
    with CaptureQueriesContext(connection) as asked:
        is_in(client)
    assert [one for one in asked.captured_queries if 'UPDATE "django_session"' in one["sql"]]


def test_a_person_is_read_in_one_statement(ana):
    backend = sessions.Backend()
    with CaptureQueriesContext(connection) as asked:
        user = backend.get_user(ana.pk)
        sessions.role_of(user)
        getattr(user, "preference", None)

    assert len(asked) == 1


# --- the password again ----------------------------------------------------------------------------------------------


@pytest.fixture
def rita(ana, at):
    """Signed in eleven minutes ago."""
    client = Client(HTTP_HOST="testserver")
    client.force_login(account("rita", "Revenue Ops Lead"))
    at(660)
    return client


def test_a_password_counts_for_ten_minutes(ana, at):
    client = Client()
    client.force_login(ana)
    request = RequestFactory().get("/")
    request.session = client.session

    assert not stepup.needed(request)
    at(599)
    assert not stepup.needed(request)
    at(600)
    assert stepup.needed(request)
    at(-5)
    assert stepup.needed(request), "a clock that was set back proves nothing"


def test_who_has_no_session_always_needs_it():
    assert stepup.needed(HttpRequest())


def test_resume_asks_for_the_password_and_keeps_what_was_typed(rita, ana):
    stop.engage("all", by=ana, reason="drill")
    given = {"scope": "all", "reason": "the ERP was mended", "word": "RESUME"}

    answer = rita.post("/admin/stop/resume/", given)
    assert answer["Location"] == f"{STEP_UP}?next=%2Fadmin%2Fstop%2Fheld%2F%3Fscope%3Dall"
    assert stop.switches()[0].state == "stopped", "nothing was done"

    back = rita.post(STEP_UP, {"password": PASSWORD, "next": "/admin/stop/held/?scope=all"}, follow=True)
    page = back.content.decode()
    assert back.redirect_chain == [("/admin/stop/held/?scope=all", 302)]
    assert 'value="the ERP was mended"' in page
    assert "Nothing was sent yet" in page
    assert stop.switches()[0].state == "stopped", "a form is not sent again by itself"
    assert 'value="the ERP was mended"' not in rita.get("/admin/stop/held/?scope=all").content.decode()

    rita.post("/admin/stop/resume/", given)
    assert stop.switches()[0].state == "resuming"


def test_stopping_never_asks(rita):
    assert rita.post("/admin/stop/engage/", {"scope": "all", "preset": "Drill"})["Location"] == "/admin/stop/"
    assert stop.switches()[0].state == "stopped"


def test_a_wrong_password_is_said_and_five_of_them_end_the_session(rita):
    wrong = [rita.post(STEP_UP, {"password": "x", "next": "/admin/stop/"}).status_code for _ in range(5)]
    assert wrong == [422] * 5

    answer = rita.post(STEP_UP, {"password": PASSWORD, "next": "/admin/stop/"})

    assert answer["Location"].startswith(LOGIN)
    assert not is_in(rita)


def test_confirming_renews_the_session_key_and_only_by_post(rita):
    before = rita.session.session_key
    assert rita.get(f"{STEP_UP}?next=/admin/stop/&password={PASSWORD}").status_code == 200

    answer = rita.post(STEP_UP, {"password": PASSWORD, "next": "/admin/stop/"})

    assert answer["Location"] == "/admin/stop/"
    assert rita.session.session_key != before
    assert rita.get(f"{STEP_UP}?next=/admin/stop/")["Location"] == "/admin/stop/", "asked once is enough"


def test_credentials_ask_for_the_password(ana, at):
    root = account("root", is_superuser=True)
    client = Client()
    client.force_login(root)
    pages = [
        "/admin/password_change/", "/admin/auth/user/add/", f"/admin/auth/user/{ana.pk}/change/",
        f"/admin/auth/user/{ana.pk}/password/", f"/admin/auth/user/{ana.pk}/delete/", "/admin/auth/group/add/",
    ]  # fmt: skip
    assert {client.get(page).status_code for page in pages} <= {200, 403}
    at(660)

    for page in pages:
        for answer in (client.get(page), client.post(page, {"username": "x"})):
            assert answer["Location"].startswith(STEP_UP), page
    assert is_in(client)


def test_a_small_part_of_a_page_is_told_to_leave_the_page(rita):
    request = RequestFactory().post("/admin/x/", {"reason": "y"}, HTTP_HX_REQUEST="true")
    request.session = rita.session

    answer = stepup.demand(request)

    assert (answer.status_code, answer["HX-Redirect"].startswith(STEP_UP)) == (204, True)


@pytest.mark.parametrize(
    ("referrer", "path"),
    [
        ("http://testserver/admin/gates/reviewitem/3/change/?x=1", "/admin/gates/reviewitem/3/change/"),
        ("http://evil.example/admin/", "/admin/review/3/approve/"),
        ("http://testserver.evil/", "/admin/review/3/approve/"),
        ("", "/admin/review/3/approve/"),
    ],
)  # fmt: skip
def test_the_way_back_is_the_page_of_the_form(rita, referrer, path):
    typed = {"reason": "because", "password": "secret", "csrfmiddlewaretoken": "t", "preview_hash": "h"}
    request = RequestFactory().post("/admin/review/3/approve/", typed, HTTP_REFERER=referrer)
    request.session = rita.session

    stepup.demand(request)

    kept = request.session[stepup.KEPT]
    assert (kept["path"], kept["typed"]) == (path, {"reason": "because"}), "no password is ever kept"

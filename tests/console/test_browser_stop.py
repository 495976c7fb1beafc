"""Stop and resume in a real browser: one press, a look, two people, and a release that stops by itself."""

import pytest
from django.conf import settings
from django.test import Client

from gates import presets, stop
from gates.models import Preference, StopSwitch
from ledger.models import Action, LedgerRow
from tests.console import seed, test_browser
from tests.factories import User

pytestmark = pytest.mark.django_db(transaction=True)
browser, faults, look_at = test_browser.browser, test_browser.faults, test_browser.look_at


@pytest.fixture
def seat(browser, live_server):
    """A seat for a person: a page of a browser in which they are signed in."""
    presets.install_groups()
    StopSwitch.objects.get_or_create(scope="all")
    seed.fill()
    opened = []

    def sit(name, mode="light", width=1280):
        client = Client()
        client.force_login(User.objects.get(username=name))
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=mode, base_url=live_server.url
        )
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda one: page.complaints.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        opened.append(context)
        return page

    yield sit
    for context in opened:
        context.close()


def test_one_stops_two_resume_and_each_sees_what_the_other_did(seat):
    dana, miguel, lena = seat("dana"), seat("miguel"), seat("lena")

    dana.goto("/admin/")
    dana.keyboard.press("s")
    dana.wait_for_url("**/admin/stop/")
    dana.fill("#stop-reason", "refunds are doubled")
    dana.keyboard.press("Enter")
    dana.wait_for_selector(".banner")
    assert "refunds are doubled" in dana.inner_text(".banner")

    miguel.goto("/admin/stop/")
    miguel.click("text=Look at what is held, and resume…")
    assert "1 void" in miguel.inner_text(".tally") or "ask a person" in miguel.inner_text(".tally")
    miguel.fill("#why", "the ERP was mended")
    miguel.fill("#word", "RESUME")
    miguel.click("text=Ask to resume")
    miguel.wait_for_selector("#why-not")
    assert "A second person has to confirm it" in miguel.inner_text("#why-not")

    lena.goto("/admin/stop/")
    lena.click("text=Look at what is held, and confirm…")
    assert "the ERP was mended" in lena.inner_text(".resume")
    lena.fill("#pace", "25")
    lena.click("text=Confirm: writes on again")
    lena.wait_for_selector("#said")
    assert "at most 25 a minute" in lena.inner_text("#said")

    assert StopSwitch.objects.get(scope="all").state == "running"
    done = LedgerRow.objects.filter(subject_kind="stop").order_by("id").values_list("decision", flat=True)
    assert list(done) == ["engage", "request_resume", "confirm_resume"]
    assert dana.complaints + miguel.complaints + lena.complaints == []


def test_a_release_that_stopped_itself_goes_on_with_one_click(seat):
    resumed_by("miguel", "lena")
    stop.halt_release(StopSwitch.objects.get(scope="all"), error_code="tax_id_missing", failed=3)
    page = seat("miguel")

    page.goto("/admin/")
    assert "RELEASE STOPPED ITSELF" in page.inner_text(".banner")
    page.click("text=Look, and go on…")
    page.click("text=Go on releasing")
    page.wait_for_selector("#said")

    assert "The release goes on" in page.inner_text("#said")
    assert page.locator(".banner").count() == 0
    assert StopSwitch.objects.get(scope="all").release_halted_at is None


def resumed_by(first, second):
    """A stop that these two ended."""
    one, other = (User.objects.get(username=name) for name in (first, second))
    stop.engage("all", by=one, reason="drill")
    stop.request_resume("all", by=one, reason="mended")
    stop.confirm_resume("all", by=other)


def test_the_pages_are_accessible_quiet_and_fit(seat):
    held = Action.objects.filter(state="parked").count()
    assert held
    page = seat("lena")
    seen = {"settings": look_at(page, "settings", "/admin/account/settings/")}
    miguel = User.objects.get(username="miguel")
    stop.engage("all", by=miguel, reason="drill")
    seen["stopped"] = look_at(page, "stop", "/admin/stop/")
    seen["held"] = look_at(page, "held", "/admin/stop/held/")
    stop.request_resume("all", by=miguel, reason="mended")
    seen["asked"] = look_at(page, "asked", "/admin/stop/held/")
    stop.confirm_resume("all", by=User.objects.get(username="lena"))
    stop.halt_release(StopSwitch.objects.get(scope="all"), error_code="x", failed=3)
    seen["halted"] = look_at(page, "halted", "/admin/stop/")
    session = page.context.cookies()[0]["value"]
    outdated(session)
    seen["confirm"] = look_at(page, "confirm", "/admin/account/confirm/")

    assert faults(seen) == {}


def outdated(key):
    """Let the password have been given long ago."""
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    session = client.session
    session["meshline_proved"] -= 3600
    session.save()


def test_the_password_is_asked_for_again_and_the_words_come_back(seat):
    lena = User.objects.get(username="lena")
    stop.engage("all", by=lena, reason="drill")
    page = seat("lena")
    page.goto("/admin/stop/held/")
    outdated(page.context.cookies()[0]["value"])

    page.fill("#why", "the ERP was mended")
    page.fill("#word", "RESUME")
    page.click("text=Ask to resume")
    page.wait_for_url("**/account/confirm/**")
    page.fill("#id_password", "a long password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/stop/held/**")

    assert page.input_value("#why") == "the ERP was mended"
    assert StopSwitch.objects.get(scope="all").state == "stopped"
    page.fill("#word", "RESUME")
    page.click("text=Ask to resume")
    page.wait_for_selector("#why-not")
    assert page.complaints == []


def test_a_person_in_another_zone_sees_own_times(seat):
    Preference.objects.create(user=User.objects.get(username="lena"), zone="Asia/Kolkata")
    resumed_by("miguel", "lena")
    page = seat("lena")

    page.goto("/admin/stop/")

    assert page.get_attribute("#header", "data-zone") == "Asia/Kolkata"

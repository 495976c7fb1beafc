"""The console in a real browser: accessibility, the content policy, the keys, and 390 pixels."""

import os
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from playwright.sync_api import sync_playwright

from gates import presets, stop
from gates.models import ReviewItem, StopSwitch
from ledger.models import Action, Event
from tests.console import seed
from tests.factories import User

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync""".split()
LOUD = ("error", "warning")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WITH_ALL_PARTS = ("home", "queue", "item")  # what the other pages are made of is on these, in every view
VIEWS = [(mode, width) for mode in ("light", "dark") for width in (1280, 390)]
LOOK = """async tags => {
    const options = {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]};
    const found = (await axe.run(options)).violations;
    const page = document.documentElement;
    return {
        rules: found.flatMap(one => one.nodes.map(node => one.id + ": " + node.html.slice(0, 120))),
        sideways: page.scrollWidth > page.clientWidth,
    };
}"""
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not CHROMIUM.exists():
        message = f"{CHROMIUM} is missing: the console was looked at by no browser (apt-get install chromium)"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(message)
        pytest.skip(message)
    # Playwright runs an event loop in this thread; the ORM calls of the tests below are still synchronous ones.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as machine:
        started = machine.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def console(browser, live_server, client):
    """Opens pages as a Support Manager; whatever the browser complains about is collected."""
    presets.install_groups()
    StopSwitch.objects.get_or_create(scope="all")
    seed.fill()
    client.force_login(User.objects.get(username="miguel"))
    opened = []

    def view(mode="light", width=1280):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=mode, base_url=live_server.url
        )
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.complaints = []
        page.on(
            "console", lambda said: page.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        opened.append(context)
        return page

    yield view
    for context in opened:
        context.close()


def addresses():
    item = ReviewItem.objects.filter(action__state="in_review").earliest("due_at")
    event = Event.objects.earliest("id")
    action = Action.objects.filter(state="unknown").earliest("id")
    return {
        "home": "/admin/",
        "queue": "/admin/gates/reviewitem/",
        "item": f"/admin/gates/reviewitem/{item.pk}/change/",
        "stop": "/admin/stop/",
        "event": f"/admin/ledger/event/{event.pk}/change/",
        "ledger": "/admin/ledger/ledgerrow/",
        "action": f"/admin/ledger/action/{action.pk}/change/",
        "customer": f"/admin/ledger/customer/{event.customer_id}/change/",
        "contract": f"/admin/ledger/contract/{action.contract_id}/change/",
        "find": "/admin/find/?q=nothing",
        "routing": "/admin/routing/?test=1&kind=payment.refund",
        "rule": "/admin/routing/rules/add/",
        "onboarding report": "/admin/onboarding/report/",
        "runbooks": "/admin/runbooks/",
        "runbook": "/admin/runbooks/unknown-outcome/?edit=1",
    }


def look_at(page, name, address="", views=VIEWS[::3]):
    """What is wrong with a page (the one that is open, without an address), in light and wide, in dark and narrow."""
    if address:
        page.goto(address)
    page.evaluate(AXE_SCRIPT)
    rules, sideways = [], []
    for mode, width in views:
        page.emulate_media(color_scheme=mode)
        page.set_viewport_size({"width": width, "height": 844})
        seen = page.evaluate(LOOK, TAGS)
        rules += [f"{mode} {width}: {one}" for one in seen["rules"]]
        sideways += [f"{mode} {width}"] if seen["sideways"] else []
    said = [words for words in page.complaints if name != "find" or "404" not in words]
    page.complaints.clear()
    return {"rules": rules, "sideways": sideways, "said": said}


def faults(seen):
    """The pages that something is wrong with."""
    return {name: one for name, one in seen.items() if any(one.values())}


def test_pages_are_accessible_quiet_and_fit(console):
    page = console()

    seen = {
        name: look_at(page, name, address, VIEWS if name in WITH_ALL_PARTS else VIEWS[::3])
        for name, address in addresses().items()
    }
    stop.engage("all", by=User.objects.get(username="dana"), reason="double refunds")
    seen |= {f"{name}, stopped": look_at(page, name, addresses()[name]) for name in ("home", "stop", "item")}

    assert faults(seen) == {}


def test_the_sign_in_page_is_accessible(console):
    page = console()
    page.context.clear_cookies()

    assert faults({"login": look_at(page, "login", "/admin/login/", VIEWS)}) == {}


def test_the_queue_is_worked_without_a_mouse(console):
    page = console()
    page.goto("/admin/gates/reviewitem/")

    for key in "jjkjo":  # the second one: the first is unknown and cannot be rejected
        page.keyboard.press(key)
    page.wait_for_url("**/change/")
    page.keyboard.press("r")
    assert page.evaluate("document.activeElement.id") == "reason"
    page.keyboard.type("Customer paid meanwhile")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said, .refused")

    assert "You rejected" in page.inner_text("#said")
    assert page.evaluate("document.activeElement.id") == "said"
    assert page.complaints == []


def test_keys_go_places_and_leave_fields_alone(console):
    page = console()
    page.goto("/admin/")

    page.keyboard.press("g")
    page.wait_for_selector("#find:focus")
    page.keyboard.type("jkos")
    assert page.input_value("#find") == "jkos"
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url("**/gates/reviewitem/")
    page.keyboard.press("?")
    assert page.is_visible("dialog#keys")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.wait_for_url("**/admin/stop/")
    assert page.inner_text(":focus") == "STOP NOW"
    page.keyboard.press("Enter")
    page.wait_for_selector(".banner")
    assert StopSwitch.objects.get(scope="all").state == "stopped"


def test_the_decision_bar_is_in_reach_on_a_phone_and_without_scripts(browser, console, live_server):
    page = console(width=390)
    page.goto(addresses()["item"])
    bar = page.locator(".decide").bounding_box()

    assert bar["y"] + bar["height"] <= 844 + 1
    assert page.is_visible(".verb.is-approve")

    cookies = page.context.cookies()
    plain = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    plain.add_cookies(cookies)
    bare = plain.new_page()
    bare.goto(addresses()["item"])
    bare.fill("#reason", "checked")
    bare.click(".verb.is-reject")
    assert "You rejected" in bare.inner_text(".said")
    plain.close()


def test_colours_are_kept_and_an_id_is_copied(console):
    page = console()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(addresses()["item"])

    page.click(".who summary")
    page.click(".theme-toggle")
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    page.wait_for_selector("#copy-correlation:text('copied')")
    page.reload()

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.complaints == []

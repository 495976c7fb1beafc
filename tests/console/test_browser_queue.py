"""The queue in a real browser: worked by keyboard alone, several at once, back to where one was, and on a phone."""

import pytest

from gates import stop
from gates.models import Preference, ReviewItem
from ledger.models import Action
from tests import factories as f
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.factories import User

QUEUE = "/admin/gates/reviewitem/"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(console):  # noqa: F811
    """Opens pages as a Support Manager who may decide several at once; three more items that fit together."""
    same = [f.ReviewItemFactory(amount_minor=1999, currency="usd", why="late_event") for _ in range(3)]
    failed = [
        f.ReviewItemFactory(action=f.ActionFactory(state="failed", error_code="tax_id", automation="dunning"))
        for _ in range(3)
    ]
    return console, same, failed


def checked(page):
    return page.evaluate("[...document.querySelectorAll('[name=pick]:checked')].map(one => one.value.split(':')[0])")


def test_queue_pages_are_accessible_quiet_and_fit(desk):
    open_page, same, failed = desk
    page = open_page()
    addresses = {
        "queue": QUEUE, "failed": f"{QUEUE}?tab=failed", "narrowed": f"{QUEUE}?tab=unclaimed&why=late_event",
        "empty": f"{QUEUE}?q=nobody",
    }  # fmt: skip

    seen = {name: look_at(page, name, address) for name, address in addresses.items()}
    page.goto(f"{QUEUE}?why=late_event")
    for one in page.query_selector_all("[name=pick]"):
        one.check()
    page.click("button.is-approve")
    page.wait_for_selector("#reason")
    seen["confirm"] = look_at(page, "here")
    page.fill("#reason", "checked")
    page.click(".bulk-form button.is-approve")
    page.wait_for_selector("table.rows")
    seen["result"] = look_at(page, "here")

    assert faults(seen) == {}
    assert {Action.objects.get(pk=one.action_id).state for one in same} == {"approved"}
    assert failed


def test_from_the_queue_to_a_decision_by_keyboard_alone(desk):
    page = desk[0]()
    page.goto(f"{QUEUE}?tab=unclaimed&why=late_event")

    page.keyboard.press("n")
    page.wait_for_url("**/change/?view=tab*")
    page.keyboard.press("r")
    page.keyboard.type("Customer paid meanwhile")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said, .refused")

    assert "You rejected" in page.inner_text("#said")
    assert "next=1" in page.url  # the next item of the view is open
    assert ReviewItem.objects.filter(why="late_event", state="claimed").count() == 1
    assert page.complaints == []


def test_several_are_selected_and_decided_by_keyboard_alone(desk):
    page = desk[0]()
    page.goto(f"{QUEUE}?why=late_event")

    for key in "jxjj":
        page.keyboard.press(key)
    page.keyboard.press("Shift+X")
    assert page.inner_text("#picked") == "3 selected"
    page.keyboard.press("r")
    page.wait_for_selector("#reason:focus")
    page.keyboard.type("Duplicate")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.rows")

    assert {Action.objects.get(pk=one.action_id).state for one in desk[1]} == {"rejected"}
    assert page.complaints == []


def test_a_bulk_key_takes_the_row_one_stands_on(desk):
    page = desk[0]()
    page.goto(f"{QUEUE}?why=late_event")

    for key in "jc":
        page.keyboard.press(key)
    page.wait_for_selector(".bulk-form")

    assert page.inner_text("h1") == "Claim 1 item"


def test_back_from_an_item_everything_is_as_it_was_left(desk):
    for _ in range(60):
        f.ReviewItemFactory(why="oddity")
    page = desk[0]()
    page.goto(f"{QUEUE}?why=oddity")
    rows = page.locator("#result_list tbody tr")
    for index in (3, 40):
        rows.nth(index).locator("[name=pick]").check()
    chosen, link = checked(page), rows.nth(41).locator("th a")
    link.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    link.click()
    page.wait_for_url("**/change/**")
    page.click(".back a")
    page.wait_for_url("**/reviewitem/?why=oddity")

    assert before > 0
    assert checked(page) == chosen
    assert page.evaluate("scrollY") == before
    assert page.locator("tr.is-here").get_attribute("id") == page.locator("#result_list tbody tr").nth(
        41
    ).get_attribute("id")


def test_a_page_drawn_before_a_change_decides_nothing(desk):
    page = desk[0]()
    item = desk[1][0]
    page.goto(f"{QUEUE}?q=RV-{item.pk}")
    Action.objects.filter(pk=item.action_id).update(state_version=9)

    for key in "ja":
        page.keyboard.press(key)
    page.wait_for_selector("h1:has-text('Approve')")

    assert "changed since the page was drawn" in page.inner_text("main")
    assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_what_was_approved_can_be_taken_back_for_a_moment(desk):
    page = desk[0]()
    item = f.ReviewItemFactory(why="oddity")
    page.goto(f"{QUEUE}{item.pk}/change/")

    page.keyboard.press("a")
    page.keyboard.type("checked")
    page.keyboard.press("Enter")
    page.wait_for_selector("button:has-text('Undo')")
    page.click("button:has-text('Undo')")
    page.wait_for_selector(".said")

    assert Action.objects.get(pk=item.action_id).state == "in_review"


def test_news_come_without_moving_anything(desk):
    page = desk[0]()
    page.clock.install()
    page.goto(f"{QUEUE}?why=late_event")
    page.check("#result_list tr:nth-child(2) [name=pick]")
    rows, chosen = page.inner_text("#result_list tbody"), checked(page)
    f.ReviewItemFactory(why="late_event")
    stop.engage("all", by=User.objects.get(username="dana"), reason="double refunds")
    page.clock.run_for(11_000)
    page.wait_for_selector(".new a")
    page.wait_for_selector(".banner")

    assert page.inner_text(".new") == "1 new - show"
    assert (page.inner_text("#result_list tbody"), checked(page)) == (rows, chosen)
    assert page.title().startswith("STOPPED - ")
    page.click(".new a")
    page.wait_for_selector("#result_list tr:nth-child(4)")


def test_failures_unfold_and_are_sent_again_together(desk):
    page = desk[0]()
    page.goto(f"{QUEUE}?tab=failed")

    page.click(".fail-group a[aria-expanded=false]")
    page.wait_for_selector(".fail-group a[aria-expanded=true]")
    page.click(".fail-group:has(a[aria-expanded=true]) button")
    page.fill("#reason", "The cause is removed")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.rows")

    assert {Action.objects.get(pk=one.action_id).state for one in desk[2]} == {"approved"}


def test_shortcuts_switched_off_leave_everything_working(desk):
    Preference.objects.create(user=User.objects.get(username="miguel"), shortcuts=False)
    page = desk[0]()
    page.goto(f"{QUEUE}?why=late_event")

    for key in "jxrs":
        page.keyboard.press(key)
    assert page.url.endswith("why=late_event")
    assert checked(page) == []
    page.check("#result_list tr:first-child [name=pick]")
    page.click("button.is-claim")
    page.wait_for_selector(".bulk-form")


def test_a_row_is_a_card_on_a_phone_and_everything_works_without_scripts(desk, browser, live_server):  # noqa: F811
    page = desk[0](width=390)
    page.goto(f"{QUEUE}?why=late_event")
    card = page.locator("#result_list tbody tr").first

    assert card.bounding_box()["width"] <= 390
    for part in ("f-item", "f-state", "f-customer", "f-sla", "f-what", "f-money"):
        assert card.locator(f".{part}").is_visible()

    plain = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    plain.add_cookies(page.context.cookies())
    bare = plain.new_page()
    bare.goto(f"{QUEUE}?why=late_event")
    for one in bare.query_selector_all("[name=pick]"):
        one.check()
    bare.click("button.is-reject")
    bare.fill("#reason", "Duplicate")
    bare.click(".bulk-form button.is-reject")
    assert "All of them are done" in bare.inner_text("main")
    plain.close()

"""Home in a real browser: with everything on it, in light and dark, wide and narrow; and without a mouse."""

from datetime import timedelta

import pytest

from gates.models import AlertEpisode
from ledger import clock
from ledger.identity import new_action_id
from meshline.kpis.models import KpiDay
from tests import factories as f
from tests.console.test_browser import VIEWS, browser, console, faults, look_at  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db(transaction=True)
SHOTS = None


def busy_day():
    """Every block has something in it."""
    now = clock.now()
    f.AutomationFactory(name="dunning", title="Failed payments", state="canary")
    f.AutomationFactory(name="refunds", title="Refunds", state="shadow")
    for number, (severity, words) in enumerate((("critical", "Ingest is slow: 2.9 s"), ("warning", "Backlog grows"))):
        AlertEpisode.objects.create(
            name=f"rule-{number}", episode=1, severity=severity, summary=words, correlation_id=new_action_id(),
            raised_at=now - timedelta(minutes=9), owner_group="Automation Engineer", runbook="unknown-outcome",
        )  # fmt: skip
    for days in range(8):
        for kpi, scope, one in (
            ("false_positive_rate", "", (6, 1000)), ("false_positive_rate", "automation:dunning", (4, 400)),
            ("revenue_at_risk", "", (0, 0)), ("revenue_at_risk", "currency:usd", (1_240_000, 12)),
            ("sla_met", "", (90, 100)), ("reconciliation_backlog", "", (12, 1)),
        ):  # fmt: skip
            value = one[0] if one[1] in (0, 1, 12) else one[0] / one[1]
            day = now.date() - timedelta(days=days)
            KpiDay.objects.create(kpi=kpi, scope=scope, day=day, value=value, numerator=one[0], denominator=one[1])
    for ms, provider in ((180, "stripe"), (2900, "netsuite"), (90, "zendesk")):
        for _ in range(5):
            f.AttemptFactory(provider=provider, ms=ms, status=200, began_at=now)
    f.ReconcileRunFactory(check_name="customers", finished_at=now)


def test_home_is_accessible_quiet_and_fits(console):  # noqa: F811
    busy_day()
    page = console()

    seen = look_at(page, "home", "/admin/", VIEWS)
    if SHOTS:
        for mode, width in VIEWS:
            page.emulate_media(color_scheme=mode)
            page.set_viewport_size({"width": width, "height": 844})
            page.screenshot(path=f"{SHOTS}/home_{mode}_{width}.png", full_page=True)

    assert faults({"home": seen}) == {}


def test_a_card_is_opened_by_its_key_and_explains_itself_to_the_keyboard(console):  # noqa: F811
    page = console()
    page.goto("/admin/")
    number = page.locator(".number").nth(1)

    assert not page.locator(".how").nth(1).is_visible()
    number.focus()
    assert page.locator(".how").nth(1).inner_text().startswith("Review items past their due time")
    page.keyboard.press("3")
    page.wait_for_url("**/reviewitem/?tab=second")
    page.goto("/admin/")
    page.focus("#find")
    page.keyboard.type("4")
    assert page.input_value("#find") == "4"
    assert page.url.endswith("/admin/")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("s")
    page.wait_for_url("**/admin/stop/")
    assert page.complaints == []

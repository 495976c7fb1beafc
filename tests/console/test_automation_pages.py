"""Automations in the console: the list, the way up with its numbers, previews by keyboard, diagnosis, registration."""

import pytest
from django.contrib.auth.models import Group

from gates import automations
from gates.models import Automation, PreviewReview, ReviewItem, SignOff
from ledger import clock
from ledger.models import Action
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text
from tests.people.rollouts import DAY, actions, agreed, earned, owned

HERE = "/admin/automations/dunning/"
LIST = "/admin/gates/automation/"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def dunning():
    return Automation.objects.get(name="dunning")


def page(client):
    return client.get(f"{LIST}{dunning().pk}/change/")


@pytest.mark.django_db
def test_the_list_says_where_each_stands_in_few_statements(shipped, django_assert_max_num_queries):
    owner = owned()
    Automation.objects.filter(name="dunning").update(state="canary", fell_at=None)
    agreed(actions("dunning", 4), owner)
    lead = signed_in("Revenue Ops Lead")
    lead.get(LIST)

    with django_assert_max_num_queries(24):
        shown = text(lead.get(LIST))

    assert "Canary 1 %" in shown
    assert "0.0 % of 4" in shown
    assert "Weekly triage" in shown
    client = signed_in("Billing Resolver")
    client.force_login(owner)
    SignOff.objects.all().delete()
    assert "Failed payments" in text(client.get(f"{LIST}?waits=me"))
    assert "Signed deals" not in text(client.get(f"{LIST}?owner=me"))


@pytest.mark.django_db
def test_a_step_shows_what_is_missing_and_goes_when_nothing_is(shipped):
    earned("suggest")
    SignOff.objects.all().delete()
    lead = signed_in("Revenue Ops Lead")
    shown = text(page(lead))
    assert "none for version 1" in shown
    assert "8 of 9 met" in shown
    refused = lead.post(f"{HERE}step/", {"stage": "canary", "reason": "ready"})
    assert (refused.status_code, "Sign-off: none for version 1, needed" in text(refused)) == (409, True)
    assert signed_in("Support Manager").post(f"{HERE}step/", {"stage": "canary", "reason": "x"}).status_code == 403

    owner = signed_in("Billing Resolver")
    owner.force_login(dunning().owner)
    assert "You answer for version 1" in text(
        owner.post(f"{HERE}sign_off/", {"value": "1", "reason": "ok"}, follow=True)
    )
    assert "is in Canary 1 % now" in text(lead.post(f"{HERE}step/", {"stage": "canary", "reason": "go"}, follow=True))
    added = lead.post(f"{HERE}segment/", {"segment": "tier:enterprise", "stage": "suggest", "reason": "x"}, follow=True)
    assert "tier:enterprise Soft-Auto" in text(added)
    assert lead.post(f"{HERE}segment/", {"segment": "x", "stage": "suggest", "reason": "x"}).status_code == 422
    session = lead.session
    for key in list(session.keys()):
        if "prove" in key:
            del session[key]
    session.save()
    answer = lead.post(f"{HERE}step/", {"stage": "ten", "reason": "x"})
    assert (answer.status_code, "/account/confirm/" in answer.headers.get("Location", "")) == (302, True)
    assert "is paused" in text(lead.post(f"{HERE}pause/", {"reason": "looks wrong"}, follow=True))


@pytest.mark.django_db
def test_previews_come_one_by_one_and_a_word_is_bound_to_what_was_shown(shipped):
    owned()
    Automation.objects.filter(name="dunning").update(stage_since=clock.now() - DAY)
    first, second = actions("dunning", 2, state="in_review", because=EVIL)
    resolver = signed_in("Billing Resolver")
    at = f"{HERE}previews/"

    shown = resolver.get(at).content.decode()
    assert "<script>alert" not in shown
    assert f'value="{first.pk}"' in shown
    assert all(f'data-verb="{key}"' in shown for key in "ac")
    said = {"action_id": str(first.pk), "preview_hash": first.preview_hash, "verdict": "correct"}
    wrong = resolver.post(at, said)
    assert (wrong.status_code, "Say what has to be corrected" in text(wrong)) == (422, False)
    assert "say what has to be corrected" in text(wrong).lower()
    assert f'value="{second.pk}"' in resolver.get(f"{at}?after={first.pk}").content.decode()
    assert "Kept: to be corrected" in text(resolver.post(at, {**said, "reason": "wrong plan"}, follow=True))
    Action.objects.filter(pk=second.pk).update(preview_hash="f" * 64)
    stale = resolver.post(at, {**said, "action_id": str(second.pk), "preview_hash": second.preview_hash, "reason": "x"})
    assert (stale.status_code, "the preview changed since you saw it" in text(stale).lower()) == (409, True)
    done = {"action_id": str(second.pk), "preview_hash": "f" * 64, "verdict": "agree"}
    assert "No preview waits" in text(resolver.post(at, done, follow=True))
    assert list(PreviewReview.objects.order_by("pk").values_list("verdict", flat=True)) == ["correct", "agree"]
    assert resolver.post(at, {"action_id": "x", "verdict": "agree"}).status_code == 422


@pytest.mark.django_db
def test_diagnosis_goes_in_order_and_quarantine_is_one_click(shipped):
    owner = owned()
    automations.place("dunning", "ten", why="test")
    client = signed_in("Billing Resolver")
    client.force_login(owner)
    empty = text(client.get(f"{HERE}diagnose/"))
    heads = ["1. Context age", "2. Previews and approvals", "3. Confidence", "4. SLA", "5. Quarantine"]
    assert sorted(heads, key=empty.index) == heads
    assert "No event reached it in seven days" in empty
    now = clock.now()
    facts = {"now": now.isoformat(), "tier": "", "synced_at": {"billing:7": (now - DAY / 24).isoformat()}}
    agreed(actions("dunning", 3, facts=facts), owner)
    assert "Billing 3 1 h" in text(client.get(f"{HERE}diagnose/"))

    done = client.post(f"{HERE}quarantine/", {}, follow=True)

    item = ReviewItem.objects.get(kind="automation.quarantine")
    assert f"Its exception is {item}" in text(done)
    closing = client.post(f"/admin/review/{item.pk}/reject/", {"form": "1"})
    assert "What keeps it from coming again" in text(closing)
    assert f"{item}" in text(client.get(f"{HERE}diagnose/"))
    assert client.get(f"{HERE}quarantine/").status_code == 302
    assert client.get("/admin/automations/ghost/diagnose/").status_code == 404
    triage = text(client.get("/admin/automations/triage/"))
    assert triage.index("Failed payments") < triage.index("All others") < triage.index("Signed deals")
    assert "no event came" in triage


@pytest.mark.django_db
def test_what_is_registered_is_changed_by_a_form_that_names_the_field(shipped):
    owned()
    engineer = signed_in("Automation Engineer")
    shown = engineer.get(f"{HERE}edit/")
    said = {one.name: one.value for one in shown.context["fields"]}
    wrong = engineer.post(f"{HERE}edit/", {**said, "cooling_seconds": "soon", "reason": "x"})
    assert (wrong.status_code, "whole seconds from 0" in text(wrong)) == (422, True)
    done = engineer.post(f"{HERE}edit/", {**said, "cooling_seconds": "3600", "reason": "calmer"}, follow=True)
    assert "Cooling seconds: 0 → 3600" in text(done)
    assert (dunning().version, dunning().cooling_seconds) == (2, 3600)
    assert engineer.post(f"{HERE}edit/", {**said, "title": "X", "reason": "x"}).status_code == 409  # an old page


@pytest.mark.django_db(transaction=True)
def test_automation_pages_are_accessible_and_fit(console, client):  # noqa: F811  a fixture
    earned("canary")
    PreviewReview.objects.filter(action__in=Action.objects.order_by("pk")[:20]).delete()
    automations.place("onboarding", "ten", why="test")
    automations.quarantine("onboarding", by=f.User.objects.get(username="miguel"), reason="a long reason why it was")
    f.User.objects.get(username="miguel").groups.add(*Group.objects.filter(name="Automation Engineer"))
    client.force_login(f.User.objects.get(username="miguel"))
    addresses = {
        "list": LIST, "one": f"{LIST}{dunning().pk}/change/", "previews": f"{HERE}previews/",
        "diagnose": "/admin/automations/onboarding/diagnose/", "form": f"{HERE}edit/",
        "triage": "/admin/automations/triage/",
    }  # fmt: skip
    page = console()

    seen = {name: look_at(page, name, address) for name, address in addresses.items()}

    assert faults(seen) == {}
    page.goto(addresses["previews"])
    before = page.locator("[name=action_id]").get_attribute("value")
    page.keyboard.press("c")
    page.keyboard.type("wrong plan")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Kept: to be corrected")
    assert page.locator("[name=action_id]").get_attribute("value") != before
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Kept: agrees")

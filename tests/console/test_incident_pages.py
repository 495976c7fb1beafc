"""Incidents in the console: declaring, scope, updates and their queue, approval, messages and services."""

import pytest

from gates.incidents import desk, queue, rounds, scope, services
from gates.models import Incident, IncidentUpdate, Outreach, OutreachTemplate, ServiceScope
from gates.presets_incidents import MESSAGES
from ledger.models import Action
from sync.incidents import paging
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text

HERE = "/admin/incidents/"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
SAY = {"template": "incident-update", "channel": "ticket", "text": "We are on it."}


@pytest.fixture
def words(shipped):
    for one in MESSAGES:
        OutreachTemplate.objects.get_or_create(name=one["name"], version=1, defaults=one)


@pytest.fixture
def ops(words):
    return signed_in("Product Ops")


def customers(count, **more):
    return [
        f.CustomerFactory(tier="enterprise", email=f"ap{n}@acme.example", mrr_minor=1000 * n, currency="usd", **more)
        for n in range(count)
    ]


def press(client, address, version, **more):
    return client.post(f"{HERE}{address}", {"version": version, **more}, follow=True)


def planned(user, count=3, **more):
    customers(count, **more)
    one = desk.declare("Exports are late", "minor", scope.parse(["tier is enterprise"]), by=user)
    update = rounds.begin(one.pk, by=user, version=one.state_version, **SAY)
    one.refresh_from_db()
    return one, update


def test_an_incident_is_declared_and_scoped(ops):
    assert "No incident. One begins when" in text(ops.get(HERE))
    assert "Declare an incident" in text(ops.get(f"{HERE}?new=1"))
    paging.raise_alert("events-late", "events have waited for over 10 minutes")
    assert "1 page in 30 days, also while stopped" in text(ops.get(HERE))
    paging.resolve_alert("events-late")
    customers(2, name=EVIL)
    said = {"title": EVIL, "severity": "major", "scope": "colour is red"}
    wrong = ops.post(f"{HERE}declare/", said)
    assert (wrong.status_code, "is not known; known are tier, plan" in text(wrong)) == (422, True)
    assert signed_in("Support").post(f"{HERE}declare/", said).status_code == 403
    made = ops.post(f"{HERE}declare/", {**said, "scope": ""}, follow=True)
    one = Incident.objects.get()
    assert "<script>alert" not in made.content.decode()
    assert "It has no scope, so nobody is written to" in text(made)

    shown = text(press(ops, f"{one.pk}/rescope/", one.state_version, scope="tier is enterprise", preview="1"))
    assert "What these rules would match; nothing is saved 2 customers match" in shown
    assert Incident.objects.get().scope == []
    assert press(ops, f"{one.pk}/plan/", one.state_version, **SAY).status_code == 409
    shown = text(press(ops, f"{one.pk}/rescope/", one.state_version, scope="tier is enterprise\nplan is not free"))
    assert "2 customers are in it. Nobody was written to" in shown
    assert press(ops, f"{one.pk}/rescope/", 1, scope="").status_code == 409


def test_an_update_is_planned_approved_and_the_incident_closed(ops, settings):
    settings.MESHLINE_OUTREACH_ONE_PERSON = 5
    customers(2, name=EVIL)
    one = desk.declare("Exports are late", "minor", scope.parse(["tier is enterprise"]), by=ops.user)
    assert "What customers are told now" in text(ops.get(f"{HERE}{one.pk}/?form=plan"))
    page = press(ops, f"{one.pk}/plan/", one.state_version, **{**SAY, "text": EVIL})
    assert "Planned: update 1" in text(page)
    update = IncidentUpdate.objects.get()
    at = f"{one.pk}/updates/1/"
    first = Outreach.objects.order_by("place").first()
    letter = ops.get(f"{HERE}{at}?show={first.pk}").content.decode()
    assert "As this customer gets it" in letter
    assert "<script>alert" not in letter
    assert "Why not?" in text(ops.get(f"{HERE}{at}?skip={first.pk}"))
    assert press(ops, f"{at}skip/", update.state_version, outreach=first.pk, reason="").status_code == 422
    assert "not written to" in text(press(ops, f"{at}skip/", update.state_version, outreach=first.pk, reason="no"))
    assert "after all" in text(press(ops, f"{at}include/", 2, outreach=first.pk))
    assert "Saved." in text(press(ops, f"{at}rewrite/", 3, template="incident-solved", text="It is over."))
    assert "waits for approval. Nothing was sent" in text(press(ops, f"{at}ask/", 4))
    update.refresh_from_db()
    page = text(ops.get(f"{HERE}{at}"))
    assert "2 customers get exactly the message below, one each" in page
    stranger = signed_in("Support")
    assert "Product Ops, Support Managers and Revenue Ops Leads approve" in text(stranger.get(f"{HERE}{at}"))
    digest = queue.digest(update)
    assert press(stranger, f"{at}approve/", update.state_version, digest=digest).status_code == 403
    assert press(ops, f"{at}approve/", update.state_version, digest="x").status_code == 409
    assert "The messages go out now" in text(press(ops, f"{at}approve/", update.state_version, digest=digest))
    assert Action.objects.filter(kind="outreach.ticket").count() == 2
    assert "Open again" not in text(ops.get(f"{HERE}{at}"))
    one.refresh_from_db()
    assert "Marked as mitigated" in text(press(ops, f"{one.pk}/mitigate/", one.state_version))
    assert "What was it" in text(ops.get(f"{HERE}{one.pk}/?form=close"))
    one.refresh_from_db()
    assert "withdrawn" in text(press(ops, f"{one.pk}/close/", one.state_version, summary="A bad deploy."))
    assert "A bad deploy." in text(ops.get(f"{HERE}{one.pk}/"))
    assert "IN-" in text(ops.get(f"{HERE}?closed=1"))
    assert "Last one ended" in text(ops.get(HERE))
    for wrong in (f"{one.pk}/burn/", "999/close/", f"{at}burn/", f"{one.pk}/updates/9/ask/"):
        assert ops.post(f"{HERE}{wrong}", {"version": 1}).status_code == 404
    assert ops.get(f"{HERE}{one.pk}/close/").status_code == ops.get(f"{HERE}{at}ask/").status_code == 302


def test_a_long_queue_is_paged_by_place_and_costs_the_same(ops, django_assert_max_num_queries):
    one, update = planned(ops.user, 120)
    at = f"{HERE}{one.pk}/updates/1/"
    with django_assert_max_num_queries(22):
        page = ops.get(at).content.decode()
    assert page.count("?show=") == 50
    older = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    with django_assert_max_num_queries(22):
        page = ops.get(at + older.partition("#")[0]).content.decode()
    assert "after=100" in page
    assert "before=51" in page
    assert ops.get(f"{at}?before=51").content.decode().count("?show=") == 50
    assert ops.get(f"{at}?state=sent").content.decode().count("?show=") == 0
    assert "No message is in this state" in text(ops.get(f"{at}?state=sent"))
    with django_assert_max_num_queries(24):
        ops.get(f"{HERE}{one.pk}/")
    for _ in range(52):
        desk.declare("Again", "minor", [], by=ops.user)
    with django_assert_max_num_queries(18):
        page = ops.get(HERE).content.decode()
    assert (
        "Again"
        in ops.get(HERE + page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]).content.decode()
    )
    assert update.number == 1


def test_messages_and_services_have_forms(ops):
    say = {"name": "late", "title": "Late", "subject": "{incident}", "body": "{who}", "reason": "new", "version": 0}
    wrong = ops.post(f"{HERE}messages/new/", say)
    assert (wrong.status_code, "{who} is not known; known are {company}" in text(wrong)) == (422, True)
    assert "Saved as version 1" in text(ops.post(f"{HERE}messages/new/", {**say, "body": "{status}"}, follow=True))
    assert ops.get(f"{HERE}messages/none/").status_code == 404
    support = signed_in("Support")
    assert "<textarea" not in support.get(f"{HERE}messages/late/").content.decode()
    assert support.post(f"{HERE}messages/late/", say).status_code == 403

    assert "No service is known yet" in text(ops.get(f"{HERE}services/"))
    said = {"service": "PWIXJZS", "title": EVIL, "scope": "tier is enterprise", "version": 0}
    assert ops.post(f"{HERE}services/", {**said, "scope": "x"}).status_code == 422
    assert "Saved for" in text(ops.post(f"{HERE}services/", said, follow=True))
    assert "tier is enterprise" in text(ops.get(f"{HERE}services/?service=PWIXJZS"))
    assert support.post(f"{HERE}services/", said).status_code == 403
    assert ServiceScope.objects.get().version == 1
    assert signed_in().get(HERE).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_incident_pages_are_accessible_and_fit(console, words):  # noqa: F811  a fixture
    page = console()
    manager = f.User.objects.get(username="miguel")
    one, update = planned(manager, 4, name="A customer with a rather long name and Co KG")
    services.save("pagerduty", "PWIXJZS", scope.parse(["tier is enterprise"]), by=manager, version=0)
    at = f"{HERE}{one.pk}/"
    seen = {
        name: look_at(page, name, address)
        for name, address in {
            "list": f"{HERE}?new=1", "one": at, "scope": f"{at}?form=rescope", "plan": f"{at}updates/1/",
            "message": f"{HERE}messages/incident-update/", "services": f"{HERE}services/",
        }.items()
    }  # fmt: skip
    rounds.ask(update.pk, by=manager, version=update.state_version)
    seen["approve"] = look_at(page, "approve", f"{at}updates/1/?skip={Outreach.objects.latest('pk').pk}")

    assert faults(seen) == {}

"""Incidents end to end: heard by signed webhooks, approved by people, sent once each; and pages about ourselves."""

import time
from datetime import timedelta

import pytest

from gates import review, stop
from gates.incidents import desk, queue, rounds, services
from gates.models import AlertEpisode, Incident, Outreach, ReviewItem
from gates.stop import Refused
from ledger import clock, verify
from ledger.models import Action, Customer, Event
from meshline.subjects import SUBJECTS, UNCHAINED
from sync import drain, settle, sweep
from sync.incidents import paging, sending
from sync.models import Attempt
from sync.sandbox import keys
from tests.factories import CustomerFactory
from tests.flows.test_crash import KilledError, expire, kill
from tests.people.cast import person

pytestmark = pytest.mark.django_db(transaction=True)
ENTERPRISE = [{"field": "tier", "op": "is", "values": ["enterprise"]}]


@pytest.fixture
def paged(world, live_server, settings):
    """The world, with its alerting system telling us; it is never night here."""
    settings.MESHLINE_QUIET_HOURS = ()
    world.sandbox.post("/_webhooks", {"pagerduty": {
        "url": f"{live_server.url}/webhooks/pagerduty/", "secrets": ["old-secret", keys.PAGERDUTY_WEBHOOK_SECRET],
    }})  # fmt: skip
    return world


def customers(count=3, tier="enterprise"):
    return [
        CustomerFactory(
            tier=tier, email=f"ap{n}@{tier}.example", mrr_minor=(n + 1) * 1000, currency="usd", name=f"{tier} {n}"
        )
        for n in range(count)
    ]  # fmt: skip


def approved(one, by, **more):
    one.refresh_from_db()
    update = rounds.begin(one.pk, by=by, version=one.state_version, text="We are on it.", **{
        "template": "incident-update", "channel": "ticket", **more,
    })  # fmt: skip
    update = rounds.ask(update.pk, by=by, version=update.state_version)
    digest = queue.digest(update)
    return sending.approve(update.pk, by=by, version=update.state_version, digest=digest)


def until_sent(world, count):
    ends = time.monotonic() + 60
    while Outreach.objects.filter(state="sent").count() < count and time.monotonic() < ends:
        world.settle(0.1)
    assert Outreach.objects.filter(state="sent").count() == count


def messages(world):
    tickets = world.sandbox.books("zendesk")["objects"]["tickets"].values()
    return [one for one in tickets if "incident" in one["tags"]]


def told(world):
    return [one for one in world.effects("zendesk") if one["summary"] == "ticket created"]


def test_heard_approved_and_sent_once_each(paged):
    world = paged
    ops, lead = person("Product Ops"), person("Revenue Ops Lead")
    services.save("pagerduty", "PWIXJZS", ENTERPRISE, by=ops, version=0)
    big, other = customers(4), customers(2, "starter")
    evil = '<b>Checkout</b> {company} \u202e is "down"\r\nBcc: x@y.example'
    world.fault({"kind": "hook_duplicate", "provider": "pagerduty", "times": 2},
                {"kind": "hook_bad_signature", "provider": "pagerduty"})  # fmt: skip
    played = world.play("pagerduty", "trigger", title=evil, service="PWIXJZS")
    world.settle()
    one = Incident.objects.get()
    assert (one.state, one.affected, one.mrr, one.external_id) == ("open", 4, {"usd": 10_000}, played["incident"])
    assert one.title == '<b>Checkout</b> {company} is "down" Bcc: x@y.example'
    assert (Event.objects.filter(source="pagerduty").count(), Event.objects.get(source="pagerduty").deliveries) == (
        1,
        3,
    )
    world.play("pagerduty", "annotate", incident=one.external_id)
    world.play("pagerduty", "resolve", incident=one.external_id)
    world.settle()
    one.refresh_from_db()
    assert one.state == "mitigated"
    assert not Action.objects.exists()

    world.fault({"kind": "lost_answer", "provider": "zendesk", "method": "POST", "nth": [1, 3]},
                {"kind": "error_after", "provider": "zendesk", "method": "POST", "nth": [5]})  # fmt: skip
    update = approved(one, ops)
    assert (update.state, Action.objects.count(), told(world)) == ("approved", 4, [])
    until_sent(world, 4)
    assert list(Outreach.objects.order_by("place").values_list("customer", "state")) == [
        (each.pk, "sent") for each in reversed(big)
    ]
    assert sorted(entry["action"] for entry in told(world)) == sorted(
        str(pk) for pk in Action.objects.values_list("pk", flat=True)
    )
    sent = {ticket["description"] for ticket in messages(world)}
    assert len(sent) == len(messages(world)) == 4
    assert all("We are on it." in words and "enterprise" in words and "{" not in words for words in sent)

    # A second update is another round; closing withdraws what has not left.
    stop.engage("all", by=lead, reason="drill")
    approved(one, ops, template="incident-solved")
    world.settle()
    assert set(Action.objects.exclude(state="applied").values_list("state", flat=True)) == {"parked"}
    one.refresh_from_db()
    desk.close(one.pk, by=ops, version=one.state_version, summary="A bad deploy; rolled back.")
    assert Action.objects.filter(state="superseded").count() == Outreach.objects.filter(state="skipped").count() == 4
    assert len(messages(world)) == 4
    assert not Outreach.objects.filter(customer__in=other).exists()
    report = verify.verify(SUBJECTS, UNCHAINED)
    assert (report.broken, report.guard) == (None, ())


book_sent = settle.book_sent


def killed_with_an_answer(sent, token):
    """The process dies with answers in its hands; what was only looked up is booked."""
    if any(one.one.state == "sending" for one in sent):
        kill()
    book_sent(sent, token)


def test_killed_at_the_worst_moment_nobody_is_written_to_twice(paged, monkeypatch):
    world, ops = paged, person("Product Ops")
    customers(12)
    one = desk.declare("Exports are late", "minor", ENTERPRISE, by=ops)
    approved(one, ops)
    for moment in ("before the call", "after the call"):
        with monkeypatch.context() as patched:
            if moment == "after the call":
                patched.setattr(settle, "book_sent", killed_with_an_answer)
            else:
                patched.setattr(drain.Drain, "go", lambda self, going: kill() if going else None)
            ends = time.monotonic() + 60
            killed = False
            while not killed and time.monotonic() < ends:
                try:
                    drain.once()
                except KilledError:
                    killed = True
            assert killed, moment
        assert Action.objects.filter(state="sending").exists()
        expire()
    until_sent(world, 12)
    assert set(Action.objects.values_list("state", flat=True)) == {"applied"}
    assert len(told(world)) == len(messages(world)) == len({entry["action"] for entry in told(world)}) == 12


def test_what_is_refused_at_night_or_changed_since_is_not_sent(paged, settings):
    world, ops = paged, person("Product Ops")
    first, second, third = customers(3)
    one = desk.declare("Exports are late", "minor", ENTERPRISE, by=ops)
    now = clock.now()
    minute = now.hour * 60 + now.minute
    settings.MESHLINE_QUIET_HOURS = ((minute - 5) % 1440, (minute + 120) % 1440)
    settings.MESHLINE_QUIET_ZONE = "UTC"
    approved(one, ops)
    assert set(Action.objects.values_list("state", flat=True)) == {"held"}
    assert Action.objects.first().available_at > now + timedelta(minutes=100)
    world.settle()
    assert messages(world) == []
    one.refresh_from_db()
    desk.close(one.pk, by=ops, version=one.state_version, summary="over before the morning")

    settings.MESHLINE_QUIET_HOURS = ()
    two = desk.declare("Imports are late", "minor", ENTERPRISE, by=ops)
    approved(two, ops)
    Customer.objects.filter(pk=first.pk).update(email="new@enterprise.example")
    Customer.objects.filter(pk=second.pk).update(email="two@a.example, three@b.example")
    until_sent(world, 1)
    for _ in range(100):
        if ReviewItem.objects.filter(why="facts_unreadable").count() == 2:
            break
        world.settle(0.1)
    for item in ReviewItem.objects.filter(why="facts_unreadable").select_related("action"):
        review.reject(item.pk, by=person(), reason="write by hand", version=item.action.state_version)
    sweep.sweep()
    assert dict(Outreach.objects.filter(incident=two).values_list("customer", "state")) == {
        first.pk: "skipped", second.pk: "skipped", third.pk: "sent",
    }  # fmt: skip
    assert len(messages(world)) == 1


def test_mail_without_a_server_is_said_and_nothing_is_approved(paged):
    ops = person("Product Ops")
    customers(2)
    one = desk.declare("Exports are late", "minor", ENTERPRISE, by=ops)
    with pytest.raises(Refused, match="MESHLINE_MAIL_HOST"):
        approved(one, ops, channel="mail")
    assert not Action.objects.exists()


def test_the_on_call_is_paged_once_an_episode_also_while_stopped(paged):
    world, lead = paged, person("Support Manager")
    stop.engage("all", by=lead, reason="drill")
    pages = lambda: world.sandbox.books("pagerduty")["objects"]["pages"]  # noqa: E731

    for _ in range(3):
        paging.raise_alert("events-late", "events have waited for over 10 minutes")
    world.fault({"kind": "lost_answer", "provider": "pagerduty", "nth": 1})
    world.until("alert", "applied")
    assert [one["key"] for one in pages()] == ["meshline-alert:events-late:1"]
    assert paging.counts() == {"applied": 1}
    assert (Incident.objects.count(), stop.held_count()) == (0, 0)
    echo = Event.objects.get(source="pagerduty")
    assert (echo.state, echo.verdict) == ("ignored", "ignored: our own write coming back")

    assert paging.resolve_alert("events-late")
    assert not paging.resolve_alert("events-late")
    world.settle(0.2)
    assert world.sandbox.books("pagerduty")["objects"]["open_alerts"] == {}
    paging.raise_alert("events-late", "again")
    world.settle(0.2)
    assert [one["key"] for one in pages()] == ["meshline-alert:events-late:1", "meshline-alert:events-late:2"]
    # What never left is not sent late: neither the page nor a second one for an episode that is over.
    paging.raise_alert("provider-down:stripe", "stripe has not answered")
    assert paging.resolve_alert("provider-down:stripe")
    world.settle(0.2)
    assert len(pages()) == 2
    assert list(AlertEpisode.objects.order_by("pk").values_list("state", flat=True)) == [
        "resolved",
        "raised",
        "resolved",
    ]
    secret = keys.PAGERDUTY_ROUTING_KEY
    assert not any(secret in str(row) for row in Action.objects.values_list("request", "confirmation", "params"))
    assert not any(secret in body for body in Attempt.objects.values_list("request_body", flat=True))
    report = verify.verify(SUBJECTS, UNCHAINED)
    assert (report.broken, report.guard) == (None, ())

"""Portal links: who makes and ends them, what is stored, and what a visitor of each kind is answered."""

import json
import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils.crypto import get_random_string

from gates import stop
from gates.models import ReviewItem, StopSwitch
from gates.stop import Refused
from ledger import clock, verify
from ledger.models import ExternalId, LedgerRow
from meshline import subjects
from meshline.conf_logging import hide_portal_tokens
from sync.models import Attempt, PortalLink, PortalRun
from sync.portal import alerts, backfill, links, tokens
from sync.providers import stripe_portal
from tests import factories as f

pytestmark = pytest.mark.django_db


def manager(**more):
    user = f.UserFactory(**more)
    user.user_permissions.add(Permission.objects.get(codename="manage_portal_links"))
    return user


def customer(*ids):
    made = f.CustomerFactory()
    for one in ids:
        f.ExternalIdFactory(system="stripe", kind="customer", value=one, customer=made)
    return made


def path(made):
    return f"/portal/{made.token}/"


def later(monkeypatch, **span):
    at = clock.now() + timedelta(**span)
    monkeypatch.setattr(clock, "now", lambda: at)


@pytest.fixture
def world(db, sandbox, settings):
    """A customer with a link, at Stripe and here."""
    StopSwitch.objects.get_or_create(scope="all")
    billing = sandbox.post("/_play/stripe/create_customer", {"name": "Initech"})["customer"]
    sandbox.post("/_webhooks/flush", {"timeout_s": 30})
    owner = customer(billing)
    return {"sandbox": sandbox, "billing": billing, "owner": owner, "by": manager(), "settings": settings}


@pytest.fixture
def made(world):
    return links.make(world["owner"].pk, by=world["by"], reason="asked for it")


def test_a_link_is_made_renewed_and_revoked_and_no_row_holds_its_token(world, settings):
    by, owner = world["by"], world["owner"]

    first = links.make(owner.pk, by=by, reason="asked for it")
    second = links.renew(first.link.pk, by=by, reason="it was forwarded", version=1)
    links.revoke(second.link.pk, by=by, reason="contract over", version=1)

    rows = LedgerRow.objects.filter(subject_kind="portal_link").order_by("id")
    assert [(one.decision, one.prior_state, one.post_state, one.state_version) for one in rows] == [
        ("make_portal_link", "active", "active", 1), ("revoke_portal_link", "active", "revoked", 2),
        ("make_portal_link", "active", "active", 1), ("revoke_portal_link", "active", "revoked", 2),
    ]  # fmt: skip
    assert [one.generation for one in PortalLink.objects.order_by("id")] == [1, 2]
    assert len(first.token) == tokens.LENGTH
    assert first.token != second.token
    with connection.cursor() as cursor:
        cursor.execute("select string_agg(t::text, ' ') from (select l::text from sync_portallink l union all "
                       "select r::text from ledger_ledgerrow r) t")  # fmt: skip
        stored = cursor.fetchone()[0]
    assert first.token not in stored
    assert second.token not in stored
    assert tokens.hashed(first.token) in stored
    assert links.url_for(first.link) == f"{settings.MESHLINE_PUBLIC_URL}/portal/{first.token}/"
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = get_random_string(60), [settings.SECRET_KEY]
    assert links.url_for(first.link).endswith(f"/{first.token}/")
    settings.SECRET_KEY_FALLBACKS = []
    assert links.url_for(first.link) == ""
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).broken is None


def test_what_the_door_refuses(world):
    by, owner = world["by"], world["owner"]
    stranger, made = f.UserFactory(), links.make(owner.pk, by=by, reason="asked for it")
    two = customer("cus_a1", "cus_a2")

    def code(call, *args, **more):
        with pytest.raises(Refused) as refused, transaction.atomic():
            call(*args, **more)
        return refused.value.status, refused.value.code

    assert code(links.make, owner.pk, by=by, reason="x") == (409, "exists")
    assert code(links.make, owner.pk, by=by, reason=" ") == (422, "reason")
    assert code(links.make, 987654321, by=by, reason="x") == (404, "customer")
    assert code(links.make, customer().pk, by=by, reason="x") == (409, "no_id")
    assert code(links.make, two.pk, by=by, reason="x") == (409, "several")
    assert code(links.make, two.pk, by=by, reason="x", billing_customer=world["billing"]) == (422, "billing_customer")
    assert links.make(two.pk, by=by, reason="x", billing_customer="cus_a2").link.billing_customer == "cus_a2"
    assert code(links.revoke, made.link.pk, by=by, reason="x", version=7) == (409, "stale")
    assert code(links.renew, 987654321, by=by, reason="x", version=1) == (404, "link")
    before = PortalLink.objects.count()
    with pytest.raises(Refused):
        links.revoke(made.link.pk, by=stranger, reason="x", version=1)
    refusal = LedgerRow.objects.get(outcome="refused", actor=f"user:{stranger.pk}")
    assert (refusal.decision, refusal.error_code) == ("revoke_portal_link", "permission")
    assert (PortalLink.objects.count(), PortalLink.objects.get(pk=made.link.pk).state) == (before, "active")
    with pytest.raises(IntegrityError), transaction.atomic():
        PortalLink.objects.create(customer=owner, provider="stripe", generation=9, token_hash="x", seed="x")


def test_a_visitor_gets_a_fresh_session_each_time_and_nothing_leaks(world, made, caplog):
    client = Client()
    with caplog.at_level(logging.DEBUG):
        first, second = client.get(path(made)), client.get(f"/portal/{made.token}")

    assert [one.status_code for one in (first, second)] == [303, 303]
    assert first["Location"] != second["Location"]
    assert first["Location"].startswith(world["sandbox"].url)
    assert (
        world["billing"] in world["sandbox"].books("stripe")["objects"]["billing_portal/sessions"].popitem()[1].values()
    )
    assert (first["Referrer-Policy"], first["Cache-Control"]) == ("no-referrer", "no-store")
    assert "noindex" in first["X-Robots-Tag"]
    assert (first.content, first.cookies) == (b"", {})
    link = PortalLink.objects.get()
    assert (link.visits, link.state, link.state_version) == (2, "active", 1)
    attempts = Attempt.objects.filter(path="/v1/billing_portal/sessions")
    assert attempts.count() == 2
    assert not any(one.request_body or one.response_body or one.is_write for one in attempts)
    assert made.token not in caplog.text
    assert first["Location"] not in caplog.text


def test_head_and_other_methods_make_no_session(world, made):
    client = Client()

    assert client.head(path(made)).status_code == 200
    assert client.head("/portal/nobody/").status_code == 404
    assert [client.post(path(made)).status_code, client.options(path(made)).status_code] == [405, 405]
    assert PortalLink.objects.get().visits == 0
    assert world["sandbox"].books("stripe")["objects"]["billing_portal/sessions"] == {}


def test_unknown_revoked_expired_and_orphaned_are_one_answer(world, made, monkeypatch):
    by, settings = world["by"], world["settings"]
    settings.MESHLINE_PORTAL = {**settings.MESHLINE_PORTAL, "link_days": 30}
    short = links.renew(made.link.pk, by=by, reason="shorter", version=1)
    other = links.make(customer("cus_other").pk, by=by, reason="x")
    ExternalId.objects.filter(value="cus_other").delete()
    shapes = [path(made), path(other), "/portal/nobody/", "/portal/%00%ff/", f"/portal/{'x' * 5000}/"]
    answers = [Client().get(one) for one in shapes]
    assert Client().get(path(short)).status_code == 303
    later(monkeypatch, days=31)
    answers.append(Client().get(path(short)))

    told = {(one.status_code, one.content, json.dumps(sorted(one.headers.items()))) for one in answers}
    assert len(told) == 1
    assert answers[0].status_code == 404
    assert links.expire_due() == 2
    assert PortalLink.objects.get(pk=short.link.pk).state == "expired"
    assert links.make(world["owner"].pk, by=by, reason="again").link.generation == 3


def test_past_ten_misses_a_minute_all_are_answered_alike(world, made, monkeypatch):
    client = Client()

    seen = [client.get(f"/portal/{n}/").status_code for n in range(10)]
    slowed = [client.get(path(made)), client.get("/portal/another/"), client.head(path(made))]

    assert seen == [404] * 10
    assert [one.status_code for one in slowed] == [429] * 3
    assert slowed[0].content == slowed[1].content
    assert 1 <= int(slowed[0]["Retry-After"]) <= 61
    assert Client(REMOTE_ADDR="10.1.1.1").get(path(made)).status_code == 303
    later(monkeypatch, seconds=61)
    assert client.get(path(made)).status_code == 303


def test_what_stands_in_the_way_is_said_to_people_once_and_settles_itself(world, made, monkeypatch):
    sandbox, settings = world["sandbox"], world["settings"]
    troubles = {
        "portal_not_activated": ("/_play/stripe/set_portal", {"active": False}),
        "portal_bad_target": ("/_play/stripe/set_portal", {"active": True, "url": "https://billing.stripe.com.evil.example/p"}),
        "portal_customer_gone": ("/_play/stripe/delete_customer", {"customer": world["billing"]}),
    }  # fmt: skip
    settings.MESHLINE_PORTAL = {**settings.MESHLINE_PORTAL, "check_customer": world["billing"]}
    call_command("portal_links", "--check")
    for code, (place, body) in troubles.items():
        sandbox.post(place, body)
        answers = [Client().get(path(made)) for _ in range(3)]
        assert {one.status_code for one in answers} == {404 if code == "portal_customer_gone" else 503}, code
        assert all(made.token.encode() not in one.content for one in answers)
        item = ReviewItem.objects.get(error_code=code)
        assert (item.kind, item.owner_group, item.state) == ("portal.failed", "Automation Engineer", "open")
        assert item.reason == alerts.TROUBLES[code].fix
        with pytest.raises(SystemExit):
            call_command("portal_links", "--check")
        sandbox.post("/_play/stripe/set_portal", {"active": True, "url": ""})
    assert Client().get(path(made)).content == Client().get("/portal/nobody/").content
    assert PortalRun.objects.filter(kind="check").count() == 4

    PortalLink.objects.update(last_used_at=clock.now())
    assert alerts.settle() == 3
    assert set(ReviewItem.objects.values_list("state", "resolution")) == {("resolved", "recovered")}


def test_a_silent_provider_costs_seconds_and_the_stop_may_close_the_portal(world, made, monkeypatch):
    sandbox, settings = world["sandbox"], world["settings"]
    monkeypatch.setattr(stripe_portal, "SECONDS", 0.3)
    sandbox.faults({"provider": "stripe", "rules": [{"kind": "hang", "ms": 3000}]})

    assert Client().get(path(made)).status_code == 503
    sandbox.faults({"provider": "*", "rules": []})
    assert ReviewItem.objects.get().error_code == "portal_unreachable"
    stop.engage("all", by=f.UserFactory(is_superuser=True), reason="test")
    assert Client().get(path(made)).status_code == 303
    settings.MESHLINE_PORTAL = {**settings.MESHLINE_PORTAL, "while_stopped": False}
    assert Client().get(path(made)).status_code == 503


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://billing.stripe.com/p/session/live_x", True), ("https://billing.stripe.com:443/p", True),
        ("https://pay.example.com/p/session/x", True), ("http://127.0.0.1:8200/p/session/x", True),
        ("http://127.0.0.1:8201/p", False), ("http://billing.stripe.com/p", False),
        ("https://billing.stripe.com.evil.example/p", False), ("https://billing.stripe.com@evil.example/p", False),
        ("https://evil.example/https://billing.stripe.com", False), ("https://billing.stripe.com:8443/p", False),
        ("https://billing.stripe.com\\@evil.example/", False), ("//billing.stripe.com/p", False),
        ("javascript:alert(1)", False), ("https://billing.stripe.com/p\r\nX-A: b", False), ("", False),
        ("https://[::1/p", False), ("https://bılling.stripe.com/p", False),
    ],
)  # fmt: skip
def test_visitors_are_sent_to_the_providers_own_host_only(settings, url, safe):
    settings.MESHLINE_PORTAL = {**settings.MESHLINE_PORTAL, "host": "pay.example.com"}

    assert stripe_portal.is_safe(url, "http://127.0.0.1:8200/stripe") is safe
    if "127.0.0.1" in url:
        settings.MESHLINE_ALLOW_LOOPBACK = False
        assert stripe_portal.is_safe(url, "http://127.0.0.1:8200/stripe") is False


def test_a_changed_id_ends_the_link_and_ensure_makes_the_next(world, made):
    owner = world["owner"]
    assert links.ensure(owner.pk, actor="system:test", reason="sync").token == made.token

    ExternalId.objects.filter(customer=owner).update(value="cus_new")
    renewed = links.ensure(owner.pk, actor="system:test", reason="sync")
    assert (renewed.link.generation, renewed.link.billing_customer) == (2, "cus_new")
    assert PortalLink.objects.get(pk=made.link.pk).state == "revoked"
    assert links.end_for(owner.pk, actor="system:test", reason="sync", keep="cus_new") == 0
    assert links.end_for(owner.pk, actor="system:test", reason="sync") == 1


def test_backfill_counts_first_and_makes_each_link_once(world, capsys):
    by, done = world["by"], customer("cus_done")
    links.make(done.pk, by=by, reason="x")
    moved = customer("cus_old")
    links.make(moved.pk, by=by, reason="x")
    ExternalId.objects.filter(value="cus_old").update(value="cus_moved")
    customer()
    customer("cus_x1", "cus_x2")

    call_command("portal_links", "--backfill", "--dry-run", "--json")
    planned = json.loads(capsys.readouterr().out)
    call_command("portal_links", "--backfill", "--as", by.username, "--json")
    made = json.loads(capsys.readouterr().out)

    assert planned == {"dry_run": True, "make": 2, "has_link": 1, "no_id": 1, "several_ids": 1, "archived": 0}
    assert made == {**planned, "dry_run": False}
    assert backfill.plan() == backfill.Report(has_link=3, no_id=1, several_ids=1)
    assert PortalLink.objects.filter(state="active").count() == 3
    assert sorted(PortalLink.objects.filter(customer=moved).values_list("generation", "state")) == [
        (1, "revoked"), (2, "active")
    ]  # fmt: skip
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).broken is None
    with pytest.raises(Refused):
        backfill.ask(by=f.UserFactory(), reason="x")


def test_log_lines_never_hold_a_token():
    event = {"event": "Not Found: /portal/abc-DEF_123/", "exception": 'File "x" GET /portal/abc-DEF_123', "n": 1}

    assert "abc-DEF" not in str(hide_portal_tokens(None, "", event))
    assert event["event"] == "Not Found: /portal/.../"

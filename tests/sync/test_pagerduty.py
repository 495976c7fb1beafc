"""PagerDuty: signatures by the published vectors, envelopes, contracts, and the events that page."""

import hmac
import json
from datetime import UTC, datetime

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured

from gates.models import Incident, ReviewItem
from ledger.models import Action, Event, EventBody
from meshline import conf_incidents
from sync import contracts, providers, strictjson
from sync.actions.alert import dedup_key
from sync.contracts import Drift
from sync.contracts.pagerduty import IncidentSeen
from sync.errors import BadBody, PermanentError, SignatureError, TransientError, UnconfirmedError, UnreadableAnswer
from sync.sandbox import keys
from tests.flows.world import World

PAGER = providers.get("pagerduty")
SECRET, OLD = "pdwhsec_9f8e7d6c5b4a39281706f5e4d3c2b1a0", "old-secret-being-rotated-out"
BODY = b'{"event":{"id":"01EXAMPLEEVENT0001","event_type":"incident.acknowledged","resource_type":"incident"}}'
V1 = "v1=93c243695029403ce7440544cc1b8b0ce8dbdddb4b05ad960bac86d001919528"
BOTH = f"v1=b24286405861ca6ed748263366bd86e65bc8c5fececb56486843596b648d307d,{V1}"
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def check(header, body=BODY, secrets=(SECRET,)):
    values = header if isinstance(header, tuple) else (header,)
    PAGER.verify({"x-pagerduty-signature": values}, body, AT, secrets)


def event(**more):
    data = {
        "id": "PT4KHLK", "type": "incident", "number": 1234, "status": "triggered", "title": "Down", "urgency": "high",
        "incident_key": None, "created_at": "2026-11-21T09:30:00Z", "priority": None,
        "service": {"id": "PWIXJZS", "type": "service_reference", "summary": "Billing"}, **more.pop("data", {}),
    }  # fmt: skip
    made = {"id": "01JD8R2M7Q0", "event_type": "incident.triggered", "occurred_at": "2026-11-21T09:31:12.169Z", **more}
    return {"event": {**made, "data": data}}


def envelope(document):
    parsed = strictjson.loads_object(json.dumps(document).encode())
    return PAGER.envelope(parsed.document, {}, b"", parsed.oddities)


def test_the_published_vectors_verify_also_while_a_secret_is_rotated():
    check(V1)
    check(BOTH)
    check(BOTH, secrets=(OLD,))
    check(f" {V1} , v2=later", secrets=("other", SECRET))
    check(V1.upper().replace("V1=", "v1="))


@pytest.mark.parametrize(
    ("header", "body", "secrets"),
    [
        (V1, BODY + b" ", (SECRET,)), (V1, BODY.replace(b"01E", b"02E"), (SECRET,)), (V1, BODY, ("other",)),
        (V1, BODY, ("",)), (V1, BODY, ()), ("", BODY, (SECRET,)), (V1[3:], BODY, (SECRET,)), ("v1=", BODY, (SECRET,)),
        (V1[:-1], BODY, (SECRET,)), (V1.replace("v1", "v2"), BODY, (SECRET,)), ((V1, V1), BODY, (SECRET,)),
        ((), BODY, (SECRET,)), (",".join(["v1=" + "0" * 64] * 17), BODY, (SECRET,)), (f"{V1},v1=zz", BODY, (SECRET,)),
        ("v1=" + hmac.digest(b"", BODY, "sha256").hex(), BODY, ("",)),
    ],
)  # fmt: skip
def test_forgeries_are_refused(header, body, secrets):
    with pytest.raises(SignatureError):
        check(header, body, secrets)


def test_an_event_is_named_by_its_own_id_and_its_incident():
    named = envelope(event())
    assert (named.provider_event_id, named.object_id, named.lane_key) == ("01JD8R2M7Q0", "PT4KHLK", "PT4KHLK")
    assert (named.kind, named.origin_key, named.park) == ("incident.opened", "", "")
    note = {"id": "N1", "type": "incident_note", "content": "x", "incident": {"id": "PT4KHLK"}}
    about = {"event": {"id": "1", "event_type": "incident.annotated", "data": note}}
    assert (envelope(about).kind, envelope(about).lane_key, envelope(about).park) == ("informational", "PT4KHLK", "")
    assert (
        envelope({"event": {"id": "1", "event_type": "pagey.ping", "data": {"message": "x"}}}).kind == "informational"
    )
    assert envelope({"event": {"id": "1", "event_type": "incident.sung", "data": None}}).kind == "unknown"
    assert envelope(event(data={"incident_key": "meshline-alert:x:1"})).origin_key == "meshline-alert:x:1"
    assert "unreadable time" in envelope(event(occurred_at="soon")).park
    assert "no incident id" in envelope(event(data={"id": None})).park
    for broken in ({}, {"event": []}, {"event": {"id": "1"}}, {"event": {"event_type": "x"}}, event(id="a\x00b")):
        with pytest.raises(BadBody):
            envelope(broken)


def test_a_contract_reads_what_is_there_and_says_what_drifted():
    seen = contracts.read("pagerduty", "incident.triggered", "", event(data={"priority": {"summary": "P1"}}))
    assert seen == IncidentSeen(
        id="PT4KHLK", number="1234", title="Down", status="triggered", urgency="high", priority="P1",
        service="PWIXJZS", service_name="Billing", key="", is_opening=True, created_at=AT, url="",
    )  # fmt: skip
    for data, member in (
        ({"status": "sleeping"}, "status"), ({"id": ""}, "id"), ({"title": 5}, "title"), ({"service": "P1"}, "service"),
        ({"created_at": "soon"}, "created_at"),
    ):  # fmt: skip
        found = contracts.read("pagerduty", "incident.triggered", "", event(data=data))
        assert isinstance(found, Drift), member
        assert found.member == member
    assert contracts.read("pagerduty", "incident.sung", "", event()) is None


def test_a_page_carries_the_action_and_never_the_key(sandbox):
    request = PAGER.page(dedup_key("x", 1), "Events wait", "error", source="meshline", kind="x", at=AT, action_id="A1")
    assert keys.PAGERDUTY_ROUTING_KEY not in str(request)
    exchanges = []
    for _ in range(2):
        assert PAGER.perform(request, lambda: None, exchanges).json()["dedup_key"] == "meshline-alert:x:1"
    assert keys.PAGERDUTY_ROUTING_KEY not in str(exchanges)
    assert len(exchanges) == 2
    books = sandbox.books("pagerduty")
    assert (len(books["objects"]["pages"]), [one["action"] for one in books["writes"]]) == (1, ["A1", "A1"])
    PAGER.perform(PAGER.close(dedup_key("x", 1), "acknowledge"), lambda: None)
    PAGER.perform(request, lambda: None)
    PAGER.perform(PAGER.close(dedup_key("x", 1)), lambda: None)
    PAGER.perform(PAGER.close(dedup_key("x", 1)), lambda: None)
    assert len(sandbox.books("pagerduty")["objects"]["pages"]) == 1
    for wrong in ({"severity": "awful"}, {"summary": ""}, {"key": "theirs"}):
        said = {"key": dedup_key("x", 1), "summary": "s", "severity": "info", **wrong}
        with pytest.raises(ValueError, match=r"refused|dedup key"):
            PAGER.page(said["key"], said["summary"], said["severity"], source="m", kind="x", at=AT, action_id="A")
    with pytest.raises(ValueError, match="acknowledged or resolved"):
        PAGER.close(dedup_key("x", 1), "trigger")


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"kind": "rate_limit"}, TransientError), ({"kind": "error_before", "status": 503}, UnconfirmedError),
        ({"kind": "expire_auth"}, PermanentError), ({"kind": "lost_answer"}, UnconfirmedError),
        ({"kind": "cut_json"}, UnconfirmedError), ({"kind": "html"}, UnreadableAnswer),
    ],
)  # fmt: skip
def test_each_way_of_failing_says_what_may_be_done_next(sandbox, rule, kind):
    sandbox.faults({"provider": "pagerduty", "rules": [rule]})

    with pytest.raises(kind) as failed:
        PAGER.perform(PAGER.close(dedup_key("x", 1)), lambda: None)

    assert keys.PAGERDUTY_ROUTING_KEY not in str(vars(failed.value))


def test_quiet_hours_are_read_and_refused_by_name(monkeypatch):
    monkeypatch.setenv("MESHLINE_QUIET_HOURS", "22:30-06:00")
    assert conf_incidents.read()["HOURS"] == (1350, 360)
    monkeypatch.setenv("MESHLINE_QUIET_HOURS", "none")
    assert conf_incidents.read()["HOURS"] == ()
    for name, value in (
        ("MESHLINE_QUIET_HOURS", "late"), ("MESHLINE_QUIET_HOURS", "08:00-08:00"), ("MESHLINE_QUIET_ZONE", "Mars/Base"),
        ("MESHLINE_OUTREACH_ONE_PERSON", "-1"),
    ):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(ImproperlyConfigured, match=name):
                conf_incidents.read()


@pytest.mark.django_db(transaction=True)
def test_what_belongs_to_no_scope_or_cannot_be_read_goes_to_a_person(sandbox, live_server):
    world = World(sandbox, live_server.url)
    sandbox.post("/_webhooks", {"pagerduty": {"url": f"{live_server.url}/webhooks/pagerduty/"}})
    world.play("pagerduty", "trigger", title="\u202eDown", service="PNEW")
    world.play("pagerduty", "trigger", title="a\x00b", service="PNEW")
    played = world.play("pagerduty", "trigger", title="Late", service="PNEW", urgency="low")["incident"]
    world.settle()
    one, two = Incident.objects.order_by("pk")
    assert (one.title, one.severity, two.severity) == ("Down", "major", "minor")
    items = ReviewItem.objects.filter(why="incident_without_scope")
    assert items.count() == 2
    assert str(items.order_by("pk").first().sentence) == f"{one} from the service Other has no scope."
    assert not Action.objects.exists()
    assert Event.objects.filter(source="pagerduty", state="parked").count() == 1

    world.hold("pagerduty")
    for verb in ("acknowledge", "resolve", "reopen"):
        world.sandbox.post("/_clock", {"advance_s": 1})  # two of one millisecond have no order
        world.play("pagerduty", verb, incident=played)
    world.release("pagerduty", "reverse")
    world.settle()
    two.refresh_from_db()
    assert two.state == "open"
    verdicts = Event.objects.filter(object_id=played).values_list("verdict", flat=True)
    assert [one for one in verdicts if "older than what is known" in one]
    # The same event id with other words is one event with two bodies, judged once.
    before = Event.objects.count()
    newest = EventBody.objects.order_by("-id").first()
    raw = bytes(newest.raw).replace(b"Late", b"Lies")
    signed = hmac.digest(keys.PAGERDUTY_WEBHOOK_SECRET.encode(), raw, "sha256").hex()
    address = f"{live_server.url}/webhooks/pagerduty/"
    answer = post(address, raw, f"v1={signed}")
    world.settle()
    assert (answer, Event.objects.count(), Incident.objects.get(pk=two.pk).title) == (200, before, "Late")
    assert post(address, raw, "v1=" + "0" * 64) == 401


def post(address, raw, signature):
    return requests.post(address, raw, headers={"x-pagerduty-signature": signature}, timeout=30).status_code

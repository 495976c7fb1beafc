"""Pipedrive's deliveries at the receiver: credentials, names, retries, and bodies nobody should send."""

import base64
import json
from datetime import UTC, datetime

import pytest

from ledger.models import Event, EventBody
from meshline import health
from meshline.env import Secrets
from sync import drain, providers, receive, refusals, strictjson
from sync.errors import BadBody
from sync.models import Refusal
from sync.sandbox import keys
from tests.sync.deliveries import NOW
from tests.sync.payloads import names, payload
from tests.sync.test_hostile import HELD, PARKED, REFUSED

pytestmark = pytest.mark.django_db(transaction=True)
PIPEDRIVE = providers.get("pipedrive")
USER, PASSWORD = keys.PIPEDRIVE_WEBHOOK_SECRET.split(":")


@pytest.fixture(autouse=True)
def fresh_notebook(monkeypatch):
    monkeypatch.setattr(refusals, "_notebook", refusals._Notebook())


@pytest.fixture
def secrets(settings, monkeypatch):
    settings.MESHLINE_SECRETS = Secrets()

    def choose(*pairs):
        monkeypatch.setenv("MESHLINE_PIPEDRIVE_WEBHOOK_SECRETS", ",".join(pairs))

    return choose


def basic(user=USER, password=PASSWORD, scheme="Basic"):
    return f"{scheme} " + base64.b64encode(f"{user}:{password}".encode()).decode()


def take(raw, *headers):
    """Hand a body to the receiver, with the right credentials unless others are given."""
    sent = {"authorization": headers or (basic(),), "user-agent": ("Pipedrive Webhooks",)}
    return receive.take("pipedrive", sent, raw=raw, now=NOW, address="192.0.2.7")


def usual(name="change.deal", *, data=(), previous=None, **meta):
    document = payload("pipedrive", name)
    document["meta"] |= meta
    if previous:
        document["previous"] = previous
    if data:
        document["data"] |= data
    return json.dumps(document).encode()


def envelope(raw):
    parsed = strictjson.loads_object(raw)
    return PIPEDRIVE.envelope(parsed.document, {}, raw, parsed.oddities)


# --- who is let in


@pytest.mark.parametrize("header", [basic(), basic(scheme="basic"), basic(scheme="BASIC")])
def test_the_right_credentials(header):
    assert take(usual(), header) == receive.ACCEPTED
    assert Event.objects.get().state == "received"
    assert "authorization" not in EventBody.objects.get().headers


@pytest.mark.parametrize(
    "headers",
    [
        ("",), ("Basic",), ("Basic ",), ("Basic !!!!",), (basic(password="wrong"),), (basic(user="other"),),
        (basic(PASSWORD, USER),), (basic(USER, ""),), (basic("", PASSWORD),), (basic(USER.upper()),),
        ("Bearer " + keys.PIPEDRIVE_WEBHOOK_SECRET,), (basic(scheme="Digest"),), (basic()[:-2],), (basic() + "=",),
        (basic(), basic()), (basic(), basic(password="wrong")), ("Basic " + "A" * 5000,), ("Basic \xff\u20ac",),
        (basic(password=PASSWORD + " "),), (basic() + ",x",),
    ],
)  # fmt: skip
def test_wrong_credentials_all_get_the_same_answer(headers):
    assert take(usual(), *headers) == receive.UNVERIFIED
    assert Event.objects.count() == 0


def test_no_header_is_no_delivery():
    answer = receive.take("pipedrive", {}, raw=usual(), now=NOW, address="192.0.2.7")
    assert answer == receive.UNVERIFIED


def test_several_credentials_while_they_are_rotated(secrets):
    def statuses():
        return [take(usual(id=str(n)), basic("hook", word)).status for n, word in enumerate(("old:1", "new"))]

    secrets("hook:old:1", "hook:new")
    both = statuses()
    secrets("hook:new")

    assert (both, statuses()) == ([200, 200], [401, 200])


@pytest.mark.parametrize("pairs", [(), ("",), ("hook",), ("hook:",), (":word",)])
def test_half_a_pair_lets_nobody_in(secrets, pairs):
    secrets(*pairs)
    user, _, word = (pairs or ("",))[0].partition(":")

    assert take(usual(), basic(user, word)).status == 401
    assert take(usual(), "Basic " + base64.b64encode(user.encode()).decode()).status == 401


# --- connected or not


def test_not_connected_is_ready_and_refuses(settings):
    settings.MESHLINE_PROVIDERS = {
        name: one for name, one in settings.MESHLINE_PROVIDERS.items() if name != "pipedrive"
    }

    assert health.signing_secrets() == ""
    assert take(usual()) == receive.UNVERIFIED
    assert take(b"nonsense").status == 401


def test_connected_without_credentials_for_deliveries_is_red(secrets):
    secrets()
    assert "MESHLINE_PIPEDRIVE_WEBHOOK_SECRETS" in health.signing_secrets()


# --- how it is named


def test_names():
    found = envelope(usual())
    assert (found.provider_event_id, found.account) == ("6ba407fc-006d-4556-9804-8298e584a288", "8087566")
    assert (found.type, found.kind, found.object_id) == ("change.deal", "deal.changed", "4711")
    assert (found.lane_key, found.api_version, found.origin_key, found.park) == ("organization-130", "2.0", "", "")
    assert found.occurred_at == datetime(2026, 11, 21, 9, 15, 56, 57000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind", "lane"),
    [
        ("create.deal", "deal.changed", "organization-130"), ("delete.deal", "deal.deleted", "organization-130"),
        ("change.organization", "organization.changed", "organization-130"),
        ("delete.organization.merged", "organization.merged", "organization-130"),
        ("change.person", "person.changed", "organization-130"),
    ],
)  # fmt: skip
def test_kinds_and_lanes(name, kind, lane):
    found = envelope(usual(name))
    assert (found.kind, found.lane_key, found.park) == (kind, lane, "")


def test_a_deal_without_organization_has_its_own_lane():
    assert envelope(usual(data={"org_id": None})).lane_key == "deal-4711"


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-21T09:15:56.057Z", datetime(2026, 11, 21, 9, 15, 56, 57000, tzinfo=UTC)),
        ("1795252556", datetime(2026, 11, 21, 9, 15, 56, tzinfo=UTC)),
        (1795252556, datetime(2026, 11, 21, 9, 15, 56, tzinfo=UTC)),
        (None, datetime(2026, 11, 21, 9, 15, 56, tzinfo=UTC)),
        ("soon", datetime(2026, 11, 21, 9, 15, 56, tzinfo=UTC)),
        (9999999999, datetime(2026, 11, 21, 9, 15, 56, tzinfo=UTC)),
    ],
)
def test_both_forms_of_its_time(stamp, at):
    assert envelope(usual(timestamp=stamp)).occurred_at == at


def test_without_an_id_what_it_says_is_its_name():
    first, again = envelope(usual(id=None)), envelope(usual(id="", attempt=2, correlation_id="other"))
    other = envelope(usual(id=None, timestamp="2026-11-21T09:15:57.000Z"))

    assert first.provider_event_id == again.provider_event_id == "4710827:deal:4711:change:2026-11-21T09:15:56.057Z"
    assert other.provider_event_id != first.provider_event_id


@pytest.mark.parametrize(
    ("meta", "is_ours"),
    [
        ({"change_source": "api", "user_id": "12094821"}, True),
        ({"change_source": "api", "user_id": 12094821}, True),
        ({"change_source": "api", "user_id": 12094821, "action": "create"}, False),
        ({"change_source": "app", "user_id": "12094821"}, False),
        ({"change_source": "api", "user_id": "12415231"}, False),
        ({"change_source": "api", "user_id": None}, False),
    ],
)
def test_our_own_writes(meta, is_ours):
    assert bool(envelope(usual(previous={"label_ids": []}, **meta)).origin_key) == is_ours


def test_a_program_under_our_name_that_moves_a_deal_is_not_us():
    assert not envelope(usual(previous={"stage_id": 427}, change_source="api", user_id="12094821")).origin_key


# --- what becomes of it


def test_a_retry_is_the_same_event_and_calls_nobody():
    for attempt in (1, 2, 3, 4):
        assert take(usual(attempt=attempt)).status == 200
    assert take(usual(webhook_id="4710828", webhook_owner_id="1")).status == 200

    event = Event.objects.get()
    assert (event.deliveries, event.review_items.count()) == (5, 0)


def test_another_body_under_the_same_id_calls_a_person():
    take(usual())
    take(usual(data={"stage_id": 429}))

    assert Event.objects.get().review_items.count() == 1


def test_every_kind_ends_with_a_verdict_and_none_is_parked(sandbox):
    """The deal of these bodies is unknown at the simulated company: a look there finds nothing."""
    for name in names("pipedrive"):
        if name != "contract_extract":
            take(usual(name))
    take(usual(id="a", entity="note"))
    take(usual(id="b", previous={"label_ids": []}, change_source="api", user_id="12094821"))

    drain.once()

    ends = {event.provider_event_id: event.verdict for event in Event.objects.all()}
    assert set(Event.objects.values_list("state", flat=True)) <= {"ignored", "processed"}
    assert "" not in ends.values()
    assert (ends["a"], ends["b"]) == ("ignored: unknown type", "ignored: our own write coming back")


# --- bodies nobody should send


ENDED = ("ignored", "processed", "parked")
UNREADABLE = {
    "meta is missing": {"data": {}}, "meta is a list": {"meta": [1]}, "meta is empty": {"meta": {}},
    "of the old version": {"v": 1, "meta": {"v": 1, "action": "updated", "object": "deal", "id": 4711}},
    "version is a number": {"meta": {"action": "change", "entity": "deal", "id": "x", "version": 2}},
    "names are lists": {"meta": {"action": ["change"], "entity": {}, "id": [], "version": "2.0"}},
    "name is too long": {"meta": {"action": "x" * 5000, "entity": "deal", "id": "x", "version": "2.0"}},
    "nothing at all": {},
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_object_that_is_no_event_is_kept_for_a_person(case):
    raw = json.dumps(UNREADABLE[case]).encode()

    assert [take(raw).status, take(raw).status] == [200, 200]

    event = Event.objects.get()
    assert (event.state, event.kind, event.deliveries) == ("parked", "unknown", 2)
    assert bytes(EventBody.objects.get().raw) == raw


@pytest.mark.parametrize(
    "meta",
    [
        {"id": ["x"]}, {"id": "x" * 300}, {"id": "a\x00b"}, {"id": "\ud800"}, {"company_id": {"a": 1}},
        {"company_id": "x" * 500}, {"user_id": [1]}, {"timestamp": [1]}, {"timestamp": -5}, {"timestamp": True},
        {"timestamp": "0000-00-00T00:00:00Z"}, {"merged_to_id": [1]}, {"attempt": "many"}, {"webhook_id": None},
        {"change_source": 7}, {"entity_id": None}, {"entity_id": "x" * 300}, {"entity_id": [4711]},
    ],
)  # fmt: skip
def test_odd_members_never_cost_a_delivery(sandbox, meta):
    assert take(usual(**meta)).status == 200
    assert Event.objects.count() == 1
    drain.once()
    assert Event.objects.get().state in ENDED


def test_what_is_no_json_object_is_noted_and_acknowledged_since_refusals_bring_a_ban(monkeypatch):
    monkeypatch.setattr("tests.sync.test_hostile.usual", lambda source, **members: usual())
    statuses = {}
    for case, make in REFUSED.items():
        if not case.startswith(("id ", "type ", "no id", "no type")):  # these change members that are not here
            raw = make("pipedrive")
            with pytest.raises(BadBody):
                strictjson.loads_object(raw)
            statuses[case] = take(raw)
    refusals.flush()

    assert {case for case, answer in statuses.items() if answer != receive.NOTED} == set()
    assert Event.objects.count() == 0
    assert Refusal.objects.filter(source="pipedrive", status=400).count() == len(statuses)


@pytest.mark.parametrize("case", [case for case in PARKED if "twice" not in case])
def test_what_is_hard_to_hold_is_kept_for_a_person(monkeypatch, case):
    monkeypatch.setattr("tests.sync.test_hostile.usual", lambda source, **members: usual())
    raw = PARKED[case]("pipedrive")

    assert take(raw).status == 200

    assert (Event.objects.get().state, bytes(EventBody.objects.get().raw)) == ("parked", raw)


@pytest.mark.parametrize("case", HELD)
def test_odd_but_holdable_bodies_are_kept_byte_for_byte(sandbox, monkeypatch, case):
    monkeypatch.setattr(
        "tests.sync.test_hostile.usual",
        lambda source, **members: json.dumps({**payload("pipedrive", "change.deal"), **members}).encode(),
    )
    raw = HELD[case]("pipedrive")

    assert take(raw).status == 200

    assert bytes(EventBody.objects.get().raw) == raw
    drain.once()
    assert Event.objects.get().state in ENDED


def test_a_body_that_is_too_long_is_refused(settings):
    settings.MESHLINE_MAX_BODY_BYTES = 65_536
    assert take(usual()[:-1] + b" " * 70_000 + b"}").status == 413

"""Who is let in, and what is kept: signatures, times, rotation, refusals, the database away."""

import json
import socket
import time
from datetime import timedelta

import pytest
from django.db import connection, connections

from ledger.models import Event, EventBody
from meshline.env import Secrets
from sync import receive, refusals
from sync.models import Refusal, RefusalCount
from tests.sync.deliveries import (
    NOW,
    PAYLOADS,
    SECRET_NAMES,
    SECRETS,
    SIGNATURE_HEADERS,
    SOURCES,
    digest,
    sample,
    seconds,
    sign,
    stamp,
    take,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_notebook(monkeypatch):
    monkeypatch.setattr(refusals, "_notebook", refusals._Notebook())


@pytest.fixture
def secrets(settings, monkeypatch):
    """Choose the secrets of a source."""
    settings.MESHLINE_SECRETS = Secrets()

    def choose(source, *values):
        monkeypatch.setenv(SECRET_NAMES[source], ",".join(values))

    return choose


@pytest.mark.parametrize("source", SOURCES)
def test_signed_delivery_is_stored_byte_for_byte(source):
    raw = json.dumps(sample(source), indent=3).encode() + b"\r\n "

    assert take(source, raw).status == 200

    event = Event.objects.get()
    assert (event.source, event.state, event.received_at) == (source, "received", NOW)
    body = EventBody.objects.get()
    assert bytes(body.raw) == raw
    assert not any("signature" in name for name in body.headers)


def forged(source):
    """Every way to be almost right."""
    raw, name = json.dumps(sample(source)).encode(), SIGNATURE_HEADERS[source]
    good = sign(source, raw)
    other = digest(source, raw, NOW, "another secret")
    yield "nothing", raw, {}
    yield "another secret", raw, sign(source, raw, secret="another secret")
    yield "another body", raw + b" ", good
    yield "empty", raw, {**good, name: ("",)}
    yield "two headers", raw, {**good, name: good[name] * 2}
    yield "a good and a bad header", raw, {**good, name: (good[name][0], "v1=" + other)}
    yield "not ascii", raw, {**good, name: ("t=1,v1=\xff\u20ac",)}
    yield "cut", raw, {**good, name: (good[name][0][:-1],)}
    yield "upper case", raw, {**good, name: (good[name][0].upper(),)}
    if source == "zendesk":
        at = "x-zendesk-webhook-signature-timestamp"
        yield "no time", raw, {name: good[name]}
        yield "two times", raw, {**good, at: good[at] * 2}
        yield "another time", raw, {**good, at: (stamp(source, seconds(1)),)}
        yield "a time in words", raw, {**good, at: ("yesterday",)}
        return
    t, v1 = good[name][0].split(",")
    yield "v0 only", raw, {name: (f"{t},v0={v1[3:]}",)}
    yield "two times", raw, {name: (f"{t},t={stamp(source, seconds(1))},{v1}",)}
    yield "the same time twice", raw, {name: (f"{t},{t},{v1}",)}
    yield "no time", raw, {name: (v1,)}
    yield "another time", raw, {name: (f"t={stamp(source, seconds(1))},{v1}",)}
    yield "a time in words", raw, {name: (f"t=now,{v1}",)}
    yield "a huge time", raw, {name: (f"t={'9' * 400},{v1}",)}
    yield "a thousand signatures", raw, {name: (",".join([t, *[v1] * 1000]),)}


@pytest.mark.parametrize("source", SOURCES)
def test_forged_downgraded_and_ambiguous_deliveries_get_one_and_the_same_answer(source):
    answers = {case: take(source, raw, headers) for case, raw, headers in forged(source)}

    assert {case for case, answer in answers.items() if answer != receive.UNVERIFIED} == set()
    assert (Event.objects.count(), EventBody.objects.count()) == (0, 0)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (270, 200), (300, 200), (301, 401), (3600, 401), (-30, 200), (-300, 200), (-301, 401)]
)
def test_signed_time_counts_on_both_sides(source, age, status):
    raw = json.dumps(sample(source)).encode()

    assert take(source, raw, at=seconds(-age)).status == status


@pytest.mark.parametrize("source", SOURCES)
def test_any_of_several_secrets_will_do_and_a_withdrawn_one_will_not(source, secrets):
    raw = json.dumps(sample(source)).encode()
    old, new = (sign(source, raw, secret=secret) for secret in ("the old secret", "the new secret"))

    secrets(source, "the new secret", "the old secret")
    while_rotating = [take(source, raw, headers).status for headers in (old, new)]
    secrets(source, "the new secret")

    assert while_rotating == [200, 200]
    assert [take(source, raw, headers).status for headers in (old, new)] == [401, 200]


def test_withdrawn_secret_in_a_file_stops_within_five_seconds(settings, monkeypatch, tmp_path):
    file, raw = tmp_path / "secret", json.dumps(sample("stripe")).encode()
    settings.MESHLINE_SECRETS = Secrets()
    monkeypatch.setenv("MESHLINE_STRIPE_WEBHOOK_SECRETS_FILE", str(file))
    file.write_text("the old secret\n")
    old = sign("stripe", raw, secret="the old secret")
    assert take("stripe", raw, old).status == 200

    file.write_text("the new secret\n")
    withdrawn_at = time.monotonic()
    while take("stripe", raw, old).status == 200:
        time.sleep(0.05)

    assert time.monotonic() - withdrawn_at < 5


def test_header_with_several_signatures_needs_one_that_fits():
    raw = json.dumps(sample("stripe")).encode()
    [header] = sign("stripe", raw)["stripe-signature"]

    assert take("stripe", raw, {"stripe-signature": (f"{header},v1={'0' * 64},v0=abc",)}).status == 200


@pytest.mark.parametrize("source", SOURCES)
def test_without_a_secret_everything_is_refused(source, secrets):
    raw = json.dumps(sample(source)).encode()
    secrets(source)

    answers = {take(source, raw, headers).status for headers in (sign(source, raw), sign(source, raw, secret="x"), {})}

    assert (answers, Event.objects.count()) == ({401}, 0)


def test_unknown_source_is_not_found_and_only_counted():
    assert take("nobody", b"{}", {}) == receive.UNKNOWN_SOURCE

    assert (Refusal.objects.count(), RefusalCount.objects.get().source) == (0, "(unknown)")


@pytest.mark.parametrize("source", SOURCES)
def test_repeated_delivery_is_accepted_and_counted(source):
    raw = json.dumps(sample(source)).encode()

    assert [take(source, raw).status for _ in range(3)] == [200] * 3
    assert (Event.objects.get().deliveries, EventBody.objects.count()) == (3, 1)


@pytest.mark.parametrize("source", SOURCES)
def test_unknown_types_and_members_are_stored(source):
    raw = json.dumps(sample(source, type="something.new", surprise={"a": [1]})).encode()

    assert take(source, raw).status == 200
    assert (Event.objects.get().kind, Event.objects.get().state) == ("unknown", "received")


@pytest.mark.parametrize(
    ("case", "age", "late", "state"),
    [
        ("week old", timedelta(days=7), False, "received"),
        ("older", timedelta(days=7, seconds=1), True, "received"),
        ("a minute ahead", -timedelta(minutes=1), False, "received"),
        ("years ahead", -timedelta(days=3000), False, "parked"),
    ],
)
def test_old_events_are_marked_late_and_those_from_far_ahead_are_for_a_person(case, age, late, state):
    raw = json.dumps(sample("stripe", created=int((NOW - age).timestamp()))).encode()

    assert take("stripe", raw).status == 200
    assert (Event.objects.get().late, Event.objects.get().state) == (late, state)


@pytest.mark.parametrize("generation", ["acacia", "basil", "clover", "dahlia"])
def test_published_resources_of_each_generation_are_stored(generation):
    published = json.loads((PAYLOADS / f"stripe/resources.{generation}.json").read_text())
    statuses = []
    for number, (name, resource) in enumerate(published["resources"].items()):
        event = sample("stripe", id=f"evt_{number}", type=f"{name}.updated", api_version=published["api_version"])
        event["data"] = {"object": resource}
        statuses.append(take("stripe", json.dumps(event).encode()).status)

    assert set(statuses) == {200}
    assert Event.objects.count() == EventBody.objects.count() == len(published["resources"]) > 5


def test_refusals_are_counted_and_a_bounded_sample_is_kept():
    for number in range(60):
        take("stripe", b"x%d" % number + b"y" * 5000, {"stripe-signature": ("t=1",), "cookie": ("secret",)})
    refusals.flush()

    count = RefusalCount.objects.get()
    assert (count.source, count.refused, count.kept, Refusal.objects.count()) == ("stripe", 60, 20, 20)
    kept = Refusal.objects.first()
    assert (kept.status, kept.address, len(kept.body_head), kept.body_bytes) == (401, "192.0.2.7", 2048, 5003)
    assert kept.headers == {"user-agent": "Provider/1.0"}


def test_all_processes_together_keep_no_more_than_the_sample(monkeypatch):
    for _ in range(3):
        monkeypatch.setattr(refusals, "_notebook", refusals._Notebook())
        for _ in range(15):
            take("zendesk", b"{}", {})
        refusals.flush()

    assert (RefusalCount.objects.get().refused, Refusal.objects.count()) == (45, 20)


def test_flood_of_refusals_is_written_down_once_a_second(monkeypatch):
    written = []
    monkeypatch.setattr(refusals, "_write", lambda key, refused, sample: written.append((refused, len(sample))))
    began = time.monotonic()
    for _ in range(2000):
        take("stripe", b"{}", {})
    seconds_taken = time.monotonic() - began

    assert written[0] == (1, 1)
    assert len(written) <= 1 + seconds_taken / refusals.FLUSH_SECONDS
    assert sum(kept for _, kept in written) <= 20


@pytest.fixture
def database_away():
    """Point this thread's connection at a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    wrapper = connections["default"]
    before = {key: wrapper.settings_dict[key] for key in ("HOST", "PORT")}
    wrapper.close()
    wrapper.settings_dict.update(HOST="127.0.0.1", PORT=port)
    yield
    wrapper.close()
    wrapper.settings_dict.update(before)


def test_without_a_database_nothing_is_acknowledged(database_away):
    raw, began = json.dumps(sample("stripe")).encode(), time.monotonic()

    answer = take("stripe", raw)

    assert answer.status == 503
    assert 5 <= int(dict(answer.headers)["retry-after"]) <= 59
    assert time.monotonic() - began < 5
    assert take("stripe", raw, {}).status == 401


def test_database_that_hangs_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(receive, "STORE_SECONDS", 1.5)
    raw = json.dumps(sample("stripe")).encode()
    blocker = connection.copy()
    blocker.set_autocommit(False)
    with blocker.cursor() as cursor:
        cursor.execute("lock table ledger_event in access exclusive mode")
    began = time.monotonic()

    answer = take("stripe", raw)
    took = time.monotonic() - began
    blocker.close()

    assert (answer.status, took < 4) == (503, True)
    assert SECRETS["stripe"] not in str(answer)
    assert take("stripe", raw).status == 200

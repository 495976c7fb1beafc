"""Bodies nobody should send, on each receiver: refused with 400 or 413, or kept byte for byte for a person."""

import json
import time

import pytest

from ledger.models import Event, EventBody
from sync import refusals, strictjson
from tests.sync.deliveries import SOURCES, sample, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_notebook(monkeypatch):
    monkeypatch.setattr(refusals, "_notebook", refusals._Notebook())


def usual(source, **members):
    return json.dumps(sample(source, **members)).encode()


def with_text(source, text):
    """A usual body that ends with one more member, written as given."""
    return usual(source)[:-1] + b", " + text + b"}"


REFUSED = {
    "empty": lambda _: b"",
    "text": lambda _: b"hello",
    "cut": lambda source: usual(source)[:-2],
    "two documents": lambda source: usual(source) * 2,
    "list": lambda source: b"[" + usual(source) + b"]",
    "number": lambda _: b"1",
    "null": lambda _: b"null",
    "form": lambda _: b"id=1&type=x",
    "byte order mark": lambda source: b"\xef\xbb\xbf" + usual(source),
    "utf-16": lambda source: usual(source).decode().encode("utf-16"),
    "invalid utf-8": lambda source: with_text(source, b'"x": "\xff\xfe"'),
    "surrogates in utf-8": lambda source: with_text(source, b'"x": "\xed\xa0\x80"'),
    "nan": lambda source: with_text(source, b'"x": NaN'),
    "infinity": lambda source: with_text(source, b'"x": -Infinity'),
    "65 deep": lambda source: with_text(source, b'"x": ' + b"[" * 64 + b"]" * 64),
    "100 000 deep": lambda source: with_text(source, b'"x": ' + b"[" * 100_000 + b"]" * 100_000),
    "objects 100 000 deep": lambda source: with_text(source, b'"x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "brackets never closed": lambda _: b"[" * 900_000,
    "quotes never closed": lambda _: b'{"' * 400_000,
    "no id": lambda source: usual(source, id=None),
    "id is a list": lambda source: usual(source, id=["x"]),
    "id is empty": lambda source: usual(source, id=""),
    "id with nul": lambda source: usual(source, id="evt_\x00"),
    "id with a lone surrogate": lambda source: usual(source, id="evt_\ud800"),
    "id too long": lambda source: usual(source, id="x" * 256),
    "no type": lambda source: usual(source, type=None),
    "type is a number list": lambda source: usual(source, type=[1]),
    "type too long": lambda source: usual(source, type="x" * 5000),
}
PARKED = {
    "nul": lambda source: with_text(source, b'"x": "a\\u0000b"'),
    "lone surrogate": lambda source: with_text(source, b'"x": "\\ud800"'),
    "surrogate as a name": lambda source: with_text(source, b'"\\udfff": 1'),
    "beyond 64 bits": lambda source: with_text(source, b'"amount": 9223372036854775808'),
    "5 000 digits": lambda source: with_text(source, b'"amount": ' + b"9" * 5000),
    "900 000 digits": lambda source: with_text(source, b'"amount": ' + b"9" * 900_000),
    "huge exponent": lambda source: with_text(source, b'"amount": 1e999999'),
    "id twice": lambda source: with_text(source, b'"id": ' + json.dumps(sample(source)["id"]).encode()),
    "type twice": lambda source: with_text(source, b'"type": "x.y"'),
    "amount twice": lambda source: with_text(source, b'"x": {"amount": 1, "amount": 100000}'),
}
HELD = {
    "wrong types everywhere": lambda source: usual(
        source,
        data=7,
        record="x",
        detail=[],
        created="soon",
        account={"a": 1},
        livemode="maybe",
        time=[],
        occurred_at=3,
        api_version=9,
        request=[],
        account_id={},
    ),
    "null everywhere": lambda source: usual(
        source,
        data=None,
        record=None,
        detail=None,
        created=None,
        account=None,
        time=None,
        occurred_at=None,
    ),
    "negative time": lambda source: usual(
        source, created=-(10**15), time="-0001-13-45T99:99:99Z", occurred_at="0000-00-00"
    ),
    "time far off": lambda source: usual(
        source, created=10**15, time="9999-12-31T23:59:59+14:00", occurred_at="275760-09-13"
    ),
    "time is true": lambda source: usual(source, created=True, time=True, occurred_at=True),
    "markup": lambda source: usual(source, surprise="<script>alert(1)</script>\u2028\u202e"),
    "sql": lambda source: usual(source, surprise="'; drop table ledger_event; --"),
    "64 deep": lambda source: with_text(source, b'"x": ' + b"[" * 63 + b"]" * 63),
    "many members": lambda source: with_text(source, b", ".join(b'"m%d": %d' % (n, n) for n in range(50_000))),
}


def check(source, raw):
    began = time.monotonic()
    answer = take(source, raw)
    assert time.monotonic() - began < 5
    return answer.status


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_no_event_is_refused_and_leaves_nothing(source):
    statuses = {case: check(source, make(source)) for case, make in REFUSED.items()}

    assert {case: status for case, status in statuses.items() if status != 400} == {}
    assert (Event.objects.count(), EventBody.objects.count()) == (0, 0)


@pytest.mark.parametrize("case", PARKED)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_hard_to_hold_is_kept_byte_for_byte_for_a_person(source, case):
    raw = PARKED[case](source)

    assert check(source, raw) == 200

    assert Event.objects.get().state == "parked"
    assert Event.objects.get().review_items.count() == 1
    assert bytes(EventBody.objects.get().raw) == raw


@pytest.mark.parametrize("case", HELD)
@pytest.mark.parametrize("source", SOURCES)
def test_odd_but_holdable_bodies_are_kept_byte_for_byte(source, case):
    raw = HELD[case](source)

    assert check(source, raw) == 200

    assert bytes(EventBody.objects.get().raw) == raw


@pytest.mark.parametrize("source", SOURCES)
def test_length_counts_to_the_byte(source):
    fitting = usual(source)
    fitting += b" " * (strictjson.MAX_BODY_BYTES - len(fitting))

    assert [check(source, fitting), check(source, fitting + b" ")] == [200, 413]
    assert bytes(EventBody.objects.get().raw) == fitting


@pytest.mark.parametrize("source", SOURCES)
def test_same_id_with_another_body_changes_nothing_and_calls_a_person(source):
    first, other = usual(source), usual(source, surprise=1)

    assert [check(source, raw) for raw in (first, other, other)] == [200, 200, 200]

    event = Event.objects.get()
    assert (event.state, event.deliveries, event.review_items.count()) == ("received", 3, 1)
    assert {bytes(body.raw) for body in EventBody.objects.all()} == {first, other}

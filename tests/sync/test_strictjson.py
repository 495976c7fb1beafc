"""The one parser: hostile bodies are refused or named, quickly, and amounts are never altered."""

import json
import time
from decimal import Decimal

import pytest

from sync import strictjson
from sync.errors import BadBody
from tests.sync.payloads import GENERATIONS, resources

MIB = strictjson.MAX_BODY_BYTES
REFUSED = {
    "empty": b"",
    "not json": b"{'a': 1}",
    "two documents": b"{} {}",
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"a":1}'.encode("utf-16"),
    "invalid utf-8": b'{"a":"\xff"}',
    "utf-8 surrogate": b'{"a":"\xed\xa0\x80"}',
    "NaN": b'{"amount":NaN}',
    "Infinity": b'{"amount":Infinity}',
    "-Infinity": b'{"amount":-Infinity}',
    "NaN beside a duplicate": b'{"a":1,"a":2,"amount":NaN}',
    "raw NUL": b'{"a":"\x00"}',
    "leading zero": b'{"a":01}',
    "65 levels": b"[" * 65 + b"]" * 65,
    "65 levels of objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "1 MiB of [": b"[" * MIB,
    "1 MiB of {": b'{"a":' * (MIB // 5),
    "1 MiB, nested": b"[" * (MIB // 2) + b"]" * (MIB // 2),
    "1 MiB of quotes": b'"' * MIB,
    "1 MiB of escaped quotes": b"[" * 65 + b'"' + b'\\"' * (MIB // 2 - 40),
    "1 MiB of backslashes": b"[" * 65 + b"\\" * MIB,
    "1 MiB, crossed": b"[{" * (MIB // 2),
    "1 MiB, zigzag": b"[[]" * (MIB // 3),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_refused_within_a_second(raw):
    began = time.perf_counter()
    with pytest.raises(BadBody) as refused:
        strictjson.loads(raw)
    assert refused.value.status == 400
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("raw", "oddities"),
    [
        (b'{"id":"a","id":"b"}', {"duplicate_key:id"}),
        (b'{"data":{"object":{"amount":1,"amount":2}}}', {"duplicate_key:amount"}),
        (b'{"n":9223372036854775808}', {"huge_number"}),
        (b'{"n":-9223372036854775809}', {"huge_number"}),
        (b'{"n":' + b"9" * 100_000 + b"}", {"huge_number"}),
        (b'{"n":1e400}', {"huge_number"}),
        (b'{"n":0.' + b"3" * 500 + b"}", {"huge_number"}),
        (b'{"a":"\\u0000"}', {"nul"}),
        (b'{"a\\u0000":1}', {"nul"}),
        (b'{"a":"\\ud800"}', {"surrogate"}),
        (b'{"a":["\\udfff"]}', {"surrogate"}),
        (b'{"a":"\\ud83d\\ude00"}', set()),
        (b'{"a":"\\\\u0000 \\\\ud800"}', set()),
        (b'{"n":9223372036854775807,"m":-9223372036854775808}', set()),
        ('{"a":"grüße 😀"}'.encode(), set()),
        (b"[" * 64 + b"]" * 64, set()),
        (b'{"a":"' + b"[" * 500 + b'"}', set()),
        (b"[" + b"[]," * 1000 + b"[]]", set()),
    ],
)
def test_oddities_are_named(raw, oddities):
    assert strictjson.loads(raw).oddities == oddities


def test_names_of_oddities_are_bounded_and_printable():
    pairs = ",".join(f'"{"k" * 100}{n}":1,"{"k" * 100}{n}":2' for n in range(500)) + ',"\\u0007":1,"\\u0007":2'
    oddities = strictjson.loads(b"{" + pairs.encode() + b"}").oddities
    assert len(oddities) <= strictjson.MAX_NAMED_ODDITIES
    assert all(len(name) < 60 and name.isprintable() for name in oddities)


def test_no_amount_is_altered():
    document = strictjson.loads(b'{"a":0.1,"b":1000000000000000.01,"c":4900,"d":1e2}').document
    assert document == {"a": Decimal("0.1"), "b": Decimal("1000000000000000.01"), "c": 4900, "d": Decimal("1E+2")}
    assert type(document["c"]) is int
    assert strictjson.loads(b'{"n":18446744073709551616}').document == {"n": "18446744073709551616"}


def test_the_last_of_two_members_counts_as_in_every_standard_parser():
    raw = b'{"id":"a","id":"b"}'
    assert strictjson.loads(raw).document == json.loads(raw) == {"id": "b"}


def test_top_level_must_be_an_object_where_asked():
    assert strictjson.loads(b"[1]").document == [1]
    for raw in (b"[1]", b'"a"', b"1", b"null"):
        with pytest.raises(BadBody, match="top level"):
            strictjson.loads_object(raw)


def test_as_the_standard_parser_on_published_resources():
    for generation in GENERATIONS:
        raw = json.dumps(resources(generation)).encode()
        parsed = strictjson.loads(raw)
        assert parsed.document == json.loads(raw, parse_float=Decimal)
        assert not parsed.oddities

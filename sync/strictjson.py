"""The one JSON parser: what it reads is what is stored and decided on.

Standard JSON parsers silently pick one of two members with the same name, take `NaN`, stop at a thousand levels and
refuse numbers of five thousand digits with a ValueError. Here each of these is either refused or named.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from sync.errors import BadBody

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NAMED_ODDITIES = 20
MAX_FRACTION_CHARS = 40
INT64_DIGITS = 19

# Never fails to match once it began, so a body full of quotes is read once, not once for each quote.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_TOO_DEEP = b"[" * (MAX_DEPTH + 1)
_MAY_BE_ODD_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document, and what in it is hard to hold: "duplicate_key:id", "huge_number", "nul", "surrogate"."""

    document: Any
    oddities: frozenset[str] = frozenset()


def loads(raw: bytes) -> Parsed:
    """Read a body that may come from anybody: BadBody, or a document with its oddities named."""
    _refuse_deep(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadBody(400, "not UTF-8") from error
    try:
        document, oddities = _FAST.decode(text), set[str]()
    except _OddError:
        document, oddities = _decode_slowly(text)
    except ValueError as error:
        raise BadBody(400, "not JSON") from error
    if _MAY_BE_ODD_TEXT.search(raw):
        _name_odd_text(document, oddities)
    return Parsed(document, frozenset(oddities))


def loads_object(raw: bytes) -> Parsed:
    """As `loads`, for bodies whose top level must be an object."""
    parsed = loads(raw)
    if not isinstance(parsed.document, dict):
        raise BadBody(400, "top level is not an object")
    return parsed


def _refuse_deep(raw: bytes) -> None:
    """Count levels by removing the innermost brackets: each round is one pass in C, and there are at most 64."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", raw).translate(_ONE_BRACKET, _NO_BRACKETS)
    if _TOO_DEEP in brackets:
        raise BadBody(400, f"deeper than {MAX_DEPTH} levels")
    for _ in range(MAX_DEPTH):
        shallower = brackets.replace(b"[]", b"")
        if len(shallower) == len(brackets):
            break
        brackets = shallower
    if brackets:
        raise BadBody(400, f"deeper than {MAX_DEPTH} levels, or brackets do not match")


class _OddError(Exception):
    """The fast decoder met something that must be named; read again, slowly."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _OddError
    return document


def _int64(text: str) -> int:
    if len(text) < INT64_DIGITS:
        return int(text)
    if len(text) > INT64_DIGITS + 1 or not -(2**63) <= int(text) < 2**63:
        raise _OddError
    return int(text)


def _fraction(text: str) -> Decimal:
    """Amounts are never altered on the way: 0.1 stays 0.1, and 1e400 is not infinity."""
    number = Decimal(text) if len(text) <= MAX_FRACTION_CHARS else None
    if number is None or abs(number.adjusted()) > MAX_FRACTION_CHARS:
        raise _OddError
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise BadBody(400, f"{name} is not JSON")


_FAST = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_int64, parse_float=_fraction, parse_constant=_refuse_constant
)


def _decode_slowly(text: str) -> tuple[Any, set[str]]:
    """Numbers nobody can hold stay the text they were; of repeated members the last one counts, as everywhere."""
    oddities: set[str] = set()

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name, value in pairs:
            if name in document and len(oddities) < MAX_NAMED_ODDITIES:
                oddities.add("duplicate_key:" + _printable(name))
            document[name] = value
        return document

    def whole(text: str) -> int | str:
        try:
            return _int64(text)
        except _OddError:
            oddities.add("huge_number")
            return text

    def fraction(text: str) -> Decimal | str:
        try:
            return _fraction(text)
        except _OddError:
            oddities.add("huge_number")
            return text

    decoder = json.JSONDecoder(
        object_pairs_hook=named,
        parse_int=whole,
        parse_float=fraction,
        parse_constant=_refuse_constant,
    )
    try:
        return decoder.decode(text), oddities
    except ValueError as error:
        raise BadBody(400, "not JSON") from error


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:40])


def _name_odd_text(value: Any, oddities: set[str]) -> None:
    """Find texts a database cannot keep. Depth is known to be at most 64."""
    if isinstance(value, str):
        if "\x00" in value:
            oddities.add("nul")
        if _SURROGATE.search(value):
            oddities.add("surrogate")
    elif isinstance(value, dict):
        for name, member in value.items():
            _name_odd_text(name, oddities)
            _name_odd_text(member, oddities)
    elif isinstance(value, list):
        for member in value:
            _name_odd_text(member, oddities)

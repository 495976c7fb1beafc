"""Reading single members of a foreign document: the right type, or DriftError with the member's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger import money

LATEST_SECONDS = 4_102_444_800  # 2100-01-01: a later time is a mistake or a joke
MAX_TEXT = 255
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime.fromtimestamp(LATEST_SECONDS, UTC)
_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Drift:
    """A document that cannot be read by its contract: parked for a person, never guessed."""

    source: str
    type: str
    api_version: str
    member: str
    reason: str


class DriftError(Exception):
    """One member is missing or not what the contract says. Never leaves `sync.contracts` and the readers on top."""

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(f"{member}: {reason}")
        self.member = member
        self.reason = reason


def present(document: Mapping[str, Any], name: str) -> Any:
    """The member, null included; its absence is drift."""
    if name not in document:
        raise DriftError(name, "missing")
    return document[name]


def text(document: Mapping[str, Any], name: str) -> str:
    """A text that must be there and say something."""
    value = text_or_blank(document, name)
    if not value:
        raise DriftError(name, "empty")
    return value


def text_or_blank(document: Mapping[str, Any], name: str) -> str:
    """A text; "" for null and absent."""
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TEXT or _UNSTORABLE.search(value):
        raise DriftError(name, "not a plain text")
    return value


def reference(document: Mapping[str, Any], name: str) -> str:
    """The id of another object, given as text or expanded in place; "" for null and absent."""
    value = document.get(name)
    return text(value, "id") if isinstance(value, dict) else text_or_blank(document, name)


def identifier(document: Mapping[str, Any], name: str) -> str:
    """An id that may come as a number or as a text; "" for null and absent."""
    value = document.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_or_blank(document, name)


def integer(document: Mapping[str, Any], name: str, *, low: int | None = None) -> int:
    """A whole number that fits 64 bits."""
    value = present(document, name)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise DriftError(name, "not a whole number")
    if low is not None and value < low:
        raise DriftError(name, f"below {low}")
    return value


def flag(document: Mapping[str, Any], name: str) -> bool:
    """True or false, nothing that merely looks like it."""
    value = present(document, name)
    if not isinstance(value, bool):
        raise DriftError(name, "not true or false")
    return value


def currency(document: Mapping[str, Any], name: str = "currency") -> str:
    """A lower-case ISO code whose decimals are known."""
    code = text(document, name).lower()
    if money.exponent(code) is None:
        raise DriftError(name, "unknown currency")
    return code


def mapping(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object; empty for null and absent."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DriftError(name, "not an object")
    return value


def mappings(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects; empty for null and absent."""
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(member, dict) for member in value):
        raise DriftError(name, "not a list of objects")
    return value


def texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts; empty for null and absent."""
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(member, str) for member in value):
        raise DriftError(name, "not a list of texts")
    return tuple(value)


def labels(document: Mapping[str, Any], name: str = "metadata") -> dict[str, str]:
    """Free name-to-text pairs; empty for null and absent."""
    value = mapping(document, name)
    if not all(isinstance(member, str) for member in value.values()):
        raise DriftError(name, "not texts only")
    return value


def unix_time(document: Mapping[str, Any], name: str) -> datetime | None:
    """Seconds since 1970 as an instant; None for null and absent. Negative and far-off ones are drift."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < LATEST_SECONDS:
        raise DriftError(name, "not a time")
    return datetime.fromtimestamp(value, UTC)


def iso_time(document: Mapping[str, Any], name: str) -> datetime | None:
    """An ISO 8601 instant or date (midnight UTC); None for null, empty and absent."""
    value = document.get(name)
    if value is None or value == "":
        return None
    found = parse_iso(value) if isinstance(value, str) else None
    if found is None:
        raise DriftError(name, "not a time")
    return found


def parse_iso(value: str) -> datetime | None:
    """An instant between 1970 and 2100, or None. A time without a zone is UTC, as both providers mean it."""
    try:
        found = datetime.fromisoformat(value) if len(value) <= 40 else None
        if found is None:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if _EARLIEST <= found < _LATEST else None

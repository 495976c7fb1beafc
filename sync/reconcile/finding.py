"""Plain shapes that checks hand over: a page that was read, a difference that was found."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

Ref = tuple[str, str, str]  # system, kind, id


@dataclass(frozen=True, slots=True)
class Page:
    """Records as they came; `cursor` leads to the next page and is "" after the last. `kept` stays with the run.

    `named` are the company's own fields by our words, read with the records: whoever keeps them asks nobody any more.
    """

    rows: list[Any]
    cursor: str = ""
    kept: dict[str, Any] = field(default_factory=dict)
    named: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `left` and `right` are for people to compare, the prints are what runs compare."""

    kind: str
    key: str
    field: str
    owner_group: str
    left: str = ""
    right: str = ""
    left_print: str = ""
    right_print: str = ""
    owner_system: str = ""
    refs: tuple[Ref, ...] = ()
    customer_id: int | None = None

    @property
    def ids(self) -> list[str]:
        """Everything it can be searched by."""
        return list(dict.fromkeys([self.key, *(one[2] for one in self.refs)]))


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a page of keys: how many there were, and their differences."""

    keys: int
    findings: list[Finding]
    skipped: Mapping[str, str] = field(default_factory=dict)  # keys that could not be judged, and why
    gaps: tuple[tuple[str, str], ...] = ()  # lists of which something was not compared, and why


def fingerprint(value: str) -> str:
    """A value as it may be kept for ever: nobody without our key can find out by trying whose it is. "" for none."""
    if not value:
        return ""
    return hmac.new(settings.SECRET_KEY.encode(), f"delta:{value}".encode(), hashlib.sha256).hexdigest()[:32]

"""Which field goes where, who owns it there, and what is never sent: one versioned artifact.

What is shipped is `fields.json`, version 1. People change it by new versions (`sync.mappings.authoring`), and the one
that is active is read by `sync.mappings.active`. A row says from which value (by its name) a field of a destination
(`system.record.field`) is filled, by which transform, and which system owns it. `when` is `create` (only with the
record itself), `always` or `never`. A name with an @ is a setting of the destination. What is not listed for a
destination is not sent there.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from sync.mappings.transforms import TRANSFORMS, VALIDATORS, Given, Unfit

__all__ = ["Artifact", "BadMapping", "Given", "Row", "Unfit", "artifact", "fill", "one_version", "read", "shipped"]

HERE = Path(__file__).resolve().parent
SYSTEMS = ("netsuite", "pipedrive", "stripe", "meshline")
WHEN = ("create", "always", "never")
CONFLICT = ("owner_wins", "review")
MEMBERS = {"from", "to", "owner", "when", "transform", "validator", "conflict", "requirement"}
MOST_ROWS, LONGEST = 200, 80
# A record or field of a destination, or an @ and the name of the setting that names it.
NAME = re.compile(r"@?[A-Za-z][A-Za-z0-9_]{0,79}")
SOURCE = re.compile(r"[a-z]+\.[A-Za-z0-9_.]{1,80}")


class BadMapping(ValueError):
    """The artifact contradicts itself or names what does not exist; says which row and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field on its way."""

    source: str
    system: str
    record: str
    field: str
    owner: str
    when: str
    transform: str
    validator: str
    conflict: str
    requirement: str

    @property
    def to(self) -> str:
        """The destination as the artifact names it."""
        return f"{self.system}.{self.record}.{self.field}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """The whole mapping. `stays` lists by system what never leaves it."""

    version: int
    rows: tuple[Row, ...]
    stays: Mapping[str, tuple[str, ...]]
    fault: str = ""  # why nothing may be sent by it: what is stored cannot be read by this release

    def of(self, system: str, record: str) -> tuple[Row, ...]:
        """The rows of one destination, by the record's own name there."""
        return tuple(one for one in self.rows if one.system == system and named(system, one.record) == record)


@dataclass(frozen=True, slots=True)
class Held:
    """What was read of the database, and when by the monotonic clock."""

    artifact: Artifact
    read_at: float


_held: list[Held] = []
_here = threading.local()


def artifact() -> Artifact:
    """The mapping in force as this process read it last (`active.refresh`); the shipped one before that.

    Touches no database, so threads may ask. Raises BadMapping for a broken release.
    """
    pinned: Artifact | None = getattr(_here, "pinned", None)
    if pinned is not None:
        return pinned
    return _held[0].artifact if _held else shipped()


@contextmanager
def one_version() -> Iterator[Artifact]:
    """Everything this thread does inside sees the same version, whatever is activated meanwhile."""
    before: Artifact | None = getattr(_here, "pinned", None)
    _here.pinned = before or artifact()
    try:
        yield _here.pinned
    finally:
        _here.pinned = before


@cache
def shipped() -> Artifact:
    """The mapping that came with this release. Raises BadMapping."""
    return read(document())


def document() -> dict[str, Any]:
    """The shipped artifact as it is stored."""
    found: dict[str, Any] = json.loads((HERE / "fields.json").read_text("utf-8"))
    return found


def read(document: Mapping[str, Any]) -> Artifact:
    """Check an artifact and read it. Raises BadMapping that names the row."""
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise BadMapping("version: must be a whole number from 1 on")
    listed = document.get("rows", [])
    if len(listed) > MOST_ROWS:
        raise BadMapping(f"rows: at most {MOST_ROWS}, these are {len(listed)}")
    rows = tuple(_row(place, one) for place, one in enumerate(listed, 1))
    stays = {system: tuple(names) for system, names in document.get("stays", {}).items()}
    kept = {name for names in stays.values() for name in names}
    seen: set[str] = set()
    for place, row in enumerate(rows, 1):
        if row.to in seen:
            raise BadMapping(f"row {place}: {row.to} is filled twice")
        if row.source.split(".")[-1] in kept or row.field in kept:
            raise BadMapping(f"row {place}: {row.source} stays where it is and may go nowhere")
        seen.add(row.to)
    return Artifact(version, rows, stays)


def _row(place: int, one: Mapping[str, Any]) -> Row:
    missing = sorted(MEMBERS - one.keys())
    if missing:
        raise BadMapping(f"row {place}: {missing[0]} is missing")
    system, _, rest = str(one["to"]).partition(".")
    record, _, field = rest.partition(".")
    checks = {
        "from": (SOURCE.fullmatch(str(one["from"])), "must be system.name, such as deal.amount"),
        "to": (
            system in SYSTEMS and NAME.fullmatch(record) and NAME.fullmatch(field), "must be system.record.field"
        ),
        "owner": (one["owner"] in SYSTEMS, f"must be one of {', '.join(SYSTEMS)}"),
        "when": (one["when"] in WHEN, f"must be one of {', '.join(WHEN)}"),
        "conflict": (one["conflict"] in CONFLICT, f"must be one of {', '.join(CONFLICT)}"),
        "transform": (one["transform"] in TRANSFORMS, f"must be one of {', '.join(TRANSFORMS)}"),
        "validator": (one["validator"] in VALIDATORS, f"must be one of {', '.join(filter(None, VALIDATORS))}"),
    }  # fmt: skip
    wrong = next((f"{name} {rule}" for name, (holds, rule) in checks.items() if not holds), "")
    if not wrong and one["when"] == "always" and one["owner"] == system:
        wrong = f"when must be create (sent with a new record only) or never, because {system} owns the field itself"
    if wrong:
        raise BadMapping(f"row {place} ({one['from']}): {wrong}")
    return Row(
        one["from"], system, record, field, one["owner"], one["when"], one["transform"], one["validator"],
        one["conflict"], one["requirement"],
    )  # fmt: skip


def named(system: str, name: str) -> str:
    """A record or field by its own name: what starts with an @ is named by a setting of the system."""
    if not name.startswith("@"):
        return name
    return str(settings.MESHLINE_PROVIDERS.get(system, {}).get(name[1:], name))


def fill(
    system: str, record: str, given: Given, *, is_new: bool, by: Artifact | None = None
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """The fields of a record as they are sent, and what cannot be sent as (field, fault); by the mapping in force.

    A source that was not given at all is left out; an empty one fails a validator that wants it.
    """
    used = by or artifact()
    if used.fault:
        return {}, (("field mapping", used.fault),)
    fields: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for row in used.of(system, record):
        if row.source not in given.source or row.when == "never" or (row.when == "create" and not is_new):
            continue
        value = given.source[row.source]
        fault = VALIDATORS[row.validator](value)
        if fault:
            faults.append((row.field, fault))
        elif value not in ("", None):
            _put(fields, faults, row, value, given)
    return fields, tuple(faults)


def _put(fields: dict[str, Any], faults: list[tuple[str, str]], row: Row, value: Any, given: Given) -> None:
    try:
        made = TRANSFORMS[row.transform](value, given)
    except Unfit as error:
        faults.append((row.field, str(error)))
        return
    if made not in ("", None):
        fields[named(row.system, row.field)] = made

"""Which field goes where, who owns it there, and what is never sent: one versioned artifact, `fields.json`.

A row says from which value (by its name) a field of a destination (`system.record.field`) is filled, by which
transform, and which system owns it. `when` is `create` (only with the record itself), `always` or `never`. A name with
an @ is a setting of the destination. What is not listed for a destination is not sent there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from sync.mappings.transforms import TRANSFORMS, VALIDATORS, Given, Unfit

__all__ = ["Artifact", "BadMapping", "Given", "Row", "Unfit", "artifact", "fill", "read"]

HERE = Path(__file__).resolve().parent
SYSTEMS = ("netsuite", "pipedrive", "stripe", "meshline")
WHEN = ("create", "always", "never")
CONFLICT = ("owner_wins", "review")
MEMBERS = {"from", "to", "owner", "when", "transform", "validator", "conflict", "requirement"}


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

    def of(self, system: str, record: str) -> tuple[Row, ...]:
        """The rows of one destination, by the record's own name there."""
        return tuple(one for one in self.rows if one.system == system and named(system, one.record) == record)


@cache
def artifact() -> Artifact:
    """The mapping in force. Raises BadMapping."""
    return read(json.loads((HERE / "fields.json").read_text("utf-8")))


def read(document: Mapping[str, Any]) -> Artifact:
    """Check an artifact and read it. Raises BadMapping that names the row."""
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise BadMapping("version: must be a whole number from 1 on")
    rows = tuple(_row(place, one) for place, one in enumerate(document.get("rows", []), 1))
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
        "to": (system in SYSTEMS and record and field, "must be system.record.field"),
        "owner": (one["owner"] in SYSTEMS, f"must be one of {', '.join(SYSTEMS)}"),
        "when": (one["when"] in WHEN, f"must be one of {', '.join(WHEN)}"),
        "conflict": (one["conflict"] in CONFLICT, f"must be one of {', '.join(CONFLICT)}"),
        "transform": (one["transform"] in TRANSFORMS, f"must be one of {', '.join(TRANSFORMS)}"),
        "validator": (one["validator"] in VALIDATORS, f"must be one of {', '.join(filter(None, VALIDATORS))}"),
    }  # fmt: skip
    wrong = next((f"{name} {rule}" for name, (holds, rule) in checks.items() if not holds), "")
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


def fill(system: str, record: str, given: Given, *, is_new: bool) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """The fields of a record as they are sent, and what cannot be sent as (field, fault).

    A source that was not given at all is left out; an empty one fails a validator that wants it.
    """
    fields: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for row in artifact().of(system, record):
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

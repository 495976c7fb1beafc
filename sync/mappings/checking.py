"""The tests that come with the mapping: what goes in, what must come out. Run them before a changed mapping is used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync import mappings
from sync.mappings import Artifact

LISTS: Mapping[str, Mapping[str, str]] = {
    "subsidiary": {"parent company": "1", "europe": "2", "nordics": "3"},
    "term": {"net 15": "1", "net 30": "2"},
    "currency": {"usd": "1", "eur": "2", "gbp": "3", "jpy": "4"},
}


@dataclass(frozen=True, slots=True)
class Checked:
    """How one case went; `wrong` is empty where it went well."""

    name: str
    wrong: str = ""


def cases() -> list[dict[str, Any]]:
    """The cases that are shipped."""
    found: list[dict[str, Any]] = json.loads((mappings.HERE / "cases.json").read_text("utf-8"))
    return found


def check(listed: list[dict[str, Any]], by: Artifact | None = None) -> list[Checked]:
    """Run each case against a mapping, by default the one in force."""
    return [Checked(str(one["name"]), _wrong(one, by)) for one in listed]


def uncovered(listed: list[dict[str, Any]], by: Artifact | None = None) -> list[str]:
    """Fields that are sent to the ERP's customers and invoices and that no case looks at."""
    seen = {(one["to"], field) for one in listed for field in (*one["sent"], *one.get("faults", ()))}
    wanted = [
        (f"{row.system}.{row.record}", row.field)
        for row in (by or mappings.artifact()).rows
        if row.when != "never" and row.record in ("customer", "invoice") and row.source.partition(".")[0] != "stripe"
    ]
    return [f"{to}.{field}" for to, field in wanted if (to, field) not in seen and not field.endswith("mesh_action")]


def _wrong(one: Mapping[str, Any], by: Artifact | None) -> str:
    system, _, record = str(one["to"]).partition(".")
    fields, faults = mappings.fill(
        system, record, mappings.Given(one["given"], LISTS), is_new=bool(one.get("is_new", True)), by=by
    )
    found = plain(fields)
    for name in sorted({*found, *one["sent"]}):
        if found.get(name) != one["sent"].get(name):
            return f"{name}: is {found.get(name)!r}, should be {one['sent'].get(name)!r}"
    named = sorted(field for field, _ in faults)
    wanted = sorted(one.get("faults", ()))
    return "" if named == wanted else f"faults: named are {named}, should be {wanted}"


def plain(value: Any) -> Any:
    """A value as it is sent: decimals as text."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return format(value, "f") if isinstance(value, Decimal) else value

"""The records of the account: upsert, patch, lines that append, external ids by group, references that must exist."""

import re
from typing import Any

from sync.sandbox.netsuite import bookkeeping, credit, schema
from sync.sandbox.netsuite.errors import bad_content, not_found, user_error
from sync.sandbox.netsuite.schema import RecordType
from sync.sandbox.wire import Json
from sync.sandbox.world import Clock, Ids

DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


class Records:
    """All records by type and internal id."""

    def __init__(self, ids: Ids, clock: Clock) -> None:
        self.ids = ids
        self.clock = clock
        self.types: dict[str, RecordType] = dict(schema.TYPES)
        self.rows: dict[str, dict[str, Json]] = {name: {} for name in self.types}
        self._external: dict[tuple[str, str], tuple[str, str]] = {}
        self._entity_ids: dict[str, str] = {}
        self.touched: list[tuple[RecordType, Json]] = []
        for name, seeds in schema.SEEDED.items():
            for fields in seeds:
                self.create(self.types[name], dict(fields))

    def type_of(self, name: str) -> RecordType:
        """The record type of this name, in any case."""
        kind = next((one for one in self.types.values() if one.name.lower() == name.lower()), None)
        if kind is None:
            raise not_found(f"record type {name}")
        return kind

    def find(self, kind: RecordType, key: str) -> Json | None:
        """A record by internal id or by `eid:`; external ids mind no case."""
        if key.lower().startswith("eid:"):
            found = self._external.get((kind.group, key[4:].lower()))
            return self.rows[found[0]][found[1]] if found and found[0] == kind.name else None
        return self.rows[kind.name].get(key)

    def get(self, kind: RecordType, key: str) -> Json:
        """A record that must exist."""
        row = self.find(kind, key)
        if row is None:
            raise not_found(f"{kind.name} {key}")
        return row

    def create(self, kind: RecordType, fields: Json) -> Json:
        """A new record; refused when its external id or entity id is taken."""
        external = str(fields.get("externalId") or "")
        if external and (kind.group, external.lower()) in self._external:
            what = "This entity already exists." if kind.group == "entity" else "This record already exists"
            raise user_error(what, "externalId")
        row: Json = {"id": str(self.ids.number(kind.name, kind.first_id)), "createdDate": self.clock.iso()}
        self._defaults(kind, row, fields)
        self._save(kind, row, fields, replace=False)
        return row

    def update(self, kind: RecordType, row: Json, fields: Json, *, replace: bool = False) -> Json:
        """Change a record; members left out stay as they are."""
        external = str(fields.get("externalId") or row.get("externalId") or "")
        owner = self._external.get((kind.group, external.lower())) if external else None
        if owner is not None and owner != (kind.name, row["id"]):
            raise user_error("This record already exists", "externalId")
        self._save(kind, row, fields, replace=replace)
        return row

    def delete(self, kind: RecordType, row: Json) -> None:
        """Remove a record."""
        self.rows[kind.name].pop(row["id"])
        self.touched[:] = [(of, one) for of, one in self.touched if one is not row]  # or the search finds it again
        self._external.pop((kind.group, str(row.get("externalId", "")).lower()), None)
        self._entity_ids.pop(str(row.get("entityId", "")).lower(), None)

    def clean(self, kind: RecordType, given: Json, mode: str) -> Json:
        """The members NetSuite takes over; unknown names are refused (`Error`) or silently dropped (all else)."""
        fields: Json = {}
        for name, value in given.items():
            known = kind.known(name)
            if not known:
                if mode == "error":
                    raise bad_content(name, f"Unknown reference or field name '{name}' for record {kind.name}.")
                continue
            if known in schema.READ_ONLY:
                continue
            fields[known] = self._value(kind, known, value, mode)
        return fields

    def _value(self, kind: RecordType, name: str, value: Any, mode: str) -> Any:
        if name in kind.sublists:
            return self._lines(kind, name, value, mode)
        if value is None:
            return None
        sort = kind.fields[name]
        if sort == schema.REF:
            return self._reference(kind, name, value)
        if sort == schema.FLAG and not isinstance(value, bool):
            raise bad_content(name, f"Invalid value for the resource or sub-resource field '{name}': boolean expected.")
        if sort == schema.DATE and not (isinstance(value, str) and DATE.match(value)):
            raise bad_content(name, f"Invalid value for the resource or sub-resource field '{name}': date expected.")
        if sort == schema.NUMBER and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise bad_content(name, f"Invalid value for the resource or sub-resource field '{name}': number expected.")
        if sort == schema.TEXT and isinstance(value, list):
            raise bad_content(name, f"Invalid value for the resource or sub-resource field '{name}'.")
        return value

    def _reference(self, kind: RecordType, name: str, value: Any) -> Json:
        wanted = value if isinstance(value, dict) else {"id": str(value)}
        key = str(wanted["id"]) if wanted.get("id") is not None else f"eid:{wanted.get('externalId', '')}"
        target = kind.refs.get(name)
        if target is None:
            return {"id": key}
        row = self.find(self.types[target], key)
        if row is None:
            raise bad_content(name, f"Invalid reference key {key} for {name}.")
        return {"id": row["id"], "refName": str(row.get("entityId") or row.get("name") or row["id"])}

    def _lines(self, kind: RecordType, name: str, value: Any, mode: str) -> list[Json]:
        items = value.get("items") if isinstance(value, dict) else None
        if not isinstance(items, list):
            raise bad_content(name, f"Sublist {name} needs items.")
        for place, line in enumerate(items):
            unknown = [one for one in line if one.lower() not in kind.sublists[name]] if mode == "error" else []
            if unknown:
                raise bad_content(f"{name}.items[{place}].{unknown[0]}", f"Unknown field name '{unknown[0]}'.")
        return [{key: one for key, one in line.items() if key.lower() in kind.sublists[name]} for line in items]

    def _defaults(self, kind: RecordType, row: Json, fields: Json) -> None:
        if kind.group == "entity":
            person = bool(fields.get("isPerson", False))
            for name in ("firstName", "lastName") if person else ("companyName",):
                if not fields.get(name):
                    raise user_error(f"You must enter a value for {name}.", name)
            full = f"{fields.get('firstName', '')} {fields.get('lastName', '')}".strip()
            fields.setdefault("entityId", full if person else fields["companyName"])
            row.update(isPerson=person, isInactive=False)
        if kind.name in bookkeeping.NUMBERS:
            bookkeeping.check(self, kind, fields)
            row.update(tranId=f"{bookkeeping.NUMBERS[kind.name]}{row['id']}", tranDate=self.clock.iso()[:10])
        elif kind.group == "transaction":
            credit.check(self, kind, fields)
            if not fields.get("entity"):
                raise user_error("You must enter a value for Customer.", "entity")
            number = f"{credit.NUMBERS.get(kind.name, 'INV')}{row['id']}"
            row.update(tranId=number, status={"id": "A", "refName": "Open"}, tranDate=self.clock.iso()[:10])
        if kind is schema.CONTRACT:
            fields.setdefault("name", fields.get("externalId") or f"Contract {row['id']}")

    def _save(self, kind: RecordType, row: Json, fields: Json, *, replace: bool) -> None:
        entity_id = str(fields.get("entityId") or "").lower()
        if kind.group == "entity" and entity_id and self._entity_ids.get(entity_id, row["id"]) != row["id"]:
            raise user_error(
                "A customer record with this ID already exists. "
                "You must enter a unique customer ID for each record you create.", "entityId"
            )  # fmt: skip
        for name, value in fields.items():
            if name in kind.sublists:
                _merge_lines(row, name, value, replace=replace)
            elif value is None:
                row.pop(name, None)
            else:
                row[name] = value
        if kind.name in bookkeeping.NUMBERS:
            bookkeeping.total(kind, row)
        elif kind.group == "transaction":
            _total(row)
        row["lastModifiedDate"] = self.clock.iso()
        self.rows[kind.name][row["id"]] = row
        if row.get("externalId"):
            self._external[kind.group, str(row["externalId"]).lower()] = (kind.name, row["id"])
        if entity_id:
            self._entity_ids[entity_id] = row["id"]
        self.touched.append((kind, row))
        self.touched += bookkeeping.settle(self, kind, row)


def _merge_lines(row: Json, name: str, lines: list[Json], *, replace: bool) -> None:
    """Lines with a known line key are merged, all others are appended, unless the sublist is replaced."""
    kept: list[Json] = [] if replace else row.setdefault(name, [])
    row[name] = kept
    for line in lines:
        same = next((one for one in kept if line.get("line") is not None and one["line"] == line["line"]), None)
        if same is None:
            kept.append({**line, "line": len(kept) + 1})
        else:
            same.update(line)


def _total(row: Json) -> None:
    lines = row.get("item", [])
    total = sum(
        float(line.get("amount") or float(line.get("rate", 0)) * float(line.get("quantity", 1))) for line in lines
    )
    row["total"] = round(total, 3)  # three decimals is the most that a currency has
    row["amountRemaining"] = round(total - float(row.get("amountPaid", 0)), 3)


def matches(row: Json, query: str) -> bool:
    """The `q` filter of record lists: `field OPERATOR value`, joined by AND and OR (AND binds tighter)."""
    return any(all(_test(row, part) for part in group.split(" AND ")) for group in query.split(" OR "))


def _test(row: Json, part: str) -> bool:
    words = part.strip().split(" ", 2)
    if len(words) < 2:
        raise bad_content("q", f"Cannot read condition {part!r}.")
    have = next((value for name, value in row.items() if name.lower() == words[0].lower()), None)
    text = str(have.get("id") if isinstance(have, dict) else have).lower() if have is not None else ""
    wanted = words[2].strip().strip('"').lower() if len(words) > 2 else ""
    tests = {
        "IS": text == wanted, "IS_NOT": text != wanted, "CONTAIN": wanted in text,
        "START_WITH": text.startswith(wanted), "ENDWITH": text.endswith(wanted), "EMPTY": not text,
        "EMPTY_NOT": bool(text), "EQUAL": text == wanted,
        "ANY_OF": text in wanted.strip("[]").replace(" ", "").split(","),
    }  # fmt: skip
    if words[1].upper() not in tests:
        raise bad_content("q", f"Unknown operator {words[1]}.")
    return tests[words[1].upper()]

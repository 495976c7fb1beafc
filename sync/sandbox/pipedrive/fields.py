"""The company's fields: 40-hex codes that depend on the seed, values plain in the API and typed in webhooks."""

import hashlib
import re
from typing import Any

from sync.sandbox.pipedrive.errors import invalid
from sync.sandbox.wire import Json
from sync.sandbox.world import Ids

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
BILLING = ("Not started", "In progress", "Blocked", "Billed")
CUSTOM: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "deal": (
        ("Onboarding package code", "varchar", ()),
        ("Meshline external id", "varchar", ()),
        ("Billing status", "enum", BILLING),
        ("CSM", "user", ()),
        ("Billing owner", "user", ()),
        ("First value date", "date", ()),
        ("Subsidiary", "enum", ("Parent Company", "Meshline GmbH", "Meshline Oy")),
        ("Payment terms", "enum", ("Net 15", "Net 30", "Net 60", "Due on receipt")),
        ("Products", "set", ("Core", "Reports", "Connect")),
        ("Seats", "double", ()),
        ("Implementation fee", "monetary", ()),
    ),
    "organization": (("Tax ID", "varchar", ()), ("Meshline external id", "varchar", ())),
    "person": (("Role in billing", "varchar", ()),),
}
STANDARD: dict[str, tuple[tuple[str, str, str], ...]] = {
    "deal": (
        ("Title", "title", "varchar"), ("Value", "value", "monetary"), ("Organization", "org_id", "org"),
        ("Contact person", "person_id", "people"), ("Stage", "stage_id", "stage"), ("Status", "status", "status"),
    ),
    "organization": (("Name", "name", "varchar"), ("Address", "address", "address")),
    "person": (("Name", "name", "varchar"), ("Email", "email", "varchar"), ("Phone", "phone", "phone")),
}  # fmt: skip
LABELS = ("Hot", "Cold", "Billing blocked")


class Fields:
    """Field definitions of one company, as `GET /api/v2/{entity}Fields` lists them."""

    def __init__(self, seed: int, ids: Ids) -> None:
        self.seed, self.ids = seed, ids
        self.listed: dict[str, list[Json]] = {entity: [] for entity in CUSTOM}
        for entity, rows in STANDARD.items():
            for name, code, type_ in rows:
                self.add(entity, name, type_, code=code)
            self.add(entity, "Label", "set", LABELS, code="label_ids")
        for entity, made in CUSTOM.items():
            for name, type_, options in made:
                self.add(entity, name, type_, options)

    def add(self, entity: str, name: str, type_: str, options: tuple[str, ...] = (), *, code: str = "") -> Json:
        """One more field; a custom one gets a code that nobody can guess."""
        digest = hashlib.blake2b(f"{self.seed}:{entity}:{name}:{self.ids.number('field')}".encode(), digest_size=20)
        field: Json = {
            "field_name": name, "field_code": code or digest.hexdigest(), "field_type": type_,
            "is_custom_field": not code, "is_optional_response_field": False, "subfields": None,
            "options": [{"id": self.ids.number("option", 17), "label": label} for label in options] or None,
        }  # fmt: skip
        field |= {"description": ""} if entity == "deal" else {}
        self.listed[entity].append(field)
        return field

    def named(self, entity: str, name: str) -> Json | None:
        """A field by its name."""
        return next((one for one in self.listed[entity] if one["field_name"] == name), None)

    def customs(self, entity: str) -> list[Json]:
        """The company's own fields."""
        return [one for one in self.listed[entity] if one["is_custom_field"]]

    def labels(self, entity: str) -> set[int]:
        """The ids of the labels there are."""
        one = next(one for one in self.listed[entity] if one["field_code"] == "label_ids")
        return {int(option["id"]) for option in one["options"]}

    def check(self, entity: str, given: Any) -> Json:
        """Custom values of a write, or the refusal that names the field."""
        if not isinstance(given, dict):
            raise invalid("custom_fields", "must be an object")
        known = {one["field_code"]: one for one in self.customs(entity)}
        for code, value in given.items():
            if code not in known:
                raise invalid(code, "no such field")
            if value is not None and not fits(known[code], value):
                raise invalid(code, f"not a value of type {known[code]['field_type']}")
        return given

    def plain(self, entity: str, values: Json) -> Json:
        """All custom values of a record, unset ones as null."""
        return {one["field_code"]: values.get(one["field_code"]) for one in self.customs(entity)}

    def typed(self, entity: str, values: Json) -> Json:
        """The same as webhooks write them."""
        return {one["field_code"]: typed(one, values.get(one["field_code"])) for one in self.customs(entity)}

    def from_words(self, entity: str, given: Json) -> Json:
        """Values by the names and words that people use: `{"Subsidiary": "Meshline Oy"}` -> `{code: option id}`."""
        values: Json = {}
        for name, value in given.items():
            one = self.named(entity, name)
            if one is None or not one["is_custom_field"]:
                raise invalid(name, "no such field")
            words = {option["label"]: option["id"] for option in one["options"] or ()}
            if isinstance(value, list):
                values[one["field_code"]] = [words.get(entry, entry) for entry in value]
            else:
                values[one["field_code"]] = words.get(value, value) if isinstance(value, str) else value
        return self.check(entity, values)


def fits(field: Json, value: Any) -> bool:
    """Whether a value is what the strict API takes for a field."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    options = {option["id"] for option in field["options"] or ()}
    match field["field_type"]:
        case "varchar":
            return isinstance(value, str) and len(value) <= 255
        case "text":
            return isinstance(value, str)
        case "double":
            return is_number
        case "user" | "people" | "org":
            return isinstance(value, int) and is_number
        case "enum":
            return is_number and value in options
        case "set":
            return isinstance(value, list) and bool(value) and all(one in options for one in value)
        case "date":
            return isinstance(value, str) and bool(DAY.fullmatch(value))
        case "monetary":
            return isinstance(value, dict) and set(value) == {"value", "currency"}
    return False


def typed(field: Json, value: Any) -> Any:
    """One value as a webhook writes it."""
    if value is None:
        return None
    kind = field["field_type"]
    if kind in ("enum", "user", "people", "org"):
        return {"type": kind, "id": value}
    if kind == "set":
        return {"type": kind, "values": [{"id": one} for one in value]}
    if kind == "monetary":
        return {"type": kind, **value}
    return {"type": kind, "value": value}

"""The form of one row of the field mapping: choices only, but for the name of the field itself."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from gates.stop import Refused
from ledger import cells
from meshline.console import form_fields
from meshline.console.form_fields import Field
from sync import mappings
from sync.mappings import authoring
from sync.mappings.authoring import RowFields
from sync.mappings.transforms import TRANSFORMS, VALIDATORS

WHEN = {"create": "with a new record only", "always": "with every write", "never": "never"}
CONFLICT = {"owner_wins": "the owner's value stays", "review": "a person decides"}
NO_VALIDATOR = "none"
# Where a refusal names a member of the stored row, the field of the form it is about.
NAMED = {"to": "field", "from": "source"}
NEW: Mapping[str, str] = {
    "from": "", "to": "..", "owner": "", "when": "create", "transform": "text", "validator": "", "conflict": "review",
    "requirement": "", "why": "",
}  # fmt: skip


def first_line(words: str | None) -> str:
    """What a transform or validator says of itself."""
    return (words or "").strip().partition("\n")[0]


def transforms() -> list[tuple[str, str]]:
    """Every transform with what it does."""
    return [(name, f"{name}: {first_line(made.__doc__)}") for name, made in sorted(TRANSFORMS.items())]


def validators() -> list[tuple[str, str]]:
    """Every validator."""
    return [(name or NO_VALIDATOR, name or NO_VALIDATOR) for name in VALIDATORS]


def fields(
    row: Mapping[str, Any] | None, version: int, request: HttpRequest | None = None, refusal: Refused | None = None
) -> list[Field]:
    """The fields of a row, stored or typed, with the refusal at its field; None for a new row."""
    said = {**NEW, **(row or {})}
    record, _, field = str(said["to"]).rpartition(".")
    systems = [(name, cells.system(name)) for name in mappings.SYSTEMS]
    made = [
        Field("source", "Filled from", said["from"], kind="select", choices=_as_choices(authoring.sources())),
        Field("record", "Record", record, kind="select", choices=_as_choices(authoring.records())),
        Field("field", "Field of the record", field, longest=mappings.LONGEST, help="Its name at the system."),
        Field(
            "owner", "Owner", said["owner"], kind="select", choices=systems,
            help="What a system owns is sent to it with a new record only.",
        ),
        Field("when", "Sent", said["when"], kind="select", choices=list(WHEN.items())),
        Field("transform", "Transform", said["transform"], kind="select", choices=transforms()),
        Field("validator", "Validator", said["validator"] or NO_VALIDATOR, kind="select", choices=validators()),
        Field("conflict", "When both sides differ", said["conflict"], kind="select", choices=list(CONFLICT.items())),
        Field("requirement", "Needed for", said["requirement"], longest=80),
        Field("why", "Remark", said["why"], longest=300, required=False),
        Field("version", "", str(version), kind="hidden"),
    ]  # fmt: skip
    if refusal is not None and refusal.code in NAMED:
        refusal = Refused(refusal.status, NAMED[refusal.code], refusal.message)
    return form_fields.filled(made, request, refusal)


def _as_choices(names: list[str]) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


def said(request: HttpRequest) -> RowFields:
    """What was typed."""
    text = {name: form_fields.text(request, name) for name in RowFields.__slots__}
    text["validator"] = "" if text["validator"] == NO_VALIDATOR else text["validator"]
    return RowFields(**text)

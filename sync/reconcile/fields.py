"""Which fields of a customer are compared, and how both sides' values are made comparable. Pure but for the mapping.

The fields follow from the mapping: what goes from the CRM to the ERP's customer and can be read in both lists.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sync import mappings
from sync.mappings import named
from sync.mappings.transforms import TRANSFORMS, Given, Unfit

RECORD = "customer"
# Transforms whose result stands in one column of the ERP's list; references name the list their ids come from.
PLAIN = ("text", "company_name", "code", "phone")
REFERENCES = {"subsidiary": "subsidiary", "terms": "term", "currency": "currency"}
OF_DEAL = ("deal.", "custom.")
# What the lists of the CRM show; all else is in no list.
READABLE = frozenset({
    "deal.id", "deal.currency", "deal.subsidiary", "deal.payment_terms", "deal.csm", "deal.billing_owner",
    "deal.first_value_date", "custom.onboarding_package_code", "organization.id", "organization.name",
    "organization.tax_id", "person.name", "person.primary_email", "person.phones",
})  # fmt: skip
ANY = Given({})
SHORT = 60  # no transform cuts what is not longer
Lists = Mapping[str, Mapping[str, str] | None]


class Field(NamedTuple):
    """One field: its name in the ERP, where it comes from, how it is compared, and whose word counts."""

    name: str
    source: str
    transform: str
    owner: str

    @property
    def column(self) -> str:
        """Its name in the ERP's list."""
        return self.name.lower()


def chosen(lists: Lists) -> list[Field]:
    """The fields of the mapping in force that can be compared; a list that the account lacks takes its field away."""
    found = []
    for row in mappings.artifact().of("netsuite", RECORD):
        comparable = row.transform in PLAIN or lists.get(REFERENCES.get(row.transform, "")) is not None
        if row.when != "never" and row.source in READABLE and comparable:
            found.append(Field(named("netsuite", row.field), row.source, row.transform, row.owner))
    return found


def left(field: Field, value: Any, lists: Lists) -> str:
    """The CRM's value as it is compared; "" for none. A name that the ERP's list does not have equals nothing there."""
    if value in ("", None, []):
        return ""
    if _is_simple(field, value):
        return plain(value)
    try:
        made = TRANSFORMS[field.transform](value, Given({}, lists))
    except Unfit:
        return f"? {plain(value)}"
    return str(made["id"]) if isinstance(made, dict) else plain(made)


def right(field: Field, value: str) -> str:
    """The ERP's value as it is compared; "" for none."""
    if not value or field.transform in REFERENCES:
        return value
    if _is_simple(field, value):
        return plain(value)
    return plain(TRANSFORMS[field.transform](value, ANY)) or plain(value)


def _is_simple(field: Field, value: Any) -> bool:
    """Whether its transform would leave it as it is, as it does nearly always: looking at each character is dear."""
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= SHORT
    return fits and field.transform in PLAIN and field.transform != "phone"


def plain(value: Any) -> str:
    """Composed characters, single blanks, no capitals: nobody is asked about these."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= SHORT:
        return " ".join(value.split()).casefold()
    return str(TRANSFORMS["text"](value, ANY)).casefold()


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))[:300]
    return str(value or "")[:300]


def name_of(field: Field, value: str, lists: Lists) -> str:
    """The ERP's value in words: the name behind the id of a reference, which its list holds without capitals."""
    known = lists.get(REFERENCES.get(field.transform, "")) or {}
    name = next((name for name, key in known.items() if key == value), "")
    shown = name.upper() if field.transform == "currency" else name.capitalize()
    return (shown or value)[:300]


def differ(field: Field, lefts: Sequence[str], theirs: str) -> bool:
    """Whether none of the CRM's values is the ERP's. Where the CRM says nothing, only what it owns is missed."""
    said = {one for one in lefts if one}
    if not said:
        return bool(theirs) and field.owner == "pipedrive"
    return theirs not in said

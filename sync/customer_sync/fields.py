"""What of an ERP customer is sent to the billing system, and what it comes to as one hash. Pure.

A customer comes as a row of a query (flat texts, no addresses) or as its whole record; both are read into the same
`ErpCustomer`, so that what is compared is the same whichever door it came through.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gates.rules.customer_sync import normalised
from sync.portal import tokens

COLUMNS = ("name", "email", "phone", "address", "shipping")
# Which field of the ERP fills a column that may be chosen; the others are read from where they always are.
SOURCES: Mapping[str, str] = {"email": "email", "phone": "phone"}
LONGEST = {"name": 512, "email": 254, "phone": 40, "line": 500, "other": 200}
ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")

Mapped = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of our own fields in the account, in small letters."""

    billing_id: str
    portal: str
    action: str


@dataclass(frozen=True, slots=True)
class ErpCustomer:
    """One customer as the ERP has it. Texts as they stand there; addresses only where the record was read."""

    internal_id: str
    name: str = ""
    email: str = ""
    phone: str = ""
    is_inactive: bool = False
    stored_id: str = ""
    external_id: str = ""
    subsidiary: str = ""
    modified: str = ""  # YYYY-MM-DD HH:MM:SS as the ERP prints it
    last_action: str = ""
    page: str = ""  # the hash of the key in its billing page's address, for comparing; never the address
    address: Mapping[str, str] | None = None
    shipping: Mapping[str, Any] | None = None
    is_whole: bool = False


def from_row(row: Mapping[str, Any], names: Names, sources: Mapping[str, str]) -> ErpCustomer:
    """A row of the query: lower-case names, every value a text, nulls absent."""
    return ErpCustomer(
        internal_id=str(row["id"]),
        name=_name(row),
        email=_text(row, sources["email"]),
        phone=_text(row, sources["phone"]),
        is_inactive=_flag(row.get("isinactive")),
        stored_id=_text(row, names.billing_id),
        external_id=_text(row, "externalid"),
        subsidiary=_id(row.get("subsidiary")),
        modified=str(row.get("lm", "")),
        last_action=_text(row, names.action),
    )


def from_record(record: Mapping[str, Any], names: Names, sources: Mapping[str, str]) -> ErpCustomer:
    """A whole record with its sub-records, names in lower case."""
    lines = _items(record.get("addressbook"))
    billing = next((one for one in lines if _flag(one.get("defaultbilling"))), None)
    shipping = next((one for one in lines if _flag(one.get("defaultshipping"))), None)
    name = _name(record)
    return ErpCustomer(
        internal_id=str(record["id"]),
        name=name,
        email=_text(record, sources["email"]),
        phone=_text(record, sources["phone"]),
        is_inactive=_flag(record.get("isinactive")),
        stored_id=_text(record, names.billing_id),
        external_id=_text(record, "externalid"),
        subsidiary=_id(record.get("subsidiary")),
        modified=str(record.get("lastmodifieddate", "")).replace("T", " ").rstrip("Z"),
        last_action=_text(record, names.action),
        page=tokens.hash_in(_text(record, names.portal)),
        address=_address(billing) if billing else None,
        shipping=_shipping(shipping, name) if shipping else None,
        is_whole=True,
    )


def mapped(customer: ErpCustomer, columns: Collection[str]) -> Mapped:
    """What the billing system is to hold: text, or a mapping for addresses; "" where the ERP holds nothing.

    An e-mail address is never cleared: a customer without one leaves the address there as it is.
    """
    made: Mapped = {}
    if "name" in columns:
        made["name"] = customer.name
    if "email" in columns and customer.email.strip():
        made["email"] = normalised(customer.email)
    if "phone" in columns:
        made["phone"] = customer.phone
    if "address" in columns:
        made["address"] = dict(customer.address) if customer.address else ""
    if "shipping" in columns:
        made["shipping"] = dict(customer.shipping) if customer.shipping else ""
    return made


def fault_codes(customer: ErpCustomer, columns: Collection[str]) -> tuple[str, ...]:
    """What of it cannot be sent: nothing is cut or made up."""
    found: list[str] = []
    if "name" in columns and not customer.name:
        found.append("missing_name")
    made = mapped(customer, columns)
    if any(_is_long(name, value) for name, value in made.items()):
        found.append("too_long")
    places = [made.get("address"), (made.get("shipping") or {}).get("address")]
    countries = [place.get("country", "") for place in places if isinstance(place, Mapping)]
    if any(len(one) != 2 or not one.isalpha() for one in countries if one):
        found.append("bad_country")
    return tuple(found)


def hash_of(made: Mapping[str, Any], columns: Collection[str]) -> str:
    """One hash of the mapped fields: equal exactly when nothing would be sent. The columns are part of it."""
    return _digest([sorted(columns), _plain(made)])


def row_hash(customer: ErpCustomer, columns: Collection[str]) -> str:
    """The same over what a row of the query shows, with what decides about it."""
    shown = [customer.name, customer.email, customer.phone, customer.is_inactive, customer.stored_id]
    return _digest([sorted(columns), shown, customer.subsidiary])


def differing(made: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """The mapped fields that the billing system holds otherwise; an address goes whole: no line is left over."""
    found = {}
    for name, value in made.items():
        if _plain(value) != _plain(there.get(name)):
            found[name] = value
    return found


def _plain(value: Any) -> Any:
    """A value without what says nothing: None, "" and empty mappings are the same."""
    if isinstance(value, Mapping):
        inner = {name: _plain(one) for name, one in value.items()}
        return {name: one for name, one in sorted(inner.items()) if one} or ""
    return value or ""


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def _is_long(name: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_long("line" if one.startswith("line") else "other", inner) for one, inner in value.items())
    return len(str(value)) > LONGEST.get(name, LONGEST["other"])


def _name(record: Mapping[str, Any]) -> str:
    """The company, else the person; never the entity id, which may begin with a number."""
    person = f"{_text(record, 'firstname')} {_text(record, 'lastname')}".strip()
    return _text(record, "companyname") or person


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return " ".join(str(value).split()) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _id(value: Any) -> str:
    return str(value.get("id", "")) if isinstance(value, Mapping) else str(value or "")


def _flag(value: Any) -> bool:
    return value is True or value == "T"


def _items(value: Any) -> Sequence[Mapping[str, Any]]:
    found = value.get("items") if isinstance(value, Mapping) else None
    return [_lower(one) for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _lower(record: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in record.items()}


def _place(line: Mapping[str, Any]) -> dict[str, Any]:
    place = line.get("addressbookaddress")
    return _lower(place) if isinstance(place, Mapping) else {}


def _address(line: Mapping[str, Any]) -> dict[str, str]:
    place = _place(line)
    second = ", ".join(one for one in (_text(place, "addr2"), _text(place, "addr3")) if one)
    return {
        "line1": _text(place, "addr1"), "line2": second, "city": _text(place, "city"), "state": _text(place, "state"),
        "postal_code": _text(place, "zip"), "country": _id(place.get("country")).upper(),
    }  # fmt: skip


def _shipping(line: Mapping[str, Any], name: str) -> dict[str, Any]:
    place = _place(line)
    return {"name": _text(place, "addressee") or name, "phone": _text(place, "addrphone"), "address": _address(line)}

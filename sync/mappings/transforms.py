"""How a value changes on its way: named functions that a mapping refers to. Pure; a fault is said, not guessed away."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gates.rules import onboarding, tax
from ledger import money

COMPANY_MOST, ENTITY_MOST, CODE_MOST, TEXT_MOST, PHONE_MOST = 83, 80, 60, 300, 32
PHONE_LEAST_DIGITS = 6


class Unfit(ValueError):
    """A value cannot be sent as it is; says why as a clause."""


@dataclass(frozen=True, slots=True)
class Given:
    """Everything a transform may look at: what was read by its names, and the destination's own lists (name -> id).

    A list that the destination does not have at all is None: its fields are left out.
    """

    source: Mapping[str, Any]
    lists: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)


def text(value: Any, given: Given) -> str:
    """Composed characters, no control characters, single blanks."""
    plain = unicodedata.normalize("NFC", str(value))
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs") else char for char in plain)
    return " ".join(kept.split())[:TEXT_MOST]


def company_name(value: Any, given: Given) -> str:
    """As the books take it: at most 83 characters."""
    return text(value, given)[:COMPANY_MOST].rstrip()


def entity_id(value: Any, given: Given) -> str:
    """The name; where it is taken by another client, with the organization's number behind it."""
    suffix = f" (PD-{given.source.get('organization.id')})" if given.source.get("erp.name_is_taken") else ""
    return text(value, given)[: ENTITY_MOST - len(suffix)].rstrip() + suffix


def code(value: Any, given: Given) -> str:
    """A short code in one word or several."""
    return text(value, given)[:CODE_MOST]


def phone(value: Any, given: Given) -> str:
    """The first number that is one: digits with a plus in front where the country is named; "" where none is."""
    for one in value if isinstance(value, list | tuple) else [value]:
        plain = re.sub(r"[^\d+]", "", str(one).partition("ext")[0])
        plain = f"+{plain[2:]}" if plain.startswith("00") else plain
        if re.fullmatch(r"\+?\d+", plain) and PHONE_LEAST_DIGITS <= len(plain.lstrip("+")) < PHONE_MOST:
            return plain
    return ""


def deal_number(value: Any, given: Given) -> str:
    """How the books refer to a deal."""
    return f"PD-{value}"


def tax_registration(value: Any, given: Given) -> dict[str, Any]:
    """One registration with the country that gave it, where that is known."""
    number = tax.tidy(str(value))
    country = tax.country_of(number, str(given.source.get("organization.country") or ""))
    nexus = {"nexusCountry": {"id": country}} if country else {}
    return {"items": [{**nexus, "taxRegistrationNumber": number}]}


def reference(name: str) -> Callable[[Any, Given], dict[str, str] | str]:
    """The destination's id of a name in one of its lists."""

    def look_up(value: Any, given: Given) -> dict[str, str] | str:
        known = given.lists.get(name)
        if known is None:
            return ""
        found = known.get(text(value, given).casefold())
        if not found:
            raise Unfit(f"is not among the {name} list of the ERP")
        return {"id": found}

    return look_up


def identity(value: Any, given: Given) -> dict[str, str]:
    """A reference to a record whose id is known."""
    return {"id": str(value)}


def one_line(value: Any, given: Given) -> dict[str, Any]:
    """An invoice of one line over the whole amount; `value` is in minor units of the deal's currency."""
    currency = str(given.source.get("deal.currency") or "")
    places, item = money.exponent(currency), given.source.get("erp.item")
    if places is None or not item:
        raise Unfit("needs a known currency and the ERP's item")
    rate = Decimal(int(value)).scaleb(-places)
    package = given.source.get("custom.onboarding_package_code") or ""
    line = {"item": {"id": str(item)}, "quantity": 1, "rate": rate, "description": f"Onboarding {package}".strip()}
    return {"items": [line]}


def present(value: Any) -> str:
    """Not empty."""
    return "" if value not in ("", None, {}, []) else "is missing"


def email(value: Any) -> str:
    """An address."""
    return onboarding.email(onboarding.Signed(email=str(value or "")))


TRANSFORMS: Mapping[str, Callable[[Any, Given], Any]] = {
    "text": text, "company_name": company_name, "entity_id": entity_id, "code": code, "phone": phone,
    "deal_number": deal_number, "tax_registration": tax_registration, "subsidiary": reference("subsidiary"),
    "terms": reference("term"), "currency": reference("currency"), "id": identity, "one_line": one_line,
}  # fmt: skip
VALIDATORS: Mapping[str, Callable[[Any], str]] = {
    "": lambda _: "", "present": present, "email": email, "reference": lambda _: "",
}  # fmt: skip

"""Some twenty signed deals that differ in what usually goes wrong: names, addresses, e-mails, registrations, fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, str, str, str]  # street, postal code, town, country
FINLAND: Address = ("Mannerheimintie 1", "00100", "Helsinki", "Finland")


@dataclass(frozen=True, slots=True)
class Variant:
    """One synthetic deal. `item` is what a review item must say of it; "" for one that must become a customer.

    `without` are our words for deal fields that stay empty; `emails` are local parts, the first is the primary one.
    """

    name: str
    company: str = ""
    person: str = "Aino Virta"
    emails: tuple[str, ...] = ("ap",)
    tax_id: str = "FI12345678"
    address: Address = FINLAND
    without: frozenset[str] = frozenset()
    item: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


PLAIN = Variant("plain")
VARIANTS: tuple[Variant, ...] = (
    PLAIN,
    Variant("several e-mails", emails=("ap", "billing", "office")),
    Variant("e-mail with plus and dots", emails=("a.p+invoices",)),
    Variant("special characters", "Äkkinäinen & Söhne <Ltd> \"O'Neil\"", "Zoë Ångström-O'Brien"),
    Variant("Japanese name", "株式会社メッシュ", "山田 太郎", tax_id="T1234567890123",
            address=("1-1 Chiyoda", "100-0001", "Tokyo", "Japan")),
    Variant("Cyrillic name", "ООО Ромашка", "Иван Петров"),
    Variant("very long name", "The Very Long Company of Everything That Could Possibly Be Sold " * 2),
    Variant("letters and accents apart", "Ko\u0308nig & A\u030angstro\u0308m"),
    Variant("blanks around the name", "   Spaces   Inside   "),
    Variant("Germany", "Rhein Werke GmbH", tax_id="DE123456789", address=("Domplatz 1", "50667", "Köln", "Germany")),
    Variant("United Kingdom", "Thames Ltd", tax_id="GB123456789",
            address=("1 Long Lane", "SE1 4PA", "London", "United Kingdom")),
    Variant("United States", "Hudson Inc.", tax_id="12-3456789",
            address=("1 Main St", "10001", "New York", "United States")),
    Variant("France", "Café Crème SARL", tax_id="FR12345678901", address=("1 rue Été", "75001", "Paris", "France")),
    Variant("Switzerland", "Zürisee AG", tax_id="CHE-123.456.789 MWST",
            address=("Seestrasse 1", "8001", "Zürich", "Switzerland")),
    Variant("Ireland", "Éire Teoranta", tax_id="IE1234567WA", address=("1 Quay", "D02 X285", "Dublin", "Ireland")),
    Variant("seat abroad, registered elsewhere", "Branch Oy", tax_id="SE123456789001"),
    Variant("missing tax id", tax_id="", item="tax registration is missing"),
    Variant("tax id of another form", tax_id="FI123", item="tax registration does not have the form"),
    Variant("no e-mail", emails=(), item="e-mail is missing"),
    Variant("no billing owner", without=frozenset({"billing_owner"}), item="billing owner is missing"),
    Variant("no payment terms", without=frozenset({"payment_terms"}), item="payment terms is missing"),
)  # fmt: skip

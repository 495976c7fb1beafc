"""What a person is found by: names, addresses and numbers, in every form that stored bytes may have them in. Pure."""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

ERASED = "[erased]"
SHORTEST = 4  # a shorter word is in too many others
# Members of billing's and the ERP's customer records that are the person's own, wherever they are nested.
PERSONAL = frozenset(
    {
        "email", "customer_email", "receipt_email", "primary_email", "phone", "customer_phone", "customer_name", "name",
        "first_name", "last_name", "address", "line1", "line2", "city", "postal_code", "shipping", "street",
        "companyname", "firstname", "lastname", "addr1", "addr2", "zip", "tax_id", "vat", "to", "subject", "text",
        "body", "comment", "shown", "label", "description",
    }
)  # fmt: skip
FINDING = ("email", "customer_email", "receipt_email", "phone", "customer_phone", "customer_name")
PLAIN_ID = re.compile(r"[A-Za-z0-9_.:#/-]{1,80}|\d{4}-\d\d-\d\dT[0-9:.+Z-]{6,30}")
SPECIAL = re.compile(r"([^A-Za-z0-9_\u0080-\U0010ffff])")


def usable(words: Iterable[str]) -> list[str]:
    """Words that can be looked for, longest first, so that what is found is replaced whole."""
    clean = {" ".join(word.split()) for word in words}
    return sorted((word for word in clean if len(word) >= SHORTEST), key=lambda word: (-len(word), word))


def in_document(document: Any) -> Iterator[str]:
    """What a customer record, wherever it is nested, calls its person by."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            if name in FINDING and isinstance(value, str):
                yield value
            else:
                yield from in_document(value)
    elif isinstance(document, list):
        for one in document:
            yield from in_document(one)


def pattern(words: Iterable[str], *, in_json: bool = False) -> str:
    """A PostgreSQL pattern, to be matched without case, that finds any of these as a word of its own."""
    forms = (json.dumps(word, ensure_ascii=False)[1:-1] if in_json else word for word in words)
    either = "|".join(SPECIAL.sub(r"\\\1", form) for form in forms)
    return rf"(?<!\w)(?:{either})(?!\w)"


def in_bytes(words: Iterable[str]) -> list[str]:
    """Each word as PostgreSQL's `lower(encode(bytes, 'escape'))` shows it, in the forms that bodies are written in."""
    found: dict[str, None] = {}
    for word in words:
        for one in (word, word.casefold()):
            forms = (one, json.dumps(one)[1:-1], html.escape(one), quote_plus(one), quote(one, safe="@"))
            found |= dict.fromkeys(_escaped(form.encode()).lower() for form in forms)
    return list(found)


def _escaped(raw: bytes) -> str:
    return "".join(
        "\\\\" if byte == 0x5C else f"\\{byte:03o}" if byte >= 0x80 or byte == 0 else chr(byte) for byte in raw
    )


def bare(value: Any, name: str = "") -> Any:
    """A stored value without what may be personal: numbers, ids and times stay, prose and the members above do not."""
    if isinstance(value, Mapping):
        return {key: bare(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [bare(one, name) for one in value]
    if isinstance(value, str) and value and (name in PERSONAL or not PLAIN_ID.fullmatch(value)):
        return ERASED
    return value

"""NetSuite's customers in pages by id, whole with their addresses, and the link that is written back to them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.contracts import members
from sync.contracts import netsuite as contract
from sync.contracts.members import DriftError
from sync.errors import PermanentError
from sync.providers.base import JSON_TYPE, Exchanges, compact_json
from sync.providers.netsuite import RECORDS, STRICT_NAMES, NetSuite
from sync.wiretypes import FrozenRequest

PAGE = 1000
STAMP = "YYYY-MM-DD HH24:MI:SS"
CATALOGUE_SECONDS = 600.0
# What every page asks for beside the columns of the profile.
ALWAYS = ("externalid", "companyname", "firstname", "lastname", "isinactive")

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,99}")
_ID = re.compile(r"[0-9]{1,18}")
_UNKNOWN = re.compile(r"unknown identifier '(?:c\.)?([a-z0-9_]+)'", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a query: text with placeholders, and the texts for them."""

    text: str
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is asked for: further columns, conditions that all hold, and whether the account has subsidiaries."""

    columns: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    has_subsidiaries: bool = True


class NoSuchColumn(Exception):
    """The account does not have a column that was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(slots=True)
class Catalogue:
    """The fields that a customer has in the account, by name in small letters, kept for ten minutes."""

    kept: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, erp: NetSuite, exchanges: Exchanges | None = None) -> dict[str, str]:
        """Field name -> type as the account's own description of the record says. Raises ProviderError."""
        key = str(erp.config["base_url"])
        with self.lock:
            known = self.kept.get(key)
        if known and time.monotonic() - known[0] < CATALOGUE_SECONDS:
            return known[1]
        headers = (("Accept", "application/schema+json"),)
        request = FrozenRequest(erp.name, "GET", f"{RECORDS}/metadata-catalog/customer", headers, "")
        document = erp.document(erp.read(request, exchanges))
        properties = document.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            raise erp.drifted(DriftError("properties", "missing"))
        found = {str(name).lower(): _type_of(one) for name, one in properties.items()}
        with self.lock:
            self.kept = {key: (time.monotonic(), found)}
        return found


CATALOGUE = Catalogue()


def page(
    erp: NetSuite, query: Query, after: int, limit: int = PAGE, exchanges: Exchanges | None = None
) -> list[dict[str, Any]]:
    """The customers after an internal id, in its order. Raises ProviderError, and NoSuchColumn by its name."""
    columns = ["c.id", *(f"c.{_checked(name)}" for name in dict.fromkeys((*ALWAYS, *query.columns)))]
    if query.has_subsidiaries:
        columns.append("c.subsidiary")
    columns.append(f"TO_CHAR(c.lastmodifieddate, '{STAMP}') AS lm")
    where = " AND ".join(["c.id > ?", *(one.text for one in query.where)])
    params = [str(after), *(value for one in query.where for value in one.params)]
    text = f"SELECT {', '.join(columns)} FROM customer c WHERE {where} ORDER BY c.id"
    try:
        return erp.suiteql(text, params, limit=limit, exchanges=exchanges)
    except PermanentError as error:
        named = _UNKNOWN.search(error.message)
        if named:
            raise NoSuchColumn(named[1].lower()) from error
        raise


def one_of(name: str, values: Sequence[str]) -> Condition:
    """A column is one of these."""
    marks = ", ".join("?" * len(values))
    return Condition(f"c.{_checked(name)} IN ({marks})", tuple(values))


def modified_since(stamp: str) -> Condition:
    """Changed at or after a moment, as the ERP itself prints moments."""
    return Condition(f"c.lastmodifieddate >= TO_DATE(?, '{STAMP}')", (stamp,))


def either(first: Condition, second: Condition) -> Condition:
    """One of two conditions holds."""
    return Condition(f"({first.text} OR {second.text})", first.params + second.params)


def record(erp: NetSuite, internal_id: str, exchanges: Exchanges | None = None) -> dict[str, Any] | None:
    """A whole customer with its addresses, names in small letters; None if there is none. Sees our writes at once."""
    document = erp.get(f"{RECORDS}/customer/{_internal(internal_id)}?expandSubResources=true", exchanges)
    if document is None:
        return None
    try:
        flat = contract.flat(document)
        return {**flat, "id": contract.record_id(flat)}
    except DriftError as error:
        raise erp.drifted(error) from error


def link(internal_id: str, fields: Mapping[str, str]) -> FrozenRequest:
    """Freeze a change of our own fields of a customer. A misspelt field is refused."""
    document = {_checked(name): value for name, value in fields.items()}
    path = f"{RECORDS}/customer/{_internal(internal_id)}"
    return FrozenRequest(NetSuite.name, "PATCH", path, (JSON_TYPE, STRICT_NAMES), compact_json(document))


def _internal(internal_id: str) -> str:
    if not _ID.fullmatch(internal_id):
        raise PermanentError("not an internal id", provider=NetSuite.name, code="bad_id", never_sent=True)
    return internal_id


def _checked(name: str) -> str:
    """A column's name: it becomes part of a query."""
    if not _FIELD.fullmatch(name):
        raise ValueError(f"not a field id: {name!r}")
    return name


def _type_of(description: Any) -> str:
    try:
        return members.text_or_blank(description, "type") if isinstance(description, Mapping) else ""
    except DriftError:
        return ""

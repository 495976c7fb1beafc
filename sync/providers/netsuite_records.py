"""NetSuite's customers and invoices by our external ids: read, upserted, their refusals told apart.

All that NetSuite says no to by a business rule comes as one code with the reason in English words, so the words are
read here, in one place, and nowhere else.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger import money
from sync.contracts import members
from sync.contracts import netsuite as contract
from sync.contracts.members import DriftError
from sync.errors import AuthError, ConflictError, PermanentError, ProviderError
from sync.providers.base import JSON_TYPE, Exchanges, Guard, printable
from sync.providers.netsuite import RECORDS, STRICT_NAMES, JobDone, NetSuite
from sync.wiretypes import FrozenRequest, Response

LISTS = {
    "subsidiary": "SELECT id, name FROM subsidiary ORDER BY id",
    "term": "SELECT id, name FROM term ORDER BY id",
    "currency": "SELECT id, symbol AS name FROM currency ORDER BY id",
}
LISTS_SECONDS = 600.0
CUSTOMER_ACTION, INVOICE_ACTION = "custentity_mesh_action", "custbody_mesh_action"
_TWINS = "SELECT id, externalid, email FROM customer WHERE UPPER(entityid) = UPPER(?) ORDER BY id"
INVALID = "the ERP does not know a value that the record refers to"
# The refusal's words -> our code and what they mean for a person. The first that fits counts.
MEANINGS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, sentence)
    for pattern, code, sentence in (
        (r"customer record with this ID already exists|unique customer ID", "duplicate_name",
         "another customer in the ERP has this name already"),
        (r"(?:entity|record) already exists", "exists", "a record with this external id is in the ERP already"),
        (r"does not have permission|permission violation|you need .{0,60}permission", "missing_permission",
         "the role of the integration may not do this; an administrator of the ERP has to allow it"),
        (r"unknown .{0,40}field name", "unknown_field",
         "the account of the ERP has no such field; the mapping has to be adapted"),
        (r"invalid .{0,20}reference|invalid value for|unknown reference|no such .{0,40}reference", "invalid_reference",
         INVALID),
        (r"closed (?:posting )?period|period is closed", "closed_period", "the posting period is closed in the ERP"),
        (r"inactive", "inactive", "a record that is referred to is inactive in the ERP"),
        (r"enter a value for|missing a required|required field", "missing_field", "the ERP demands a further field"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundCustomer:
    """A customer under our external id."""

    id: str
    external_id: str
    name: str
    email: str
    is_inactive: bool
    action_id: str


@dataclass(frozen=True, slots=True)
class FoundInvoice:
    """An invoice under our external id; amount in minor units of the currency asked about."""

    id: str
    external_id: str
    number: str
    customer_id: str
    currency_id: str
    total_minor: int | None
    action_id: str


class Lists:
    """The account's terms, currencies and subsidiaries by name in small letters, kept for ten minutes.

    None for a list the account does not have: one without subsidiaries has no such table.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, dict[str, str] | None]]] = {}

    def read(self, erp: NetSuite, exchanges: Exchanges | None = None) -> dict[str, dict[str, str] | None]:
        """All lists; at most three queries, mostly none."""
        key = f"{id(erp)}:{erp.config['base_url']}"
        with self._lock:
            kept = self._kept.get(key)
        if kept and time.monotonic() - kept[0] < LISTS_SECONDS:
            return kept[1]
        found = {name: _listed(erp, query, exchanges) for name, query in LISTS.items()}
        with self._lock:
            self._kept = {key: (time.monotonic(), found)}
        return found


LISTED = Lists()


def _listed(erp: NetSuite, query: str, exchanges: Exchanges | None) -> dict[str, str] | None:
    try:
        rows = erp.suiteql(query, [], limit=1000, exchanges=exchanges)
    except PermanentError as error:
        if error.code == "INVALID_PARAMETER":  # no such table or column in this account
            return None
        raise
    return {str(row["name"]).casefold(): str(row["id"]) for row in rows if row.get("name")}


def customer(erp: NetSuite, external_id: str, exchanges: Exchanges | None = None) -> FoundCustomer | None:
    """The customer under our external id as it is now; None if there is none."""
    found = erp.get(f"{RECORDS}/customer/eid:{external_id}", exchanges)
    if found is None:
        return None
    try:
        flat = contract.flat(found)
        seen = contract.customer_seen(flat)
        action = contract.value_of(flat, CUSTOMER_ACTION)
    except DriftError as error:
        raise erp.drifted(error) from error
    return FoundCustomer(seen.internal_id, seen.external_id, seen.name, seen.email, seen.is_inactive, action)


def invoice(erp: NetSuite, external_id: str, currency: str, exchanges: Exchanges | None = None) -> FoundInvoice | None:
    """The invoice under our external id as it is now; None if there is none."""
    found = erp.get(f"{RECORDS}/invoice/eid:{external_id}", exchanges)
    if found is None:
        return None
    try:
        flat = contract.flat(found)
        return FoundInvoice(
            contract.record_id(flat), members.text_or_blank(flat, "externalid"), members.text_or_blank(flat, "tranid"),
            contract.value_of(flat, "entity"), contract.value_of(flat, "currency"),
            minor_of(flat.get("total"), currency), contract.value_of(flat, INVOICE_ACTION),
        )  # fmt: skip
    except DriftError as error:
        raise erp.drifted(error) from error


def minor_of(value: Any, currency: str) -> int | None:
    """A decimal amount in minor units; None where it is none, or finer than its currency."""
    places = money.exponent(currency)
    if places is None or isinstance(value, bool) or not isinstance(value, int | Decimal | str | float):
        return None
    try:
        minor = Decimal(str(value)).scaleb(places)
    except ArithmeticError:
        return None
    return int(minor) if minor == minor.to_integral_value() else None


def twins(erp: NetSuite, name: str, external_id: str, exchanges: Exchanges | None = None) -> list[dict[str, Any]]:
    """Other customers whose id in the books is this name, whatever its case: `id`, `email`, `externalid`."""
    rows = erp.suiteql(_TWINS, [name], limit=10, exchanges=exchanges)
    return [row for row in rows if str(row.get("externalid", "")).lower() != external_id.lower()]


def put(
    record: str, external_id: str, fields: Mapping[str, Any], *, replace: str, async_key: str = ""
) -> FrozenRequest:
    """Freeze a record to be made under its external id; a repeat rewrites the lines instead of adding to them."""
    path = f"{RECORDS}/{record}/eid:{external_id}?replace={replace}"
    return FrozenRequest(NetSuite.name, "PUT", path, _headers(async_key), exact_json(fields))


def patch(record: str, external_id: str, fields: Mapping[str, Any], *, async_key: str = "") -> FrozenRequest:
    """Freeze a change of some fields of a record under its external id."""
    path = f"{RECORDS}/{record}/eid:{external_id}"
    return FrozenRequest(NetSuite.name, "PATCH", path, _headers(async_key), exact_json(fields))


def _headers(async_key: str) -> tuple[tuple[str, str], ...]:
    job = (("Prefer", "respond-async"), ("X-NetSuite-Idempotency-Key", async_key)) if async_key else ()
    return (JSON_TYPE, STRICT_NAMES, *job)


def perform(erp: NetSuite, request: FrozenRequest, guard: Guard, exchanges: Exchanges) -> Response:
    """Send it once; a refusal says in our words what it means. Raises ProviderError."""
    try:
        return erp.perform(request, guard, exchanges)
    except AuthError:
        raise
    except PermanentError as error:
        raise explained(error) from error


def explained(error: PermanentError) -> ProviderError:
    """A refusal under its own code, with one sentence for a person and the ERP's own words behind it.

    A name that is taken can succeed under another name: that is a conflict. All others fail the same way again.
    """
    code, sentence = meaning(error.code, error.message)
    kind = ConflictError if code == "duplicate_name" else PermanentError
    return kind(
        f"{sentence} (“{error.message}”)" if sentence else error.message, provider=error.provider,
        status=error.status, code=code, exchange=error.exchange, never_sent=error.never_sent,
    )  # fmt: skip


def meaning(code: str, words: str) -> tuple[str, str]:
    """Our code and sentence for a refusal; the ERP's own code and "" for words nobody has met yet."""
    for pattern, name, sentence in MEANINGS:
        if pattern.search(words):
            return name, sentence
    return ("invalid_reference", INVALID) if code == "INVALID_CONTENT" else (code, "")


def job_refusal(done: JobDone) -> ProviderError:
    """What a job's result says went wrong."""
    try:
        details = json.loads(done.body).get("o:errorDetails") or [{}]
        detail = details[0] if isinstance(details, list) and isinstance(details[0], dict) else {}
    except (ValueError, AttributeError):
        detail = {}
    words = printable(str(detail.get("detail") or "the ERP's job refused the change"))[:300]
    code = str(detail.get("o:errorCode") or "job_refused")[:80]
    return explained(PermanentError(words, provider=NetSuite.name, status=done.status, code=code))


def exact_json(value: Any) -> str:
    """JSON with decimals written as they are: an amount never passes through a binary fraction."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(name, ensure_ascii=False)}:{exact_json(one)}" for name, one in sorted(value.items()))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(exact_json, value)) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False, allow_nan=False)

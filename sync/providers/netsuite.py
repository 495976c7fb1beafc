"""NetSuite: our script's signed posts in; records read by REST and found by SuiteQL; records patched and upserted.

A synchronous write ignores NetSuite's idempotency key, so what protects it is that it says the same thing twice: an
upsert by external id, or a patch of our own fields to fixed values. An asynchronous one carries the key.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import clock
from sync.contracts import members
from sync.contracts import netsuite as contract
from sync.contracts.members import DriftError
from sync.errors import ConflictError, PermanentError, ProviderError, TransientError, UnreadableAnswer
from sync.providers import base
from sync.providers.base import JSON_TYPE, Exchanges, Headers, Provider, compact_json
from sync.providers.netsuite_auth import TokenCache, token_based_header
from sync.wiretypes import ContractRecord, CustomerRecord, Envelope, FrozenRequest, Response

RECORDS = "/services/rest/record/v1"
SUITEQL = "/services/rest/query/v1/suiteql"
WAIT_FOR_SLOT_SECONDS = 20.0
STRICT_NAMES = ("X-NetSuite-PropertyNameValidation", "Error")  # the default drops misspelt fields silently
SIGNATURE = "x-meshline-signature"

_JOB = re.compile(r"/services/rest/async/v1/job/([0-9A-Za-z_-]{1,64})")
_TASK = re.compile(r"/task/([0-9A-Za-z_-]{1,64})$")
_RECORD = re.compile(r"/services/rest/record/v1/([A-Za-z0-9_]+)/([0-9]{1,18})$")
_RECORD_ID = re.compile(r"[0-9]{1,18}|eid:[A-Za-z0-9_-]{1,200}")
_FIELD_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class JobPending:
    """The job has not ended."""


@dataclass(frozen=True, slots=True)
class JobDone:
    """The job ended with the answer that the synchronous call would have given."""

    status: int
    location: str
    body: bytes


@dataclass(frozen=True, slots=True)
class JobLost:
    """NetSuite knows nothing of the job any more, or of its result: the outcome is unknown."""


class NetSuite(Provider):
    """The ERP. No write may be blindly repeated: look the record up first."""

    name = "netsuite"
    webhook_secrets_name = "MESHLINE_NETSUITE_WEBHOOK_SECRETS"
    key_lifetime = None

    def __init__(self) -> None:
        self._tokens = TokenCache()
        self._lock = threading.Lock()
        self._slots: tuple[int, threading.BoundedSemaphore] | None = None
        os.register_at_fork(after_in_child=self._forget_slots)

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """`X-Meshline-Signature`, written by our script with the rules of `Stripe-Signature`."""
        base.verify_timestamped(base.only(headers, SIGNATURE), raw, now, secrets)

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name a post of the script; the lane is the ERP's customer."""
        event_id = base.required(document, "id", "id")
        type_ = base.required(document, "type", "type")
        record = document.get("record")
        record = record if isinstance(record, dict) else {}
        kind = base.kind_of(self.name, type_)
        record_id = base.plain(record.get("id"), "lane")
        customer_id = _customer_of(record)
        occurred = document.get("occurred_at")
        occurred_at = members.parse_iso(occurred) if isinstance(occurred, str) else None
        return Envelope(
            provider_event_id=event_id,
            account=base.plain(document.get("account"), "account"),
            type=type_,
            kind=kind,
            object_id=record_id,
            lane_key=customer_id or record_id or event_id[: base.LIMITS["lane"]],
            occurred_at=occurred_at,
            park=base.parking(
                oddities,
                "" if occurred_at else "unreadable time",
                "" if record_id or kind == "unknown" else "no record id",
            ),
        )

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """A bearer token, or a signature of this one try."""
        config = self.config
        if config.get("auth") == "tba":
            url = str(config["base_url"]).rstrip("/") + request.path
            return {"Authorization": token_based_header(config, request.method, url)}
        return {"Authorization": f"Bearer {self._tokens.token(config)}"}

    def renew(self, used: Mapping[str, str]) -> bool:
        """Drop the refused token, once. Signatures are new at each try anyway, and five refusals lock the user."""
        if self.config.get("auth") == "tba":
            return False
        return self._tokens.drop(used["Authorization"].removeprefix("Bearer "))

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A place among the calls this process may have in the air; the account's limit is for all its users."""
        slots = self._semaphore()
        if not slots.acquire(timeout=WAIT_FOR_SLOT_SECONDS):
            raise TransientError("no free call within 20 s", provider=self.name, code="busy", never_sent=True)
        try:
            yield
        finally:
            slots.release()

    def _semaphore(self) -> threading.BoundedSemaphore:
        size = max(1, int(self.config.get("concurrency") or 1))
        with self._lock:
            if self._slots is None or self._slots[0] != size:
                self._slots = (size, threading.BoundedSemaphore(size))
            return self._slots[1]

    def _forget_slots(self) -> None:
        """In a forked child the parent's calls are not in the air."""
        self._lock = threading.Lock()
        self._slots = None

    def explain(self, response: Response) -> tuple[str, str]:
        """The first of `o:errorDetails`."""
        try:
            document = response.json()
        except UnreadableAnswer:
            return "", ""
        if not isinstance(document, dict):
            return "", ""
        listed = document.get("o:errorDetails")
        detail = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
        code = detail.get("o:errorCode") or document.get("o:errorCode") or ""
        return str(code), str(detail.get("detail") or document.get("title") or "")

    def classify_refusal(self, response: Response, code: str) -> type[ProviderError] | None:
        """Some meanings are in the code, not in the status."""
        if code == "RCRD_HAS_BEEN_CHANGED":
            return ConflictError
        if code in ("CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"):
            return TransientError
        return None

    def check_success(self, response: Response) -> None:
        """204 with the record's address, or 202 with the job's: nothing else confirms a write."""
        if response.status not in (202, 204) or not response.headers.get("location"):
            raise response.unreadable(f"answered {response.status} without saying which record or job")

    def perform(self, request: FrozenRequest, guard: base.Guard, exchanges: Exchanges | None = None) -> Response:
        """As everywhere, but a refused key with the first job's address is returned: it was submitted before."""
        response = self._exchange(request, is_write=True, guard=guard, exchanges=exchanges)
        if response.status == 400 and self.explain(response)[0] == "IDEMPOTENCY_ERROR":
            job_path(response)
            return response
        self._judge(response, is_write=True)
        return response

    # --- reads

    def contract_by_subscription(
        self, subscription_id: str, exchanges: Exchanges | None = None
    ) -> ContractRecord | None:
        """The contract that names a subscription; None if there is none. PermanentError if there are several."""
        record, field = self.config["contract_record"], self.config["subscription_field"]
        query = f"SELECT id FROM {_field(record)} WHERE {_field(field)} = ? ORDER BY id"
        found = self.suiteql(query, [subscription_id], limit=2, exchanges=exchanges)
        if len(found) > 1:
            raise PermanentError("several contracts name this subscription", provider=self.name, code="ambiguous")
        if not found:
            return None
        try:
            return self.contract(members.identifier(found[0], "id"), exchanges)
        except DriftError as error:
            raise self.drifted(error) from error

    def contract(self, record_id: str, exchanges: Exchanges | None = None) -> ContractRecord | None:
        """A contract by internal id, or by `eid:...`; None if there is none. Sees our own writes at once."""
        document = self.get(f"{RECORDS}/{_field(self.config['contract_record'])}/{_record_id(record_id)}", exchanges)
        try:
            return _contract_record(document) if document else None
        except DriftError as error:
            raise self.drifted(error) from error

    def customer(self, record_id: str, exchanges: Exchanges | None = None) -> CustomerRecord | None:
        """A customer by internal id, or by `eid:...`; None if there is none."""
        document = self.get(f"{RECORDS}/customer/{_record_id(record_id)}", exchanges)
        try:
            return _customer_record(document) if document else None
        except DriftError as error:
            raise self.drifted(error) from error

    def suiteql(
        self, query: str, params: Sequence[str], *, limit: int, exchanges: Exchanges | None = None
    ) -> list[dict[str, Any]]:
        """The first rows of a query; names in lower case, values as text, nulls absent. Lags behind writes."""
        body = compact_json({"q": query, "params": list(params)})
        headers = (JSON_TYPE, ("Prefer", "transient"))
        request = FrozenRequest(self.name, "POST", f"{SUITEQL}?limit={limit}&offset=0", headers, body)
        document = self.document(self.read(request, exchanges))
        try:
            members.present(document, "items")
            return [contract.flat(row) for row in members.mappings(document, "items")]
        except DriftError as error:
            raise self.drifted(error) from error

    def job_state(self, location: str, exchanges: Exchanges | None = None) -> JobPending | JobDone | JobLost:
        """How far an asynchronous write has come, judged by `completed` and by the result's own status."""
        found = _JOB.search(location)
        if found is None:
            return JobLost()
        path = found[0]
        job = self.get(path, exchanges)
        if job is None:
            return JobLost()
        if job.get("completed") is not True:
            return JobPending()
        task_id = self._task_of(path, exchanges)
        if not task_id:
            return JobLost()
        request = FrozenRequest(self.name, "GET", f"{path}/task/{task_id}/result", (), "")
        response = self._exchange(request, is_write=False, guard=None, exchanges=exchanges)
        if response.status == 404:
            return JobLost()
        if response.status in (401, 403, 429) or response.status >= 500:
            self._judge(response, is_write=False)
        return JobDone(response.status, response.headers.get("location", ""), response.body)

    def _task_of(self, path: str, exchanges: Exchanges | None) -> str:
        """A job for one record has one task."""
        tasks = self.get(f"{path}/task", exchanges) or {}
        try:
            for task in members.mappings(tasks, "items"):
                for link in members.mappings(task, "links"):
                    found = _TASK.search(members.text_or_blank(link, "href"))
                    if found:
                        return found[1]
        except DriftError as error:
            raise self.drifted(error) from error
        return ""

    # --- writes

    def patch_contract(self, internal_id: str, fields: Mapping[str, str | None]) -> FrozenRequest:
        """Freeze a change of our own fields of a contract; None clears a field. A misspelt field is refused."""
        path = f"{RECORDS}/{_field(self.config['contract_record'])}/{_record_id(internal_id)}"
        document = {_field(name): value for name, value in fields.items()}
        return FrozenRequest(self.name, "PATCH", path, (JSON_TYPE, STRICT_NAMES), compact_json(document))

    def upsert_customer(
        self, external_id: str, fields: Mapping[str, Any], async_key: str | None = None
    ) -> FrozenRequest:
        """Freeze a customer to be created, or updated, under its external id; with a key it runs as a job."""
        path = f"{RECORDS}/customer/{_record_id('eid:' + external_id)}"
        headers: tuple[tuple[str, str], ...] = (JSON_TYPE, STRICT_NAMES)
        if async_key:
            headers += (("Prefer", "respond-async"), ("X-NetSuite-Idempotency-Key", async_key))
        document = {_field(name): value for name, value in fields.items()}
        return FrozenRequest(self.name, "PUT", path, headers, compact_json(document))


def location_id(response: Response | JobDone, record: str = "") -> str:
    """The internal id in the answer's Location, relative or absolute; UnreadableAnswer if there is none.

    With `record` given, the address must be of that record type.
    """
    location = response.location if isinstance(response, JobDone) else response.headers.get("location", "")
    found = _RECORD.search(location)
    if found is None or (record and found[1].lower() != record.lower()):
        message = "the answer does not say which record was written"
        if isinstance(response, JobDone):
            raise UnreadableAnswer(message, provider=NetSuite.name, status=response.status)
        raise response.unreadable(message)
    return found[2]


def job_path(response: Response) -> str:
    """The job an asynchronous write, or a repeated one, points at; UnreadableAnswer if it points at none."""
    found = _JOB.search(response.headers.get("location", ""))
    if found is None:
        raise response.unreadable("the answer does not say which job it is")
    return found[0]


def _field(name: str) -> str:
    """A record or field id: it becomes part of an address or of a query."""
    if not _FIELD_ID.fullmatch(name):
        raise ValueError(f"not a record or field id: {name!r}")
    return name


def _record_id(record_id: str) -> str:
    """An internal id, or an external one as `eid:...`; PermanentError for what is neither."""
    if not _RECORD_ID.fullmatch(record_id):
        raise PermanentError("not a record id", provider=NetSuite.name, code="bad_id", never_sent=True)
    return record_id


def _customer_of(record: Mapping[str, Any]) -> str:
    """The customer a posted contract belongs to; "" for a customer itself."""
    try:
        return base.plain(contract.value_of(contract.flat(record), contract.field_ids().customer), "lane")
    except DriftError:
        return ""


def _contract_record(document: Mapping[str, Any]) -> ContractRecord:
    seen = contract.contract_seen(contract.flat(document))
    return ContractRecord(
        internal_id=seen.internal_id,
        external_id=seen.external_id,
        customer_internal_id=seen.customer_internal_id,
        status=seen.status,
        plan=seen.plan,
        started_at=seen.started_at,
        ends_at=seen.ends_at,
        subscription_id=seen.subscription_id,
        last_action_id=seen.last_action_id,
        read_at=clock.now(),
    )


def _customer_record(document: Mapping[str, Any]) -> CustomerRecord:
    seen = contract.customer_seen(contract.flat(document))
    return CustomerRecord(
        internal_id=seen.internal_id,
        external_id=seen.external_id,
        name=seen.name,
        email=seen.email,
        billing_customer_id=seen.stripe_customer_id,
        is_inactive=seen.is_inactive,
        read_at=clock.now(),
    )

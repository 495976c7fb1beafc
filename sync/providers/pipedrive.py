"""Pipedrive: webhooks with Basic credentials in, deals with their people read, our own fields, labels and notes out.

Nothing takes an idempotency key. A change of fields is safe because it says the same thing twice; a note is kept
single by a marker in its text that is looked for before anything is repeated. Field codes differ for each company, so
fields are known by the names that people gave them.
"""

from __future__ import annotations

import html
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

from ledger import clock
from sync.contracts import members
from sync.contracts import pipedrive_records as records
from sync.contracts.members import DriftError
from sync.crmtypes import (
    DealChange,
    DealFacts,
    FieldFacts,
    NoteFacts,
    OrganizationFacts,
    PersonFacts,
    ServiceUser,
    StageFacts,
)
from sync.errors import AuthError, PermanentError, ProviderError, UnreadableAnswer
from sync.providers import base, pipedrive_events, pipedrive_limits
from sync.providers.base import JSON_TYPE, Exchanges, Headers, compact_json
from sync.providers.pipedrive_auth import TokenCache, check_basic
from sync.providers.pipedrive_pace import Paced
from sync.wiretypes import Envelope, FrozenRequest, Response

V2, V1 = "/api/v2", "/api/v1"
ACTION_HEADER = "X-Meshline-Action"
FIELDS_SECONDS = 900.0
FIELDS_AGAIN_SECONDS = 60.0
PAGE = 500
NOTES_PAGE = 100
MOST_PAGES = 10
Given = ParamSpec("Given")
Read = TypeVar("Read")
LABELS = ("label_ids", "label")  # the field whose options are the labels of a deal


class Pipedrive(Paced):
    """The CRM. No write takes a key: look first."""

    name = "pipedrive"
    webhook_secrets_name = "MESHLINE_PIPEDRIVE_WEBHOOK_SECRETS"
    key_lifetime = None
    counts_refusals = True

    def __init__(self) -> None:
        self._tokens = TokenCache()
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._fields: dict[tuple[str, str], tuple[float, dict[str, FieldFacts]]] = {}
        self._me: dict[str, ServiceUser] = {}

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """Basic credentials, nothing else: bodies are not signed and carry no time, so each is only a hint."""
        check_basic(base.only(headers, "authorization"), secrets)

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name an event by its own id, else by what it says, else by its bytes: nothing that came is sent back."""
        return pipedrive_events.envelope(document, raw, oddities, str(self.config.get("user_id") or ""))

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """The service user's API token, or an access token of the installed app."""
        if self.config.get("auth") == "oauth2":
            return {"Authorization": f"Bearer {self._tokens.token(self.config)}"}
        token = str(self.config.get("api_token") or "")
        if not token:
            raise AuthError("no API token is configured", provider=self.name, code="token", never_sent=True)
        return {"x-api-token": token}

    def renew(self, used: Mapping[str, str]) -> bool:
        """Drop a refused access token, once; an API token does not change by asking."""
        if self.config.get("auth") != "oauth2":
            return False
        return self._tokens.drop(used["Authorization"].removeprefix("Bearer "))

    def explain(self, response: Response) -> tuple[str, str]:
        """`error` and `error_info`, `errors` by member, or `message`; `code` only in some."""
        limit = pipedrive_limits.label(response)
        try:
            document = response.json()
        except UnreadableAnswer:
            return limit, ""
        if not isinstance(document, dict):
            return limit, ""
        listed = document.get("errors")
        named = [f"{name}: {said}" for name, said in listed.items()] if isinstance(listed, dict) else []
        said = [document.get(name) for name in ("error", "message", "error_info")]
        code = document.get("code")
        text = " ".join(filter(None, [*(one for one in said if isinstance(one, str)), *named]))
        return limit or (code if isinstance(code, str) else ""), text

    def classify_refusal(self, response: Response, code: str) -> type[ProviderError] | None:
        """Limits and closed doors have their own meanings."""
        return pipedrive_limits.meaning(response, code)

    def error(self, kind: type[ProviderError], response: Response, message: str, *, code: str = "") -> ProviderError:
        """As everywhere, with the pause that the limits ask for."""
        found = super().error(kind, response, message, code=code)
        wait = pipedrive_limits.pause(response, clock.now(), str(self.config.get("reset_zone") or "UTC"))
        if wait is not None and (found.retry_after is None or pipedrive_limits.is_spent(response)):
            found.retry_after = max(wait, found.retry_after or wait)
        return found

    def check_success(self, response: Response) -> None:
        """`success: true` with the record. UnreadableAnswer."""
        document = response.json()
        if not isinstance(document, dict) or document.get("success") is not True:
            raise response.unreadable("answer does not say that it was done")
        if not isinstance(document.get("data"), dict):
            raise response.unreadable("answer names no record")

    # --- reads

    def deal(self, deal_id: str, exchanges: Exchanges | None = None) -> DealFacts | None:
        """One deal with the configured fields; None if it is purged, invisible or never was."""
        found, names = self._with_fields("deal", f"/deals/{_id(deal_id)}", exchanges), self._names("deal")
        return self._fits(records.deal, *found, names) if found else None

    def organization(self, org_id: str, exchanges: Exchanges | None = None) -> OrganizationFacts | None:
        """One organization with its tax id; None if it is gone."""
        names = self._names("organization")
        found = self._with_fields("organization", f"/organizations/{_id(org_id)}", exchanges)
        return self._fits(records.organization, *found, names) if found else None

    def person(self, person_id: str, exchanges: Exchanges | None = None) -> PersonFacts | None:
        """One contact; None if it is gone."""
        document = self.get(f"{V2}/persons/{_id(person_id)}", exchanges)
        return self._fits(records.person, self._fits(_data, document)) if document else None

    def stages(self, pipeline_id: str = "", exchanges: Exchanges | None = None) -> tuple[StageFacts, ...]:
        """All stages, or those of one pipeline."""
        query = {"pipeline_id": _id(pipeline_id)} if pipeline_id else {}
        found = self._pages(f"{V2}/stages", query, exchanges)
        return tuple(self._fits(records.stage, one) for one in found)

    def fields(
        self, entity: str, exchanges: Exchanges | None = None, *, again: bool = False
    ) -> dict[str, FieldFacts | None]:
        """Our words for the configured fields of "deal" or "organization" -> the company's fields, None if missing.

        Kept for a quarter of an hour; `again` asks anew unless that was done within the minute.
        """
        every = self.all_fields(entity, exchanges, again=again)
        return {word: every.get(name.casefold()) for word, name in self._names(entity).items()}

    def all_fields(
        self, entity: str, exchanges: Exchanges | None = None, *, again: bool = False
    ) -> dict[str, FieldFacts]:
        """Every field of "deal", "organization" or "person" by its name in lower case."""
        key = (str(self.config["base_url"]), entity)
        with self._lock:
            kept = self._fields.get(key)
        age = time.monotonic() - kept[0] if kept else FIELDS_SECONDS
        if kept and age < (FIELDS_AGAIN_SECONDS if again else FIELDS_SECONDS):
            return kept[1]
        listed = self._pages(f"{V2}/{entity}Fields", {}, exchanges)
        found = [self._fits(records.field, one) for one in listed]
        by_name = {one.name.casefold(): one for one in reversed(found)}  # of two with one name the first
        with self._lock:
            self._fields[key] = (time.monotonic(), by_name)
        return by_name

    def notes(self, deal_id: str, exchanges: Exchanges | None = None) -> tuple[NoteFacts, ...]:
        """The notes of a deal, newest first, at most a thousand."""
        found: list[Any] = []
        for page in range(MOST_PAGES):
            query = {"deal_id": _id(deal_id), "start": str(page * NOTES_PAGE), "limit": str(NOTES_PAGE)}
            path = f"{V1}/notes?{urlencode({**query, 'sort': 'add_time DESC'}, quote_via=quote)}"
            document = self.get(path, exchanges) or {}
            found += self._fits(members.mappings, document, "data")
            pagination = (document.get("additional_data") or {}).get("pagination") or {}
            if not pagination.get("more_items_in_collection"):
                break
        return tuple(self._fits(records.note, one) for one in found)

    def me(self, exchanges: Exchanges | None = None) -> ServiceUser:
        """Whom our credentials belong to; asked once a process."""
        key = str(self.config["base_url"])
        with self._lock:
            kept = self._me.get(key)
        if kept is None:
            document = self.get(f"{V1}/users/me", exchanges)
            kept = self._fits(records.service_user, self._fits(_data, document))
            with self._lock:
                self._me[key] = kept
        return kept

    def deals_changed(
        self, since: datetime, *, among: str = "", cursor: str = "", exchanges: Exchanges | None = None
    ) -> tuple[tuple[DealChange, ...], str]:
        """A page of deals changed since then, oldest first, and the cursor of the next page, "" after the last.

        `among`: "" for those in the pipelines, "archived" or "deleted" for those which that list hides.
        """
        at = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {"updated_since": at, "sort_by": "update_time", "sort_direction": "asc", "limit": str(PAGE)}
        query |= {"status": "deleted"} if among == "deleted" else {}
        query |= {"cursor": cursor} if cursor else {}
        place = f"{V2}/deals/archived" if among == "archived" else f"{V2}/deals"
        document = self._list(f"{place}?{urlencode(query, quote_via=quote)}", exchanges)
        listed = self._fits(members.mappings, document, "data")
        found = tuple(self._fits(records.deal_change, one) for one in listed)
        return found, _next(document)

    def listed(
        self, entity: str, *, is_archive: bool = False, cursor: str = "", exchanges: Exchanges | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        """A page of "deal", "organization" or "person" records by id, as they came, and the cursor of the next."""
        named = self.fields(entity, exchanges) if self._names(entity) else {}
        codes = ",".join(one.code for one in named.values() if one)
        query = {"sort_by": "id", "sort_direction": "asc", "limit": str(PAGE)}
        query |= ({"custom_fields": codes} if codes else {}) | ({"cursor": cursor} if cursor else {})
        place = f"{V2}/{entity}s{'/archived' if is_archive else ''}"
        document = self._list(f"{place}?{urlencode(query, quote_via=quote)}", exchanges)
        return self._fits(members.mappings, document, "data"), _next(document)

    # --- writes

    def change_deal(
        self,
        deal: DealFacts,
        fields: Mapping[str, FieldFacts | None],
        values: Mapping[str, str],
        *,
        action_id: str,
        add_labels: Iterable[int] = (),
        remove_labels: Iterable[int] = (),
    ) -> FrozenRequest:
        """Freeze a change of our own fields (our word -> text, "" clears) and of labels, merged with those read.

        The list of labels is replaced as a whole, so it is sent only if it changes. PermanentError for a field or an
        option that the company does not have.
        """
        body: dict[str, Any] = {}
        if values:
            body["custom_fields"] = dict(self._wire(word, fields.get(word), text) for word, text in values.items())
        removed = set(remove_labels)
        labels = [one for one in dict.fromkeys((*deal.label_ids, *add_labels)) if one not in removed]
        if labels != list(deal.label_ids):
            body["label_ids"] = labels
        if not body:
            raise self._unsendable("nothing would change", "no_change")
        headers = (JSON_TYPE, (ACTION_HEADER, action_id))
        return FrozenRequest(self.name, "PATCH", f"{V2}/deals/{_id(deal.id)}", headers, compact_json(body))

    def add_note(
        self, deal_id: str, text: str, note_marker: str, *, action_id: str, is_pinned: bool = False
    ) -> FrozenRequest:
        """Freeze a new note. A repeat makes a second one: look for the marker in `notes` before anything is sent."""
        body = {"content": note_html(text, note_marker), "deal_id": int(_id(deal_id))}
        pinned = {"pinned_to_deal_flag": 1} if is_pinned else {}
        headers = (JSON_TYPE, (ACTION_HEADER, action_id))
        return FrozenRequest(self.name, "POST", f"{V1}/notes", headers, compact_json({**body, **pinned}))

    def change_note(self, note_id: str, text: str, note_marker: str, *, action_id: str) -> FrozenRequest:
        """Freeze a note's new text; saying it twice changes nothing."""
        body = compact_json({"content": note_html(text, note_marker)})
        headers = (JSON_TYPE, (ACTION_HEADER, action_id))
        return FrozenRequest(self.name, "PUT", f"{V1}/notes/{_id(note_id)}", headers, body)

    def label_id(self, label: str, exchanges: Exchanges | None = None) -> int | None:
        """The id of a deal's label by its words; None if the company has none of that name."""
        every = self.all_fields("deal", exchanges).values()
        one = next((one for code in LABELS for one in every if one.code == code), None)
        return one.option(label) if one else None

    # --- what they share

    def _names(self, entity: str) -> Mapping[str, str]:
        names: Mapping[str, str] = self.config.get(f"{entity}_fields") or {}
        return names

    def _with_fields(
        self, entity: str, path: str, exchanges: Exchanges | None
    ) -> tuple[dict[str, Any], dict[str, FieldFacts | None]] | None:
        """A record with the configured fields; asked once more with fresh codes where one seems to be gone."""
        for again in (False, True):
            fields = self.fields(entity, exchanges, again=again)
            codes = [one.code for one in fields.values() if one]
            query = f"?custom_fields={quote(','.join(codes), safe=',')}" if codes else ""
            document = self.get(f"{V2}{path}{query}", exchanges)
            if document is None:
                return None
            record = self._fits(_data, document)
            values = record.get("custom_fields")
            if isinstance(values, dict) and len(codes) == len(fields) and all(code in values for code in codes):
                break
            if not again and self.fields(entity, exchanges, again=True) == fields:
                break
        return record, fields

    def _wire(self, word: str, field: FieldFacts | None, text: str) -> tuple[str, Any]:
        """A field's code and value as the API takes it."""
        if field is None:
            raise self._unsendable(f"the company has no field {self._names('deal').get(word, word)!r}", "no_field")
        if not text:
            return field.code, None
        if field.type == "enum":
            option = field.option(text)
            if option is None:
                raise self._unsendable(f"field {field.name!r} has no option {text!r}", "no_option")
            return field.code, option
        return field.code, int(_id(text)) if field.type in ("user", "people", "org", "int") else text

    def _unsendable(self, message: str, code: str) -> PermanentError:
        return PermanentError(base.printable(message)[:300], provider=self.name, code=code, never_sent=True)

    def _pages(self, path: str, query: Mapping[str, str], exchanges: Exchanges | None) -> list[Any]:
        """All records of a v2 list of set-up, which is never long."""
        found: list[Any] = []
        cursor = ""
        for _ in range(MOST_PAGES):
            asked = {**query, "limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
            document = self._list(f"{path}?{urlencode(asked, quote_via=quote)}", exchanges)
            found += self._fits(members.mappings, document, "data")
            cursor = _next(document)
            if not cursor:
                break
        return found

    def _list(self, path: str, exchanges: Exchanges | None) -> dict[str, Any]:
        return self.document(self.read(FrozenRequest(self.name, "GET", path, (), ""), exchanges))

    def _fits(self, make: Callable[Given, Read], *args: Given.args, **kwargs: Given.kwargs) -> Read:
        """Read by the contract, or say that it does not fit."""
        try:
            return make(*args, **kwargs)
        except DriftError as error:
            raise self.drifted(error) from error


def marker(action_id: str) -> str:
    """What a note of ours ends with, so that it can be found again."""
    return f"[meshline:{action_id}]"


def note_html(text: str, note_marker: str) -> str:
    """A note's text as HTML, one paragraph a line, with its marker visible on the last."""
    lines = [line.strip() for line in f"{text.strip()}\n{note_marker}".splitlines()]
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines if line)


def marked(notes: Iterable[NoteFacts], note_marker: str) -> NoteFacts | None:
    """The note that carries a marker; None if there is none."""
    return next((one for one in notes if note_marker in one.content), None)


def note_from(response: Response) -> NoteFacts:
    """The note a write answers with; UnreadableAnswer if it is not there whole."""
    try:
        return records.note(_data(response.json()))
    except DriftError as error:
        raise response.unreadable(f"no note in the answer: {error}") from error


def deal_id_from(response: Response) -> str:
    """The deal a write answers with; UnreadableAnswer if it is not there."""
    try:
        return records.number(_data(response.json()), "id")
    except DriftError as error:
        raise response.unreadable(f"no deal in the answer: {error}") from error


def _data(document: Any) -> dict[str, Any]:
    found = document.get("data") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise DriftError("data", "not an object")
    return found


def _next(document: Mapping[str, Any]) -> str:
    more = document.get("additional_data")
    cursor = more.get("next_cursor") if isinstance(more, dict) else None
    return cursor if isinstance(cursor, str) else ""


def _id(value: str) -> str:
    """A number as one segment of an address. PermanentError for what Pipedrive would never give out."""
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise PermanentError("not an id", provider="pipedrive", code="bad_id", never_sent=True)
    return value

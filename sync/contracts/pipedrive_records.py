"""Pipedrive's API v2 records (and v1 notes and users) read into plain shapes; DriftError where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ledger import clock, money
from sync.contracts import members
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

Json = Mapping[str, Any]
Fields = Mapping[str, FieldFacts | None]  # our word for a field -> the company's; None: it has none of that name
STATUSES = frozenset({"open", "won", "lost", "deleted"})
LARGEST = Decimal(10) ** 15


def deal(record: Json, fields: Fields, names: Mapping[str, str]) -> DealFacts:
    """A whole deal; `names` are the configured names of `fields`, for what is missing."""
    change = deal_change(record)
    own, missing = custom(record, fields, names)
    amount, currency, why = amount_of(record)
    return DealFacts(
        id=change.id,
        title=members.text_or_blank(record, "title"),
        org_id=change.org_id,
        person_id=change.person_id,
        owner_id=members.identifier(record, "owner_id"),
        pipeline_id=change.pipeline_id,
        stage_id=change.stage_id,
        status=change.status,
        is_deleted=change.is_deleted,
        is_archived=change.is_archived,
        amount_minor=amount,
        currency=currency,
        amount_why=why,
        label_ids=whole_numbers(record, "label_ids"),
        added_at=members.iso_time(record, "add_time"),
        updated_at=change.updated_at,
        package_code=own.get("package_code", ""),
        external_id=own.get("external_id", ""),
        billing_status=own.get("billing_status", ""),
        csm_id=own.get("csm", ""),
        billing_owner_id=own.get("billing_owner", ""),
        first_value_date=day(own.get("first_value_date", ""), names.get("first_value_date", "")),
        subsidiary=own.get("subsidiary", ""),
        payment_terms=own.get("payment_terms", ""),
        missing_fields=missing,
        read_at=clock.now(),
    )


def deal_change(record: Json) -> DealChange:
    """One line of a list of deals."""
    status, updated_at = members.text(record, "status"), members.iso_time(record, "update_time")
    if status not in STATUSES:
        raise DriftError("status", "not one of open, won, lost")
    if updated_at is None:
        raise DriftError("update_time", "missing")
    return DealChange(
        id=number(record, "id"),
        org_id=members.identifier(record, "org_id"),
        person_id=members.identifier(record, "person_id"),
        pipeline_id=number(record, "pipeline_id"),
        stage_id=number(record, "stage_id"),
        status=status,
        is_deleted=record.get("is_deleted") is True or status == "deleted",
        is_archived=record.get("is_archived") is True,
        updated_at=updated_at,
    )


def person(record: Json) -> PersonFacts:
    """A contact, with the rule of the primary address: the marked one, else the first, else none."""
    emails, phones = _listed(record, "emails"), _listed(record, "phones")
    return PersonFacts(
        id=number(record, "id"),
        name=members.text_or_blank(record, "name"),
        first_name=members.text_or_blank(record, "first_name"),
        last_name=members.text_or_blank(record, "last_name"),
        org_id=members.identifier(record, "org_id"),
        primary_email=emails[0] if emails else "",
        emails=emails,
        phones=phones,
        is_deleted=record.get("is_deleted") is True,
        read_at=clock.now(),
    )


def organization(record: Json, fields: Fields, names: Mapping[str, str]) -> OrganizationFacts:
    """An organization with its tax id."""
    own, missing = custom(record, fields, names)
    place = members.mapping(record, "address")
    street = [members.text_or_blank(place, part) for part in ("route", "street_number", "subpremise")]
    return OrganizationFacts(
        id=number(record, "id"),
        name=members.text_or_blank(record, "name"),
        tax_id=own.get("tax_id", ""),
        external_id=own.get("external_id", ""),
        address=members.text_or_blank(place, "value"),
        street=" ".join(filter(None, street)),
        postal_code=members.text_or_blank(place, "postal_code"),
        locality=members.text_or_blank(place, "locality"),
        country=members.text_or_blank(place, "country"),
        is_deleted=record.get("is_deleted") is True,
        missing_fields=missing,
        read_at=clock.now(),
    )


def stage(record: Json) -> StageFacts:
    """A stage."""
    return StageFacts(
        number(record, "id"), members.text(record, "name"), number(record, "pipeline_id"),
        record.get("is_deleted") is True,
    )  # fmt: skip


def field(record: Json) -> FieldFacts:
    """A field of the company; options without a number (of standard fields) are left out."""
    options = members.mappings(record, "options")
    return FieldFacts(
        name=members.text(record, "field_name"),
        code=members.text(record, "field_code"),
        type=members.text(record, "field_type"),
        options=tuple(
            (one["id"], members.text_or_blank(one, "label"))
            for one in options
            if isinstance(one.get("id"), int) and not isinstance(one["id"], bool)
        ),
    )


def note(record: Json) -> NoteFacts:
    """A note (v1)."""
    content = members.present(record, "content")
    if not isinstance(content, str):
        raise DriftError("content", "not a text")
    return NoteFacts(
        id=number(record, "id"),
        deal_id=members.identifier(record, "deal_id"),
        user_id=members.identifier(record, "user_id"),
        content=content,
        added_at=members.iso_time(record, "add_time"),
        updated_at=members.iso_time(record, "update_time"),
    )


def service_user(record: Json) -> ServiceUser:
    """Who we are (v1)."""
    domain = members.text_or_blank(record, "company_domain")
    return ServiceUser(number(record, "id"), number(record, "company_id"), domain)


def amount_of(record: Json) -> tuple[int | None, str, str]:
    """(minor units, lower-case currency, why there is no amount) of a value in whole currency units."""
    value, currency = record.get("value"), members.text_or_blank(record, "currency").lower()
    if value is None:
        return None, currency, "no value"
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or abs(Decimal(value)) >= LARGEST:
        raise DriftError("value", "not an amount")
    places = money.exponent(currency)
    if places is None:
        return None, currency, "unknown currency"
    minor = Decimal(value).scaleb(places)
    if minor != minor.to_integral_value():
        return None, currency, "more decimals than the currency has"
    return int(minor), currency, ""


def custom(record: Json, fields: Fields, names: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Our word -> what is set, as text; and the configured names of fields that are not there."""
    values = members.mapping(record, "custom_fields")
    found: dict[str, str] = {}
    missing = []
    for word, one in fields.items():
        if one is None or one.code not in values:
            missing.append(names.get(word, word))
        else:
            found[word] = shown(one, values[one.code])
    return found, tuple(sorted(missing))


def shown(one: FieldFacts, value: Any) -> str:
    """A custom field's plain API value as text: the words of an option, the id of a user; "" where nothing is set."""
    if value is None or value == "":
        return ""
    if isinstance(value, dict):  # an option with its words, or an object that carries its text
        value = next((value[name] for name in ("label", "id", "value") if value.get(name) is not None), None)
        if isinstance(value, str):
            return members.text_or_blank({one.name: value}, one.name)
    if isinstance(value, list):
        return ", ".join(shown(one, entry) for entry in value)
    if one.type in ("enum", "set"):
        label = one.label(value) if isinstance(value, int) and not isinstance(value, bool) else None
        if label is None:
            raise DriftError(one.name, "an option nobody knows")
        return label
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise DriftError(one.name, f"not a {one.type}")
    return members.text_or_blank({one.name: str(value).strip()}, one.name)


def day(text: str, name: str) -> date | None:
    """A date field; None where nothing is set."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DriftError(name, "not a date") from error


def number(record: Json, name: str) -> str:
    """An id that must be there."""
    found = members.identifier(record, name)
    if not found.isdecimal() or not found.isascii():
        raise DriftError(name, "not a number")
    return found


def whole_numbers(record: Json, name: str) -> tuple[int, ...]:
    """A list of ids; empty for null and absent."""
    value = record.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
        raise DriftError(name, "not a list of numbers")
    return tuple(value)


def _listed(record: Json, name: str) -> tuple[str, ...]:
    """Values of a list of `{value, label, primary}`, the primary one first, blanks left out."""
    entries = members.mappings(record, name)
    ordered = [*(one for one in entries if one.get("primary") is True)]
    ordered += [one for one in entries if one.get("primary") is not True]
    values = (members.text_or_blank(one, "value").strip() for one in ordered)
    return tuple(dict.fromkeys(value for value in values if value))

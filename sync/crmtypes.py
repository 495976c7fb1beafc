"""Plain frozen shapes of what was read from the CRM: deals, people, organizations, and the company's own set-up.

Ids are text, money is whole minor units with a lower-case currency, times are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """One field of the company's own set-up: people know its name, the wire knows its code."""

    name: str
    code: str
    type: str  # varchar, text, enum, set, user, date, ...
    options: tuple[tuple[int, str], ...] = ()  # (id, label), of enum and set

    def label(self, option_id: int) -> str | None:
        """The words of an option; None for an id nobody knows."""
        return next((label for known, label in self.options if known == option_id), None)

    def option(self, label: str) -> int | None:
        """The id of an option by its words, in any case; None if there is none."""
        return next((known for known, words in self.options if words.casefold() == label.casefold()), None)


@dataclass(frozen=True, slots=True)
class DealFacts:
    """One deal as the CRM has it now. A text is "" where nothing is set."""

    id: str
    title: str
    org_id: str
    person_id: str
    owner_id: str
    pipeline_id: str
    stage_id: str
    status: str  # open, won, lost
    is_deleted: bool
    is_archived: bool
    amount_minor: int | None
    currency: str
    amount_why: str  # why there is no amount: "no value", "unknown currency", ...; "" if there is one
    label_ids: tuple[int, ...]
    added_at: datetime | None
    updated_at: datetime
    package_code: str
    external_id: str
    billing_status: str  # the words of the option
    csm_id: str  # CRM user
    billing_owner_id: str  # CRM user
    first_value_date: date | None
    subsidiary: str
    payment_terms: str
    missing_fields: tuple[str, ...]  # names that are configured here and do not exist there (any more)
    read_at: datetime


@dataclass(frozen=True, slots=True)
class DealChange:
    """One line of a list of changed deals: enough to know that the deal must be read again."""

    id: str
    org_id: str
    person_id: str
    pipeline_id: str
    stage_id: str
    status: str
    is_deleted: bool
    is_archived: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """One contact. `primary_email` is the one marked so, else the first, else ""."""

    id: str
    name: str
    first_name: str
    last_name: str
    org_id: str
    primary_email: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]  # free text; the primary one first
    is_deleted: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class OrganizationFacts:
    """One organization. Parts of the address are "" where the CRM could not tell them apart."""

    id: str
    name: str
    tax_id: str
    external_id: str
    address: str
    street: str
    postal_code: str
    locality: str
    country: str
    is_deleted: bool
    missing_fields: tuple[str, ...]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class StageFacts:
    """One stage of a pipeline. Webhooks only ever name its id."""

    id: str
    name: str
    pipeline_id: str
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class NoteFacts:
    """One note; `content` is HTML and where a marker is looked for."""

    id: str
    deal_id: str
    user_id: str
    content: str
    added_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """Whom our credentials belong to, and in which company."""

    id: str
    company_id: str
    company_domain: str

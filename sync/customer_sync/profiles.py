"""Profiles: which customers are synced and what of them. A change is a new version; nothing is edited in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates.stop import Refused
from ledger import book, clock
from sync.actions.contract import erp
from sync.customer_sync import criteria
from sync.customer_sync.criteria import BadProfile
from sync.customer_sync.fields import COLUMNS, SOURCES
from sync.customer_sync.models import SyncProfile, SyncProfileVersion
from sync.errors import ProviderError
from sync.providers import netsuite_customers

EDIT, RUN = "sync.edit_sync", "sync.run_sync"
DEFAULT = "all-customers"
NAME_RULE = "1 to 60 small letters, digits and dashes"


@dataclass(frozen=True, slots=True)
class Fields:
    """A profile as it is asked for."""

    name: str
    title: str
    criteria: list[Any] = field(default_factory=list)
    columns: list[str] = field(default_factory=lambda: list(COLUMNS))
    sources: Mapping[str, str] = field(default_factory=dict)
    shared_payer_field: str = ""
    schedule: str = SyncProfile.Schedule.OFF
    stop_after: int = 10
    note: str = ""


def install() -> None:
    """The profile that ships: every customer, every column, started by hand. What people changed is left alone."""
    profile, made = SyncProfile.objects.get_or_create(name=DEFAULT, defaults={"title": "All customers"})
    if made:
        SyncProfileVersion.objects.create(
            profile=profile, version=1, criteria=[], columns=list(COLUMNS), sources=dict(SOURCES), note="As shipped"
        )


def current(name: str) -> SyncProfileVersion:
    """The version in force. Raises Refused 404."""
    found = SyncProfileVersion.objects.select_related("profile").filter(profile__name=name).order_by("-version").first()
    if found is None:
        raise Refused(404, "profile", f"profile: there is no profile {name[:60]!r}")
    return found


def known_fields() -> dict[str, str]:
    """The fields of a customer in the connected account. Raises Refused 409 where the ERP does not tell."""
    try:
        return netsuite_customers.CATALOGUE.read(erp())
    except ProviderError as error:
        raise Refused(
            409, "fields_unreadable", f"the fields of the ERP cannot be read now ({error.message}); nothing was saved"
        ) from error


def save(given: Fields, *, by: User, version: int | None = None) -> SyncProfileVersion:
    """Write a profile, or a new version of one; `version` is the one the page showed, None for a new profile.

    Raises Refused: 403 permission, 404 unknown, 409 changed meanwhile or name taken, 422 a field, with the nearest
    names for one that the account does not have.
    """
    permit(by, given.name)
    title, note = _checked(given)
    try:
        rows, columns, sources = criteria.check(
            given.criteria, given.columns, given.sources, given.shared_payer_field, known_fields()
        )
    except BadProfile as fault:
        raise Refused(422, fault.field, str(fault)) from fault
    with transaction.atomic():
        profile = SyncProfile.objects.select_for_update().filter(name=given.name).first()
        _same(profile, given.name, version)
        now = clock.now()
        shared = {"title": title, "schedule": given.schedule, "stop_after": given.stop_after, "updated_at": now}
        if profile is None:
            profile = SyncProfile.objects.create(name=given.name, **shared)
        else:
            for name, value in {**shared, "version": profile.version + 1}.items():
                setattr(profile, name, value)
            profile.save()
        made = SyncProfileVersion.objects.create(
            profile=profile, version=profile.version, criteria=rows, columns=columns, sources=sources,
            shared_payer_field=given.shared_payer_field.strip().lower(), note=note, written_by=by,
        )  # fmt: skip
        book.write_rows([_row(profile, by, {"version": made.version, "columns": columns, "criteria": len(rows)})])
    return made


def _checked(given: Fields) -> tuple[str, str]:
    """Title and note. Raises Refused 422 for the first plain field that breaks its rule."""
    title, note = given.title.strip(), given.note.strip()
    plain = given.name.replace("-", "")
    well = 1 <= len(given.name) <= 60 and plain.isascii() and plain.isalnum() and given.name == given.name.lower()
    if not well:
        raise Refused(422, "name", f"name: {NAME_RULE}")
    if not 1 <= len(title) <= 120 or not title.isprintable():
        raise Refused(422, "title", "title: 1 to 120 characters on one line")
    if len(note) > 300 or not note.isprintable():
        raise Refused(422, "note", "note: at most 300 characters on one line")
    if given.schedule not in SyncProfile.Schedule.values:
        raise Refused(422, "schedule", f"schedule: must be one of {', '.join(SyncProfile.Schedule.values)}")
    if type(given.stop_after) is not int or not 0 <= given.stop_after <= 1000:
        raise Refused(422, "stop_after", "stop after: a whole number from 0 (never) to 1,000")
    return title, note


def _same(profile: SyncProfile | None, name: str, version: int | None) -> None:
    if profile is None:
        if version is not None:
            raise Refused(404, "profile", f"profile: there is no profile {name!r}")
        return
    if version is None:
        raise Refused(409, "name", f"name: there is a profile {name!r} already")
    if version != profile.version:
        raise Refused(
            409, "version", f"the profile is at version {profile.version} by now, the page showed {version}; load it "
            "again and decide on what it says",
        )  # fmt: skip


def permit(by: User, name: str) -> None:
    """Raises Refused 403, and leaves a row."""
    if by.is_active and by.has_perm(EDIT):
        return
    row = {
        "subject_kind": "sync_profile", "subject_id": name[:60], "decision": "edit_profile", "actor": f"user:{by.pk}",
        "prior_state": "kept", "post_state": "kept", "outcome": "refused", "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])
    raise Refused(403, "permission", f"your account may not change sync profiles; it needs the permission {EDIT}")


def _row(profile: SyncProfile, by: User, inputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "subject_kind": "sync_profile", "subject_id": profile.name, "decision": "edit_profile",
        "actor": f"user:{by.pk}", "prior_state": "kept", "post_state": "kept", "state_version": profile.version,
        "inputs": inputs, "outcome": "kept",
    }  # fmt: skip

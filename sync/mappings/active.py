"""The version of the field mapping that is in force, read from the database and held for half a second."""

import time
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import transaction

from ledger import clock, graphs
from sync import mappings
from sync.mappings import Artifact, BadMapping, Held
from sync.mappings.models import MappingVersion

log = structlog.get_logger(__name__)

FRESH_SECONDS = 0.5  # an activated version binds every worker within a second
SUBJECT = "mapping"
State = MappingVersion.State


def refresh() -> Artifact:
    """The mapping in force, at most half a second old; asked by whoever may touch the database, held for threads."""
    held = mappings._held[0] if mappings._held else None
    if held is None or time.monotonic() - held.read_at >= FRESH_SECONDS:
        mappings._held[:] = [Held(_read(held), time.monotonic())]
    return mappings._held[0].artifact


def of(one: MappingVersion) -> Artifact:
    """A stored version as an artifact; one that this release cannot read sends nothing and says why."""
    try:
        return mappings.read({**one.fields, "version": one.number})
    except (BadMapping, TypeError, AttributeError, KeyError) as error:
        log.error("mapping_unreadable", number=one.number, error=str(error)[:200])
        return Artifact(one.number, (), {}, f"version {one.number} cannot be read by this release: {error}"[:300])


def _read(held: Held | None) -> Artifact:
    """Content never changes under a number, so mostly only the number is read."""
    number = MappingVersion.objects.filter(state=State.ACTIVE).values_list("number", flat=True).first()
    if number is None:
        return mappings.shipped()
    if held is not None and held.artifact.version == number:
        return held.artifact
    return of(MappingVersion.objects.get(number=number))


def install() -> None:
    """Publish the state graph and ship what is new; called as owner after each migrate."""
    graphs.publish(SUBJECT, MappingVersion)
    ship()


def ship() -> None:
    """Make the shipped mapping version 1 in force, or the next version where no person wrote the one in force."""
    shipped = mappings.document()
    now = MappingVersion.objects.filter(state=State.ACTIVE).first()
    if now is not None and (now.author_id is not None or _same(now.fields, shipped)):
        return
    number = 1 + (MappingVersion.objects.order_by("-number").values_list("number", flat=True).first() or 0)
    with transaction.atomic():
        if now is not None:
            now.retired_at = clock.now()
            now.replace()
            now.save()
        MappingVersion.objects.create(
            number=number, fields=shipped, reason="as it was shipped", state=State.ACTIVE, activated_at=clock.now()
        )


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one["rows"] == other["rows"] and one.get("stays") == other.get("stays")

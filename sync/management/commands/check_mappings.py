"""Run the tests of the field mapping: exit 0 when all hold, 1 when one does not, 2 when a mapping cannot be read."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from sync import mappings
from sync.mappings import Artifact, active, authoring, checking
from sync.mappings.models import MappingVersion


@dataclass(frozen=True, slots=True)
class Looked:
    """One mapping and how it did; `agreed` are cases and fields that two people knew not to hold."""

    words: str
    version: int
    done: list[checking.Checked]
    missed: list[str]
    agreed: frozenset[str]

    @property
    def wrong(self) -> list[str]:
        """What does not hold and was not agreed to."""
        failing = [*(one.name for one in self.done if one.wrong), *self.missed]
        return [name for name in failing if name not in self.agreed]

    def lines(self) -> list[str]:
        """For people."""
        told = []
        for one in self.done:
            mark = "ok     " if not one.wrong else "agreed " if one.name in self.agreed else "wrong  "
            told.append(f"{mark}{one.name}: {one.wrong}" if one.wrong else f"{mark}{one.name}")
        told += [f"{'agreed ' if field in self.agreed else 'wrong  '}no case looks at {field}" for field in self.missed]
        good = sum(not one.wrong for one in self.done)
        return [*told, f"mapping version {self.version} ({self.words}): {good} of {len(self.done)} cases hold"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "version": self.version, "cases": [{"case": one.name, "wrong": one.wrong} for one in self.done],
            "untested": self.missed, "agreed": sorted(self.agreed),
        }  # fmt: skip


class Command(BaseCommand):
    """`check_mappings [--json]`."""

    help = "Runs the field mapping in force, and the shipped one, against their cases and says which do not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check both and say."""
        try:
            shipped = look("as shipped", mappings.shipped())
            one = authoring.now()
        except (mappings.BadMapping, ValueError) as error:
            self._unreadable(str(error))
        except DatabaseError:
            one = None  # not migrated yet: the shipped one will be in force
        artifact = active.of(one) if one else mappings.shipped()
        if artifact.fault:
            self._unreadable(artifact.fault)
        found = look("in force", artifact, one)
        if options["json"]:
            self.stdout.write(json.dumps({**found.as_json(), "shipped": shipped.as_json()}))
        else:
            told = found.lines() + (shipped.lines()[-1:] if not shipped.wrong else shipped.lines())
            self.stdout.write("\n".join(told))
        if found.wrong or shipped.wrong:
            sys.exit(1)

    def _unreadable(self, why: str) -> None:
        self.stderr.write(f"the mapping cannot be read: {why}")
        sys.exit(2)


def look(words: str, artifact: Artifact, one: MappingVersion | None = None) -> Looked:
    """Run the shipped cases by a mapping."""
    listed = checking.cases()
    agreed = frozenset(one.agreed if one else ())
    return Looked(
        words, artifact.version, checking.check(listed, artifact), checking.uncovered(listed, artifact), agreed
    )

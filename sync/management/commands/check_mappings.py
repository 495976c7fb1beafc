"""Run the tests of the field mapping: exit 0 when all hold, 1 when one does not, 2 when the mapping cannot be read."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sync import mappings
from sync.mappings import checking


class Command(BaseCommand):
    """`check_mappings [--json]`."""

    help = "Runs the field mapping against its cases and says which do not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check and say."""
        try:
            artifact = mappings.artifact()
        except (mappings.BadMapping, ValueError) as error:
            self.stderr.write(f"the mapping cannot be read: {error}")
            sys.exit(2)
        listed = checking.cases()
        done, missed = checking.check(listed), checking.uncovered(listed)
        wrong = [one for one in done if one.wrong]
        if options["json"]:
            found = [{"case": one.name, "wrong": one.wrong} for one in done]
            self.stdout.write(json.dumps({"version": artifact.version, "cases": found, "untested": missed}))
        else:
            for one in done:
                self.stdout.write(f"wrong  {one.name}: {one.wrong}" if one.wrong else f"ok     {one.name}")
            for field in missed:
                self.stdout.write(f"wrong  no case looks at {field}")
            self.stdout.write(f"mapping version {artifact.version}: {len(done) - len(wrong)} of {len(done)} cases hold")
        if wrong or missed:
            sys.exit(1)

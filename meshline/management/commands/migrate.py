"""`migrate` as Django has it, but by the owner of the schema, and the app's grants set afterwards."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from meshline import roles


class Command(migrate.Command):
    """Change the schema as its owner."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, then grant; also after a failure, for what was made before it is of no use to the app otherwise."""
        connection = connections[options["database"]]
        with roles.as_owner(connection):
            try:
                super().handle(*args, **options)
            finally:
                is_look = options["plan"] or options["check_unapplied"]
                if not is_look and not connection.in_atomic_block:
                    roles.grant(connection)

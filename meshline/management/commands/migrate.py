"""`migrate` as Django has it, but by the owner of the schema, and the app's grants set afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.models import Field
from django_fsm import FSMFieldMixin

from meshline import roles

OF_HISTORY = "__fake__"  # the module of the models as a migration sees them


class Command(migrate.Command):
    """Change the schema as its owner."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate, then grant; also after a failure, for what was made before it is of no use to the app otherwise."""
        connection = connections[options["database"]]
        with roles.as_owner(connection), plain_states():
            try:
                super().handle(*args, **options)
            finally:
                is_look = options["plan"] or options["check_unapplied"]
                if not is_look and not connection.in_atomic_block:
                    roles.grant(connection)


@contextmanager
def plain_states() -> Iterator[None]:
    """Let the state fields of historical models be plain columns: they have no transitions.

    The library would look for some in every model that is made from then on, thousands of times in one `migrate`;
    that was two fifths of its time.
    """
    whole = FSMFieldMixin.contribute_to_class

    def contribute(self: Any, cls: type, name: str, private_only: bool = False, **kwargs: Any) -> None:
        made = Field.contribute_to_class if cls.__module__ == OF_HISTORY else whole
        made(self, cls, name, private_only=private_only, **kwargs)

    FSMFieldMixin.contribute_to_class = contribute
    try:
        yield
    finally:
        FSMFieldMixin.contribute_to_class = whole

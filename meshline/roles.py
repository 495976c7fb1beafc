"""Two database roles: the owner changes the schema, the app only holds the grants given here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection as default_connection
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

# Written once, never changed: the app may add rows and read them. Their partitions follow their parent.
APPEND_ONLY_TABLES = ("ledger_ledgerrow", "ledger_ledgerseal")
READ_ONLY_TABLES = ("django_migrations", "ledger_edge")
LOGIN = ("USER", "PASSWORD", "HOST", "PORT")

TABLES = """
    select c.relname, c.relkind, coalesce(root.relname, c.relname) as root
      from pg_class c left join pg_class root on root.oid = pg_partition_root(c.oid)
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
"""
FUNCTIONS = """
    select p.oid::regprocedure::text from pg_proc p
     where p.pronamespace = 'public'::regnamespace and p.proname like 'meshline\\_%'
       and p.prorettype <> 'trigger'::regtype
"""
OWNS = """
    select exists (
        select 1 from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relname = any(%s)
           and pg_has_role(current_user, c.relowner, 'member')
        union all
        select 1 from pg_database d
         where d.datname = current_database() and pg_has_role(current_user, d.datdba, 'member'))
"""


def has_two_roles() -> bool:
    """Whether an owner other than the app is configured."""
    owner = settings.MESHLINE_OWNER_DATABASE
    return bool(owner) and owner["USER"] != settings.MESHLINE_APP_ROLE


@contextmanager
def as_owner(connection: Any = default_connection) -> Iterator[None]:
    """Let a connection speak as the owner for a while; the database it points at stays the same."""
    before = {key: connection.settings_dict[key] for key in LOGIN}
    if not has_two_roles() or before["USER"] == settings.MESHLINE_OWNER_DATABASE["USER"]:
        yield
        return
    if connection.in_atomic_block:
        raise RuntimeError("A connection cannot change its role inside a transaction")
    log_in(connection, settings.MESHLINE_OWNER_DATABASE)
    try:
        yield
    finally:
        log_in(connection, before)


def log_in(connection: BaseDatabaseWrapper, login: dict[str, Any]) -> None:
    """Change who a connection is; an open one ends first."""
    connection.close()
    connection.settings_dict.update({key: login[key] for key in LOGIN})


def grant(connection: Any = default_connection) -> None:
    """Give the app role what it needs and take away the rest; called as owner after each migrate."""
    if not has_two_roles():
        return
    app = sql.Identifier(settings.MESHLINE_APP_ROLE)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(TABLES)
        words = [table_grant(*row) for row in cursor.fetchall()]
        cursor.execute(FUNCTIONS)
        for (function,) in cursor.fetchall():
            words += [
                f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION {function} TO {{app}}",
            ]
        words += [
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {app}",
            "GRANT USAGE ON SCHEMA public TO {app}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app}",
        ]
        cursor.execute(sql.SQL("; ").join(sql.SQL(word).format(app=app) for word in words))


def table_grant(table: str, kind: str, root: str) -> str:
    """The rights on one table or view."""
    name = sql.Identifier(table).as_string()
    if kind in "vm" or root in READ_ONLY_TABLES:
        rights = "SELECT"
    elif root in APPEND_ONLY_TABLES:
        rights = "SELECT, INSERT"
    else:
        rights = "SELECT, INSERT, UPDATE, DELETE"
    return f"REVOKE ALL ON {name} FROM PUBLIC, {{app}}; GRANT {rights} ON {name} TO {{app}}"


def app_owns_ledger(connection: Any = default_connection) -> bool:
    """Whether the role we work as could change the ledger or drop it with its database."""
    with connection.cursor() as cursor:
        cursor.execute(OWNS, [list(APPEND_ONLY_TABLES)])
        return bool(cursor.fetchone()[0])

"""The test database: a session as owner, and emptying tables that no app may empty."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from django.conf import settings
from django.db import connection, connections
from psycopg import sql

# Made by migrate and never changed by a test; making them again would cost more than everything else here.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
FEW = 300
TABLES = """
    select c.relname from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relname = any(%s)
"""
TRIGGERED = """
    select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
     where not t.tgisinternal and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""
NUMBERS = """
    select quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value from pg_sequences
     where schemaname = 'public'
"""


def connect_as_owner() -> psycopg.Connection:
    """A session of the owner on the database that the tests use."""
    return psycopg.connect(**_login(), dbname=connection.settings_dict["NAME"], autocommit=True)


def _login() -> dict[str, Any]:
    login = settings.MESHLINE_OWNER_DATABASE or settings.DATABASES["default"]
    return {
        "host": login["HOST"] or None, "port": login["PORT"] or None, "user": login["USER"],
        "password": login["PASSWORD"],
    }  # fmt: skip


def drop_leftovers() -> None:
    """Databases of runs that were killed; their name holds the process they belonged to."""
    if not settings.DATABASES["default"]["HOST"].startswith("/"):
        return  # a server that others may use from elsewhere, where these numbers mean nothing
    with connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname like 'test\\_meshline\\_%'")
        for (name,) in cursor.fetchall():
            if not psutil.pid_exists(int(name.split("_")[2])):
                cursor.execute(f'drop database if exists "{name}"')


@contextmanager
def migrated_once() -> Iterator[None]:
    """While the test database is made: a run's first worker migrates and leaves a copy, the others begin with that."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    run = os.getppid()
    copy = f"test_meshline_{run}_migrated"
    with psycopg.connect(**_login(), dbname="postgres", autocommit=True) as session:
        session.execute("select pg_advisory_lock(%s)", [run])
        found = session.execute("select 1 from pg_database where datname = %s", [copy]).fetchone()
        if found:
            connection.settings_dict["TEST"]["TEMPLATE"] = copy
        yield
        if not found:
            connection.close()
            names = [sql.Identifier(copy), sql.Identifier(connection.settings_dict["NAME"])]
            session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))


def drop_copy() -> None:
    """The copy of `migrated_once`, when a worker is done: all others have begun long before."""
    with psycopg.connect(**_login(), dbname="postgres", autocommit=True) as session:
        session.execute(f"drop database if exists test_meshline_{os.getppid()}_migrated")


def environment() -> dict[str, str]:
    """What a process needs in its environment to work on the test database, as app and as owner."""
    name = connection.settings_dict["NAME"]
    return {
        "DATABASE_URL": url(connection.settings_dict, name),
        "MESHLINE_OWNER_DATABASE_URL": url(settings.MESHLINE_OWNER_DATABASE, name),
    }


def url(login: dict[str, Any], name: str) -> str:
    """A login as an address."""
    host = quote(str(login["HOST"]), safe="") + (f":{login['PORT']}" if login["PORT"] else "")
    return f"postgres://{login['USER']}:{quote(str(login['PASSWORD']), safe='')}@{host}/{name}"


class Shipped:
    """What migrate leaves behind (groups, presets, schedules) and where numbering stands: put back after a test."""

    def __init__(self) -> None:
        """Read it from a database that was just migrated."""
        with connect_as_owner() as session:
            self.rows = {table: _copied(session, table) for table, _ in filled_tables(session)}
            self.numbers = session.execute(NUMBERS).fetchall()

    def restore(self, session: psycopg.Connection) -> None:
        """Into tables that were emptied, in the same transaction."""
        for table, text in self.rows.items():
            with session.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as into:
                into.write(text)
        ask = sql.SQL("select setval({}::regclass, {}, {})")
        parts = [
            ask.format(sql.Literal(name), sql.Literal(last or 1), sql.Literal(bool(last)))
            for name, last in self.numbers
        ]
        session.execute(sql.SQL(" union all ").join(parts))


@cache
def shipped() -> Shipped:
    """Read once, when the test database was made."""
    return Shipped()


def _copied(session: psycopg.Connection, table: str) -> bytes:
    with session.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as out:
        return b"".join(bytes(part) for part in out)


def empty_tables(case: Any = None) -> None:
    """Stand in for Django's flush, which the app role may not do and the ledger's triggers refuse."""
    for opened in connections.all(initialized_only=True):
        opened.close()
    with connect_as_owner() as session, session.transaction():
        filled = filled_tables(session)
        guarded = {name for (name,) in session.execute(TRIGGERED)}
        large = any(rows > FEW for _, rows in filled)
        lifted = [sql.Identifier(name) for name in guarded if large or name in dict(filled)]
        for table in lifted:
            session.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        names = [sql.Identifier(name) for name, _ in filled]
        if large:
            session.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
        else:  # a few rows are deleted in a tenth of the time
            for name in names:
                session.execute(sql.SQL("DELETE FROM {}").format(name))
        shipped().restore(session)
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in lifted:
            session.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))


def filled_tables(session: psycopg.Connection) -> list[tuple[str, int]]:
    """Tables with at least one row, and how many rows they have as far as that matters."""
    names = [name for (name,) in session.execute(TABLES, [list(KEPT)])]
    look = sql.SQL("select {} as name, (select count(*) from (select from {} limit {}) few) as rows")
    looks = [look.format(sql.Literal(name), sql.Identifier(name), sql.Literal(FEW + 1)) for name in names]
    every = sql.SQL(" union all ").join(looks)
    return session.execute(sql.SQL("select * from ({}) looked where rows > 0").format(every)).fetchall()

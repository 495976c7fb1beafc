"""The test database: a session as owner, and emptying tables that no app may empty."""

import os
from collections.abc import Iterable, Iterator
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
FEW = 300  # rows beyond what is shipped; more are truncated
TABLES = """
    select c.relname from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relname = any(%s)
"""
TRIGGERED = """
    select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
     where not t.tgisinternal and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""
# One statement for each table, so that a session plans each once, and again only where a trigger was switched.
LOOK = """
create or replace function pg_temp.looked() returns table (name text, extra bigint, print text) language plpgsql as
$look$ declare n bigint; p text; begin {} end $look$
"""
COUNT = (
    "select count(*) into n from (select from {0} limit {1}) few; if n > 0 then return query select {2}, n, ''; end if;"
)
PRINT = """
select count(*), md5(string_agg(one::text, '|' order by one::text)) into n, p from {0} one;
return query select {2}, greatest(0, n - {1}), coalesce(p, '');
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
        self.names: tuple[str, ...] = ()
        self.session = connect_as_owner()
        self.rows: dict[str, bytes] = {}
        self.counts: dict[str, int] = {}
        for name, _, _ in self.look():
            self.counts[name] = self.session.execute(
                sql.SQL("select count(*) from {}").format(sql.Identifier(name))
            ).fetchone()[0]
        self.rows = {name: _copied(self.session, name) for name in self.counts}
        self.names = ()
        self.prints = {name: print_ for name, _, print_ in self.look()}
        self.numbers = self.session.execute(NUMBERS).fetchall()

    def awake(self) -> psycopg.Connection:
        """The session of the owner, anew where a test ended it."""
        try:
            self.session.execute("select")
        except psycopg.OperationalError:
            self.session, self.names = connect_as_owner(), ()
        return self.session

    def look(self) -> list[tuple[str, int, str]]:
        """Tables with rows: name, how many there are beyond what is shipped (as far as that matters), and a print."""
        names = tuple(name for (name,) in self.session.execute(TABLES, [list(KEPT)]))
        if names != self.names:
            looks = [self._look_at(name) for name in names]
            self.session.execute(sql.SQL(LOOK).format(sql.SQL("").join(looks)))
            self.names = names
        return self.session.execute("select * from pg_temp.looked()").fetchall()

    def _look_at(self, name: str) -> sql.Composed:
        is_shipped = name in self.rows
        most = self.counts[name] if is_shipped else FEW + 1
        return sql.SQL(PRINT if is_shipped else COUNT).format(sql.Identifier(name), most, sql.Literal(name))

    def restore(self, tables: Iterable[str]) -> None:
        """Into tables that were emptied, in the same transaction; numbering begins where it stood."""
        for table in tables:
            with self.session.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as into:
                into.write(self.rows[table])
        now = dict(self.session.execute(NUMBERS).fetchall())
        ask = sql.SQL("select setval({}::regclass, {}, {})")
        parts = [
            ask.format(sql.Literal(name), sql.Literal(last or 1), sql.Literal(bool(last)))
            for name, last in self.numbers if now.get(name) != last
        ]  # fmt: skip
        if parts:
            self.session.execute(sql.SQL(" union all ").join(parts))


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
    known = shipped()
    session = known.awake()
    with session.transaction():
        filled = known.look()
        large = any(extra > FEW for _, extra, _ in filled)
        changed = [
            name for name, _, print_ in filled if large or name not in known.rows or print_ != known.prints[name]
        ]
        guarded = {name for (name,) in session.execute(TRIGGERED)}
        lifted = [sql.Identifier(name) for name in guarded if large or name in changed]
        for table in lifted:
            session.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        names = [sql.Identifier(name) for name in changed]
        if large:
            session.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
        else:  # a few rows are deleted in a tenth of the time
            for name in names:
                session.execute(sql.SQL("DELETE FROM {}").format(name))
        known.restore(name for name in changed if name in known.rows)
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in lifted:
            session.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))

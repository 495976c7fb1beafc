"""The test database: a session as owner, and emptying tables that no app may empty."""

from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from django.db.models.signals import post_migrate
from psycopg import sql

from meshline import roles

# Made by migrate and never changed by a test; making them again would cost more than everything else here.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
OWN_APPS = ("ledger", "gates", "sync", "meshline", "django_q")
TABLES = """
    select c.relname from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relname = any(%s)
"""
TRIGGERED = """
    select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
     where not t.tgisinternal and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""


def connect_as_owner() -> psycopg.Connection:
    """A session of the owner on the database that the tests use."""
    login = settings.MESHLINE_OWNER_DATABASE or settings.DATABASES["default"]
    return psycopg.connect(
        host=login["HOST"] or None,
        port=login["PORT"] or None,
        user=login["USER"],
        password=login["PASSWORD"],
        dbname=connection.settings_dict["NAME"],
        autocommit=True,
    )


def drop_leftovers() -> None:
    """Databases of runs that were killed; their name holds the process they belonged to."""
    if not settings.DATABASES["default"]["HOST"].startswith("/"):
        return  # a server that others may use from elsewhere, where these numbers mean nothing
    with connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname like 'test\\_meshline\\_%'")
        for (name,) in cursor.fetchall():
            if not psutil.pid_exists(int(name.split("_")[2])):
                cursor.execute(f'drop database if exists "{name}"')


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


def empty_tables(case: Any) -> None:
    """Stand in for Django's flush, which the app role may not do and the ledger's triggers refuse."""
    for opened in connections.all(initialized_only=True):
        opened.close()
    with connect_as_owner() as session:
        filled = filled_tables(session)
        if filled:
            truncate(session, filled)
    if filled:
        restore_shipped_rows()


def filled_tables(session: psycopg.Connection) -> list[str]:
    """Tables with at least one row: looking is much cheaper than truncating."""
    names = [name for (name,) in session.execute(TABLES, [list(KEPT)])]
    looks = [
        sql.SQL("select {} where exists (select 1 from {})").format(sql.Literal(name), sql.Identifier(name))
        for name in names
    ]
    return [name for (name,) in session.execute(sql.SQL(" union all ").join(looks))]


def truncate(session: psycopg.Connection, tables: list[str]) -> None:
    """Lift the triggers that protect the ledger, empty, and put them back: all or nothing."""
    with session.transaction():
        triggered = [sql.Identifier(name) for (name,) in session.execute(TRIGGERED)]
        for table in triggered:
            session.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
        names = sql.SQL(", ").join(sql.Identifier(name) for name in tables)
        session.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
        for table in triggered:
            session.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(table))


def restore_shipped_rows() -> None:
    """Bring back the groups and presets that our apps make after each migrate."""
    with roles.as_owner(connection):
        for label in OWN_APPS:
            config = apps.get_app_config(label)
            post_migrate.send(
                sender=config, app_config=config, verbosity=0, interactive=False, using="default", stdout=None,
                plan=[], apps=apps,
            )  # fmt: skip

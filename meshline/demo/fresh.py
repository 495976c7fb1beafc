"""An empty database for each demo: the simulators forget everything when they end, so its rows would name strangers."""

from datetime import UTC, datetime

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql

MARK = "meshline demo"  # kept as the database's comment, so it goes with it
FILLED = "select exists (select from ledger_event) or exists (select from ledger_customer)"
COMMENT = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"


class InUse(Exception):
    """Another program works on the database of this folder."""


def prepare() -> str:
    """Make the database empty and migrate it; what no demo made is kept under another name, which is returned."""
    connection.close()
    kept = ""
    try:
        kept = make_room(settings.DATABASES["default"]["NAME"])
    except psycopg.errors.ObjectInUse as error:
        raise InUse(
            "Something else uses the database of this folder (serve, a worker, a shell). Stop it, or give the demo a "
            "folder of its own: MESHLINE_LOCAL_DIR=.local/demo uv run manage.py demo"
        ) from error
    call_command("migrate", verbosity=0, interactive=False)
    return kept


def make_room(name: str) -> str:
    """Leave an empty database of this name, marked as a demo's; returns under which name a filled one was kept."""
    identifier, kept = sql.Identifier(name), ""
    with _owner("postgres") as session:
        found = session.execute(COMMENT, [name]).fetchone()
        if found and found[0] == MARK:
            session.execute(sql.SQL("DROP DATABASE {}").format(identifier))
            found = None
        elif found and _is_filled(name):
            kept = f"{name}_{datetime.now(UTC):%Y%m%d_%H%M%S}"
            session.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(identifier, sql.Identifier(kept)))
            found = None
        if not found:
            session.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        session.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(identifier, sql.Literal(MARK)))
    return kept


def _is_filled(name: str) -> bool:
    with _owner(name) as session:
        row = session.execute("select to_regclass('ledger_event')").fetchone()
        filled = session.execute(FILLED).fetchone() if row and row[0] else None
        return bool(filled and filled[0])


def _owner(database: str) -> psycopg.Connection:
    login = settings.MESHLINE_OWNER_DATABASE
    return psycopg.connect(
        host=login["HOST"], user=login["USER"], password=login["PASSWORD"], dbname=database, autocommit=True
    )

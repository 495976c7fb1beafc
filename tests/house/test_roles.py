"""The app role works with rows and can touch no structure."""

import psycopg
import pytest
from django.db import connection, connections

from meshline import roles


@pytest.fixture
def journal(owner_connection, monkeypatch):
    """An append-only table made by the owner, as a migration would."""
    owner_connection.execute("create table zz_journal (id bigint generated always as identity primary key, word text)")
    monkeypatch.setattr(roles, "APPEND_ONLY_TABLES", (*roles.APPEND_ONLY_TABLES, "zz_journal"))
    with roles.as_owner(connection):
        roles.grant(connection)
    yield "zz_journal"
    connections.close_all()
    owner_connection.execute("drop table zz_journal")


def test_tests_run_as_the_app_role(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_user, pg_get_userbyid(datdba) from pg_database where datname = current_database()"
        )
        who, owner = cursor.fetchone()

    assert (who, owner) == ("meshline_app", "meshline_owner")


def test_app_adds_and_reads_append_only_rows(journal):
    with connection.cursor() as cursor:
        cursor.execute("insert into zz_journal (word) values ('kept')")
        cursor.execute("select word from zz_journal")

        assert cursor.fetchall() == [("kept",)]


@pytest.mark.parametrize(
    "attempt",
    [
        "update zz_journal set word = 'changed'",
        "delete from zz_journal",
        "truncate zz_journal",
        "drop table zz_journal",
        "alter table zz_journal disable trigger all",
        "alter table zz_journal owner to meshline_app",
        "create table zz_mine (id int)",
        "drop schema public cascade",
        "set role meshline_owner",
        "set session_replication_role = replica",
        "delete from django_migrations",
    ],
)
def test_app_cannot(journal, attempt):
    login = connection.settings_dict
    with psycopg.connect(
        host=login["HOST"], user=login["USER"], password=login["PASSWORD"], dbname=login["NAME"], autocommit=True
    ) as app:
        app.execute("insert into zz_journal (word) values ('kept')")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(attempt)

        assert app.execute("select word from zz_journal").fetchall() == [("kept",)]


def test_role_is_not_changed_inside_a_transaction(db):
    with pytest.raises(RuntimeError, match="inside a transaction"), roles.as_owner(connection):
        pass


def test_app_does_not_own_the_ledger(db):
    assert roles.app_owns_ledger(connection) is False


def test_owner_does_own_the_ledger(transactional_db):
    with roles.as_owner(connection):
        assert roles.app_owns_ledger(connection) is True

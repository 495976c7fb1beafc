"""Between tests every table is emptied, the ledger's too, and its protection is back afterwards."""

import psycopg
import pytest
from django.db import connection

from tests import database

pytestmark = pytest.mark.django_db(transaction=True)
ROW = """
    insert into ledger_event (source, account, provider_event_id, type, kind, object_id, api_version, origin_key, lane,
        state, state_version, verdict, late, correlation_id, received_at, available_at, attempts, crashes, deliveries,
        body_sha, last_error)
    select 'stripe', '', 'evt_' || n, 't', 'k', '', '', '', 'l', 'received', 0, '', false, gen_random_uuid(), now(),
        now(), 0, 0, 1, '', '' from generate_series(1, %s) n returning id
"""


def count(table):
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("rows", [1, database.FEW + 1])
def test_tables_are_emptied_and_shipped_rows_come_back(rows):
    shipped = count("django_q_schedule"), count("auth_group")
    with connection.cursor() as cursor:
        cursor.execute(ROW, [rows])

    database.empty_tables()

    assert count("ledger_event") == 0
    assert (count("django_q_schedule"), count("auth_group")) == shipped
    with connection.cursor() as cursor:
        cursor.execute(ROW, [1])
        assert cursor.fetchone() == (1,)


def test_every_trigger_is_on_again(owner_connection):
    with connection.cursor() as cursor:
        cursor.execute(ROW, [1])

    database.empty_tables()

    off = owner_connection.execute("select count(*) from pg_trigger where not tgisinternal and tgenabled <> 'O'")
    assert off.fetchone() == (0,)


def test_not_even_the_owner_may_truncate_the_ledger(owner_connection):
    with pytest.raises(psycopg.Error):
        owner_connection.execute("truncate ledger_ledgerrow cascade")

"""F1: nobody changes the ledger. The app role lacks the rights, and triggers refuse the owner as well."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import errors

from ledger.models import LedgerRow
from tests import database
from tests.factories import LedgerRowFactory

PARTITION = "ledger_eventbody_default"
COLUMNS = "(subject_kind, subject_id, decision, actor, prior_state, post_state, state_version, recorded_at, reasons, inputs, rule_version, mode, key, confirmation_id, outcome, error_code, currency)"  # noqa: E501
VALUES = "('action', '1', 'x', 'x', 'held', 'held', 1, now(), '[]', '{}', '', 'live', '', '', '', '', '')"

ROWS = [
    "update {table} set {column} = {column}",
    "update only {table} set {column} = {column} where false",
    "delete from {table}",
    "delete from {table} where false",
    "truncate {table}",
    "truncate {table} restart identity cascade",
    "select * from {table} for update",
    "lock table {table} in access exclusive mode",
    "merge into {table} t using (select '1' as n) s on t.{column}::text = s.n when matched then delete",
]
STRUCTURE = [
    "alter table {table} disable trigger all",
    "alter table {table} disable trigger user",
    "alter table {table} enable replica trigger row_edges",
    "alter table {table} add column mine int",
    "alter table {table} rename to gone",
    "alter table {table} owner to current_user",
    "alter table {table} set unlogged",
    "alter table {table} set schema pg_temp",
    "drop table {table}",
    "drop table {table} cascade",
    "create rule mine as on insert to {table} do instead nothing",
    "create trigger mine before insert on {table} for each row execute function suppress_redundant_updates_trigger()",
    "create policy mine on {table}",
    "comment on table {table} is 'mine'",
    "copy {table} from '/etc/hostname'",
    "copy {table} from program 'true'",
    "copy {table} to program 'true'",
]
GUARD = [
    "drop trigger row_append_only on ledger_ledgerrow",
    "drop trigger row_no_truncate on ledger_ledgerrow",
    "drop trigger row_edges on ledger_ledgerrow",
    "alter trigger row_edges on ledger_ledgerrow rename to mine",
    "drop function meshline_refuse_change cascade",
    "drop function meshline_check_edges cascade",
    "create or replace function meshline_refuse_change() returns trigger language plpgsql as 'begin return new; end'",
    "alter function meshline_check_edges() owner to current_user",
    f"insert into ledger_ledgerrow {COLUMNS} values {VALUES} on conflict (id) do update set actor = 'mine'",
    "alter sequence ledger_ledgerrow_id_seq restart",
    "select setval('ledger_ledgerrow_id_seq', 1)",
    "drop view meshline_ledger",
    "create or replace view meshline_ledger as select 1",
    "insert into ledger_edge values ('action', 'held', 'applied')",
    "set session_replication_role = replica",
    "set local session_replication_role = replica",
    "select set_config('session_replication_role', 'replica', true)",
    "set role meshline_owner",
    "set session authorization meshline_owner",
    "alter role current_user superuser",
    "alter role meshline_owner password 'mine'",
    "grant meshline_owner to current_user",
    "alter database {database} owner to current_user",
    "alter schema public owner to current_user",
    "drop schema public cascade",
    "create schema mine",
    "create table public.mine (id int)",
    "create function public.mine() returns int language sql as 'select 1'",
    "drop owned by meshline_owner",
    "reassign owned by meshline_owner to current_user",
    f"drop table {PARTITION}",
    f"truncate {PARTITION}",
    f"alter table ledger_eventbody detach partition {PARTITION}",
    f"alter table {PARTITION} no inherit ledger_eventbody",
    "create table mine partition of ledger_eventbody for values from ('2040-01-01') to ('2040-02-01')",
    "truncate ledger_eventbody",
    "drop function meshline_make_partitions(integer)",
]
TABLES = {"ledger_ledgerrow": "id", "ledger_ledgerseal": "id", "ledger_edge": "subject_kind"}
ATTEMPTS = [
    one.format(table=table, column=column) for table, column in TABLES.items() for one in (*ROWS, *STRUCTURE)
] + GUARD


def attempt(statement):
    """Try it as the app; the database's own error is what matters."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.replace("{database}", connection.settings_dict["NAME"]))


@pytest.mark.django_db
def test_the_app_role_can_do_none_of_this():
    before = LedgerRowFactory()
    allowed, strange = [], []

    for statement in ATTEMPTS:
        try:
            attempt(statement)
        except DatabaseError as error:
            if not isinstance(error.__cause__, errors.InsufficientPrivilege):
                strange.append((statement, str(error)))
        else:
            allowed.append(statement)

    assert (allowed, strange) == ([], [])
    assert LedgerRow.objects.values().get(pk=before.pk) == {
        field.attname: getattr(before, field.attname) for field in LedgerRow._meta.fields
    }
    assert len(ATTEMPTS) > 100


@pytest.mark.django_db
def test_the_app_role_adds_and_reads():
    LedgerRowFactory.create_batch(3)

    assert LedgerRow.objects.count() == 3


@pytest.fixture
def owner(db):
    """A session of the owner whose work is thrown away."""
    with database.connect_as_owner() as session:
        session.autocommit = False
        yield session
        session.rollback()


@pytest.mark.parametrize("table", ["ledger_ledgerrow", "ledger_ledgerseal"])
@pytest.mark.parametrize("statement", ["update {} set id = id", "delete from {}", "truncate {}", "truncate {} cascade"])
def test_triggers_refuse_even_the_owner(owner, table, statement):
    owner.execute(f"insert into ledger_ledgerrow {COLUMNS} values {VALUES}")
    owner.execute(
        "insert into ledger_ledgerseal (first_row, last_row, row_count, digest, sealed_at) values (1, 1, 1, '', now())"
    )

    with pytest.raises(errors.InsufficientPrivilege, match="the ledger is append-only"):
        owner.execute(statement.format(table))


STEP = f"insert into ledger_ledgerrow {COLUMNS} values " + VALUES.replace("'held', 'held'", "%s, %s").replace(
    "'action'", "%s"
)


@pytest.mark.parametrize(
    ("subject", "prior", "post"),
    [
        ("action", "held", "applied"), ("action", "approved", "applied"), ("action", "applied", "approved"),
        ("action", "superseded", "approved"), ("contract", "active", "suspended"), ("contract", "cancelled", "active"),
        ("stop", "stopped", "running"), ("rollout", "shadow", "full"), ("item", "resolved", "open"),
        ("event", "received", "processed"), ("customer", "archived", "ready"), ("nobody", "a", "b"),
    ],
)  # fmt: skip
def test_a_step_outside_the_graph_is_refused_for_the_owner_too(owner, subject, prior, post):
    with pytest.raises(errors.CheckViolation, match=f"no step {prior} -> {post} in the state graph of {subject}"):
        owner.execute(STEP, (subject, prior, post))


def test_one_bad_step_among_many_refuses_all(owner):
    with pytest.raises(errors.CheckViolation), owner.cursor() as cursor:
        cursor.executemany(STEP, [("action", "proposed", "held"), ("action", "held", "applied")])


def test_copy_is_checked_like_any_insert(db):
    connection.ensure_connection()
    line = "action\t1\tx\tx\theld\tapplied\t1\t2026-11-21\t[]\t{}\t\tlive\t\t\t\t\t\n"
    copying = pytest.raises(errors.CheckViolation, match="no step held -> applied")
    with transaction.atomic():
        point = transaction.savepoint()
        with copying, connection.connection.cursor().copy(f"copy ledger_ledgerrow {COLUMNS} from stdin") as copy:
            copy.write(line)
        transaction.savepoint_rollback(point)

    assert not LedgerRow.objects.exists()


def test_a_remark_needs_no_edge(owner):
    owner.execute(STEP, ("action", "applied", "applied"))

    assert owner.execute("select count(*) from ledger_ledgerrow").fetchone() == (1,)


@pytest.mark.parametrize("kind", ["customer", "contract"])
def test_an_external_id_never_changes(owner, kind):
    customer = owner.execute(
        """insert into ledger_customer (external_id, state, state_version, name, email, tier, currency, owner,
           created_at, updated_at)
           values ('mesh-cus-1', 'pending', 0, '', '', 'starter', '', '', now(), now()) returning id"""
    ).fetchone()
    owner.execute(
        """insert into ledger_contract (external_id, customer_id, state, state_version, plan, plan_before, currency,
           dunning, created_at, updated_at) values ('mesh-con-1', %s, 'draft', 0, '', '', '', '{}', now(), now())""",
        customer,
    )

    owner.execute(f"update ledger_{kind} set external_id = external_id, updated_at = now()")
    with pytest.raises(psycopg.errors.CheckViolation, match="external_id is immutable"):
        owner.execute(f"update ledger_{kind} set external_id = 'mesh-other'")

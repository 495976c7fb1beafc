"""What the database itself refuses: changing the ledger, steps outside a state graph, a new external id."""

from django.db import migrations

LEDGER = """
create function meshline_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'insufficient_privilege', hint = 'A correction is a new row.';
end $$;
create trigger row_append_only before update or delete on ledger_ledgerrow
    for each row execute function meshline_refuse_change();
create trigger row_no_truncate before truncate on ledger_ledgerrow
    for each statement execute function meshline_refuse_change();
create trigger seal_append_only before update or delete on ledger_ledgerseal
    for each row execute function meshline_refuse_change();
create trigger seal_no_truncate before truncate on ledger_ledgerseal
    for each statement execute function meshline_refuse_change();

-- Seals cover only rows whose transaction is older than every running one.
alter table ledger_ledgerrow add column txid xid8 not null default pg_current_xact_id();

create table ledger_edge (
    subject_kind text not null, prior_state text not null, post_state text not null,
    primary key (subject_kind, prior_state, post_state)
);
create function meshline_check_edges() returns trigger language plpgsql as $$
declare
    bad record;
begin
    select n.id, n.subject_kind, n.prior_state, n.post_state into bad from added n
     where n.prior_state <> n.post_state and not exists (
           select from ledger_edge e where e.subject_kind = n.subject_kind
              and e.prior_state = n.prior_state and e.post_state = n.post_state)
     limit 1;
    if found then
        raise exception 'no step % -> % in the state graph of %', bad.prior_state, bad.post_state, bad.subject_kind
            using errcode = 'check_violation';
    end if;
    return null;
end $$;
create trigger row_edges after insert on ledger_ledgerrow
    referencing new table as added for each statement execute function meshline_check_edges();
"""

IDENTITY = """
create function meshline_keep_external_id() returns trigger language plpgsql as $$
begin
    raise exception 'external_id is immutable' using errcode = 'check_violation',
        hint = 'Mint a new customer and link it instead.';
end $$;
create trigger customer_external_id before update of external_id on ledger_customer
    for each row when (old.external_id is distinct from new.external_id) execute function meshline_keep_external_id();
create trigger contract_external_id before update of external_id on ledger_contract
    for each row when (old.external_id is distinct from new.external_id) execute function meshline_keep_external_id();
"""

QUEUES = """
alter table ledger_event set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
alter table ledger_action set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_event_bodies")]
    operations = [
        migrations.RunSQL(
            LEDGER,
            """drop trigger row_edges on ledger_ledgerrow; drop function meshline_check_edges(); drop table ledger_edge;
            alter table ledger_ledgerrow drop column txid;
            drop function meshline_refuse_change() cascade""",
        ),
        migrations.RunSQL(IDENTITY, "drop function meshline_keep_external_id() cascade"),
        migrations.RunSQL(
            QUEUES, "alter table ledger_event reset (fillfactor); alter table ledger_action reset (fillfactor)"
        ),
    ]

"""Bodies of exchanges are kept as they are: compressing them cost more CPU than all else about an attempt."""

from django.db import migrations

KEEP = """
alter table sync_attempt alter column request_body set storage external;
alter table sync_attempt alter column response_body set storage external;
alter table ledger_action alter column request set storage external;
alter table ledger_action alter column facts set storage external;
alter table ledger_action set (toast_tuple_target = 8160);
"""
BACK = """
alter table sync_attempt alter column request_body set storage extended;
alter table sync_attempt alter column response_body set storage extended;
alter table ledger_action alter column request set storage extended;
alter table ledger_action alter column facts set storage extended;
alter table ledger_action reset (toast_tuple_target);
"""


class Migration(migrations.Migration):
    dependencies = [("sync", "0001_initial"), ("ledger", "0004_views")]
    operations = [migrations.RunSQL(KEEP, BACK)]

"""Stable views of review items and the stop."""

from django.db import migrations

VIEWS = """
create view meshline_review_items as
    select i.id, i.action_id, i.event_id, i.kind, i.state, i.sentence, i.why, i.reason, i.owner_group, i.due_at,
           i.amount_minor, i.currency, i.correlation_id, i.resolution, i.created_at, i.resolved_at,
           c.external_id as customer_external_id
      from gates_reviewitem i left join ledger_customer c on c.id = i.customer_id;
create view meshline_stop as
    select s.scope, s.state, s.reason, s.stopped_at, s.resume_asked_at, s.resumed_at, s.state_version
      from gates_stopswitch s;
"""


class Migration(migrations.Migration):
    dependencies = [("gates", "0001_initial"), ("ledger", "0004_views")]
    operations = [migrations.RunSQL(VIEWS, "drop view meshline_stop; drop view meshline_review_items")]

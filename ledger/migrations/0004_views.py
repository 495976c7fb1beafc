"""Stable views for auditors, BI and tests: the tables may change, these columns stay."""

from django.db import migrations

VIEWS = """
create view meshline_events as
    select e.id, e.source, e.account, e.provider_event_id, e.type, e.kind, e.object_id, e.state, e.verdict, e.late,
           e.correlation_id, e.occurred_at, e.received_at, e.enqueued_at, e.done_at, e.attempts, e.crashes,
           e.deliveries, c.external_id as customer_external_id
      from ledger_event e left join ledger_customer c on c.id = e.customer_id;
create view meshline_actions as
    select a.id, a.kind, a.provider, a.automation, a.mode, a.state, a.state_version, a.target, a.business_key,
           a.event_id, a.correlation_id, a.key, a.amount_minor, a.currency, a.tries, a.looks, a.available_at,
           a.created_at, a.sent_at, a.applied_at, a.confirmation ->> 'id' as confirmation_id, a.reverses_id,
           a.last_error, a.rule_version, c.external_id as customer_external_id, k.external_id as contract_external_id
      from ledger_action a left join ledger_customer c on c.id = a.customer_id
      left join ledger_contract k on k.id = a.contract_id;
create view meshline_ledger as
    select id, event_id, action_id, decision, actor, prior_state, post_state, correlation_id, applied_at,
           subject_kind, subject_id, state_version, recorded_at, reasons, inputs, rule_version, mode, key,
           confirmation_id, outcome, latency_ms, error_code, amount_minor, currency
      from ledger_ledgerrow;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_guards")]
    operations = [
        migrations.RunSQL(VIEWS, "drop view meshline_ledger; drop view meshline_actions; drop view meshline_events")
    ]

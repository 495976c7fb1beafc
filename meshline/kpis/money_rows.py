"""Statements of the figures on revenue: minor units, each row with its own currency; see `agreement` for the rest.

What failed and was paid is in the memo of payment events that every contract carries, by the provider's own time.
"""

from meshline.kpis.agreement import DAYS

NOBODY = "''::text as automation, ''::text as team"
OWED = """
select k.id, lower(v.value ->> 'currency') as currency, (v.value ->> 'amount_due')::bigint as due,
       to_timestamp((v.value ->> 'first_failed')::float8) as failed_at,
       to_timestamp((v.value ->> 'paid_at')::float8) as paid_at,
       to_timestamp((v.value ->> 'closed_at')::float8) as closed_at
  from ledger_contract k cross join lateral jsonb_each(k.dunning) v
 where k.dunning <> '{}'::jsonb and v.value ? 'first_failed' and coalesce(v.value ->> 'currency', '') <> ''
   and (v.value ->> 'amount_due')::bigint > 0"""

RECOVERED = f"""
select (o.paid_at at time zone 'utc')::date as day, {NOBODY}, o.currency, o.due as num, 0::bigint as den,
       'contract'::text as kind, o.id::text as id, o.paid_at as at
  from ({OWED}) o where o.paid_at >= %(since)s and o.paid_at < %(until)s and o.paid_at >= o.failed_at"""
AT_RISK = f"""
select d.day, {NOBODY}, o.currency, o.due as num, 0::bigint as den, 'contract'::text as kind, o.id::text as id,
       o.failed_at as at
  from {DAYS} join ({OWED}) o on o.failed_at < d.ends
       and (least(o.paid_at, o.closed_at) is null or least(o.paid_at, o.closed_at) >= d.ends)"""
REFUNDS = f"""
select (r.heard_at at time zone 'utc')::date as day, {NOBODY}, r.currency::text, r.amount_minor as num,
       0::bigint as den, 'customer'::text as kind, r.customer_id::text as id, r.heard_at as at
  from sync_refund r where r.state = 'succeeded' and r.heard_at >= %(since)s and r.heard_at < %(until)s"""
KEPT = f"""
select (r.recorded_at at time zone 'utc')::date as day, {NOBODY}, k.currency::text, k.amount_minor as num,
       0::bigint as den, 'contract'::text as kind, k.id::text as id, r.recorded_at as at
  from ledger_ledgerrow r join ledger_contract k on k.id::text = r.subject_id
 where r.id >= %(row_first)s and r.id < %(row_last)s and r.subject_kind = 'contract' and r.decision = 'restore'
   and r.recorded_at >= %(since)s and r.recorded_at < %(until)s and k.amount_minor is not null
union all
select (r.recorded_at at time zone 'utc')::date, '', '', k.currency, k.amount_minor, 0, 'contract', k.id::text,
       r.recorded_at
  from ledger_ledgerrow r join ledger_action a on a.id = r.action_id join ledger_contract k on k.id = a.contract_id
 where r.id >= %(row_first)s and r.id < %(row_last)s and r.subject_kind = 'action' and r.decision = 'confirm'
   and a.kind = 'subscription.uncancel' and a.mode = 'live'
   and r.recorded_at >= %(since)s and r.recorded_at < %(until)s and k.amount_minor is not null"""

"""What the page benchmark works on: a review queue, an inbox and a ledger of a house that has been busy for years."""

import time
from datetime import UTC, datetime

import psycopg

from tests.bench import around

CUSTOMERS = """
insert into ledger_customer (external_id, state, state_version, name, email, tier, mrr_minor, currency, owner,
                             created_at, updated_at)
select 'mesh-cus-desk-' || n, 'synced', 0, (array['Initech', 'Acme', 'Hooli', 'Umbra', 'Stark', 'Wayne'])[1 + n %% 6]
       || ' ' || (array['Labs', 'Foods', 'Retail', 'Robotics', 'Health'])[1 + n %% 5] || ' ' || n,
       'ap' || n || '@customer.example', (array['enterprise', 'growth', 'starter'])[1 + n %% 3],
       (n * 791) %% 500000, 'usd', 'dana', now() - interval '400 days', now()
  from generate_series(1, %(customers)s) n"""

# A delivery each half minute; the newest fifty are not handled yet and a few only a person can read.
EVENTS = """
insert into ledger_event (state_version, state, source, account, provider_event_id, type, kind, object_id, api_version,
  livemode, origin_key, occurred_at, received_at, done_at, lane, verdict, late, correlation_id, customer_id,
  available_at, attempts, crashes, deliveries, body_sha, last_error)
select 2, case when n > %(events)s - 50 then 'received' when n %% 40000 = 7 then 'parked'
          when n %% 3 = 0 then 'ignored' else 'processed' end,
       (array['stripe', 'stripe', 'stripe', 'stripe', 'netsuite', 'zendesk', 'pipedrive'])[1 + n %% 7], '', 'evt_' || n,
       'invoice.payment_failed', 'payment_failed', 'in_' || n, '', true, '', at, at,
       case when n <= %(events)s - 50 then at + interval '2 seconds' end, substr(md5(n::text), 1, 6), '', false,
       gen_random_uuid(), %(first)s + n %% %(customers)s, at, 1, 0, 1, decode(md5(n::text), 'hex'), ''
  from generate_series(1, %(events)s) n,
       lateral (select %(now)s::timestamptz - (%(events)s - n) * interval '30 seconds') t(at)"""

# The number of an action, with the time it was made in front, as `ledger.identity.new_action_id` makes them.
KEY = """(lpad(to_hex((extract(epoch from %(now)s::timestamptz - {n} * interval '2 minutes') * 1000)::bigint), 12, '0')
       || '70008000' || lpad(to_hex({n}), 12, '0'))::uuid"""

# Three in a hundred wait for somebody; the others ended long ago.
ACTIONS = f"""
insert into ledger_action (id, state_version, state, kind, provider, automation, mode, customer_id, target,
  business_key, params, because, preview, preview_hash, answers, facts, rule_version, irreversible, amount_minor,
  currency, correlation_id, key, job_ref, tries, looks, lane, in_lane, available_at, crashes, last_error, error_code,
  created_at, updated_at)
select {KEY.format(n="n")}, 2,
       case when n %% 100 > 2 then (array['applied', 'rejected', 'superseded'])[1 + n %% 3]
            when n %% 100 = 2 then (array['failed', 'failed', 'unknown'])[1 + n %% 3] else 'in_review' end,
       (array['contract.suspend', 'contract.restore', 'contract.downgrade', 'ticket.open', 'ticket.tag'])[1 + n %% 5],
       case when n %% 5 < 3 then 'netsuite' else 'zendesk' end, 'dunning', 'live', %(first)s + n %% %(customers)s,
       'contract:in_' || n, 'invoice:in_' || n, '{{}}', 'an invoice stays unpaid',
       '[{{"system": "ERP", "field": "contract status", "now": "active", "after": "suspended"}}]', md5(n::text)
       || md5((n + 1)::text),
       '[{{"rule": "safety_window", "verdict": "pass", "reason": "ended", "version": 1}},
         {{"rule": "open-dispute", "verdict": "review", "reason": "a payment is disputed", "version": 1}}]',
       '{{"open_disputes": 1, "tier": "growth"}}', 'a1:4c0ffee1', false,
       case when n %% 3 = 0 then null else (n * 37) %% 200000 end, 'usd', gen_random_uuid(), '', '', 0, 0,
       substr(md5(n::text), 1, 4) || ':in_' || n, false, now(), 0,
       case when n %% 100 = 2 then '400: the tax id of the customer is missing' else '' end,
       case when n %% 100 = 2 then (array['missing_tax_id', 'period_closed', 'timeout', 'record_locked'])[1 + n %% 4]
            else '' end, %(now)s::timestamptz - n * interval '2 minutes', now()
  from generate_series(1, %(items)s) n"""

ITEMS = f"""
insert into gates_reviewitem (state_version, state, kind, sentence, why, reason, owner_group, owner_id, claimed_until,
  due_at, amount_minor, currency, correlation_id, resolution, cause, corrective_action, prevention, created_at,
  action_id, customer_id, provider, automation, tier, error_code, resolved_at, touched_at)
select 1, case when n %% 100 > 2 then 'resolved' when n %% 700 = 1 then 'snoozed' when n %% 200 = 1 then 'claimed'
          else 'open' end, a.kind, 'The invoice in_' || n || ' stays unpaid, so access is about to end.',
       case when a.state = 'failed' then 'failed' when a.state = 'unknown' then 'outcome_unknown'
            else (array['open-dispute', 'rollout_stage', 'late_event'])[1 + n %% 3] end, 'a payment is disputed',
       (array['Billing Resolver', 'Support', 'Automation Engineer'])[1 + n %% 3],
       case when n %% 200 = 1 then %(person)s::int end,
       case when n %% 200 = 1 then now() + interval '10 minutes' end,
       case when n %% 100 > 2 then a.created_at + interval '8 hours'
            else now() + ((n * 791) %% 2880 - 600) * interval '1 minute' end, a.amount_minor, 'usd', a.correlation_id,
       case when n %% 100 > 2 then 'approved' else '' end, '', '', '', a.created_at, a.id, a.customer_id, a.provider,
       a.automation, 'growth', a.error_code,
       case when n %% 100 > 2 then least(now(), a.created_at + (n %% 300) * interval '1 minute') end,
       case when n %% 5 = 1 then now() end
  from generate_series(1, %(items)s) n
  join ledger_action a on a.id = {KEY.format(n="n")}"""

APPROVALS = """
insert into gates_approval (action_id, item_id, by_id, preview_hash, reason, rules, given_at, voided_at)
select i.action_id, i.id, %(person)s::int, a.preview_hash, 'checked', '[]', now(), null
  from gates_reviewitem i join ledger_action a on a.id = i.action_id
 where (i.state = 'resolved' and i.id %% 4 = 0) or (a.state = 'in_review' and i.id %% 40 = 1)"""

ROWS = f"""
insert into ledger_ledgerrow (subject_kind, subject_id, event_id, action_id, customer_id, decision, actor, prior_state,
  post_state, state_version, correlation_id, recorded_at, reasons, inputs, rule_version, mode, key, confirmation_id,
  outcome, error_code, currency)
select 'action', a.id::text, null, a.id, a.customer_id, s.decision, 'system', s.prior, s.post, s.step,
       a.correlation_id, a.created_at + s.step * interval '40 seconds',
       '[{{"rule": "open-dispute", "verdict": "review", "reason": "a payment is disputed", "version": 1}}]',
       '{{"open_disputes": 1, "tier": "growth"}}', 'a1:4c0ffee1', 'live', '', '', s.post, '', 'usd'
  from generate_series(1, %(rows)s) n
  join (values (1, 'hold', 'proposed', 'held'), (2, 'ask', 'held', 'in_review'),
               (3, 'approve', 'in_review', 'approved'), (4, 'send', 'approved', 'sending'))
       s(step, decision, prior, post) on s.step = 1 + n %% 4
  join ledger_action a
    on a.id = {KEY.format(n="(1 + (n / 4) %% %(items)s)")}"""

TABLES = (
    "ledger_customer", "ledger_event", "ledger_action", "gates_reviewitem", "gates_approval", "ledger_ledgerrow",
    *around.TABLES,
)  # fmt: skip


def fill(session: psycopg.Connection, person: int, *, items: int, rows: int, events: int) -> float:
    """Items, three in a hundred of them open, their actions, customers, events and ledger rows; gives the seconds."""
    begun = time.monotonic()
    many = {
        "customers": 20_000, "items": items, "rows": rows, "events": events, "person": person,
        "now": datetime.now(UTC), "first": 1, **around.MANY,
    }  # fmt: skip
    session.execute(CUSTOMERS, many)
    many["first"] = session.execute("select min(id) from ledger_customer").fetchone()[0]  # type: ignore[index]
    for statement in (EVENTS, ACTIONS, ITEMS, APPROVALS, *around.STATEMENTS):
        session.execute(statement, many)
    # Every row is legal; checking a million of them one by one would only take time.
    session.execute("alter table ledger_ledgerrow disable trigger row_edges")
    session.execute(ROWS, many)
    session.execute("alter table ledger_ledgerrow enable trigger row_edges")
    for table in TABLES:
        session.execute(f"vacuum analyze {table}")
    return time.monotonic() - begun

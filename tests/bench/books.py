"""What the pipeline benchmark works on: customers with contracts and fresh facts, and signed-as-stored events."""

import json
from pathlib import Path

import psycopg

PAYLOAD = Path(__file__).parent.parent / "payloads" / "stripe" / "invoice.payment_failed.json"

CUSTOMERS = """
with made as (
  insert into ledger_customer (external_id, state, state_version, name, email, tier, currency, owner,
                               created_at, updated_at)
  select 'mesh-cus-' || %(run)s || n, 'synced', 0, '', '', 'growth', 'usd', '', now(), now()
    from generate_series(1, %(count)s) n returning id, external_id),
contracts as (
  insert into ledger_contract (external_id, customer_id, state, state_version, plan, plan_before, currency, dunning,
                               created_at, updated_at)
  select replace(external_id, '-cus-', '-con-'), id, 'active', 0, 'growth', '', 'usd', '{}', now(), now() from made
  returning id, customer_id, external_id),
links as (
  insert into ledger_externalid (system, kind, value, customer_id, contract_id, url, linked_by, linked_at)
  select l.system, l.kind, l.prefix || substr(c.external_id, 10), c.customer_id,
         case when l.kind = 'customer' then null else c.id end, '', 'bench', now()
    from contracts c cross join (values ('stripe', 'customer', 'cus_'), ('stripe', 'subscription', 'sub_'),
                                        ('netsuite', 'contract', '')) l(system, kind, prefix)
   where l.kind <> 'contract' returning 1),
records as (
  insert into ledger_externalid (system, kind, value, customer_id, contract_id, url, linked_by, linked_at)
  select 'netsuite', 'contract', %(record)s || c.id::text, c.customer_id, c.id, '', 'bench', now() from contracts c
  returning 1)
insert into ledger_contextrecord (customer_id, blocks, updated_at)
select customer_id, jsonb_build_object(
         'billing:' || id, jsonb_build_object('synced_at', to_char(now() at time zone 'utc', %(iso)s), 'live', true,
             'subscription_status', 'past_due', 'open_disputes', 0, 'fraud_flag', false, 'invoices', '[]'::jsonb),
         'entitlement:' || id, jsonb_build_object('synced_at', to_char(now() at time zone 'utc', %(iso)s),
             'live', %(entitlement)s::boolean, 'status', 'active', 'plan', 'growth')), now()
  from contracts"""

EVENTS = """
with made as (
  insert into ledger_event (source, account, provider_event_id, type, kind, object_id, api_version, livemode,
        origin_key, occurred_at, received_at, enqueued_at, lane, state, verdict, late, correlation_id, available_at,
        attempts,        crashes, deliveries, body_sha, last_error, state_version)
  select 'stripe', '', 'evt_' || %(run)s || n, 'invoice.payment_failed', 'payment.failed', 'in_' || %(run)s || n,
         '2026-10-28.endive', false, '', now(), now(), now(),
         substr(md5(%(run)s || n), 1, 4) || ':stripe::cus_' || %(run)s || n, 'received', '', false, gen_random_uuid(),
         now(), 0, 0, 1, '\\x00', '', 0
    from generate_series(1, %(count)s) n returning id, provider_event_id, received_at)
insert into ledger_eventbody (event_id, received_at, sha, headers, raw)
select id, received_at, '\\x00', '{}', convert_to(replace(replace(replace(replace(replace(%(body)s,
       '@evt', provider_event_id), '@cus', 'cus_' || substr(provider_event_id, 5)),
       '@sub', 'sub_' || substr(provider_event_id, 5)), '@in', 'in_' || substr(provider_event_id, 5)),
       '@now', extract(epoch from now())::bigint::text), 'UTF8') from made"""

ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'


def body() -> str:
    """A signed event's body of 2 to 4 KB, with places for the ids of one customer."""
    document = json.loads(PAYLOAD.read_text())
    invoice = document["data"]["object"]
    document |= {"id": "@evt", "created": "@now"}
    invoice |= {"id": "@in", "customer": "@cus", "number": "N-@in", "next_payment_attempt": None}
    invoice["parent"]["subscription_details"]["subscription"] = "@sub"
    text = json.dumps(document, separators=(",", ":")).replace('"@now"', "@now")
    return text.replace('"sub_9"', '"@sub"')


def fill(session: psycopg.Connection, run: str, count: int, *, reads: bool) -> None:
    """Customers, contracts, facts and one waiting event for each; with `reads`, one block has to be read first."""
    params = {"run": run, "count": count, "iso": ISO, "entitlement": not reads, "record": "9", "body": body()}
    with session.transaction():
        session.execute(CUSTOMERS, params)
        session.execute(EVENTS, params)
    for table in ("ledger_event", "ledger_action", "ledger_externalid", "ledger_contract", "ledger_customer"):
        session.execute(f"analyze {table}")

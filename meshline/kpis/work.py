"""Statements of the figures on what people and automations do; see `agreement` for what they are given."""

from gates.rollout import counts
from meshline.kpis.agreement import DAYS
from sync import signals

ITEM = """i.automation::text as automation, i.owner_group::text as team, ''::text as currency"""
OF_ITEM = "'item'::text as kind, i.id::text as id"
OF_ACTION = "'action'::text as kind, a.id::text as id"
ACTION = "a.automation::text as automation, ''::text as team, ''::text as currency"
# What an automation decided by itself and for real; drills and what people asked for are no work of its own.
DECIDED = """a.id >= %(first)s and a.id < %(last)s and a.created_at >= %(since)s and a.created_at < %(until)s
   and a.automation <> '' and a.requested_by_id is null and a.reverses_id is null"""

QUEUE = f"""
select d.day, {ITEM}, 1::bigint as num, 0::bigint as den, {OF_ITEM}, i.created_at as at
  from {DAYS} join gates_reviewitem i
    on i.created_at < d.ends and (i.state <> 'resolved' or i.resolved_at >= d.ends)"""
CORRECTED = f"""
select (i.resolved_at at time zone 'utc')::date as day, {ITEM},
       greatest(0, extract(epoch from i.resolved_at - i.created_at))::bigint as num, 1::bigint as den, {OF_ITEM},
       i.resolved_at as at
  from gates_reviewitem i where i.resolved_at >= %(since)s and i.resolved_at < %(until)s and i.cause <> ''"""
ESCALATED = f"""
select (i.created_at at time zone 'utc')::date as day, {ITEM},
       (i.bumps > 0 or exists (select from ledger_ledgerrow l where l.subject_kind = 'item'
          and l.subject_id = i.id::text and l.decision = 'escalate'))::int::bigint as num,
       1::bigint as den, {OF_ITEM}, i.created_at as at
  from gates_reviewitem i where i.created_at >= %(since)s and i.created_at < %(until)s"""
# A promise is kept or broken once: when it is resolved in time, or when its time has come.
SLA = f"""
select (v.at at time zone 'utc')::date as day, {ITEM},
       (i.resolved_at is not null and i.resolved_at <= i.due_at)::int::bigint as num, 1::bigint as den, {OF_ITEM}, v.at
  from gates_reviewitem i cross join lateral (select least(i.resolved_at, i.due_at) as at) v
 where v.at >= %(since)s and v.at < %(until)s and v.at <= %(now)s and (i.paused_at is null or i.state = 'resolved')"""
AUTO_RESOLVED = f"""
select (a.created_at at time zone 'utc')::date as day, {ACTION},
       (a.state = 'applied' and not exists (select from gates_reviewitem i where i.action_id = a.id))::int::bigint
         as num,
       1::bigint as den, {OF_ACTION}, a.created_at as at
  from ledger_action a where {DECIDED} and a.mode = 'live' and a.state not in ('observed', 'superseded', 'proposed')"""
FALSE_POSITIVES = f"""
select (a.created_at at time zone 'utc')::date as day, {ACTION},
       coalesce(j.undone or j.rejected or a.edited_by_id is not null or j.said = 'correct' or j.found = 'wrong',
                false)::int::bigint as num,
       1::bigint as den, {OF_ACTION}, a.created_at as at
  from ledger_action a cross join lateral (
    select a.state = 'compensated' or exists (select from ledger_action r where r.reverses_id = a.id
                                                and r.state not in ('rejected', 'superseded')) as undone,
           a.state = 'rejected' and {counts.ASKED_BY_STAGE} as rejected,
           exists (select from gates_approval p where p.action_id = a.id) as agreed,
           (select r.verdict from gates_previewreview r
             where r.action_id = a.id and r.preview_hash = a.preview_hash) as said,
           (select w.verdict from gates_auditrow w where w.subject_kind = 'action' and w.subject_id = a.id::text
               and w.verdict in ('right', 'wrong') order by w.id desc limit 1) as found) j
 where {DECIDED} and a.mode <> 'drill'
   and (j.undone or a.state in ('applied', 'rejected') or j.agreed or a.edited_by_id is not null
        or j.said is not null or j.found is not null)"""
# The same rows that the onboarding report is made of.
SIGNED = """
select p.day, ''::text as automation, ''::text as team, ''::text as currency, round(p.seconds * 1000)::bigint as num,
       1::bigint as den, 'action'::text as kind, p.id::text as id, p.signed_at as at
  from done p where p.kind = '{kind}' and p.state = 'applied' and p.signed_at >= %(since)s and p.signed_at < %(until)s
"""
SIGNED_TO_CUSTOMER = signals.PLANNED + SIGNED.format(kind="customer.create")
SIGNED_TO_INVOICE = signals.PLANNED + SIGNED.format(kind="invoice.create")

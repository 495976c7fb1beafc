"""Statements of the figures on how far the systems agree, and on what went wrong with actions.

Each names `since`, `until` (whole UTC days), `now`, the range of action ids `first`..`last` and of ledger rows
`row_first`..`row_last` that the days can have. See `catalogue.Kpi` for the columns.
"""

# The days asked for, each with the moment its stock is taken: its end, or now while it lasts.
DAYS = """(select (g at time zone 'utc')::date as day, least(g + interval '24 hours', %(now)s::timestamptz) as ends
             from generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '1 second',
                                  interval '24 hours') g) d"""
THERE = "x.first_seen_at < d.ends and x.state <> 'accepted' and (x.state <> 'resolved' or x.resolved_at >= d.ends)"

BACKLOG = f"""
select d.day, ''::text as automation, x.owner_group::text as team, ''::text as currency, 1::bigint as num,
       0::bigint as den, 'delta'::text as kind, x.id::text as id, x.first_seen_at as at
  from {DAYS} join sync_delta x on {THERE} where x.kind <> 'echo'"""
DUPLICATES = f"""
select distinct on (d.day, x.key) d.day, ''::text as automation, ''::text as team, ''::text as currency,
       1::bigint as num, 0::bigint as den, 'delta'::text as kind, x.id::text as id, x.first_seen_at as at
  from {DAYS} join sync_delta x on {THERE} where x.kind = 'duplicate' and x.check_name = 'customers'
 order by d.day, x.key, x.id"""
GROWTH = """
select (x.first_seen_at at time zone 'utc')::date as day, ''::text as automation, x.owner_group::text as team,
       ''::text as currency, 1::bigint as num, 0::bigint as den, 'delta'::text as kind, x.id::text as id,
       x.first_seen_at as at
  from sync_delta x where x.kind <> 'echo' and x.state <> 'accepted' and x.first_seen_at >= %(since)s
   and x.first_seen_at < %(until)s
union all
select (x.resolved_at at time zone 'utc')::date, '', x.owner_group, '', -1, 0, 'delta', x.id::text, x.resolved_at
  from sync_delta x
 where x.kind <> 'echo' and x.state = 'resolved' and x.resolved_at >= %(since)s and x.resolved_at < %(until)s"""
FAILURES = """
select distinct on (1, r.check_name) (r.finished_at at time zone 'utc')::date as day, ''::text as automation,
       ''::text as team, ''::text as currency, r.differing::bigint as num, r.compared::bigint as den,
       'run'::text as kind, r.id::text as id, r.finished_at as at
  from sync_reconcilerun r
 where r.finished_at >= %(since)s and r.finished_at < %(until)s and r.outcome in ('agree', 'differ')
 order by 1, r.check_name, r.id desc"""
REMEDIATED = """
select distinct on (1, a.id) (r.recorded_at at time zone 'utc')::date as day, a.automation::text as automation,
       ''::text as team, ''::text as currency, (a.state not in ('failed', 'unknown', 'sending'))::int::bigint as num,
       1::bigint as den, 'action'::text as kind, a.id::text as id, r.recorded_at as at
  from ledger_ledgerrow r join ledger_action a on a.id = r.action_id
 where r.id >= %(row_first)s and r.id < %(row_last)s and r.subject_kind = 'action'
   and r.post_state in ('failed', 'unknown') and r.recorded_at >= %(since)s and r.recorded_at < %(until)s
   and a.mode = 'live'
 order by 1, a.id, r.id"""

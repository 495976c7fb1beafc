"""What the page benchmark has besides its desk: exchanges, runs, differences, figures, alerts, shadow decisions."""

MANY = {"attempts": 100_000, "jobs": 20_000, "deltas": 50_000, "compared": 60_000}
SYSTEMS = """
insert into sync_providerstate (provider, breaker, last_success_at, last_error)
select name, 'closed', now(), '' from unnest(array['stripe', 'netsuite', 'zendesk', 'pipedrive', 'slack']) name
on conflict do nothing"""
ATTEMPTS = """
insert into sync_attempt (provider, account, method, path, is_write, began_at, ms, status, error, request_id,
  request_body, response_body)
select (array['stripe', 'netsuite', 'netsuite', 'zendesk', 'pipedrive'])[1 + n %% 5], '', 'GET', '/v1/invoices', false,
       now() - (%(attempts)s - n) * interval '20 seconds', 80 + n %% 200, 200, '', '', '', ''
  from generate_series(1, %(attempts)s) n"""
RUNS = """
insert into sync_reconcilerun (check_name, started_by, started_at, finished_at, outcome, error, cursor, left_rows,
  right_rows, compared, differing, counts, gaps, opened, closed, mismatch_permille, new_customers, flagged, tries,
  available_at)
select 'customers', 'system:schedule', now() - n * interval '1 day', now() - n * interval '1 day', 'agree', '', '{}',
       9000, 9000, 9000, 0, '{}', '[]', 0, 0, 0, 0, false, 0, now() from generate_series(0, 400) n"""
JOBS = """
insert into sync_jobrun (job, planned_at, started_at, finished_at, outcome)
select 'alerts', now() - n * interval '1 minute', now() - n * interval '1 minute', now() - n * interval '1 minute',
       'done' from generate_series(1, %(jobs)s) n"""
# One in a hundred differences is not settled.
DELTAS = """
insert into sync_delta (state_version, check_name, kind, key, field, state, left_value, right_value, left_print,
  right_print, refs, ids, owner_system, owner_group, reason, correlation_id, first_seen_at, last_seen_at, resolved_at,
  times_seen)
select 2, (array['customers', 'invoices', 'refunds'])[1 + n %% 3], 'field_differs', 'mesh-cus-desk-' || n, 'name',
       case when n %% 100 = 0 then 'open' else 'resolved' end, 'a', 'b', '', '', '[]', '[]', 'netsuite', 'Support', '',
       gen_random_uuid(), now() - n * interval '5 minutes', now(), case when n %% 100 > 0 then now() end, 3
  from generate_series(1, %(deltas)s) n"""
FIGURES = """
insert into meshline_kpiday (kpi, scope, day, value, numerator, denominator, error, is_final, computed_at)
select k.name, s.name, current_date - d, 0.04, 4, 100, '', true, now()
  from unnest(array['reconciliation_backlog', 'reconciliation_failure_rate', 'time_to_correct', 'auto_resolved_share',
       'sla_met', 'time_between_signed_and_customer_created', 'false_positive_rate', 'revenue_at_risk', 'refunds',
       'escalation_rate', 'human_queue_backlog', 'actions_remediated']) k(name),
       unnest(array['', 'automation:dunning', 'automation:onboarding', 'team:Support', 'currency:usd']) s(name),
       generate_series(0, 400) d
on conflict do nothing"""
ALERTS = """
insert into gates_alertepisode (state_version, name, episode, state, severity, summary, correlation_id, raised_at,
  rule, owner_group, runbook)
select 1, 'rule-' || n %% 40, 1 + n / 40, case when n >= 2000 - 4 then 'raised' else 'resolved' end, 'warning',
       'The queue grows: 41 items more than a day ago', gen_random_uuid(), now() - (2000 - n) * interval '1 hour', 'x',
       'Support', 'unknown-outcome' from generate_series(0, 1999) n"""
COMPARED = """
insert into gates_shadowcomparison (action_id, automation, kind, segments, would, because, verdict, seen, observed_at,
  acts_at, due_at, settled_at)
select gen_random_uuid(), 'dunning', 'contract.suspend', '{}', 'approved', '',
       case when n %% 50 = 0 then 'disagreed' else 'agreed' end, 'people_did_it', now() + interval '1 minute', now(),
       now(), now() from generate_series(1, %(compared)s) n"""
STATEMENTS = (SYSTEMS, ATTEMPTS, RUNS, JOBS, DELTAS, FIGURES, ALERTS, COMPARED)
TABLES = (
    "sync_attempt", "sync_reconcilerun", "sync_jobrun", "sync_providerstate", "sync_delta", "meshline_kpiday",
    "gates_alertepisode", "gates_shadowcomparison",
)  # fmt: skip

"""Measures of work: taken in, waiting, in doubt, contradicting; and of the systems and processes that do it.

Each is one statement, or two, over an index of time or of live rows.
"""

from datetime import timedelta

from gates.playbooks import PLAYBOOKS
from sync.alerts.reading import Ask, Found, many, rows
from sync.mappings import rehearsal

LAST = 20_000  # of the newest events, looked through for those of some minutes
RECENT, LATE = timedelta(minutes=5), timedelta(minutes=10)
LATE_BY = timedelta(minutes=5)
HOUR = timedelta(hours=1)
GRACE = timedelta(seconds=30)
LEAST_CONTRADICTING = 10
GROWTH = (270.0, 660.0)  # seconds: how old the sample is that the present number is compared with
ABOUT_OURSELVES = ["alert", "alert.message"]
NEWEST = "id > (select coalesce(max(id), 0) from ledger_event) - %(last)b::bigint"
INGEST = f"""
select coalesce((select percentile_cont(0.95) within group (order by extract(epoch from enqueued_at - received_at))
                   from ledger_event where {NEWEST} and received_at >= %(since)b::timestamptz), 0)::float8,
       coalesce((select extract(epoch from %(now)b::timestamptz - min(available_at)) from ledger_event
                  where state in ('received', 'waiting') and state = 'received'
                    and available_at <= %(now)b::timestamptz), 0)::float8"""
LATENESS = f"""
select count(*), coalesce(max(extract(epoch from received_at - occurred_at)), 0)::float8,
       coalesce(string_agg(distinct source, ', '), '')
  from ledger_event where {NEWEST} and received_at >= %(since)b::timestamptz and source <> 'meshline'
   and received_at > occurred_at + %(by)b::interval"""
WAITING = """
select (select count(*) from ledger_event where state in ('received', 'waiting')),
       (select count(*) from ledger_action where in_lane)"""
UNKNOWN = """
select count(*), coalesce(extract(epoch from %(now)b::timestamptz - min(unknown_since)), 0)::float8,
       coalesce(string_agg(distinct kind, ', '), '') from ledger_action
 where state = 'unknown' and unknown_since < %(before)b::timestamptz and kind <> all(%(ours)b::text[])"""
CONTRADICTING = f"""
select count(*), count(*) filter (where left(verdict, 13) = 'contradicting') from ledger_event
 where {NEWEST} and received_at >= %(since)b::timestamptz and kind = any(%(kinds)b::text[]) and state = 'processed'"""
BREAKERS = """
select provider, extract(epoch from %(now)b::timestamptz - opened_at)::float8, last_error
  from sync_providerstate where breaker = 'open' order by provider"""
DRIFTED = """
with parked as (
  select id, source, verdict from ledger_event where state = 'parked' order by id desc limit %(most)b::int),
met as (
  select p.source as system, substring(p.verdict from 'schema drift: (.*)') as said from parked p
   where p.verdict like '%%schema drift%%'
     and exists (select from gates_reviewitem i where i.event_id = p.id and i.state <> 'resolved')
  union all
  select provider, 'an answer: ' || reason from gates_reviewitem
   where state <> 'resolved' and error_code = 'drift')
select system, count(*), min(said) from met group by system order by system"""
WORKERS = "select extract(epoch from now() - max(seen_at))::float8 from sync_drainslot where slot > 0"
SCHEDULE = """
select extract(epoch from %(now)b::timestamptz - max(started_at))::float8 from sync_jobrun
 where planned_at > %(now)b::timestamptz - interval '10 days'"""
UNTOLD = """
select count(*), coalesce(extract(epoch from %(now)b::timestamptz - min(created_at)), 0)::float8 from ledger_action
 where state in ('held', 'approved', 'parked', 'sending', 'unknown', 'failed', 'in_review')
   and kind = any(%(ours)b::text[]) and business_key not like 'alert:alerts-untold:%%'"""


def ingest(ask: Ask) -> list[Found]:
    """Seconds until a delivery is stored, 95 in 100 of five minutes, or the oldest that nobody has taken up."""
    given = {"last": LAST, "since": ask.now - RECENT, "now": ask.now}
    stored, waits = rows(INGEST, given)[0]
    value = max(stored, waits, 0.0)
    return [Found(value, f"stored within {stored:.1f} s (95 in 100), the oldest not taken up waits {waits:.0f} s")]


def lateness(ask: Ask) -> list[Found]:
    """Deliveries of ten minutes that came more than five minutes after what they tell of."""
    count, worst, sources = rows(LATENESS, {"last": LAST, "since": ask.now - LATE, "by": LATE_BY})[0]
    said = f"{many(count, 'delivery', 'deliveries')} of the last 10 minutes came late"
    return [Found(count, f"{said}, the latest by {worst / 60:.0f} min, from {sources}" if count else said)]


def backlog(ask: Ask) -> list[Found]:
    """By how many the waiting events and actions grew within five minutes."""
    events, actions = rows(WAITING, {})[0]
    waiting = events + actions
    past = [value for at, value in ask.samples if GROWTH[0] <= ask.now.timestamp() - at <= GROWTH[1]]
    grew = max(0, waiting - min(past)) if past else 0
    said = f"{many(events, 'event')} and {many(actions, 'action')} wait, {grew:,.0f} more than 5 minutes ago"
    return [Found(grew, said, keep=waiting)]


def unknown(ask: Ask) -> list[Found]:
    """Writes whose outcome nobody has known for half a minute."""
    given = {"now": ask.now, "before": ask.now - GRACE, "ours": ABOUT_OURSELVES}
    count, oldest, kinds = rows(UNKNOWN, given)[0]
    said = f"nobody knows the outcome of {many(count, 'write')}"
    return [Found(count, f"{said}, the oldest for {oldest / 60:.0f} min: {kinds}" if count else said)]


def contradictions(ask: Ask) -> list[Found]:
    """The share of an hour's payment and deal events that contradict one before, in percent."""
    events, wrong = rows(CONTRADICTING, {"last": LAST, "since": ask.now - HOUR, "kinds": list(PLAYBOOKS)})[0]
    share = 100.0 * wrong / events if events else 0.0
    said = f"{wrong:,} of {many(events, 'event')} in an hour contradict one before"
    return [Found(share, said, over=wrong >= LEAST_CONTRADICTING and share > ask.limit)]


def breakers(ask: Ask) -> list[Found]:
    """Seconds that each system's breaker has been open. What the system said is on its page, not here."""
    return [
        Found(max(seconds or 0.0, 0.001), f"{name} does not answer or refuses us", name)
        for name, seconds, _ in rows(BREAKERS, {"now": ask.now})
    ]


def drift(ask: Ask) -> list[Found]:
    """Events and answers by system that do not fit their contract, and custom fields that the CRM has no more."""
    found = {system: (count, said) for system, count, said in rows(DRIFTED, {"most": 2000})}
    gone = rehearsal.gone_fields(rehearsal.stored())
    if gone:
        count, said = found.get("pipedrive", (0, ""))
        words = f"fields that are gone: {', '.join(sorted(gone))}"
        found["pipedrive"] = (count + len(gone), f"{said}; {words}" if said else words)
    return [
        Found(count, f"{system} changed a format, {count:,} wait for a person: {said}"[:300], system)
        for system, (count, said) in found.items()
    ]


def workers(ask: Ask) -> list[Found]:
    """Seconds since a worker showed itself, by the database's clock; 0 where none ever has."""
    age = rows(WORKERS, {})[0][0]
    return [Found(max(age or 0.0, 0.0), "no worker was ever seen" if age is None else f"last seen {age:.0f} s ago")]


def schedule(ask: Ask) -> list[Found]:
    """Seconds since a scheduled job began; 0 where none ever has."""
    age = rows(SCHEDULE, {"now": ask.now})[0][0]
    said = "no job ever began" if age is None else f"the last job began {age:.0f} s ago"
    return [Found(max(age or 0.0, 0.0), said)]


def untold(ask: Ask) -> list[Found]:
    """Seconds that the oldest message about an alert has waited to leave."""
    count, oldest = rows(UNTOLD, {"now": ask.now, "ours": ABOUT_OURSELVES})[0]
    return [Found(max(oldest, 0.0), f"{many(count, 'message')} about alerts wait to be told")]

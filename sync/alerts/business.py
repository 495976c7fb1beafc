"""Measures of what comes of the work: customers in time, duplicates, comparisons, the queue, overruled decisions."""

from datetime import timedelta

from ledger.models import LedgerCheck
from sync import signals
from sync.alerts.reading import Ask, Found, Unmeasured, many, rows

DAY, WEEK = timedelta(days=1), timedelta(days=7)
LATE_SECONDS = 300
HOUR = 3600.0
GROWTH = (3300.0, 4500.0)  # seconds: how old the sample is that the present number is compared with
LEAST_OVERRULED, LEAST_CORRECTED = 5, 10
# Of a day's signed deals: those that became a customer late, or are none yet although the time is over. What a person
# had to look at is the queue's time, not ours; what is withdrawn or only observed makes no customer.
LATE = (
    signals.PLANNED
    + """
select count(*), count(*) filter (where coalesce(d.seconds, extract(epoch from %(now)s::timestamptz - d.signed_at))
                                        > %(late)s)
  from done d
 where d.kind = 'customer.create' and d.state in ('approved', 'sending', 'unknown', 'applied', 'failed', 'compensated')
   and not exists (select from gates_reviewitem i where i.action_id = d.id)"""
)
TWICE = """
select (select count(distinct key) from sync_delta
         where kind = 'duplicate' and check_name = 'customers' and first_seen_at >= %(since)b
           and state in ('open', 'acknowledged', 'assigned')),
       (select count(*) from ledger_customer where created_at >= %(since)b)"""
RUNS = """
select distinct on (check_name) check_name, compared, differing from sync_reconcilerun
 where outcome in ('agree', 'differ') and finished_at is not null order by check_name, id desc"""
ENDS = """
select check_name from (
  select distinct on (check_name) check_name, outcome from sync_reconcilerun
   where finished_at is not null order by check_name, id desc) newest
 where outcome in ('failed', 'partial') order by check_name"""
UNTAKEN = """
select count(*) filter (where created_at < %(before)b::timestamptz),
       coalesce(extract(epoch from %(now)b::timestamptz - min(created_at)), 0)::float8
  from gates_reviewitem
 where state <> 'resolved' and state = 'open' and paused_at is null and kind not like '%%.weekly'"""
OPEN = "select count(*) from gates_reviewitem where state <> 'resolved'"
# What people made of what automations proposed: turned down, changed or undone, of all that came to an end.
OVERRULED = """
with judged as (
  select a.created_at >= %(day)b::timestamptz as lately,
         a.state = 'rejected' or a.edited_by_id is not null or a.state = 'compensated' as overruled
    from ledger_action a
   where a.id >= %(first)b::uuid and a.automation <> '' and a.reverses_id is null and a.requested_by_id is null
     and a.state in ('applied', 'rejected', 'compensated', 'failed'))
select count(*) filter (where lately), count(*) filter (where lately and overruled),
       count(*) filter (where not lately), count(*) filter (where not lately and overruled) from judged"""
CORRECTED = """
with done as (
  select resolved_at >= %(week)b::timestamptz as lately, extract(epoch from resolved_at - created_at) as seconds
    from gates_reviewitem
   where id > coalesce((select id from gates_reviewitem where created_at < %(month)b::timestamptz
                         order by id desc limit 1), 0)
     and state = 'resolved' and resolved_by_id is not null and resolved_at >= %(before)b::timestamptz)
select count(*) filter (where lately), count(*) filter (where not lately),
       percentile_cont(0.5) within group (order by seconds) filter (where lately),
       percentile_cont(0.5) within group (order by seconds) filter (where not lately) from done"""


def creation(ask: Ask) -> list[Found]:
    """The share of a day's signed deals that took longer than five minutes to become a customer, in percent."""
    since = ask.now - DAY
    given = {"first": signals.first_id(since), "since": since, "now": ask.now, "late": LATE_SECONDS}
    found = signals.asked(LATE, given)
    if found is None:
        raise Unmeasured("the signals of onboarding could not be read in time")
    deals, late = found[0]
    share = 100.0 * late / deals if deals else 0.0
    return [Found(share, f"{late:,} of {many(deals, 'signed deal')} of a day took over 5 minutes")]


def duplicates(ask: Ask) -> list[Found]:
    """Duplicate customers in percent of the week's new ones; 100 where there is one and no new customer at all."""
    found, made = rows(TWICE, {"since": ask.now - WEEK})[0]
    twice = signals.asked(signals.DUPLICATES, {"first": signals.first_id(ask.now - WEEK), "since": ask.now - WEEK})
    if twice is None:
        raise Unmeasured("duplicates of the week could not be read in time")
    count = max(found, twice[0][0])
    share = 100.0 * count / made if made else 100.0 if count else 0.0
    return [Found(share, f"{many(count, 'duplicate')} against {many(made, 'new customer')} in a week")]


def mismatch(ask: Ask) -> list[Found]:
    """The worst share of differing records of the newest whole run of each comparison, in percent."""
    shares = [(100.0 * differing / compared, name, differing, compared)
              for name, compared, differing in rows(RUNS, {}) if compared]  # fmt: skip
    if not shares:
        return [Found(0.0, "nothing was compared whole yet")]
    share, name, differing, compared = max(shares)
    return [Found(share, f"{name}: {differing:,} of {many(compared, 'record')} differ")]


def comparisons(ask: Ask) -> list[Found]:
    """Comparisons whose newest run failed or is partial."""
    names = [name for (name,) in rows(ENDS, {})]
    said = f"not whole: {', '.join(names)}" if names else "every comparison's last run was whole"
    return [Found(len(names), said)]


def untaken(ask: Ask) -> list[Found]:
    """Hours that the oldest open item has waited that nobody has taken."""
    before = ask.now - timedelta(hours=ask.limit)
    count, oldest = rows(UNTAKEN, {"now": ask.now, "before": before})[0]
    said = f"{many(count, 'item')} nobody has taken for over {ask.limit:g} h, the oldest waits {oldest / HOUR:.0f} h"
    return [Found(max(oldest, 0.0) / HOUR, said)]


def queue(ask: Ask) -> list[Found]:
    """By how many items the review queue grew in an hour."""
    count = rows(OPEN, {})[0][0]
    past = [value for at, value in ask.samples if GROWTH[0] <= ask.now.timestamp() - at <= GROWTH[1]]
    grew = max(0, count - min(past)) if past else 0
    return [Found(grew, f"{many(count, 'item')} open, {grew:,.0f} more than an hour ago", keep=count)]


def overrides(ask: Ask) -> list[Found]:
    """The share of a day's decisions of automations that people overruled, in percent; over only where it doubled."""
    first = signals.first_id(ask.now - DAY - WEEK)
    today, wrong, week, before = rows(OVERRULED, {"first": first, "day": ask.now - DAY})[0]
    share = 100.0 * wrong / today if today else 0.0
    usual = 100.0 * before / week if week else 0.0
    over = wrong >= LEAST_OVERRULED and share > ask.limit and share >= 2 * usual
    said = f"people overruled {wrong:,} of {many(today, 'decision')} of a day; {usual:.0f} % in the week before"
    return [Found(share, said, over=over)]


def correcting(ask: Ask) -> list[Found]:
    """How many times as long as in the week before people took to settle an item, by the median."""
    given = {"week": ask.now - WEEK, "before": ask.now - 2 * WEEK, "month": ask.now - 6 * WEEK}
    lately, earlier, now, then = rows(CORRECTED, given)[0]
    if min(lately, earlier) < LEAST_CORRECTED or not then:
        return [Found(0.0, f"{lately} settled this week and {earlier} the week before: too few to compare", over=False)]
    times = float(now) / float(then)
    return [Found(times, f"settled in {now / HOUR:.1f} h (median) against {then / HOUR:.1f} h in the week before")]


def ledger(ask: Ask) -> list[Found]:
    """1 where the newest look at the ledger that ended found something wrong."""
    last = LedgerCheck.objects.filter(ended_at__isnull=False).order_by("-id").first()
    if last is None:
        return [Found(0, "nobody has looked at the ledger yet")]
    if not last.problem:
        return [Found(0, f"{many(last.rows, 'row')} were intact at the last look")]
    where = f" at row {last.bad_row}" if last.bad_row else ""
    return [Found(1, f"the look at the ledger found something wrong{where}: {last.problem}"[:300])]

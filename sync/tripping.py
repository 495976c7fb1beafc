"""What the stop trips on, measured from what is stored; looked at by every sweep, so some ten seconds apart."""

from datetime import datetime

import structlog

from gates import trips
from gates.playbooks import PLAYBOOKS
from gates.playbooks.refunds import REFUNDS
from gates.trips import Measured
from ledger import sets
from sync.incidents import paging

log = structlog.get_logger(__name__)

ALERT = "stop-tripped"
MOST_EVENTS = 50_000  # looked back through; more than that in an hour is a sample of its end
WRITES = """
select count(distinct t.action_id), count(distinct t.action_id) filter (where a.kind = any(%(refunds)b::text[]))
  from sync_attempt t join ledger_action a on a.id = t.action_id
 where t.began_at >= %(since)b::timestamptz and t.is_write and a.kind not in ('alert', 'alert.message')"""
SUMS = """
select a.currency, sum(a.amount_minor)::bigint from ledger_action a
 where a.amount_minor is not null and a.id in (
   select t.action_id from sync_attempt t where t.began_at >= %(since)b::timestamptz and t.is_write)
   and a.kind = any(%(refunds)b::text[]) group by a.currency"""
UNKNOWN = """
select count(*) from ledger_action where state = 'unknown' and kind not in ('alert', 'alert.message')
   and unknown_since >= %(since)b::timestamptz"""
EVENTS = """
select count(*), count(*) filter (where left(verdict, 13) = 'contradicting') from ledger_event
 where id > (select coalesce(max(id), 0) from ledger_event) - %(most)b::bigint
   and received_at >= %(since)b::timestamptz and kind = any(%(kinds)b::text[]) and state = 'processed'"""


def measure(since: datetime) -> Measured:
    """What happened since then: four statements over indexes of time and of live states."""
    given = {"since": since}
    writes, refunds = sets.run(WRITES, given | {"refunds": list(REFUNDS)})[0]
    sums = dict(sets.run(SUMS, given | {"refunds": list(REFUNDS)})) if refunds else {}
    events, contradicting = sets.run(EVENTS, given | {"kinds": list(PLAYBOOKS), "most": MOST_EVENTS})[0]
    unknown = sets.run(UNKNOWN, given)[0][0]
    return Measured(refunds, sums, events, contradicting, writes, unknown)


def check() -> int:
    """Halt everything where a limit is passed, and page about it; how many limits were passed just now."""
    found = trips.check(measure(trips.window()))
    if found:
        log.error("stop_tripped", rules=[one.rule for one in found])
        paging.raise_alert(ALERT, f"Meshline stopped itself: {found[0].sentence}", severity="critical")
    return len(found)

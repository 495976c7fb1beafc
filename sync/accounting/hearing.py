"""Events that name a line of billing's balance: it is noted, and read and booked by whoever comes next.

The echo of a refund of our own is noted like any other: it is money that moved.
"""

from collections.abc import Mapping, Sequence

from django.conf import settings

from ledger import clock, sets
from sync.contracts.charges import ChargeSeen
from sync.contracts.refunds import RefundSeen
from sync.contracts.stripe import DisputeSeen
from sync.correlate import Found
from sync.providers import stripe_accounts
from sync.understand import Heard

OFF = "ignored: accounting is off"
# What waits is looked at now: the event may say that it changed.
NOTE = """
insert into sync_balanceentry (account, provider_id, outcome, category, source, amount_minor, fee_minor, currency,
                               customer_id, code, why, stage, event_id, correlation_id, heard_at, due_at)
select v.account, v.line, 'heard', '', '', 0, 0, '', v.customer, '', '', '', v.event, v.correlation, %(now)b, %(now)b
  from unnest(%(account)b::text[], %(line)b::text[], %(customer)b::bigint[], %(event)b::bigint[],
              %(correlation)b::uuid[]) as v(account, line, customer, event, correlation) order by v.line
on conflict (provider_id) do update set due_at = excluded.due_at
 where sync_balanceentry.outcome in ('heard', 'waiting') and sync_balanceentry.due_at > excluded.due_at"""


def verdict(seen: ChargeSeen) -> str:
    """What an event of a payment means beside what `note` does with it."""
    if not settings.MESHLINE_ACCOUNTING["on"]:
        return OFF
    return "done: noted for the books" if seen.balances else "done: not settled yet; nothing to record"


def note(heard: Sequence[Heard], found: Mapping[int, Found]) -> int:
    """Note the lines that these events name, in the transaction that books the events; how many lines they name."""
    if not settings.MESHLINE_ACCOUNTING["on"]:
        return 0
    named = {
        line: one
        for one in heard
        if isinstance(one.seen, ChargeSeen | RefundSeen | DisputeSeen) and not one.park
        for line in one.seen.balances
    }
    further = stripe_accounts.further()
    if named:
        sets.run(
            NOTE,
            {
                "account": [one.account if one.account in further else "" for one in named.values()],
                "line": list(named),
                "customer": [found[one.id].customer_id if one.id in found else None for one in named.values()],
                "event": [one.id for one in named.values()], "now": clock.now(),
                "correlation": [one.correlation_id for one in named.values()],
            },
        )  # fmt: skip
    return len(named)

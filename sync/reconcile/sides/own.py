"""Our own side: applied actions, tickets and the inbox, put into the staging table by one statement each."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings

from ledger import sets
from sync.reconcile.finding import Finding, fingerprint
from sync.reconcile.judging import LEAD, UNKNOWN
from sync.reconcile.pairing import Window
from sync.reconcile.staging import BETWEEN

INTO = "insert into sync_reconcileside (run_id, list, key, record, vals, about, changed) "
REFUNDS = ("payment.refund", "dispute.refund")
# What makes a record at a provider -> the provider's record it makes, and the list that shows those records.
MAKES: Mapping[str, tuple[str, str]] = {
    "customer.create": ("netsuite:customer", "erp_customers"), "invoice.create": ("netsuite:invoice", "erp_invoices"),
    "credit_memo.create": ("netsuite:creditmemo", "erp_memos"), "payment.refund": ("stripe:refund", "refunds"),
    "dispute.refund": ("stripe:refund", "refunds"), "billing_customer.create": ("stripe:customer", "billing_customers"),
    "ticket.open": ("zendesk:ticket", "tickets"), "outreach.ticket": ("zendesk:ticket", "tickets"),
}  # fmt: skip
GIVEN_BACK = """
select %(run)b, 'ours', a.id::text, coalesce(a.confirmation ->> 'id', ''),
       coalesce(a.confirmation ->> 'amount_minor', a.amount_minor::text, '') || ' ' ||
       coalesce(a.confirmation ->> 'currency', a.currency) || %(u)b || coalesce(a.confirmation ->> 'id', ''),
       coalesce('=' || a.customer_id, ''), a.applied_at
  from ledger_action a
 where a.kind = any(%(kinds)b::text[]) and a.mode = 'live' and a.state in ('applied', 'compensated')"""
WITH_MEMO = """
select %(run)b, 'booked', coalesce(a.confirmation ->> 'id', ''), a.id::text,
       coalesce(a.confirmation ->> 'amount_minor', a.amount_minor::text, '') || ' ' ||
       coalesce(a.confirmation ->> 'currency', a.currency), coalesce('=' || a.customer_id, ''), a.applied_at
  from ledger_action a
 where a.kind = any(%(kinds)b::text[]) and a.mode = 'live' and a.state in ('applied', 'compensated')
   and a.confirmation ->> 'id' is not null
   and exists (select from ledger_externalid x where x.customer_id = a.customer_id and x.system = 'netsuite')"""
MADE = """
select %(run)b, 'made', k.record || ':' || (a.confirmation ->> 'id'), a.id::text, '',
       coalesce('=' || a.customer_id, ''), a.applied_at
  from ledger_action a
  join unnest(%(kinds)b::text[], %(records)b::text[]) as k(kind, record) on k.kind = a.kind
 where a.mode = 'live' and a.state in ('applied', 'compensated') and a.confirmation ->> 'id' is not null"""
MARKS = """
select %(run)b, 'marks', a.id::text, a.id::text, '', coalesce('=' || a.customer_id, ''), a.applied_at
  from ledger_action a where a.mode = 'live' and a.state in ('applied', 'compensated')"""
TICKETS = """
select %(run)b, 'ours', t.number, t.number, t.state, coalesce('=' || t.customer_id, ''), t.seen_at
  from gates_ticket t where t.state in ('new', 'open', 'pending', 'hold', 'solved')"""
INBOX = """
select %(run)b, 'inbox', e.provider_event_id, e.id::text, e.type, '', null::timestamptz
  from ledger_event e
 where e.source = 'stripe' and e.id >= coalesce((
       select min(f.id) from ledger_event f where f.received_at >= %(since)b::timestamptz - interval '1 day'), 0)"""
LIVE = """
select id, number from gates_ticket
 where id > %(after)b::bigint and state in ('new', 'open', 'pending', 'hold', 'solved')
 order by id limit %(most)b::int"""
OPENED = """
select id::text, confirmation ->> 'id' from ledger_action
 where id > %(after)b::uuid and kind = any(%(kinds)b::text[]) and mode = 'live' and state in ('applied', 'compensated')
   and confirmation ->> 'id' is not null order by id limit %(most)b::int"""
FOUND_OUT_WITHIN = timedelta(minutes=10)  # until then an outcome that is unknown is looked up by itself
FIRST = "00000000-0000-0000-0000-000000000000"
DOUBTFUL = """
select id::text, provider, customer_id from ledger_action
 where state = 'unknown' and unknown_since < %(before)b order by id limit 1000"""


def refunds(run: int, window: Window, unread: Mapping[str, str]) -> int:
    """Refunds that were confirmed, by action."""
    return _fill(GIVEN_BACK, {"run": run, "u": BETWEEN, "kinds": list(REFUNDS)})


def booked(run: int, window: Window, unread: Mapping[str, str]) -> int:
    """Refunds that finance has to see, by refund; none where credit memos are switched off."""
    if not settings.MESHLINE_CREDIT_MEMOS:
        return 0
    return _fill(WITH_MEMO, {"run": run, "kinds": list(REFUNDS)})


def made(run: int, window: Window, unread: Mapping[str, str]) -> int:
    """Actions that made a record, by it; not those whose records could not be read whole."""
    kinds = {kind: record for kind, (record, source) in MAKES.items() if source not in unread}
    return _fill(MADE, {"run": run, "kinds": list(kinds), "records": list(kinds.values())})


def marks(run: int, window: Window, unread: Mapping[str, str]) -> int:
    """Every action that is done, by its id."""
    return _fill(MARKS, {"run": run})


def tickets(run: int, window: Window, unread: Mapping[str, str]) -> int:
    """Tickets that are not over, by number."""
    return _fill(TICKETS, {"run": run})


def inbox(run: int, window: Window, unread: Mapping[str, str]) -> int:
    """What came from billing since a day before the window."""
    return _fill(INBOX, {"run": run, "since": window.since})


def doubtful(window: Window) -> list[Finding]:
    """Writes in doubt for longer than finding out takes: differences whatever the other side shows."""
    return [
        Finding(
            UNKNOWN, key, "", LEAD, left_print=fingerprint(key), refs=(("meshline", "action", key),),
            owner_system=provider, customer_id=customer,
        )
        for key, provider, customer in sets.run(DOUBTFUL, {"before": window.until - FOUND_OUT_WITHIN})
    ]  # fmt: skip


def live_tickets(cursor: str, most: int) -> tuple[list[str], str]:
    """Numbers of tickets that are not over, from a cursor on, and the next cursor."""
    rows = sets.run(LIVE, {"after": int(cursor or 0), "most": most})
    return [row[1] for row in rows], str(rows[-1][0]) if len(rows) == most else ""


def opened_tickets(cursor: str, most: int) -> tuple[list[str], str]:
    """Numbers of tickets that actions opened, and the next cursor."""
    kinds = [kind for kind, (record, _) in MAKES.items() if record == "zendesk:ticket"]
    rows = sets.run(OPENED, {"after": cursor or FIRST, "most": most, "kinds": kinds})
    return [row[1] for row in rows], rows[-1][0] if len(rows) == most else ""


def _fill(select: str, params: Mapping[str, Any]) -> int:
    counted = f"with put as ({INTO}{select} returning 1) select count(*) from put"
    found: int = sets.run(counted, params)[0][0]
    return found

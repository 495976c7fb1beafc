"""Answering an address: whose it is, and a fresh session for them. No transaction is open while the provider is asked.

Nothing is used up by a visit: a mail scanner that opens an address fifty times leaves it as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings

from gates import stop
from ledger import clock, sets
from sync import attempts, health
from sync.errors import PermanentError, ProviderError, TransientError
from sync.portal import alerts, tokens
from sync.providers import stripe_accounts, stripe_portal
from sync.providers.stripe_portal import BadTarget, NoCustomer, NotActivated
from sync.wiretypes import Exchange

log = structlog.get_logger(__name__)

PROVIDER = "stripe"
# One statement whatever was asked: an address that never was, one that was ended and one whose time is over find
# nothing in the same way. The id has to be the customer's still, so that a link dies with it.
FIND_SQL = """
select l.id, l.customer_id, l.billing_customer, coalesce(
    (select s.billing_account from sync_synclink s
      where s.billing_id = l.billing_customer and s.customer_id = l.customer_id and s.billing_account <> '' limit 1),
    (select split_part(a.value, '/', 1) from ledger_externalid a
      where a.system = l.provider and a.kind = 'account' and a.customer_id = l.customer_id
        and a.value like '%%/' || l.billing_customer limit 1), '')
  from sync_portallink l
 where l.token_hash = %(hash)b and l.state = 'active' and (l.expires_at is null or l.expires_at > %(now)b)
   and exists (select from ledger_externalid x where x.system = l.provider and x.kind = 'customer'
                  and x.value = l.billing_customer and x.customer_id = l.customer_id)"""
COUNT_SQL = "update sync_portallink set visits = visits + 1, last_used_at = %(now)b where id = %(id)b"


@dataclass(frozen=True, slots=True)
class Found:
    """A link that works."""

    link_id: int
    customer_id: int
    billing_customer: str
    account: str = ""  # which billing account; empty: the first one


class Unavailable(Exception):
    """No session can be made now; `code` says why, for the log and never for the visitor."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Gone(Unavailable):
    """The provider has no such customer: to the visitor a link that does not work."""


def find(token: str) -> Found | None:
    """The working link of a token."""
    rows = sets.run(FIND_SQL, {"hash": tokens.hashed(token), "now": clock.now()})
    return Found(*rows[0]) if rows else None


def open_session(found: Found) -> str:
    """A fresh session's address at the provider. Raises Gone or Unavailable; people were told by then."""
    if not settings.MESHLINE_PORTAL["while_stopped"] and stop.blocks(PROVIDER):
        raise Unavailable("stopped")
    if health.wait_until([health.key(PROVIDER, stripe_accounts.on_wire(found.account))], clock.now()) is not None:
        raise Unavailable("paused")
    exchanges: list[Exchange] = []
    try:
        url = session(found.billing_customer, exchanges, found.account)
    except ProviderError as error:
        note(exchanges, [error])
        raise _told(error, found) from error
    note(exchanges, [])
    sets.run(COUNT_SQL, {"id": found.link_id, "now": clock.now()})
    log.info("portal_opened", link=found.link_id, customer_id=found.customer_id)
    return url


def session(billing_customer: str, exchanges: list[Exchange], account: str = "") -> str:
    """A session, asked for once more where the connection broke: making two is harmless."""
    with stripe_accounts.acting_for(account):
        try:
            return stripe_portal.get().session(billing_customer, exchanges)
        except TransientError as error:
            if error.code != "connection":
                raise
            return stripe_portal.get().session(billing_customer, exchanges)


def note(exchanges: Sequence[Exchange], errors: Sequence[ProviderError]) -> None:
    """Keep what was exchanged, bodies left out, and tell the provider's health."""
    attempts.store((None, None, one) for one in exchanges)
    health.note_calls(exchanges, errors)


def trouble(error: ProviderError) -> str:
    """Which of `alerts.TROUBLES` an error is."""
    if isinstance(error, NotActivated):
        return "portal_not_activated"
    if isinstance(error, NoCustomer):
        return "portal_customer_gone"
    if isinstance(error, BadTarget):
        return "portal_bad_target"
    return "portal_refused" if isinstance(error, PermanentError) else "portal_unreachable"


def _told(error: ProviderError, found: Found) -> Unavailable:
    code = trouble(error)
    is_gone = isinstance(error, NoCustomer)
    alerts.raise_once(code, customer_id=found.customer_id if is_gone else None)
    log.warning("portal_not_opened", link=found.link_id, code=code, error_code=error.code, status=error.status)
    return Gone(code) if is_gone else Unavailable(code)

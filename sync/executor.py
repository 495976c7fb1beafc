"""The thread's half of carrying out an action: read, judge, freeze; send; look up. Plain data, no database.

The main thread books what comes back (`sync.settle`). No transaction is open while any of this runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gates import decide, playbooks
from gates.types import Decision, Facts, Policy
from ledger import clock
from sync import booking, enrich, health, mappings
from sync.actions.base import Found
from sync.claimed import Claimed
from sync.errors import ProviderError, UnconfirmedError
from sync.mappings import owners
from sync.providers import stripe_accounts
from sync.wiretypes import Exchange, FrozenRequest

ALWAYS = timedelta()  # before the irreversible no read is fresh enough: a payment may have come since


@dataclass(slots=True)
class Judged:
    """Read and judged again; `request` is made when the decision lets it go."""

    one: Claimed
    decision: Decision | None = None
    facts: Facts | None = None
    blocks: dict[str, Any] = field(default_factory=dict)
    request: FrozenRequest | None = None
    is_overtaken: bool = False  # what was refused before says something else by now: another action takes its place
    error: ProviderError | None = None


@dataclass(slots=True)
class Sent:
    """What became of a write, or of asking about one: exactly one of the three is set."""

    one: Claimed
    answer: Found | None = None
    error: ProviderError | None = None
    crash: str = ""


def judge(one: Claimed, policy: Policy, exchanges: list[Exchange]) -> Judged:
    """Facts fresh enough for this kind of action, the decision on them, and the request if it may go.

    What is judged and what is frozen go by one version of the field mapping.
    """
    with mappings.one_version(), stripe_accounts.acting_for(account_of(one)):
        return _judge(one, policy, exchanges)


def _judge(one: Claimed, policy: Policy, exchanges: list[Exchange]) -> Judged:
    assert one.known is not None
    assert one.work is not None
    result = Judged(one)
    live = one.kind.risk.irreversible or one.kind.risk.money
    limit = ALWAYS if live else policy.limits.context_max_age
    try:
        needs = enrich.stale(one.known, one.kind.needs, clock.now(), limit, one.params)
        result.blocks = enrich.read(one.known, needs, exchanges, one.params)
        one.known.blocks |= result.blocks
        result.facts = one.work.facts = one.facts(clock.now())
        withdrawn = playbooks.withdraw_reason(result.facts, one.business_key, one.known.memo, one.kind_name)
        proposal = one.proposal(withdrawn)
        _, agreed_to = booking.shown(proposal, result.facts, policy.version)
        result.decision = decide.decide(proposal, result.facts, policy, approved_rules=one.approved_rules(agreed_to))
        one.work.exchanges = exchanges
        if result.decision.verb == "approve" and one.work.request is None:
            result.request = one.kind.freeze(one.work)
        elif result.decision.verb == "approve" and one.kind.remake_on_change and one.was_retried:
            result.is_overtaken = one.kind.freeze(one.work) != one.work.request
    except ProviderError as error:
        result.error = error
    return result


def send(one: Claimed, request: FrozenRequest, guard: Callable[[], None], exchanges: list[Exchange]) -> Sent:
    """Send the frozen request once. Whatever goes wrong after the provider took the write leaves it in doubt."""

    def perform() -> Any:
        owners.refuse(request, exchanges)
        return one.kind.perform(request, _of(one), guard)

    result = _asked(one, exchanges, perform)
    error = result.error
    if error is not None and not isinstance(error, UnconfirmedError) and any(map(_was_taken, exchanges)):
        result.error = UnconfirmedError(
            f"taken, but reading it back failed: {error.message}", provider=error.provider, status=error.status,
            code=error.code, retry_after=error.retry_after, exchange=error.exchange,
        )  # fmt: skip
    return result


def _was_taken(exchange: Exchange) -> bool:
    return exchange.is_write and exchange.status is not None and 200 <= exchange.status < 300


def find_out(one: Claimed, exchanges: list[Exchange]) -> Sent:
    """Ask what became of a write whose answer was lost, or of a job."""
    look = one.kind.poll if one.job_ref else one.kind.look_up
    return _asked(one, exchanges, lambda: look(_of(one)))


def account_of(one: Claimed) -> str:
    """Which billing account it concerns: the one it was frozen for, the one it was planned for, the customer's."""
    if one.work is not None and one.work.request is not None and one.work.request.provider == stripe_accounts.PROVIDER:
        return one.work.request.account
    planned = one.params.get("billing_account")
    return str(planned) if planned else one.known.billing_account if one.known is not None else ""


def row_of(provider: str, one: Claimed) -> str:
    """Whose health decides whether this provider may be called for it."""
    is_billing = provider == stripe_accounts.PROVIDER
    return health.key(provider, stripe_accounts.on_wire(account_of(one)) if is_billing else "")


def _of(one: Claimed) -> Any:
    assert one.work is not None
    return one.work


def _asked(one: Claimed, exchanges: list[Exchange], ask: Callable[[], Any]) -> Sent:
    work = _of(one)
    work.exchanges = exchanges
    work.sent_at = work.sent_at or clock.now()
    try:
        with stripe_accounts.acting_for(account_of(one)):
            return Sent(one, answer=ask())
    except ProviderError as error:
        return Sent(one, error=error)
    except Exception as error:  # noqa: BLE001  a bug in an adapter must not be mistaken for "not sent"
        return Sent(one, crash=f"{type(error).__name__}: {error}"[:300])
